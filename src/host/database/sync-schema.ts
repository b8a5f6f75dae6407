/** Tables of what is synchronized; every row belongs to a mapping. */
import type { ColumnType } from "kysely";
import type { CoreField } from "../../sdk/model.ts";
import type { ConflictRecord } from "../../sdk/stores/store.ts";

/** ISO 8601 in UTC. */
type Instant = string;
/** JSON as text. */
type JsonText = string;
/** Set when the row is written and never after. */
type Fixed<T> = ColumnType<T, T, never>;

/** The state of a mapping's sync, and the holder of its lease. */
interface SyncStatesTable {
  binding_ref: Fixed<string>;
  /** The last number that the journal has given out. */
  sequence: number;
  last_synced_at: Instant | null;
  last_error: string | null;
  /** The holder of the lease; null while no sync runs. */
  lease_owner: string | null;
  lease_expires_at: Instant | null;
}

/** The checkpoints of a mapping's pulls. */
interface CheckpointsTable {
  binding_ref: Fixed<string>;
  name: Fixed<string>;
  checkpoint: JsonText;
}

/** Issues as they stand here, and as both sides last agreed on them. */
interface IssuesTable {
  binding_ref: Fixed<string>;
  key: Fixed<string>;
  identity: string | null;
  ref: JsonText | null;
  fields: JsonText;
  /** Null while they equal `fields`. */
  base_fields: JsonText | null;
  base_raw: JsonText | null;
  base_revision: string | null;
  base_created_at: Instant | null;
  /** There is a base when there is this. */
  base_updated_at: Instant | null;
  deleted_at: Instant | null;
}

/** Fields that were edited here and are not pushed yet. */
interface JournalTable {
  binding_ref: Fixed<string>;
  key: Fixed<string>;
  field: Fixed<CoreField>;
  sequence: number;
  changed_at: Instant;
}

/** Creates that were begun. */
interface IntentsTable {
  binding_ref: Fixed<string>;
  key: Fixed<string>;
  idempotency_key: string;
}

interface ConflictsTable {
  binding_ref: Fixed<string>;
  id: Fixed<string>;
  key: string;
  field: CoreField;
  base: JsonText;
  local: JsonText;
  remote: JsonText;
  resolution: ConflictRecord["resolution"];
}

/** The finished items of a durable operation, so that none is repeated after a crash. */
interface OperationItemsTable {
  operation_id: Fixed<string>;
  position: Fixed<number>;
  item: Fixed<JsonText>;
}

export interface SyncTables {
  operation_items: OperationItemsTable;
  sync_states: SyncStatesTable;
  checkpoints: CheckpointsTable;
  issues: IssuesTable;
  journal: JournalTable;
  intents: IntentsTable;
  conflicts: ConflictsTable;
}
