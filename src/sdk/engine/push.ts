/** Writes local edits to the provider without overwriting unseen changes. */
import { unsupportedError } from "../capabilities.ts";
import type { ChangeOptions } from "../connector.ts";
import { ConnectorRequestError, notApplied, type TrackerSdkError } from "../errors.ts";
import type {
  CanonicalIssue,
  CanonicalLink,
  CoreField,
  ExternalRef,
  IssueFields,
  IssuePatch,
} from "../model.ts";
import type { CreateIntent, IssueRecord } from "../stores/store.ts";
import { baseAfterWrite, localAfterWrite } from "./after-write.ts";
import type { EngineContext } from "./context.ts";
import { attachCreated, type CreateResult, create } from "./create.ts";
import { eventRecord, failedEvent, type SyncEvent } from "./events.ts";
import { mapInOrder } from "./map-in-order.ts";
import { linkIdentity, sameField, sendablePatch } from "./merge.ts";
import {
  deletedEvent,
  fetchAndMerge,
  isProviderError,
  localEvents,
  type MergedIssue,
  refreshLinkEnds,
} from "./merge-record.ts";
import { ownerOf } from "./policy.ts";
import { MAX_ATTEMPTS } from "./retry.ts";

interface PushScope {
  /** One issue; null for all issues with dirty fields, in the order of their first edits. */
  readonly key: string | null;
  readonly read: CanonicalIssue | null;
}

export async function* push(context: EngineContext, { key, read }: PushScope): AsyncGenerator<SyncEvent> {
  if (key !== null) {
    yield* await pushIssue(context, key, read);
    yield { kind: "progress", phase: "push", done: 1 };
    return;
  }
  let done = 0;
  const pushed = mapInOrder(dirtyKeys(context), context.concurrency, (key) => pushIssue(context, key, null));
  for await (const events of pushed) {
    yield* events;
    done += 1;
  }
  yield { kind: "progress", phase: "push", done };
}

/** Every key with dirty fields once, by its first edit. */
async function* dirtyKeys({ store, pageSize }: EngineContext): AsyncGenerator<string> {
  const seen = new Set<string>();
  for (let after = 0; ; ) {
    const entries = await store.transaction((transaction) => transaction.dirtyKeys(after, pageSize));
    for (const { key, sequence } of entries) {
      after = sequence;
      if (seen.has(key)) continue;
      seen.add(key);
      yield key;
    }
    if (entries.length < pageSize) return;
  }
}

/** The edits of one issue that are ready to be pushed. */
interface PendingPush {
  readonly record: IssueRecord;
  readonly dirty: readonly CoreField[];
  readonly frozen: readonly CoreField[];
  /** The create to send, or one that was begun. */
  readonly intent: CreateIntent | null;
  readonly isIntentNew: boolean;
}

async function pushIssue(
  context: EngineContext,
  key: string,
  read: CanonicalIssue | null,
): Promise<SyncEvent[]> {
  const pending = await readPendingPush(context, key);
  if (pending === null) return [];
  const { record, dirty, frozen, intent, isIntentNew } = pending;
  const { ref, deletedAt } = record;
  if (deletedAt !== null) {
    return [{ kind: "unchanged", side: "remote", ...eventRecord(record, dirty), reason: "deleted remotely" }];
  }
  const events: SyncEvent[] = [];
  if (frozen.length > 0) {
    events.push({
      kind: "unchanged",
      side: "remote",
      ...eventRecord(record, frozen),
      reason: "waits for a decision",
    });
  }
  if (dirty.length === 0) return events;
  try {
    if (ref !== null) {
      await pushFields(context, pending, ref, read, events);
    } else if (intent !== null) {
      const attached = isIntentNew ? null : await attachCreated(context, intent);
      if (attached !== null) {
        events.push(...attached, ...(await pushIssue(context, key, null)));
      } else {
        const created = await createOrAttach(context, record, intent);
        events.push(...created.events);
        if (created.isBodyUnconfirmed) {
          // The create has reported the body already.
          const isUnreported = (event: SyncEvent) =>
            event.kind !== "updated" ||
            event.side === "local" ||
            event.fields.some((field) => field !== "body");
          events.push(...(await pushIssue(context, key, null)).filter(isUnreported));
        }
      }
    }
  } catch (error) {
    if (!isProviderError(context, error)) throw error;
    events.push(failedEvent("remote", { key, ref, fields: dirty }, error));
  }
  return events;
}

