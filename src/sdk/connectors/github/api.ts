/** The issues of a GitHub repository: https://docs.github.com/en/rest/issues */
import * as v from "valibot";
import { type Capabilities, NO_CAPABILITIES } from "../../capabilities.ts";
import { linkIdentity } from "../../engine/merge.ts";
import { nullIfNotFound, TrackerSdkError } from "../../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  type CanonicalStatus,
  Instant,
  type IssueFields,
  type IssuePatch,
  type JsonValue,
} from "../../model.ts";
import type { GitHubParams } from "../params.ts";
import { parsePayload } from "../shared/arguments.ts";
import { earliestUse, markOf, readMark, withMark } from "../shared/marker.ts";
import type { ApiPage, ChangeQuery, ProviderApi } from "../shared/provider-connector.ts";
import { type Dated, type PageRequest, type ProviderPage, readWindow } from "../shared/window.ts";
import { GitHubComments } from "./comments.ts";
import { GitHubFields } from "./fields.ts";
import { GitHubIssues } from "./issues.ts";
import { IsPullRequest, isSameName, type ReadIssue, stateOf, statusOf } from "./map.ts";
import { GitHubRepository } from "./repository.ts";
import { FIRST_PAGE, GITHUB, type GitHubRest } from "./rest.ts";

/** A page of 100 repeats the last two seconds of the page before; this many new rows fit. */
const CHANGES_PER_PAGE = 90;

/** Issues of a search that are read at a time. */
const PARALLEL_READS = 8;

/** Latest changes that a search looks through; where most are pull requests, more is not worth it. */
const MAX_LATEST = 1000;

const CAPABILITIES: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  hierarchy: true,
  dependencies: true,
  multiAssignee: true,
  assignment: true,
  terminalTransition: true,
  bulkRead: true,
  issueType: true,
  statuses: ["todo", "done", "canceled"],
  linkTypes: ["blocks", "blocked_by"],
};

const IssueNumber = v.pipe(v.number(), v.safeInteger());
/** The part of a row that determines its place in the order. */
const ChangedRow = v.object({
  number: IssueNumber,
  updated_at: Instant,
  pull_request: IsPullRequest,
});
/** The part of a row that shows which create made it. */
const CreatedRow = v.object({
  created_at: Instant,
  body: v.nullish(v.string()),
  pull_request: IsPullRequest,
});
const Numbered = v.object({ number: IssueNumber });
const Found = v.object({ items: v.array(Numbered) });

interface ChangedIssue extends Dated {
  readonly row: unknown;
  readonly path: string;
}

export class GitHubApi implements ProviderApi {
  readonly provider = GITHUB;
  readonly workspace: string;
  readonly capabilities = CAPABILITIES;
  readonly #rest: GitHubRest;
  readonly #repository: GitHubRepository;
  readonly #issues: GitHubIssues;
  readonly #fields: GitHubFields;
  readonly #comments: GitHubComments;

  constructor(params: GitHubParams, rest: GitHubRest) {
    this.#rest = rest;
    this.#repository = new GitHubRepository(params, rest);
    this.#issues = new GitHubIssues(rest, this.#repository);
    this.#fields = new GitHubFields(rest, this.#repository, this.#issues);
    this.#comments = new GitHubComments(rest, this.#repository, this.#issues);
    this.workspace = this.#repository.name;
  }

