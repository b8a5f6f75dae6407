import * as v from "valibot";
import {
  ItemError,
  MissionPublishRequest,
  type MissionSeedRequest,
  type PullRequest,
  type PullResult,
  PushItem,
  PushResultItem,
  type ResolveConflictRequest,
  RunRequest,
} from "../../protocol.ts";
import { TrackerSdkError } from "../../sdk/errors.ts";
import { type Summary, summaryStatus, summaryTotal } from "../../sync/envelope.ts";
import { conflictCode } from "../../sync/failure.ts";
import { ownershipPolicy } from "../../sync/ownership.ts";
import { ResourceSync, type ResourceSyncOptions } from "../../sync/resource-sync.ts";
import type { TeamScope } from "../access/team-scope.ts";
import type { Sources } from "../connections/sources.ts";
import { asHostError, HostError, withHostErrors } from "../errors.ts";
import { assertLease, type Lease, recordSync, withLease } from "../mappings/lease.ts";
import { type MappingView, mappingByRef, requireConnected, upgradeOf } from "../mappings/mappings.ts";
import type { Background } from "./background.ts";
import type { Job, Worker } from "./jobs.ts";
import { identityPathOf } from "./sync-state.ts";

/** The time after which a waiting request gets the partial result, in milliseconds. Clients wait 30 s. */
const MAX_REQUEST_MS = 20_000;
/** The limit of the issues in one response, in bytes. Clients read 10 MiB, and a run also reports its pushes. */
const MAX_ANSWER_BYTES = 6 * 1024 * 1024;

const RoutedPayload = v.object({ routed_by: v.picklist(["binding_ref", "project_slug"]) });
const PushPayload = v.object({ ...RoutedPayload.entries, items: v.array(PushItem) });
const RunPayload = v.object({
  ...RoutedPayload.entries,
  ...v.pick(RunRequest, ["pull_first", "limit", "dry_run"]).entries,
});

const PublishPayload = v.object({
  ...RoutedPayload.entries,
  ...v.pick(MissionPublishRequest, ["issue", "update"]).entries,
});

const DoneItem = v.object({ item: PushResultItem, errors: v.array(ItemError) });

interface Leased {
  readonly scope: TeamScope;
  readonly mapping: MappingView;
  readonly lease: Lease;
}

export class Synchronization {
  readonly #sources: Sources;
  readonly #background: Background;
  readonly workers: Readonly<Record<"push" | "run" | "publish", Worker>> = {
    push: (scope, job) => this.#push(scope, job),
    run: (scope, job) => this.#run(scope, job),
    publish: (scope, job) => this.#publish(scope, job),
  };

  constructor({ sources, background }: { readonly sources: Sources; readonly background: Background }) {
    this.#sources = sources;
    this.#background = background;
  }