/** Creates an issue. Where the provider refuses a part of it, the issue may exist all the same and is attached. */
async function createOrAttach(
  context: EngineContext,
  record: IssueRecord,
  intent: CreateIntent,
): Promise<CreateResult> {
  try {
    return await create(context, record, intent);
  } catch (error) {
    if (!isProviderError(context, error) || error.retryable || error.failureClass === "auth") throw error;
    const attached = await attachCreated(context, intent);
    if (attached === null) throw error;
    return {
      events: [...attached, ...(await pushIssue(context, record.key, null))],
      isBodyUnconfirmed: false,
    };
  }
}

/** Reads the pending edits of an issue; stores the intent of a create before anything is sent. */
function readPendingPush({ store, newId }: EngineContext, key: string): Promise<PendingPush | null> {
  return store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    const dirty = (await transaction.dirtyFields([key])).map(({ field }) => field);
    if (record === undefined || dirty.length === 0) return null;
    const waiting = new Set((await transaction.openConflicts([key])).map(({ field }) => field));
    const begun = await transaction.intent(key);
    const isIntentNew = record.ref === null && record.deletedAt === null && begun === null;
    const intent = isIntentNew ? { key, idempotencyKey: newId() } : begun;
    if (isIntentNew && intent !== null) await transaction.putIntent(intent);
    return {
      record,
      dirty: dirty.filter((field) => !waiting.has(field)),
      frozen: dirty.filter((field) => waiting.has(field)),
      intent,
      isIntentNew,
    };
  });
}

/** Pushes the fields of an issue that exists remotely; `events` keeps what happened before a failure. */
async function pushFields(
  context: EngineContext,
  { record: { key, base, fields }, dirty }: PendingPush,
  ref: ExternalRef,
  read: CanonicalIssue | null,
  events: SyncEvent[],
): Promise<void> {
  const { connector, policy } = context;
  const unsupportedErrorOf = (field: CoreField, values: IssueFields) =>
    unsupportedError(connector.provider, connector.capabilities(), field, values);
  const refuse = (refused: readonly CoreField[], values: IssueFields): void => {
    for (const field of refused) {
      const error = unsupportedErrorOf(field, values);
      if (error !== null) events.push(failedEvent("remote", { key, ref, fields: [field] }, error));
    }
  };
  // Unsupported fields are refused without a request; fields that the provider owns have to be read to be
  // reverted.
  if (
    dirty.every(
      (field) => ownerOf(policy, field) !== "external" && unsupportedErrorOf(field, fields) !== null,
    )
  ) {
    refuse(dirty, fields);
    return;
  }

  // Unwritten links are not read where that costs a request of its own.
  const options = base === null || dirty.includes("links") ? {} : { links: base.fields.links };
  for (let count = 1; ; count += 1) {
    const merged = await fetchAndMerge(context, key, ref, { read: count === 1 ? read : null, ...options });
    if (merged === null) {
      events.push(deletedEvent(key, ref));
      return;
    }
    events.push(...localEvents(merged));
    const wanted = merged.record.fields;
    const writable = merged.push.filter((field) => unsupportedErrorOf(field, wanted) === null);
    if (writable.length === 0) {
      refuse(merged.push, wanted);
      if (events.length === 0) {
        const unchanged = eventRecord(merged.record, dirty);
        events.push({ kind: "unchanged", side: "remote", ...unchanged, reason: "already equal" });
      }
      return;
    }
    if (context.writes === "planned") {
      events.push({ kind: "updated", side: "remote", ...eventRecord(merged.record, writable) });
      refuse(merged.push, wanted);
      return;
    }
    const written = await write(context, merged, writable);
    if (written !== "changed meanwhile") {
      events.push(...(await mergeAfterWrite(context, merged, writable, written)));
      refuse(merged.push, wanted);
      events.push(...(await refreshLinkEnds(context, written.linked)));
      return;
    }
    if (count === MAX_ATTEMPTS) {
      throw new ConnectorRequestError(`Issue ${ref.id} changed again before every attempt to write it.`, {
        provider: connector.provider,
        failureClass: "conflict",
      });
    }
  }
}

/** The outcome of a write, as far as the answers show it. */
interface WriteResult {
  readonly failures: ReadonlyMap<CoreField, TrackerSdkError>;
  /** The issue after the last part; null when it has to be read. */
  readonly after: CanonicalIssue | null;
  /** The other ends of links that were added or removed. */
  readonly linked: readonly ExternalRef[];
  /** The body, where the provider rewrote it. */
  readonly rewritten: Pick<IssuePatch, "body">;
}

interface Part {
  readonly kind: "values" | "link" | "status";
  readonly fields: readonly CoreField[];
  readonly end?: ExternalRef;
  readonly send: (options: ChangeOptions) => Promise<CanonicalIssue>;
}

