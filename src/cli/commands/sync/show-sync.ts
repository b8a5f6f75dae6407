import type { JobListener, OperationProgress, SyncOutcome } from "../../../client.ts";
import type { PushResult } from "../../../protocol.ts";
import type { BoundTracker } from "../../../service/bindings.ts";
import { UsageError } from "../../../shared/errors.ts";
import { isLocal, providerName } from "../../../shared/providers.ts";
import { limitOf } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { interruptible } from "../../interruption.ts";
import { type Invocation, payloadOf, print } from "../../invocation.ts";
import { type Activity, withProgress } from "../../progress.ts";
import { renderSync } from "../../render/sync.ts";

/** The most issues that one page of a pull, or the pull of a run, has. */
export const MAX_PAGE = 10_000;

/** Issues of one page by default. */
export const DEFAULT_PAGE = 100;

/**
 * Returns the number of issues to pull at a time.
 *
 * @param given value of `--limit`
 * @throws UsageError for a bad number, and for trackers without pages
 */
export function pageLimit({ provider }: Pick<BoundTracker, "provider">, given: string | undefined): number {
  if (given === undefined) return DEFAULT_PAGE;
  if (!isLocal(provider)) return limitOf(given, MAX_PAGE);
  throw new UsageError(
    `--limit is for hosted providers: ${providerName(provider)} returns all issues at once.`,
  );
}

/** Outcomes that need a person's attention. */
const BAD_OUTCOMES: ReadonlySet<string> = new Set(["rejected", "conflict", "failed"]);

/** Work that may become an operation. */
interface WorkActivity extends Activity {
  /** The hint after Ctrl-C, until the work becomes an operation. */
  readonly whenInterrupted?: string;
}

/** Shows the progress of work. Ctrl-C ends the wait and prints a hint. */
export function withWork<T>(
  invocation: Invocation,
  activity: WorkActivity,
  work: (listener: Required<JobListener>) => Promise<T>,
): Promise<T> {
  let hint = activity.whenInterrupted;
  return withProgress(invocation, activity, (onProgress: (progress: OperationProgress) => void) =>
    interruptible(
      invocation,
      () =>
        work({
          onAccepted: (id, isEmbedded) => {
            hint = isEmbedded ? HINTS.workStopped(id) : HINTS.workContinues(id);
          },
          onProgress,
        }),
      () => hint,
    ),
  );
}

/** Prints the result or the plan of a sync; returns the exit code. */
export async function showSync(invocation: Invocation, outcome: SyncOutcome): Promise<number> {
  const payload: Readonly<Record<string, unknown>> = outcome.result;
  await print(invocation, payloadOf(invocation, payload), (_, style) => renderSync(outcome, style));
  return syncExitCode(outcome);
}

/** Returns 1 for a partial or failed result, and for an item that needs attention. */
export function syncExitCode(outcome: SyncOutcome): number {
  const pushed = pushedItems(outcome);
  return outcome.result.status === "ok" && !pushed.some((item) => BAD_OUTCOMES.has(item.outcome)) ? 0 : 1;
}

function pushedItems(outcome: SyncOutcome): PushResult["items"] {
  if (outcome.kind === "pull") return [];
  return outcome.kind === "push" ? outcome.result.items : (outcome.result.push.items ?? []);
}
