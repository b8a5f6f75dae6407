/** Operations: work that may outlive its request. */
import * as v from "valibot";
import { ErrorEnvelope, type OperationAccepted, type OperationResult } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { asHostError, errorEnvelope, HostError, unexpectedFailure } from "../errors.ts";
import { describeFailure, type HostLog } from "../log.ts";
import { type Background, interrupted } from "./background.ts";
import { leaseFrom, withHeartbeat } from "./heartbeat.ts";

/**
 * The time after its last beat from which an operation counts as interrupted, in milliseconds. It is long, because no
 * process resumes it, and a large inventory is written in one transaction without a beat.
 */
const INTERRUPTED_AFTER_MS = 30_000;
const OPERATION_RETENTION_MS = 24 * 60 * 60_000;

interface OperationFacts {
  readonly kind: string;
  readonly subject: string;
}

export type Progress = (done: number) => void;

/** The result of an operation that ended in time, or the operation that continues. */
export type Outcome<T> = { readonly result: T } | { readonly operation: OperationAccepted };

interface OperationsOptions {
  readonly background: Background;
  readonly log: HostLog;
  readonly maxWaitMs: number;
}

/** Runs operations in this process; a long one has a row with its state. */
export class Operations {
  readonly #background: Background;
  readonly #log: HostLog;
  readonly #patience: number;

  constructor({ background, log, maxWaitMs }: OperationsOptions) {
    this.#background = background;
    this.#log = log;
    this.#patience = maxWaitMs;
  }

  /** Runs `work`. Throws an error that occurs in time; the operation's row holds a later one. */
  async run<T>(
    scope: TeamScope,
    facts: OperationFacts,
    work: (progress: Progress) => Promise<T>,
  ): Promise<Outcome<T>> {
    let done = 0;
    const running = this.#background.track(
      work((count) => {
        done = count;
      }),
    );
    const inTime = await within(running, this.#patience);
    if (inTime !== null) return inTime;
    const id = crypto.randomUUID();
    await this.#begin(scope, id, facts, done);
    this.#background.track(this.#recordEnd(scope, id, running, () => done));
    return { operation: { operation_id: id, status: "pending" } };
  }

  async #begin(scope: TeamScope, id: string, facts: OperationFacts, done: number): Promise<void> {
    const at = scope.timestamp();
    await scope.transaction(async (transaction) => {
      await deleteExpired(transaction);
      await transaction
        .insertOperation({
          id,
          ...facts,
          status: "running",
          done,
          total: null,
          result: null,
          error: null,
          lease_expires_at: leaseFrom(scope, INTERRUPTED_AFTER_MS),
          created_at: at,
          updated_at: at,
        })
        .execute();
    });
  }

  async #recordEnd(
    scope: TeamScope,
    id: string,
    running: Promise<unknown>,
    done: () => number,
  ): Promise<void> {
    const beat = () =>
      scope
        .updateOperation(id)
        .set({
          done: done(),
          lease_expires_at: leaseFrom(scope, INTERRUPTED_AFTER_MS),
          updated_at: scope.timestamp(),
        })
        .execute();
    const onFailure = (error: unknown) => this.#lament(id, error);
    const outcome = await withHeartbeat({ beat, onFailure }, () =>
      running.then(
        (result) => ({ status: "completed" as const, result: JSON.stringify(result), error: null }),
        (error: unknown) => ({
          status: "failed" as const,
          result: null,
          error: JSON.stringify(errorEnvelope(this.#explain(id, error))),
        }),
      ),
    );
    await scope
      .updateOperation(id)
      .set({ ...outcome, done: done(), lease_expires_at: null, updated_at: scope.timestamp() })
      .execute()
      .catch(onFailure);
  }

  #explain(id: string, error: unknown): HostError {
    const known = asHostError(error);
    if (known !== null) return known;
    this.#lament(id, error);
    return unexpectedFailure(`operation ${id}`);
  }

  #lament(id: string, error: unknown): void {
    const facts = { operation_id: id, error: describeFailure(error) };
    this.#log({ level: "error", message: "operation failed", ...facts });
  }
}

/**
 * Deletes the team's operations without an update for a day, except running and resumable ones; call it inside a
 * transaction.
 */
export async function deleteExpired(scope: TeamScope): Promise<void> {
  await scope
    .deleteOperations()
    .where("updated_at", "<=", new Date(scope.now() - OPERATION_RETENTION_MS).toISOString())
    .where(({ or, eb }) => or([eb("payload", "is", null), eb("status", "not in", ["pending", "running"])]))
    .where(({ or, eb }) =>
      or([eb("lease_expires_at", "is", null), eb("lease_expires_at", "<=", scope.timestamp())]),
    )
    .execute();
}

export function unfinishedJob(scope: TeamScope, bindingRef: string) {
  return (
    scope
      .operations()
      .select("id")
      .where("subject", "=", bindingRef)
      .where("payload", "is not", null)
      // Ended operations have no lease.
      .where("lease_expires_at", "is not", null)
      .orderBy("created_at")
      .limit(1)
  );
}

/** The result of `work`, or null when it takes longer than the given milliseconds. */
export async function within<T>(
  work: Promise<T>,
  milliseconds: number,
): Promise<{ readonly result: T } | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(resolve, milliseconds, null);
  try {
    return await Promise.race([work.then((result) => ({ result })), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The state of an operation of the team. An operation whose process has died reads as failed, unless it is a job,
 * which another process resumes.
 *
 * @throws HostError `operation_not_found`
 */
export async function readOperation(
  scope: TeamScope,
  id: string,
): Promise<{ readonly operation: OperationResult; readonly isAbandoned: boolean }> {
  const row = await scope
    .operations()
    .select(["status", "done", "total", "result", "error", "lease_expires_at", "payload"])
    .where("id", "=", id)
    .executeTakeFirst();
  if (row === undefined) throw new HostError("operation_not_found", `The operation "${id}" does not exist.`);
  const { status, done, total, lease_expires_at } = row;
  const isOver = status === "completed" || status === "failed";
  const isLost = !isOver && lease_expires_at !== null && lease_expires_at < scope.timestamp();
  const isAbandoned = isLost && row.payload !== null;
  const answer = { operation_id: id, progress: { done, total } };
  if (isLost && !isAbandoned) {
    const error = errorEnvelope(interrupted());
    return { operation: { ...answer, status: "failed", result: null, error }, isAbandoned };
  }
  const parse = (text: string | null): unknown => (text === null ? null : parseJson(text));
  const result = parse(row.result);
  const error = v.parse(v.nullable(ErrorEnvelope), parse(row.error));
  return { operation: { ...answer, status, result, error }, isAbandoned };
}
