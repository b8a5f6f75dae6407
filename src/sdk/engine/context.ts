/** The dependencies that every part of the engine shares. */
import type { TrackerConnector } from "../connector.ts";
import type { CanonicalIssue } from "../model.ts";
import type { IssueStore } from "../stores/store.ts";
import type { OwnershipPolicy } from "./policy.ts";

/** The engine's surroundings. */
export interface EngineContext {
  readonly connector: TrackerConnector;
  readonly store: IssueStore;
  readonly policy: OwnershipPolicy;
  /** The name of the checkpoint. */
  readonly name: string;
  readonly overlapMs: number;
  readonly pageSize: number;
  /** Reports whether a page may be merged; a page of one issue always is. */
  readonly canMerge: (page: readonly CanonicalIssue[]) => boolean;
  readonly concurrency: number;
  /** The time, as ISO 8601 in UTC. */
  readonly instant: () => string;
  readonly newId: () => string;
  /** Sends a request, again when its failure says that this can help. */
  readonly send: <T>(request: (attempt: number) => Promise<T>) => Promise<T>;
  /** Sends writes to the connector, or only plans them. */
  readonly writes: "sent" | "planned";
}
