/** The store in a SQLite file: for one developer's machine or one service. */
import { Database, SQLiteError } from "bun:sqlite";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { type CoreField, identityOf } from "../model.ts";
import { type ConflictRow, conflictOf, conflictRow, type IssueRow, issueRow, recordOf } from "./rows.ts";
import { refTaken, SerialQueue, StoreError, transactionOver } from "./serial.ts";
import type {
  ConflictRecord,
  CreateIntent,
  DirtyField,
  FieldEdit,
  IssueRecord,
  IssueStore,
  StoreTransaction,
  SyncCheckpoint,
} from "./store.ts";

/** The time for which a process waits for the transaction of another one, in milliseconds. */
const BUSY_TIMEOUT = 10_000;

/** Grows with every change of the schema; kept in the file as `user_version`. */
const SCHEMA_VERSION = 2;

/**
 * `base_fields` is null while they equal `fields`, so that a pull writes them
 * once; there is a base when there is `base_updated_at`. Sequences of `dirty`
 * are never used twice, not even when it was empty in between.
 */
const SCHEMA = `
  create table issues (
    key text primary key,
    identity text unique,
    ref text,
    fields text not null,
    base_fields text,
    base_raw text,
    base_revision text,
    base_updated_at text,
    deleted_at text,
    base_created_at text
  );
  create table dirty (
    sequence integer primary key autoincrement,
    key text not null,
    field text not null,
    changed_at text not null,
    unique (key, field)
  );
  create table intents (key text primary key, idempotency_key text not null) without rowid;
  create table conflicts (
    id text primary key,
    key text not null,
    field text not null,
    base text not null,
    local text not null,
    remote text not null,
    resolution text
  );
  create index conflicts_key on conflicts (key);
  create index conflicts_open on conflicts (resolution) where resolution is null;
  create table checkpoints (name text primary key, checkpoint text not null) without rowid;
`;

/** Version 1 did not keep when an issue was created: the next pull reads all of them again. */
const FROM_VERSION_1 = `
  alter table issues add column base_created_at text;
  delete from checkpoints;
`;

/**
 * Opens the store in a file, creating folder (0700) and file (0600) when they
 * are missing. What a transaction wrote survives a killed process and a power
 * cut once the transaction has resolved.
 *
 * @param path absolute path of the file
 * @throws StoreError when the file cannot be used or was written by a newer version
 */
