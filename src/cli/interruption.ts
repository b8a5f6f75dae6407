import { InterruptedError } from "../shared/errors.ts";
import type { Invocation } from "./invocation.ts";

/**
 * Ends the wait for `work` at once when the person presses Ctrl-C.
 *
 * @param work its signal is aborted on Ctrl-C
 * @param hintOf returns the hint at the time of the interruption
 * @throws InterruptedError on Ctrl-C
 */
export async function interruptible<T>(
  { context }: Invocation,
  work: (signal: AbortSignal) => Promise<T>,
  hintOf: () => string | undefined,
): Promise<T> {
  const controller = new AbortController();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  context.onStop(() => {
    controller.abort();
    reject(new InterruptedError(hintOf()));
  });
  try {
    return await Promise.race([work(controller.signal), interrupted]);
  } finally {
    context.onStop(null);
  }
}
