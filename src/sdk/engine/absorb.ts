/** Takes what the provider has into the store: the merge and everything that follows from it. */
import { isDeepStrictEqual } from "node:util";
import type { ReadOptions } from "../connector.ts";
import { ifThere, TrackerSdkError } from "../errors.ts";
import {
  type CanonicalIssue,
  CORE_FIELDS,
  type CoreField,
  type ExternalRef,
  type IssueFields,
  identityOf,
} from "../model.ts";
import { baseOf, type ConflictRecord, type IssueRecord, type StoreTransaction } from "../stores/store.ts";
import type { EngineContext } from "./context.ts";
import { failed, type SyncEvent } from "./events.ts";
import { conflictId, mergeIssue, sameField } from "./merge.ts";
import { ownerOf } from "./policy.ts";
import { ATTEMPTS } from "./retry.ts";

/** What came of taking in one issue. */
export interface Absorbed {
  /** The record as it is now; to be put when `isChanged`. */
  readonly record: IssueRecord;
  readonly isChanged: boolean;
  /** Fields whose local value is another one now. */
  readonly changed: readonly CoreField[];
  /** Local edits that were given up because the provider owns the field. */
  readonly reverted: readonly CoreField[];
  /** Fields whose local value is still to be written remotely; they are dirty. */
  readonly push: readonly CoreField[];
  readonly isRevived: boolean;
  readonly conflicts: readonly ConflictRecord[];
}

/** True when `remote` is from before what is known already, as pages out of order are. */
export function isStale(
  { connector }: Pick<EngineContext, "connector">,
  { base }: IssueRecord,
  remote: CanonicalIssue,
): boolean {
  return !connector.capabilities().currentReads && base !== null && remote.updatedAt < base.updatedAt;
}

/** How an issue stood when it was written, where that is known better than by its record. */
export interface Receipt {
  /** What counts as agreed before. */
  readonly base: IssueFields | null;
  /** What stands here. */
  readonly local: IssueFields;
}

/**
 * Merges `remote` into `record` and notes conflicts and what is dirty. The
 * record itself is left to the caller to put, so that a page is put at once.
 */
export async function absorb(
  context: EngineContext,
  transaction: StoreTransaction,
  record: IssueRecord,
  remote: CanonicalIssue,
  { base, local }: Receipt = { base: record.base?.fields ?? null, local: record.fields },
): Promise<Absorbed> {
  const { policy, connector } = context;
  const { key } = record;
  const dirty = await transaction.dirtyFields([key]);
  const open = await transaction.openConflicts([key]);
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
  await transaction.putConflicts(conflicts);
  for (const { field, resolution } of conflicts) if (resolution === null) frozen.add(field);
  await transaction.clearDirty(
    dirty.filter(({ field }) => !merge.push.includes(field) && !frozen.has(field)),
  );
  const changedAt = context.instant();
  const unmarked = merge.push.filter((field) => dirty.every((entry) => entry.field !== field));
  await transaction.markDirty(unmarked.map((field) => ({ key, field, changedAt })));
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
  };
}

/** What taking in an issue comes to for whoever watches. */
export function localEvents({ record, changed, reverted, isRevived, conflicts }: Absorbed): SyncEvent[] {
  const { key, ref } = record;
  const events: SyncEvent[] = conflicts.map((conflict) => ({
    kind: "conflict",
    key,
    ref,
    fields: [conflict.field],
    conflict,
  }));
  if (reverted.length > 0) {
    events.push({
      kind: "unchanged",
      side: "remote",
      key,
      ref,
      fields: reverted,
      reason: "owned externally",
    });
  }
  const fields = changed.filter((field) => !reverted.includes(field));
  if (isRevived) events.push({ kind: "updated", side: "local", key, ref, fields, presence: "revived" });
  else if (fields.length > 0) events.push({ kind: "updated", side: "local", key, ref, fields });
  return events;
}

/** An issue that was just read, and what came of taking it in. */
export interface Met extends Absorbed {
  readonly remote: CanonicalIssue;
}

