/** Fetches the provider's changes, page by page. */
import { ConnectorConfigError, IssueNotFoundError } from "../errors.ts";
import {
  type CanonicalIssue,
  CORE_FIELDS,
  type CoreField,
  type ExternalRef,
  identityOf,
  type Page,
} from "../model.ts";
import {
  baseOf,
  fieldsOf,
  type IssueRecord,
  type StoreTransaction,
  type SyncCheckpoint,
} from "../stores/store.ts";
import type { EngineContext } from "./context.ts";
import { resolveIntents } from "./create.ts";
import { eventRecord, failedEvent, type SyncEvent, type UnchangedReason } from "./events.ts";
import {
  deletedEvent,
  fetchAndMerge,
  isProviderError,
  isStale,
  localEvents,
  type MergedRecord,
  mergeRecord,
  pendingFor,
  putMerged,
} from "./merge-record.ts";

interface PullScope {
  /** Reads everything; issues that are not listed are then read one by one. */
  readonly full: boolean;
  /** Stops after this many issues, even within a window; null for no limit. */
  readonly limit: number | null;
}

type Window = NonNullable<SyncCheckpoint["window"]>;

/** Pulls one window of changes, or the rest of one; a limited pull leaves the rest to the next pull. */
export async function* pull(context: EngineContext, { full, limit }: PullScope): AsyncGenerator<SyncEvent> {
  yield* resolveIntents(context);
  const { store, name } = context;
  const checkpoint = await store.transaction((transaction) => transaction.checkpoint(name));
  const listed = new Set<string>();
  let window: Window | null = full
    ? nextWindow(context, null)
    : (checkpoint.window ?? nextWindow(context, checkpoint.updatedSince));
  /** A cursor can expire; the window is then read from its start, once. */
  let canRestart = true;
  /** Issues per request; halved when a page was too large. */
  let pageSize = context.pageSize;
  let done = 0;
  while (window !== null) {
    if (limit !== null && done >= limit) return;
    const current: Window = window;
    try {
      const requested = limit === null ? pageSize : Math.min(pageSize, limit - done);
      const page = await list(context, current, requested);
      const count = page.items.length;
      if (requested > 1 && count > 1 && !context.canMerge(page.items)) {
        pageSize = Math.ceil(Math.min(requested, count) / 2);
        continue;
      }
      const result = await mergePage(context, page, {
        window: current,
        updatedSince: checkpoint.updatedSince,
      });
      if (full) for (const { ref } of page.items) listed.add(identityOf(ref));
      yield* result.events;
      done += count;
      yield { kind: "progress", phase: "pull", done };
      window = result.next;
    } catch (error) {
      if (!isProviderError(context, error) || error instanceof ConnectorConfigError) throw error;
      const isCursorRefused = canRestart && current.cursor !== null && error.failureClass === "invalid";
      if (!isCursorRefused) {
        yield failedEvent("local", { key: null, ref: null, fields: [] }, error);
        return;
      }
      canRestart = false;
      window = { ...current, cursor: null };
    }
  }
  if (full) yield* confirmUnlisted(context, listed);
}

function nextWindow({ instant, overlapMs }: EngineContext, updatedSince: string | null): Window {
  const since = updatedSince === null ? null : new Date(Date.parse(updatedSince) - overlapMs).toISOString();
  return { since, until: instant(), cursor: null };
}

function list(
  { send, connector }: EngineContext,
  { since, until, cursor }: Window,
  limit: number,
): Promise<Page<CanonicalIssue>> {
  const query = {
    limit,
    ...(since !== null && { updatedSince: since }),
    ...(cursor !== null && { cursor }),
    // Without an end, because a clock ahead of this one may have dated a change.
    ...(!connector.capabilities().currentReads && { until }),
  };
  return send(() => connector.listIssues(query));
}

