/**
 * The content of the in-memory tracker: issues, links, comments and the log of all changes. Its methods are
 * what people do in a tracker's interface; the connector in `tracker.ts` calls them too.
 *
 * One log keeps the facts consistent: a change's number is the issue's revision, the event's id and its place
 * in the listing order; its time is the issue's `updatedAt`.
 */
import * as v from "valibot";
import { ConnectorRequestError, IssueNotFoundError, ScopeViolationError } from "../errors.ts";
import {
  BLANK,
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  CORE_FIELDS,
  type CoreField,
  canonicalJson,
  type ExternalRef,
  IssueFields,
  IssuePatch,
  identityOf,
  type LinkType,
  problemOf,
  type TrackerEvent,
} from "../model.ts";
import { fieldsOf } from "../stores/store.ts";

export interface MemoryRemoteOptions {
  readonly system?: string;
  readonly workspace?: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface RemoteIssue {
  readonly issue: CanonicalIssue;
  readonly change: number;
  /** Hidden from listings, still found by its id. */
  readonly archived: boolean;
  /** The issue before its last change; null for a new one. */
  readonly before: CanonicalIssue | null;
}

/** A write with an idempotency key, and the id of the issue that it made or changed. */
interface KeyedWrite {
  readonly content: string;
  readonly id: string;
}

/** The type of a link at its other end; null for `duplicates`, which shows at one end only. */
const INVERSE: Readonly<Record<LinkType, LinkType | null>> = {
  blocks: "blocked_by",
  blocked_by: "blocks",
  relates_to: "relates_to",
  duplicates: null,
  parent_of: "child_of",
  child_of: "parent_of",
};

export class MemoryRemote {
  readonly system: string;
  readonly workspace: string;
  /** The writes with a key; they outlive the connector that sent them. */
  readonly receipts = new Map<string, KeyedWrite>();
  readonly #now: () => number;
  readonly #issues = new Map<string, RemoteIssue>();
  readonly #deleted = new Map<string, RemoteIssue>();
  readonly #comments = new Map<string, CanonicalComment[]>();
  readonly #log: TrackerEvent[] = [];
  #lastId = 0;
  #lastComment = 0;

  constructor({ system = "memory", workspace = "demo", now }: MemoryRemoteOptions) {
    this.system = system;
    this.workspace = workspace;
    this.#now = now;
  }

  /** The tracker's own time, which never decreases. */
  get time(): string {
    const last = this.#log.at(-1)?.occurredAt ?? "1970-01-01T00:00:00Z";
    return new Date(Math.max(this.#now(), Date.parse(last))).toISOString();
  }

  /**
   * Creates an issue; missing fields are empty, `todo` and `task`.
   *
   * @throws ConnectorRequestError (`invalid`) when the fields are malformed
   */
  add(fields: IssuePatch & Pick<IssueFields, "title">): CanonicalIssue {
    const id = String(this.#lastId + 1);
    const ref = this.#refOf(id);
    const settled = this.#settle(id, this.#parse(IssueFields, { ...BLANK, ...fields }));
    this.#lastId += 1;
    this.#record(id, "created", (at) => ({
      ref,
      ...settled,
      links: [],
      createdAt: at,
      fieldTimes: timesOf(CORE_FIELDS, at),
    }));
    this.#relink(id, settled.links);
    return this.issue(ref);
  }

