import type { ColumnType } from "kysely";

/** ISO 8601 in UTC. */
type Instant = string;
/** JSON as text. */
type JsonText = string;
/** Set when the row is written and never after. */
type Fixed<T> = ColumnType<T, T, never>;

/** The state of a mapping's sync, and the holder of its lease. */
interface SyncStatesTable {
  binding_ref: Fixed<string>;
  last_synced_at: Instant | null;
  last_error: string | null;
  /** The holder of the lease; null while no sync runs. */
  lease_owner: string | null;
  lease_expires_at: Instant | null;
}

/** The finished items of a job, so that none is repeated after a crash. */
interface OperationItemsTable {
  operation_id: Fixed<string>;
  position: Fixed<number>;
  item: Fixed<JsonText>;
}

/** The tables `issues`, `journal`, `intents`, `conflicts` and `checkpoints` belong to the SDK's SQLite store. */
export interface SyncTables {
  operation_items: OperationItemsTable;
  sync_states: SyncStatesTable;
}
