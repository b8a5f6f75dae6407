/** Faults that a test queues in the in-memory tracker, each for one of the next requests. */
import type { FailureClass } from "../errors.ts";
import type { CoreField } from "../model.ts";

const READS = ["listIssues", "getIssue", "findCreated", "listComments", "listEvents"] as const;
const WRITES = [
  "createIssue",
  "updateIssue",
  "transitionIssue",
  "upsertLink",
  "removeLink",
  "addComment",
] as const;

export type MemoryMethod = (typeof READS)[number] | (typeof WRITES)[number];

export type MemoryFault =
  /** Fails before any effect; `transient` when no class is named. */
  | {
      readonly kind: "fail";
      readonly failureClass?: FailureClass;
      readonly retryAfterSeconds?: number;
    }
  /** Fails before any effect, with the time to wait or null. */
  | { readonly kind: "rate_limited"; readonly retryAfterSeconds: number | null }
  /** Executes the request and loses the answer. */
  | { readonly kind: "lost_response" }
  /** Answers success and leaves these fields unchanged. */
  | { readonly kind: "drop_fields"; readonly fields: readonly CoreField[] }
  /** Returns the same page again for the next cursor. */
  | { readonly kind: "duplicate_page" }
  /** Returns the page's items newest first. */
  | { readonly kind: "reorder_page" }
  /** Returns issues as they were before their last change. */
  | { readonly kind: "stale" };

export interface FaultTiming {
  /** The method; by default any that the fault can happen to. */
  readonly on?: MemoryMethod;
  /** The number of requests it hits, 1 by default; may be `Infinity`. */
  readonly times?: number;
}

const POSSIBLE: Readonly<Record<MemoryFault["kind"], readonly MemoryMethod[]>> = {
  fail: [...READS, ...WRITES],
  rate_limited: [...READS, ...WRITES],
  lost_response: [...READS, ...WRITES],
  drop_fields: ["createIssue", "updateIssue", "transitionIssue", "upsertLink", "removeLink"],
  duplicate_page: ["listIssues"],
  reorder_page: ["listIssues"],
  stale: ["listIssues", "getIssue"],
};

export function isWrite(method: MemoryMethod): boolean {
  return WRITES.some((write) => write === method);
}

/** Faults in their order, one per request. */
export class FaultQueue {
  #waiting: { readonly fault: MemoryFault; readonly on: readonly MemoryMethod[]; left: number }[] = [];

  /** @throws RangeError when the fault cannot happen to that method */
  add(fault: MemoryFault, { on, times = 1 }: FaultTiming = {}): void {
    const possible = POSSIBLE[fault.kind];
    if (on !== undefined && !possible.includes(on)) {
      throw new RangeError(`The fault ${fault.kind} cannot happen to ${on}.`);
    }
    this.#waiting.push({ fault, on: on === undefined ? possible : [on], left: times });
  }

  take(method: MemoryMethod): MemoryFault | null {
    const next = this.#waiting.find(({ on }) => on.includes(method));
    if (next === undefined) return null;
    next.left -= 1;
    if (next.left <= 0) this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    return next.fault;
  }

  get pending(): number {
    return this.#waiting.length;
  }

  clear(): void {
    this.#waiting = [];
  }
}
