/**
 * One sync at a time per mapping, across processes. A lease that another process took over cannot return: the former
 * owner fails at its next read or write.
 */

import type { TeamScope } from "../access/team-scope.ts";
import { HostError } from "../errors.ts";
import { leaseFrom, withHeartbeat } from "../jobs/heartbeat.ts";
import { unfinishedJob } from "../jobs/operations.ts";
import { removedConnection } from "./mappings.ts";

/** The time after the last beat from which a sync counts as abandoned, in milliseconds. */
export const LEASE_MS = 10_000;

export interface Lease {
  readonly bindingRef: string;
  readonly owner: string;
}

/**
 * Takes the lease of a mapping; call it inside a transaction.
 *
 * @throws HostError `sync_in_progress` when another process holds it
 */
export async function takeLease(scope: TeamScope, bindingRef: string): Promise<Lease> {
  const lease = { bindingRef, owner: crypto.randomUUID() };
  await scope.insertSyncState(bindingRef);
  const { numUpdatedRows } = await scope
    .updateSyncState(bindingRef)
    .set({ lease_owner: lease.owner, lease_expires_at: leaseFrom(scope, LEASE_MS) })
    .where(({ or, eb }) =>
      or([eb("lease_owner", "is", null), eb("lease_expires_at", "<", scope.timestamp())]),
    )
    .executeTakeFirst();
  if (numUpdatedRows === 0n) {
    const job = await unfinishedJob(scope, bindingRef).executeTakeFirst();
    throw new HostError(
      "sync_in_progress",
      "Another sync of this project is running. Try again shortly.",
      job === undefined ? {} : { details: { operation_id: job.id } },
    );
  }
  return lease;
}

function leaseRow(scope: TeamScope, { bindingRef, owner }: Lease) {
  return scope.updateSyncState(bindingRef).where("lease_owner", "=", owner);
}

/** Extends the lease; false when another process has taken it. */
export async function extendLease(scope: TeamScope, lease: Lease): Promise<boolean> {
  const { numUpdatedRows } = await leaseRow(scope, lease)
    .set({ lease_expires_at: leaseFrom(scope, LEASE_MS) })
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Releases the lease; false when another process has taken it. */
export async function releaseLease(scope: TeamScope, lease: Lease): Promise<boolean> {
  const { numUpdatedRows } = await leaseRow(scope, lease)
    .set({ lease_owner: null, lease_expires_at: null })
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Records the end of a sync, unless another process has taken the lease. */
export async function recordSync(
  scope: TeamScope,
  lease: Lease,
  ending: { readonly last_error: string | null; readonly last_synced_at?: string },
): Promise<void> {
  await leaseRow(scope, lease).set(ending).execute();
}

/**
 * Checks that the sync may continue: call it in the transaction of every write.
 *
 * @throws HostError `sync_in_progress` when another process has taken the lease, `binding_not_found`,
 * `mapping_disabled`, `no_installation` when mapping or connection were removed meanwhile
 */
export async function assertLease(scope: TeamScope, { bindingRef, owner }: Lease): Promise<void> {
  const row = await scope
    .mappings()
    .innerJoin("sync_states", "sync_states.binding_ref", "mappings.binding_ref")
    .innerJoin("connections", "connections.id", "mappings.connection_id")
    .select(["lease_owner", "mappings.provider", "mappings.status", "deleted_at", "removed_at"])
    .where("mappings.binding_ref", "=", bindingRef)
    .executeTakeFirst();
  if (row?.lease_owner !== owner) {
    throw new HostError("sync_in_progress", "This sync timed out, and another one replaced it.");
  }
  const { provider, status, deleted_at, removed_at } = row;
  if (deleted_at !== null) {
    throw new HostError("binding_not_found", `The binding ${bindingRef} was deleted.`, { provider });
  }
  if (status === "disabled") {
    throw new HostError("mapping_disabled", `The binding ${bindingRef} was disabled.`, { provider });
  }
  if (removed_at !== null) throw removedConnection(provider);
}

/**
 * Runs `work` under the mapping's lease.
 *
 * @throws HostError `sync_in_progress` when another process holds it
 */
export async function withLease<T>(
  scope: TeamScope,
  bindingRef: string,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await scope.transaction((transaction) => takeLease(transaction, bindingRef));
  try {
    // The next beat follows a failed one; the lease outlasts several beats.
    const heartbeat = { beat: () => extendLease(scope, lease), onFailure: () => {} };
    return await withHeartbeat(heartbeat, () => work(lease));
  } finally {
    await releaseLease(scope, lease);
  }
}
