/** The SQLite files of issue stores and of the control plane's database. */
import { Database, SQLiteError, type SQLQueryBindings, type Statement } from "bun:sqlite";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";

const BUSY_TIMEOUT_MS = 10_000;
/** Retry interval where SQLite itself does not wait. */
const RETRY_MS = 5;
/** Compiled statements to keep; above that all are recompiled. An issue store has two dozen. */
const MAX_STATEMENTS = 200;

/**
 * Opens a SQLite file; creates folder (0700) and file (0600) when missing. A committed transaction survives a
 * killed process and a power cut.
 *
 * @param path Absolute path
 */
export function openSqliteFile(path: string): Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  const file = new Database(path);
  try {
    file.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
    useWriteAheadLog(file);
    file.run("pragma synchronous = full");
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Two processes that open a new file collide here, where SQLite does not wait. */
function useWriteAheadLog(file: Database): void {
  for (const deadline = Date.now() + BUSY_TIMEOUT_MS; ; ) {
    try {
      file.run("pragma journal_mode = wal");
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      Bun.sleepSync(RETRY_MS);
    }
  }
}

/** Reports whether another process holds the file. */
export function isBusy(error: unknown): boolean {
  return error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY") === true;
}

type AnyStatement = Statement<unknown, SQLQueryBindings[]>;

/** Compiled statements of a file. Bun caches only the first 20 of a file and recompiles all others on each use. */
export class Statements {
  readonly #file: Database;
  readonly #statements = new Map<string, AnyStatement>();

  constructor(file: Database) {
    this.#file = file;
  }

  get(sql: string): AnyStatement {
    const cached = this.#statements.get(sql);
    if (cached !== undefined) return cached;
    if (this.#statements.size === MAX_STATEMENTS) this.clear();
    const statement = this.#file.prepare<unknown, SQLQueryBindings[]>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /** Frees the statements, so that the file can be closed. */
  clear(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
  }
}
