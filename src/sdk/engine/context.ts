/** The dependencies that every part of the engine shares. */
import type { TrackerConnector } from "../connector.ts";
import type { CanonicalIssue } from "../model.ts";
import type { IssueStore } from "../stores/store.ts";
import type { OwnershipPolicy } from "./policy.ts";

export interface EngineContext {
  readonly connector: TrackerConnector;
  readonly store: IssueStore;
  readonly policy: OwnershipPolicy;
  readonly name: string;
  readonly overlapMs: number;
  readonly pageSize: number;
  readonly canMerge: (page: readonly CanonicalIssue[]) => boolean;
  readonly concurrency: number;
  readonly instant: () => string;
  readonly newId: () => string;
  /** Sends a request, with retries where its failure allows them. */
  readonly send: <T>(request: (attempt: number) => Promise<T>) => Promise<T>;
  readonly writes: "sent" | "planned";
}
