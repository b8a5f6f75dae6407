/**
 * ControlPlaneClient: one generic call for every row of `protocol/calls.ts`. The
 * embedded control plane is called through the same client; only `fetch` differs.
 */
import type * as v from "valibot";
import { AuthorizedChannel, type ClientOptions } from "./client/authorized-channel.ts";
import type { Exchange } from "./client/channel.ts";
import { ControlPlaneError, notOffered } from "./client/errors.ts";
import { eventually, type JobListener, type JobOutcome, OperationWaiter } from "./client/operations.ts";
import {
  CALLS,
  type Call,
  type CallName,
  type CallRequest,
  type CallResponse,
  fillPath,
  type MissionPublishRequest,
  NoFields,
  type Reread,
  type ResolveConflictRequest,
} from "./protocol.ts";

export interface PullQuery {
  /** 1 to 10000. */
  readonly limit: number;
  readonly cursor?: string;
  readonly filters?: Readonly<Record<string, unknown>>;
  /** Returns unchanged issues too; an extension that other hosts ignore. */
  readonly reread?: Reread;
}

export interface RunQuery {
  /** 1 to 10000. */
  readonly limit: number;
  /** Plans and writes nothing; an extension. */
  readonly dry_run?: true;
}

export type IssueSearchQuery = { readonly query_text: string } | { readonly query_key: string };

export interface CallOptions extends JobListener {
  /** Default: a new one per call, the same on each retry. */
  readonly idempotencyKey?: string;
}

export type ConflictSide = ResolveConflictRequest["take"];
export type MissionUpdate = MissionPublishRequest["update"];

export class ControlPlaneClient {
  readonly #channel: AuthorizedChannel;
  readonly #operations: OperationWaiter;

  constructor(options: ClientOptions) {
    const { name, timing, credentials } = options;
    this.#channel = new AuthorizedChannel(options);
    this.#operations = new OperationWaiter({
      name,
      timing,
      isEmbedded: credentials === null,
      read: (id) => this.call("operation", { operation_id: id }),
    });
  }

  get isEmbedded(): boolean {
    return this.#operations.isEmbedded;
  }

  get name(): string {
    return this.#channel.name;
  }

  /**
   * Makes a call and waits for its job, if it becomes one.
   *
   * @throws ControlPlaneError when the call or its job fails; `operation_timeout` when a job takes more than
   *   five minutes, with the command that waits for it again
   * @throws NotAuthenticatedError when no credential is accepted
   * @example await client.call("status", { provider: "linear", binding_ref: "srm_1" })
   */
  async call<N extends CallName>(
    name: N,
    request: CallRequest<N>,
    options: CallOptions = {},
  ): Promise<CallResponse<N>> {
    const { response } = CALLS[name];
    const { caller, job, ...row }: Call = CALLS[name];
    const exchange = exchangeOf(row, request, options.idempotencyKey);
    const send = <S extends v.GenericSchema>(schema: S) =>
      this.#channel.send(exchange, schema, caller).catch((error: unknown) => {
        throw notOffered(this.name, { ...row, caller }, withProvider(error, request));
      });
    if (job === undefined) return send(response);
    const begin = () => send(eventually(response));
    const answer = await (job === "binding" ? this.#begin(begin, options) : begin());
    return this.#operations.resultOf(answer, response, options, job);
  }

  /** The outcome of an operation on a binding, also of one that has ended; fails as {@link call} does. */
  jobOutcome(operationId: string, listener: JobListener = {}): Promise<JobOutcome> {
    return this.#operations.jobOutcome(operationId, listener);
  }

  /** Starts a job on a binding; waits first for an interrupted job that blocks it. */
  async #begin<T>(begin: () => Promise<T>, listener: JobListener): Promise<T> {
    for (;;) {
      try {
        return await begin();
      } catch (error) {
        if (await this.#operations.waitUntilUnblocked(error, listener)) continue;
        const isUnknown = error instanceof ControlPlaneError && error.mayBeDone;
        throw isUnknown ? error.with({ unfinished: "write" }) : error;
      }
    }
  }
}

/** Names the request's provider in an error that has none. */
function withProvider(error: unknown, request: object): unknown {
  const provider = "provider" in request && typeof request.provider === "string" ? request.provider : null;
  const isNamed = !(error instanceof ControlPlaneError) || error.provider !== null;
  return isNamed || provider === null ? error : error.with({ provider });
}

/** The request of a call: the fields of its path, the other fields as query or body, and its key. */
function exchangeOf(
  { method, path, request: schema, repeat }: Pick<Call, "method" | "path" | "request" | "repeat">,
  request: object,
  idempotencyKey: string = crypto.randomUUID(),
): Exchange {
  const fields = new Map<string, unknown>(Object.entries(request));
  const filled = fillPath(path, (name) => {
    const value = encodeURIComponent(String(fields.get(name)));
    fields.delete(name);
    return value;
  });
  return {
    method,
    path: filled,
    ...(method === "GET" && { query: toQueryParams(fields) }),
    ...(method !== "GET" && schema !== NoFields && { body: Object.fromEntries(fields) }),
    ...(repeat === "keyed" ? { repeat: "safe", headers: { "idempotency-key": idempotencyKey } } : { repeat }),
  };
}

function toQueryParams(fields: ReadonlyMap<string, unknown>): Readonly<Record<string, string>> {
  const given = [...fields].filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

export type { ClientCredential, ClientOptions } from "./client/authorized-channel.ts";
export type {
  JobListener,
  JobOutcome,
  OperationProgress,
  SyncOutcome,
} from "./client/operations.ts";
