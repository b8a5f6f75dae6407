/** Bringing an issue that exists locally only to the provider: once, whatever happens on the way. */
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

/** Attaches the issue that an earlier create made, or notes that it is gone since; null when there was none. */
export async function attachCreated(
  context: EngineContext,
  { key, idempotencyKey }: CreateIntent,
): Promise<SyncEvent[] | null> {
  const found = await context.send(() => findCreated(context.connector, idempotencyKey));
  if (found === null) return null;
  if (found === "gone") return markDeleted(context, key);
  // What was sent is not known any more: it is what an issue has that nobody changed since.
  const base = isUntouched(found) ? fieldsOf(found) : null;
  const merged = await attach(context, key, found, (local) => ({ base, local }));
  if (merged === null) return [];
  const ends = await refreshLinkEnds(context, linkEnds(found));
  return [...createdEvents(merged, CORE_FIELDS), ...ends];
}

/** The result of a create. */
export interface CreateResult {
  readonly events: readonly SyncEvent[];
  /**
   * The issue was changed before it was read, so that what the provider made of its body is not known:
   * written once more, it tells.
   */
  readonly isBodyUnconfirmed: boolean;
}

/** Creates the issue of `record`, which nothing is known about remotely. */
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
    const lost = sent.filter(
      (field) =>
        merged.push.includes(field) &&
        sameField(field, merged.record.fields, fields) &&
        !(field === "body" && isBodyUnconfirmed),
    );
    events.push(
      ...lost.map((field) =>
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

/** Sends a create that has made nothing so far. Looks for its issue before it is sent again. */
function createOnce(
  { send, connector }: EngineContext,
  fields: IssueFields,
  { idempotencyKey }: CreateIntent,
): Promise<CanonicalIssue | "gone"> {
  return send(async (attempt) => {
    const made = attempt === 1 ? null : await findCreated(connector, idempotencyKey);
    return made ?? connector.createIssue(fields, { idempotencyKey, lookUp: "never" });
  });
}

/** The issue that a create made; null when there is none, `gone` when it was deleted or moved away since. */
async function findCreated(
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

/** Reports whether an issue is unchanged since it was made. */
function isUntouched({ createdAt, updatedAt }: CanonicalIssue): boolean {
  return updatedAt === createdAt;
}

/** Makes a tombstone of a record whose issue came and went before it was known. */
function markDeleted({ store, instant }: EngineContext, key: string): Promise<SyncEvent[]> {
  return store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    await transaction.removeIntent(key);
    if (record === undefined) return [];
    await transaction.put([{ ...record, deletedAt: instant() }]);
    return [deletedEvent(key, null)];
  });
}

/** The fields that a new issue cannot have with this provider. A field that is empty needs no capability. */
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

/** Joins a record with its issue. Null when the record is gone. */
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
 * A pull may have met the issue before its create was known to have succeeded,
 * and made a second record of it. Moves what was edited or is undecided there
 * into `own` and removes it; returns the newer of the two remote states.
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
