/**
 * A connector to one resource of a provider, on top of what is the provider's
 * own: {@link ProviderApi}. What every connector promises is kept here, once:
 * arguments are parsed, foreign references and what cannot be carried are
 * refused before any request, a write that changes nothing is not sent, and
 * what a provider did not take is told.
 */
import { assertCarried, type Capabilities } from "../../capabilities.ts";
import {
  type IssueQuery,
  type IssueSearch,
  keptBodyOf,
  setsFor,
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
import { assertScope, Filled, ListQuery, parseArgument, SearchQuery, UpdatePatch } from "./arguments.ts";
import { cursorText, placeOf } from "./cursor.ts";
import type { TimedTransport } from "./timed-transport.ts";

/** A part of a listing and the place where the next part starts; null when this is the last. */
export interface Portion<T> {
  readonly items: readonly T[];
  readonly next: JsonValue | null;
}

/** Which changes are listed. */
export interface ChangeQuery {
  /** Inclusive; null for the first there is. */
  readonly since: string | null;
  /** Exclusive; null for no end. */
  readonly until: string | null;
  /** 1 to 1000. */
  readonly limit: number;
  /** `next` of the portion before; null for the first. */
  readonly place: JsonValue;
}

/**
 * What a provider's own API can do with the issues of one resource. Ids are
 * those of references. Arguments are valid and carried by the capabilities when
 * they get here; every method throws what TrackerConnector's do.
 */
export interface ProviderApi {
  readonly provider: string;
  readonly workspace: string;
  readonly capabilities: Capabilities;
  /** A body as the provider gives it back; missing where texts are kept as they are. */
  keptBody?(body: string): string | null;
  /** See {@link TrackerConnector.rewritesBodies}. */
  readonly rewritesBodies?: boolean;
  /** Oldest change first; see `readWindow`. */
  listChanges(query: ChangeQuery): Promise<Portion<CanonicalIssue>>;
  /** @throws IssueNotFoundError only when it is certain: the resource is there and the issue is not in it */
  get(id: string): Promise<CanonicalIssue>;
  /** By what people call it; null when it is no key of this provider or nobody has it. */
  find(key: string): Promise<CanonicalIssue | null>;
  /** The provider's own search; without text the latest changed first. Links may be left out. */
  search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]>;
  /**
   * Creates the issue with as many of the fields as one request takes. The rest
   * is written afterwards by the other methods. Returns its id.
   */
  create(fields: IssueFields, idempotencyKey: string): Promise<string>;
  /** Id of the issue that a create with this key made; null when there is none. */
  findCreated(idempotencyKey: string): Promise<string | null>;
  /**
   * Changes what `patch` has, which differs from `current`: labels and assignees by what was added and
   * removed. Returns what became of a body that was rewritten; null where bodies are kept, and without one.
   */
  update(current: CanonicalIssue, patch: IssuePatch): Promise<RewrittenBody | null>;
  /** @throws CapabilityNotSupportedError listing what there is, when the resource has no place for the status */
  transition(current: CanonicalIssue, status: CanonicalStatus): Promise<void>;
  /** Adds a link that `current` does not have. */
  link(current: CanonicalIssue, link: CanonicalLink): Promise<void>;
  /** Removes a link that `current` has. */
  unlink(current: CanonicalIssue, link: CanonicalLink): Promise<void>;
  /** Oldest first. */
  comments(id: string, place: JsonValue): Promise<Portion<CanonicalComment>>;
  /** Comments once per key: looks for the comment of the key where the provider does not know keys. */
  comment(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment>;
}

/** A body as the provider answered a write of it. */
export type RewrittenBody = Pick<IssueFields, "body">;

/** The connector over a provider's API. */
export class ProviderConnector implements TrackerConnector {
  readonly provider: string;
  readonly workspace: string;
  readonly rewritesBodies: boolean;
  readonly #api: ProviderApi;
  readonly #transport: TimedTransport | null;
  #lastWrite: Promise<unknown> = Promise.resolve();

  /** @param transport What the API speaks through, where its answers tell the time */
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

  keptBody(body: string): string | null {
    return this.#api.keptBody === undefined ? body : this.#api.keptBody(body);
  }

  async listIssues(query: IssueQuery): Promise<Page<CanonicalIssue>> {
    const { updatedSince = null, until = null, cursor, limit } = this.#parse(ListQuery, query, "query");
    const question = canonicalJson(["issues", this.workspace, updatedSince, until]);
    const place = placeOf(this.provider, question, cursor);
    return page(question, await this.#api.listChanges({ since: updatedSince, until, limit, place }));
  }

  async getIssue(ref: ExternalRef): Promise<CanonicalIssue> {
    assertScope(this, ref);
    return this.#api.get(ref.id);
  }

  async findIssue(key: string): Promise<CanonicalIssue | null> {
    return this.#api.find(this.#parse(Filled, key, "key").trim());
  }

  async searchIssues(query: IssueSearch): Promise<readonly CanonicalIssue[]> {
    const { text = "", limit } = this.#parse(SearchQuery, query, "query");
    return this.#api.search(text === "" ? null : text, limit);
  }

  async createIssue(fields: IssueFields, { idempotencyKey }: WriteOptions): Promise<CanonicalIssue> {
    const wanted = this.#parse(IssueFields, fields, "issue");
    const key = this.#parse(Filled, idempotencyKey, "idempotencyKey");
    this.#assertReferences(wanted);
    const asked = filledPatch(wanted);
    assertCarried(this.provider, this.#api.capabilities, asked);
    return this.#inTurn(async () => {
      const known = await this.#api.findCreated(key);
      if (known !== null) return this.#api.get(known);
      const made = await this.#api.get(await this.#api.create(wanted, key));
      return this.#complete(made, wanted, asked);
    });
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const id = await this.#api.findCreated(this.#parse(Filled, idempotencyKey, "idempotencyKey"));
    return id === null ? null : this.#api.get(id);
  }

  async updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue> {
    const wanted = this.#parse(UpdatePatch, patch, "patch");
    assertScope(this, ref);
    this.#assertReferences(wanted);
    assertCarried(this.provider, this.#api.capabilities, wanted);
    if (options.expectedRevision !== undefined) {
      throw new CapabilityNotSupportedError(
        this.provider,
        "conditionalWrites",
        `${this.provider} cannot refuse an update of a changed issue.`,
      );
    }
    return this.#inTurn(async () => {
      const before = await this.#api.get(ref.id);
      const sets = setsFor(before, wanted, options.seen);
      const after = { ...before, ...wanted, ...keptBodyOf(this, wanted), ...sets };
      const changed = CORE_FIELDS.filter((field) => !sameField(field, after, before));
      if (changed.length === 0) return before;
      const rewritten = await this.#api.update(before, sendablePatch(after, changed));
      const kept = await this.#api.get(ref.id);
      if (rewritten !== null && !sameField("body", { ...kept, ...rewritten }, kept)) {
        const message = `Issue ${ref.id} was changed again right after it was written.`;
        throw new ConnectorRequestError(message, { provider: this.provider, failureClass: "conflict" });
      }
      for (const field of changed) {
        // The same text in other Markdown leaves a rewritten body as it was.
        if (field === "body" && rewritten !== null && hasSameWords(after, kept)) continue;
        if (sameField(field, kept, before) || isPartlyLost(field, before, after, kept)) {
          throw notApplied(this.provider, field);
        }
      }
      return kept;
    });
  }

  async transitionIssue(
    ref: ExternalRef,
    status: CanonicalStatus,
    _options: WriteOptions,
  ): Promise<CanonicalIssue> {
    const wanted = this.#parse(CanonicalStatus, status, "status");
    assertScope(this, ref);
    assertCarried(this.provider, this.#api.capabilities, { status: wanted });
    return this.#inTurn(async () => this.#transition(await this.#api.get(ref.id), wanted));
  }

  async upsertLink(ref: ExternalRef, link: CanonicalLink): Promise<void> {
    const wanted = this.#linkToChange(ref, link);
    await this.#inTurn(async () => {
      const current = await this.#api.get(ref.id);
      if (!hasLink(current, wanted)) await this.#link(current, wanted);
    });
  }

  async removeLink(ref: ExternalRef, link: CanonicalLink): Promise<void> {
    const unwanted = this.#linkToChange(ref, link);
    await this.#inTurn(async () => {
      const current = await this.#api.get(ref.id);
      if (!hasLink(current, unwanted)) return;
      const isDone = (issue: CanonicalIssue) => !hasLink(issue, unwanted);
      await this.#unlessDone(ref.id, () => this.#api.unlink(current, unwanted), isDone);
    });
  }

  async addComment(
    ref: ExternalRef,
    body: string,
    { idempotencyKey }: WriteOptions,
  ): Promise<CanonicalComment> {
    const text = this.#parse(Filled, body, "comment");
    const key = this.#parse(Filled, idempotencyKey, "idempotencyKey");
    assertScope(this, ref);
    this.#needComments();
    return this.#inTurn(() => this.#api.comment(ref.id, text, key));
  }

  async listComments(ref: ExternalRef, cursor?: string): Promise<Page<CanonicalComment>> {
    assertScope(this, ref);
    this.#needComments();
    const question = canonicalJson(["comments", this.workspace, ref.id]);
    return page(question, await this.#api.comments(ref.id, placeOf(this.provider, question, cursor)));
  }

  async listEvents(): Promise<Page<TrackerEvent>> {
    throw new CapabilityNotSupportedError(
      this.provider,
      "webhooks",
      `${this.provider} events are not read; list the issues that changed instead.`,
    );
  }

  /** Writes what a create has left over: values, links, and the status last. */
  async #complete(made: CanonicalIssue, wanted: IssueFields, asked: IssuePatch): Promise<CanonicalIssue> {
    const missing = CORE_FIELDS.filter(
      (field) => asked[field] !== undefined && !sameField(field, made, wanted),
    );
    const values = missing.filter((field) => field !== "status" && field !== "links" && field !== "body");
    if (values.length > 0) await this.#api.update(made, sendablePatch(wanted, values));
    const links = wanted.links.filter((link) => !hasLink(made, link));
    for (const link of links) await this.#link(made, link);
    if (missing.includes("status")) return this.#transition(made, wanted.status);
    return values.length + links.length === 0 ? made : this.#api.get(made.ref.id);
  }

  #link(current: CanonicalIssue, wanted: CanonicalLink): Promise<void> {
    const isDone = (issue: CanonicalIssue) => hasLink(issue, wanted);
    return this.#unlessDone(current.ref.id, () => this.#api.link(current, wanted), isDone);
  }

  /** A refusal counts for nothing when the issue is as it was meant to be: somebody else was faster. */
  async #unlessDone(
    id: string,
    work: () => Promise<void>,
    isDone: (issue: CanonicalIssue) => boolean,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isRefusal(error) || !isDone(await this.#api.get(id))) throw error;
    }
  }

  async #transition(before: CanonicalIssue, status: CanonicalStatus): Promise<CanonicalIssue> {
    if (before.status === status) return before;
    await this.#api.transition(before, status);
    const after = await this.#api.get(before.ref.id);
    if (after.status !== status) throw notApplied(this.provider, "status");
    return after;
  }

  #linkToChange(ref: ExternalRef, link: CanonicalLink): CanonicalLink {
    const parsed = this.#parse(CanonicalLink, link, "link");
    assertScope(this, ref);
    assertScope(this, parsed.target);
    assertCarried(this.provider, this.#api.capabilities, { links: [parsed] });
    return parsed;
  }

  #assertReferences({ parent, links = [] }: IssuePatch): void {
    for (const ref of [...(parent ? [parent] : []), ...links.map(({ target }) => target)]) {
      assertScope(this, ref);
    }
  }

  #needComments(): void {
    if (this.#api.capabilities.comments) return;
    throw new CapabilityNotSupportedError(this.provider, "comments", `${this.provider} carries no comments.`);
  }

  /** One write at a time: providers answer parallel writes with refusals, and a write is based on a read. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(work);
    this.#lastWrite = result.catch(() => undefined);
    return result;
  }

  #parse<S extends Parameters<typeof parseArgument>[1]>(schema: S, value: unknown, name: string) {
    return parseArgument(this.provider, schema, value, name);
  }
}

function page<T>(question: string, { items, next }: Portion<T>): Page<T> {
  return { items, nextCursor: next === null ? null : cursorText(question, next) };
}

/** Whether the provider says that a request cannot be carried out as things are. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ConnectorRequestError)) return false;
  return ["not_found", "conflict", "invalid"].includes(error.failureClass);
}

function hasLink({ links }: CanonicalIssue, wanted: CanonicalLink): boolean {
  return links.some((link) => linkIdentity(link) === linkIdentity(wanted));
}

/** What an editor that knows no HTML leaves out, and what it adds to an address to make it a link. */
const NO_WORDS = /<\/?[a-z][a-z0-9-]*(?:\s[^<>]*)?>|\bhttps?:/gi;

/** Whether two bodies have the same words; an address that was made a link has it twice. */
function hasSameWords(one: RewrittenBody, other: RewrittenBody): boolean {
  const [words, others] = [one, other].map(
    ({ body }) => new Set((body ?? "").replace(NO_WORDS, " ").match(/[\p{L}\p{M}\p{N}]+/gu)),
  );
  return words !== undefined && others !== undefined && words.symmetricDifference(others).size === 0;
}

/** Whether a set has not taken all that was added to it or removed from it. */
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
