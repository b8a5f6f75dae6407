/**
 * Jobs: operations that survive their process. What is to be done is stored
 * before it is begun, what is done already is stored as it goes, and whoever
 * finds a job whose process has died takes it up again.
 */
import type { OperationAccepted } from "../protocol.ts";
import { findPrincipal } from "./authentication.ts";
import type { Background } from "./background.ts";
import type { Database } from "./database/schema.ts";
import { asHostError, errorEnvelope, HostError } from "./errors.ts";
import { describeFailure, type Log } from "./log.ts";
import { BEAT, leaseFrom } from "./mapping-lease.ts";
import { TeamScope } from "./team-scope.ts";

/** Processes that may die over one job before it is given up. */
const ATTEMPTS = 5;

/** A job as it is asked for. */
export interface JobRequest {
  readonly kind: string;
  /** Reference of the mapping that it works on. */
  readonly bindingRef: string;
  /** All that the job needs to be done by another process: a JSON value. */
  readonly payload: unknown;
  /** The `Idempotency-Key` header; null when there is none. */
  readonly idempotencyKey: string | null;
}

/** A job as it is worked on. */
export interface Job {
  readonly id: string;
  readonly bindingRef: string;
  readonly payload: unknown;
  /** What was done before a crash, by position. */
  readonly done: ReadonlyMap<number, unknown>;
  /** Stores that a part is done. */
  keep(position: number, item: unknown): Promise<void>;
  /** Tells how far it has come; stored with the next beat. */
  progress(done: number): void;
}

/** Does the jobs of one kind. */
export type Worker = (scope: TeamScope, job: Job) => Promise<unknown>;

/** What jobs are made of. */
export interface JobsOptions {
  readonly database: Database;
  readonly background: Background;
  readonly workers: Readonly<Record<string, Worker>>;
  readonly log: Log;
  readonly now: () => number;
  /** How long a request waits for the result, in milliseconds. */
  readonly patience: number;
}

/** How a job ended. */
type Ending = { readonly result: unknown } | { readonly error: HostError };

/** What a request for a job is answered with. */
export type JobAnswer = { readonly result: unknown } | { readonly operation: OperationAccepted };

/** Runs jobs in this process, and those that other processes have left behind. */
export class Jobs {
  readonly #options: JobsOptions;

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /**
   * Starts a job, or finds the one that was started with the same key.
   *
   * @throws HostError `idempotency_mismatch` when the key was used for another request, and
   *   whatever the job fails with in time
   */
  async start(scope: TeamScope, request: JobRequest): Promise<JobAnswer> {
    const { id, isNew } = await insert(scope, request);
    const ending = isNew
      ? await this.#inTime(this.#options.background.track(this.#execute(scope, id)))
      : await endingOf(scope, id);
    if (ending === null) return { operation: { operation_id: id, status: "pending" } };
    if ("error" in ending) throw ending.error;
    return { result: ending.result };
  }

