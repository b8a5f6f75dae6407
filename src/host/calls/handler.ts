import type * as v from "valibot";
import type { CallName, Calls, PathFields } from "../../protocol.ts";
import type { TeamScope } from "../access/team-scope.ts";
import type { ConnectTools } from "../connections/connect.ts";
import type { CandidateTokens } from "../inventory/candidate-token.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Operations, Outcome } from "../jobs/operations.ts";
import type { Synchronization } from "../jobs/sync.ts";

export interface SyncServices {
  readonly sync: Synchronization;
  readonly jobs: Jobs;
}

export interface HandlerServices extends ConnectTools {
  readonly inventory: Inventory;
  readonly tokens: CandidateTokens;
  readonly operations: Operations;
  /** Loads the services of a sync with the first request that needs them: a bind does not. */
  readonly loadSync: () => Promise<SyncServices>;
}

export interface HandlerContext extends HandlerServices {
  /**
   * The caller's view of the database; the transaction of a request whose answer is stored under an Idempotency-Key.
   */
  readonly scope: TeamScope;
  /** Null without the header, and for calls that are not keyed. */
  readonly idempotencyKey: string | null;
  readonly signal: AbortSignal;
}

/** The calls that have a handler: not those without a caller, nor those that another call's route answers. */
type HandledCall = {
  [N in CallName]: Calls[N] extends { readonly caller: "anyone" } | { readonly variantOf: string }
    ? never
    : N;
}[CallName];

type HandlerRequest<N extends HandledCall> = v.InferOutput<Calls[N]["request"]> & PathFields<N>;

/** An answer. The stored result of a job on a binding was typed when it was made. */
type HandlerAnswer<N extends HandledCall> = Calls[N] extends { readonly job: "binding" }
  ? Outcome<object>
  : Calls[N] extends { readonly job: "connection" }
    ? Outcome<v.InferInput<Calls[N]["response"]>>
    : v.InferInput<Calls[N]["response"]>;

export type Handlers = {
  readonly [N in HandledCall]: (
    context: HandlerContext,
    request: HandlerRequest<N>,
  ) => Promise<HandlerAnswer<N>>;
};
