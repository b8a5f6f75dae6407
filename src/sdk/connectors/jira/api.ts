/** Jira Cloud's REST API, version 3: https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/ */

import * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import { type Capabilities, NO_CAPABILITIES } from "../../capabilities.ts";
import {
  CapabilityNotSupportedError,
  ConnectorRequestError,
  IssueNotFoundError,
  nullIfNotFound,
} from "../../errors.ts";
import type { Transport } from "../../http/transport.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  CanonicalStatus,
  type IssueFields,
  type IssuePatch,
  type JsonValue,
  NonEmpty,
} from "../../model.ts";
import type { JiraParams } from "../params.ts";
import { parsePayload } from "../shared/arguments.ts";
import { parsePlace } from "../shared/cursor.ts";
import type { ApiPage, ChangeQuery, ProviderApi } from "../shared/provider-connector.ts";
import { documentOf, markdownOf } from "./adf-markdown.ts";
import { IssueComments } from "./comments.ts";
import { creationProperty, findCreatedId } from "./creation.ts";
import { customFieldsOf, writtenCustomFields } from "./custom-fields.ts";
import {
  canonicalIssue,
  ISSUE_FIELDS,
  IssueLocation,
  linkOf,
  NativeIssue,
  NativeStatus,
  type ReadingContext,
} from "./map.ts";
import { isNamed, meaningOfStatus } from "./names.ts";
import { JiraProject } from "./project.ts";
import { isMissing, isRefused, JIRA, JiraRest } from "./rest.ts";
import { PAGE_SIZE, wordsInJql } from "./search.ts";

const CAPABILITIES: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  hierarchy: true,
  dependencies: true,
  assignment: true,
  terminalTransition: true,
  bulkRead: true,
  priority: true,
  issueType: true,
  statuses: CanonicalStatus.options,
  linkTypes: ["blocks", "blocked_by", "relates_to", "duplicates"],
};

const MINUTE = 60_000;

const Created = v.object({ id: NonEmpty });
const Transition = v.object({ id: NonEmpty, name: v.string(), to: NativeStatus });
type Transition = v.InferOutput<typeof Transition>;
const Transitions = v.object({ transitions: v.array(Transition) });
/** An issue with its transitions, where Jira sends them. */
const WithTransitions = v.looseObject({ transitions: v.fallback(v.array(Transition), []) });
const Token = v.nullable(NonEmpty);

export class JiraApi implements ProviderApi {
  readonly provider = JIRA;
  readonly workspace: string;
  readonly capabilities: Capabilities;
  readonly #rest: JiraRest;
  readonly #project: JiraProject;
  readonly #comments: IssueComments;
  readonly #reading: ReadingContext;
  /** The transitions that were read with an issue, by its payload. */
  readonly #transitionsOf = new WeakMap<object, readonly Transition[]>();
  readonly #fields: readonly string[];
  readonly #defaultIssueType: string | null;

