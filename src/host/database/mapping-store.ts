import { CompiledQuery } from "kysely";
import * as v from "valibot";
import { ExternalRef, type IssueFields } from "../../sdk/model.ts";
import { readRows } from "../../sdk/stores/rows.ts";
import { SerialQueue } from "../../sdk/stores/serial.ts";
import { type Execute, withScope } from "../../sdk/stores/sqlite-transaction.ts";
import type { IssueRecord, IssueStore, StoreTransaction } from "../../sdk/stores/store.ts";
import { jsonText } from "../../shared/json.ts";
import { BATCH } from "./batches.ts";
import type { Queries } from "./schema.ts";

const ANY_REF = "select ref from issues where scope = ? and ref is not null limit 1";
const RefRow = v.object({ ref: jsonText(ExternalRef) });

type StoreReader = Pick<StoreTransaction, "count" | "records" | "openConflicts">;

/**
 * The store of a mapping's issues, a scope of the database. The sync that holds the lease in `sync_states` is its
 * only writer.
 */
export class MappingStore implements IssueStore {
  readonly #queries: Queries;
  readonly #bindingRef: string;
  readonly #guard: (queries: Queries) => Promise<void>;
  readonly #queue = new SerialQueue();

  /** @param guard runs at the start of each transaction, in it; an error ends the transaction */
  constructor(queries: Queries, bindingRef: string, guard = async (_: Queries): Promise<void> => {}) {
    this.#queries = queries;
    this.#bindingRef = bindingRef;
    this.#guard = guard;
  }

  /** Reads without waiting for a write transaction; two reads may see different states. */
  read<T>(work: (reader: StoreReader) => Promise<T>): Promise<T> {
    return withScope(executeIn(this.#queries), this.#bindingRef, work);
  }

  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#transaction((_, transaction) => work(transaction));
  }

  /**
   * Changes the workspace in all references after a resource was renamed.
   *
   * @param workspace the connector's current name for it
   */
  renameWorkspace(workspace: string): Promise<void> {
    return this.#transaction(async (execute, transaction) => {
      const rows = await execute(ANY_REF, [[this.#bindingRef]]);
      const [from = workspace] = readRows(RefRow, rows).map(({ ref }) => ref.workspace);
      if (from === workspace) return;
      for (let after: string | null = null; ; ) {
        const page: readonly IssueRecord[] = await transaction.list(after, BATCH);
        await transaction.put(page.map((record) => renamedRecord(record, { from, to: workspace })));
        after = page.at(-1)?.key ?? null;
        if (page.length < BATCH) return;
      }
    });
  }

  /** Waits for open transactions. The database is the host's and stays open. */
  close(): Promise<void> {
    return this.#queue.close();
  }

  #transaction<T>(work: (execute: Execute, transaction: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#queue.run(() =>
      this.#queries.transaction().execute(async (queries) => {
        await this.#guard(queries);
        const execute = executeIn(queries);
        return withScope(execute, this.#bindingRef, (transaction) => work(execute, transaction));
      }),
    );
  }
}

function executeIn(queries: Queries): Execute {
  return async (sql, lists) => {
    const rows: unknown[] = [];
    for (const parameters of lists) {
      const result = await queries.executeQuery(CompiledQuery.raw(sql, [...parameters]));
      rows.push(...result.rows);
    }
    return rows;
  };
}

function renamedRecord(
  record: IssueRecord,
  { from, to }: { readonly from: string; readonly to: string },
): IssueRecord {
  const ref = (ref: ExternalRef): ExternalRef => (ref.workspace === from ? { ...ref, workspace: to } : ref);
  const fields = (fields: IssueFields): IssueFields => ({
    ...fields,
    parent: fields.parent === null ? null : ref(fields.parent),
    links: fields.links.map((link) => ({ ...link, target: ref(link.target) })),
  });
  const { base } = record;
  return {
    ...record,
    ref: record.ref === null ? null : ref(record.ref),
    fields: fields(record.fields),
    base: base === null ? null : { ...base, fields: fields(base.fields) },
  };
}
