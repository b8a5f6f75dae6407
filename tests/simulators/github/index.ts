/** A GitHub server on loopback: its REST API below `/api/v3`, as on servers of their own. */
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "../server.ts";
import { notFound, ok, paged, Refusal } from "./answers.ts";
import { type Call, IssueEndpoints } from "./issues.ts";
import { GitHubPayloads } from "./payloads.ts";
import {
  type Access,
  fullNameOf,
  GitHubStore,
  type Issue,
  type IssueDraft,
  isSame,
  issuesOf,
  type Owner,
  type OwnerSeed,
  type Repository,
} from "./store.ts";

export type { Access, IssueDraft, OwnerSeed } from "./store.ts";

/** What a simulator is made with. */
export interface GitHubSimulatorOptions {
  readonly workspaces: readonly OwnerSeed[];
  /** The only token that is let in. */
  readonly token?: string;
  /** Whose token it is. */
  readonly login?: string;
  /** A person's token, or one of an app's installation, which acts for nobody. */
  readonly credential?: "user" | "installation";
}

/** GitHub, as far as its issues go. */
export class GitHubSimulator extends Simulator {
  readonly token: string;
  readonly #login: string;
  readonly #credential: "user" | "installation";
  readonly #store: GitHubStore;
  readonly #payloads: GitHubPayloads;
  readonly #issues: IssueEndpoints;
  /** Whether issue types are told of repositories, or of organizations only, as servers did before. */
  issueTypesOf: "repositories" | "organizations" = "repositories";
  /** What search knows; null where it knows everything at once. */
  #index: ReadonlyMap<Issue, string> | null = null;

