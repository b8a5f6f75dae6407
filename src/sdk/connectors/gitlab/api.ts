/**
 * The issues of one GitLab project, over the REST API, version 4: https://docs.gitlab.com/api/issues/
 *
 * Paths name the project by its number, which survives renames and moves. An issue that was moved to another
 * project stays here, closed; its copy belongs to the other project.
 */

import * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import { type Capabilities, NO_CAPABILITIES } from "../../capabilities.ts";
import { IssueNotFoundError, IssuePayloadContractError, nullIfNotFound } from "../../errors.ts";
import type { Transport, TransportRequest } from "../../http/transport.ts";
import type {
  CanonicalComment,
  CanonicalIssue,
  CanonicalLink,
  CanonicalStatus,
  IssueFields,
  IssuePatch,
  JsonValue,
} from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { earliestUse, markOf, readMark, withMark } from "../shared/marker.ts";
import type { ApiPage, ChangeQuery, ProviderApi } from "../shared/provider-connector.ts";
import { type ProviderPage, readWindow } from "../shared/window.ts";
import { IssueLinks } from "./links.ts";
import {
  canonicalIssue,
  displacedLabels,
  NativeId,
  NativeIssue,
  parseIssueKey,
  readIssue,
  setChanges,
} from "./map.ts";
import { IssueNotes } from "./notes.ts";
import { GitLabProject } from "./project.ts";
import { assertTextSaved, GITLAB, invalid, PAGE_SIZE, send } from "./requests.ts";

/** Links cost a request per issue; so many are read at a time. */
const PARALLEL_READS = 8;

/** The fields of `map.ts`; all others are refused. */
const CAPABILITIES: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  dependencies: true,
  multiAssignee: true,
  assignment: true,
  terminalTransition: true,
  bulkRead: true,
  statuses: ["todo", "done"],
  linkTypes: ["blocks", "blocked_by", "relates_to"],
};

const Users = v.array(v.object({ id: NativeId, username: v.string() }));

export class GitLabApi implements ProviderApi {
  readonly provider = GITLAB;
  readonly workspace: string;
  readonly capabilities = CAPABILITIES;
  readonly #transport: Transport;
  readonly #project: GitLabProject;
  readonly #links: IssueLinks;
  readonly #notes: IssueNotes;

  constructor(projectId: string, transport: Transport) {
    this.workspace = projectId;
    this.#transport = transport;
    this.#project = new GitLabProject(projectId, transport);
    this.#links = new IssueLinks(this.#project);
    this.#notes = new IssueNotes(this.#project);
  }

  async listChanges({ since, until, limit, place }: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    const { rows, next } = await readWindow({ provider: GITLAB, since, until, limit, place }, (request) =>
      this.#readChanges(request.since, until, request.next === null ? 1 : Number(request.next)),
    );
    return { items: await this.#withLinks(rows.map(({ issue }) => issue)), next };
  }

  async get(id: string, links: readonly CanonicalLink[] | null = null): Promise<CanonicalIssue> {
    const issue = readIssue((await this.#project.sendToIssue(id)).body);
    if (String(issue.project_id) !== this.workspace) throw new IssueNotFoundError(GITLAB, id);
    return canonicalIssue(issue, links ?? (await this.#links.read(id)));
  }

  /** Accepts `#7`, `7`, `group/project#7` and the addresses of this project's issues. */
  async find(key: string): Promise<CanonicalIssue | null> {
    const named = parseIssueKey(key);
    if (named === null) return null;
    if (named.project !== null) {
      const { path_with_namespace, web_url } = await this.#project.read();
      const own = [path_with_namespace, web_url].map((name) => name.toLowerCase());
      if (!own.includes(named.project.toLowerCase())) return null;
    }
    return nullIfNotFound(this.get(named.id));
  }

  async search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    const issues = await this.#readIssues({
      ...(text !== null && { search: text, in: "title,description" }),
      order_by: "updated_at",
      sort: "desc",
      per_page: limit,
    });
    return issues.map((issue) => canonicalIssue(issue, []));
  }

  async create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue> {
    const { title, body, labels, assignees } = fields;
    const description = withMark(body, markOf(idempotencyKey));
    const { body: answer } = await this.#project.send({
      method: "POST",
      path: "/issues",
      json: {
        title,
        description,
        ...(labels.length > 0 && { labels: labelList(labels) }),
        ...(assignees.length > 0 && { assignee_ids: await this.#userIds(assignees) }),
      },
    });
    const created = readIssue(answer);
    assertTextSaved("body", description, created.description);
    assertScopes(labels, created.labels);
    return canonicalIssue(created, []);
  }

  /** Oldest first, because a copy of an issue has its mark too. Searching HTML comments is undocumented. */
  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const mark = markOf(idempotencyKey);
    const since = earliestUse(idempotencyKey);
    for (let page = 1; ; page += 1) {
      const issues = await this.#readIssues({
        order_by: "created_at",
        sort: "asc",
        per_page: PAGE_SIZE,
        page,
        ...(since !== null && { created_after: since }),
      });
      const found = issues.find(({ description }) => readMark(description ?? "").mark === mark);
      if (found !== undefined) return canonicalIssue(found, await this.#links.read(String(found.iid)));
      if (issues.length < PAGE_SIZE) return null;
    }
  }

