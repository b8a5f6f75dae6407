/** Jobs that take longer than one answer. The control plane then names an operation that will hold the result. */
import * as v from "valibot";
import {
  type Call,
  type ErrorEnvelope,
  MissionPublishResponse,
  OperationAccepted,
  type OperationResult,
  PullResult,
  PushResult,
  RunResult,
} from "../protocol.ts";
import type { Timing } from "../shared/context.ts";
import { ControlPlaneError, errorOfEnvelope } from "./errors.ts";

/** The longest wait for an operation of a remote control plane, in ms. */
const OPERATION_TIMEOUT_MS = 5 * 60_000;
/** The time for which an unreachable remote control plane is polled again during that wait, in ms. */
const MAX_OUTAGE_MS = 60_000;
const MAX_POLL_S = { elsewhere: 30, embedded: 1 };

/** The progress of an operation, or null without one; `total` is null while it is unknown. */
export type OperationProgress = OperationResult["progress"];

export interface JobListener {
  /**
   * Reports the operation that carries out the job.
   *
   * @param isEmbedded the operation stops with this process
   */
  readonly onAccepted?: (operationId: string, isEmbedded: boolean) => void;
  readonly onProgress?: (progress: OperationProgress) => void;
}

const JobOutcome = v.union([
  v.pipe(
    RunResult,
    v.transform((result) => ({ kind: "run", result }) as const),
  ),
  v.pipe(
    PullResult,
    v.transform((result) => ({ kind: "pull", result }) as const),
  ),
  v.pipe(
    PushResult,
    v.transform((result) => ({ kind: "push", result }) as const),
  ),
  v.pipe(
    MissionPublishResponse,
    v.transform((result) => ({ kind: "publish", result }) as const),
  ),
]);
export type JobOutcome = v.InferOutput<typeof JobOutcome>;
export type SyncOutcome = Exclude<JobOutcome, { kind: "publish" }>;

type Eventual<T> =
  | { readonly kind: "result"; readonly value: T }
  | { readonly kind: "operation"; readonly id: string };

/** The schema of an answer that holds the result or names the operation. */
export function eventually<S extends v.GenericSchema>(result: S) {
  return v.union([
    v.pipe(
      result,
      v.transform((value) => ({ kind: "result", value }) as const),
    ),
    v.pipe(
      OperationAccepted,
      v.transform(({ operation_id }) => ({ kind: "operation", id: operation_id }) as const),
    ),
  ]);
}

/** The operation that blocks a binding; some control planes do not name it. */
const BlockingOperation = v.object({ operation_id: v.string() });

type JobSubject = NonNullable<Call["job"]>;

interface OperationWaiterOptions {
  readonly name: string;
  readonly timing: Timing;
  /** The job runs in this process and ends with it, so the wait has no limit. */
  readonly isEmbedded: boolean;
  readonly read: (operationId: string) => Promise<OperationResult>;
}

export class OperationWaiter {
  readonly #options: OperationWaiterOptions;

  constructor(options: OperationWaiterOptions) {
    this.#options = options;
  }

  get isEmbedded(): boolean {
    return this.#options.isEmbedded;
  }

  /**
   * Polls an operation until it has ended: after 1, 2, 4, … seconds, at most 30; each second when it is embedded. A
   * control plane that does not answer is asked again for a minute, because operations survive it.
   *
   * @throws ControlPlaneError `operation_timeout` after five minutes, unless it is embedded; the operation continues
   */
  async awaitEnd(
    operationId: string,
    onProgress: (operation: OperationResult) => void,
    job: JobSubject = "binding",
  ): Promise<OperationResult> {
    const { timing, read, isEmbedded } = this.#options;
    const deadline = isEmbedded ? Number.POSITIVE_INFINITY : timing.now() + OPERATION_TIMEOUT_MS;
    const longest = isEmbedded ? MAX_POLL_S.embedded : MAX_POLL_S.elsewhere;
    let lastAnswer = timing.now();
    for (let seconds = 1; ; seconds = Math.min(seconds * 2, longest)) {
      const patience = deadline - timing.now();
      if (patience <= 0) {
        throw new ControlPlaneError("operation_timeout", `Operation ${operationId} is still running.`, {
          retryable: true,
          details: { operation_id: operationId, job },
        });
      }
      await timing.sleep(Math.min(seconds * 1_000 * (0.8 + 0.4 * timing.random()), patience));
      try {
        const operation = await read(operationId);
        if (isOver(operation)) return operation;
        lastAnswer = timing.now();
        onProgress(operation);
      } catch (error) {
        const isOutage = error instanceof ControlPlaneError && error.retryable && !isEmbedded;
        if (!isOutage || timing.now() - lastAnswer > MAX_OUTAGE_MS)
          throw unreadableOperation(operationId, error, job);
      }
    }
  }

