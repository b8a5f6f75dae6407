/** Bringing an issue that exists locally only to the provider: once, whatever happens on the way. */
import { refusal } from "../capabilities.ts";
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
import { localAfter, receiptBase } from "./after-write.ts";
import type { EngineContext } from "./context.ts";
import { about, failed, type SyncEvent } from "./events.ts";
import { copyField, sameField } from "./merge.ts";
import {
  type Absorbed,
  absorb,
  deletedEvent,
  isRemote,
  localEvents,
  pendingFor,
  putAbsorbed,
  type Receipt,
  refreshEnds,
} from "./merge-record.ts";

/** Looks for the issues of creates whose outcome is unknown. */
export async function* settleIntents(context: EngineContext): AsyncGenerator<SyncEvent> {
  const intents = await context.store.transaction((transaction) => transaction.intents());
  for (const intent of intents) {
    try {
      yield* (await attachCreated(context, intent)) ?? [];
    } catch (error) {
      if (!isRemote(context, error)) throw error;
      yield failed("remote", { key: intent.key, ref: null, fields: [] }, error);
    }
  }
}

/** Attaches the issue that an earlier create made, or notes that it is gone since; null when there was none. */
export async function attachCreated(
  context: EngineContext,
  { key, idempotencyKey }: CreateIntent,
): Promise<SyncEvent[] | null> {
  const found = await context.ask(() => findCreated(context.connector, idempotencyKey));
  if (found === null) return null;
  if (found === "gone") return bury(context, key);
  // What was sent is not known any more: it is what an issue has that nobody changed since.
  const base = isUntouched(found) ? fieldsOf(found) : null;
  const absorbed = await attach(context, key, found, (local) => ({ base, local }));
  if (absorbed === null) return [];
  const ends = await refreshEnds(context, linkEnds(found));
  return [...createdEvents(absorbed, CORE_FIELDS), ...ends];
}

/** The result of a create. */
export interface Created {
  readonly events: readonly SyncEvent[];
  /**
   * The issue was changed before it was read, so that what the provider made of its body is not known:
   * written once more, it tells.
   */
  readonly isBodyOpen: boolean;
}

/** Creates the issue of `record`, which nothing is known about remotely. */
export async function create(
  context: EngineContext,
  record: IssueRecord,
  intent: CreateIntent,
): Promise<Created> {
  const { connector } = context;
  const { key, fields } = record;
  const refused = refusedOnCreate(context, fields);
  const sent = CORE_FIELDS.filter((field) => !refused.has(field));
  const events: SyncEvent[] = [];
  let isBodyOpen = false;
  if (context.writes === "planned") {
    events.push({ kind: "created", side: "remote", ...about(record, sent) });
  } else {
    const carried: IssueFields = { ...fields };
    for (const field of refused.keys()) copyField(field, BLANK, carried);
    const issue = await createOnce(context, carried, intent);
    if (issue === "gone") return { events: await bury(context, key), isBodyOpen };
    const rewritten = connector.rewritesBodies === true && isUntouched(issue) ? { body: issue.body } : {};
    const absorbed = await attach(context, key, issue, (now) => ({
      base: receiptBase(BLANK, fields, issue, new Set(sent)),
      local: localAfter(now, fields, rewritten),
    }));
    if (absorbed === null) return { events: [], isBodyOpen };
    events.push(...createdEvents(absorbed, sent));
    isBodyOpen = connector.rewritesBodies === true && absorbed.push.includes("body");
    const lost = sent.filter(
      (field) =>
        absorbed.push.includes(field) &&
        sameField(field, absorbed.record.fields, fields) &&
        !(field === "body" && isBodyOpen),
    );
    events.push(
      ...lost.map((field) =>
        failed("remote", { key, ref: issue.ref, fields: [field] }, notApplied(connector.provider, field)),
      ),
      ...(await refreshEnds(context, linkEnds(issue))),
    );
  }
  for (const [field, error] of refused) {
    events.push(failed("remote", { key, ref: null, fields: [field] }, error));
  }
  return { events, isBodyOpen };
}

/** Sends a create that has made nothing so far. Looks for its issue before it is sent again. */
function createOnce(
  { ask, connector }: EngineContext,
  fields: IssueFields,
  { idempotencyKey }: CreateIntent,
): Promise<CanonicalIssue | "gone"> {
  return ask(async (attempt) => {
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
function bury({ store, instant }: EngineContext, key: string): Promise<SyncEvent[]> {
  return store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    await transaction.removeIntent(key);
    if (record === undefined) return [];
    await transaction.put([{ ...record, deletedAt: instant() }]);
    return [deletedEvent(key, null)];
  });
}

/** The fields that a new issue cannot have with this provider. A field that is empty needs no capability. */
function refusedOnCreate(
  { connector }: EngineContext,
  fields: IssueFields,
): ReadonlyMap<CoreField, TrackerSdkError> {
  const refused = new Map<CoreField, TrackerSdkError>();
  for (const field of CORE_FIELDS) {
    if (sameField(field, fields, BLANK)) continue;
    const error = refusal(connector.provider, connector.capabilities(), field, fields);
    if (error !== null) refused.set(field, error);
  }
  return refused;
}

/** Joins a record with its issue. Null when the record is gone. */
function attach(
  context: EngineContext,
  key: string,
  issue: CanonicalIssue,
  receiptFor: (local: IssueFields) => Receipt,
): Promise<Absorbed | null> {
  return context.store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    await transaction.removeIntent(key);
    if (record === undefined) return null;
    const own: IssueRecord = { ...record, fields: { ...record.fields } };
    const remote = await mergeTwinAway(transaction, own, issue);
    const pending = await pendingFor(transaction, [key]);
    const absorbed = absorb(context, own, remote, pending(key), receiptFor(own.fields));
    await putAbsorbed(transaction, [{ ...absorbed, isChanged: true }]);
    return absorbed;
  });
}

/**
 * A pull may have met the issue before its create was known to have succeeded,
 * and made a second record of it. Moves what was edited or is undecided there
 * into `own` and removes it; returns the newer of the two remote states.
 */
async function mergeTwinAway(
  transaction: StoreTransaction,
  own: IssueRecord,
  issue: CanonicalIssue,
): Promise<CanonicalIssue> {
  const identity = identityOf(issue.ref);
  const twin = (await transaction.findByRefs([identity])).get(identity);
  if (twin === undefined || twin.key === own.key) return issue;
  const edits = await transaction.dirtyFields([twin.key]);
  const undecided = await transaction.openConflicts([twin.key]);
  const ownEdits = await transaction.dirtyFields([own.key]);
  await transaction.remove(twin.key);
  await transaction.putConflicts(undecided.map((conflict) => ({ ...conflict, key: own.key })));
  for (const { field, changedAt } of edits) {
    const mine = ownEdits.find((entry) => entry.field === field);
    if (mine !== undefined && mine.changedAt > changedAt) continue;
    copyField(field, twin.fields, own.fields);
    await transaction.markDirty([{ key: own.key, field, changedAt }]);
  }
  if (twin.base === null || twin.base.updatedAt <= issue.updatedAt) return issue;
  const { fields, ...rest } = twin.base;
  return { ...issue, ...fields, ...rest };
}

function createdEvents(absorbed: Absorbed, fields: readonly CoreField[]): SyncEvent[] {
  return [{ kind: "created", side: "remote", ...about(absorbed.record, fields) }, ...localEvents(absorbed)];
}

function linkEnds({ links }: IssueFields): readonly ExternalRef[] {
  return links.map(({ target }) => target);
}
