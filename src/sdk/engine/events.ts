/** The events of a run of the engine, one per outcome, and their sums. */
import type { FailureClass, TrackerSdkError } from "../errors.ts";
import type { CoreField, ExternalRef } from "../model.ts";
import type { ConflictRecord, IssueRecord } from "../stores/store.ts";

/** The side on which a change happened. */
type Side = "local" | "remote";

/** The reasons for doing nothing. */
export type UnchangedReason =
  | "already equal"
  | "older than known"
  | "owned externally"
  | "waits to be pushed"
  | "waits for a decision"
  | "deleted remotely";

/** The issue of an event. `ref` is null while the issue exists locally only. */
interface EventIssue {
  readonly key: string;
  readonly ref: ExternalRef | null;
  readonly fields: readonly CoreField[];
}

/** An issue, and the record of it at that moment; null when the issue is gone. */
interface EventRecord extends EventIssue {
  readonly record: IssueRecord | null;
}

/** One outcome. Under `dryRun` it is what would have come of it. */
export type SyncEvent =
  | (EventRecord & { readonly kind: "created"; readonly side: Side })
  | (EventRecord & {
      readonly kind: "updated";
      readonly side: Side;
      /** Set when the issue itself went or came back, whatever its fields. */
      readonly presence?: "deleted" | "revived";
    })
  | (EventRecord & { readonly kind: "unchanged"; readonly side: Side; readonly reason: UnchangedReason })
  | (EventRecord & { readonly kind: "conflict"; readonly conflict: ConflictRecord })
  | (Omit<EventIssue, "key"> & {
      readonly kind: "failed";
      readonly side: Side;
      /** Null when no single issue failed but the listing. */
      readonly key: string | null;
      readonly failureClass: FailureClass;
      readonly retryable: boolean;
      /** The wait that the provider's rate limit asks for; null when it names none. */
      readonly retryAfterSeconds: number | null;
      readonly message: string;
    })
  | {
      readonly kind: "progress";
      readonly phase: "pull" | "push";
      /** Issues that this phase is done with. */
      readonly done: number;
    };

/** The event of a failure. */
export type FailedEvent = Extract<SyncEvent, { kind: "failed" }>;

/** The result of a run. */
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

/** Runs a stream to its end and adds it up. Throws what the stream throws. */
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

/** The event of what went wrong with `eventRecord`. */
export function failedEvent(
  side: Side,
  about: Omit<EventIssue, "key"> & { readonly key: string | null },
  error: Pick<TrackerSdkError, "failureClass" | "retryable" | "retryAfterSeconds" | "message">,
): FailedEvent {
  const { failureClass, retryable, retryAfterSeconds, message } = error;
  const { key, ref, fields } = about;
  return { kind: "failed", side, key, ref, fields, failureClass, retryable, retryAfterSeconds, message };
}

/** The part of an event that tells its issue. */
export function eventRecord(record: IssueRecord, fields: readonly CoreField[]) {
  return { key: record.key, ref: record.ref, fields, record };
}
