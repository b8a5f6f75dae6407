/** Lets transactions take turns, for all stores of the SDK. */
import { TrackerSdkError } from "../errors.ts";

/** A store cannot be opened, or refuses what it was asked for. */
export class StoreError extends TrackerSdkError {
  /** Nothing is wrong with the store: there is no room for more. */
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

/** Runs one piece of work at a time, in the order in which they came. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /**
   * Runs `work` when everything before it has ended, well or not.
   *
   * @throws StoreError when the queue is closed, and whatever `work` throws
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(new StoreError("The issue store is closed.", { retryable: false }));
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Refuses new work and resolves when everything before has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }
}

/** The refusal of a reference that another issue has. */
export function refTakenError(identity: string): StoreError {
  return new StoreError(`The store already has another issue with the reference ${identity}.`, {
    retryable: false,
  });
}

/** The refusal of a transaction that is used after its end. */
export function transactionEndedError(): StoreError {
  return new StoreError("The transaction has ended.", { retryable: false });
}
