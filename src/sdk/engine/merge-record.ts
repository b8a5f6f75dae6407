/** Merges a fetched issue into its record and stores the result. */
import { isDeepStrictEqual } from "node:util";
import { providerName } from "../../shared/providers.ts";
import type { ReadOptions } from "../connector.ts";
import { nullIfNotFound, TrackerSdkError } from "../errors.ts";
import {
  type CanonicalIssue,
  CORE_FIELDS,
  type CoreField,
  type ExternalRef,
  type IssueFields,
  identityOf,
} from "../model.ts";
import {
  baseOf,
  type ConflictRecord,
  type DirtyField,
  type FieldEdit,
  type IssueRecord,
  type StoreTransaction,
} from "../stores/store.ts";
import type { EngineContext } from "./context.ts";
import { eventRecord, failedEvent, type SyncEvent } from "./events.ts";
import { conflictId, mergeIssue, sameField } from "./merge.ts";
import { ownerOf } from "./policy.ts";
import { MAX_ATTEMPTS } from "./retry.ts";

export interface MergedRecord {
  /** The new record; stored only when `isChanged`. */
  readonly record: IssueRecord;
  readonly isChanged: boolean;
  readonly changed: readonly CoreField[];
  /** Local edits that were discarded because the provider owns the field. */
  readonly reverted: readonly CoreField[];
  /** Fields whose local value is still to be written remotely; they are dirty. */
  readonly push: readonly CoreField[];
  readonly isRevived: boolean;
  readonly conflicts: readonly ConflictRecord[];
  readonly settled: readonly DirtyField[];
  /** Fields to push that were not dirty. */
  readonly edits: readonly FieldEdit[];
}

/** The stored edits and open conflicts of an issue. */
interface Pending {
  readonly dirty: readonly DirtyField[];
  readonly open: readonly ConflictRecord[];
}

const NOTHING_PENDING: Pending = { dirty: [], open: [] };

export async function pendingFor(
  transaction: StoreTransaction,
  keys: readonly string[],
): Promise<(key: string) => Pending> {
  const dirty = Map.groupBy(await transaction.dirtyFields(keys), ({ key }) => key);
  const open = Map.groupBy(await transaction.openConflicts(keys), ({ key }) => key);
  return (key) => ({
    dirty: dirty.get(key) ?? NOTHING_PENDING.dirty,
    open: open.get(key) ?? NOTHING_PENDING.open,
  });
}

/** Reports whether `remote` is older than the last known state; pages can be out of order. */
export function isStale(
  { connector }: Pick<EngineContext, "connector">,
  { base }: IssueRecord,
  remote: CanonicalIssue,
): boolean {
  return !connector.capabilities().currentReads && base !== null && remote.updatedAt < base.updatedAt;
}

/** The state of an issue when it was written, where that is known more exactly than from its record. */
export interface WriteReceipt {
  /** The values that both sides agreed on before. */
  readonly base: IssueFields | null;
  readonly local: IssueFields;
}

/** Merges `remote` into `record` without writing; see {@link putMerged}. */
export function mergeRecord(
  { policy, connector, instant }: EngineContext,
  record: IssueRecord,
  remote: CanonicalIssue,
  { dirty, open }: Pending,
  { base, local }: WriteReceipt = { base: record.base?.fields ?? null, local: record.fields },
): MergedRecord {
  const { key } = record;
  const frozen = new Set(open.map(({ field }) => field));
  const merge = mergeIssue({
    policy,
    capabilities: connector.capabilities(),
    base,
    local,
    remote,
    dirty: new Map(dirty.map(({ field, changedAt }) => [field, changedAt])),
    frozen,
  });
  const identity = identityOf(remote.ref);
  const conflicts = merge.conflicts.map((conflict) => ({
    id: conflictId(identity, conflict),
    key,
    ...conflict,
  }));
  for (const { field, resolution } of conflicts) if (resolution === null) frozen.add(field);
  const changedAt = instant();
  const unmarked = merge.push.filter((field) => dirty.every((entry) => entry.field !== field));
  const next: IssueRecord = {
    key,
    ref: remote.ref,
    fields: merge.fields,
    base: { ...baseOf(remote), fields: merge.base },
    deletedAt: null,
  };
  const changed = CORE_FIELDS.filter((field) => !sameField(field, record.fields, next.fields));
  return {
    record: next,
    isChanged: !isDeepStrictEqual(record, next),
    changed,
    reverted: changed.filter(
      (field) => ownerOf(policy, field) === "external" && dirty.some((entry) => entry.field === field),
    ),
    push: merge.push,
    isRevived: record.deletedAt !== null,
    conflicts,
    settled: dirty.filter(({ field }) => !merge.push.includes(field) && !frozen.has(field)),
    edits: unmarked.map((field) => ({ key, field, changedAt })),
  };
}

