/** Work on what a project is bound to, whoever does it: a control plane, or this machine. */
import type { ConflictSide, IssueQuery, JobListener, MissionUpdate, PullQuery, RunQuery } from "../client.ts";
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

/**
 * Receives the upgrade of an older config: `written` when the config has it now,
 * else left to the caller because that was asked for or the write failed.
 */
export type OnUpgrade = (
  binding: Binding & { readonly bindingRef: string },
  outcome: "written" | "pending",
) => void;

/** The reads on a binding, or on a provider without a binding of the project. */
export interface TrackerView {
  mappings(): Promise<readonly Mapping[]>;
  /** The latest issues, 1 to 100. */
  tickets(limit: number): Promise<ListTicketsResponse>;
  /** The issues that fit `query`, 1 to 100. */
  searchTickets(query: IssueQuery, limit: number): Promise<IssueSearchResponse>;
}

/** The arguments of `tracker map add`; the keeper of the mappings checks them. */
export interface MappingRequest {
  readonly wpId: string | null;
  readonly externalId: string | null;
  readonly externalKey: string | null;
  readonly externalUrl: string | null;
}

/** Observes a pull that is one long page. */
export type PullListener = Pick<JobListener, "onProgress">;

/** The tracker that a project is bound to. Every method throws a TrackerError when it cannot be done. */
export interface BoundTracker extends TrackerView {
  readonly provider: Provider;
  status(): Promise<ProjectStatus>;
  /** Takes in one page of what changed at the provider. */
  pull(query: PullQuery, listener?: PullListener): Promise<PullResult>;
  /**
   * Writes to the provider.
   *
   * @param items what to write; null for what was edited here
   * @throws UsageError when this tracker takes only the one, or only the other
   */
  push(items: readonly PushItem[] | null, listener: JobListener): Promise<PushResult>;
  /** Pulls, then pushes what was edited. */
  run(query: RunQuery, listener: JobListener): Promise<RunResult>;
  /** Conflicts that wait for a decision. */
  conflicts(): Promise<ConflictsResponse>;
  resolveConflict(id: string, take: ConflictSide): Promise<ResolveConflictResponse>;
  /**
   * Returns the data that a mission about an issue starts from.
   *
   * @param issue its key
   * @param missionId made from the issue when null
   */
  seedMission(issue: string, missionId: string | null): Promise<MissionSeedResponse>;
  /** Tells the issue with this key how its mission goes. */
  publishMission(
    issue: string,
    update: MissionUpdate,
    listener: JobListener,
  ): Promise<MissionPublishResponse>;
  addMapping(request: MappingRequest): Promise<Mapping>;
}

/**
 * The binding in the project's config.
 *
 * @throws TrackerError `not_bound` when there is none
 */
export function requireBinding({ config }: Pick<Project, "config">): Binding {
  const binding = bindingOf(config);
  if (binding === null) throw notBound();
  return binding;
}

/** The error for a project without a binding. */
export function notBound(): TrackerError {
  return new TrackerError("not_bound", "This project is not bound to a tracker.");
}
