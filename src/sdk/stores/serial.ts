/** Runs the transactions of a store one after the other. */
import { TrackerSdkError } from "../errors.ts";

/** A store cannot be opened, or refuses a request. */
export class StoreError extends TrackerSdkError {
  /** The disk is full; the store itself is intact. */
  readonly isFull: boolean;

  constructor(
    message: string,
    facts: { readonly retryable: boolean; readonly isFull?: boolean; readonly cause?: unknown },
  ) {
    super(message, {
      provider: "store",
      failureClass: facts.retryable ? "transient" : "invalid",
      cause: facts.cause,
    });
    this.isFull = facts.isFull ?? false;
  }
}

/** Runs one task at a time, in order. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /**
   * Runs `work` after everything queued before it.
   *
   * @throws StoreError when the queue is closed, and what `work` throws
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(new StoreError("The issue store is closed.", { retryable: false }));
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Refuses new work and waits for the queued work. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}

export function refTakenError(identity: string): StoreError {
  return new StoreError(`The store already has another issue with the reference ${identity}.`, {
    retryable: false,
  });
}

export function transactionEndedError(): StoreError {
  return new StoreError("The transaction has ended.", { retryable: false });
}
