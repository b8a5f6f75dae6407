/** Trying again: only what may succeed then, as often and as late as is polite. */
import { TrackerSdkError } from "../errors.ts";

/** Requests that are sent for one answer, the first one included. */
export const MAX_ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
/** A provider that asks for more than this is left alone until the next run. */
const MAX_DELAY_MS = 60_000;

interface RetryOptions {
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/**
 * Sends a request until it is answered, at most three times. After a failure
 * that may pass it waits as long as the provider asks for, else exponentially
 * with full jitter.
 *
 * @param request Receives the number of the attempt, from 1
 * @throws whatever the request throws, when it is not to be tried again
 */
export async function withRetries<T>(
  request: (attempt: number) => Promise<T>,
  { sleep, random }: RetryOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await request(attempt);
    } catch (error) {
      if (!(error instanceof TrackerSdkError && error.retryable) || attempt === MAX_ATTEMPTS) throw error;
      const delay =
        error.retryAfterSeconds === null
          ? FIRST_DELAY_MS * 2 ** (attempt - 1) * random()
          : error.retryAfterSeconds * 1000;
      if (delay > MAX_DELAY_MS) throw error;
      await sleep(delay);
    }
  }
}
