import { identityOf } from "../model.ts";
import { refTakenError, SerialQueue, transactionEndedError } from "./serial.ts";
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

/** A store that lives as long as its process. */
export class MemoryIssueStore implements IssueStore {
  readonly #queue = new SerialQueue();
  readonly #content = new Content();

  /** See IssueStore. `work` must not begin another transaction, which would deadlock. */
  transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      const transaction = new MemoryTransaction(this.#content);
      try {
        const result = await work(transaction);
        this.#content.commit();
        return result;
      } catch (error) {
        this.#content.rollback();
        throw error;
      } finally {
        transaction.end();
      }
    });
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}

/** Rows by key, copied in and out; changes since the last commit can be undone. */
class Table<Row> {
  readonly #rows = new Map<string, Row>();
  readonly #before = new Map<string, Row | undefined>();
  #sortedKeys: readonly string[] | null = null;

  get(key: string): Row | undefined {
    return structuredClone(this.#rows.get(key));
  }

  set(key: string, row: Row): void {
    this.#remember(key);
    if (!this.#rows.has(key)) this.#sortedKeys = null;
    this.#rows.set(key, structuredClone(row));
  }

  delete(key: string): void {
    this.#remember(key);
    if (this.#rows.delete(key)) this.#sortedKeys = null;
  }

  keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#rows.keys()].sort();
    return this.#sortedKeys;
  }

  values(): readonly Row[] {
    return this.keys().flatMap((key) => {
      const row = this.get(key);
      return row === undefined ? [] : [row];
    });
  }

  commit(): void {
    this.#before.clear();
  }

  rollback(): void {
    for (const [key, row] of this.#before) {
      if (row === undefined) this.#rows.delete(key);
      else this.#rows.set(key, row);
    }
    this.#before.clear();
    this.#sortedKeys = null;
  }

  #remember(key: string): void {
    if (!this.#before.has(key)) this.#before.set(key, this.#rows.get(key));
  }
}

class Content {
  readonly records = new Table<IssueRecord>();
  /** Keys of records by the identities of their references. */
  readonly keys = new Table<string>();
  /** Dirty fields by key, ordered by sequence. */
  readonly dirty = new Table<readonly DirtyField[]>();
  readonly intents = new Table<CreateIntent>();
  readonly conflicts = new Table<ConflictRecord>();
  readonly checkpoints = new Table<SyncCheckpoint>();
  readonly #sequences = new Table<number>();

  nextSequence(): number {
    const sequence = (this.#sequences.get("dirty") ?? 0) + 1;
    this.#sequences.set("dirty", sequence);
    return sequence;
  }

  commit(): void {
    for (const table of this.#tables()) table.commit();
  }

  rollback(): void {
    for (const table of this.#tables()) table.rollback();
  }

  #tables(): readonly { commit(): void; rollback(): void }[] {
    return [
      this.records,
      this.keys,
      this.dirty,
      this.intents,
      this.conflicts,
      this.checkpoints,
      this.#sequences,
    ];
  }
}

class MemoryTransaction implements StoreTransaction {
  #content: Content | null;

  constructor(content: Content) {
    this.#content = content;
  }

  end(): void {
    this.#content = null;
  }

  get #open(): Content {
    if (this.#content === null) throw transactionEndedError();
    return this.#content;
  }

  async records(keys: readonly string[]): Promise<readonly IssueRecord[]> {
    const { records } = this.#open;
    return [...new Set(keys)].sort().flatMap((key) => records.get(key) ?? []);
  }

  async findByRefs(identities: readonly string[]): Promise<ReadonlyMap<string, IssueRecord>> {
    const { keys, records } = this.#open;
    const found = new Map<string, IssueRecord>();
    for (const identity of identities) {
      const key = keys.get(identity);
      const record = key === undefined ? undefined : records.get(key);
      if (record !== undefined) found.set(identity, record);
    }
    return found;
  }

  async put(records: readonly IssueRecord[]): Promise<void> {
    const content = this.#open;
    for (const record of records) {
      const identity = record.ref === null ? null : identityOf(record.ref);
      const holder = identity === null ? undefined : content.keys.get(identity);
      if (identity !== null && holder !== undefined && holder !== record.key) throw refTakenError(identity);
      const old = content.records.get(record.key)?.ref;
      if (old) content.keys.delete(identityOf(old));
      if (identity !== null) content.keys.set(identity, record.key);
      content.records.set(record.key, record);
    }
  }

  async remove(key: string): Promise<void> {
    const content = this.#open;
    const ref = content.records.get(key)?.ref;
    if (ref) content.keys.delete(identityOf(ref));
    content.records.delete(key);
    content.dirty.delete(key);
    content.intents.delete(key);
    for (const conflict of content.conflicts.values()) {
      if (conflict.key === key) content.conflicts.delete(conflict.id);
    }
  }

  async count(): Promise<number> {
    const { records } = this.#open;
    return records.keys().filter((key) => records.get(key)?.deletedAt === null).length;
  }

  async list(afterKey: string | null, limit: number): Promise<readonly IssueRecord[]> {
    const { records } = this.#open;
    const keys = records.keys();
    const start = afterKey === null ? 0 : keys.findIndex((key) => key > afterKey);
    if (start === -1) return [];
    return keys.slice(start, start + limit).flatMap((key) => records.get(key) ?? []);
  }

  async markDirty(edits: readonly FieldEdit[]): Promise<void> {
    const content = this.#open;
    for (const { key, field, changedAt } of edits) {
      const others = (content.dirty.get(key) ?? []).filter((dirty) => dirty.field !== field);
      content.dirty.set(key, [...others, { key, field, sequence: content.nextSequence(), changedAt }]);
    }
  }

  async dirtyFields(keys: readonly string[]): Promise<readonly DirtyField[]> {
    const { dirty } = this.#open;
    return [...new Set(keys)].flatMap((key) => dirty.get(key) ?? []).sort((a, b) => a.sequence - b.sequence);
  }

  async dirtyKeys(
    afterSequence: number,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly sequence: number }[]> {
    return this.#open.dirty
      .values()
      .flatMap(([first]) => (first === undefined ? [] : { key: first.key, sequence: first.sequence }))
      .filter(({ sequence }) => sequence > afterSequence)
      .sort((a, b) => a.sequence - b.sequence)
      .slice(0, limit);
  }

  async clearDirty(edits: readonly Omit<DirtyField, "changedAt">[]): Promise<void> {
    const { dirty } = this.#open;
    for (const { key, field, sequence } of edits) {
      const left = (dirty.get(key) ?? []).filter(
        (entry) => entry.field !== field || entry.sequence > sequence,
      );
      if (left.length === 0) dirty.delete(key);
      else dirty.set(key, left);
    }
  }

  async putIntent(intent: CreateIntent): Promise<void> {
    this.#open.intents.set(intent.key, intent);
  }

  async intent(key: string): Promise<CreateIntent | null> {
    return this.#open.intents.get(key) ?? null;
  }

  async intents(): Promise<readonly CreateIntent[]> {
    return this.#open.intents.values();
  }

  async removeIntent(key: string): Promise<void> {
    this.#open.intents.delete(key);
  }

  async putConflicts(conflicts: readonly ConflictRecord[]): Promise<void> {
    const content = this.#open;
    for (const conflict of conflicts) content.conflicts.set(conflict.id, conflict);
  }

  async conflict(id: string): Promise<ConflictRecord | null> {
    return this.#open.conflicts.get(id) ?? null;
  }

  async openConflicts(keys?: readonly string[]): Promise<readonly ConflictRecord[]> {
    const open = this.#open.conflicts.values().filter(({ resolution }) => resolution === null);
    const requested = keys && new Set(keys);
    return requested === undefined ? open : open.filter(({ key }) => requested.has(key));
  }

  async checkpoint(name: string): Promise<SyncCheckpoint> {
    return this.#open.checkpoints.get(name) ?? { updatedSince: null, window: null };
  }

  async putCheckpoint(name: string, checkpoint: SyncCheckpoint): Promise<void> {
    this.#open.checkpoints.set(name, checkpoint);
  }
}
