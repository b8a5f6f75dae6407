/**
 * A connector to one resource, on top of a provider's {@link ProviderApi}. It keeps every connector's
 * promises in one place: arguments are parsed, foreign references and unsupported values are refused before
 * any request, a write that changes nothing is not sent, and values that a provider did not save are
 * reported.
 */

import type * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import { assertSupported, type Capabilities } from "../../capabilities.ts";
import {
  type ChangeOptions,
  type CreateOptions,
  type IssueQuery,
  type IssueSearch,
  mergedSets,
  type ReadOptions,
  storedBodyOf,
  type TrackerConnector,
  type UpdateOptions,
  type WriteOptions,
} from "../../connector.ts";
import { filledPatch, linkIdentity, sameField, sendablePatch } from "../../engine/merge.ts";
import { CapabilityNotSupportedError, ConnectorRequestError, notApplied } from "../../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  CanonicalLink,
  CanonicalStatus,
  CORE_FIELDS,
  type CoreField,
  canonicalJson,
  type ExternalRef,
  IssueFields,
  type IssuePatch,
  type JsonValue,
  type Page,
  type TrackerEvent,
} from "../../model.ts";
import {
  assertScope,
  ListQuery,
  parseArgument,
  ReadableText,
  SearchQuery,
  UpdatePatch,
} from "./arguments.ts";
import { cursorText, readCursor } from "./cursor.ts";
import type { TimedTransport } from "./timed-transport.ts";

/** A part of a listing and the place of the next part; null on the last one. */
export interface ApiPage<T> {
  readonly items: readonly T[];
  readonly next: JsonValue | null;
}

export interface ChangeQuery {
  /** Inclusive; null for the first change. */
  readonly since: string | null;
  /** Exclusive; null for no end. */
  readonly until: string | null;
  /** 1 to 1000. */
  readonly limit: number;
  /** `next` of the page before; null for the first. */
  readonly place: JsonValue;
}

/** Arguments are valid and supported when they get here; every method throws like TrackerConnector's. */
export interface ProviderApi {
  readonly provider: string;
  readonly workspace: string;
  readonly capabilities: Capabilities;
  storedBody?(body: string): string | null;
  /** See {@link TrackerConnector.rewritesBodies}. */
  readonly rewritesBodies?: boolean;
  listChanges(query: ChangeQuery): Promise<ApiPage<CanonicalIssue>>;
  /**
   * @param links Links as last known, for a caller that needs none; null to read them
   * @throws IssueNotFoundError only when the resource certainly exists without the issue
   */
  get(id: string, links: readonly CanonicalLink[] | null): Promise<CanonicalIssue>;
  find(key: string): Promise<CanonicalIssue | null>;
  search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]>;
  /** Creates the issue with as many fields as one request takes; the other methods write the rest. */
  create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue>;
  findCreated(idempotencyKey: string): Promise<CanonicalIssue | null>;
  /** `patch` differs from `current`. This and the three below return null where the answer lacks the issue. */
  update(current: CanonicalIssue, patch: IssuePatch): Promise<CanonicalIssue | null>;
  /** @throws CapabilityNotSupportedError listing the resource's statuses when it lacks this one */
  transition(current: CanonicalIssue, status: CanonicalStatus): Promise<CanonicalIssue | null>;
  link(current: CanonicalIssue, link: CanonicalLink): Promise<CanonicalIssue | null>;
  unlink(current: CanonicalIssue, link: CanonicalLink): Promise<CanonicalIssue | null>;
  comments(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>>;
  /**
   * The comment that this key added; null when there is none.
   *
   * @throws IssueNotFoundError when the issue does not exist
   */
  findComment(id: string, idempotencyKey: string): Promise<CanonicalComment | null>;
  comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment>;
}

/** The connector over a provider's API. */
export class ProviderConnector implements TrackerConnector {
  readonly provider: string;
  readonly workspace: string;
  readonly rewritesBodies: boolean;
  readonly #api: ProviderApi;
  readonly #transport: TimedTransport | null;
  #lastWrite: Promise<unknown> = Promise.resolve();

