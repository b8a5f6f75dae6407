import type { SQLQueryBindings, Database as SqliteFile } from "bun:sqlite";
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
import { TrackerError } from "../../shared/errors.ts";
import { migrate } from "./migrations/index.ts";
import type { Database, Schema } from "./schema.ts";

/** The database file cannot be opened or used. */
class DatabaseError extends TrackerError {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super("database_unavailable", `The database ${path} cannot be used: ${reason}.`, {
      cause,
    });
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
  const database = connectSqlite(path);
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
    const file = openSqliteFile(path);
    file.run("pragma foreign_keys = on");
    return file;
  } catch (error) {
    throw new DatabaseError(path, error);
  }
}

/** `bun:sqlite` in the shape that Kysely drives. */
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
