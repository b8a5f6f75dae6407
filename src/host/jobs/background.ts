import { HostError } from "../errors.ts";

/** Work that outlives its response, so that the host can wait for it and end it. */
export class Background {
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<unknown>>();

  /** Aborted when the host stops; its reason is what interrupted work fails with. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Keeps the host open until `task` has ended. */
  track<T>(task: Promise<T>): Promise<T> {
    this.#tasks.add(task);
    const forget = () => this.#tasks.delete(task);
    task.then(forget, forget);
    return task;
  }

  /**
   * The outcome of `work`, or a failure as soon as the host stops. For waiting
   * on others, and not for writing to the database: what has begun goes on.
   *
   * @throws HostError when the host stops
   */
  interruptible<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const interrupt = () => reject(signal.reason);
      const done = () => signal.removeEventListener("abort", interrupt);
      if (signal.aborted) interrupt();
      signal.addEventListener("abort", interrupt);
      work.then(resolve, reject).finally(done);
    });
  }

  /** Resolves when nothing is left. */
  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
  }

  /** Ends everything: what is not done after `grace` milliseconds is interrupted. Writes that have begun are finished. */
  async stop(grace: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, grace);
    await Promise.race([this.settled(), late]);
    clearTimeout(timer);
    this.#controller.abort(interrupted());
    await this.settled();
  }
}

/** The failure of work that the end of its process interrupts. */
export function interrupted(): HostError {
  return new HostError("internal", "The operation was interrupted; run it again.");
}