  /** @param transport The API's transport, where its answers carry the time */
  constructor(api: ProviderApi, transport: TimedTransport | null = null) {
    this.provider = api.provider;
    this.workspace = api.workspace;
    this.rewritesBodies = api.rewritesBodies ?? false;
    this.#api = api;
    this.#transport = transport;
  }

  time(): string | null {
    return this.#transport?.time ?? null;
  }

  capabilities(): Capabilities {
    return this.#api.capabilities;
  }

  storedBody(body: string): string | null {
    return this.#api.storedBody === undefined ? body : this.#api.storedBody(body);
  }

  async listIssues(query: IssueQuery): Promise<Page<CanonicalIssue>> {
    const { updatedSince = null, until = null, cursor, limit } = this.#parse(ListQuery, query, "query");
    const question = canonicalJson(["issues", this.workspace, updatedSince, until]);
    const place = readCursor(this.provider, question, cursor);
    return page(question, await this.#api.listChanges({ since: updatedSince, until, limit, place }));
  }

  async getIssue(ref: ExternalRef, { links }: ReadOptions = {}): Promise<CanonicalIssue> {
    assertScope(this, ref);
    return this.#api.get(ref.id, links ?? null);
  }

  async findIssue(key: string): Promise<CanonicalIssue | null> {
    return this.#api.find(this.#parse(ReadableText, key, "key").trim());
  }

  async searchIssues(query: IssueSearch): Promise<readonly CanonicalIssue[]> {
    const { text = "", limit } = this.#parse(SearchQuery, query, "query");
    return this.#api.search(text === "" ? null : text, limit);
  }

  async createIssue(
    fields: IssueFields,
    { idempotencyKey, lookUp = "first" }: CreateOptions,
  ): Promise<CanonicalIssue> {
    const wanted = this.#parse(IssueFields, fields, "issue");
    const key = this.#parse(ReadableText, idempotencyKey, "idempotencyKey");
    this.#assertReferences(wanted);
    const requested = filledPatch(wanted);
    assertSupported(this.provider, this.#api.capabilities, requested);
    return this.#inTurn(async () => {
      const existing = lookUp === "never" ? null : await this.#api.findCreated(key);
      return existing ?? this.#complete(await this.#api.create(wanted, key), wanted, requested);
    });
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    return this.#api.findCreated(this.#parse(ReadableText, idempotencyKey, "idempotencyKey"));
  }

  async updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue> {
    const wanted = this.#parseUnless(options, UpdatePatch, patch, "patch");
    assertScope(this, ref);
    this.#assertReferences(wanted);
    assertSupported(this.provider, this.#api.capabilities, wanted);
    if (options.expectedRevision !== undefined) {
      throw new CapabilityNotSupportedError(
        this.provider,
        "conditionalWrites",
        `${providerName(this.provider)} does not support conditional updates.`,
      );
    }
    return this.#inTurn(async () => this.#update(await this.#read(ref, options), wanted, options));
  }

  async transitionIssue(
    ref: ExternalRef,
    status: CanonicalStatus,
    options: WriteOptions & ChangeOptions,
  ): Promise<CanonicalIssue> {
    const wanted = this.#parseUnless(options, CanonicalStatus, status, "status");
    assertScope(this, ref);
    assertSupported(this.provider, this.#api.capabilities, { status: wanted });
    return this.#inTurn(async () => this.#transition(await this.#read(ref, options), wanted, options));
  }

  async upsertLink(
    ref: ExternalRef,
    link: CanonicalLink,
    options: ChangeOptions = {},
  ): Promise<CanonicalIssue> {
    const wanted = this.#linkToChange(ref, link, options);
    return this.#inTurn(async () => this.#link(await this.#read(ref, options), wanted, options));
  }

  async removeLink(
    ref: ExternalRef,
    link: CanonicalLink,
    options: ChangeOptions = {},
  ): Promise<CanonicalIssue> {
    const unwanted = this.#linkToChange(ref, link, options);
    return this.#inTurn(async () => this.#unlink(await this.#read(ref, options), unwanted, options));
  }

  async addComment(
    ref: ExternalRef,
    body: string,
    { idempotencyKey, lookUp = "first" }: CreateOptions,
  ): Promise<CanonicalComment> {
    const text = this.#parse(ReadableText, body, "comment");
    const key = this.#parse(ReadableText, idempotencyKey, "idempotencyKey");
    assertScope(this, ref);
    this.#needComments();
    return this.#inTurn(async () => {
      const existing = lookUp === "never" ? null : await this.#api.findComment(ref.id, key);
      return existing ?? this.#api.comment(ref.id, text, key);
    });
  }