  /**
   * Fetches the changes at the provider and returns them.
   *
   * @param disconnected Aborted when the caller disconnects: the pull ends, and the next one continues
   * @throws HostError `sync_in_progress`, `no_installation`, `invalid_request` when the cursor is outdated, and the
   * provider's failure when it cannot be read
   */
  async pull(
    scope: TeamScope,
    mapping: MappingView,
    { limit, cursor, reread }: Pick<PullRequest, "limit" | "cursor" | "reread">,
    disconnected: AbortSignal,
  ) {
    requireConnected(mapping);
    const until = scope.now() + MAX_REQUEST_MS;
    return this.#withLease(scope, mapping, (lease) =>
      this.#recorded(
        { scope, mapping, lease },
        async () => {
          const sync = await this.#open({ scope, mapping, lease }, waitLimitUntil(scope, until));
          const isEnough = () => disconnected.aborted || scope.now() > until;
          const phase = await sync.pull({ limit, cursor, reread }, { isEnough });
          return { ...envelopeOf(mapping, phase.summary), ...phase };
        },
        isEndOfPull,
      ),
    );
  }

  async conflicts(scope: TeamScope, mapping: MappingView) {
    return (await this.#openForReading(scope, mapping)).conflicts();
  }

  /**
   * Decides a conflict under the lease, because a sync may write the same field.
   *
   * @throws HostError `sync_in_progress`, `no_installation`, `conflict_not_found`, `conflict_decided` when it was
   * decided otherwise
   */
  async resolveConflict(
    scope: TeamScope,
    mapping: MappingView,
    { id, take }: Pick<ResolveConflictRequest, "id" | "take">,
  ) {
    requireConnected(mapping);
    return this.#withLease(scope, mapping, async (lease) => {
      const sync = await this.#open({ scope, mapping, lease });
      return sync.resolveConflict(id, take).catch((error: unknown) => {
        throw conflictFailure(error);
      });
    });
  }

  /** @throws HostError `no_installation`, `issue_not_found`, `invalid_request`, or the provider's failure */
  seedMission(
    scope: TeamScope,
    mapping: MappingView,
    request: Pick<MissionSeedRequest, "issue" | "mission_id">,
  ) {
    const until = scope.now() + MAX_REQUEST_MS;
    return withHostErrors(async () => {
      const sync = await this.#openForReading(scope, mapping, waitLimitUntil(scope, until));
      return sync.seedMission(request);
    });
  }

  async #push(scope: TeamScope, job: Job) {
    const { items, routed_by } = v.parse(PushPayload, job.payload);
    const mapping = await mappingByRef(scope, job.lease.bindingRef);
    requireConnected(mapping);
    const push = async (leased: Leased) => {
      const sync = await this.#open(leased);
      const done = new Map([...job.done].map(([position, item]) => [position, v.parse(DoneItem, item)]));
      const phase = await sync.push({
        key: job.id,
        attempt: job.attempt,
        items,
        done,
        onItem: async (position, item) => {
          await job.keep(position, item);
          job.progress(position + 1);
        },
      });
      return { ...envelopeOf(mapping, phase.summary), ...phase, ...upgradeFor(mapping, routed_by) };
    };
    return this.#recorded({ scope, mapping, lease: job.lease }, push, () => false);
  }

  async #run(scope: TeamScope, job: Job) {
    const { pull_first: pullFirst, limit, dry_run: dryRun, routed_by } = v.parse(RunPayload, job.payload);
    const mapping = await mappingByRef(scope, job.lease.bindingRef);
    requireConnected(mapping);
    const request = { pullFirst: pullFirst ?? true, limit, dryRun: dryRun ?? false };
    const work = async (leased: Leased) => {
      const sync = await this.#open(leased);
      const { pull, push } = await sync.run(request, { onProgress: job.progress });
      const errors = [...(pull.item_errors ?? []), ...(push.item_errors ?? [])];
      const item_errors = errors.length === 0 ? null : errors;
      return {
        ...envelopeOf(mapping, summaryTotal(pull.summary, push.summary)),
        item_errors,
        pull,
        push,
        ...(request.dryRun && { dry_run: true }),
        ...upgradeFor(mapping, routed_by),
      };
    };
    const leased = { scope, mapping, lease: job.lease };
    // A dry run does not change the mapping's sync state.
    return request.dryRun
      ? withHostErrors(() => work(leased))
      : this.#recorded(leased, work, ({ pull }) => isEndOfPull(pull));
  }

  /** Publishing twice has the same effect, so an interrupted job is published again. */
  async #publish(scope: TeamScope, job: Job) {
    const { issue, update, routed_by } = v.parse(PublishPayload, job.payload);
    const mapping = await mappingByRef(scope, job.lease.bindingRef);
    requireConnected(mapping);
    const until = scope.now() + MAX_REQUEST_MS;
    return withHostErrors(async () => {
      const sync = await this.#open({ scope, mapping, lease: job.lease }, waitLimitUntil(scope, until));
      return { ...(await sync.publishMission({ issue, update })), ...upgradeFor(mapping, routed_by) };
    });
  }

  /** Runs `work` under the mapping's lease, which a stopping host still releases. */
  #withLease<T>(
    scope: TeamScope,
    { bindingRef }: MappingView,
    work: (lease: Lease) => Promise<T>,
  ): Promise<T> {
    return this.#background.track(withLease(scope, bindingRef, work));
  }

  /**
   * Runs `work` and records its end at the mapping.
   *
   * @param isSynced reports whether all changes at the provider are known now
   */
  async #recorded<T extends SyncEnd>(
    leased: Leased,
    work: (leased: Leased) => Promise<T>,
    isSynced: (result: T) => boolean,
  ): Promise<T> {
    const { scope, lease } = leased;
    try {
      const result = await withHostErrors(() => work(leased));
      const problem = retryableProblem(result);
      const isDone = problem === null && isSynced(result);
      await recordSync(scope, lease, {
        last_error: problem,
        ...(isDone && { last_synced_at: scope.timestamp() }),
      });
      return result;
    } catch (error) {
      const known = asHostError(error);
      const isInvalidRequest = known?.code === "invalid_request";
      if (!isInvalidRequest && !this.#background.signal.aborted) {
        await recordSync(scope, lease, { last_error: known?.message ?? "The sync failed." });
      }
      throw error;
    }
  }

  /** The sync of a mapping whose lease is held. A lost lease stops its writes. */
  async #open({ scope, mapping, lease }: Leased, options: WaitLimit = {}): Promise<ResourceSync> {
    const connector = await this.#sources.openConnector(scope, mapping);
    const store = scope.issueStore(mapping, (transaction) => assertLease(transaction, lease));
    await store.renameWorkspace(connector.workspace);
    return new ResourceSync({ connector, store, ...this.#optionsOf(scope, mapping), ...options });
  }

  async #openForReading(
    scope: TeamScope,
    mapping: MappingView,
    options: WaitLimit = {},
  ): Promise<ResourceSync> {
    requireConnected(mapping);
    const connector = await this.#sources.openConnector(scope, mapping);
    const store = scope.issueStore(mapping);
    return new ResourceSync({ connector, store, ...this.#optionsOf(scope, mapping), ...options });
  }

  #optionsOf(scope: TeamScope, { ownership }: MappingView) {
    return {
      policy: ownershipPolicy(ownership),
      now: () => new Date(scope.now()),
      signal: this.#background.signal,
      answerBytes: MAX_ANSWER_BYTES,
    };
  }
}

