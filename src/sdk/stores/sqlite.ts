/** The store in a SQLite file, for one machine or one service. */
import { type Database, SQLiteError } from "bun:sqlite";
import { SerialQueue, StoreError } from "./serial.ts";
import { isBusy, openSqliteFile, Statements } from "./sqlite-file.ts";
import { type Execute, withScope } from "./sqlite-transaction.ts";
import type { IssueStore, StoreTransaction } from "./store.ts";

/** Stored in the file as `user_version`; increases with every change of the schema. */
const SCHEMA_VERSION = 3;
/** The scope in a file that belongs to one resource. */
const SCOPE = "";

/**
 * `base_fields` is null while it equals `fields`, so that a pull writes them once; a base exists when
 * `base_updated_at` is set. `journal` never reuses a sequence, even after it was empty.
 */
const SCHEMA = `
  create table issues (
    scope text not null,
    key text not null,
    identity text,
    ref text,
    fields text not null,
    base_fields text,
    base_raw text,
    base_revision text,
    base_created_at text,
    base_updated_at text,
    deleted_at text,
    primary key (scope, key),
    unique (scope, identity)
  );
  create table journal (
    sequence integer primary key autoincrement,
    scope text not null,
    key text not null,
    field text not null,
    changed_at text not null,
    unique (scope, key, field)
  );
  create index journal_in_order on journal (scope, sequence);
  create table intents (
    scope text not null,
    key text not null,
    idempotency_key text not null,
    primary key (scope, key)
  ) without rowid;
  create table conflicts (
    scope text not null,
    id text not null,
    key text not null,
    field text not null,
    base text not null,
    local text not null,
    remote text not null,
    resolution text,
    primary key (scope, id)
  );
  create index conflicts_of_issue on conflicts (scope, key);
  create index conflicts_open on conflicts (scope, key) where resolution is null;
  create table checkpoints (
    scope text not null,
    name text not null,
    checkpoint text not null,
    primary key (scope, name)
  ) without rowid;
`;

/** Version 1 did not store creation times; the next pull reads all issues again. */
const FROM_VERSION_1 = `
  alter table issues add column base_created_at text;
  delete from checkpoints;
`;

/** Version 2 had no scopes, and its journal was named `dirty`. */
const FROM_VERSION_2 = `
  alter table issues rename to old_issues;
  alter table intents rename to old_intents;
  alter table conflicts rename to old_conflicts;
  alter table checkpoints rename to old_checkpoints;
  drop index conflicts_open;
  ${SCHEMA}
  insert into issues
    select '${SCOPE}', key, identity, ref, fields, base_fields, base_raw, base_revision,
      base_created_at, base_updated_at, deleted_at
    from old_issues;
  insert into sqlite_sequence (name, seq) select 'journal', seq from sqlite_sequence where name = 'dirty';
  insert into journal select sequence, '${SCOPE}', key, field, changed_at from dirty;
  insert into intents select '${SCOPE}', key, idempotency_key from old_intents;
  insert into conflicts select '${SCOPE}', id, key, field, base, local, remote, resolution from old_conflicts;
  insert into checkpoints select '${SCOPE}', name, checkpoint from old_checkpoints;
  drop table old_issues;
  drop table dirty;
  drop table old_intents;
  drop table old_conflicts;
  drop table old_checkpoints;
`;

const UPGRADES: ReadonlyMap<number, string> = new Map([
  [0, SCHEMA],
  [1, FROM_VERSION_1 + FROM_VERSION_2],
  [2, FROM_VERSION_2],
  [SCHEMA_VERSION, ""],
]);

/**
 * Opens the store in a file; creates folder (0700) and file (0600) when missing. A resolved transaction
 * survives a killed process and a power cut.
 *
 * @param path Absolute path
 * @throws StoreError when the file cannot be used or was written by a newer version
 */
export function openSqliteStore(path: string): IssueStore {
  try {
    const file = openSqliteFile(path);
    try {
      upgradeSchema(file, path);
      return new SqliteIssueStore(file, path);
    } catch (error) {
      file.close();
      throw error;
    }
  } catch (error) {
    throw unusableError(path, error);
  }
}

function upgradeSchema(file: Database, path: string): void {
  const run = file.transaction(() => {
    const version = file.query<{ user_version: number }, []>("pragma user_version").get()?.user_version ?? 0;
    const statements = UPGRADES.get(version);
    if (statements === undefined) {
      throw new StoreError(`The issue store ${path} was written by a newer version.`, { retryable: false });
    }
    if (version === SCHEMA_VERSION) return;
    file.run(statements);
    file.run(`pragma user_version = ${SCHEMA_VERSION}`);
  });
  run.immediate();
}

function unusableError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreError(`The issue store ${path} cannot be used: ${reason}.`, {
    retryable: isBusy(error),
    isFull: error instanceof SQLiteError && error.code === "SQLITE_FULL",
    cause: error,
  });
}

class SqliteIssueStore implements IssueStore {
  readonly #queue = new SerialQueue();
  readonly #file: Database;
  readonly #path: string;
  readonly #statements: Statements;

  constructor(file: Database, path: string) {
    this.#file = file;
    this.#path = path;
    this.#statements = new Statements(file);
  }

  /** See IssueStore. `work` must not begin another transaction, which would deadlock. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    const execute: Execute = async (sql, lists) => {
      const statement = this.#statements.get(sql);
      return lists.flatMap((parameters) => statement.all(...parameters));
    };
    return this.#queue.run(async () => {
      try {
        this.#file.run("begin immediate");
        const result = await withScope(execute, SCOPE, work);
        this.#file.run("commit");
        return result;
      } catch (error) {
        if (this.#file.inTransaction) this.#file.run("rollback");
        throw error instanceof SQLiteError ? unusableError(this.#path, error) : error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#statements.clear();
    this.#file.close();
  }
}
