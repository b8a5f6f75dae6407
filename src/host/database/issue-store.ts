/** The issues of one mapping in the control plane's database, as the SDK's engine keeps them. */
import type { Selectable } from "kysely";
import * as v from "valibot";
import { ExternalRef, type IssueFields } from "../../sdk/model.ts";
import { conflictOf, conflictRow, issueRow, recordOf } from "../../sdk/stores/rows.ts";
import { refTaken, SerialQueue, transactionOver } from "../../sdk/stores/serial.ts";
import type {
  ConflictRecord,
  CreateIntent,
  DirtyField,
  FieldEdit,
  IssueRecord,
  IssueStore,
  StoreTransaction,
  SyncCheckpoint,
} from "../../sdk/stores/store.ts";
import { BATCH, batches } from "./batches.ts";
import type { Queries } from "./schema.ts";
import type { SyncTables } from "./sync-schema.ts";

/**
 * The store of a mapping. One sync at a time works on it: the lease in
 * `sync_states` sees to that.
 */
export class MappingStore implements IssueStore {
  readonly #queries: Queries;
  readonly #bindingRef: string;
  readonly #guard: (queries: Queries) => Promise<void>;
  readonly #queue = new SerialQueue();

  /** @param guard Asked at the start of each transaction, in it; what it throws, the transaction does */
  constructor(queries: Queries, bindingRef: string, guard = async (_: Queries): Promise<void> => {}) {
    this.#queries = queries;
    this.#bindingRef = bindingRef;
    this.#guard = guard;
  }

  /** Reads without waiting for whoever writes; what is read one after the other may not fit together. */
  read<T>(work: (reader: StoreReader) => Promise<T>): Promise<T> {
    return work(new MappingTransaction(this.#queries, this.#bindingRef));
  }

  transaction<T>(work: (transaction: MappingTransaction) => Promise<T>): Promise<T> {
    return this.#queue.run(() =>
      this.#queries.transaction().execute(async (queries) => {
        const transaction = new MappingTransaction(queries, this.#bindingRef);
        try {
          await this.#guard(queries);
          return await work(transaction);
        } finally {
          transaction.end();
        }
      }),
    );
  }

  /**
   * Goes on with a resource that was renamed: references into it carry its
   * name, and it is the same issues that they lead to.
   *
   * @param workspace What its connector calls it now
   */
  async follow(workspace: string): Promise<void> {
    await this.transaction(async (transaction) => {
      const before = await transaction.workspace();
      if (before === null || before === workspace) return;
      for (let after: string | null = null; ; ) {
        const page: readonly IssueRecord[] = await transaction.list(after, BATCH);
        await transaction.put(page.map((record) => moved(record, { from: before, to: workspace })));
        after = page.at(-1)?.key ?? null;
        if (page.length < BATCH) return;
      }
    });
  }

  /** Waits for what runs. The database is the host's and stays open. */
  close(): Promise<void> {
    return this.#queue.close();
  }
}

/** The reads that need no transaction. */
type StoreReader = Pick<StoreTransaction, "count" | "records" | "openConflicts">;

type IssueRow = Selectable<SyncTables["issues"]>;

class MappingTransaction implements StoreTransaction {
  #queries: Queries | null;
  readonly #bindingRef: string;

  constructor(queries: Queries, bindingRef: string) {
    this.#queries = queries;
    this.#bindingRef = bindingRef;
  }

  /** Makes every later use an error. */
  end(): void {
    this.#queries = null;
  }

  get #open(): Queries {
    if (this.#queries === null) throw transactionOver();
    return this.#queries;
  }