  async listComments(ref: ExternalRef, cursor?: string): Promise<Page<CanonicalComment>> {
    assertScope(this, ref);
    this.#needComments();
    const question = canonicalJson(["comments", this.workspace, ref.id]);
    return page(question, await this.#api.comments(ref.id, readCursor(this.provider, question, cursor)));
  }

  async listEvents(): Promise<Page<TrackerEvent>> {
    throw new CapabilityNotSupportedError(
      this.provider,
      "webhooks",
      `${providerName(this.provider)} does not support events. List the changed issues instead.`,
    );
  }

  /** Writes the rest of a create: values, links, and the status last. */
  async #complete(made: CanonicalIssue, wanted: IssueFields, requested: IssuePatch): Promise<CanonicalIssue> {
    const missing = CORE_FIELDS.filter(
      (field) => requested[field] !== undefined && !sameField(field, made, wanted),
    );
    const values = missing.filter((field) => field !== "status" && field !== "links" && field !== "body");
    const links = wanted.links.filter((link) => !hasLink(made, link));
    const isMoved = missing.includes("status");
    let issue = made;
    if (values.length > 0) {
      const answered = await this.#api.update(issue, sendablePatch(wanted, values));
      const options = readBackUnless(links.length > 0 || isMoved);
      issue = await this.#result(answered, { ...issue, ...sendablePatch(wanted, values) }, options);
    }
    for (const [index, link] of links.entries()) {
      issue = await this.#link(issue, link, readBackUnless(index < links.length - 1 || isMoved));
    }
    return isMoved ? this.#transition(issue, wanted.status) : issue;
  }

  #read(ref: ExternalRef, { current }: ChangeOptions): Promise<CanonicalIssue> | CanonicalIssue {
    return current ?? this.#api.get(ref.id, null);
  }

  /** @param links Links that the write does not change; null where it does */
  async #result(
    answered: CanonicalIssue | null,
    expected: CanonicalIssue,
    { readBack = "now" }: ChangeOptions,
    links: readonly CanonicalLink[] | null = expected.links,
  ): Promise<CanonicalIssue> {
    return answered ?? (readBack === "later" ? expected : this.#api.get(expected.ref.id, links));
  }

  async #update(before: CanonicalIssue, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue> {
    const sets = mergedSets(before, patch, options.seen);
    const wanted = { ...before, ...patch, ...storedBodyOf(this, patch), ...sets };
    const changed = CORE_FIELDS.filter((field) => !sameField(field, wanted, before));
    if (changed.length === 0) return before;
    const answered = await this.#api.update(before, sendablePatch(wanted, changed));
    const after = await this.#result(answered, wanted, options);
    for (const field of changed) {
      // The same text in other Markdown does not change a rewritten body.
      if (field === "body" && this.rewritesBodies && hasSameWords(wanted, after)) continue;
      if (sameField(field, after, before) || isPartlyLost(field, before, wanted, after)) {
        throw notApplied(this.provider, field);
      }
    }
    return after;
  }

  async #transition(
    before: CanonicalIssue,
    status: CanonicalStatus,
    options: ChangeOptions = {},
  ): Promise<CanonicalIssue> {
    if (before.status === status) return before;
    const answered = await this.#api.transition(before, status);
    const after = await this.#result(answered, { ...before, status }, options);
    if (after.status !== status) throw notApplied(this.provider, "status");
    return after;
  }

  #link(before: CanonicalIssue, link: CanonicalLink, options: ChangeOptions): Promise<CanonicalIssue> {
    return this.#relink(before, [...before.links, link], options, {
      write: () => this.#api.link(before, link),
      isDone: (issue) => hasLink(issue, link),
    });
  }

  #unlink(before: CanonicalIssue, unwanted: CanonicalLink, options: ChangeOptions): Promise<CanonicalIssue> {
    const links = before.links.filter((link) => linkIdentity(link) !== linkIdentity(unwanted));
    return this.#relink(before, links, options, {
      write: () => this.#api.unlink(before, unwanted),
      isDone: (issue) => !hasLink(issue, unwanted),
    });
  }

  /** A refusal is ignored when the issue is in the wanted state: another client was faster. */
  async #relink(
    before: CanonicalIssue,
    links: CanonicalLink[],
    options: ChangeOptions,
    { write, isDone }: LinkChange,
  ): Promise<CanonicalIssue> {
    if (isDone(before)) return before;
    try {
      return await this.#result(await write(), { ...before, links }, options, null);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const after = await this.#api.get(before.ref.id, null);
      if (!isDone(after)) throw error;
      return after;
    }
  }

  #linkToChange(ref: ExternalRef, link: CanonicalLink, options: ChangeOptions): CanonicalLink {
    const parsed = this.#parseUnless(options, CanonicalLink, link, "link");
    assertScope(this, ref);
    assertScope(this, parsed.target);
    assertSupported(this.provider, this.#api.capabilities, { links: [parsed] });
    return parsed;
  }

  #assertReferences({ parent, links = [] }: IssuePatch): void {
    for (const ref of [...(parent ? [parent] : []), ...links.map(({ target }) => target)]) {
      assertScope(this, ref);
    }
  }

  #needComments(): void {
    if (this.#api.capabilities.comments) return;
    throw new CapabilityNotSupportedError(
      this.provider,
      "comments",
      `${providerName(this.provider)} does not support comments.`,
    );
  }

  /** One write at a time: providers refuse parallel writes, and a write is based on a read. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(work);
    this.#lastWrite = result.catch(() => undefined);
    return result;
  }

  /** A caller that has read the issue has parsed the rest. */
  #parseUnless<S extends v.GenericSchema>(
    { current }: ChangeOptions,
    schema: S,
    value: v.InferOutput<S>,
    name: string,
  ): v.InferOutput<S> {
    return current === undefined ? this.#parse(schema, value, name) : value;
  }

  #parse<S extends Parameters<typeof parseArgument>[1]>(schema: S, value: unknown, name: string) {
    return parseArgument(this.provider, schema, value, name);
  }
}

