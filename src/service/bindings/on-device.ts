/** An on-device binding. Its results have the shape of a control plane's. */
import * as v from "valibot";
import type {
  ConflictSide,
  IssueSearchQuery,
  JobListener,
  MissionUpdate,
  PullQuery,
  RunQuery,
} from "../../client.ts";
import type { JsonFile } from "../../config/settings-files.ts";
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
} from "../../protocol.ts";
import type { TrackerConnector } from "../../sdk/connector.ts";
import type { CanonicalIssue } from "../../sdk/model.ts";
import { openSqliteStore } from "../../sdk/stores/sqlite.ts";
import type { Timing } from "../../shared/context.ts";
import { UsageError } from "../../shared/errors.ts";
import { type LocalProvider, providerName } from "../../shared/providers.ts";
import { summaryStatus, summaryTotal, wireTicket } from "../../sync/envelope.ts";
import { type Ownership, ownershipPolicy } from "../../sync/ownership.ts";
import { ResourceSync } from "../../sync/resource-sync.ts";
import type { BoundTracker, MappingRequest, PullListener } from "../bindings.ts";
import { withConflictCodes, withFailureCodes } from "./on-device-failures.ts";
import { SyncLock } from "./on-device-lock.ts";

export const WorkPackageMapping = v.object({
  wp_id: v.string(),
  external_id: v.string(),
  external_key: v.nullable(v.string()),
  external_url: v.nullable(v.string()),
});
export type WorkPackageMapping = v.InferOutput<typeof WorkPackageMapping>;

interface OnDeviceBindingOptions {
  readonly provider: LocalProvider;
  readonly workspace: string;
  readonly connector: TrackerConnector;
  readonly storePath: string;
  readonly doctrine: Ownership;
  readonly now: () => Date;
  readonly sleep: Timing["sleep"];
  readonly mappings: JsonFile<v.GenericSchema<unknown, WorkPackageMapping[]>>;
}

const SHOWN_CONFLICTS = 3;

export class OnDeviceBinding implements BoundTracker {
  readonly provider: LocalProvider;
  readonly #options: OnDeviceBindingOptions;
  readonly #lock: SyncLock;

  constructor(options: OnDeviceBindingOptions) {
    this.provider = options.provider;
    this.#options = options;
    this.#lock = new SyncLock(`${options.storePath}.lock`, options.sleep);
  }

