import type { JobListener, OperationProgress } from "../client.ts";
import { HINTS } from "./hints.ts";
import { interruptible } from "./interruption.ts";
import type { Invocation } from "./invocation.ts";
import { type Activity, withProgress } from "./progress.ts";

interface JobActivity extends Activity {
  /** The hint after Ctrl-C, until the call becomes a job. */
  readonly whenInterrupted?: string;
}

/** Shows the progress of a call that may become a job. Ctrl-C ends the wait and prints a hint. */
export function withJob<T>(
  invocation: Invocation,
  activity: JobActivity,
  call: (listener: Required<JobListener>) => Promise<T>,
): Promise<T> {
  let hint = activity.whenInterrupted;
  return withProgress(invocation, activity, (onProgress: (progress: OperationProgress) => void) =>
    interruptible(
      invocation,
      () =>
        call({
          onAccepted: (id, isEmbedded) => {
            hint = isEmbedded ? HINTS.jobStopped(id) : HINTS.jobContinues(id);
          },
          onProgress,
        }),
      () => hint,
    ),
  );
}
