import { reasonOf } from "../../shared/atomic-file.ts";
import type { Timing } from "../../shared/context.ts";
import { TrackerError } from "../../shared/errors.ts";
import { FileLock } from "../../shared/file-lock.ts";

/** Two seconds in all: long enough for a short sync to end. */
const ATTEMPTS = 40;
const PAUSE_MS = 50;

/** Keeps two syncs of one binding from overlapping, in this process and others. */
export class SyncLock {
  readonly #path: string;
  readonly #sleep: Timing["sleep"];

  /** @param path absolute; created when missing */
  constructor(path: string, sleep: Timing["sleep"]) {
    this.#path = path;
    this.#sleep = sleep;
  }

  isTaken(): boolean {
    const lock = this.#tryTake();
    lock?.close();
    return lock === null;
  }

  /**
   * @throws TrackerError `sync_in_progress` when another sync does not end within two seconds, `store_unusable`
   *   when the file cannot be locked
   */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    const lock = await this.#take();
    try {
      return await work();
    } finally {
      lock.close();
    }
  }

  async #take(): Promise<FileLock> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const lock = this.#tryTake();
      if (lock !== null) return lock;
      await this.#sleep(PAUSE_MS);
    }
    throw new TrackerError(
      "sync_in_progress",
      "Another sync of this project is running. Try again shortly.",
      { retryable: true },
    );
  }

  #tryTake(): FileLock | null {
    let lock: FileLock | null = null;
    try {
      lock = new FileLock(this.#path);
      if (lock.tryTake()) return lock;
    } catch (error) {
      lock?.close();
      throw unlockable(this.#path, error);
    }
    lock.close();
    return null;
  }
}

function unlockable(path: string, cause: unknown): TrackerError {
  return new TrackerError("store_unusable", `Cannot lock ${path}: ${reasonOf(cause)}.`, {
    details: { reason: "lock" },
    cause,
  });
}
