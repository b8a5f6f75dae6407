/**
 * The memory of the engine between runs. The program that embeds the SDK brings a
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
  /** The time at which the provider confirmed that the issue is gone; null while it exists. */
  readonly deletedAt: string | null;
}

/** A local edit of a field. */
export interface FieldEdit {
  readonly key: string;
  readonly field: CoreField;
  readonly changedAt: string;
}

/** A field that was edited locally and not pushed yet. */
export interface DirtyField extends FieldEdit {
  /** Grows with every edit in this store. */
  readonly sequence: number;
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
  /** The decision; null while the field is frozen until a person decides. */
  readonly resolution: "external" | "local" | null;
}

/** The position of a pull. */
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

/**
 * Reads and writes that happen together or not at all. Reads take many keys at
 * once, so that a page of issues costs as few queries as one issue.
 */
export interface StoreTransaction {
  /** Records with these keys, in key order; unknown keys are left out. */
  records(keys: readonly string[]): Promise<readonly IssueRecord[]>;
  /** Records by the identities of their references. */
  findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>>;
  put(records: readonly IssueRecord[]): Promise<void>;
  remove(key: string): Promise<void>;
  /** The number of issues without tombstones. */
  count(): Promise<number>;
  /** Records in key order, `limit` of them after `afterKey`. */
  list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]>;

  /** Records edits, in order. An edit replaces the one of the same field. */
  markDirty(edits: readonly FieldEdit[]): Promise<void>;
  /** Dirty fields of these issues, by sequence. */
  dirtyFields(keys: readonly string[]): Promise<readonly DirtyField[]>;
  /** Keys with dirty fields, by their first sequence, `limit` of them after `afterSequence`. */
  dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]>;
  /** Forgets edits, except of fields that were edited again after `sequence`. */
  clearDirty(edits: readonly Omit<DirtyField, "changedAt">[]): Promise<void>;

  putIntent(intent: CreateIntent): Promise<void>;
  intent(key: string): Promise<CreateIntent | null>;
  intents(): Promise<readonly CreateIntent[]>;
  removeIntent(key: string): Promise<void>;

  /** Records conflicts; those with the same id are replaced. */
  putConflicts(conflicts: readonly ConflictRecord[]): Promise<void>;
  conflict(id: string): Promise<ConflictRecord | null>;
  /** Undecided conflicts, by id; those of some issues when keys are given. */
  openConflicts(keys?: readonly string[]): Promise<readonly ConflictRecord[]>;

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
