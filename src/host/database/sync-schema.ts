import type { Fixed, Instant, JsonText } from "./column-types.ts";

interface SyncStatesTable {
  binding_ref: Fixed<string>;
  last_synced_at: Instant | null;
  last_error: string | null;
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
