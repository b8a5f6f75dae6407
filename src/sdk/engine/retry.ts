/** Trying again: only what may succeed then, as often and as late as is polite. */
import { TrackerSdkError } from "../errors.ts";

/** Requests that are sent for one answer, the first one included. */
export const ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
/** A provider that asks for more than this is left alone until the next run. */
const LONGEST_DELAY_MS = 60_000;

interface RetryOptions {
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/**
 * Sends a request once. When it fails in a way that may pass, waits as long as
 * the provider asks for (else exponentially, with full jitter) and returns null.
 *
 * @throws whatever the request throws, when it is not to be tried again or `count` says that it was the last
 */
export async function attempt<T>(
  request: () => Promise<T>,
  count: number,
  { sleep, random }: RetryOptions,
): Promise<T | null> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof TrackerSdkError && error.retryable) || count >= ATTEMPTS) throw error;
    const delay =
      error.retryAfterSeconds === null
        ? FIRST_DELAY_MS * 2 ** (count - 1) * random()
        : error.retryAfterSeconds * 1000;
    if (delay > LONGEST_DELAY_MS) throw error;
    await sleep(delay);
    return null;
  }
}

/** Sends a request until it is answered; at most three times. */
export async function ask<T>(request: () => Promise<T>, options: RetryOptions): Promise<T> {
  const answer = async () => ({ value: await request() });
  for (let count = 1; ; count += 1) {
    const answered = await attempt(answer, count, options);
    if (answered !== null) return answered.value;
  }
}
