/** Work on a project that is bound to a tracker on this machine, answered as a control plane answers. */
import * as v from "valibot";
import type { BoundResult, BoundTracker, MappingRequest } from "../bound-tracker.ts";
import type {
  ConflictSide,
  IssueQuery,
  MissionUpdate,
  PullQuery,
  RunQuery,
  WorkListener,
} from "../client.ts";
import {
  ConflictsResponse,
  IssueSearchResponse,
  ListTicketsResponse,
  Mapping,
  MissionPublishResponse,
  MissionSeedResponse,
  ProjectStatus,
  PullResult,
  type PushItem,
  PushResult,
  ResolveConflictResponse,
  RunResult,
  type Ticket,
} from "../protocol.ts";
import type { TrackerConnector } from "../sdk/connector.ts";
import { ConnectorConfigError, IssueNotFoundError, TrackerSdkError } from "../sdk/errors.ts";
import type { CanonicalIssue } from "../sdk/model.ts";
import { openSqliteStore } from "../sdk/stores/sqlite.ts";
import { TrackerError, UsageError } from "../shared/errors.ts";
import type { LocalProvider } from "../shared/providers.ts";
import { type Doctrine, policyOf } from "../sync/doctrine.ts";
import { statusOf, ticketOf, totalOf } from "../sync/envelope.ts";
import { ResourceSync } from "../sync/resource-sync.ts";

/** A work package and the issue that stands for it. */
export const LocalMapping = v.object({
  wp_id: v.string(),
  external_id: v.string(),
  external_key: v.nullable(v.string()),
  external_url: v.nullable(v.string()),
});
export type LocalMapping = v.InferOutput<typeof LocalMapping>;

/** What a local tracker is made of. */
export interface LocalTrackerOptions {
  readonly provider: LocalProvider;
  readonly workspace: string;
  readonly connector: TrackerConnector;
  /** Absolute path of the file that holds what was synchronized. */
  readonly storePath: string;
  readonly doctrine: Doctrine;
  readonly now: () => Date;
  /** Keeps which issue stands for which work package. */
  readonly mappings: {
    read(): readonly LocalMapping[];
    edit(change: (all: readonly LocalMapping[]) => LocalMapping[]): void;
  };
}

/** How many conflicts a status names. */
const SHOWN_CONFLICTS = 3;

/** A tracker on this machine that a project is bound to. */
export class LocalTracker implements BoundTracker {
  readonly provider: LocalProvider;
  readonly #options: LocalTrackerOptions;

  constructor(options: LocalTrackerOptions) {
    this.provider = options.provider;
    this.#options = options;
  }