interface LinkChange {
  readonly write: () => Promise<CanonicalIssue | null>;
  readonly isDone: (issue: CanonicalIssue) => boolean;
}

/** Reads back only after the last write. */
function readBackUnless(isFollowed: boolean): ChangeOptions {
  return { readBack: isFollowed ? "later" : "now" };
}

function page<T>(question: string, { items, next }: ApiPage<T>): Page<T> {
  return { items, nextCursor: next === null ? null : cursorText(question, next) };
}

/** Reports whether the provider refused a request because of the current state. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ConnectorRequestError)) return false;
  return ["not_found", "conflict", "invalid"].includes(error.failureClass);
}

function hasLink({ links }: CanonicalIssue, wanted: CanonicalLink): boolean {
  return links.some((link) => linkIdentity(link) === linkIdentity(wanted));
}

/** Markup that an editor without HTML drops, and the addresses that it turns into links. */
const NO_WORDS = /<\/?[a-z][a-z0-9-]*(?:\s[^<>]*)?>|\bhttps?:/gi;

/** Reports whether two bodies have the same words; an address that became a link appears twice. */
function hasSameWords(one: Pick<IssueFields, "body">, other: Pick<IssueFields, "body">): boolean {
  const [words, others] = [one, other].map(
    ({ body }) => new Set((body ?? "").replace(NO_WORDS, " ").match(/[\p{L}\p{M}\p{N}]+/gu)),
  );
  return words !== undefined && others !== undefined && words.symmetricDifference(others).size === 0;
}

/** Reports whether a set lacks some of its additions or removals. */
function isPartlyLost(
  field: CoreField,
  before: IssueFields,
  wanted: IssueFields,
  kept: IssueFields,
): boolean {
  if (field !== "labels" && field !== "assignees") return false;
  const [had, wants, has] = [before, wanted, kept].map((fields) => new Set(fields[field]));
  if (had === undefined || wants === undefined || has === undefined) return false;
  return wants.difference(had).isSubsetOf(has) === false || !had.difference(wants).isDisjointFrom(has);
}