  /**
   * Changes an issue. Equal values change nothing, not even the time of the last change.
   *
   * @throws IssueNotFoundError when the issue, or one that the patch names, does not exist
   * @throws ConnectorRequestError (`invalid`) when the patch is malformed
   */
  edit(ref: ExternalRef, patch: IssuePatch): CanonicalIssue {
    const { issue } = this.#need(ref);
    const before = fieldsOf(issue);
    const wanted = { ...before, ...this.#parse(IssuePatch, patch) };
    const { links, ...after } = this.#settle(issue.ref.id, wanted);
    const changed = CORE_FIELDS.filter(
      (field) => field !== "links" && canonicalJson(before[field]) !== canonicalJson(after[field]),
    );
    if (changed.length > 0) {
      this.#record(issue.ref.id, "updated", (at) => ({
        ...issue,
        ...after,
        fieldTimes: { ...issue.fieldTimes, ...timesOf(changed, at) },
      }));
    }
    this.#relink(issue.ref.id, links);
    return this.issue(ref);
  }

  /** Links two issues; the other end shows the inverse link. */
  link(ref: ExternalRef, link: CanonicalLink): void {
    const { issue } = this.#need(ref);
    this.edit(ref, { links: [...issue.links, link] });
  }

  /** Removes a link at both ends, if it exists. */
  unlink(ref: ExternalRef, link: CanonicalLink): void {
    const { issue } = this.#need(ref);
    const removedKey = linkKey(link);
    this.edit(ref, { links: issue.links.filter((known) => linkKey(known) !== removedKey) });
  }

  /** Adds a comment, which counts as a change of the issue. */
  comment(ref: ExternalRef, body: string, author = "somebody"): CanonicalComment {
    const { issue } = this.#need(ref);
    const { updatedAt } = this.#record(issue.ref.id, "commented", () => issue);
    this.#lastComment += 1;
    const comment: CanonicalComment = {
      id: String(this.#lastComment),
      body,
      author,
      createdAt: updatedAt,
    };
    this.#comments.set(issue.ref.id, [...this.comments(ref), comment]);
    return structuredClone(comment);
  }

  /** Deletes an issue, the links to it, and its children's parent. */
  remove(ref: ExternalRef): void {
    const found = this.#need(ref);
    const { id } = found.issue.ref;
    this.#relink(id, []);
    for (const { issue } of [...this.#issues.values()]) {
      const links = issue.links.filter(({ target }) => target.id !== id);
      const parent = issue.parent?.id === id ? null : issue.parent;
      if (links.length < issue.links.length || parent !== issue.parent) {
        this.edit(issue.ref, { links, parent });
      }
    }
    const { at, change } = this.#append(id, "deleted");
    this.#issues.delete(id);
    this.#deleted.set(id, { ...found, issue: { ...found.issue, updatedAt: at, links: [] }, change });
  }

  archive(ref: ExternalRef): void {
    const { issue } = this.#need(ref);
    this.#record(issue.ref.id, "updated", () => issue, { archived: true });
  }

  /** Restores an archived or deleted issue; a deleted one without its links. */
  restore(ref: ExternalRef): CanonicalIssue {
    const { id } = ref;
    const { issue } = this.#deleted.get(id) ?? this.#need(ref);
    const parent = issue.parent !== null && this.#issues.has(issue.parent.id) ? issue.parent : null;
    this.#record(id, "updated", () => ({ ...issue, parent }), { archived: false });
    this.#deleted.delete(id);
    return this.issue(ref);
  }

  /** @throws IssueNotFoundError when there is no such issue */
  issue(ref: ExternalRef): CanonicalIssue {
    return structuredClone(this.#need(ref).issue);
  }

  find(id: string): RemoteIssue | null {
    return this.#issues.get(id) ?? null;
  }

  listed(): readonly RemoteIssue[] {
    return [...this.#issues.values()].filter(({ archived }) => !archived);
  }

  /** All issues, archived ones included, in the order of their creation. */
  issues(): readonly CanonicalIssue[] {
    return [...this.#issues.values()].map(({ issue }) => structuredClone(issue));
  }

  comments(ref: ExternalRef): readonly CanonicalComment[] {
    return structuredClone(this.#comments.get(this.#need(ref).issue.ref.id) ?? []);
  }

  /** All events, oldest first; an event's place is its number. */
  get events(): readonly TrackerEvent[] {
    return this.#log;
  }

  assertScope(ref: ExternalRef): void {
    if (ref.system === this.system && ref.workspace === this.workspace) return;
    throw new ScopeViolationError(
      this.system,
      `${identityOf(ref)} is not in ${this.system}:${this.workspace}, which this connector is for.`,
    );
  }

  #need(ref: ExternalRef): RemoteIssue {
    this.assertScope(ref);
    const found = this.#issues.get(ref.id);
    if (found === undefined) throw new IssueNotFoundError(this.system, ref.id);
    return found;
  }

  #refOf(id: string): ExternalRef {
    const { system, workspace } = this;
    const key = `${workspace.toUpperCase()}-${id}`;
    return { system, workspace, id, key, url: `https://tracker.example/${encodeURIComponent(key)}` };
  }

  #parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
    const parsed = v.safeParse(schema, value);
    if (parsed.success) return structuredClone(parsed.output);
    const [issue] = parsed.issues;
    throw this.#invalid(`${v.getDotPath(issue) ?? "issue"}: ${problemOf(issue)}`);
  }

  #invalid(message: string): ConnectorRequestError {
    return new ConnectorRequestError(message, { provider: this.system, failureClass: "invalid" });
  }

  /** Sorts the sets, removes duplicates, and resolves references to other issues. */
  #settle(id: string, fields: IssueFields): IssueFields {
    const target = (ref: ExternalRef): ExternalRef => {
      this.assertScope(ref);
      if (ref.id === id) throw this.#invalid("An issue cannot refer to itself.");
      return this.#need(ref).issue.ref;
    };
    return {
      ...fields,
      labels: [...new Set(fields.labels)].sort(),
      assignees: [...new Set(fields.assignees)].sort(),
      parent: fields.parent && target(fields.parent),
      links: sortLinks(fields.links.map((link) => ({ type: link.type, target: target(link.target) }))),
    };
  }

  /** Sets an issue's links and their inverses at the other ends. */
  #relink(id: string, links: readonly CanonicalLink[]): void {
    const found = this.#issues.get(id);
    if (found === undefined) throw new IssueNotFoundError(this.system, id);
    const before = new Set(found.issue.links.map(linkKey));
    const after = new Set(links.map(linkKey));
    this.#setLinks(id, links);
    for (const { type, target } of found.issue.links.filter((link) => !after.has(linkKey(link)))) {
      const inverse = INVERSE[type];
      const other = this.#issues.get(target.id);
      if (inverse === null || other === undefined) continue;
      const removedKey = linkKey({ type: inverse, target: found.issue.ref });
      this.#setLinks(
        target.id,
        other.issue.links.filter((link) => linkKey(link) !== removedKey),
      );
    }
    for (const { type, target } of links.filter((link) => !before.has(linkKey(link)))) {
      const inverse = INVERSE[type];
      const other = this.#issues.get(target.id);
      if (inverse === null || other === undefined) continue;
      this.#setLinks(target.id, [...other.issue.links, { type: inverse, target: found.issue.ref }]);
    }
  }

  #setLinks(id: string, links: readonly CanonicalLink[]): void {
    const found = this.#issues.get(id);
    if (found === undefined) throw new IssueNotFoundError(this.system, id);
    const { issue } = found;
    const sorted = sortLinks(links);
    if (canonicalJson(sorted) === canonicalJson(issue.links)) return;
    this.#record(id, "updated", (at) => ({
      ...issue,
      links: sorted,
      fieldTimes: { ...issue.fieldTimes, links: at },
    }));
  }

  /** Logs a change. Times never decrease, and increase with every change of one issue. */
  #append(id: string, type: TrackerEvent["type"]): { readonly at: string; readonly change: number } {
    const ownLast = (this.#issues.get(id) ?? this.#deleted.get(id))?.issue.updatedAt;
    const own = ownLast === undefined ? 0 : Date.parse(ownLast) + 1;
    const at = new Date(Math.max(Date.parse(this.time), own)).toISOString();
    const change = this.#log.length;
    this.#log.push({ id: String(change + 1), type, ref: this.#refOf(id), occurredAt: at });
    return { at, change };
  }

  /** Logs a change and stores the issue that `next` returns. */
  #record(
    id: string,
    type: TrackerEvent["type"],
    next: (at: string) => Omit<CanonicalIssue, "updatedAt" | "revision" | "raw">,
    facts: { readonly archived?: boolean } = {},
  ): CanonicalIssue {
    const last = this.#issues.get(id);
    const { at, change } = this.#append(id, type);
    const archived = facts.archived ?? last?.archived ?? false;
    const revision = String(change + 1);
    const issue: CanonicalIssue = {
      ...next(at),
      updatedAt: at,
      revision,
      raw: { number: Number(id), revision: change + 1, archived },
    };
    this.#issues.set(id, { issue, change, archived, before: last?.issue ?? null });
    return issue;
  }
}

function linkKey({ type, target }: CanonicalLink): string {
  return `${type} ${identityOf(target)}`;
}

function sortLinks(links: readonly CanonicalLink[]): CanonicalLink[] {
  const unique = new Map(links.map((link) => [linkKey(link), link]));
  return [...unique.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, link]) => link);
}

function timesOf(fields: readonly CoreField[], at: string): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, at]));
}