  /** The API takes changes of labels, but assignees as a whole. */
  async update(current: CanonicalIssue, patch: IssuePatch): Promise<CanonicalIssue> {
    const { title, body, labels, assignees } = patch;
    const { added, removed } = setChanges(current.labels, labels ?? current.labels);
    const kept = await this.#change(current.ref.id, {
      ...(title !== undefined && { title }),
      ...(body !== undefined && { description: body }),
      ...(added.length > 0 && { add_labels: labelList(added) }),
      ...(removed.length > 0 && { remove_labels: labelList(removed) }),
      ...(assignees !== undefined && { assignee_ids: await this.#assigneeIds(current, assignees) }),
    });
    if (body !== undefined) assertTextSaved("body", body, kept.description);
    assertScopes(added, kept.labels);
    return canonicalIssue(kept, current.links);
  }

  async transition({ ref, links }: CanonicalIssue, status: CanonicalStatus): Promise<CanonicalIssue> {
    const state_event = status === "done" ? "close" : "reopen";
    return canonicalIssue(await this.#change(ref.id, { state_event }), links);
  }

  async link({ ref }: CanonicalIssue, link: CanonicalLink): Promise<null> {
    await this.#links.add(ref.id, link);
    return null;
  }

  async unlink({ ref }: CanonicalIssue, link: CanonicalLink): Promise<null> {
    await this.#links.remove(ref.id, link);
    return null;
  }

  comments(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    return this.#notes.list(id, place);
  }

  findComment(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    return this.#notes.find(id, idempotencyKey);
  }

  comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    return this.#notes.add(id, body, idempotencyKey);
  }

  /** The answer shows all of the issue but its links, which no such change affects. */
  async #change(id: string, json: Readonly<Record<string, unknown>>): Promise<NativeIssue> {
    return readIssue((await this.#project.sendToIssue(id, { method: "PUT", json })).body);
  }

  /** The issues with their links, without those deleted meanwhile. */
  async #withLinks(issues: readonly NativeIssue[]): Promise<readonly CanonicalIssue[]> {
    const complete: CanonicalIssue[] = [];
    for (let start = 0; start < issues.length; start += PARALLEL_READS) {
      const some = issues.slice(start, start + PARALLEL_READS).map(async (issue) => {
        const links = await nullIfNotFound(this.#links.read(String(issue.iid)));
        return links === null ? [] : [canonicalIssue(issue, links)];
      });
      complete.push(...(await Promise.all(some)).flat());
    }
    return complete;
  }

  /** Both limits are inclusive. Cursors, from GitLab 18.3 on, come in a header that proxies drop. */
  async #readChanges(
    since: string | null,
    until: string | null,
    page: number,
  ): Promise<ProviderPage<{ id: string; updatedAt: string; issue: NativeIssue }>> {
    const issues = await this.#readIssues({
      order_by: "updated_at",
      sort: "asc",
      per_page: PAGE_SIZE,
      page,
      ...(since !== null && { updated_after: since }),
      ...(until !== null && { updated_before: until }),
    });
    return {
      rows: issues.map((issue) => ({ id: String(issue.iid), updatedAt: issue.updated_at, issue })),
      next: issues.length < PAGE_SIZE ? null : String(page + 1),
    };
  }

  async #readIssues(query: NonNullable<TransportRequest["query"]>): Promise<readonly NativeIssue[]> {
    const { body } = await this.#project.send({
      path: "/issues",
      query: { scope: "all", state: "all", ...query },
    });
    const issues = parsePayload(GITLAB, v.array(NativeIssue), body, "issues");
    const foreign = issues.findIndex(({ project_id }) => String(project_id) !== this.workspace);
    if (foreign === -1) return issues;
    throw new IssuePayloadContractError(GITLAB, `issues.${foreign}.project_id`, "is another project's");
  }

  /** GitLab replaces all assignees: reading them right before keeps other clients' additions. `[0]` is no user. */
  async #assigneeIds(current: CanonicalIssue, names: readonly string[]): Promise<readonly number[]> {
    const { added, removed } = setChanges(current.assignees, names);
    const addedIds = await this.#userIds(added);
    const { assignees } = readIssue((await this.#project.sendToIssue(current.ref.id)).body);
    const kept = assignees.filter(({ username }) => !removed.includes(username)).map(({ id }) => id);
    const ids = [...new Set([...kept, ...addedIds])];
    return ids.length === 0 ? [0] : ids;
  }

  async #userIds(usernames: readonly string[]): Promise<readonly number[]> {
    const ids: number[] = [];
    for (const username of usernames) {
      const { body } = await send(this.#transport, {
        method: "GET",
        path: "/api/v4/users",
        query: { username },
      });
      const found = parsePayload(GITLAB, Users, body, "users").find((user) => user.username === username);
      if (found === undefined)
        throw invalid(`${providerName(GITLAB)} has no user with the username ${username}.`);
      ids.push(found.id);
    }
    return ids;
  }
}

function labelList(labels: readonly string[]): string {
  const unfit = labels.find((label) => label.includes(","));
  if (unfit !== undefined) throw invalid(`${providerName(GITLAB)} labels cannot contain commas: ${unfit}`);
  return labels.join(",");
}

/** A label may replace another one of its scope; two new ones of a scope cannot both stay. */
function assertScopes(added: readonly string[], kept: readonly string[]): void {
  const displaced = displacedLabels(added, kept);
  if (displaced.length === 0) return;
  throw invalid(`${providerName(GITLAB)} allows one label per scope and would drop ${displaced.join(", ")}.`);
}