  async status(): Promise<BoundResult<ProjectStatus>> {
    const { provider, workspace } = this.#options;
    const { state, conflicts } = await this.#work(async (sync) => ({
      state: await sync.state(),
      conflicts: await sync.conflicts(),
    }));
    return answer(ProjectStatus, {
      provider,
      connected: true,
      configured: true,
      binding_ref: null,
      display_label: workspace,
      provider_context: null,
      identity_path: null,
      sync_state: state.lastSyncedAt === null ? "never" : "idle",
      last_synced_at: state.lastSyncedAt,
      issue_count: state.issueCount,
      open_conflicts: state.openConflicts,
      conflicts: conflicts.slice(0, SHOWN_CONFLICTS),
      last_error: null,
    });
  }

  async pull({ limit, cursor, reread, filters = {} }: PullQuery): Promise<BoundResult<PullResult>> {
    if (Object.keys(filters).length > 0) throw new UsageError(`${this.provider} knows no filters.`);
    const phase = await this.#work((sync) =>
      sync.pull({ limit, cursor: cursor ?? null, reread: reread ?? null }),
    );
    return answer(PullResult, { ...this.#envelope(phase.summary), ...phase });
  }

  /** Writes the items, in order; without items what was edited here. */
  async push(
    items: readonly PushItem[] | null,
    { onProgress }: WorkListener,
  ): Promise<BoundResult<PushResult>> {
    const phase = await this.#work((sync) =>
      items === null
        ? sync.pushEdits()
        : sync.push({
            key: crypto.randomUUID(),
            items,
            onItem: async (place) => onProgress?.({ done: place + 1, total: items.length }),
          }),
    );
    return answer(PushResult, { ...this.#envelope(phase.summary), ...phase });
  }

  async run({ limit, dry_run }: RunQuery, { onProgress }: WorkListener): Promise<BoundResult<RunResult>> {
    const request = { pullFirst: true, limit, dryRun: dry_run ?? false };
    const control = { onProgress: (done: number) => onProgress?.({ done, total: null }) };
    const { pull, push } = await this.#work((sync) => sync.run(request, control));
    return answer(RunResult, {
      ...this.#envelope(totalOf(pull.summary, push.summary)),
      pull,
      push,
      ...(dry_run === true && { dry_run }),
    });
  }

  async conflicts(): Promise<BoundResult<ConflictsResponse>> {
    return answer(ConflictsResponse, { conflicts: await this.#work((sync) => sync.conflicts()) });
  }

  async resolveConflict(id: string, take: ConflictSide): Promise<BoundResult<ResolveConflictResponse>> {
    return answer(ResolveConflictResponse, await this.#work((sync) => sync.resolveConflict(id, take)));
  }

  async tickets(limit: number): Promise<BoundResult<ListTicketsResponse>> {
    const { connector } = this.#options;
    const found = await explained(() => connector.searchIssues({ limit }));
    return answer(ListTicketsResponse, { tickets: this.#tickets(found), ...this.#resource() });
  }

  async searchTickets(query: IssueQuery, limit: number): Promise<BoundResult<IssueSearchResponse>> {
    const { connector } = this.#options;
    const found = await explained(async () => {
      if ("query_text" in query) return connector.searchIssues({ limit, text: query.query_text });
      const issue = await connector.findIssue(query.query_key);
      return issue === null ? [] : [issue];
    });
    return answer(IssueSearchResponse, { candidates: this.#tickets(found), ...this.#resource() });
  }

  async seedMission(issue: string, missionId: string | null): Promise<BoundResult<MissionSeedResponse>> {
    const seed = await this.#work((sync) => sync.seedMission({ issue, mission_id: missionId }));
    return answer(MissionSeedResponse, seed);
  }

  async publishMission(issue: string, update: MissionUpdate): Promise<BoundResult<MissionPublishResponse>> {
    return answer(MissionPublishResponse, await this.#work((sync) => sync.publishMission({ issue, update })));
  }

  /** Work packages and the issues that stand for them. */
  async mappings(): Promise<BoundResult<readonly Mapping[]>> {
    return answer(
      v.array(Mapping),
      this.#options.mappings.read().map((mapping) => this.#mapping(mapping)),
    );
  }

  /** Notes which issue stands for a work package; one that was noted before is replaced. */
  async addMapping({
    wpId,
    externalId,
    externalKey,
    externalUrl,
  }: MappingRequest): Promise<BoundResult<Mapping>> {
    if (!wpId || !externalId) {
      throw new UsageError("A mapping needs a work package and an issue: --wp-id and --external-id.", {
        hint: "For example: tracker map add --wp-id WP01 --external-id pay-7",
      });
    }
    const mapping: LocalMapping = {
      wp_id: wpId,
      external_id: externalId,
      external_key: externalKey,
      external_url: externalUrl,
    };
    this.#options.mappings.edit((all) => [...all.filter(({ wp_id }) => wp_id !== wpId), mapping]);
    return answer(Mapping, this.#mapping(mapping));
  }

  /** Opens the store for one piece of work. */
  async #work<T>(work: (sync: ResourceSync) => Promise<T>): Promise<T> {
    const { connector, storePath, doctrine, now } = this.#options;
    const store = openSqliteStore(storePath);
    try {
      const policy = policyOf(doctrine);
      return await explained(() =>
        work(new ResourceSync({ connector, store, policy, now, reads: "everything" })),
      );
    } finally {
      await store.close();
    }
  }

  #envelope(summary: Parameters<typeof statusOf>[0]) {
    const { doctrine } = this.#options;
    return { status: statusOf(summary), summary, identity_path: null, doctrine };
  }

  #resource() {
    const { provider, workspace } = this.#options;
    return { resource_type: `${provider}_workspace`, resource_id: workspace };
  }

  #mapping(mapping: LocalMapping) {
    const { provider, workspace } = this.#options;
    return { ...mapping, provider, display_label: workspace, status: "active" };
  }

  #tickets(issues: readonly CanonicalIssue[]): Ticket[] {
    const team = { id: null, name: this.#options.workspace };
    return issues.map((issue) => ticketOf(issue, team));
  }
}

/** A result in the wire's shape; nothing here is ever upgraded. */
function answer<S extends v.GenericSchema>(schema: S, value: v.InferInput<S>): BoundResult<v.InferOutput<S>> {
  return { result: v.parse(schema, value), pendingUpgrade: null };
}

/** Runs `work`; what the tracker refuses is told as an error of the command line, in the tracker's own words. */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TrackerSdkError)) throw error;
    const { failureClass, message, retryable } = error;
    throw new TrackerError(failureClass === "not_found" ? "issue_not_found" : "provider_rejected", message, {
      hint: hintFor(error),
      retryable,
      cause: error,
    });
  }
}

/** What a person can do about a refusal, in commands of ours. */
function hintFor(error: TrackerSdkError): string | undefined {
  if (error instanceof IssueNotFoundError) return "Look for it: tracker issues search --query TEXT";
  if (!(error instanceof ConnectorConfigError)) return undefined;
  return `To say how it is run: tracker bind --provider ${error.provider} --workspace NAME --credential command=PATH --credential cwd=FOLDER`;
}