type WaitLimit = Pick<ResourceSyncOptions, "maxWaitMs">;

/** Limits the wait so that the response is in time for the caller. */
function waitLimitUntil(scope: TeamScope, until: number): WaitLimit {
  return { maxWaitMs: () => Math.max(0, until - scope.now()) };
}

type SyncEnd = ReturnType<typeof envelopeOf> & { readonly item_errors: readonly ItemError[] | null };

/** A pull with more pages has not seen all changes. */
function isEndOfPull({ has_more }: Pick<PullResult, "has_more">): boolean {
  return !has_more;
}

/** The reason why nothing was done, where a retry may help. A permanent refusal concerns only its sender. */
function retryableProblem({ status, item_errors }: SyncEnd): string | null {
  if (status !== "error") return null;
  return item_errors?.find(({ retryable }) => retryable)?.message ?? null;
}

function conflictFailure(error: unknown): unknown {
  if (!(error instanceof TrackerSdkError)) return error;
  const code = conflictCode(error);
  return code === null ? error : new HostError(code, error.message);
}

/** The config upgrade for a client that routes by slug, also when it reads the result later. */
function upgradeFor(mapping: MappingView, routedBy: v.InferOutput<typeof RoutedPayload>["routed_by"]) {
  return routedBy === "project_slug" ? upgradeOf(mapping) : {};
}

function envelopeOf(mapping: MappingView, summary: Summary) {
  return {
    status: summaryStatus(summary),
    summary,
    identity_path: identityPathOf(mapping),
    doctrine: mapping.ownership,
  };
}
