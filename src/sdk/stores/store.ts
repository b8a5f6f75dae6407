/**
 * What the engine remembers between runs. Whoever embeds the SDK brings a
 * store; the protocol is small enough for a file, SQLite or PostgreSQL.
 */
import type { CanonicalIssue, CoreField, ExternalRef, IssueFields, JsonValue } from "../model.ts";

/** The last agreement of both sides about an issue. */
export interface Base {
  readonly fields: IssueFields;
  /** The provider's payload behind it. */
  readonly raw: JsonValue;
  readonly revision: string | null;
  readonly createdAt: string;
  /** The provider's time of the change that `fields` include. */
  readonly updatedAt: string;
}

/** One issue as it stands locally. */
export interface IssueRecord {
  /** The local key; never changes. */
  readonly key: string;
  /** Null until the issue exists remotely. */
  readonly ref: ExternalRef | null;
  readonly fields: IssueFields;
  /** Null until the sides met. */
  readonly base: Base | null;
  /** When the provider confirmed that the issue is gone; null while it exists. */
  readonly deletedAt: string | null;
}

/** A field that was edited locally and not pushed yet. */
export interface DirtyField {
  readonly key: string;
  readonly field: CoreField;
  /** Grows with every edit in this store. */
  readonly sequence: number;
  /** When it was edited. */
  readonly changedAt: string;
}

/** A create that was begun: recorded before the request, removed when its issue is known. */
export interface CreateIntent {
  readonly key: string;
  readonly idempotencyKey: string;
}

/** Both sides changed a field. */
export interface ConflictRecord {
  /** Deterministic: the same conflict has the same id on every machine. */
  readonly id: string;
  readonly key: string;
  readonly field: CoreField;
  readonly base: JsonValue;
  readonly local: JsonValue;
  readonly remote: JsonValue;
  /** What was decided; null while the field is frozen until somebody decides. */
  readonly resolution: "external" | "local" | null;
}

/** How far a pull has come. */
export interface SyncCheckpoint {
  /** Everything changed before this instant was read; null before the first pull. */
  readonly updatedSince: string | null;
  /** The window that is being read; null between pulls. */
  readonly window: {
    readonly since: string | null;
    readonly until: string;
    readonly cursor: string | null;
  } | null;
}

/** Reads and writes that happen together or not at all. */
export interface StoreTransaction {
  get(key: string): Promise<IssueRecord | null>;
  /** Records by the identities of their references. */
  findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>>;
  put(records: readonly IssueRecord[]): Promise<void>;
  remove(key: string): Promise<void>;
  /** How many issues there are, tombstones left out. */
  count(): Promise<number>;
  /** Records in key order, `limit` of them after `afterKey`. */
  list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]>;

  /** Notes that fields were edited. An edit of a field that is dirty already takes its place at the end. */
  markDirty(key: string, fields: readonly CoreField[], changedAt: string): Promise<void>;
  /** Dirty fields of one issue, by sequence. */
  dirtyFields(key: string): Promise<readonly DirtyField[]>;
  /** Keys with dirty fields, by their first sequence, `limit` of them after `afterSequence`. */
  dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]>;
  /** Forgets an edit, unless the field was edited again after `sequence`. */
  clearDirty(key: string, field: CoreField, sequence: number): Promise<void>;

  putIntent(intent: CreateIntent): Promise<void>;
  intent(key: string): Promise<CreateIntent | null>;
  intents(): Promise<readonly CreateIntent[]>;
  removeIntent(key: string): Promise<void>;

  /** Records a conflict; one with the same id is replaced. */
  putConflict(conflict: ConflictRecord): Promise<void>;
  conflict(id: string): Promise<ConflictRecord | null>;
  /** Conflicts that nobody has decided, by id; of one issue when a key is given. */
  openConflicts(key?: string): Promise<readonly ConflictRecord[]>;

  checkpoint(name: string): Promise<SyncCheckpoint>;
  putCheckpoint(name: string, checkpoint: SyncCheckpoint): Promise<void>;
}

/** A store. One transaction runs at a time. */
export interface IssueStore {
  /** Runs `work`; what it wrote is there when this resolves, and nothing of it when `work` throws. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The base that an issue from the provider makes. */
export function baseOf(issue: CanonicalIssue): Base {
  const { raw, revision, createdAt, updatedAt } = issue;
  return { fields: fieldsOf(issue), raw, revision, createdAt, updatedAt };
}

/** The synchronized fields of an issue. */
export function fieldsOf(issue: IssueFields): IssueFields {
  const { title, body, status, issueType, priority, assignees, labels, parent, links, customFields } = issue;
  return { title, body, status, issueType, priority, assignees, labels, parent, links, customFields };
}
