/** The issue endpoints of one repository: https://docs.github.com/en/rest/issues */
import * as v from "valibot";
import type { SimulatedAnswer, SimulatedRequest } from "../server.ts";
import {
  bodyOf,
  choiceOf,
  created,
  instantOf,
  invalid,
  notFound,
  ok,
  paged,
  pagedByCursor,
  Refusal,
} from "./answers.ts";
import type { GitHubPayloads } from "./payloads.ts";
import { type GitHubStore, type Issue, isSame, issuesOf, type Repository } from "./store.ts";

/** What an endpoint works on. */
export interface Call {
  readonly request: SimulatedRequest;
  readonly repository: Repository;
  /** Address of the request, for links to other pages. */
  readonly address: string;
}

/** An endpoint below one issue. */
type IssueEndpoint = (call: Call, issue: Issue, rest: string) => SimulatedAnswer;

const Text = v.pipe(
  v.union([v.string(), v.pipe(v.number(), v.transform(String))]),
  v.maxLength(256, "title is too long (maximum is 256 characters)"),
);
const Body = v.nullable(
  v.pipe(v.string(), v.maxLength(65_536, "body is too long (maximum is 65536 characters)")),
);
const Names = v.array(v.string());
const NewIssue = v.strictObject({
  title: Text,
  body: v.optional(Body),
  labels: v.optional(Names),
  assignees: v.optional(Names),
  type: v.nullish(v.string()),
});
const IssueChange = v.strictObject({
  title: v.optional(Text),
  body: v.optional(Body),
  labels: v.optional(Names),
  assignees: v.optional(Names),
  type: v.nullish(v.string()),
  state: v.optional(v.picklist(["open", "closed"])),
  state_reason: v.nullish(v.picklist(["completed", "not_planned", "duplicate", "reopened"])),
});
const AddedLabels = v.union([
  v.strictObject({ labels: Names }),
  v.pipe(
    Names,
    v.transform((labels) => ({ labels })),
  ),
]);
const People = v.strictObject({ assignees: Names });
const NewSubIssue = v.strictObject({
  sub_issue_id: v.number(),
  replace_parent: v.optional(v.boolean(), false),
});
const OldSubIssue = v.strictObject({ sub_issue_id: v.number() });
const NewDependency = v.strictObject({ issue_id: v.number() });
const NewComment = v.strictObject({ body: v.string() });

/** Serves issues. */
export class IssueEndpoints {
  /** `since` is inclusive by an earlier documentation, and reads as exclusive in the present one. */
  sinceIs: "inclusive" | "exclusive" = "inclusive";
  readonly #store: GitHubStore;
  readonly #payloads: GitHubPayloads;
  readonly #login: string;

  constructor(store: GitHubStore, payloads: GitHubPayloads, login: string) {
    this.#store = store;
    this.#payloads = payloads;
    this.#login = login;
  }