  async listChanges({ since, until, limit, place }: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    const { rows, next } = await readWindow(
      {
        provider: GITHUB,
        since: since === null ? null : new Date(secondOf(since)).toISOString(),
        until,
        limit: Math.min(limit, CHANGES_PER_PAGE),
        place,
      },
      (request) => this.#changes(request),
    );
    const items: CanonicalIssue[] = [];
    for (const { row, path } of rows) {
      const issue = await this.#issues.fromRow(row, path);
      const complete = issue === null ? null : await nullIfNotFound(this.#issues.complete(issue, null));
      if (complete !== null) items.push(complete);
    }
    return { items, next };
  }

  async get(id: string, links: readonly CanonicalLink[] | null = null): Promise<CanonicalIssue> {
    return this.#issues.complete(await this.#issues.read(id), links);
  }

  /** Accepts `#7`, `7`, `owner/repo#7` and the address of the issue's page. */
  async find(key: string): Promise<CanonicalIssue | null> {
    const [, name = "", number] = /^(?:([^#\s]*)#)?([1-9]\d*)$/.exec(key) ?? [];
    if (number !== undefined) {
      return name === "" || isSameName(name, this.workspace) ? nullIfNotFound(this.get(number)) : null;
    }
    const [, page = "", id = ""] = /^(https?:\/\/\S+\/issues\/([1-9]\d*))(?:[?#]\S*)?$/.exec(key) ?? [];
    if (!isSameName(page.split("/").slice(3, 5).join("/"), this.workspace)) return null;
    const issue = await nullIfNotFound(this.get(id));
    return issue !== null && isSameName(page, issue.ref.url ?? "") ? issue : null;
  }

  /** Search results lack the parent and may be outdated: https://docs.github.com/en/rest/search/search */
  async search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    if (text === null) return this.#latest(limit);
    // Quoted words are no qualifiers or operators.
    const words = text.split(/[\s"\\]+/).filter((word) => word !== "");
    if (words.length === 0) return [];
    const q = [`repo:${this.workspace} is:issue in:title,body`, ...words.map((word) => `"${word}"`)].join(
      " ",
    );
    const query = { q, per_page: limit };
    const found = await this.#repository.request(
      () => this.#rest.send({ method: "GET", path: "/search/issues", query }),
      // An invisible repository makes the query invalid.
      isInvalid,
    );
    const { items } = parsePayload(GITHUB, Found, found, "search");
    const issues: CanonicalIssue[] = [];
    for (let start = 0; start < items.length; start += PARALLEL_READS) {
      const some = items.slice(start, start + PARALLEL_READS);
      const read = await Promise.all(
        some.map(({ number }) => nullIfNotFound(this.#issues.read(String(number)))),
      );
      for (const issue of read) if (issue !== null) issues.push(this.#issues.withoutLinks(issue));
    }
    return issues;
  }

  /** An unavailable issue type is left to the `update` that follows, so that the issue exists without it. */
  async create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue> {
    const { title, body, labels, assignees, issueType } = fields;
    const type = issueType === "task" ? null : await this.#repository.offeredType(issueType);
    const json = {
      title,
      body: withMark(body, markOf(idempotencyKey)),
      ...(labels.length > 0 && { labels }),
      ...(assignees.length > 0 && { assignees }),
      ...(type !== null && { type }),
    };
    const path = this.#repository.path("issues");
    const made = await this.#repository
      .request(() => this.#rest.send({ method: "POST", path, body: { json } }))
      .catch(async (error: unknown) => {
        if (isInvalid(error)) await this.#fields.assertAssignable(assignees);
        throw error;
      });
    return this.#issues.withoutLinks(await this.#issues.own(made, "new"));
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const mark = markOf(idempotencyKey);
    const earliest = earliestUse(idempotencyKey);
    for await (const { row, path } of this.#rows({
      sort: "created",
      ...(earliest !== null && { since: secondOf(earliest) }),
    })) {
      const { created_at, body, pull_request } = parsePayload(GITHUB, CreatedRow, row, path);
      if (earliest !== null && created_at < earliest) break;
      if (pull_request || readMark(body ?? "").mark !== mark) continue;
      const issue = await this.#issues.fromRow(row, path);
      if (issue !== null) return this.#issues.complete(issue, null);
    }
    return null;
  }

  /** Writes each part on its own, so that a refused one does not prevent the others. */
  async update(current: CanonicalIssue, patch: IssuePatch): Promise<CanonicalIssue | null> {
    const { title, body, issueType, labels, assignees, parent } = patch;
    const { id } = current.ref;
    const texts = { ...(title !== undefined && { title }), ...(body !== undefined && { body }) };
    const refusals: unknown[] = [];
    let answered: ReadIssue | null = null;
    for (const write of [
      Object.keys(texts).length > 0 && (() => this.#issues.change(id, texts)),
      issueType !== undefined &&
        (async () => this.#issues.change(id, { type: await this.#repository.issueType(issueType) })),
      labels !== undefined && (() => this.#fields.setLabels(current, labels)),
      assignees !== undefined && (() => this.#fields.setAssignees(current, assignees)),
      parent !== undefined && (() => this.#fields.setParent(current, parent)),
    ]) {
      if (write === false) continue;
      try {
        answered = await write();
      } catch (error) {
        if (!isInvalid(error)) throw error;
        refusals.push(error);
      }
    }
    if (refusals.length > 0) throw refusals[0];
    return this.#issues.afterWrite(answered, current);
  }

  /** A reason may need a change of state: https://docs.github.com/en/rest/issues/issues#update-an-issue */
  async transition(current: CanonicalIssue, status: CanonicalStatus): Promise<CanonicalIssue | null> {
    const { id } = current.ref;
    let changed = await this.#issues.change(id, stateOf(status));
    if (statusOf(changed.native) !== status && changed.native.state !== "open") {
      await this.#issues.change(id, stateOf("todo"));
      changed = await this.#issues.change(id, stateOf(status));
    }
    return this.#issues.afterWrite(changed, current);
  }

  async link(current: CanonicalIssue, link: CanonicalLink): Promise<CanonicalIssue | null> {
    return this.#afterLink(await this.#fields.addDependency(current, link), {
      ...current,
      links: [...current.links, link],
    });
  }

  async unlink(current: CanonicalIssue, link: CanonicalLink): Promise<CanonicalIssue | null> {
    return this.#afterLink(await this.#fields.removeDependency(current, link), {
      ...current,
      links: current.links.filter((known) => linkIdentity(known) !== linkIdentity(link)),
    });
  }

  /** Only the number of links shows a changed link. */
  async #afterLink(answered: ReadIssue | null, expected: CanonicalIssue): Promise<CanonicalIssue | null> {
    const isCounted = answered?.native.issue_dependencies_summary !== undefined;
    return isCounted ? this.#issues.afterWrite(answered, expected) : null;
  }

  comments(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    return this.#comments.list(id, place);
  }

  findComment(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    return this.#comments.find(id, idempotencyKey);
  }

  comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    return this.#comments.add(id, body, idempotencyKey);
  }

  /**
   * `since` is documented both as "at or after" and as "after", so the request is one second earlier:
   * https://docs.github.com/en/rest/issues/issues#list-repository-issues
   */
  async #changes({ since, next }: PageRequest): Promise<ProviderPage<ChangedIssue>> {
    const query = {
      state: "all",
      sort: "updated",
      direction: "asc",
      ...(since !== null && { since: secondOf(since, -1) }),
    };
    const path = this.#repository.path("issues");
    const { rows, next: after } = await this.#repository.request(() =>
      this.#rest.page(path, query, next ?? FIRST_PAGE, "issues"),
    );
    const changed = rows.map((row, index) => {
      const at = `issues.${index}`;
      const { number, updated_at, pull_request } = parsePayload(GITHUB, ChangedRow, row, at);
      return { id: String(number), updatedAt: updated_at, row, path: at, pull_request };
    });
    return {
      rows: changed.filter((change) => !change.pull_request),
      others: changed.filter((change) => change.pull_request),
      next: after,
    };
  }

  /** The latest changes. An issue that changes meanwhile can move another one to the next page again. */
  async #latest(limit: number): Promise<readonly CanonicalIssue[]> {
    const found = new Map<number, CanonicalIssue>();
    let looked = 0;
    for await (const { row, path } of this.#rows({ sort: "updated" })) {
      looked += 1;
      const issue = await this.#issues.fromRow(row, path);
      if (issue !== null && !found.has(issue.native.number)) {
        found.set(issue.native.number, this.#issues.withoutLinks(issue));
      }
      if (found.size === limit || looked === MAX_LATEST) break;
    }
    return [...found.values()];
  }

  /** The rows of an issue list, the greatest by `sort` first, as far as the caller reads. */
  async *#rows(query: { readonly sort: "created" | "updated"; readonly since?: string }) {
    const list = this.#repository.path("issues");
    const pages = this.#rest.pages(list, { ...query, state: "all", direction: "desc" }, "issues");
    for (;;) {
      const page = await this.#repository.request(() => pages.next());
      if (page.done === true) return;
      for (const [index, row] of page.value.entries()) yield { row, path: `issues.${index}` };
    }
  }
}

function isInvalid(error: unknown): boolean {
  return error instanceof TrackerSdkError && error.failureClass === "invalid";
}

/** The second of an instant plus an offset, as GitHub writes it: `2026-03-01T09:00:00Z`. */
function secondOf(instant: string, offset = 0): string {
  return new Date(Date.parse(instant) + offset * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
