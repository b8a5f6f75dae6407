/** Creates a local issue at the provider, once, even when a run is interrupted. */
import { unsupportedError } from "../capabilities.ts";
import type { TrackerConnector } from "../connector.ts";
import { IssueNotFoundError, notApplied, type TrackerSdkError } from "../errors.ts";
import {
  BLANK,
  type CanonicalIssue,
  CORE_FIELDS,
  type CoreField,
  type ExternalRef,
  type IssueFields,
  identityOf,
} from "../model.ts";
import { type CreateIntent, fieldsOf, type IssueRecord, type StoreTransaction } from "../stores/store.ts";
import { baseAfterWrite, localAfterWrite } from "./after-write.ts";
import type { EngineContext } from "./context.ts";
import { eventRecord, failedEvent, type SyncEvent } from "./events.ts";
import { copyField, sameField } from "./merge.ts";
import {
  deletedEvent,
  isProviderError,
  localEvents,
  type MergedRecord,
  mergeRecord,
  pendingFor,
  putMerged,
  refreshLinkEnds,
  type WriteReceipt,
} from "./merge-record.ts";

/** Looks for the issues of creates whose outcome is unknown. */
export async function* resolveIntents(context: EngineContext): AsyncGenerator<SyncEvent> {
  const intents = await context.store.transaction((transaction) => transaction.intents());
  for (const intent of intents) {
    try {
      yield* (await attachCreated(context, intent)) ?? [];
    } catch (error) {
      if (!isProviderError(context, error)) throw error;
      yield failedEvent("remote", { key: intent.key, ref: null, fields: [] }, error);
    }
  }
}

/** Attaches the issue that an earlier create made, or records that it is gone; null when there was none. */
export async function attachCreated(
  context: EngineContext,
  { key, idempotencyKey }: CreateIntent,
): Promise<SyncEvent[] | null> {
  const found = await context.send(() => findCreatedOrGone(context.connector, idempotencyKey));
  if (found === null) return null;
  if (found === "gone") return markDeleted(context, key);
  // The sent values are no longer known. An issue that was not changed since still has them.
  const base = isUntouched(found) ? fieldsOf(found) : null;
  const merged = await attach(context, key, found, (local) => ({ base, local }));
  if (merged === null) return [];
  const ends = await refreshLinkEnds(context, linkEnds(found));
  return [...createdEvents(merged, CORE_FIELDS), ...ends];
}

export interface CreateResult {
  readonly events: readonly SyncEvent[];
  /** The issue changed before it was read: the provider's form of its body is unknown. */
  readonly isBodyUnconfirmed: boolean;
}

/** Creates the issue of a record that has no remote issue. */
export async function create(
  context: EngineContext,
  record: IssueRecord,
  intent: CreateIntent,
): Promise<CreateResult> {
  const { connector } = context;
  const { key, fields } = record;
  const refused = unsupportedOnCreate(context, fields);
  const sent = CORE_FIELDS.filter((field) => !refused.has(field));
  const events: SyncEvent[] = [];
  let isBodyUnconfirmed = false;
  if (context.writes === "planned") {
    events.push({ kind: "created", side: "remote", ...eventRecord(record, sent) });
  } else {
    const carried: IssueFields = { ...fields };
    for (const field of refused.keys()) copyField(field, BLANK, carried);
    const issue = await createOnce(context, carried, intent);
    if (issue === "gone") return { events: await markDeleted(context, key), isBodyUnconfirmed };
    const rewritten = connector.rewritesBodies === true && isUntouched(issue) ? { body: issue.body } : {};
    const merged = await attach(context, key, issue, (now) => ({
      base: baseAfterWrite(BLANK, fields, issue, new Set(sent)),
      local: localAfterWrite(now, fields, rewritten),
    }));
    if (merged === null) return { events: [], isBodyUnconfirmed };
    events.push(...createdEvents(merged, sent));
    isBodyUnconfirmed = connector.rewritesBodies === true && merged.push.includes("body");
    const unsaved = sent.filter(
      (field) =>
        merged.push.includes(field) &&
        sameField(field, merged.record.fields, fields) &&
        !(field === "body" && isBodyUnconfirmed),
    );
    events.push(
      ...unsaved.map((field) =>
        failedEvent(
          "remote",
          { key, ref: issue.ref, fields: [field] },
          notApplied(connector.provider, field),
        ),
      ),
      ...(await refreshLinkEnds(context, linkEnds(issue))),
    );
  }
  for (const [field, error] of refused) {
    events.push(failedEvent("remote", { key, ref: null, fields: [field] }, error));
  }
  return { events, isBodyUnconfirmed };
}

