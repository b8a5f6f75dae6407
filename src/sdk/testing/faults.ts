/** Misfortunes that a test hands to the in-memory tracker, each for a call to come. */
import type { FailureClass } from "../errors.ts";
import type { CoreField } from "../model.ts";

/** Requests that only read. */
const READS = ["listIssues", "getIssue", "findCreated", "listComments", "listEvents"] as const;
/** Requests that change something. */
const WRITES = [
  "createIssue",
  "updateIssue",
  "transitionIssue",
  "upsertLink",
  "removeLink",
  "addComment",
] as const;

/** A request that a tracker answers. */
export type MemoryMethod = (typeof READS)[number] | (typeof WRITES)[number];

/** The kinds of faults. */
export type MemoryFault =
  /** Fails before anything is done; `transient` when no class is named. */
  | {
      readonly kind: "fail";
      readonly failureClass?: FailureClass;
      readonly retryAfterSeconds?: number;
    }
  /** Fails before anything is done; says how long to wait, or nothing about it (null). */
  | { readonly kind: "rate_limited"; readonly retryAfterSeconds: number | null }
  /** Does what was asked for; the answer is lost on the way back. */
  | { readonly kind: "lost_response" }
  /** Answers as if all was done, and leaves these fields as they were. */
  | { readonly kind: "drop_fields"; readonly fields: readonly CoreField[] }
  /** The page is right, and comes once more when the next one is asked for. */
  | { readonly kind: "duplicate_page" }
  /** The page's items come newest first. */
  | { readonly kind: "reorder_page" }
  /** Issues are shown as they were before their last change. */
  | { readonly kind: "stale" };

/** The time at which a fault strikes. */
export interface FaultTiming {
  /** The request it waits for; any request that it can happen to when none is named. */
  readonly on?: MemoryMethod;
  /** The number of requests that it strikes, 1 by default; may be `Infinity`. */
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

/** Reports whether a request changes something. */
export function isWrite(method: MemoryMethod): boolean {
  return WRITES.some((write) => write === method);
}

/** Faults waiting for their requests, first come first served, one per request. */
export class FaultQueue {
  #waiting: { readonly fault: MemoryFault; readonly on: readonly MemoryMethod[]; left: number }[] = [];

  /**
   * Puts a fault behind the others.
   *
   * @throws RangeError when it cannot happen to the request it is to wait for
   */
  add(fault: MemoryFault, { on, times = 1 }: FaultTiming = {}): void {
    const possible = POSSIBLE[fault.kind];
    if (on !== undefined && !possible.includes(on)) {
      throw new RangeError(`The fault ${fault.kind} cannot happen to ${on}.`);
    }
    this.#waiting.push({ fault, on: on === undefined ? possible : [on], left: times });
  }

  /** The fault that strikes this request, if any. */
  take(method: MemoryMethod): MemoryFault | null {
    const next = this.#waiting.find(({ on }) => on.includes(method));
    if (next === undefined) return null;
    next.left -= 1;
    if (next.left <= 0) this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    return next.fault;
  }

  /** Faults that have not struck as often as they shall. */
  get pending(): number {
    return this.#waiting.length;
  }

  clear(): void {
    this.#waiting = [];
  }
}
