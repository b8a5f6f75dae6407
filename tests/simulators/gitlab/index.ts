/**
 * GitLab's REST API, version 4, on loopback, as far as issues and the way to
 * them go. Written from https://docs.gitlab.com/api/ (issues, issue_links,
 * notes, projects, groups, users, rest).
 */
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "../server.ts";
import {
  GitLabStore,
  type Issue,
  type IssueChange,
  type Namespace,
  type Note,
  type Project,
  type SimulatedUser,
  type WorkspaceSeed,
} from "./store.ts";
import { Entities, keysetPage, notFound, numberedPage, Params, Refusal } from "./wire.ts";

/** What a {@link GitLabSimulator} is made of. */
interface GitLabSimulatorOptions {
  /** The token that may read and write. Default `glpat-simulated`. */
  readonly token?: string;
  /** A token that may only read. */
  readonly readonlyToken?: string;
  /** The first one is whose tokens these are. */
  readonly users?: readonly SimulatedUser[];
  readonly workspaces?: readonly WorkspaceSeed[];
}

const USERS: readonly SimulatedUser[] = [
  { id: 11, username: "ada", name: "Ada Lovelace" },
  { id: 12, username: "grace", name: "Grace Hopper" },
];

const WORKSPACES: readonly WorkspaceSeed[] = [
  {
    id: 70,
    path: "acme",
    name: "Acme",
    projects: [{ id: 7, path: "payments-api", name: "Payments API" }],
  },
];

const REPORTER = 20;
const GUEST = 10;
const ISSUE_TYPES = ["issue", "incident", "test_case", "task"] as const;

/** A route: method, pattern of the path below the API's root, and what answers. */
type Route = readonly [
  method: string,
  path: RegExp,
  answer: (request: SimulatedRequest, ids: readonly string[]) => SimulatedAnswer,
];

export class GitLabSimulator extends Simulator {
  readonly token: string;
  readonly #readonlyToken: string | null;
  readonly #store: GitLabStore;
  readonly #entities: Entities;
  readonly #account: SimulatedUser;
  readonly #routes: readonly Route[];