  async records(keys: readonly string[]): Promise<readonly IssueRecord[]> {
    const rows = await Promise.all(
      [...batches(keys)].map((batch) => this.#issues().where("key", "in", batch).execute()),
    );
    return rows
      .flat()
      .map(recordOf)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>> {
    const found = new Map<string, IssueRecord>();
    for (const batch of batches(identities)) {
      for (const row of await this.#issues().where("identity", "in", batch).execute()) {
        if (row.identity !== null) found.set(row.identity, recordOf(row));
      }
    }
    return found;
  }

  async put(records: readonly IssueRecord[]): Promise<void> {
    for (const batch of batches(records)) {
      const rows = batch.map((record) => ({ binding_ref: this.#bindingRef, ...issueRow(record) }));
      await this.#assertFree(rows);
      await this.#open
        .insertInto("issues")
        .values(rows)
        .onConflict((conflict) =>
          conflict.columns(["binding_ref", "key"]).doUpdateSet((row) => ({
            identity: row.ref("excluded.identity"),
            ref: row.ref("excluded.ref"),
            fields: row.ref("excluded.fields"),
            base_fields: row.ref("excluded.base_fields"),
            base_raw: row.ref("excluded.base_raw"),
            base_revision: row.ref("excluded.base_revision"),
            base_created_at: row.ref("excluded.base_created_at"),
            base_updated_at: row.ref("excluded.base_updated_at"),
            deleted_at: row.ref("excluded.deleted_at"),
          })),
        )
        .execute();
    }
  }

  async remove(key: string): Promise<void> {
    for (const table of ["issues", "journal", "intents", "conflicts"] as const) {
      await this.#open
        .deleteFrom(table)
        .where("binding_ref", "=", this.#bindingRef)
        .where("key", "=", key)
        .execute();
    }
  }

  /** The name of the resource when its issues were stored; null while there are none. */
  async workspace(): Promise<string | null> {
    const row = await this.#open
      .selectFrom("issues")
      .select("ref")
      .where("binding_ref", "=", this.#bindingRef)
      .where("identity", "is not", null)
      .limit(1)
      .executeTakeFirst();
    return typeof row?.ref === "string" ? v.parse(ExternalRef, JSON.parse(row.ref)).workspace : null;
  }

  async count(): Promise<number> {
    const { count } = await this.#open
      .selectFrom("issues")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("binding_ref", "=", this.#bindingRef)
      .where("deleted_at", "is", null)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  async list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]> {
    const rows = await this.#issues()
      .where("key", ">", afterKey ?? "")
      .orderBy("key")
      .limit(limit)
      .execute();
    return rows.map(recordOf);
  }

  async markDirty(edits: readonly FieldEdit[]): Promise<void> {
    for (const { key, field, changedAt } of edits) {
      const sequence = await this.#nextSequence();
      await this.#open
        .insertInto("journal")
        .values({ binding_ref: this.#bindingRef, key, field, sequence, changed_at: changedAt })
        .onConflict((conflict) =>
          conflict.columns(["binding_ref", "key", "field"]).doUpdateSet({ sequence, changed_at: changedAt }),
        )
        .execute();
    }
  }

  async dirtyFields(keys: readonly string[]): Promise<readonly DirtyField[]> {
    const rows = await Promise.all(
      [...batches(keys)].map((batch) => this.#journal().where("key", "in", batch).execute()),
    );
    return rows
      .flat()
      .map(({ key, field, sequence, changed_at }) => ({ key, field, sequence, changedAt: changed_at }))
      .sort((a, b) => a.sequence - b.sequence);
  }

  async dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]> {
    return this.#open
      .selectFrom("journal as entry")
      .select(["entry.key", "entry.sequence"])
      .where("entry.binding_ref", "=", this.#bindingRef)
      .where("entry.sequence", ">", afterSequence)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom("journal as earlier")
              .select("earlier.key")
              .whereRef("earlier.binding_ref", "=", "entry.binding_ref")
              .whereRef("earlier.key", "=", "entry.key")
              .whereRef("earlier.sequence", "<", "entry.sequence"),
          ),
        ),
      )
      .orderBy("entry.sequence")
      .limit(limit)
      .execute();
  }

  async clearDirty(edits: readonly Omit<DirtyField, "changedAt">[]): Promise<void> {
    for (const { key, field, sequence } of edits) {
      await this.#open
        .deleteFrom("journal")
        .where("binding_ref", "=", this.#bindingRef)
        .where("key", "=", key)
        .where("field", "=", field)
        .where("sequence", "<=", sequence)
        .execute();
    }
  }

  async putIntent({ key, idempotencyKey }: CreateIntent): Promise<void> {
    await this.#open
      .insertInto("intents")
      .values({ binding_ref: this.#bindingRef, key, idempotency_key: idempotencyKey })
      .onConflict((conflict) =>
        conflict.columns(["binding_ref", "key"]).doUpdateSet({ idempotency_key: idempotencyKey }),
      )
      .execute();
  }

  async intent(key: string): Promise<CreateIntent | null> {
    const row = await this.#intents().where("key", "=", key).executeTakeFirst();
    return row === undefined ? null : { key, idempotencyKey: row.idempotency_key };
  }

  async intents(): Promise<readonly CreateIntent[]> {
    const rows = await this.#intents().orderBy("key").execute();
    return rows.map(({ key, idempotency_key }) => ({ key, idempotencyKey: idempotency_key }));
  }

  async removeIntent(key: string): Promise<void> {
    await this.#open
      .deleteFrom("intents")
      .where("binding_ref", "=", this.#bindingRef)
      .where("key", "=", key)
      .execute();
  }

  async putConflicts(conflicts: readonly ConflictRecord[]): Promise<void> {
    for (const conflict of conflicts) {
      const { id, ...values } = conflictRow(conflict);
      await this.#open
        .insertInto("conflicts")
        .values({ binding_ref: this.#bindingRef, id, ...values })
        .onConflict((conflict) => conflict.columns(["binding_ref", "id"]).doUpdateSet(values))
        .execute();
    }
  }

  async conflict(id: string): Promise<ConflictRecord | null> {
    const row = await this.#conflicts().where("id", "=", id).executeTakeFirst();
    return row === undefined ? null : withoutMapping(row);
  }

  async openConflicts(keys?: readonly string[]): Promise<readonly ConflictRecord[]> {
    // Put in order here: asked to do it, SQLite reads the decided ones, too, which are the many.
    const open = this.#conflicts().where("resolution", "is", null);
    const asked =
      keys === undefined ? [open] : [...batches(keys)].map((batch) => open.where("key", "in", batch));
    const rows = await Promise.all(asked.map((query) => query.execute()));
    return rows
      .flat()
      .map(withoutMapping)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async checkpoint(name: string): Promise<SyncCheckpoint> {
    const row = await this.#open
      .selectFrom("checkpoints")
      .select("checkpoint")
      .where("binding_ref", "=", this.#bindingRef)
      .where("name", "=", name)
      .executeTakeFirst();
    return row === undefined ? { updatedSince: null, window: null } : JSON.parse(row.checkpoint);
  }

  async putCheckpoint(name: string, checkpoint: SyncCheckpoint): Promise<void> {
    const text = JSON.stringify(checkpoint);
    await this.#open
      .insertInto("checkpoints")
      .values({ binding_ref: this.#bindingRef, name, checkpoint: text })
      .onConflict((conflict) => conflict.columns(["binding_ref", "name"]).doUpdateSet({ checkpoint: text }))
      .execute();
  }

  #issues() {
    return this.#open.selectFrom("issues").selectAll().where("binding_ref", "=", this.#bindingRef);
  }

  #journal() {
    return this.#open.selectFrom("journal").selectAll().where("binding_ref", "=", this.#bindingRef);
  }

  #intents() {
    return this.#open.selectFrom("intents").selectAll().where("binding_ref", "=", this.#bindingRef);
  }

  #conflicts() {
    return this.#open.selectFrom("conflicts").selectAll().where("binding_ref", "=", this.#bindingRef);
  }

  /** Numbers are never given out twice, not even when the journal was empty in between. */
  async #nextSequence(): Promise<number> {
    const { sequence } = await this.#open
      .insertInto("sync_states")
      .values({ binding_ref: this.#bindingRef, sequence: 1 })
      .onConflict((conflict) =>
        conflict
          .column("binding_ref")
          .doUpdateSet(({ eb }) => ({ sequence: eb("sync_states.sequence", "+", 1) })),
      )
      .returning("sequence")
      .executeTakeFirstOrThrow();
    return sequence;
  }

  /** A reference belongs to one record; what is put must not take another one's. */
  async #assertFree(rows: readonly Pick<IssueRow, "key" | "identity">[]): Promise<void> {
    const owners = new Map(rows.map(({ key, identity }) => [identity, key]));
    owners.delete(null);
    const identities = [...owners.keys()].filter((identity) => identity !== null);
    if (identities.length === 0) return;
    const taken = await this.#issues().where("identity", "in", identities).execute();
    for (const { key, identity } of taken) {
      if (identity !== null && owners.get(identity) !== key) throw refTaken(identity);
    }
  }
}

/** The record with its references as they are called now. */
function moved(
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

function withoutMapping({ binding_ref: _, ...row }: Selectable<SyncTables["conflicts"]>): ConflictRecord {
  return conflictOf(row);
}
