/** The engine's memory between runs, provided by the embedding program. */
import type { CanonicalIssue, CoreField, ExternalRef, IssueFields, JsonValue } from "../model.ts";

/** The last state of an issue that both sides agreed on. */
export interface Base {
  readonly fields: IssueFields;
  /** The provider's payload of that state. */
  readonly raw: JsonValue;
  readonly revision: string | null;
  readonly createdAt: string;
  /** The provider's time of the last change in `fields`. */
  readonly updatedAt: string;
}

export interface IssueRecord {
  /** The local key, which never changes. */
  readonly key: string;
  /** Null until the issue exists remotely. */
  readonly ref: ExternalRef | null;
  readonly fields: IssueFields;
  /** Null until the first merge. */
  readonly base: Base | null;
  /** The time at which the provider confirmed the deletion; null while the issue exists. */
  readonly deletedAt: string | null;
}

export interface FieldEdit {
  readonly key: string;
  readonly field: CoreField;
  readonly changedAt: string;
}

/** A local edit that is not pushed yet. */
export interface DirtyField extends FieldEdit {
  /** Increases with every edit in this store. */
  readonly sequence: number;
}

/** A begun create: recorded before the request, removed when its issue is known. */
export interface CreateIntent {
  readonly key: string;
  readonly idempotencyKey: string;
}

export interface ConflictRecord {
  /** The same conflict has the same id on every machine. */
  readonly id: string;
  readonly key: string;
  readonly field: CoreField;
  readonly base: JsonValue;
  readonly local: JsonValue;
  readonly remote: JsonValue;
  /** Null while the field is frozen until a person decides. */
  readonly resolution: "external" | "local" | null;
}

export interface SyncCheckpoint {
  /** Every change before this instant was read; null before the first pull. */
  readonly updatedSince: string | null;
  /** The window that is being read; null between pulls. */
  readonly window: {
    readonly since: string | null;
    readonly until: string;
    readonly cursor: string | null;
  } | null;
}

/** Reads accept many keys, so that a page costs as few queries as one issue. */
export interface StoreTransaction {
  /** Records with these keys, in key order; unknown keys are left out. */
  records(keys: readonly string[]): Promise<readonly IssueRecord[]>;
  /** Records by the identities of their references. */
  findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>>;
  put(records: readonly IssueRecord[]): Promise<void>;
  remove(key: string): Promise<void>;
  /** The number of issues that are not deleted. */
  count(): Promise<number>;
  /** Records in key order, `limit` of them after `afterKey`. */
  list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]>;

  /** Records edits in order; a newer edit of a field replaces the older one. */
  markDirty(edits: readonly FieldEdit[]): Promise<void>;
  /** Dirty fields of these issues, by sequence. */
  dirtyFields(keys: readonly string[]): Promise<readonly DirtyField[]>;
  /** Keys with dirty fields, by their first sequence, `limit` of them after `afterSequence`. */
  dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]>;
  /** Removes edits, except of fields that were edited again after `sequence`. */
  clearDirty(edits: readonly Omit<DirtyField, "changedAt">[]): Promise<void>;

  putIntent(intent: CreateIntent): Promise<void>;
  intent(key: string): Promise<CreateIntent | null>;
  intents(): Promise<readonly CreateIntent[]>;
  removeIntent(key: string): Promise<void>;

  /** Stores conflicts; one with the same id is replaced. */
  putConflicts(conflicts: readonly ConflictRecord[]): Promise<void>;
  conflict(id: string): Promise<ConflictRecord | null>;
  /** Undecided conflicts by id; with keys only those of these issues. */
  openConflicts(keys?: readonly string[]): Promise<readonly ConflictRecord[]>;

  checkpoint(name: string): Promise<SyncCheckpoint>;
  putCheckpoint(name: string, checkpoint: SyncCheckpoint): Promise<void>;
}

/** A store. One transaction runs at a time. */
export interface IssueStore {
  /** Runs `work`. Its writes persist when this resolves; none does when `work` throws. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function baseOf(issue: CanonicalIssue): Base {
  const { raw, revision, createdAt, updatedAt } = issue;
  return { fields: fieldsOf(issue), raw, revision, createdAt, updatedAt };
}

export function fieldsOf(issue: IssueFields): IssueFields {
  const { title, body, status, issueType, priority, assignees, labels, parent, links, customFields } = issue;
  return { title, body, status, issueType, priority, assignees, labels, parent, links, customFields };
}
