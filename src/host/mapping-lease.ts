/** One sync at a time per mapping, in whichever process. */
import { HostError } from "./errors.ts";
import type { TeamScope } from "./team-scope.ts";

/** How often the one who works says so, in milliseconds. */
export const BEAT = 2_000;
/** How long after the last beat the work counts as abandoned, in milliseconds. */
export const LEASE = 10_000;

/** The instant until which somebody who beats now is believed to be alive. */
export function leaseFrom(scope: Pick<TeamScope, "now">): string {
  return new Date(scope.now() + LEASE).toISOString();
}

/**
 * Runs `work` while nobody else synchronizes the mapping.
 *
 * @param owner who works; the same one may come back after a crash
 * @throws HostError `sync_in_progress` when somebody else is at it
 */
export async function withLease<T>(
  scope: TeamScope,
  { bindingRef, owner }: { readonly bindingRef: string; readonly owner: string },
  work: () => Promise<T>,
): Promise<T> {
  await acquire(scope, bindingRef, owner);
  const beat = () =>
    scope
      .updateSyncState(bindingRef)
      .set({ lease_expires_at: leaseFrom(scope) })
      .where("lease_owner", "=", owner)
      .execute();
  let lastBeat: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    // A beat that fails is followed by the next one; the lease outlasts several of them.
    lastBeat = lastBeat.then(beat).catch(() => undefined);
  }, BEAT);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await lastBeat;
    await scope
      .updateSyncState(bindingRef)
      .set({ lease_owner: null, lease_expires_at: null })
      .where("lease_owner", "=", owner)
      .execute();
  }
}

async function acquire(scope: TeamScope, bindingRef: string, owner: string): Promise<void> {
  const isTaken = await scope.transaction(async (transaction) => {
    await transaction
      .insertSyncState({ binding_ref: bindingRef, sequence: 0 })
      .onConflict((conflict) => conflict.column("binding_ref").doNothing())
      .execute();
    const { numUpdatedRows } = await transaction
      .updateSyncState(bindingRef)
      .set({ lease_owner: owner, lease_expires_at: leaseFrom(transaction) })
      .where(({ or, eb }) =>
        or([
          eb("lease_owner", "is", null),
          eb("lease_owner", "=", owner),
          eb("lease_expires_at", "<", transaction.timestamp()),
        ]),
      )
      .executeTakeFirst();
    return numUpdatedRows === 0n;
  });
  if (isTaken) {
    throw new HostError(
      "sync_in_progress",
      "This project is being synchronized right now. Try again shortly.",
    );
  }
}
