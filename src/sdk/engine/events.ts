/** The events of a run, one per outcome, and their totals. */
import type { FailureClass, TrackerSdkError } from "../errors.ts";
import type { CoreField, ExternalRef } from "../model.ts";
import type { ConflictRecord, IssueRecord } from "../stores/store.ts";

type Side = "local" | "remote";

export type UnchangedReason =
  | "already equal"
  | "older than known"
  | "owned externally"
  | "waits to be pushed"
  | "waits for a decision"
  | "deleted remotely";

/** The issue of an event; `ref` is null until it exists remotely. */
interface EventIssue {
  readonly key: string;
  readonly ref: ExternalRef | null;
  readonly fields: readonly CoreField[];
}

interface EventRecord extends EventIssue {
  readonly record: IssueRecord | null;
}

/** One outcome; in a dry run the planned one. */
export type SyncEvent =
  | (EventRecord & { readonly kind: "created"; readonly side: Side })
  | (EventRecord & {
      readonly kind: "updated";
      readonly side: Side;
      /** Set when the issue itself was deleted or came back. */
      readonly presence?: "deleted" | "revived";
    })
  | (EventRecord & { readonly kind: "unchanged"; readonly side: Side; readonly reason: UnchangedReason })
  | (EventRecord & { readonly kind: "conflict"; readonly conflict: ConflictRecord })
  | (Omit<EventIssue, "key"> & {
      readonly kind: "failed";
      readonly side: Side;
      /** Null when the listing failed and not a single issue. */
      readonly key: string | null;
      readonly failureClass: FailureClass;
      readonly retryable: boolean;
      /** The wait that the provider's rate limit asks for; null without one. */
      readonly retryAfterSeconds: number | null;
      readonly message: string;
    })
  | {
      readonly kind: "progress";
      readonly phase: "pull" | "push";
      /** Issues that this phase has processed. */
      readonly done: number;
    };

export type FailedEvent = Extract<SyncEvent, { kind: "failed" }>;

export interface SyncResult {
  readonly stats: {
    readonly created: Readonly<Record<Side, number>>;
    readonly updated: Readonly<Record<Side, number>>;
    readonly unchanged: number;
    readonly conflicts: number;
    readonly failed: number;
  };
  readonly conflicts: readonly ConflictRecord[];
  readonly errors: readonly FailedEvent[];
}

/** Reads a stream to its end and adds it up; throws what the stream throws. */
export async function collect(events: AsyncIterable<SyncEvent>): Promise<SyncResult> {
  const created = { local: 0, remote: 0 };
  const updated = { local: 0, remote: 0 };
  let unchanged = 0;
  const conflicts: ConflictRecord[] = [];
  const errors: FailedEvent[] = [];
  for await (const event of events) {
    if (event.kind === "created") created[event.side] += 1;
    else if (event.kind === "updated") updated[event.side] += 1;
    else if (event.kind === "unchanged") unchanged += 1;
    else if (event.kind === "conflict") conflicts.push(event.conflict);
    else if (event.kind === "failed") errors.push(event);
  }
  const stats = { created, updated, unchanged, conflicts: conflicts.length, failed: errors.length };
  return { stats, conflicts, errors };
}

export function failedEvent(
  side: Side,
  about: Omit<EventIssue, "key"> & { readonly key: string | null },
  error: Pick<TrackerSdkError, "failureClass" | "retryable" | "retryAfterSeconds" | "message">,
): FailedEvent {
  const { failureClass, retryable, retryAfterSeconds, message } = error;
  const { key, ref, fields } = about;
  return { kind: "failed", side, key, ref, fields, failureClass, retryable, retryAfterSeconds, message };
}

export function eventRecord(record: IssueRecord, fields: readonly CoreField[]) {
  return { key: record.key, ref: record.ref, fields, record };
}