  constructor(options: GitLabSimulatorOptions = {}) {
    super();
    const {
      token = "glpat-simulated",
      readonlyToken = null,
      users = USERS,
      workspaces = WORKSPACES,
    } = options;
    const [account] = users;
    if (account === undefined) throw new Error("somebody has to have an account");
    this.token = token;
    this.#readonlyToken = readonlyToken;
    this.#account = account;
    this.#store = new GitLabStore(users, workspaces, () => this.now());
    this.#entities = new Entities(this.#store, () => this.origin);
    const issue = "projects/([^/]+)/issues/([^/]+)";
    this.#routes = [
      ["GET", /^user$/, () => ok(this.#entities.user(account))],
      ["GET", /^users$/, (request) => this.#users(request)],
      ["GET", /^groups\/([^/]+)$/, (_, [group]) => this.#group(group)],
      ["GET", /^projects$/, (request) => this.#projects(request)],
      ["GET", /^projects\/([^/]+)$/, (_, [id]) => ok(this.#entities.project(this.#project(id)))],
      ["GET", /^projects\/([^/]+)\/issues$/, (request, [id]) => this.#issues(request, this.#project(id))],
      ["POST", /^projects\/([^/]+)\/issues$/, (request, [id]) => this.#create(request, this.#project(id))],
      ["GET", RegExp(`^${issue}$`), (_, ids) => ok(this.#entities.single(this.#issue(ids)))],
      ["PUT", RegExp(`^${issue}$`), (request, ids) => this.#update(request, this.#issue(ids))],
      ["DELETE", RegExp(`^${issue}$`), (_, ids) => this.#delete(this.#issue(ids))],
      ["POST", RegExp(`^${issue}/move$`), (request, ids) => this.#move(request, this.#issue(ids))],
      ["GET", RegExp(`^${issue}/links$`), (_, ids) => this.#links(this.#issue(ids))],
      ["POST", RegExp(`^${issue}/links$`), (request, ids) => this.#link(request, this.#issue(ids))],
      ["DELETE", RegExp(`^${issue}/links/(\\d+)$`), (_, ids) => this.#unlink(this.#issue(ids), ids[2])],
      ["GET", RegExp(`^${issue}/notes$`), (request, ids) => this.#notes(request, this.#issue(ids))],
      ["POST", RegExp(`^${issue}/notes$`), (request, ids) => this.#note(request, this.#issue(ids))],
    ];
  }

  /** Somebody opens an issue; returns its number. */
  addIssue(projectId: number, change: IssueChange & { readonly title: string }): number {
    return this.#store.createIssue(this.#known(projectId), this.#account.id, change).iid;
  }

  /** Somebody edits an issue on the web. */
  editIssue(projectId: number, iid: number, change: IssueChange): void {
    this.#store.changeIssue(this.#knownIssue(projectId, iid), change);
  }

  removeIssue(projectId: number, iid: number): void {
    this.#store.removeIssue(this.#knownIssue(projectId, iid));
  }

  /** Returns the number that the issue has in the other project. */
  moveIssue(projectId: number, iid: number, targetId: number): number {
    return this.#store.moveIssue(this.#knownIssue(projectId, iid), this.#known(targetId)).iid;
  }

  /** Somebody comments; with `system` GitLab itself notes a change. */
  addNote(
    projectId: number,
    iid: number,
    body: string,
    options: { readonly system?: boolean; readonly internal?: boolean } = {},
  ): void {
    this.#store.addNote(this.#knownIssue(projectId, iid), this.#account.id, body, options);
  }

  addLink(
    [projectId, iid]: readonly [number, number],
    [targetId, targetIid]: readonly [number, number],
    type: "relates_to" | "blocks" | "is_blocked_by",
  ): void {
    this.#store.addLink(this.#knownIssue(projectId, iid), this.#knownIssue(targetId, targetIid), type);
  }

  /** How an issue stands, its notes included. */
  issueOf(projectId: number, iid: number): Readonly<Issue> & { readonly notes: readonly Note[] } {
    return this.#knownIssue(projectId, iid);
  }

  /** Everything of a project that is there, in the order of its creation. */
  issuesOf(projectId: number): readonly Readonly<Issue>[] {
    return this.#store.issues.filter((issue) => issue.projectId === projectId);
  }

  /** Renames a project, archives it, turns its issues off, takes the account's access away … */
  changeProject(
    id: number,
    change: Partial<Pick<Project, "name" | "path" | "archived" | "issues" | "access">>,
  ): void {
    Object.assign(this.#known(id), change);
  }

  removeProject(id: number): void {
    this.#store.projects.splice(this.#store.projects.indexOf(this.#known(id)), 1);
  }

  protected answer(request: SimulatedRequest): SimulatedAnswer {
    const path = /^\/api\/v4\/(.+)$/.exec(request.path)?.[1];
    if (path === undefined) return { status: 404, body: { error: "404 Not Found" } };
    const refused = this.#refusalOf(request);
    if (refused !== null) return refused;
    for (const [method, pattern, answer] of this.#routes) {
      const found = method === request.method ? pattern.exec(path) : null;
      if (found === null) continue;
      try {
        return answer(request, found.slice(1).map(decodeURIComponent));
      } catch (error) {
        if (error instanceof Refusal) return error.answer;
        throw error;
      }
    }
    return { status: 404, body: { error: "404 Not Found" } };
  }

  /** https://docs.gitlab.com/api/rest/authentication/ */
  #refusalOf({ headers, method }: SimulatedRequest): SimulatedAnswer | null {
    const bearer = /^bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    const given = headers.get("private-token") ?? bearer;
    if (given === this.token) return null;
    if (given === undefined || given !== this.#readonlyToken) {
      return { status: 401, body: { message: "401 Unauthorized" } };
    }
    if (method === "GET") return null;
    return {
      status: 403,
      body: {
        error: "insufficient_scope",
        error_description: "The request requires higher privileges than provided by the access token.",
        scope: "api",
      },
    };
  }

  #users(request: SimulatedRequest): SimulatedAnswer {
    const username = new Params(request).text("username")?.toLowerCase();
    const found = this.#store.users.filter((user) => username === undefined || user.username === username);
    return numberedPage(request, this.origin, found, (user) => this.#entities.user(user));
  }

  #group(idOrPath = ""): SimulatedAnswer {
    const isIt = ({ id, fullPath }: Namespace) =>
      String(id) === idOrPath || fullPath.toLowerCase() === idOrPath.toLowerCase();
    const found = this.#store.namespaces.find((namespace) => namespace.kind === "group" && isIt(namespace));
    if (found?.visible !== true) throw notFound("Group");
    return ok({ ...this.#entities.namespace(found), visibility: "private" });
  }

  #projects(request: SimulatedRequest): SimulatedAnswer {
    const params = new Params(request);
    const order = params.oneOf("order_by", ["id", "name", "path", "created_at", "updated_at"], "created_at");
    const direction = params.oneOf("sort", ["asc", "desc"], "desc");
    const [archived, after] = [params.flag("archived"), params.integer("id_after") ?? 0];
    const least = params.integer("min_access_level") ?? 0;
    const found = this.#store.projects
      .filter((project) => archived === undefined || project.archived === archived)
      .filter(({ issues }) => params.flag("with_issues_enabled") !== true || issues !== "disabled")
      .filter(({ access }) => access !== null && access >= least)
      .filter(({ id }) => id > after)
      .sort((a, b) => (direction === "asc" ? a.id - b.id : b.id - a.id));
    const show = (project: Project) => this.#entities.project(project);
    if (params.text("pagination") !== "keyset") return numberedPage(request, this.origin, found, show);
    if (order !== "id") {
      throw new Refusal(405, { error: "Keyset pagination is not yet available for this type of request" });
    }
    return keysetPage(request, this.origin, found, show);
  }

  #issues(request: SimulatedRequest, project: Project): SimulatedAnswer {
    const params = new Params(request);
    const order = params.oneOf("order_by", ["created_at", "updated_at"], "created_at");
    const direction = params.oneOf("sort", ["asc", "desc"], "desc");
    const state = params.oneOf("state", ["opened", "closed", "all"], "all");
    const scope = params.oneOf("scope", ["created_by_me", "assigned_to_me", "all"], "all");
    const within = (name: string, at: number) =>
      at >= (params.instant(`${name}_after`) ?? 0) &&
      at <= (params.instant(`${name}_before`) ?? Number.POSITIVE_INFINITY);
    const words = (params.text("search") ?? "").toLowerCase().split(/\s+/);
    const fields = (params.text("in") ?? "title,description").split(",");
    const textOf = ({ title, description }: Issue) =>
      [fields.includes("title") ? title : "", fields.includes("description") ? description : ""]
        .join("\n")
        .toLowerCase();
    const found = this.#store.issues
      .filter(({ projectId }) => projectId === project.id && project.issues !== "disabled")
      .filter((issue) => state === "all" || issue.state === state)
      .filter(({ authorId }) => scope !== "created_by_me" || authorId === this.#account.id)
      .filter(({ assignees }) => scope !== "assigned_to_me" || assignees.includes(this.#account.id))
      .filter(({ updatedAt, createdAt }) => within("updated", updatedAt) && within("created", createdAt))
      .filter((issue) => words.every((word) => textOf(issue).includes(word)))
      .sort((a, b) => (order === "updated_at" ? a.updatedAt - b.updatedAt : 0) || a.id - b.id);
    if (direction === "desc") found.reverse();
    return numberedPage(request, this.origin, found, (issue) => this.#entities.issue(issue));
  }

  #create(request: SimulatedRequest, project: Project): SimulatedAnswer {
    const params = new Params(request);
    if (project.issues === "disabled" || project.archived)
      throw new Refusal(403, { message: "403 Forbidden" });
    const title = titleOf(params.required("title"));
    const type = params.oneOf("issue_type", ISSUE_TYPES, "issue");
    const description = params.text("description");
    const change: IssueChange & { title: string } = { title, type };
    if (description !== undefined) change.description = description;
    const { labels, assignees } = this.#metadata(params, project);
    if (labels !== undefined) change.labels = labels;
    if (assignees !== undefined) change.assignees = assignees;
    const created = this.#store.createIssue(project, this.#account.id, change);
    return { status: 201, body: this.#entities.single(created) };
  }

  #update(request: SimulatedRequest, issue: Issue): SimulatedAnswer {
    const params = new Params(request);
    const project = this.#writable(issue);
    const event = params.oneOf("state_event", ["close", "reopen", ""], "");
    const change: IssueChange = {};
    if (params.has("title")) change.title = titleOf(params.required("title"));
    if (params.has("description")) change.description = params.text("description") ?? null;
    if (event !== "") change.state = event === "close" ? "closed" : "opened";
    const { labels, assignees } = this.#metadata(params, project, issue.labels);
    if (labels !== undefined) change.labels = labels;
    if (assignees !== undefined) change.assignees = assignees;
    const known = [
      "title",
      "description",
      "state_event",
      "labels",
      "add_labels",
      "remove_labels",
      "assignee_ids",
    ];
    if (!known.some((name) => params.has(name))) {
      throw new Refusal(400, {
        error: `${known.join(", ")} are missing, at least one parameter must be provided`,
      });
    }
    this.#store.changeIssue(issue, change);
    return ok(this.#entities.single(issue));
  }

  /** Labels and assignees of guests are passed over without a word. */
  #metadata(
    params: Params,
    project: Project,
    before: readonly string[] = [],
  ): Pick<IssueChange, "labels" | "assignees"> {
    const asked = params.labels("labels");
    const [added, removed] = [params.labels("add_labels"), params.labels("remove_labels")];
    const ids = params.integers("assignee_ids");
    if ((project.access ?? 0) < REPORTER) return {};
    const kept = (asked ?? before).filter((label) => removed?.includes(label) !== true);
    const isLabeled = asked !== undefined || added !== undefined || removed !== undefined;
    return {
      ...(isLabeled && { labels: [...kept, ...(added ?? [])] }),
      ...(ids !== undefined && this.#isUnderstood(ids) && { assignees: ids }),
    };
  }

  /** `[0]` and nothing are nobody; ids of which none is anybody's are passed over. */
  #isUnderstood(ids: readonly number[]): boolean {
    const isNobody = ids.length === 0 || (ids.length === 1 && ids[0] === 0);
    return isNobody || this.#store.users.some(({ id }) => ids.includes(id));
  }

  #delete(issue: Issue): SimulatedAnswer {
    this.#writable(issue);
    this.#store.removeIssue(issue);
    return { status: 204 };
  }

  #move(request: SimulatedRequest, issue: Issue): SimulatedAnswer {
    const target = this.#project(new Params(request).required("to_project_id"));
    if (target.id === issue.projectId) {
      throw new Refusal(400, { message: "Cannot move issue to project it originates from!" });
    }
    return { status: 201, body: this.#entities.single(this.#store.moveIssue(issue, target)) };
  }

  #links(issue: Issue): SimulatedAnswer {
    const links = this.#store.links.filter(({ sourceId, targetId }) =>
      [sourceId, targetId].includes(issue.id),
    );
    return ok(links.map((link) => this.#entities.related(issue, link)));
  }

  #link(request: SimulatedRequest, issue: Issue): SimulatedAnswer {
    const params = new Params(request);
    const type = params.oneOf("link_type", ["relates_to", "blocks", "is_blocked_by"], "relates_to");
    const target = this.#issue([params.required("target_project_id"), params.required("target_issue_iid")]);
    if (type !== "relates_to" && this.#store.planOf(issue) === "free") {
      throw new Refusal(403, { message: "Blocked issues not available for current license" });
    }
    this.#writable(issue);
    const isBetween = (one: number, other: number) => one === issue.id && other === target.id;
    const isLinked = this.#store.links.some(
      ({ sourceId, targetId }) => isBetween(sourceId, targetId) || isBetween(targetId, sourceId),
    );
    if (isLinked) throw new Refusal(409, { message: "Issue(s) already assigned" });
    return { status: 201, body: this.#entities.link(this.#store.addLink(issue, target, type)) };
  }

  #unlink(issue: Issue, linkId = ""): SimulatedAnswer {
    const found = this.#store.links.find(
      ({ id, sourceId, targetId }) => String(id) === linkId && [sourceId, targetId].includes(issue.id),
    );
    if (found === undefined) throw notFound();
    const body = this.#entities.link(found);
    this.#store.removeLink(found);
    return ok(body);
  }

  #notes(request: SimulatedRequest, issue: Issue): SimulatedAnswer {
    const params = new Params(request);
    params.oneOf("order_by", ["created_at", "updated_at"], "created_at");
    const notes = issue.notes.toSorted((a, b) => a.createdAt - b.createdAt || a.id - b.id);
    if (params.oneOf("sort", ["asc", "desc"], "desc") === "desc") notes.reverse();
    return numberedPage(request, this.origin, notes, (note) => this.#entities.note(issue, note));
  }

  #note(request: SimulatedRequest, issue: Issue): SimulatedAnswer {
    const params = new Params(request);
    const internal = params.flag("internal") ?? false;
    const note = this.#store.addNote(issue, this.#account.id, params.required("body"), { internal });
    if (note !== null) return { status: 201, body: this.#entities.note(issue, note) };
    return { status: 202, body: { commands_changes: {}, summary: ["Commands applied"] } };
  }

  /** A project that the account may see. */
  #project(idOrPath = ""): Project {
    const found = this.#store.project(idOrPath);
    if (found === undefined || found.access === null) throw notFound("Project");
    return found;
  }

  /** An issue that the account may see. */
  #issue([project, iid = ""]: readonly string[]): Issue {
    const { id, issues, access } = this.#project(project);
    if (!/^\d+$/.test(iid)) throw new Refusal(400, { error: "issue_iid is invalid" });
    const found = this.#store.issue(id, Number(iid));
    const isHidden = issues === "disabled" || (found?.confidential === true && (access ?? 0) < REPORTER);
    if (found === undefined || isHidden) throw notFound();
    return found;
  }

  #writable(issue: Issue): Project {
    const project = this.#known(issue.projectId);
    if (project.archived || (project.access ?? 0) < GUEST)
      throw new Refusal(403, { message: "403 Forbidden" });
    return project;
  }

  #known(projectId: number): Project {
    const found = this.#store.projects.find(({ id }) => id === projectId);
    if (found === undefined) throw new Error(`there is no project ${projectId}`);
    return found;
  }

  #knownIssue(projectId: number, iid: number): Issue {
    const found = this.#store.issue(projectId, iid);
    if (found === undefined) throw new Error(`there is no issue ${projectId}#${iid}`);
    return found;
  }
}

function ok(body: unknown): SimulatedAnswer {
  return { status: 200, body };
}

function titleOf(title: string): string {
  if (title.length <= 255) return title;
  throw new Refusal(400, { message: { title: ["is too long (maximum is 255 characters)"] } });
}