  /**
   * Waits for the operation that blocks a call where only this process can finish it: one that was interrupted in the
   * embedded control plane.
   *
   * @returns true when the call may be made again
   */
  async waitUntilUnblocked(refusal: unknown, { onAccepted, onProgress }: JobListener): Promise<boolean> {
    if (!this.#options.isEmbedded || !(refusal instanceof ControlPlaneError)) return false;
    const { code, details } = refusal;
    if (code !== "sync_in_progress" || !v.is(BlockingOperation, details)) return false;
    onAccepted?.(details.operation_id, true);
    await this.awaitEnd(details.operation_id, ({ progress }) => onProgress?.(progress));
    return true;
  }

  /**
   * The result itself, or the result of the operation once it has one.
   *
   * @throws ControlPlaneError the failure of the operation, or as {@link awaitEnd} does
   */
  async resultOf<S extends v.GenericSchema>(
    answer: Eventual<v.InferOutput<S>>,
    schema: S,
    listener: JobListener,
    job: JobSubject,
  ): Promise<v.InferOutput<S>> {
    if (answer.kind === "result") return answer.value;
    listener.onAccepted?.(answer.id, this.#options.isEmbedded);
    listener.onProgress?.(null);
    return this.#follow(answer.id, schema, listener, job);
  }

  /** The outcome of an operation, without a wait when it has ended. Fails as {@link resultOf} does. */
  async jobOutcome(operationId: string, listener: JobListener): Promise<JobOutcome> {
    const operation = await this.#options.read(operationId);
    if (isOver(operation)) return this.#parse(operation, JobOutcome, "binding");
    listener.onAccepted?.(operationId, this.#options.isEmbedded);
    listener.onProgress?.(operation.progress);
    return this.#follow(operationId, JobOutcome, listener);
  }

  async #follow<S extends v.GenericSchema>(
    operationId: string,
    schema: S,
    { onProgress = () => {} }: JobListener,
    job: JobSubject = "binding",
  ): Promise<v.InferOutput<S>> {
    const operation = await this.awaitEnd(operationId, ({ progress }) => onProgress(progress), job);
    return this.#parse(operation, schema, job);
  }

  #parse<S extends v.GenericSchema>(
    { operation_id, status, result, error }: OperationResult,
    schema: S,
    job: JobSubject,
  ): v.InferOutput<S> {
    if (status === "failed") throw operationFailure(operation_id, error);
    const parsed = v.safeParse(schema, result);
    if (parsed.success) return parsed.output;
    throw new ControlPlaneError(
      "invalid_response",
      `${this.#options.name} finished operation ${operation_id} without a valid result.`,
      { details: { operation_id, job } },
    );
  }
}

/** Adds the operation to the reason why it cannot be read. */
function unreadableOperation(operationId: string, error: unknown, job: JobSubject): unknown {
  if (!(error instanceof ControlPlaneError) || error.code === "operation_not_found") return error;
  return error.with({
    details: { operation_id: operationId, job },
    unfinished: "operation",
  });
}

function isOver({ status }: OperationResult): boolean {
  return status === "completed" || status === "failed";
}

function operationFailure(operationId: string, error: ErrorEnvelope | null): ControlPlaneError {
  const unnamed = { code: "operation_failed", message: `Operation ${operationId} failed.` };
  return error === null
    ? new ControlPlaneError(unnamed.code, unnamed.message)
    : errorOfEnvelope(error, unnamed);
}
