import { Buffer } from "node:buffer";
import * as v from "valibot";
import { parseJson } from "../../shared/json.ts";
import { providerName } from "../../shared/providers.ts";
import { assertSupported, type Capabilities, type CapabilityFlag, NO_CAPABILITIES } from "../capabilities.ts";
import {
  type IssueQuery,
  type IssueSearch,
  mergedSets,
  type TrackerConnector,
  type UpdateOptions,
  type WriteOptions,
} from "../connector.ts";
import { parseArgument, SearchQuery, UpdatePatch } from "../connectors/shared/arguments.ts";
import { filledPatch } from "../engine/merge.ts";
import {
  CapabilityNotSupportedError,
  ConnectorRequestError,
  type FailureClass,
  IssueNotFoundError,
} from "../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  CanonicalLink,
  CanonicalStatus,
  canonicalJson,
  type ExternalRef,
  Instant,
  IssueFields,
  IssuePatch,
  identityOf,
  LinkType,
  NonEmpty,
  type Page,
  type TrackerEvent,
} from "../model.ts";
import { FaultQueue, isWrite, type MemoryFault, type MemoryMethod } from "./faults.ts";
import type { MemoryRemote, RemoteIssue } from "./remote.ts";

/** A phase of a request; at `after` it has its effect and no answer yet. */
export interface MemoryMoment {
  readonly method: MemoryMethod;
  readonly phase: "before" | "after";
}

export interface MemoryTrackerOptions {
  /** Several connectors may share one. */
  readonly remote: MemoryRemote;
  /** Capabilities to leave out. `delete` and `webhooks` never exist. */
  readonly without?: readonly CapabilityFlag[];
  /** Items per page when the request names no limit; 50 by default. */
  readonly pageSize?: number;
  /** `omitted`: issues carry no times of single fields' changes. */
  readonly fieldTimes?: "reported" | "omitted";
  /** Called before and after every request, which fails with the error that this throws. */
  readonly onRequest?: (moment: MemoryMoment) => void | Promise<void>;
}

const ALL: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  hierarchy: true,
  dependencies: true,
  customFields: true,
  multiAssignee: true,
  assignment: true,
  terminalTransition: true,
  bulkRead: true,
  conditionalWrites: true,
  priority: true,
  issueType: true,
  statuses: CanonicalStatus.options,
  linkTypes: LinkType.options,
};

const MemoryFilters = v.strictObject({
  status: v.exactOptional(v.array(CanonicalStatus)),
  labels: v.exactOptional(v.array(v.string())),
});

const MemoryListQuery = v.object({
  updatedSince: v.optional(Instant),
  until: v.optional(Instant),
  cursor: v.optional(v.string()),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))),
  filters: v.optional(MemoryFilters, {}),
});

const EventQuery = v.object({ since: v.optional(Instant), cursor: v.optional(v.string()) });

/** The position after which a listing continues. */
const Cursor = v.object({ question: v.string(), after: v.pipe(v.number(), v.integer(), v.minValue(-1)) });

/**
 * A connector to an in-memory tracker with a remote one's behavior: pages, windows, revisions, idempotency
 * keys, capabilities, and, on demand, the failures of a network and a busy provider.
 *
 * A cursor names the last change that was read, not a position: an issue that changes between two pages moves
 * behind the cursor and comes again, or leaves the window. Unchanged issues do not move, so none is skipped.
 *
 * Beyond {@link TrackerConnector}: `parent_of` and `child_of` links are independent of the field `parent`; a
 * repeated write under its key changes nothing; another write under a used key is refused as `invalid`,
 * except that a create returns the issue that its key made, or throws IssueNotFoundError when that was
 * deleted.
 */
export class MemoryTracker implements TrackerConnector {
  readonly provider: string;
  readonly workspace: string;
  readonly remote: MemoryRemote;
  readonly faults = new FaultQueue();
  readonly #capabilities: Capabilities;
  readonly #pageSize: number;
  readonly #fieldTimes: "reported" | "omitted";
  readonly #onRequest: MemoryTrackerOptions["onRequest"];
  #time: string | null = null;
  #requests: MemoryMethod[] = [];

  constructor({
    remote,
    without = [],
    pageSize = 50,
    fieldTimes = "reported",
    onRequest,
  }: MemoryTrackerOptions) {
    this.provider = remote.system;
    this.workspace = remote.workspace;
    this.remote = remote;
    this.#capabilities = { ...ALL, ...Object.fromEntries(without.map((name) => [name, false])) };
    this.#pageSize = pageSize;
    this.#fieldTimes = fieldTimes;
    this.#onRequest = onRequest;
  }

