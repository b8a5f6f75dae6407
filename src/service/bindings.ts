/** The work on a binding: one interface for hosted and on-device providers. */
import type {
  ConflictSide,
  IssueSearchQuery,
  JobListener,
  MissionUpdate,
  PullQuery,
  RunQuery,
} from "../client.ts";
import type { Project } from "../config/project.ts";
import { type Binding, bindingOf } from "../config.ts";
import type {
  ConflictsResponse,
  IssueSearchResponse,
  ListTicketsResponse,
  Mapping,
  MissionPublishResponse,
  MissionSeedResponse,
  ProjectStatus,
  PullResult,
  PushItem,
  PushResult,
  ResolveConflictResponse,
  RunResult,
} from "../protocol.ts";
import { TrackerError } from "../shared/errors.ts";
import type { Provider } from "../shared/providers.ts";

/** Receives the upgrade of an older config: `pending` when the user refused upgrades or the write failed. */
export type OnUpgrade = (
  binding: Binding & { readonly bindingRef: string },
  outcome: "written" | "pending",
) => void;

/** The reads on a binding, or on a provider without one. */
export interface TrackerView {
  mappings(): Promise<readonly Mapping[]>;
  tickets(limit: number): Promise<ListTicketsResponse>;
  searchTickets(query: IssueSearchQuery, limit: number): Promise<IssueSearchResponse>;
}

export interface MappingRequest {
  readonly wpId: string | null;
  readonly externalId: string | null;
  readonly externalKey: string | null;
  readonly externalUrl: string | null;
}

export type PullListener = Pick<JobListener, "onProgress">;

/** The tracker that a project is bound to. */
export interface BoundTracker extends TrackerView {
  readonly provider: Provider;
  status(): Promise<ProjectStatus>;
  /** Fetches one page of changes. */
  pull(query: PullQuery, listener?: PullListener): Promise<PullResult>;
  /**
   * @param items the items to write; null for the local edits
   * @throws UsageError when this tracker takes only the one, or only the other
   */
  push(items: readonly PushItem[] | null, listener: JobListener): Promise<PushResult>;
  run(query: RunQuery, listener: JobListener): Promise<RunResult>;
  /** The open conflicts. */
  conflicts(): Promise<ConflictsResponse>;
  resolveConflict(id: string, take: ConflictSide): Promise<ResolveConflictResponse>;
  /**
   * @param issue its key
   * @param missionId derived from the issue when null
   */
  seedMission(issue: string, missionId: string | null): Promise<MissionSeedResponse>;
  /** @param issue its key */
  publishMission(
    issue: string,
    update: MissionUpdate,
    listener: JobListener,
  ): Promise<MissionPublishResponse>;
  addMapping(request: MappingRequest): Promise<Mapping>;
}

/** @throws TrackerError `not_bound` when the config has no binding */
export function requireBinding({ config }: Pick<Project, "config">): Binding {
  const binding = bindingOf(config);
  if (binding === null) throw notBound();
  return binding;
}

export function notBound(): TrackerError {
  return new TrackerError("not_bound", "This project is not bound to a tracker.");
}