/** Merges a page and stores the pull's position, in one transaction with a constant number of queries. */
function mergePage(
  context: EngineContext,
  { items, nextCursor }: Page<CanonicalIssue>,
  { window, updatedSince }: { readonly window: Window; readonly updatedSince: string | null },
): Promise<{ readonly events: readonly SyncEvent[]; readonly next: Window | null }> {
  return context.store.transaction(async (transaction) => {
    const issues = latestOf(items);
    const records = await transaction.findByRefs([...issues.keys()]);
    const pending = await pendingFor(
      transaction,
      [...records.values()].map(({ key }) => key),
    );
    const created: IssueRecord[] = [];
    const merged: MergedRecord[] = [];
    const events: SyncEvent[] = [];
    for (const [identity, issue] of issues) {
      const record = records.get(identity);
      if (record === undefined) {
        const fresh = newRecord(issue);
        created.push(fresh);
        events.push({ kind: "created", side: "local", ...eventRecord(fresh, CORE_FIELDS) });
      } else if (isStale(context, record, issue)) {
        events.push(unchanged(record, "older than known"));
      } else {
        const result = mergeRecord(context, record, issue, pending(record.key));
        merged.push(result);
        events.push(...pulledEvents(result));
      }
    }
    await transaction.put(created);
    await putMerged(transaction, merged);
    const next = nextCursor === null ? null : { ...window, cursor: nextCursor };
    const reached = next === null ? latest(updatedSince, readUntil(context, window)) : updatedSince;
    await transaction.putCheckpoint(context.name, { updatedSince: reached, window: next });
    return { events, next };
  });
}

/** The issues of a page by identity; the later state of one that is listed twice. */
function latestOf(items: readonly CanonicalIssue[]): ReadonlyMap<string, CanonicalIssue> {
  const issues = new Map<string, CanonicalIssue>();
  for (const issue of items) {
    const identity = identityOf(issue.ref);
    const other = issues.get(identity);
    if (other === undefined || other.updatedAt <= issue.updatedAt) issues.set(identity, issue);
  }
  return issues;
}

/** The end of a window, or the provider's time where this machine's clock is ahead of it. */
function readUntil({ connector }: EngineContext, { until }: Window): string {
  const time = connector.time?.() ?? null;
  return time !== null && time < until ? time : until;
}

/** A clock that was set back does not set a checkpoint back. */
function latest(one: string | null, other: string): string {
  return one !== null && one > other ? one : other;
}

function unchanged(
  record: IssueRecord,
  reason: UnchangedReason,
  fields: readonly CoreField[] = [],
): SyncEvent {
  return { kind: "unchanged", side: "local", ...eventRecord(record, fields), reason };
}

/** The events of a listed issue that was known before. */
function pulledEvents(merged: MergedRecord): readonly SyncEvent[] {
  const { record, push } = merged;
  const events = localEvents(merged);
  if (push.length > 0) return [...events, unchanged(record, "waits to be pushed", push)];
  return events.length > 0 ? events : [unchanged(record, "already equal")];
}

function newRecord(issue: CanonicalIssue): IssueRecord {
  const { ref } = issue;
  return { key: identityOf(ref), ref, fields: fieldsOf(issue), base: baseOf(issue), deletedAt: null };
}

export async function fetchIssue(
  context: EngineContext,
  ref: ExternalRef,
  read: CanonicalIssue | null,
): Promise<IssueRecord> {
  const { send, connector, store } = context;
  const identity = identityOf(ref);
  const find = (transaction: StoreTransaction) =>
    transaction.findByRefs([identity]).then((found) => found.get(identity));
  const record = await store.transaction(find);
  if (record !== undefined) {
    const merged = await fetchAndMerge(context, record.key, ref, { read });
    if (merged === null) throw new IssueNotFoundError(connector.provider, ref.id);
    return merged.record;
  }
  const issue = read ?? (await send(() => connector.getIssue(ref)));
  return store.transaction(async (transaction) => {
    const record = (await find(transaction)) ?? newRecord(issue);
    await transaction.put([record]);
    return record;
  });
}

/** Reads the known issues that a full listing did not show; only those confirmed to be gone are marked deleted. */
async function* confirmUnlisted(
  context: EngineContext,
  listed: ReadonlySet<string>,
): AsyncGenerator<SyncEvent> {
  const { store, pageSize } = context;
  for (let after: string | null = null; ; ) {
    const from: string | null = after;
    const records: readonly IssueRecord[] = await store.transaction((transaction) =>
      transaction.list(from, pageSize),
    );
    for (const { key, ref, deletedAt } of records) {
      after = key;
      if (ref === null || deletedAt !== null || listed.has(identityOf(ref))) continue;
      try {
        const merged = await fetchAndMerge(context, key, ref);
        yield* merged === null ? [deletedEvent(key, ref)] : localEvents(merged);
      } catch (error) {
        if (!isProviderError(context, error)) throw error;
        yield failedEvent("local", { key, ref, fields: [] }, error);
      }
    }
    if (records.length < pageSize) return;
  }
}
