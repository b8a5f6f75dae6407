import { HostError } from "../errors.ts";

/** Work that outlives its response. The host can wait for it and end it. */
export class Background {
  readonly #controller = new AbortController();
  readonly #tasks = new Set<Promise<unknown>>();

  /** Aborted when the host stops; its reason is the error of the interrupted work. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  track<T>(task: Promise<T>): Promise<T> {
    this.#tasks.add(task);
    const forget = () => this.#tasks.delete(task);
    task.then(forget, forget);
    return task;
  }

  /**
   * The outcome of `work`, or a failure as soon as the host stops. For waits on other systems, not for writes to the
   * database: started work continues.
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

  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks);
  }

  /** Interrupts unfinished work after `grace` milliseconds. Writes that have begun are finished. */
  async stop(grace: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, grace);
    await Promise.race([this.settled(), late]);
    clearTimeout(timer);
    this.#controller.abort(interrupted());
    await this.settled();
  }
}

export function interrupted(): HostError {
  return new HostError("internal", "The operation was interrupted; run it again.");
}
