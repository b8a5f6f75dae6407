/** The issues of one scope in a SQLite database of many scopes. */
import { SQLiteError } from "bun:sqlite";
import type * as v from "valibot";
import { identityOf } from "../model.ts";
import {
  CheckpointRow,
  ConflictRow,
  CountRow,
  DirtyKeyRow,
  DirtyRow,
  IntentRow,
  ISSUE_COLUMNS,
  IssueRow,
  issueColumns,
  readRows,
  type SqlValue,
} from "./rows.ts";
import { refTakenError, type StoreError, transactionEndedError } from "./serial.ts";
import type {
  ConflictRecord,
  CreateIntent,
  DirtyField,
  FieldEdit,
  IssueRecord,
  StoreTransaction,
  SyncCheckpoint,
} from "./store.ts";

/** Executes a statement in the open transaction once per list of parameters; returns all rows. */
export type Execute = (sql: string, lists: readonly (readonly SqlValue[])[]) => Promise<readonly unknown[]>;

const TABLES_OF_ISSUE = ["issues", "journal", "intents", "conflicts"] as const;
const KEYS = "(select value from json_each(?))";
const PUT_ISSUE = `
  insert into issues (scope, ${ISSUE_COLUMNS.join(", ")})
  values (?, ${ISSUE_COLUMNS.map(() => "?").join(", ")})
  on conflict (scope, key) do update set
    ${ISSUE_COLUMNS.slice(1)
      .map((column) => `${column} = excluded.${column}`)
      .join(", ")}`;

/** @param scope Name in the rows; rows of other scopes stay unchanged */
export async function withScope<T>(
  execute: Execute,
  scope: string,
  work: (transaction: StoreTransaction) => Promise<T>,
): Promise<T> {
  const transaction = new SqliteTransaction(execute, scope);
  try {
    return await work(transaction);
  } finally {
    transaction.end();
  }
}

/** Short results are sorted here: SQLite would walk an index past all decided conflicts and other issues. */
class SqliteTransaction implements StoreTransaction {
  #execute: Execute | null;
  readonly #scope: string;

  constructor(execute: Execute, scope: string) {
    this.#execute = execute;
    this.#scope = scope;
  }

  end(): void {
    this.#execute = null;
  }

