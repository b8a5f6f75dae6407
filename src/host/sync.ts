/** Sync of a mapping's resource, on behalf of whoever may use the mapping. */
import * as v from "valibot";
import {
  type MissionPublishRequest,
  type MissionSeedRequest,
  type PullRequest,
  PushItem,
  type ResolveConflictRequest,
  RunRequest,
} from "../protocol.ts";
import { policyOf } from "../sync/doctrine.ts";
import { type PushResultItem, type Summary, statusOf, totalOf } from "../sync/envelope.ts";
import { ResourceSync } from "../sync/resource-sync.ts";
import type { Background } from "./background.ts";
import { HostError } from "./errors.ts";
import type { Job, Worker } from "./jobs.ts";
import { withLease } from "./mapping-lease.ts";
import { type MappingView, mappingByRef } from "./mappings.ts";
import type { Sources } from "./sources.ts";
import { identityPathOf } from "./sync-state.ts";
import type { TeamScope } from "./team-scope.ts";

/** How long a pull may take before it answers with what it has, in milliseconds; clients wait 30 s. */
const PULL_PATIENCE = 20_000;

/** What a push is stored as until it is done. */
const PushPayload = v.object({ items: v.array(PushItem) });
/** What a run is stored as until it is done. */
const RunPayload = v.pick(RunRequest, ["pull_first", "limit", "dry_run"]);

/** A pushed item that was done before a crash; this host wrote it. */
const DoneItem = v.custom<PushResultItem>((value) => typeof value === "object" && value !== null);

/** Works on mappings through the SDK. */
export class Synchronization {
  readonly #sources: Sources;
  readonly #background: Background;
  /** Does the jobs that {@link Jobs} stores. */
  readonly workers: Readonly<Record<"push" | "run", Worker>> = {
    push: (scope, job) => this.#push(scope, job),
    run: (scope, job) => this.#run(scope, job),
  };

  constructor({ sources, background }: { readonly sources: Sources; readonly background: Background }) {
    this.#sources = sources;
    this.#background = background;
  }

  /**
   * Takes in what changed at the provider, and gives it.
   *
   * @throws HostError `sync_in_progress`; TrackerSdkError when the provider cannot be read
   */
  pull(
    scope: TeamScope,
    mapping: MappingView,
    { limit, cursor, restart }: Pick<PullRequest, "limit" | "cursor" | "restart">,
  ) {
    const until = scope.now() + PULL_PATIENCE;
    return this.#leased(scope, mapping, crypto.randomUUID(), async (sync) => {
      const phase = await sync.pull(
        { limit, cursor, restart: restart ?? false },
        { isEnough: () => scope.now() > until },
      );
      return { ...envelopeOf(mapping, phase.summary), ...phase };
    });
  }

  conflicts(scope: TeamScope, mapping: MappingView) {
    return this.#open(scope, mapping).then((sync) => sync.conflicts());
  }

  /** Decides a conflict; alone on the mapping, because a sync may be at the same field. */
  resolveConflict(
    scope: TeamScope,
    mapping: MappingView,
    { id, take }: Pick<ResolveConflictRequest, "id" | "take">,
  ) {
    const { bindingRef } = mapping;
    return withLease(scope, { bindingRef, owner: crypto.randomUUID() }, async () =>
      (await this.#open(scope, mapping)).resolveConflict(id, take),
    );
  }

  seedMission(
    scope: TeamScope,
    mapping: MappingView,
    request: Pick<MissionSeedRequest, "issue" | "mission_id">,
  ) {
    return this.#open(scope, mapping).then((sync) => sync.seedMission(request));
  }

  publishMission(
    scope: TeamScope,
    mapping: MappingView,
    request: Pick<MissionPublishRequest, "issue" | "update">,
  ) {
    return this.#open(scope, mapping).then((sync) => sync.publishMission(request));
  }

  async #push(scope: TeamScope, job: Job) {
    const { items } = v.parse(PushPayload, job.payload);
    const mapping = await mappingByRef(scope, job.bindingRef);
    return this.#leased(scope, mapping, job.id, async (sync) => {
      const done = new Map([...job.done].map(([position, item]) => [position, v.parse(DoneItem, item)]));
      const phase = await sync.push({
        key: job.id,
        items,
        done,
        onItem: async (position, item) => {
          await job.keep(position, item);
          job.progress(position + 1);
        },
      });
      return { ...envelopeOf(mapping, phase.summary), ...phase };
    });
  }

  async #run(scope: TeamScope, job: Job) {
    const { pull_first: pullFirst, limit, dry_run: dryRun } = v.parse(RunPayload, job.payload);
    const mapping = await mappingByRef(scope, job.bindingRef);
    return this.#leased(scope, mapping, job.id, async (sync) => {
      const request = { pullFirst: pullFirst ?? true, limit, dryRun: dryRun ?? false };
      const { pull, push } = await sync.run(request, { onProgress: job.progress });
      return { ...envelopeOf(mapping, totalOf(pull.summary, push.summary)), pull, push };
    });
  }

  /** Runs `work` alone on the mapping, and notes how it ended. */
  #leased<T>(
    scope: TeamScope,
    mapping: MappingView,
    owner: string,
    work: (sync: ResourceSync) => Promise<T>,
  ): Promise<T> {
    const { bindingRef } = mapping;
    const note = (last_error: string | null) =>
      scope
        .updateSyncState(bindingRef)
        .set({ last_error, ...(last_error === null && { last_synced_at: scope.timestamp() }) })
        .execute();
    return withLease(scope, { bindingRef, owner }, async () => {
      try {
        const result = await work(await this.#open(scope, mapping));
        await note(null);
        return result;
      } catch (error) {
        if (!this.#background.signal.aborted) {
          await note(error instanceof Error ? error.message : "The sync failed.");
        }
        throw error;
      }
    });
  }

  async #open(scope: TeamScope, mapping: MappingView): Promise<ResourceSync> {
    if (!mapping.connected) {
      throw new HostError(
        "no_installation",
        `The connection to ${mapping.provider} was removed. Connect it again: tracker host connect ${mapping.provider}`,
        { provider: mapping.provider },
      );
    }
    return new ResourceSync({
      connector: await this.#sources.openConnector(scope, mapping),
      store: scope.issueStore(mapping),
      policy: policyOf(mapping.doctrine),
      now: () => new Date(scope.now()),
      signal: this.#background.signal,
    });
  }
}

function envelopeOf(mapping: MappingView, summary: Summary) {
  return {
    status: statusOf(summary),
    summary,
    identity_path: identityPathOf(mapping),
    doctrine: mapping.doctrine,
  };
}
