/**
 * One sync at a time per mapping, in whichever process. A lease that was taken
 * over is lost for good: whoever wakes up late finds out with the next thing
 * that it reads or writes, and writes nothing any more.
 */

import type { TeamScope } from "../access/team-scope.ts";
import { HostError } from "../errors.ts";
import { leaseFrom, withHeartbeat } from "../jobs/heartbeat.ts";
import { unfinishedJob } from "../jobs/operations.ts";
import { removedConnection } from "./mappings.ts";

/** The time after the last beat from which a sync counts as abandoned, in milliseconds. */
export const LEASE = 10_000;

/** The right to synchronize a mapping. */
export interface Lease {
  readonly bindingRef: string;
  /** Another one for every time that the lease is taken. */
  readonly owner: string;
}

/**
 * Takes the lease of a mapping; call it inside a transaction.
 *
 * @throws HostError `sync_in_progress` when somebody else has it
 */
export async function takeLease(scope: TeamScope, bindingRef: string): Promise<Lease> {
  const lease = { bindingRef, owner: crypto.randomUUID() };
  await scope.insertSyncState(bindingRef);
  const { numUpdatedRows } = await scope
    .updateSyncState(bindingRef)
    .set({ lease_owner: lease.owner, lease_expires_at: leaseFrom(scope, LEASE) })
    .where(({ or, eb }) =>
      or([eb("lease_owner", "is", null), eb("lease_expires_at", "<", scope.timestamp())]),
    )
    .executeTakeFirst();
  if (numUpdatedRows === 0n) {
    const job = await unfinishedJob(scope, bindingRef).executeTakeFirst();
    throw new HostError(
      "sync_in_progress",
      "This project is being synchronized right now. Try again shortly.",
      job === undefined ? {} : { details: { operation_id: job.id } },
    );
  }
  return lease;
}

/** The mapping's state, where the lease is still held. */
function held(scope: TeamScope, { bindingRef, owner }: Lease) {
  return scope.updateSyncState(bindingRef).where("lease_owner", "=", owner);
}

/** Says that the sync goes on; false when somebody else has taken the lease. */
export async function extendLease(scope: TeamScope, lease: Lease): Promise<boolean> {
  const { numUpdatedRows } = await held(scope, lease)
    .set({ lease_expires_at: leaseFrom(scope, LEASE) })
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Gives the lease back; false when somebody else has taken it. */
export async function releaseLease(scope: TeamScope, lease: Lease): Promise<boolean> {
  const { numUpdatedRows } = await held(scope, lease)
    .set({ lease_owner: null, lease_expires_at: null })
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Notes how a sync ended, unless somebody else has taken the lease. */
export async function noteSync(
  scope: TeamScope,
  lease: Lease,
  ending: { readonly last_error: string | null; readonly last_synced_at?: string },
): Promise<void> {
  await held(scope, lease).set(ending).execute();
}

/**
 * Makes sure that the sync may go on: call it in the transaction of every write.
 *
 * @throws HostError `sync_in_progress` when somebody else has taken the lease, `binding_not_found`,
 *   `mapping_disabled`, `no_installation` when mapping or connection have gone since
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
 * Runs `work` while nobody else synchronizes the mapping.
 *
 * @throws HostError `sync_in_progress` when somebody else is at it
 */
export async function withLease<T>(
  scope: TeamScope,
  bindingRef: string,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await scope.transaction((transaction) => takeLease(transaction, bindingRef));
  try {
    // A beat that fails is followed by the next one; the lease outlasts several of them.
    const heartbeat = { beat: () => extendLease(scope, lease), onFailure: () => {} };
    return await withHeartbeat(heartbeat, () => work(lease));
  } finally {
    await releaseLease(scope, lease);
  }
}