/** The knowledge that an issue is merged with. */
export interface MeetOptions extends ReadOptions {
  /** The issue as it was just read or as a write returned it; null to read it. */
  readonly read?: CanonicalIssue | null;
  /** The write that came before, if there was one. */
  readonly receiptFor?: (remote: CanonicalIssue, record: IssueRecord) => Receipt;
}

/**
 * Merges one issue into its record, and reads it first where it is not at hand.
 * Null when the provider confirms that the issue is gone; the record is a
 * tombstone then.
 *
 * @throws TrackerSdkError when the issue cannot be read, or only as it was before
 */
export async function meet(
  context: EngineContext,
  key: string,
  ref: ExternalRef,
  { read = null, receiptFor, ...options }: MeetOptions = {},
): Promise<Met | null> {
  const { ask, connector, store } = context;
  for (let count = 1; count <= ATTEMPTS; count += 1) {
    const isAtHand = read !== null && count === 1;
    const remote = isAtHand ? read : await ifThere(ask(() => connector.getIssue(ref, options)));
    const met = await store.transaction(async (transaction): Promise<Met | "gone" | "stale"> => {
      const [record] = await transaction.records([key]);
      if (record === undefined) return "gone";
      if (remote === null) {
        if (record.deletedAt === null) {
          await transaction.put([{ ...record, deletedAt: context.instant() }]);
        }
        return "gone";
      }
      if (isStale(context, record, remote)) return "stale";
      const absorbed = await absorb(context, transaction, record, remote, receiptFor?.(remote, record));
      if (absorbed.isChanged) await transaction.put([absorbed.record]);
      return { ...absorbed, remote };
    });
    if (met === "gone") return null;
    if (met !== "stale") return met;
  }
  throw new TrackerSdkError(`${connector.provider} shows issue ${ref.id} as it was before.`, {
    provider: connector.provider,
    failureClass: "transient",
  });
}

/** The outcome of finding that an issue is gone. */
export function deletedEvent(key: string, ref: ExternalRef | null): SyncEvent {
  return { kind: "updated", side: "local", key, ref, fields: [], presence: "deleted" };
}

/** Takes in the other ends of links that were written: providers show a link at both. */
export async function refreshEnds(
  context: EngineContext,
  ends: readonly ExternalRef[],
): Promise<readonly SyncEvent[]> {
  const identities = [...new Set(ends.map(identityOf))];
  if (identities.length === 0) return [];
  const known = await context.store.transaction((transaction) => transaction.findByRefs(identities));
  const events: SyncEvent[] = [];
  for (const identity of identities) {
    const record = known.get(identity);
    if (record === undefined || record.ref === null) continue;
    const { key, ref } = record;
    if (await isBodyOnItsWay(context, key)) continue;
    try {
      const met = await meet(context, key, ref);
      events.push(...(met === null ? [deletedEvent(key, ref)] : localEvents(met)));
    } catch (error) {
      if (!isRemote(context, error)) throw error;
      events.push(failed("local", { key, ref, fields: ["links"] }, error));
    }
  }
  return events;
}

/**
 * Whether a body is to be written, or is just being, that the provider writes its own way. Only the
 * write knows it again: whoever else read it would take it for somebody's edit.
 */
async function isBodyOnItsWay({ connector, store }: EngineContext, key: string): Promise<boolean> {
  if (connector.rewritesBodies !== true) return false;
  return store.transaction(async (transaction) => {
    const isBody = ({ field }: { readonly field: CoreField }) => field === "body";
    const isFrozen = (await transaction.openConflicts([key])).some(isBody);
    return !isFrozen && (await transaction.dirtyFields([key])).some(isBody);
  });
}

/** Whether a failure is the provider's, which concerns one issue, and not the store's, which ends the run. */
export function isRemote({ connector }: EngineContext, error: unknown): error is TrackerSdkError {
  return error instanceof TrackerSdkError && error.provider === connector.provider;
}
