import { Database, SQLiteError } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * A lock on an empty file, between processes and within one. The operating
 * system drops it when its process dies, and it is the same on every platform.
 */
export class FileLock {
  readonly #database: Database;
  #isTaken = false;

  /**
   * Opens the file and makes its folder (0700) where it is missing.
   *
   * @throws when the file cannot be opened
   */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#database = new Database(path, { create: true });
  }

  /**
   * Takes the lock without waiting.
   *
   * @returns false while another process or lock holds it
   * @throws when the file cannot be locked at all
   */
  tryTake(): boolean {
    try {
      this.#database.run("BEGIN EXCLUSIVE");
      this.#isTaken = true;
      return true;
    } catch (error) {
      if (error instanceof SQLiteError && error.code === "SQLITE_BUSY") return false;
      throw error;
    }
  }

  close(): void {
    if (this.#isTaken) this.#database.run("ROLLBACK");
    this.#isTaken = false;
    this.#database.close();
  }
}
