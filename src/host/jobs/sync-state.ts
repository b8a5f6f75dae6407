import { wireConflict } from "../../sync/envelope.ts";
import type { TeamScope } from "../access/team-scope.ts";
import type { MappingView } from "../mappings/mappings.ts";
import { unfinishedJob } from "./operations.ts";

const MAX_SHOWN_CONFLICTS = 3;

export async function syncStateOf(scope: TeamScope, mapping: MappingView) {
  const row = await scope
    .syncStates()
    .select(["last_synced_at", "last_error", "lease_expires_at"])
    .select(unfinishedJob(scope, mapping.bindingRef).as("operation_id"))
    .where("binding_ref", "=", mapping.bindingRef)
    .executeTakeFirst();
  const {
    lease_expires_at = null,
    last_synced_at = null,
    last_error = null,
    operation_id = null,
  } = row ?? {};
  const isRunning = lease_expires_at !== null && lease_expires_at > scope.timestamp();
  const issues = await scope.issueStore(mapping).read(async (reader) => {
    const open = await reader.openConflicts();
    const shown = open.slice(0, MAX_SHOWN_CONFLICTS);
    const records = await reader.records(shown.map(({ key }) => key));
    const byKey = new Map(records.map((record) => [record.key, record]));
    return {
      issue_count: await reader.count(),
      open_conflicts: open.length,
      conflicts: shown.map((conflict) => wireConflict(conflict, byKey.get(conflict.key) ?? null)),
    };
  });
  const error = mapping.problem ?? last_error;
  const rest = last_synced_at === null ? "never" : "idle";
  return {
    sync_state: isRunning ? "running" : error === null ? rest : "error",
    last_synced_at,
    ...issues,
    last_error: error,
    operation_id,
  };
}

export async function lastSyncs(scope: TeamScope): Promise<ReadonlyMap<string, string | null>> {
  const rows = await scope.syncStates().select(["binding_ref", "last_synced_at"]).execute();
  return new Map(rows.map(({ binding_ref, last_synced_at }) => [binding_ref, last_synced_at]));
}

/** The kind of access through which the host reaches the mapping's resource. */
export function identityPathOf({ connectionId, provider, routing }: MappingView) {
  return {
    type: "installation",
    installation_id: connectionId,
    user_link_id: null,
    provider,
    provider_account_id: routing.workspace.id,
  };
}
