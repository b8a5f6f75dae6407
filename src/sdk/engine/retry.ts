/** Repeats requests whose failure may pass. */
import { TrackerSdkError } from "../errors.ts";

/** Attempts per request, the first one included. */
export const MAX_ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
/** A longer wait is left to the next run. */
const MAX_DELAY_MS = 60_000;

interface RetryOptions {
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/**
 * Sends a request up to three times. After a failure that may pass it waits as long as the provider asks for,
 * otherwise exponentially with full jitter.
 *
 * @param request Receives the number of the attempt, from 1
 * @throws the request's last error
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