  async status(): Promise<ProjectStatus> {
    const { provider, workspace } = this.#options;
    const { state, conflicts } = await this.#work(async (sync) => ({
      state: await sync.state(),
      conflicts: await sync.conflicts(),
    }));
    const synced = state.lastSyncedAt === null ? "never" : "idle";
    return answer(ProjectStatus, {
      provider,
      connected: true,
      configured: true,
      binding_ref: null,
      display_label: workspace,
      provider_context: null,
      identity_path: null,
      sync_state: this.#lock.isTaken() ? "running" : synced,
      last_synced_at: state.lastSyncedAt,
      issue_count: state.issueCount,
      open_conflicts: state.openConflicts,
      conflicts: conflicts.slice(0, SHOWN_CONFLICTS),
      last_error: null,
      operation_id: null,
    });
  }

  /** Ignores the limit: on-device providers do not report every change, so everything is read. */
  async pull(
    { limit, cursor, reread, filters = {} }: PullQuery,
    { onProgress }: PullListener = {},
  ): Promise<PullResult> {
    if (Object.keys(filters).length > 0)
      throw new UsageError(`${providerName(this.provider)} has no filters.`);
    const control = { onProgress: (done: number) => onProgress?.({ done, total: null }) };
    const phase = await this.#alone((sync) =>
      sync.pull({ limit, cursor: cursor ?? null, reread: reread ?? null }, control),
    );
    return answer(PullResult, { ...this.#envelope(phase.summary), ...phase });
  }

  async push(items: readonly PushItem[] | null, { onProgress }: JobListener): Promise<PushResult> {
    const phase = await this.#alone(async (sync) => {
      // A program that cannot run fails the push as a whole, not item by item.
      await this.#options.connector.searchIssues({ limit: 1 });
      if (items === null) return sync.pushEdits();
      return sync.push({
        key: crypto.randomUUID(),
        attempt: "first",
        items,
        onItem: async (place) => onProgress?.({ done: place + 1, total: items.length }),
      });
    });
    return answer(PushResult, { ...this.#envelope(phase.summary), ...phase });
  }

  async run({ limit, dry_run }: RunQuery, { onProgress }: JobListener): Promise<RunResult> {
    const request = { pullFirst: true, limit, dryRun: dry_run ?? false };
    const control = { onProgress: (done: number) => onProgress?.({ done, total: null }) };
    const work = (sync: ResourceSync) => sync.run(request, control);
    // A dry run works on a copy.
    const { pull, push } = await (request.dryRun ? this.#work(work) : this.#alone(work));
    return answer(RunResult, {
      ...this.#envelope(summaryTotal(pull.summary, push.summary)),
      pull,
      push,
      ...(dry_run === true && { dry_run }),
    });
  }

  async conflicts(): Promise<ConflictsResponse> {
    return answer(ConflictsResponse, { conflicts: await this.#work((sync) => sync.conflicts()) });
  }

  async resolveConflict(id: string, take: ConflictSide): Promise<ResolveConflictResponse> {
    const conflict = await this.#alone((sync) => withConflictCodes(() => sync.resolveConflict(id, take)));
    return answer(ResolveConflictResponse, conflict);
  }

  async tickets(limit: number): Promise<ListTicketsResponse> {
    const { connector } = this.#options;
    const found = await withFailureCodes(() => connector.searchIssues({ limit }));
    return answer(ListTicketsResponse, { tickets: this.#tickets(found), ...this.#resource() });
  }

  async searchTickets(query: IssueSearchQuery, limit: number): Promise<IssueSearchResponse> {
    const { connector } = this.#options;
    const found = await withFailureCodes(async () => {
      if ("query_text" in query) return connector.searchIssues({ limit, text: query.query_text });
      const issue = await connector.findIssue(query.query_key);
      return issue === null ? [] : [issue];
    });
    return answer(IssueSearchResponse, { candidates: this.#tickets(found), ...this.#resource() });
  }

  async seedMission(issue: string, missionId: string | null): Promise<MissionSeedResponse> {
    const seed = await this.#work((sync) => sync.seedMission({ issue, mission_id: missionId }));
    return answer(MissionSeedResponse, seed);
  }

  async publishMission(issue: string, update: MissionUpdate): Promise<MissionPublishResponse> {
    return answer(
      MissionPublishResponse,
      await this.#alone((sync) => sync.publishMission({ issue, update })),
    );
  }

  async mappings(): Promise<readonly Mapping[]> {
    return answer(
      v.array(Mapping),
      this.#options.mappings.read().map((mapping) => this.#mapping(mapping)),
    );
  }

  /** Replaces an earlier issue of the work package. */
  async addMapping({ wpId, externalId, externalKey, externalUrl }: MappingRequest): Promise<Mapping> {
    if (!wpId || !externalId) {
      throw new UsageError("A mapping needs a work package and an issue: --wp-id and --external-id.", {
        details: { missing: "mapping" },
      });
    }
    const mapping: WorkPackageMapping = {
      wp_id: wpId,
      external_id: externalId,
      external_key: externalKey,
      external_url: externalUrl,
    };
    this.#options.mappings.edit((all) => [...all.filter(({ wp_id }) => wp_id !== wpId), mapping]);
    return answer(Mapping, this.#mapping(mapping));
  }

  /** Runs `work` while no other sync runs. */
  #alone<T>(work: (sync: ResourceSync) => Promise<T>): Promise<T> {
    return this.#lock.hold(() => this.#work(work));
  }

  /** Opens the store for the length of `work`. */
  #work<T>(work: (sync: ResourceSync) => Promise<T>): Promise<T> {
    const { connector, storePath, doctrine, now } = this.#options;
    return withFailureCodes(async () => {
      const store = openSqliteStore(storePath);
      try {
        const policy = ownershipPolicy(doctrine);
        return await work(new ResourceSync({ connector, store, policy, now, reads: "everything" }));
      } finally {
        await store.close();
      }
    });
  }

  #envelope(summary: Parameters<typeof summaryStatus>[0]) {
    const { provider, doctrine } = this.#options;
    return { status: summaryStatus(summary), summary, provider, identity_path: null, doctrine };
  }

  #resource() {
    const { provider, workspace } = this.#options;
    return { resource_type: `${provider}_workspace`, resource_id: workspace };
  }

  #mapping(mapping: WorkPackageMapping) {
    const { provider, workspace } = this.#options;
    return { ...mapping, provider, display_label: workspace, status: "active" };
  }

  #tickets(issues: readonly CanonicalIssue[]): Ticket[] {
    const team = { id: null, name: this.#options.workspace };
    return issues.map((issue) => wireTicket(issue, team));
  }
}

/** Puts the fields in the order of the wire. */
function answer<S extends v.GenericSchema>(schema: S, value: v.InferInput<S>): v.InferOutput<S> {
  return v.parse(schema, value);
}
