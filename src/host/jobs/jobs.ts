/**
 * Jobs: operations that survive their process. The input is stored before the job begins and each result when it is
 * complete, so any process can resume the job of a dead one. The process that runs a job holds the lease of its
 * mapping, which excludes other work on both.
 */
import * as v from "valibot";
import type { OperationAccepted } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";
import { findPrincipal } from "../access/authentication.ts";
import { TeamScope } from "../access/team-scope.ts";
import type { Database } from "../database/schema.ts";
import { asHostError, errorEnvelope, HostError, unexpectedFailure } from "../errors.ts";
import { describeFailure, type HostLog } from "../log.ts";
import {
  assertLease,
  extendLease,
  LEASE_MS,
  type Lease,
  releaseLease,
  takeLease,
} from "../mappings/lease.ts";
import type { Background } from "./background.ts";
import { leaseFrom, withHeartbeat } from "./heartbeat.ts";
import { fingerprintOf, keyReused } from "./idempotency.ts";
import { deleteExpired, within } from "./operations.ts";

/** The number of dead processes after which a job is abandoned. */
const MAX_JOB_ATTEMPTS = 5;

interface JobRequest {
  readonly kind: string;
  readonly bindingRef: string;
  /** The complete input, with which another process can do the job: a JSON value. */
  readonly payload: unknown;
  /** The number of parts, as {@link Job.progress} counts them; null when unknown. */
  readonly total: number | null;
  readonly idempotencyKey: string | null;
}

export interface Job {
  readonly id: string;
  readonly payload: unknown;
  readonly lease: Lease;
  /** `first` when no process has begun the work. */
  readonly attempt: "first" | "repeated";
  readonly done: ReadonlyMap<number, unknown>;
  keep(position: number, item: unknown): Promise<void>;
  /** Reports the number of finished parts; stored with the next beat. */
  progress(done: number): void;
}

export type Worker = (scope: TeamScope, job: Job) => Promise<object>;

interface JobsOptions {
  readonly database: Database;
  readonly background: Background;
  readonly workers: Readonly<Record<string, Worker>>;
  readonly log: HostLog;
  readonly now: () => number;
  readonly maxWaitMs: (kind: string) => number;
}

type JobEnd = { readonly result: object } | { readonly error: HostError };

type JobAnswer = { readonly result: object } | { readonly operation: OperationAccepted };

export class Jobs {
  readonly #options: JobsOptions;
  readonly #running = new Map<string, Promise<JobEnd | null>>();

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /**
   * Starts a job, or finds the one that was started with the same key. A failed one continues where it ended.
   * Interrupted jobs on the mapping are finished first.
   *
   * @throws HostError `sync_in_progress` when other work holds the mapping, or an interrupted job takes long: nothing
   * is stored then; `idempotency_mismatch` when the key was used for another request; the job's own error when it
   * fails in time
   */
  async start(scope: TeamScope, request: JobRequest): Promise<JobAnswer> {
    const until = performance.now() + this.#options.maxWaitMs(request.kind);
    const inTime = async (work: Promise<JobEnd | null>) =>
      (await within(work, Math.max(0, until - performance.now())))?.result;
    const { idempotencyKey } = request;
    const known = idempotencyKey === null ? undefined : await jobOf(scope, idempotencyKey);
    if (known?.status !== "completed") await this.#finishInterrupted(request, inTime);
    const { id, claim } = await scope.transaction((transaction) => begin(transaction, request));
    const running = claim === null ? this.#running.get(id) : this.#run({ scope, claim });
    const ending = running === undefined ? await resultOf(scope, id) : await inTime(running);
    if (!ending) return { operation: { operation_id: id, status: "pending" } };
    if ("error" in ending) throw ending.error;
    return { result: ending.result };
  }

  /**
   * Resumes every job whose process has died; resolves when each has been claimed. A job whose mapping is being
   * synchronized stays for a later call.
   */
  async resume(): Promise<void> {
    for (const job of await this.#lost().execute()) {
      const taken = await this.#claimLost(job);
      if (taken !== null) this.#run(taken);
    }
  }