/** The requests of a write: values, then links, status last, so that a refused transition loses nothing else. */
function partsOf(
  { connector, newId }: EngineContext,
  { record, remote }: MergedIssue,
  fields: readonly CoreField[],
): readonly Part[] {
  const { ref, revision } = remote;
  const parts: Part[] = [];
  const values = fields.filter((field) => field !== "status" && field !== "links");
  if (values.length > 0) {
    const patch = sendablePatch(record.fields, values);
    const isConditional = revision !== null && connector.capabilities().conditionalWrites;
    const condition = isConditional ? { expectedRevision: revision } : {};
    const write = { idempotencyKey: newId(), seen: remote, ...condition };
    parts.push({
      kind: "values",
      fields: values,
      send: (options) => connector.updateIssue(ref, patch, { ...write, ...options }),
    });
  }
  if (fields.includes("links")) {
    const { added, removed } = linkChanges(remote, record.fields);
    const link = { kind: "link", fields: ["links"] } as const;
    for (const one of added) {
      const send: Part["send"] = (options) => connector.upsertLink(ref, one, options);
      parts.push({ ...link, end: one.target, send });
    }
    for (const one of removed) {
      const send: Part["send"] = (options) => connector.removeLink(ref, one, options);
      parts.push({ ...link, end: one.target, send });
    }
  }
  if (fields.includes("status")) {
    const { status } = record.fields;
    const write = { idempotencyKey: newId() };
    parts.push({
      kind: "status",
      fields: ["status"],
      send: (options) => connector.transitionIssue(ref, status, { ...write, ...options }),
    });
  }
  return parts;
}

/** Writes `fields` in parts; a failure concerns its part alone. */
async function write(
  context: EngineContext,
  merged: MergedIssue,
  fields: readonly CoreField[],
): Promise<WriteResult | "changed meanwhile"> {
  const { send, connector } = context;
  const failures = new Map<CoreField, TrackerSdkError>();
  let rewritten: WriteResult["rewritten"] = {};
  /** The issue as far as known; only the last part's result is certain. */
  let latest: CanonicalIssue = merged.remote;
  let after: CanonicalIssue | null = null;
  const parts = partsOf(context, merged, fields);
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const current = latest;
    try {
      latest = await send((attempt) =>
        // A failed attempt may have changed the issue.
        part.send({ readBack: isLast ? "now" : "later", ...(attempt === 1 && { current }) }),
      );
      if (isLast) after = latest;
      if (connector.rewritesBodies === true && part.fields.includes("body"))
        rewritten = { body: latest.body };
    } catch (error) {
      if (!isProviderError(context, error)) throw error;
      if (part.kind === "values" && error.failureClass === "conflict") return "changed meanwhile";
      for (const field of part.fields) failures.set(field, error);
    }
  }
  return { failures, after, linked: parts.flatMap(({ end }) => end ?? []), rewritten };
}

function linkChanges(
  from: IssueFields,
  to: IssueFields,
): { added: CanonicalLink[]; removed: CanonicalLink[] } {
  const [before, after] = [from, to].map(({ links }) => new Set(links.map(linkIdentity)));
  return {
    added: to.links.filter((link) => !before?.has(linkIdentity(link))),
    removed: from.links.filter((link) => !after?.has(linkIdentity(link))),
  };
}

/** Merges the issue after a write and reports the fields that were saved and those that were not. */
async function mergeAfterWrite(
  context: EngineContext,
  { record, remote }: MergedIssue,
  fields: readonly CoreField[],
  { after, failures, rewritten }: WriteResult,
): Promise<SyncEvent[]> {
  const { key } = record;
  const { ref } = remote;
  const accepted = new Set(fields.filter((field) => !failures.has(field)));
  const merged = await fetchAndMerge(context, key, ref, {
    read: after,
    ...(!fields.includes("links") && { links: remote.links }),
    receiptFor: (issue, now) => ({
      base: baseAfterWrite(remote, record.fields, issue, accepted),
      local: localAfterWrite(now.fields, record.fields, rewritten),
    }),
  });
  if (merged === null) return [deletedEvent(key, ref)];
  const isMissing = (field: CoreField) =>
    merged.push.includes(field) && sameField(field, merged.record.fields, record.fields);
  const arrived = fields.filter((field) => !isMissing(field));
  const events: SyncEvent[] = [];
  if (arrived.length > 0)
    events.push({ kind: "updated", side: "remote", ...eventRecord(merged.record, arrived) });
  for (const field of fields.filter(isMissing)) {
    const error = failures.get(field) ?? notApplied(context.connector.provider, field);
    events.push(failedEvent("remote", { key, ref, fields: [field] }, error));
  }
  return [...events, ...localEvents(merged)];
}