export function openSqliteStore(path: string): IssueStore {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
    const file = new Database(path);
    try {
      configure(file);
      createSchema(file, path);
      return new SqliteIssueStore(file, path);
    } catch (error) {
      file.close();
      throw error;
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

function configure(file: Database): void {
  file.run(`pragma busy_timeout = ${BUSY_TIMEOUT}`);
  useWriteAheadLog(file);
  file.run("pragma synchronous = full");
}

/** Two processes that open a fresh file collide here, and SQLite does not wait on its own. */
function useWriteAheadLog(file: Database): void {
  for (const deadline = Date.now() + BUSY_TIMEOUT; ; ) {
    try {
      file.run("pragma journal_mode = wal");
      return;
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      Bun.sleepSync(5);
    }
  }
}

function createSchema(file: Database, path: string): void {
  const create = file.transaction(() => {
    const version = file.query<{ user_version: number }, []>("pragma user_version").get()?.user_version ?? 0;
    if (version === SCHEMA_VERSION) return;
    if (version > SCHEMA_VERSION) {
      throw new StoreError(`The issue store ${path} was written by a newer version.`, { retryable: false });
    }
    file.run(version === 0 ? SCHEMA : FROM_VERSION_1);
    file.run(`pragma user_version = ${SCHEMA_VERSION}`);
  });
  create.immediate();
}

function isBusy(error: unknown): boolean {
  return error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY") === true;
}

function unusable(path: string, error: unknown): StoreError {
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
    this.#statements = prepare(file);
  }

  /** See IssueStore. `work` must not begin another transaction: it would wait for itself. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      const transaction = new SqliteTransaction(this.#statements);
      try {
        this.#file.run("begin immediate");
        const result = await work(transaction);
        this.#file.run("commit");
        return result;
      } catch (error) {
        if (this.#file.inTransaction) this.#file.run("rollback");
        throw error instanceof SQLiteError ? unusable(this.#path, error) : error;
      } finally {
        transaction.end();
      }
    });
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#file.close();
  }
}

type IssueColumns = [
  key: string,
  identity: string | null,
  ref: string | null,
  fields: string,
  baseFields: string | null,
  baseRaw: string | null,
  baseRevision: string | null,
  baseUpdatedAt: string | null,
  deletedAt: string | null,
  baseCreatedAt: string | null,
];

type ConflictColumns = [
  id: string,
  key: string,
  field: CoreField,
  base: string,
  local: string,
  remote: string,
  resolution: ConflictRecord["resolution"],
];

const DIRTY = "key, field, sequence, changed_at as changedAt";
const INTENT = "key, idempotency_key as idempotencyKey";

type Statements = ReturnType<typeof prepare>;

/**
 * The few rows of one issue are sorted by the caller: SQLite compiles `key = ?`
 * with `order by` anew for every value, which takes twenty times as long as the
 * query, and a pull asks for every issue.
 */
function prepare(file: Database) {
  return {
    records: file.query<IssueRow, [keys: string]>(
      "select * from issues where key in (select value from json_each(?))",
    ),
    findByRefs: file.query<IssueRow & { readonly identity: string }, [identities: string]>(
      "select * from issues where identity in (select value from json_each(?))",
    ),
    put: file.query<null, IssueColumns>(
      `insert into issues values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (key) do update set
         identity = excluded.identity, ref = excluded.ref, fields = excluded.fields,
         base_fields = excluded.base_fields, base_raw = excluded.base_raw,
         base_revision = excluded.base_revision, base_updated_at = excluded.base_updated_at,
         deleted_at = excluded.deleted_at, base_created_at = excluded.base_created_at`,
    ),
    remove: ["issues", "dirty", "intents", "conflicts"].map((table) =>
      file.query<null, [key: string]>(`delete from ${table} where key = ?`),
    ),
    count: file.query<{ readonly count: number }, []>(
      "select count(*) as count from issues where deleted_at is null",
    ),
    list: file.query<IssueRow, [afterKey: string, limit: number]>(
      "select * from issues where key > ? order by key limit ?",
    ),

    markDirty: file.query<null, [key: string, field: CoreField, changedAt: string]>(
      "insert or replace into dirty (key, field, changed_at) values (?, ?, ?)",
    ),
    dirtyFields: file.query<DirtyField, [keys: string]>(
      `select ${DIRTY} from dirty where key in (select value from json_each(?))`,
    ),
    dirtyKeys: file.query<
      { readonly key: string; readonly sequence: number },
      [afterSequence: number, limit: number]
    >(
      `select key, sequence from dirty as entry
       where sequence > ? and not exists (
         select 1 from dirty as earlier where earlier.key = entry.key and earlier.sequence < entry.sequence
       )
       order by sequence limit ?`,
    ),
    clearDirty: file.query<null, [key: string, field: CoreField, sequence: number]>(
      "delete from dirty where key = ? and field = ? and sequence <= ?",
    ),

    putIntent: file.query<null, [key: string, idempotencyKey: string]>(
      "insert or replace into intents values (?, ?)",
    ),
    intent: file.query<CreateIntent, [key: string]>(`select ${INTENT} from intents where key = ?`),
    intents: file.query<CreateIntent, []>(`select ${INTENT} from intents order by key`),
    removeIntent: file.query<null, [key: string]>("delete from intents where key = ?"),

    putConflict: file.query<null, ConflictColumns>(
      "insert or replace into conflicts values (?, ?, ?, ?, ?, ?, ?)",
    ),
    conflict: file.query<ConflictRow, [id: string]>("select * from conflicts where id = ?"),
    openConflicts: file.query<ConflictRow, []>("select * from conflicts where resolution is null"),
    openConflictsOf: file.query<ConflictRow, [keys: string]>(
      "select * from conflicts where key in (select value from json_each(?)) and resolution is null",
    ),

    checkpoint: file.query<{ readonly checkpoint: string }, [name: string]>(
      "select checkpoint from checkpoints where name = ?",
    ),
    putCheckpoint: file.query<null, [name: string, checkpoint: string]>(
      "insert or replace into checkpoints values (?, ?)",
    ),
  };
}

class SqliteTransaction implements StoreTransaction {
  #statements: Statements | null;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Makes every later use an error. */
  end(): void {
    this.#statements = null;
  }

  get #open(): Statements {
    if (this.#statements === null) throw transactionOver();
    return this.#statements;
  }

  async records(keys: readonly string[]): Promise<readonly IssueRecord[]> {
    return this.#open.records.all(JSON.stringify(keys)).map(recordOf).sort(byKey);
  }

  async findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>> {
    const rows = this.#open.findByRefs.all(JSON.stringify(identities));
    return new Map(rows.map((row) => [row.identity, recordOf(row)]));
  }

  async put(records: readonly IssueRecord[]): Promise<void> {
    const { put } = this.#open;
    for (const record of records) {
      try {
        put.run(...columnsOf(record));
      } catch (error) {
        const taken = error instanceof SQLiteError && error.code === "SQLITE_CONSTRAINT_UNIQUE";
        throw taken && record.ref !== null ? refTaken(identityOf(record.ref)) : error;
      }
    }
  }

  async remove(key: string): Promise<void> {
    for (const statement of this.#open.remove) statement.run(key);
  }

  async count(): Promise<number> {
    return this.#open.count.get()?.count ?? 0;
  }

  async list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]> {
    return this.#open.list.all(afterKey ?? "", limit).map(recordOf);
  }

  async markDirty(edits: readonly FieldEdit[]): Promise<void> {
    const { markDirty } = this.#open;
    for (const { key, field, changedAt } of edits) markDirty.run(key, field, changedAt);
  }

  async dirtyFields(keys: readonly string[]): Promise<readonly DirtyField[]> {
    return this.#open.dirtyFields.all(JSON.stringify(keys)).sort((a, b) => a.sequence - b.sequence);
  }

  async dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]> {
    return this.#open.dirtyKeys.all(afterSequence, limit);
  }

  async clearDirty(edits: readonly Omit<DirtyField, "changedAt">[]): Promise<void> {
    const { clearDirty } = this.#open;
    for (const { key, field, sequence } of edits) clearDirty.run(key, field, sequence);
  }

  async putIntent(intent: CreateIntent): Promise<void> {
    this.#open.putIntent.run(intent.key, intent.idempotencyKey);
  }

  async intent(key: string): Promise<CreateIntent | null> {
    return this.#open.intent.get(key);
  }

  async intents(): Promise<readonly CreateIntent[]> {
    return this.#open.intents.all();
  }

  async removeIntent(key: string): Promise<void> {
    this.#open.removeIntent.run(key);
  }

  async putConflicts(conflicts: readonly ConflictRecord[]): Promise<void> {
    const { putConflict } = this.#open;
    for (const conflict of conflicts) {
      const { id, key, field, base, local, remote, resolution } = conflictRow(conflict);
      putConflict.run(id, key, field, base, local, remote, resolution);
    }
  }

  async conflict(id: string): Promise<ConflictRecord | null> {
    const row = this.#open.conflict.get(id);
    return row === null ? null : conflictOf(row);
  }

  async openConflicts(keys?: readonly string[]): Promise<readonly ConflictRecord[]> {
    const { openConflicts, openConflictsOf } = this.#open;
    const rows = keys === undefined ? openConflicts.all() : openConflictsOf.all(JSON.stringify(keys));
    return rows.map(conflictOf).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async checkpoint(name: string): Promise<SyncCheckpoint> {
    const row = this.#open.checkpoint.get(name);
    return row === null ? { updatedSince: null, window: null } : JSON.parse(row.checkpoint);
  }

  async putCheckpoint(name: string, checkpoint: SyncCheckpoint): Promise<void> {
    this.#open.putCheckpoint.run(name, JSON.stringify(checkpoint));
  }
}

function byKey(a: IssueRecord, b: IssueRecord): number {
  return a.key < b.key ? -1 : 1;
}

function columnsOf(record: IssueRecord): IssueColumns {
  const row = issueRow(record);
  return [
    row.key,
    row.identity,
    row.ref,
    row.fields,
    row.base_fields,
    row.base_raw,
    row.base_revision,
    row.base_updated_at,
    row.deleted_at,
    row.base_created_at,
  ];
}