/** Sends a create; before a retry it looks for the issue of the first attempt. */
function createOnce(
  { send, connector }: EngineContext,
  fields: IssueFields,
  { idempotencyKey }: CreateIntent,
): Promise<CanonicalIssue | "gone"> {
  return send(async (attempt) => {
    const existing = attempt === 1 ? null : await findCreatedOrGone(connector, idempotencyKey);
    return existing ?? connector.createIssue(fields, { idempotencyKey, lookUp: "never" });
  });
}

/** The issue that a create made; null when there is none, `gone` when it was deleted or moved away since. */
async function findCreatedOrGone(
  connector: TrackerConnector,
  idempotencyKey: string,
): Promise<CanonicalIssue | "gone" | null> {
  try {
    return await connector.findCreated(idempotencyKey);
  } catch (error) {
    if (error instanceof IssueNotFoundError) return "gone";
    throw error;
  }
}

function isUntouched({ createdAt, updatedAt }: CanonicalIssue): boolean {
  return updatedAt === createdAt;
}

/** Marks a record deleted whose issue was created and deleted before it was known. */
function markDeleted({ store, instant }: EngineContext, key: string): Promise<SyncEvent[]> {
  return store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    await transaction.removeIntent(key);
    if (record === undefined) return [];
    await transaction.put([{ ...record, deletedAt: instant() }]);
    return [deletedEvent(key, null)];
  });
}

/** The fields of a new issue that the provider does not support. An empty field needs no capability. */
function unsupportedOnCreate(
  { connector }: EngineContext,
  fields: IssueFields,
): ReadonlyMap<CoreField, TrackerSdkError> {
  const refused = new Map<CoreField, TrackerSdkError>();
  for (const field of CORE_FIELDS) {
    if (sameField(field, fields, BLANK)) continue;
    const error = unsupportedError(connector.provider, connector.capabilities(), field, fields);
    if (error !== null) refused.set(field, error);
  }
  return refused;
}

/** Connects a record with its issue; null when the record is gone. */
function attach(
  context: EngineContext,
  key: string,
  issue: CanonicalIssue,
  receiptFor: (local: IssueFields) => WriteReceipt,
): Promise<MergedRecord | null> {
  return context.store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    await transaction.removeIntent(key);
    if (record === undefined) return null;
    const own: IssueRecord = { ...record, fields: { ...record.fields } };
    const remote = await mergeDuplicateRecord(transaction, own, issue);
    const pending = await pendingFor(transaction, [key]);
    const merged = mergeRecord(context, own, remote, pending(key), receiptFor(own.fields));
    await putMerged(transaction, [{ ...merged, isChanged: true }]);
    return merged;
  });
}

/**
 * A pull may have recorded the issue before its create was known to have succeeded. Moves the edits and open
 * conflicts of that record to `own` and removes it; returns the newer of the two remote states.
 */
async function mergeDuplicateRecord(
  transaction: StoreTransaction,
  own: IssueRecord,
  issue: CanonicalIssue,
): Promise<CanonicalIssue> {
  const identity = identityOf(issue.ref);
  const duplicate = (await transaction.findByRefs([identity])).get(identity);
  if (duplicate === undefined || duplicate.key === own.key) return issue;
  const edits = await transaction.dirtyFields([duplicate.key]);
  const undecided = await transaction.openConflicts([duplicate.key]);
  const ownEdits = await transaction.dirtyFields([own.key]);
  await transaction.remove(duplicate.key);
  await transaction.putConflicts(undecided.map((conflict) => ({ ...conflict, key: own.key })));
  for (const { field, changedAt } of edits) {
    const mine = ownEdits.find((entry) => entry.field === field);
    if (mine !== undefined && mine.changedAt > changedAt) continue;
    copyField(field, duplicate.fields, own.fields);
    await transaction.markDirty([{ key: own.key, field, changedAt }]);
  }
  if (duplicate.base === null || duplicate.base.updatedAt <= issue.updatedAt) return issue;
  const { fields, ...rest } = duplicate.base;
  return { ...issue, ...fields, ...rest };
}

function createdEvents(merged: MergedRecord, fields: readonly CoreField[]): SyncEvent[] {
  return [{ kind: "created", side: "remote", ...eventRecord(merged.record, fields) }, ...localEvents(merged)];
}

function linkEnds({ links }: IssueFields): readonly ExternalRef[] {
  return links.map(({ target }) => target);
}