  /** Takes up every job whose process has died; resolves when all of them have been taken up. */
  async resume(): Promise<void> {
    const { database, background, log, now } = this.#options;
    const lost = await database
      .selectFrom("operations")
      .select(["id", "team_id", "user_id"])
      .where("status", "in", ["pending", "running"])
      .where("payload", "is not", null)
      .where("lease_expires_at", "<", new Date(now()).toISOString())
      .execute();
    for (const { id, team_id, user_id } of lost) {
      const principal = user_id === null ? null : await findPrincipal(database, team_id, user_id);
      // Who has left the team since does nothing there any more.
      if (principal === null) continue;
      log({ level: "info", message: "operation taken up again", operation_id: id });
      background.track(this.#execute(new TeamScope(database, principal, now), id));
    }
  }

  async #inTime(execution: Promise<Ending | null>): Promise<Ending | null> {
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(resolve, this.#options.patience, null);
    try {
      return await Promise.race([execution, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Does a job, if nobody else has claimed it. Does not throw; null when somebody else does it, or it must wait. */
  async #execute(scope: TeamScope, id: string): Promise<Ending | null> {
    try {
      const claimed = await claim(scope, id);
      if (claimed === null) return null;
      if (claimed.attempts > ATTEMPTS) {
        const error = new HostError(
          "internal",
          `The operation was interrupted ${ATTEMPTS} times and given up.`,
        );
        await finish(scope, id, { error });
        return { error };
      }
      const ending = await this.#work(scope, id, claimed);
      if (ending !== null) await finish(scope, id, ending);
      return ending;
    } catch (error) {
      this.#lament(id, error);
      return { error: new HostError("internal", `Something went wrong (operation ${id}).`) };
    }
  }

  async #work(scope: TeamScope, id: string, claimed: Claimed): Promise<Ending | null> {
    const { background, workers } = this.#options;
    let done = 0;
    let lastBeat: Promise<unknown> = Promise.resolve();
    const beat = () =>
      scope
        .updateOperation(id)
        .set({ done, lease_expires_at: leaseFrom(scope), updated_at: scope.timestamp() })
        .execute();
    const timer = setInterval(() => {
      lastBeat = lastBeat.then(beat).catch((error) => this.#lament(id, error));
    }, BEAT);
    try {
      const worker = workers[claimed.kind];
      if (worker === undefined) throw new HostError("internal", `Nobody does "${claimed.kind}" operations.`);
      const result = await worker(scope, {
        id,
        bindingRef: claimed.bindingRef,
        payload: claimed.payload,
        done: await doneItems(scope, id),
        keep: (position, item) => keepItem(scope, id, position, item),
        progress: (count) => {
          done = count;
        },
      });
      return { result };
    } catch (error) {
      // A host that stops hands the job back: the next one takes it up.
      if (background.signal.aborted) return null;
      const known = asHostError(error);
      if (known === null) this.#lament(id, error);
      return { error: known ?? new HostError("internal", `Something went wrong (operation ${id}).`) };
    } finally {
      clearInterval(timer);
      await lastBeat.then(beat).catch((error) => this.#lament(id, error));
      if (background.signal.aborted) await handBack(scope, id).catch((error) => this.#lament(id, error));
    }
  }

  #lament(id: string, error: unknown): void {
    const facts = { operation_id: id, error: describeFailure(error) };
    this.#options.log({ level: "error", message: "operation failed", ...facts });
  }
}

/** Stores a job; finds the one of the same key. */
async function insert(
  scope: TeamScope,
  { kind, bindingRef, payload, idempotencyKey }: JobRequest,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const text = JSON.stringify(payload);
  const fingerprint = new Bun.CryptoHasher("sha256")
    .update(JSON.stringify([kind, bindingRef, text]))
    .digest("hex");
  return scope.transaction(async (transaction) => {
    if (idempotencyKey !== null) {
      const known = await transaction
        .operations()
        .select(["id", "fingerprint"])
        .where("idempotency_key", "=", idempotencyKey)
        .executeTakeFirst();
      if (known !== undefined && known.fingerprint === fingerprint) return { id: known.id, isNew: false };
      if (known !== undefined) {
        throw new HostError(
          "idempotency_mismatch",
          "This Idempotency-Key was used for another request. Use a new key for a new request.",
        );
      }
    }
    const id = crypto.randomUUID();
    const at = transaction.timestamp();
    await transaction
      .insertOperation({
        id,
        kind,
        subject: bindingRef,
        status: "pending",
        done: 0,
        total: null,
        result: null,
        error: null,
        payload: text,
        attempts: 0,
        user_id: transaction.principal.user.id,
        idempotency_key: idempotencyKey,
        fingerprint,
        lease_expires_at: at,
        created_at: at,
        updated_at: at,
      })
      .execute();
    return { id, isNew: true };
  });
}

/** A job that is this process's to do. */
interface Claimed {
  readonly kind: string;
  readonly bindingRef: string;
  readonly payload: unknown;
  /** How often it has been claimed, this time included. */
  readonly attempts: number;
}

async function claim(scope: TeamScope, id: string): Promise<Claimed | null> {
  const row = await scope
    .updateOperation(id)
    .set(({ eb }) => ({
      status: "running",
      attempts: eb("attempts", "+", 1),
      lease_expires_at: leaseFrom(scope),
    }))
    .where("status", "in", ["pending", "running"])
    .where("lease_expires_at", "<=", scope.timestamp())
    .returning(["kind", "subject", "payload", "attempts"])
    .executeTakeFirst();
  if (row === undefined || row.payload === null) return null;
  return {
    kind: row.kind,
    bindingRef: row.subject,
    payload: JSON.parse(row.payload),
    attempts: row.attempts ?? 1,
  };
}

async function handBack(scope: TeamScope, id: string): Promise<void> {
  await scope
    .updateOperation(id)
    .set({ status: "pending", lease_expires_at: scope.timestamp() })
    .where("status", "=", "running")
    .execute();
}

async function finish(scope: TeamScope, id: string, ending: Ending): Promise<void> {
  const outcome =
    "error" in ending
      ? { status: "failed" as const, result: null, error: JSON.stringify(errorEnvelope(ending.error)) }
      : { status: "completed" as const, result: JSON.stringify(ending.result), error: null };
  await scope
    .updateOperation(id)
    .set({ ...outcome, lease_expires_at: null, updated_at: scope.timestamp() })
    .execute();
}

/** How a job of an earlier request ended; null when it has not. */
async function endingOf(scope: TeamScope, id: string): Promise<Ending | null> {
  const row = await scope.operations().select(["status", "result"]).where("id", "=", id).executeTakeFirst();
  if (row?.status !== "completed" || row.result === null) return null;
  return { result: JSON.parse(row.result) };
}

async function doneItems(scope: TeamScope, id: string): Promise<ReadonlyMap<number, unknown>> {
  const rows = await scope.operationItems(id).select(["position", "item"]).execute();
  return new Map(rows.map(({ position, item }) => [position, JSON.parse(item)]));
}

async function keepItem(scope: TeamScope, id: string, position: number, item: unknown): Promise<void> {
  await scope
    .insertOperationItem({ operation_id: id, position, item: JSON.stringify(item) })
    .onConflict((conflict) => conflict.columns(["operation_id", "position"]).doNothing())
    .execute();
}