  constructor({
    workspaces,
    token = "ghp_simulated",
    login = "octavia",
    credential = "user",
  }: GitHubSimulatorOptions) {
    super();
    this.token = token;
    this.#login = login;
    this.#credential = credential;
    // GitHub's clock shows whole seconds.
    this.#store = new GitHubStore(workspaces, () => Math.floor(this.now() / 1000) * 1000);
    this.#payloads = new GitHubPayloads(() => ({
      web: this.origin,
      api: `${this.origin}/api/v3`,
    }));
    this.#issues = new IssueEndpoints(this.#store, this.#payloads, login);
  }

  // What other people do in the web interface. Issues are named `owner/repo` and by their numbers.

  /** Returns the number. */
  addIssue(repository: string, draft: IssueDraft): number {
    return this.#store.add(this.#store.repository(repository), draft).number;
  }

  editIssue(
    repository: string,
    number: number,
    change: { readonly title?: string; readonly body?: string | null },
  ): void {
    const issue = this.#store.issue(repository, number);
    Object.assign(issue, change);
    this.#store.touch(issue);
  }

  labelIssue(repository: string, number: number, ...labels: readonly string[]): void {
    this.#store.addLabels(this.#store.issue(repository, number), labels);
  }

  unlabelIssue(repository: string, number: number, label: string): void {
    this.#store.removeLabel(this.#store.issue(repository, number), label);
  }

  assignIssue(repository: string, number: number, ...assignees: readonly string[]): void {
    const issue = this.#store.issue(repository, number);
    issue.assignees.push(...assignees);
    this.#store.touch(issue);
  }

  closeIssue(repository: string, number: number, reason: "completed" | "not_planned" | "duplicate"): void {
    this.#store.setState(this.#store.issue(repository, number), "closed", reason);
  }

  deleteIssue(repository: string, number: number): void {
    this.#store.delete(this.#store.issue(repository, number));
  }

  transferIssue(repository: string, number: number, to: string): void {
    this.#store.transfer(this.#store.issue(repository, number), this.#store.repository(to));
  }

  /** Of the issues that are named `owner/repo#7` the first blocks the second. */
  blockIssue(blocker: string, blocked: string): void {
    this.#store.block(this.#named(blocked), this.#named(blocker));
  }

  /** Puts the issue that is named `owner/repo#7` below another one. */
  nestIssue(child: string, parent: string): void {
    this.#store.setParent(this.#named(child), this.#named(parent));
  }

  addComment(repository: string, number: number, body: string, author = "grace"): number {
    return this.#store.addComment(this.#store.issue(repository, number), author, body).id;
  }

  deleteComment(repository: string, number: number, id: number): void {
    const { comments } = this.#store.issue(repository, number);
    comments.splice(
      comments.findIndex((comment) => comment.id === id),
      1,
    );
  }

  renameRepository(repository: string, name: string): void {
    this.#store.rename(this.#store.repository(repository), name);
  }

  deleteRepository(repository: string): void {
    this.#store.remove(this.#store.repository(repository));
  }

  disableIssueType(login: string, name: string): void {
    const owner = this.#store.owners.find((other) => other.login === login);
    const type = owner?.issueTypes.find((other) => other.name === name);
    if (type === undefined) throw new Error(`${login} has no issue type ${name}`);
    type.isEnabled = false;
  }

  setAccess(repository: string, access: Access): void {
    this.#store.repository(repository).access = access;
  }

  switchIssuesOff(repository: string): void {
    this.#store.repository(repository).hasIssues = false;
  }

  /** Bodies and titles as they are stored. */
  issue(
    repository: string,
    number: number,
  ): Readonly<Pick<Issue, "title" | "body" | "labels" | "state" | "comments">> {
    return this.#store.issue(repository, number);
  }

  /** How many issues there are, pull requests not counted. */
  countIssues(repository: string): number {
    return issuesOf(this.#store.repository(repository)).filter(({ kind }) => kind === "issue").length;
  }

  /** From now on search knows nothing new, until it catches up. */
  stopIndexing(): void {
    this.#index = wordIndex(this.#store.repositories);
  }

  catchUp(): void {
    this.#index = null;
  }

  /** How `since` is taken: documented as "at or after" once, and as "after" now. */
  takeSince(sinceIs: "inclusive" | "exclusive"): void {
    this.#issues.sinceIs = sinceIs;
  }

  protected override answer(request: SimulatedRequest): SimulatedAnswer {
    try {
      return this.#answer(request);
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }

  #answer(request: SimulatedRequest): SimulatedAnswer {
    const path = /^\/api\/v3(\/.*)$/.exec(request.path)?.[1];
    if (path === undefined) throw notFound();
    this.#admit(request);
    const segments = path.slice(1).split("/").map(decodeURIComponent);
    const [first, ...rest] = segments;
    const route = `${request.method} /${segments.join("/")}`;
    if (first === "repos" && rest.length >= 2) {
      const [owner, name, ...below] = rest;
      return this.#inRepository(request, `${owner}/${name}`, below);
    }
    if (first === "repositories" && rest.length >= 1) {
      const [id, ...below] = rest;
      const repository = this.#store.repositories.find((other) => String(other.id) === id);
      if (repository === undefined) throw notFound();
      return this.#inRepository(request, fullNameOf(repository), below);
    }
    if (first === "orgs" && rest.length === 2 && rest[1] === "issue-types" && request.method === "GET") {
      // That needs a permission in the organization, which the tokens of people seldom have.
      if (this.issueTypesOf === "repositories")
        throw new Refusal(403, "Resource not accessible by personal access token");
      const owner = this.#store.owners.find((other) => isSame(other.login, rest[0] ?? ""));
      if (owner?.type !== "Organization") throw notFound();
      return this.#issueTypes(owner);
    }
    switch (route) {
      case "GET /user":
        this.#forUsers();
        return ok(this.#payloads.user(this.#login));
      case "GET /user/repos":
        this.#forUsers();
        return paged(request, this.#address(request), this.#listed(), (page) =>
          page.map((repository) => this.#payloads.repository(repository)),
        );
      case "GET /installation/repositories":
        if (this.#credential === "user") {
          throw new Refusal(
            403,
            "You must authenticate with an installation access token in order to list repositories for an installation.",
          );
        }
        return paged(request, this.#address(request), this.#listed(), (page) => ({
          total_count: this.#listed().length,
          repository_selection: "selected",
          repositories: page.map((repository) => this.#payloads.repository(repository)),
        }));
      case "GET /search/issues":
        return this.#search(request);
      default:
        throw notFound();
    }
  }

  /** https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api */
  #admit({ headers }: SimulatedRequest): void {
    if (headers.get("user-agent") === null) {
      throw new Refusal(
        403,
        "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
      );
    }
    const version = headers.get("x-github-api-version");
    if (version !== null && version !== "2022-11-28") {
      throw new Refusal(400, `"${version}" is not a supported version`);
    }
    const [scheme = "", token] = (headers.get("authorization") ?? "").split(" ");
    if (!/^(bearer|token)$/i.test(scheme) || token !== this.token) throw new Refusal(401, "Bad credentials");
  }

  #inRepository(request: SimulatedRequest, fullName: string, below: readonly string[]): SimulatedAnswer {
    const repository = this.#store.find(fullName);
    if (repository === null) {
      const former = this.#store.findFormer(fullName);
      if (former === null || !isVisible(former)) throw notFound();
      return this.#moved(request, [String(former.id), ...below]);
    }
    if (!isVisible(repository)) throw notFound();
    const [first, second, ...rest] = below;
    const call: Call = { request, repository, address: this.#address(request) };
    if (first === undefined && request.method === "GET") return ok(this.#payloads.repository(repository));
    if (first === "assignees" && second !== undefined && request.method === "GET") {
      if (!repository.people.some((login) => isSame(login, second))) throw notFound();
      return { status: 204 };
    }
    if (first === "issue-types" && request.method === "GET" && this.issueTypesOf === "repositories") {
      return this.#issueTypes(repository.owner);
    }
    if (first !== "issues") throw notFound();
    if (!repository.hasIssues) throw new Refusal(410, "Issues has been disabled in this repository.");
    if (second === undefined && request.method === "GET") return this.#issues.list(call);
    if (second === undefined && request.method === "POST") return this.#issues.create(call);
    return this.#inIssue(call, Number(second), rest);
  }

  #inIssue(call: Call, number: number, below: readonly string[]): SimulatedAnswer {
    const entry = call.repository.issues.get(number);
    if (entry === undefined) throw notFound();
    if (entry.kind === "deleted") throw new Refusal(410, "This issue was deleted");
    if (entry.kind === "transferred") {
      const { repository, number: there } = entry.to;
      if (!isVisible(repository)) throw notFound();
      return this.#moved(call.request, [String(repository.id), "issues", String(there), ...below]);
    }
    const { method } = call.request;
    const plain = this.#issues.endpoints[`${method} ${below.map((part) => `/${part}`).join("")}`];
    if (plain !== undefined) return plain(call, entry, "");
    const [last = "", ...start] = below.toReversed();
    const starred =
      this.#issues.endpoints[`${method} ${[...start.toReversed(), "*"].map((part) => `/${part}`).join("")}`];
    if (starred === undefined) throw notFound();
    return starred(call, entry, last);
  }

  /** Reads are sent elsewhere for good, writes for now. https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects */
  #moved({ method, query }: SimulatedRequest, segments: readonly string[]): SimulatedAnswer {
    const search = query.size === 0 ? "" : `?${query}`;
    const url = `${this.origin}/api/v3/repositories/${segments.map(encodeURIComponent).join("/")}${search}`;
    const isRead = method === "GET";
    return {
      status: isRead ? 301 : 307,
      headers: { location: url },
      body: { message: isRead ? "Moved Permanently" : "Temporary Redirect", url },
    };
  }

  #issueTypes(owner: Owner): SimulatedAnswer {
    return ok(owner.issueTypes.map(({ name }) => this.#payloads.issueType(owner, name)));
  }

  #listed(): readonly Repository[] {
    return this.#store.repositories
      .filter(({ access }) => access !== "none")
      .sort((a, b) => (fullNameOf(a).toLowerCase() < fullNameOf(b).toLowerCase() ? -1 : 1));
  }

  /** Words and the qualifiers `repo:`, `is:issue` and `in:`. https://docs.github.com/en/search-github/searching-on-github/searching-issues-and-pull-requests */
  #search(request: SimulatedRequest): SimulatedAnswer {
    const q = request.query.get("q") ?? "";
    const terms = [...q.matchAll(/"([^"]*)"|(\S+)/g)];
    const plain = terms.flatMap(([, , term]) => term ?? []);
    const words = terms.flatMap(([, quoted, term]) => quoted ?? (term?.includes(":") ? [] : (term ?? [])));
    const named = plain.flatMap((term) =>
      term.startsWith("repo:") ? [this.#store.find(term.slice(5))] : [],
    );
    if (named.length === 0 || named.some((repository) => repository === null || !isVisible(repository))) {
      throw new Refusal(422, "Validation Failed", {
        errors: [
          {
            message:
              "The listed users and repositories cannot be searched either because the resources do not exist or you do not have permission to view them.",
            resource: "Search",
            field: "q",
            code: "invalid",
          },
        ],
      });
    }
    const known = this.#index ?? wordIndex(this.#store.repositories);
    const found = [...known]
      .filter(
        ([issue, text]) =>
          named.includes(issue.repository) &&
          (issue.kind === "issue" || !plain.includes("is:issue")) &&
          words.every((word) => text.includes(word.toLowerCase())),
      )
      .map(([issue]) => issue);
    return paged(request, this.#address(request), found, (page) => ({
      total_count: found.length,
      incomplete_results: false,
      items: page.map((issue) => this.#payloads.foundIssue(issue)),
    }));
  }

  #forUsers(): void {
    if (this.#credential === "installation") throw new Refusal(403, "Resource not accessible by integration");
  }

  #address({ path }: SimulatedRequest): string {
    return `${this.origin}${path}`;
  }

  #named(name: string): Issue {
    const [repository = "", number] = name.split("#");
    return this.#store.issue(repository, Number(number));
  }
}

function isVisible({ access }: Repository): boolean {
  return access === "push" || access === "pull";
}

function wordIndex(repositories: readonly Repository[]): ReadonlyMap<Issue, string> {
  const issues = repositories.flatMap(issuesOf);
  return new Map(issues.map((issue) => [issue, `${issue.title}\n${issue.body ?? ""}`.toLowerCase()]));
}
