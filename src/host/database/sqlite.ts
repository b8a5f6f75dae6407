import { type SQLQueryBindings, Database as SqliteFile } from "bun:sqlite";
import { existsSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
} from "kysely";
import { openSqliteFile, Statements } from "../../sdk/stores/sqlite-file.ts";
import { reasonOf } from "../../shared/atomic-file.ts";
import { TrackerError } from "../../shared/errors.ts";
import { migrate } from "./migrations/index.ts";
import type { Database, Schema } from "./schema.ts";

/** Codes of failures that say nothing against the file's content: it, or its folder, cannot be written. */
const UNWRITABLE =
  /^(?:EACCES|EPERM|EROFS|ENOSPC|EDQUOT|ENOENT|ENOTDIR|EEXIST|SQLITE_(?:CANTOPEN|READONLY|FULL|IOERR|PERM)(?:_\w+)?)$/;
/** Free space below which a disk counts as full: a write needs room for its log as well. */
const MIN_FREE_BYTES = 1024 * 1024;
/** The versions of the format in a file's header, which say that a log belongs to it: https://sqlite.org/fileformat.html */
const FORMAT_VERSIONS = { offset: 18, withoutLog: [1, 1] };

export class DatabaseError extends TrackerError {
  /** True when the file cannot be written; nothing is known against its content. */
  readonly isUnwritable: boolean;

  constructor(path: string, cause: unknown) {
    super("database_unavailable", `The database ${path} cannot be used: ${reasonOf(cause)}.`, { cause });
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    this.isUnwritable = UNWRITABLE.test(code);
  }
}

/**
 * Opens the control plane's database, creating folder (0700) and file (0600)
 * when they are missing, and brings it to the newest schema. Close it with
 * `destroy()`.
 *
 * @param path absolute path of the database file
 * @throws DatabaseError when the file cannot be opened or is not a database
 * @throws MigrationError when its schema cannot be brought up to date
 */
export async function openSqlite(path: string): Promise<Database> {
  return migrated(path, connectSqlite(path));
}

/**
 * Opens a copy of the database in memory, or an empty one where the file
 * cannot be read. What is written to it ends with the process.
 *
 * @throws DatabaseError when the file is not a database
 * @throws MigrationError when its schema cannot be brought up to date
 */
export async function openSqliteCopy(path: string): Promise<Database> {
  return migrated(path, new Kysely<Schema>({ dialect: new BunSqliteDialect(copyOf(path)) }));
}

function copyOf(path: string): SqliteFile {
  const content = readContent(path);
  try {
    const file = content === null ? new SqliteFile(":memory:") : SqliteFile.deserialize(content);
    file.run("pragma foreign_keys = on");
    return file;
  } catch (error) {
    throw new DatabaseError(path, error);
  }
}

/** The content of a database, in the format without a log; null when it cannot be read. */
function readContent(path: string): Uint8Array | null {
  try {
    const content = readWithLog(path) ?? readFileSync(path);
    if (content.length === 0) return null;
    content.set(FORMAT_VERSIONS.withoutLog, FORMAT_VERSIONS.offset);
    return content;
  } catch (error) {
    const failure = new DatabaseError(path, error);
    if (failure.isUnwritable) return null;
    throw failure;
  }
}

/**
 * The content together with its log, which a process that runs or was killed
 * has left; null without a log, and where SQLite would have to write to read it.
 */
function readWithLog(path: string): Uint8Array | null {
  if (!existsSync(`${path}-wal`)) return null;
  try {
    using file = new SqliteFile(path, { readonly: true });
    return file.serialize();
  } catch (error) {
    if (new DatabaseError(path, error).isUnwritable) return null;
    throw error;
  }
}

async function migrated(path: string, database: Database): Promise<Database> {
  try {
    await migrate(database);
  } catch (error) {
    await database.destroy();
    if (error instanceof TrackerError) throw error;
    throw new DatabaseError(path, error);
  }
  return database;
}

/**
 * Opens a database file with whatever schema it has.
 *
 * @throws DatabaseError when the file cannot be opened
 */
export function connectSqlite(path: string): Database {
  return new Kysely<Schema>({ dialect: new BunSqliteDialect(openFile(path)) });
}

function openFile(path: string): SqliteFile {
  try {
    const folder = dirname(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isFull(folder)) throw Object.assign(new Error("no space is left"), { code: "ENOSPC" });
    const file = openSqliteFile(path);
    file.run("pragma foreign_keys = on");
    return file;
  } catch (error) {
    throw new DatabaseError(path, error);
  }
}

/** True for a disk without room for a write. File systems without a size report no blocks, or nothing. */
function isFull(folder: string): boolean {
  try {
    const { blocks, bavail, bsize } = statfsSync(folder);
    return blocks > 0 && bavail * bsize < MIN_FREE_BYTES;
  } catch {
    return false;
  }
}

function adapt(file: SqliteFile): SqliteDatabase {
  const statements = new Statements(file);
  return {
    close: () => {
      statements.clear();
      file.close();
    },
    prepare: (sql) => {
      const statement = statements.get(sql);
      return {
        reader: statement.columnNames.length > 0,
        all: (parameters) => statement.all(...bindings(parameters)),
        run: (parameters) => statement.run(...bindings(parameters)),
        iterate: (parameters) => statement.iterate(...bindings(parameters)),
      };
    },
  };
}

function bindings(parameters: readonly unknown[]): SQLQueryBindings[] {
  return parameters.map((value) => {
    if (value === null || typeof value === "string" || typeof value === "number") return value;
    throw new TypeError(`A ${typeof value} cannot be stored: columns hold text, numbers and null.`);
  });
}

/** SQLite as Kysely knows it, with write transactions that take their lock at the start. */
class BunSqliteDialect extends SqliteDialect {
  readonly #file: SqliteFile;

  constructor(file: SqliteFile) {
    super({ database: adapt(file) });
    this.#file = file;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#file);
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

/** A transaction that begins as a reader and then writes fails when another process wrote in between. */
class ImmediateDriver extends SqliteDriver {
  readonly #file: SqliteFile;

  constructor(file: SqliteFile) {
    super({ database: adapt(file) });
    this.#file = file;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite has done it by itself where the disk is full; a second time would hide why.
    if (this.#file.inTransaction) await super.rollbackTransaction(connection);
  }
}

/** SQLite can undo schema changes; Kysely's own adapter does not make use of it. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}