  list({ request, repository, address }: Call): SimulatedAnswer {
    const state = choiceOf(request, "state", ["open", "closed", "all"]);
    const by = choiceOf(request, "sort", ["created", "updated"]) === "created" ? "createdAt" : "updatedAt";
    const sign = choiceOf(request, "direction", ["desc", "asc"]) === "asc" ? 1 : -1;
    const since = instantOf(request, "since");
    const first = since === null ? 0 : since + (this.sinceIs === "exclusive" ? 1 : 0);
    const rows = issuesOf(repository)
      .filter((issue) => (state === "all" || issue.state === state) && issue.updatedAt >= first)
      .sort((a, b) => sign * (a[by] - b[by] || a.number - b.number));
    return pagedByCursor(request, address, rows, (page) => page.map((issue) => this.#payloads.issue(issue)));
  }

  create({ request, repository }: Call): SimulatedAnswer {
    const { title, body, labels = [], assignees = [], type } = bodyOf(NewIssue, request);
    if (title.trim() === "") throw invalid("title", "missing_field");
    const canWrite = repository.access === "push";
    if (canWrite) this.#assertPeople(repository, assignees);
    if (canWrite) this.#assertType(repository, type);
    const issue = this.#store.add(repository, {
      title,
      body: body ?? null,
      author: this.#login,
      // Without push access these are dropped, and nothing is said.
      ...(canWrite && { labels, assignees, type: type ?? null }),
    });
    return created(this.#payloads.singleIssue(issue));
  }

  /** By method and what follows the number of the issue; `*` is one more segment. */
  readonly endpoints: Readonly<Record<string, IssueEndpoint>> = {
    "GET ": (_, issue) => ok(this.#payloads.singleIssue(issue)),
    "PATCH ": (call, issue) => this.#change(call, issue),
    "POST /labels": ({ request, repository }, issue) => {
      this.#assertPush(repository);
      this.#store.addLabels(issue, bodyOf(AddedLabels, request).labels);
      return ok(this.#labels(issue));
    },
    "DELETE /labels/*": ({ repository }, issue, name) => {
      this.#assertPush(repository);
      if (!this.#store.removeLabel(issue, name)) throw new Refusal(404, "Label does not exist");
      return ok(this.#labels(issue));
    },
    "POST /assignees": ({ request, repository }, issue) => {
      const { assignees } = bodyOf(People, request);
      if (repository.access === "push") {
        const assignable = assignees.flatMap(
          (login) => repository.people.find((other) => isSame(other, login)) ?? [],
        );
        issue.assignees = [...new Set([...issue.assignees, ...assignable])].slice(0, 10);
        this.#store.touch(issue);
      }
      return created(this.#payloads.singleIssue(issue));
    },
    "DELETE /assignees": ({ request, repository }, issue) => {
      const { assignees } = bodyOf(People, request);
      if (repository.access === "push") {
        issue.assignees = issue.assignees.filter((login) => !assignees.some((other) => isSame(login, other)));
        this.#store.touch(issue);
      }
      return ok(this.#payloads.singleIssue(issue));
    },
    "GET /comments": ({ request, address }, issue) => {
      const since = instantOf(request, "since") ?? 0;
      const comments = issue.comments.filter(({ updatedAt }) => updatedAt >= since);
      return paged(request, address, comments, (page) =>
        page.map((comment) => this.#payloads.comment(issue, comment)),
      );
    },
    "POST /comments": ({ request }, issue) => {
      const { body } = bodyOf(NewComment, request);
      if (body.trim() === "") throw invalid("body", "missing_field");
      return created(this.#payloads.comment(issue, this.#store.addComment(issue, this.#login, body)));
    },
    "GET /parent": (_, { parent }) => {
      if (parent === null) throw notFound();
      return ok(this.#payloads.issue(parent));
    },
    "GET /sub_issues": ({ request, address }, issue) =>
      paged(request, address, [...issue.children], (page) => page.map((row) => this.#payloads.issue(row))),
    "POST /sub_issues": ({ request, repository }, issue) => {
      this.#assertPush(repository);
      const { sub_issue_id, replace_parent } = bodyOf(NewSubIssue, request);
      const child = this.#byId(sub_issue_id);
      if (child.repository.owner !== issue.repository.owner)
        throw invalid("sub_issue_id", "invalid", sub_issue_id);
      if (child.parent !== null && !replace_parent) {
        throw new Refusal(
          422,
          "An error occurred while adding the sub-issue to the parent issue. Issue may only have one parent",
        );
      }
      for (let at: Issue | null = issue; at !== null; at = at.parent) {
        if (at === child) throw new Refusal(422, "Sub issue cannot be its own ancestor");
      }
      this.#store.setParent(child, issue);
      return created(this.#payloads.singleIssue(issue));
    },
    "DELETE /sub_issue": ({ request, repository }, issue) => {
      this.#assertPush(repository);
      const child = this.#byId(bodyOf(OldSubIssue, request).sub_issue_id);
      if (child.parent !== issue) throw notFound();
      this.#store.setParent(child, null);
      return ok(this.#payloads.singleIssue(issue));
    },
    "GET /dependencies/blocked_by": ({ request, address }, issue) =>
      paged(request, address, [...issue.blockedBy], (page) => page.map((row) => this.#payloads.issue(row))),
    "GET /dependencies/blocking": ({ request, address }, issue) =>
      paged(request, address, [...issue.blocking], (page) => page.map((row) => this.#payloads.issue(row))),
    "POST /dependencies/blocked_by": ({ request, repository }, issue) => {
      this.#assertPush(repository);
      const blocker = this.#byId(bodyOf(NewDependency, request).issue_id);
      if (blocker === issue || issue.blockedBy.has(blocker)) throw invalid("issue_id", "invalid", blocker.id);
      this.#store.block(issue, blocker);
      return created(this.#payloads.singleIssue(issue));
    },
    "DELETE /dependencies/blocked_by/*": ({ repository }, issue, id) => {
      this.#assertPush(repository);
      const blocker = this.#byId(Number(id));
      if (!issue.blockedBy.has(blocker)) throw notFound();
      this.#store.unblock(issue, blocker);
      return ok(this.#payloads.singleIssue(issue));
    },
  };

  #change({ request, repository }: Call, issue: Issue): SimulatedAnswer {
    const change = bodyOf(IssueChange, request);
    const canWrite = repository.access === "push";
    if (!canWrite && issue.author !== this.#login)
      throw new Refusal(403, "Must have admin rights to Repository.");
    if (canWrite) this.#assertPeople(repository, change.assignees ?? []);
    if (canWrite) this.#assertType(repository, change.type);
    if (change.title?.trim() === "") throw invalid("title", "missing_field");
    if (change.title !== undefined) issue.title = change.title;
    if (change.body !== undefined) issue.body = change.body;
    if (change.state !== undefined) this.#store.setState(issue, change.state, change.state_reason ?? null);
    // Without push access these are dropped, and nothing is said.
    if (canWrite && change.type !== undefined) issue.type = this.#typeName(repository, change.type);
    if (canWrite && change.assignees !== undefined) issue.assignees = [...change.assignees];
    if (canWrite && change.labels !== undefined) {
      issue.labels = [];
      this.#store.addLabels(issue, change.labels);
    }
    this.#store.touch(issue);
    return ok(this.#payloads.singleIssue(issue));
  }

  #labels(issue: Issue) {
    return issue.labels.map((name) => this.#payloads.label(issue.repository, name));
  }

  #byId(id: number): Issue {
    const found = this.#store.byId(id);
    if (found === null || found.kind === "pull") throw notFound();
    return found;
  }

  #assertPush({ access }: Repository): void {
    if (access !== "push") throw new Refusal(403, "Must have push access to repository");
  }

  #assertPeople({ people }: Repository, logins: readonly string[]): void {
    const unknown = logins.find((login) => !people.some((other) => isSame(other, login)));
    if (unknown !== undefined) throw invalid("assignees", "invalid", unknown);
  }

  #assertType(repository: Repository, type: string | null | undefined): void {
    if (typeof type === "string" && this.#typeName(repository, type) === null)
      throw invalid("type", "invalid", type);
  }

  #typeName({ owner }: Repository, wanted: string | null): string | null {
    const found = owner.issueTypes.find(
      ({ name, isEnabled }) => isEnabled && wanted !== null && isSame(name, wanted),
    );
    return found?.name ?? null;
  }
}