/** Stores merged issues with as many queries for all of them as for one. */
export async function putMerged(
  transaction: StoreTransaction,
  merged: readonly MergedRecord[],
): Promise<void> {
  await transaction.putConflicts(merged.flatMap(({ conflicts }) => conflicts));
  await transaction.clearDirty(merged.flatMap(({ settled }) => settled));
  await transaction.markDirty(merged.flatMap(({ edits }) => edits));
  await transaction.put(merged.filter(({ isChanged }) => isChanged).map(({ record }) => record));
}

export function localEvents({ record, changed, reverted, isRevived, conflicts }: MergedRecord): SyncEvent[] {
  const events: SyncEvent[] = conflicts.map((conflict) => ({
    kind: "conflict",
    ...eventRecord(record, [conflict.field]),
    conflict,
  }));
  if (reverted.length > 0) {
    events.push({
      kind: "unchanged",
      side: "remote",
      ...eventRecord(record, reverted),
      reason: "owned externally",
    });
  }
  const fields = changed.filter((field) => !reverted.includes(field));
  if (isRevived) {
    events.push({ kind: "updated", side: "local", ...eventRecord(record, fields), presence: "revived" });
  } else if (fields.length > 0) {
    events.push({ kind: "updated", side: "local", ...eventRecord(record, fields) });
  }
  return events;
}

export interface MergedIssue extends MergedRecord {
  readonly remote: CanonicalIssue;
}

interface MergeOptions extends ReadOptions {
  /** The issue as just read or as returned by a write; null to read it. */
  readonly read?: CanonicalIssue | null;
  readonly receiptFor?: (remote: CanonicalIssue, record: IssueRecord) => WriteReceipt;
}

/**
 * Merges one issue into its record; reads it first unless `read` has it. Null when the provider confirms that
 * the issue is gone; the record is then marked deleted.
 *
 * @throws TrackerSdkError when the issue cannot be read, or only in an outdated state
 */
export async function fetchAndMerge(
  context: EngineContext,
  key: string,
  ref: ExternalRef,
  { read = null, receiptFor, ...options }: MergeOptions = {},
): Promise<MergedIssue | null> {
  const { send, connector, store } = context;
  for (let count = 1; count <= MAX_ATTEMPTS; count += 1) {
    const isAtHand = read !== null && count === 1;
    const remote = isAtHand ? read : await nullIfNotFound(send(() => connector.getIssue(ref, options)));
    const merged = await store.transaction(async (transaction): Promise<MergedIssue | "gone" | "stale"> => {
      const [record] = await transaction.records([key]);
      if (record === undefined) return "gone";
      if (remote === null) {
        if (record.deletedAt === null) {
          await transaction.put([{ ...record, deletedAt: context.instant() }]);
        }
        return "gone";
      }
      if (isStale(context, record, remote)) return "stale";
      const pending = await pendingFor(transaction, [key]);
      const merged = mergeRecord(context, record, remote, pending(key), receiptFor?.(remote, record));
      await putMerged(transaction, [merged]);
      return { ...merged, remote };
    });
    if (merged === "gone") return null;
    if (merged !== "stale") return merged;
  }
  throw new TrackerSdkError(
    `${providerName(connector.provider)} returned an outdated state of issue ${ref.id}.`,
    {
      provider: connector.provider,
      failureClass: "transient",
    },
  );
}

export function deletedEvent(key: string, ref: ExternalRef | null): SyncEvent {
  return { kind: "updated", side: "local", key, ref, fields: [], record: null, presence: "deleted" };
}

/** Fetches the other ends of written links, because providers show a link at both ends. */
export async function refreshLinkEnds(
  context: EngineContext,
  ends: readonly ExternalRef[],
): Promise<readonly SyncEvent[]> {
  const identities = [...new Set(ends.map(identityOf))];
  if (identities.length === 0) return [];
  const records = await context.store.transaction((transaction) => transaction.findByRefs(identities));
  const events: SyncEvent[] = [];
  for (const identity of identities) {
    const record = records.get(identity);
    if (record === undefined || record.ref === null) continue;
    const { key, ref } = record;
    if (await isBodyPending(context, key)) continue;
    try {
      const merged = await fetchAndMerge(context, key, ref);
      events.push(...(merged === null ? [deletedEvent(key, ref)] : localEvents(merged)));
    } catch (error) {
      if (!isProviderError(context, error)) throw error;
      events.push(failedEvent("local", { key, ref, fields: ["links"] }, error));
    }
  }
  return events;
}

/** Reports whether a rewritten body waits to be written: another reader would take it for a user's edit. */
async function isBodyPending({ connector, store }: EngineContext, key: string): Promise<boolean> {
  if (connector.rewritesBodies !== true) return false;
  return store.transaction(async (transaction) => {
    const isBody = ({ field }: { readonly field: CoreField }) => field === "body";
    const isFrozen = (await transaction.openConflicts([key])).some(isBody);
    return !isFrozen && (await transaction.dirtyFields([key])).some(isBody);
  });
}

/** Reports whether a failure is the provider's, which concerns one issue; a failure of the store ends the run. */
export function isProviderError({ connector }: EngineContext, error: unknown): error is TrackerSdkError {
  return error instanceof TrackerSdkError && error.provider === connector.provider;
}
