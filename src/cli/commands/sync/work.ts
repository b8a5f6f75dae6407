import type {
  BoundResult,
  BoundTracker,
  OperationProgress,
  PushResult,
  SyncOutcome,
  WorkListener,
} from "../../../service.ts";
import { UsageError } from "../../../shared/errors.ts";
import { isLocal } from "../../../shared/providers.ts";
import { interruptible } from "../../interruption.ts";
import { type Invocation, limitOf, payloadOf, print } from "../../invocation.ts";
import { type Activity, withProgress } from "../../progress.ts";
import { renderSync } from "../../render/sync.ts";

/** The most issues that one page of a pull, or the pull of a run, has. */
export const MAX_PAGE = 10_000;

/** Issues of one page where nothing else is asked for. */
export const DEFAULT_PAGE = 100;

/**
 * Issues to pull at a time.
 *
 * @param given what `--limit` says
 * @throws UsageError when it is no such number, and for trackers that are read as a whole
 */
export function pageLimit({ provider }: Pick<BoundTracker, "provider">, given: string | undefined): number {
  if (given === undefined) return DEFAULT_PAGE;
  if (!isLocal(provider)) return limitOf(given, MAX_PAGE);
  throw new UsageError(`--limit is for hosted providers: ${provider} is read as a whole.`);
}

/** What became of items that a person has to look at. */
const BAD_OUTCOMES: ReadonlySet<string> = new Set(["rejected", "conflict", "failed"]);

/** Work that may become an operation. */
export interface WorkActivity extends Activity {
  /** What to know after Ctrl-C where there is no operation yet. */
  readonly whenInterrupted?: string;
}

/** Shows how far work has come. Ctrl-C ends the wait for it, and tells how to go on. */
export function withWork<T>(
  invocation: Invocation,
  activity: WorkActivity,
  work: (listener: Required<WorkListener>) => Promise<T>,
): Promise<T> {
  let hint = activity.whenInterrupted;
  return withProgress(invocation, activity, (onProgress: (progress: OperationProgress) => void) =>
    interruptible(
      invocation,
      () =>
        work({
          onAccepted: (_id, whenLeft) => {
            hint = whenLeft;
          },
          onProgress,
        }),
      () => hint,
    ),
  );
}

/** Prints what a sync came to, or would come to; 1 when not all of it goes well. */
export async function showSync(
  invocation: Invocation,
  outcome: SyncOutcome,
  pendingUpgrade: BoundResult<unknown>["pendingUpgrade"],
): Promise<number> {
  const payload: Readonly<Record<string, unknown>> = outcome.result;
  await print(invocation, payloadOf({ result: payload, pendingUpgrade }), (_, style) =>
    renderSync(outcome, style),
  );
  return syncExitCode(outcome);
}

/** 1 for a partial or failed result, and for one with an item that somebody has to look at. */
export function syncExitCode(outcome: SyncOutcome): number {
  const pushed = pushedItems(outcome);
  return outcome.result.status === "ok" && !pushed.some((item) => BAD_OUTCOMES.has(item.outcome)) ? 0 : 1;
}

function pushedItems(outcome: SyncOutcome): PushResult["items"] {
  if (outcome.kind === "pull") return [];
  return outcome.kind === "push" ? outcome.result.items : (outcome.result.push.items ?? []);
}