  async records(keys: readonly string[]): Promise<readonly IssueRecord[]> {
    const records = await this.#read(IssueRow, `select * from issues where scope = ? and key in ${KEYS}`, [
      JSON.stringify(keys),
    ]);
    return records.sort(byKey);
  }

  async findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>> {
    const records = await this.#read(
      IssueRow,
      `select * from issues where scope = ? and identity in ${KEYS}`,
      [JSON.stringify(identities)],
    );
    return new Map(
      records.flatMap((record) => (record.ref === null ? [] : [[identityOf(record.ref), record]])),
    );
  }

  async put(records: readonly IssueRecord[]): Promise<void> {
    try {
      await this.#write(PUT_ISSUE, records.map(issueColumns));
    } catch (error) {
      const isTaken = error instanceof SQLiteError && error.code === "SQLITE_CONSTRAINT_UNIQUE";
      throw isTaken ? ((await this.#refTakenBy(records)) ?? error) : error;
    }
  }

  async remove(key: string): Promise<void> {
    for (const table of TABLES_OF_ISSUE) {
      await this.#write(`delete from ${table} where scope = ? and key = ?`, [[key]]);
    }
  }

  async count(): Promise<number> {
    const [row] = await this.#read(
      CountRow,
      "select count(*) as count from issues where scope = ? and deleted_at is null",
    );
    return row?.count ?? 0;
  }

  list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]> {
    return this.#read(IssueRow, "select * from issues where scope = ? and key > ? order by key limit ?", [
      afterKey ?? "",
      limit,
    ]);
  }

  markDirty(edits: readonly FieldEdit[]): Promise<void> {
    return this.#write(
      "insert or replace into journal (scope, key, field, changed_at) values (?, ?, ?, ?)",
      edits.map(({ key, field, changedAt }) => [key, field, changedAt]),
    );
  }

  async dirtyFields(keys: readonly string[]): Promise<readonly DirtyField[]> {
    const edits = await this.#read(DirtyRow, `select * from journal where scope = ? and key in ${KEYS}`, [
      JSON.stringify(keys),
    ]);
    return edits.sort((a, b) => a.sequence - b.sequence);
  }

  dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]> {
    return this.#read(
      DirtyKeyRow,
      `select key, sequence from journal as entry
       where scope = ? and sequence > ? and not exists (
         select 1 from journal as earlier
         where earlier.scope = entry.scope and earlier.key = entry.key and earlier.sequence < entry.sequence
       )
       order by sequence limit ?`,
      [afterSequence, limit],
    );
  }

  clearDirty(edits: readonly Omit<DirtyField, "changedAt">[]): Promise<void> {
    return this.#write(
      "delete from journal where scope = ? and key = ? and field = ? and sequence <= ?",
      edits.map(({ key, field, sequence }) => [key, field, sequence]),
    );
  }

  putIntent({ key, idempotencyKey }: CreateIntent): Promise<void> {
    return this.#write("insert or replace into intents (scope, key, idempotency_key) values (?, ?, ?)", [
      [key, idempotencyKey],
    ]);
  }

  async intent(key: string): Promise<CreateIntent | null> {
    const [intent = null] = await this.#read(IntentRow, "select * from intents where scope = ? and key = ?", [
      key,
    ]);
    return intent;
  }

  intents(): Promise<readonly CreateIntent[]> {
    return this.#read(IntentRow, "select * from intents where scope = ? order by key");
  }

  removeIntent(key: string): Promise<void> {
    return this.#write("delete from intents where scope = ? and key = ?", [[key]]);
  }

  putConflicts(conflicts: readonly ConflictRecord[]): Promise<void> {
    return this.#write(
      `insert or replace into conflicts (scope, id, key, field, base, local, remote, resolution)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
      conflicts.map(({ id, key, field, base, local, remote, resolution }) => {
        const values = [base, local, remote].map((value) => JSON.stringify(value));
        return [id, key, field, ...values, resolution];
      }),
    );
  }

  async conflict(id: string): Promise<ConflictRecord | null> {
    const [conflict = null] = await this.#read(
      ConflictRow,
      "select * from conflicts where scope = ? and id = ?",
      [id],
    );
    return conflict;
  }

  async openConflicts(keys?: readonly string[]): Promise<readonly ConflictRecord[]> {
    const open = "select * from conflicts where scope = ? and resolution is null";
    const conflicts =
      keys === undefined
        ? await this.#read(ConflictRow, open)
        : await this.#read(ConflictRow, `${open} and key in ${KEYS}`, [JSON.stringify(keys)]);
    return conflicts.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async checkpoint(name: string): Promise<SyncCheckpoint> {
    const [checkpoint = { updatedSince: null, window: null }] = await this.#read(
      CheckpointRow,
      "select checkpoint from checkpoints where scope = ? and name = ?",
      [name],
    );
    return checkpoint;
  }

  putCheckpoint(name: string, checkpoint: SyncCheckpoint): Promise<void> {
    return this.#write("insert or replace into checkpoints (scope, name, checkpoint) values (?, ?, ?)", [
      [name, JSON.stringify(checkpoint)],
    ]);
  }

  async #refTakenBy(records: readonly IssueRecord[]): Promise<StoreError | null> {
    const owners = await this.findByRefs(records.flatMap(({ ref }) => (ref === null ? [] : identityOf(ref))));
    for (const { key, ref } of records) {
      const identity = ref === null ? "" : identityOf(ref);
      const owner = owners.get(identity);
      if (owner !== undefined && owner.key !== key) return refTakenError(identity);
    }
    return null;
  }

  async #write(sql: string, lists: readonly (readonly SqlValue[])[]): Promise<void> {
    await this.#run(sql, lists);
  }

  async #read<S extends v.GenericSchema>(
    schema: S,
    sql: string,
    parameters: readonly SqlValue[] = [],
  ): Promise<v.InferOutput<S>[]> {
    return readRows(schema, await this.#run(sql, [parameters]));
  }

  /** Passes the scope as the first parameter of every statement. */
  async #run(sql: string, lists: readonly (readonly SqlValue[])[]): Promise<readonly unknown[]> {
    if (this.#execute === null) throw transactionEndedError();
    return this.#execute(
      sql,
      lists.map((parameters) => [this.#scope, ...parameters]),
    );
  }
}

function byKey(a: IssueRecord, b: IssueRecord): number {
  return a.key < b.key ? -1 : 1;
}