  constructor(params: JiraParams, transport: Transport) {
    const { baseUrl, cloudId = null, projectId = null, projectKey = null } = params;
    const customFields = customFieldsOf(params);
    this.#rest = new JiraRest(transport, cloudId);
    this.#project = new JiraProject(this.#rest, { projectId, projectKey });
    this.#comments = new IssueComments(this.#rest);
    this.#defaultIssueType = params.defaultIssueType ?? null;
    this.#fields = [...ISSUE_FIELDS, ...customFields.map(({ id }) => id)];
    this.workspace = this.#project.name;
    this.capabilities = {
      ...CAPABILITIES,
      customFields: customFields.length > 0,
      customFieldNames: customFields.map(({ name }) => name),
    };
    this.#reading = {
      workspace: this.workspace,
      siteUrl: baseUrl.replace(/\/+$/, ""),
      statusNames: params.statusNameMap ?? {},
      customFields,
    };
  }

  /** Jira keeps a body's meaning and not its Markdown: `* a` and `- a` are one list. */
  storedBody(body: string): string | null {
    return markdownOf(documentOf(body)) || null;
  }

  /**
   * Uses Jira's page tokens. They mark a place in the order and not a count, so pages do not drift: a changed
   * issue moves past the end of the window. Pages are not requested from the last instant seen, because an
   * issue that changed after it was indexed is at its old place with its new instant.
   *
   * JQL takes whole minutes and its comparison is undocumented, so issues outside of the window are dropped
   * here.
   */
  async listChanges({ since, until, limit, place }: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    const from = since === null ? null : Math.floor(Date.parse(since) / MINUTE) * MINUTE;
    const to = until === null ? null : Math.ceil(Date.parse(until) / MINUTE) * MINUTE;
    const jql = [
      this.#project.jql,
      ...(from === null ? [] : [`updated >= ${from}`]),
      ...(to === null ? [] : [`updated < ${to}`]),
    ].join(" AND ");
    let token = parsePlace(JIRA, Token, place);
    for (;;) {
      const page = await this.#changes(
        `${jql} ORDER BY updated ASC, key ASC`,
        Math.min(limit, PAGE_SIZE),
        token,
      );
      const items = page.items.filter(
        ({ updatedAt }) => (since === null || updatedAt >= since) && (until === null || updatedAt < until),
      );
      if (items.length > 0 || page.next === null) {
        if (token === null && page.isEmpty) await this.#project.confirm();
        return { items, next: page.next };
      }
      token = page.next;
    }
  }

  /** Reads the transitions too, which saves a request when a status is written next. */
  async get(id: string): Promise<CanonicalIssue> {
    const query = { fields: this.#fields.join(","), expand: "transitions" };
    const { transitions, ...raw } = await this.#missingIsNotFound(id, () =>
      this.#rest.get(WithTransitions, "issue", pathOf(id), query),
    );
    const native = parsePayload(JIRA, NativeIssue, raw, "issue");
    // A moved issue is still found by its id and its old key.
    if (native.fields.project.id !== (await this.#project.id())) throw new IssueNotFoundError(JIRA, id);
    this.#transitionsOf.set(raw, transitions);
    return canonicalIssue(native, raw, this.#reading);
  }

  /** Accepts `PAY-7`, an id, and an issue's address on this site. */
  async find(key: string): Promise<CanonicalIssue | null> {
    const address = `${this.#reading.siteUrl}/browse/`;
    const isAddress = key.toLowerCase().startsWith(address.toLowerCase());
    const name = isAddress ? key.slice(address.length).replace(/[/?#].*$/, "") : key;
    if (!/^([a-z][a-z0-9_]*-)?\d+$/i.test(name)) return null;
    return nullIfNotFound(this.get(name.toUpperCase()));
  }

  async search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    const words = text === null ? null : wordsInJql(text);
    if (text !== null && words === null) return [];
    const condition = words === null ? "" : ` AND text ~ ${words}`;
    const jql = `${this.#project.jql}${condition} ORDER BY updated DESC, key DESC`;
    const found: CanonicalIssue[] = [];
    let token: string | null = null;
    do {
      const page: ChangePage = await this.#search({ jql, maxResults: limit, token });
      found.push(...page.items);
      token = page.next;
    } while (token !== null && found.length < limit);
    return found.slice(0, limit);
  }

  async create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue> {
    const { title, body, issueType, priority, assignees, labels, parent, customFields } = fields;
    const [assignee] = assignees;
    const json = {
      fields: {
        project: { id: await this.#project.id() },
        summary: title,
        issuetype: await this.#project.typeFor(issueType, this.#defaultIssueType),
        ...(body !== null && body.trim() !== "" && { description: documentOf(body) }),
        ...(priority !== null && { priority: await this.#project.priorityFor(priority) }),
        ...(assignee !== undefined && { assignee: { id: assignee } }),
        ...(labels.length > 0 && { labels: withoutSpaces(labels) }),
        ...(parent !== null && { parent: { id: parent.id } }),
        ...writtenCustomFields(this.#reading.customFields, {}, customFields),
      },
      properties: [creationProperty(idempotencyKey)],
    };
    return this.get((await this.#rest.send(Created, "issue", "POST", "/rest/api/3/issue", { json })).id);
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const id = await findCreatedId(this.#project, idempotencyKey);
    return id === null ? null : this.get(id);
  }

  async update(current: CanonicalIssue, patch: IssuePatch): Promise<null> {
    const { title, body, issueType, priority, assignees, labels, parent, customFields } = patch;
    const fields = {
      ...(title !== undefined && { summary: title }),
      ...(body !== undefined && { description: this.#descriptionOf(current, body) }),
      ...(issueType !== undefined && { issuetype: await this.#project.typeFor(issueType, null) }),
      ...(priority !== undefined && {
        priority: priority === null ? null : await this.#project.priorityFor(priority),
      }),
      ...(assignees !== undefined && { assignee: assignees[0] === undefined ? null : { id: assignees[0] } }),
      ...(parent && { parent: { id: parent.id } }),
      ...(customFields !== undefined &&
        writtenCustomFields(this.#reading.customFields, current.customFields, customFields)),
    };
    const update = {
      ...(labels !== undefined && { labels: labelChanges(current.labels, labels) }),
      ...(parent === null && { parent: [{ set: { none: true } }] }),
    };
    const json = { fields, update };
    await this.#rest.send(v.unknown(), "issue", "PUT", pathOf(current.ref.id), { json });
    return null;
  }

  /** Transitions depend on the current status; outdated ones are read again when none fits or one is refused. */
  async transition(current: CanonicalIssue, status: CanonicalStatus): Promise<null> {
    const fromIssue = this.#fitting(this.#transitionsOf.get(Object(current.raw)) ?? [], status);
    if (fromIssue !== null) {
      try {
        return await this.#move(current, fromIssue);
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    }
    const path = `${pathOf(current.ref.id)}/transitions`;
    const { transitions } = await this.#rest.get(Transitions, "issue", path);
    const chosen = this.#fitting(transitions, status);
    if (chosen !== null) return this.#move(current, chosen);
    const { statusNames } = this.#reading;
    const names = transitions.map(
      ({ name, to }) =>
        `"${name}" to "${to.name}" (${meaningOfStatus(to, statusNames) ?? to.statusCategory.key})`,
    );
    const message = `${current.ref.key} has no transition to ${status} from its current status, only: ${names.join(", ") || "none"}.`;
    throw new CapabilityNotSupportedError(JIRA, "statuses", message);
  }

  #fitting(offered: readonly Transition[], status: CanonicalStatus): Transition | null {
    const { statusNames } = this.#reading;
    const fitting = offered.filter(({ to }) => meaningOfStatus(to, statusNames) === status);
    return (
      fitting.find(({ to }) => isNamed(statusNames[status], to.name)) ??
      fitting.find(({ to }) => isNamed(status.replaceAll("_", " "), to.name)) ??
      fitting.find(({ name }) => isNamed(status.replaceAll("_", " "), name)) ??
      fitting[0] ??
      null
    );
  }

  async #move({ ref }: CanonicalIssue, { id }: Transition): Promise<null> {
    const json = { transition: { id } };
    await this.#rest.send(v.unknown(), "issue", "POST", `${pathOf(ref.id)}/transitions`, { json });
    return null;
  }

  /** The inward issue is the one that shows the outward text. */
  async link({ ref }: CanonicalIssue, { type, target }: CanonicalLink): Promise<null> {
    const { id, end } = await this.#project.linkTypeFor(type);
    const [from, to] = end === "outward" ? [ref, target] : [target, ref];
    const json = { type: { id }, inwardIssue: { id: from.id }, outwardIssue: { id: to.id } };
    await this.#rest.send(v.unknown(), "issueLink", "POST", "/rest/api/3/issueLink", { json });
    return null;
  }

  async unlink(current: CanonicalIssue, { type, target }: CanonicalLink): Promise<null> {
    const { fields } = parsePayload(JIRA, NativeIssue, current.raw, "issue");
    for (const native of fields.issuelinks ?? []) {
      const link = linkOf(native);
      if (link?.type !== type || link.other.id !== target.id) continue;
      const path = `/rest/api/3/issueLink/${encodeURIComponent(native.id)}`;
      await this.#rest.send(v.unknown(), "issueLink", "DELETE", path);
    }
    return null;
  }

  async comments(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    if (place === null) await this.#assertInProject(id);
    return this.#comments.list(id, place);
  }

  async findComment(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    await this.#assertInProject(id);
    return this.#comments.find(id, idempotencyKey);
  }

  async comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    return this.#missingIsNotFound(id, () => this.#comments.add(id, body, idempotencyKey));
  }

  /** Jira's tokens expire after a week; the window is then read from its start. */
  async #changes(jql: string, maxResults: number, token: string | null): Promise<ChangePage> {
    try {
      return await this.#search({ jql, maxResults, token });
    } catch (error) {
      if (token === null || !isRefused(error)) throw error;
      return this.#search({ jql, maxResults, token: null });
    }
  }

  async #search(request: { jql: string; maxResults: number; token: string | null }): Promise<ChangePage> {
    const page = await this.#project.search({ ...request, fields: this.#fields });
    const projectId = await this.#project.id();
    const items = page.issues.flatMap((raw, index) => {
      const issue = parsePayload(JIRA, NativeIssue, raw, `search.issues.${index}`);
      // The index may still list issues that were moved to another project.
      return issue.fields.project.id === projectId ? [canonicalIssue(issue, raw, this.#reading)] : [];
    });
    return { items, next: page.next, isEmpty: page.issues.length === 0 };
  }

  /** Comments do not name their issue's project. */
  async #assertInProject(id: string): Promise<void> {
    const { fields } = await this.#missingIsNotFound(id, () =>
      this.#rest.get(IssueLocation, "issue", pathOf(id), { fields: "project" }),
    );
    if (fields.project.id !== (await this.#project.id())) throw new IssueNotFoundError(JIRA, id);
  }

  async #missingIsNotFound<T>(id: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.#project.confirm();
      throw new IssueNotFoundError(JIRA, id);
    }
  }

  /** Keeps what Markdown cannot express in the unchanged parts of the document. */
  #descriptionOf({ raw }: CanonicalIssue, body: string | null): unknown {
    if (body === null || body.trim() === "") return null;
    const { fields } = parsePayload(JIRA, NativeIssue, raw, "issue");
    return documentOf(body, fields.description ?? null);
  }
}

interface ChangePage {
  readonly items: readonly CanonicalIssue[];
  readonly next: string | null;
  readonly isEmpty: boolean;
}

function pathOf(id: string): string {
  return `/rest/api/3/issue/${encodeURIComponent(id)}`;
}

function labelChanges(before: readonly string[], after: readonly string[]): readonly object[] {
  const [had, wants] = [new Set(before), new Set(after)];
  return [
    ...withoutSpaces([...wants.difference(had)]).map((add) => ({ add })),
    ...[...had.difference(wants)].map((remove) => ({ remove })),
  ];
}

function withoutSpaces(labels: readonly string[]): readonly string[] {
  const unfit = labels.find((label) => /\s/.test(label));
  if (unfit !== undefined)
    throw invalid(`labels: ${providerName(JIRA)} labels cannot contain spaces: "${unfit}".`);
  return labels;
}

function invalid(message: string): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider: JIRA, failureClass: "invalid" });
}