  /** Finishes the mapping's interrupted jobs, except the requested one. */
  async #finishInterrupted(
    { bindingRef, idempotencyKey }: JobRequest,
    inTime: (work: Promise<JobEnd | null>) => Promise<JobEnd | null | undefined>,
  ): Promise<void> {
    for (const job of await this.#lost().where("subject", "=", bindingRef).execute()) {
      const taken = await this.#claimLost(job);
      if (taken === null) continue;
      const running = this.#run(taken);
      const isAskedFor = idempotencyKey !== null && job.idempotency_key === idempotencyKey;
      if (!isAskedFor && (await inTime(running)) === undefined) throw interruptedFirst(job.id);
    }
  }

  #lost() {
    const { database, now } = this.#options;
    return database
      .selectFrom("operations")
      .select(["id", "team_id", "user_id", "idempotency_key"])
      .where("status", "in", ["pending", "running"])
      .where("payload", "is not", null)
      .where("lease_expires_at", "<", new Date(now()).toISOString())
      .orderBy("created_at");
  }

  /** Claims a job whose process has died; null when another process has it, or its user has left the team. */
  async #claimLost({ id, team_id, user_id }: LostJob): Promise<ScopedJob | null> {
    const { database, log, now } = this.#options;
    const principal = user_id === null ? null : await findPrincipal(database, team_id, user_id);
    if (principal === null) {
      await abandon(database, id, now());
      return null;
    }
    const scope = new TeamScope(database, principal, now);
    const claim = await scope.transaction((transaction) => claimLost(transaction, id)).catch(unlessBusy);
    if (claim === null) return null;
    log({ level: "info", message: "operation resumed", operation_id: id });
    return { scope, claim };
  }

  /** Runs a job after the response and shares its end with later callers. */
  #run({ scope, claim }: ScopedJob): Promise<JobEnd | null> {
    const { id } = claim;
    const running = this.#options.background.track(this.#execute(scope, claim));
    this.#running.set(id, running);
    running.then(() => {
      if (this.#running.get(id) === running) this.#running.delete(id);
    });
    return running;
  }

  /** Runs a job and stores its end. Does not throw; null when the job is not over. */
  async #execute(scope: TeamScope, claim: ClaimedJob): Promise<JobEnd | null> {
    const { id, lease } = claim;
    let done = 0;
    const beat = () =>
      scope.transaction(async (transaction) => {
        if (!(await extendLease(transaction, lease))) return;
        await transaction
          .updateOperation(id)
          .set({ done, lease_expires_at: leaseFrom(scope, LEASE_MS), updated_at: scope.timestamp() })
          .execute();
      });
    const onFailure = (error: unknown) => this.#lament(id, error);
    try {
      const ending = await withHeartbeat({ beat, onFailure }, () =>
        this.#work(scope, claim, (count) => {
          done = count;
        }),
      );
      return await scope.transaction(async (transaction) => {
        // The owner of the lease has the job, too.
        if (!(await releaseLease(transaction, lease))) return null;
        await (ending === null
          ? returnJob(transaction, id, done)
          : finish(transaction, id, { ...ending, done }));
        return ending;
      });
    } catch (error) {
      onFailure(error);
      return { error: unexpectedFailure(`operation ${id}`) };
    }
  }

  /** Returns the end of a job; null when the host stops before it. */
  async #work(scope: TeamScope, claim: ClaimedJob, progress: Job["progress"]): Promise<JobEnd | null> {
    const { id, kind, payload, attempt, attempts, lease } = claim;
    if (attempts > MAX_JOB_ATTEMPTS) {
      return {
        error: new HostError(
          "internal",
          `The operation was interrupted ${MAX_JOB_ATTEMPTS} times and abandoned.`,
        ),
      };
    }
    const { background, workers } = this.#options;
    try {
      const worker = workers[kind];
      if (worker === undefined)
        throw new HostError("internal", `This control plane has no worker for "${kind}" operations.`);
      const done = await doneItems(scope, id);
      const keep: Job["keep"] = (position, item) => keepItem(scope, claim, position, item);
      return { result: await worker(scope, { id, payload, lease, attempt, done, keep, progress }) };
    } catch (error) {
      // A stopping host returns the job, and the next process resumes it.
      if (background.signal.aborted) return null;
      const known = asHostError(error);
      if (known === null) this.#lament(id, error);
      return { error: known ?? unexpectedFailure(`operation ${id}`) };
    }
  }

  #lament(id: string, error: unknown): void {
    const facts = { operation_id: id, error: describeFailure(error) };
    this.#options.log({ level: "error", message: "operation failed", ...facts });
  }
}

interface LostJob {
  readonly id: string;
  readonly team_id: string;
  readonly user_id: string | null;
}

interface ClaimedJob {
  readonly id: string;
  readonly kind: string;
  readonly payload: unknown;
  readonly attempt: Job["attempt"];
  readonly attempts: number;
  readonly lease: Lease;
}

interface ScopedJob {
  readonly scope: TeamScope;
  readonly claim: ClaimedJob;
}