  /** The requests that reached the tracker, failed ones included. */
  get requests(): readonly MemoryMethod[] {
    return this.#requests;
  }

  get reads(): number {
    return this.#requests.length - this.writes;
  }

  get writes(): number {
    return this.#requests.filter(isWrite).length;
  }

  clearRequests(): void {
    this.#requests = [];
  }

  time(): string | null {
    return this.#time;
  }

  capabilities(): Capabilities {
    return this.#capabilities;
  }

  async listIssues(query: IssueQuery): Promise<Page<CanonicalIssue>> {
    const { cursor, limit, ...window } = this.#parse(MemoryListQuery, query, "query");
    const { updatedSince, until, filters } = window;
    const size = this.#capabilities.bulkRead ? (limit ?? this.#pageSize) : 1;
    const question = canonicalJson(window);
    const start = this.#position(question, cursor);
    return this.#request("listIssues", (fault) => {
      const { events } = this.remote;
      const items: CanonicalIssue[] = [];
      let last = start;
      let nextCursor: string | null = null;
      for (let change = start + 1; change < events.length; change++) {
        const event = events[change];
        if (event === undefined || (until !== undefined && event.occurredAt >= until)) break;
        const found = this.remote.find(event.ref.id);
        if (found?.change !== change || found.archived) continue;
        if (updatedSince !== undefined && event.occurredAt < updatedSince) continue;
        if (!passes(found.issue, filters)) continue;
        if (items.length === size) {
          nextCursor = memoryCursor(question, last);
          break;
        }
        items.push(this.#shown(found, fault));
        last = change;
      }
      if (fault?.kind === "duplicate_page") nextCursor = memoryCursor(question, start);
      return { items: fault?.kind === "reorder_page" ? items.reverse() : items, nextCursor };
    });
  }

  async getIssue(ref: ExternalRef): Promise<CanonicalIssue> {
    this.remote.assertScope(ref);
    return this.#request("getIssue", (fault) => this.#answer(ref, fault));
  }

  async findIssue(key: string): Promise<CanonicalIssue | null> {
    const wanted = this.#parse(NonEmpty, key, "key");
    return this.#request("getIssue", (fault) => {
      const found = this.remote.listed().find(({ issue }) => issue.ref.key === wanted);
      return found === undefined ? null : this.#shown(found, fault);
    });
  }

  async searchIssues(query: IssueSearch): Promise<readonly CanonicalIssue[]> {
    const { text = "", limit } = this.#parse(SearchQuery, query, "query");
    const words = text.toLowerCase().split(/\s+/);
    return this.#request("listIssues", (fault) =>
      this.remote
        .listed()
        .toSorted((a, b) => b.change - a.change)
        .filter(({ issue: { title, body } }) => {
          const content = `${title}\n${body ?? ""}`.toLowerCase();
          return words.every((word) => content.includes(word));
        })
        .slice(0, limit)
        .map((found) => this.#shown(found, fault)),
    );
  }

  async createIssue(fields: IssueFields, { idempotencyKey }: WriteOptions): Promise<CanonicalIssue> {
    const wanted = this.#parse(IssueFields, fields, "issue");
    const key = this.#receiptKey("createIssue", idempotencyKey);
    this.#assertReferences(wanted);
    assertSupported(this.provider, this.#capabilities, filledPatch(wanted));
    return this.#request("createIssue", (fault) => {
      const receipt = this.remote.receipts.get(key);
      if (receipt !== undefined) return this.#answer(this.#refOf(receipt.id));
      const { ref } = this.remote.add({ ...withoutLost(wanted, fault), title: wanted.title });
      this.remote.receipts.set(key, { content: "", id: ref.id });
      return this.#answer(ref);
    });
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const key = this.#receiptKey("createIssue", idempotencyKey);
    return this.#request("findCreated", () => {
      const receipt = this.remote.receipts.get(key);
      return receipt === undefined ? null : this.#answer(this.#refOf(receipt.id));
    });
  }

  async updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue> {
    const wanted = this.#parse(UpdatePatch, patch, "patch");
    const { expectedRevision } = options;
    this.remote.assertScope(ref);
    this.#assertReferences(wanted);
    assertSupported(this.provider, this.#capabilities, wanted);
    if (expectedRevision !== undefined)
      this.#need("conditionalWrites", "refuse an update of a changed issue");
    return this.#write("updateIssue", ref, wanted, options, (fault) => {
      const current = this.remote.issue(ref);
      if (expectedRevision !== undefined && current.revision !== expectedRevision) {
        throw this.#failure(
          "conflict",
          `Issue ${ref.id} is at revision ${current.revision}, not ${expectedRevision}.`,
        );
      }
      const sets = mergedSets(current, wanted, options.seen);
      this.remote.edit(ref, withoutLost({ ...wanted, ...sets }, fault));
    });
  }

  async transitionIssue(
    ref: ExternalRef,
    status: CanonicalStatus,
    options: WriteOptions,
  ): Promise<CanonicalIssue> {
    const wanted = this.#parse(CanonicalStatus, status, "status");
    this.remote.assertScope(ref);
    assertSupported(this.provider, this.#capabilities, { status: wanted });
    return this.#write("transitionIssue", ref, wanted, options, (fault) => {
      this.remote.edit(ref, withoutLost({ status: wanted }, fault));
    });
  }

  async upsertLink(ref: ExternalRef, link: CanonicalLink): Promise<CanonicalIssue> {
    const wanted = this.#linkToChange(ref, link);
    return this.#request("upsertLink", (fault) => {
      this.#answer(ref);
      if (!losesLinks(fault)) this.remote.link(ref, wanted);
      return this.#answer(ref);
    });
  }

  async removeLink(ref: ExternalRef, link: CanonicalLink): Promise<CanonicalIssue> {
    const unwanted = this.#linkToChange(ref, link);
    return this.#request("removeLink", (fault) => {
      this.#answer(ref);
      if (!losesLinks(fault)) this.remote.unlink(ref, unwanted);
      return this.#answer(ref);
    });
  }

  async addComment(
    ref: ExternalRef,
    body: string,
    { idempotencyKey }: WriteOptions,
  ): Promise<CanonicalComment> {
    const text = this.#parse(NonEmpty, body, "comment");
    const key = this.#receiptKey("addComment", idempotencyKey);
    this.remote.assertScope(ref);
    this.#need("comments", "comment");
    return this.#request("addComment", () => {
      const existingId = this.#receipt(key, ref, text);
      const comment = this.remote.comments(ref).find(({ id }) => id === existingId);
      if (comment !== undefined) return comment;
      const added = this.remote.comment(ref, text, "connector");
      this.remote.receipts.set(key, { content: contentOf(ref, text), id: added.id });
      return added;
    });
  }

  async listComments(ref: ExternalRef, cursor?: string): Promise<Page<CanonicalComment>> {
    this.remote.assertScope(ref);
    this.#need("comments", "list comments");
    const question = `comments ${identityOf(ref)}`;
    const start = this.#position(question, cursor);
    return this.#request("listComments", () => this.#page(this.remote.comments(ref), question, start));
  }

  async listEvents(query: {
    readonly since?: string;
    readonly cursor?: string;
  }): Promise<Page<TrackerEvent>> {
    const { since = "", cursor } = this.#parse(EventQuery, query, "query");
    const question = `events ${since}`;
    const start = this.#position(question, cursor);
    return this.#request("listEvents", () => {
      const { events } = this.remote;
      const first = events.findIndex(({ occurredAt }) => occurredAt >= since);
      const before = first === -1 ? events.length - 1 : first - 1;
      return structuredClone(this.#page(events, question, Math.max(start, before)));
    });
  }

  /** Makes a request: counts it and applies the next fault to it. */
  async #request<T>(method: MemoryMethod, work: (fault: MemoryFault | null) => T): Promise<T> {
    this.#requests.push(method);
    const fault = this.faults.take(method);
    await this.#onRequest?.({ method, phase: "before" });
    if (fault?.kind === "fail") {
      const { failureClass = "transient", retryAfterSeconds = null } = fault;
      throw this.#failure(failureClass, `${method} failed (${failureClass}).`, retryAfterSeconds);
    }
    if (fault?.kind === "rate_limited") {
      throw this.#failure("rate_limited", `${method} came too soon.`, fault.retryAfterSeconds);
    }
    const answer = work(fault);
    this.#time = this.remote.time;
    await this.#onRequest?.({ method, phase: "after" });
    if (fault?.kind === "lost_response") {
      throw this.#failure("transient", `The answer to ${method} was lost.`);
    }
    return answer;
  }

  async #write(
    method: "updateIssue" | "transitionIssue",
    ref: ExternalRef,
    content: unknown,
    { idempotencyKey }: WriteOptions,
    change: (fault: MemoryFault | null) => void,
  ): Promise<CanonicalIssue> {
    const key = this.#receiptKey(method, idempotencyKey);
    return this.#request(method, (fault) => {
      if (this.#receipt(key, ref, content) === null) {
        change(fault);
        this.remote.receipts.set(key, { content: contentOf(ref, content), id: ref.id });
      }
      return this.#answer(ref);
    });
  }

  #receiptKey(method: MemoryMethod, idempotencyKey: string): string {
    return `${method} ${this.#parse(NonEmpty, idempotencyKey, "idempotencyKey")}`;
  }

  /** The id that this write left; null when it was not done. */
  #receipt(key: string, ref: ExternalRef, content: unknown): string | null {
    const receipt = this.remote.receipts.get(key);
    if (receipt === undefined) return null;
    if (receipt.content === contentOf(ref, content)) return receipt.id;
    throw this.#failure("invalid", "The idempotency key belongs to another write.");
  }

  #answer(ref: ExternalRef, fault: MemoryFault | null = null): CanonicalIssue {
    const found = this.remote.find(ref.id);
    if (found === null) throw new IssueNotFoundError(this.provider, ref.id);
    return this.#shown(found, fault);
  }

  #shown(found: RemoteIssue, fault: MemoryFault | null): CanonicalIssue {
    const issue = structuredClone(
      fault?.kind === "stale" && found.before !== null ? found.before : found.issue,
    );
    if (this.#fieldTimes === "omitted") delete issue.fieldTimes;
    return issue;
  }

  #refOf(id: string): ExternalRef {
    return { system: this.provider, workspace: this.workspace, id };
  }

  #linkToChange(ref: ExternalRef, link: CanonicalLink): CanonicalLink {
    const parsed = this.#parse(CanonicalLink, link, "link");
    this.remote.assertScope(ref);
    this.#assertReferences({ links: [parsed] });
    assertSupported(this.provider, this.#capabilities, { links: [parsed] });
    return parsed;
  }

  #assertReferences({ parent, links = [] }: IssuePatch): void {
    for (const ref of [...(parent ? [parent] : []), ...links.map(({ target }) => target)]) {
      this.remote.assertScope(ref);
    }
  }

  #need(capability: CapabilityFlag, doing: string): void {
    if (this.#capabilities[capability]) return;
    throw new CapabilityNotSupportedError(
      this.provider,
      capability,
      `${providerName(this.provider)} cannot ${doing}.`,
    );
  }

  #page<T>(all: readonly T[], question: string, start: number): Page<T> {
    const end = start + 1 + this.#pageSize;
    return {
      items: all.slice(start + 1, end),
      nextCursor: end < all.length ? memoryCursor(question, end - 1) : null,
    };
  }

  /** The place of a cursor; the start without one. */
  #position(question: string, cursor: string | undefined): number {
    if (cursor === undefined) return -1;
    try {
      const read = v.parse(Cursor, parseJson(Buffer.from(cursor, "base64url").toString()));
      if (read.question === question) return read.after;
    } catch (cause) {
      throw this.#failure("invalid", "The cursor is not one of this tracker's.", null, cause);
    }
    throw this.#failure("invalid", "The cursor belongs to another listing.");
  }

  #parse<S extends v.GenericSchema>(schema: S, value: unknown, name: string): v.InferOutput<S> {
    return parseArgument(this.provider, schema, value, name);
  }

  #failure(
    failureClass: FailureClass,
    message: string,
    retryAfterSeconds: number | null = null,
    cause?: unknown,
  ): ConnectorRequestError {
    return new ConnectorRequestError(message, {
      provider: this.provider,
      failureClass,
      retryAfterSeconds,
      cause,
    });
  }
}

function passes(
  issue: CanonicalIssue,
  { status, labels = [] }: v.InferOutput<typeof MemoryFilters>,
): boolean {
  return (
    (status === undefined || status.includes(issue.status)) &&
    labels.every((label) => issue.labels.includes(label))
  );
}

function memoryCursor(question: string, after: number): string {
  return Buffer.from(JSON.stringify({ question, after })).toString("base64url");
}

function contentOf(ref: ExternalRef, content: unknown): string {
  return canonicalJson([identityOf(ref), content]);
}

function losesLinks(fault: MemoryFault | null): boolean {
  return fault?.kind === "drop_fields" && fault.fields.includes("links");
}

/** The part of a write that a fault does not lose. */
function withoutLost(patch: IssuePatch, fault: MemoryFault | null): IssuePatch {
  if (fault?.kind !== "drop_fields") return patch;
  const kept = Object.entries(patch).filter(([field]) => !fault.fields.some((lost) => lost === field));
  return v.parse(IssuePatch, Object.fromEntries(kept));
}