/** Stores and claims a job, or finds the one with the same key, which is claimed when it has failed. */
async function begin(
  scope: TeamScope,
  { kind, bindingRef, payload, total, idempotencyKey }: JobRequest,
): Promise<{ readonly id: string; readonly claim: ClaimedJob | null }> {
  await deleteExpired(scope);
  const text = JSON.stringify(payload);
  const fingerprint = fingerprintOf([kind, bindingRef, text]);
  const known = idempotencyKey === null ? undefined : await jobOf(scope, idempotencyKey);
  if (known !== undefined && known.fingerprint !== fingerprint) throw keyReused();
  if (known !== undefined && known.status !== "failed") return { id: known.id, claim: null };
  const lease = await takeLease(scope, bindingRef);
  // The id contains the time of creation, from which on providers are searched for the job's writes.
  const id = known?.id ?? Bun.randomUUIDv7("hex", scope.now());
  const at = scope.timestamp();
  const begun = {
    status: "running" as const,
    done: 0,
    error: null,
    attempts: 1,
    user_id: scope.principal.user.id,
    lease_expires_at: leaseFrom(scope, LEASE_MS),
    updated_at: at,
  };
  if (known === undefined) {
    await scope
      .insertOperation({
        id,
        kind,
        subject: bindingRef,
        ...begun,
        total,
        result: null,
        payload: text,
        idempotency_key: idempotencyKey,
        fingerprint,
        created_at: at,
      })
      .execute();
  } else {
    await scope.updateOperation(id).set(begun).execute();
  }
  const attempt = known === undefined ? "first" : "repeated";
  return { id, claim: { id, kind, payload: parseJson(text), attempt, attempts: begun.attempts, lease } };
}

function jobOf(scope: TeamScope, idempotencyKey: string) {
  return scope
    .operations()
    .select(["id", "fingerprint", "status"])
    .where("idempotency_key", "=", idempotencyKey)
    .executeTakeFirst();
}

/**
 * Claims a job whose process has died; null when another process was faster.
 *
 * @throws HostError `sync_in_progress` when its mapping is being synchronized
 */
async function claimLost(scope: TeamScope, id: string): Promise<ClaimedJob | null> {
  const row = await scope
    .updateOperation(id)
    .set(({ eb }) => ({
      status: "running",
      attempts: eb("attempts", "+", 1),
      lease_expires_at: leaseFrom(scope, LEASE_MS),
    }))
    .where("status", "in", ["pending", "running"])
    .where("lease_expires_at", "<", scope.timestamp())
    .returning(["kind", "subject", "payload", "attempts"])
    .executeTakeFirst();
  if (row === undefined || row.payload === null) return null;
  const { kind, subject, payload, attempts } = row;
  const lease = await takeLease(scope, subject);
  return { id, kind, payload: parseJson(payload), attempt: "repeated", attempts: attempts ?? 1, lease };
}

function interruptedFirst(id: string): HostError {
  return new HostError(
    "sync_in_progress",
    "An interrupted operation on this binding is finished first. Try again shortly.",
    { details: { operation_id: id } },
  );
}

function unlessBusy(error: unknown): null {
  if (error instanceof HostError && error.code === "sync_in_progress") return null;
  throw error;
}

async function abandon(database: Database, id: string, now: number): Promise<void> {
  const error = new HostError("forbidden", "The user who started this operation has left the team.");
  await database
    .updateTable("operations")
    .set({
      status: "failed",
      error: JSON.stringify(errorEnvelope(error)),
      lease_expires_at: null,
      updated_at: new Date(now).toISOString(),
    })
    .where("id", "=", id)
    .where("status", "in", ["pending", "running"])
    .execute();
}

/** Lets another process resume the job. This interruption does not count as an attempt. */
async function returnJob(scope: TeamScope, id: string, done: number): Promise<void> {
  await scope
    .updateOperation(id)
    .set(({ eb }) => ({
      status: "pending",
      done,
      attempts: eb("attempts", "-", 1),
      lease_expires_at: scope.timestamp(),
    }))
    .execute();
}

async function finish(
  scope: TeamScope,
  id: string,
  ending: JobEnd & { readonly done: number },
): Promise<void> {
  const { done } = ending;
  const outcome =
    "error" in ending
      ? { status: "failed" as const, error: JSON.stringify(errorEnvelope(ending.error)) }
      : { status: "completed" as const, result: JSON.stringify(ending.result) };
  await scope
    .updateOperation(id)
    .set({ ...outcome, done, lease_expires_at: null, updated_at: scope.timestamp() })
    .execute();
}

async function resultOf(scope: TeamScope, id: string): Promise<JobEnd | null> {
  const row = await scope.operations().select("result").where("id", "=", id).executeTakeFirst();
  return typeof row?.result === "string"
    ? { result: v.parse(v.looseObject({}), parseJson(row.result)) }
    : null;
}

async function doneItems(scope: TeamScope, id: string): Promise<ReadonlyMap<number, unknown>> {
  const rows = await scope.operationItems(id).select(["position", "item"]).execute();
  return new Map(rows.map(({ position, item }) => [position, parseJson(item)]));
}

async function keepItem(
  scope: TeamScope,
  { id, lease }: ClaimedJob,
  position: number,
  item: unknown,
): Promise<void> {
  await scope.transaction(async (transaction) => {
    await assertLease(transaction, lease);
    await transaction.insertOperationItem({ operation_id: id, position, item: JSON.stringify(item) });
  });
}
