/** Syncs one bound resource and answers in the wire's envelopes, for the host and for on-device bindings. */

import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type * as v from "valibot";
import type {
  Conflict,
  ItemError,
  MissionPublishRequest,
  MissionSeedRequest,
  PushItem,
  Reread,
} from "../protocol.ts";
import type { TrackerConnector } from "../sdk/connector.ts";
import type { FailedEvent } from "../sdk/engine/events.ts";
import type { OwnershipPolicy } from "../sdk/engine/policy.ts";
import { SyncEngine, type SyncEvent } from "../sdk/engine.ts";
import { ConnectorRequestError } from "../sdk/errors.ts";
import { missionSeedFromIssue, publishMissionUpdate } from "../sdk/mission.ts";
import { canonicalJson } from "../sdk/model.ts";
import { copyToMemory } from "../sdk/stores/copy.ts";
import type { IssueRecord, IssueStore, SyncCheckpoint } from "../sdk/stores/store.ts";
import { providerName } from "../shared/providers.ts";
import { BoundedAnswer, isSmallPage } from "./bounded-answer.ts";
import {
  normalizedIssue,
  type PullPhase,
  type PushPhase,
  type Summary,
  wireConflict,
  wireIssue,
} from "./envelope.ts";
import { type Attempt, ItemWriter, type PushedItem } from "./item-writer.ts";
import { missionUpdateOf, wireSeed } from "./mission.ts";
import { findNamedIssue, type NamedIssue } from "./named-issue.ts";
import { itemError } from "./outcome.ts";
import { NamedRef } from "./push-item.ts";
import { parsePart, SyncRequestError } from "./request.ts";

/** Every resource has a store of its own, so one name suffices. */
const CHECKPOINT = "issues";

export interface ResourceSyncOptions {
  readonly connector: TrackerConnector;
  /** Holds the issues of this resource and of no other. */
  readonly store: IssueStore;
  readonly policy: v.InferInput<typeof OwnershipPolicy>;
  readonly now: () => Date;
  /** `everything` for a tracker that does not report every change. Default `changes`, up to the limit. */
  readonly reads?: "changes" | "everything";
  /** Ends the sync between two items. */
  readonly signal?: AbortSignal;
  /** The longest wait for a rate-limited provider, in milliseconds; the engine's own limit by default. */
  readonly maxWaitMs?: () => number;
  /** The limit of a pull's issues as JSON, in bytes; unlimited by default. */
  readonly answerBytes?: number;
}

type OnProgress = (done: number) => void;

interface UnchangedIssues {
  readonly unchanged?: "included" | "skipped";
}

export interface PullInput {
  /** Issues to read at most, 1 or more. */
  readonly limit: number;
  /** `next_cursor` of the pull before; null to continue where the last pull ended. */
  readonly cursor: string | null;
  /** Includes unchanged issues. Without a cursor it restarts an interrupted pull, or reads everything once more. */
  readonly reread?: Reread | null;
}

/** Observes a pull and can end it early. */
interface PullObserver {
  readonly onProgress?: OnProgress;
  /** Checked after each page: true ends this pull, and the next one continues. */
  readonly isEnough?: () => boolean;
}

export interface PushInput {
  /** Repetitions of a push have the same key. */
  readonly key: string;
  /** `first` when no push had this key before. Default `repeated`. */
  readonly attempt?: Attempt;
  readonly items: readonly PushItem[];
  /** Items done before the push was interrupted, by index. */
  readonly done?: ReadonlyMap<number, PushedItem>;
  /** Called after each item; the item is persisted when this resolves. */
  readonly onItem?: (index: number, item: PushedItem) => Promise<void>;
}

export interface RunInput {
  readonly pullFirst: boolean;
  /** Issues to pull at most, 1 or more. */
  readonly limit: number;
  /** Plans the same without writing. */
  readonly dryRun?: boolean;
}

interface ResourceState {
  readonly issueCount: number;
  readonly openConflicts: number;
  /** End of the last complete pull; null before the first. */
  readonly lastSyncedAt: string | null;
}

/** Syncs one resource. Callers must not overlap calls. */
export class ResourceSync {
  readonly #options: ResourceSyncOptions;
  readonly #connector: TrackerConnector;
  readonly #store: IssueStore;
  readonly #engine: SyncEngine;
  readonly #writer: ItemWriter;
  readonly #signal: AbortSignal;

  constructor(options: ResourceSyncOptions) {
    const { connector, store, policy, now, signal, answerBytes } = options;
    const { maxWaitMs = () => Number.POSITIVE_INFINITY } = options;
    this.#options = options;
    this.#connector = connector;
    this.#store = store;
    this.#signal = signal ?? new AbortController().signal;
    this.#engine = new SyncEngine({
      connector,
      store,
      policy,
      ...(answerBytes !== undefined && { canMerge: (page) => isSmallPage(page, answerBytes) }),
      now,
      name: CHECKPOINT,
      // Keys carry their time, and providers are asked for newer issues: both by one clock.
      newId: () => Bun.randomUUIDv7("hex", now()),
      sleep: async (milliseconds) => {
        if (milliseconds > maxWaitMs()) throw waitTooLongError(connector, milliseconds);
        await setTimeout(milliseconds, undefined, { signal: this.#signal });
      },
    });
    this.#writer = new ItemWriter({ connector, store, engine: this.#engine });
  }

  /**
   * Fetches the provider's changes, up to a number of issues.
   *
   * @throws TrackerSdkError when nothing could be read, and (`invalid`) when the cursor is not this
   * resource's
   */
  async pull({ limit, cursor, reread = null }: PullInput, control: PullObserver = {}): Promise<PullPhase> {
    const { updatedSince, window } = await this.#checkpoint();
    if (cursor !== null && cursor !== cursorOf(window)) {
      const problem = "is outdated; pull again without a cursor, no change is lost";
      throw new SyncRequestError(this.#connector.provider, "cursor", problem);
    }
    if (reread !== null && cursor === null) {
      const whole = { since: null, until: this.#options.now().toISOString() };
      const again = reread === "everything" ? whole : window;
      await this.#store.transaction((transaction) =>
        transaction.putCheckpoint(CHECKPOINT, {
          updatedSince,
          window: again === null ? null : { ...again, cursor: null },
        }),
      );
    }
    return this.#pullPhase(this.#read(limit), {
      ...control,
      unchanged: reread === null ? "skipped" : "included",
    });
  }

  /** Writes the items in order; a failed one does not stop the others. */
  async push({
    key,
    attempt = "repeated",
    items,
    done = new Map(),
    onItem = async () => {},
  }: PushInput): Promise<PushPhase> {
    const pushed: PushedItem[] = [];
    for (const [index, item] of items.entries()) {
      this.#signal.throwIfAborted();
      const finished = done.get(index);
      const one = finished ?? (await this.#writer.write(item, `${key}:${index}`, attempt));
      if (finished === undefined) await onItem(index, one);
      pushed.push(one);
    }
    return pushPhase(pushed);
  }

  /** Writes local edits that are not pushed yet. */
  pushEdits(): Promise<PushPhase> {
    return this.#pushPhase(this.#engine.push());
  }

  /**
   * Pulls, and pushes local edits.
   *
   * @throws TrackerSdkError when nothing could be read
   */
  async run(request: RunInput, control: PullObserver = {}): Promise<{ pull: PullPhase; push: PushPhase }> {
    if (request.dryRun !== true) return this.#run(request, control);
    const store = await copyToMemory(this.#store, CHECKPOINT);
    return new ResourceSync({ ...this.#options, store }).#run(request, control);
  }

  async #run(
    { pullFirst, limit, dryRun = false }: RunInput,
    control: PullObserver,
  ): Promise<{ pull: PullPhase; push: PushPhase }> {
    const pullChanges = () => this.#pullPhase(this.#read(limit), control);
    const pushEdits = () => this.#pushPhase(this.#engine.push({ dryRun }));
    if (!pullFirst) {
      const push = await pushEdits();
      return { pull: await pullChanges(), push };
    }
    return { pull: await pullChanges(), push: await pushEdits() };
  }

  /**
   * The seed of a mission about an issue.
   *
   * @throws TrackerSdkError when there is no such issue
   */
  async seedMission({ issue, mission_id }: Pick<MissionSeedRequest, "issue" | "mission_id">) {
    const named = await this.#findNamed(issue);
    const found = named.found ?? (await this.#engine.send(() => this.#connector.getIssue(named.ref)));
    return wireSeed(missionSeedFromIssue(found, mission_id ?? undefined));
  }

  /**
   * Publishes a mission's update to its issue; repeating it changes nothing.
   *
   * @throws TrackerSdkError when there is no such issue, or the provider does not save the update
   */
  async publishMission({ issue, update }: Pick<MissionPublishRequest, "issue" | "update">) {
    const { ref, found } = await this.#findNamed(issue);
    // After a failed attempt the issue may have changed.
    const { issue: published, omitted } = await this.#engine.send((attempt) =>
      publishMissionUpdate(this.#connector, ref, missionUpdateOf(update), attempt === 1 ? found : null),
    );
    return { ...wireIssue(published.ref, published, published), omitted: [...omitted] };
  }

  async conflicts(): Promise<Conflict[]> {
    return this.#store.transaction(async (transaction) => {
      const open = await transaction.openConflicts();
      const records = await transaction.records(open.map(({ key }) => key));
      const byKey = new Map(records.map((record) => [record.key, record]));
      return open.map((conflict) => wireConflict(conflict, byKey.get(conflict.key) ?? null));
    });
  }

  /**
   * Decides a conflict; the next push writes the local value if that won.
   *
   * @throws TrackerSdkError (`not_found`) when there is no such conflict, (`conflict`) when it was decided
   * otherwise
   */
  async resolveConflict(id: string, take: "local" | "external"): Promise<Conflict> {
    const decided = await this.#engine.resolveConflict(id, take);
    const [record = null] = await this.#store.transaction((transaction) =>
      transaction.records([decided.key]),
    );
    return wireConflict(decided, record);
  }

  async state(): Promise<ResourceState> {
    const { updatedSince } = await this.#checkpoint();
    return this.#store.transaction(async (transaction) => ({
      issueCount: await transaction.count(),
      openConflicts: (await transaction.openConflicts()).length,
      lastSyncedAt: updatedSince,
    }));
  }

  async #pullPhase(
    events: AsyncIterable<SyncEvent>,
    { onProgress = () => {}, isEnough = () => false, unchanged = "skipped" }: PullObserver & UnchangedIssues,
  ): Promise<PullPhase> {
    const answer = new BoundedAnswer(this.#options.answerBytes ?? Number.POSITIVE_INFINITY);
    /** Issues that are not in the answer yet, by key. */
    const changed = new Map<string, IssueRecord>();
    const errors: ItemError[] = [];
    let skipped = 0;
    let deleted = 0;
    const addChanged = () => {
      for (const [key, record] of changed) {
        const issue = normalizedIssue(record);
        if (issue !== null && !answer.add(key, issue)) errors.push(tooLargeError(issue.ref));
      }
      changed.clear();
    };
    const change = ({ key, record }: { readonly key: string; readonly record: IssueRecord | null }) => {
      if (record !== null) changed.set(key, record);
    };
    const isNothing = () => answer.isEmpty && changed.size + skipped === 0;
    for await (const event of events) {
      this.#signal.throwIfAborted();
      switch (event.kind) {
        case "progress":
          onProgress(event.done);
          addChanged();
          if (answer.isFull || isEnough()) return this.#pulled(answer.items, errors, { skipped, deleted });
          break;
        case "unchanged":
          if (unchanged === "included") change(event);
          else skipped += 1;
          break;
        case "failed":
          if (event.key === null && isNothing()) throw failureOf(this.#connector, event);
          errors.push(itemError(event));
          break;
        case "updated":
          if (event.presence === "deleted") deleted += 1;
          else change(event);
          break;
        default:
          change(event);
      }
    }
    addChanged();
    return this.#pulled(answer.items, errors, { skipped, deleted });
  }

  async #pulled(
    items: PullPhase["items"],
    errors: ItemError[],
    { skipped, deleted }: { readonly skipped: number; readonly deleted: number },
  ): Promise<PullPhase> {
    const { window } = await this.#checkpoint();
    const succeeded = items.length + deleted;
    return {
      summary: summaryOf(succeeded, errors.length, skipped),
      items,
      item_errors: errors.length === 0 ? null : errors,
      has_more: window !== null,
      next_cursor: cursorOf(window),
    };
  }

  #read(limit: number): AsyncIterable<SyncEvent> {
    return this.#engine.pull(this.#options.reads === "everything" ? { full: true } : { limit });
  }

  async #pushPhase(events: AsyncIterable<SyncEvent>): Promise<PushPhase> {
    const byKey = new Map<string, SyncEvent[]>();
    for await (const event of events) {
      this.#signal.throwIfAborted();
      if (event.kind === "progress" || event.key === null) continue;
      // Only the other end of a written link could not be read.
      if (event.kind === "failed" && event.side === "local") continue;
      byKey.set(event.key, [...(byKey.get(event.key) ?? []), event]);
    }
    const pushed: PushedItem[] = [];
    for (const [key, about] of byKey) pushed.push(await this.#writer.resultOf(key, about));
    return pushPhase(pushed);
  }

  #findNamed(issue: unknown): Promise<NamedIssue> {
    const named = parsePart(this.#connector.provider, NamedRef, issue, "issue");
    return findNamedIssue({ connector: this.#connector, engine: this.#engine }, named, "issue");
  }

  #checkpoint(): Promise<SyncCheckpoint> {
    return this.#store.transaction((transaction) => transaction.checkpoint(CHECKPOINT));
  }
}

/** An opaque mark of a window's position, different for every position. */
function cursorOf(window: SyncCheckpoint["window"]): string | null {
  if (window === null) return null;
  return `pull_${createHash("sha256").update(canonicalJson(window)).digest("hex").slice(0, 24)}`;
}

function failureOf(
  { provider }: TrackerConnector,
  { message, failureClass, retryAfterSeconds }: FailedEvent,
): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider, failureClass, retryAfterSeconds });
}

/** The provider asks for a longer wait than allowed. */
function waitTooLongError({ provider }: TrackerConnector, milliseconds: number): ConnectorRequestError {
  const retryAfterSeconds = Math.ceil(milliseconds / 1000);
  return new ConnectorRequestError(
    `${providerName(provider)}'s rate limit is reached. Retry in ${retryAfterSeconds} s.`,
    {
      provider,
      failureClass: "rate_limited",
      retryAfterSeconds,
    },
  );
}

function tooLargeError(ref: ItemError["ref"]): ItemError {
  const message = "The issue is too large for the answer and was left out.";
  return { ref, code: "payload_too_large", message, retryable: false };
}

function pushPhase(pushed: readonly PushedItem[]): PushPhase {
  const items = pushed.map(({ item }) => item);
  const errors = pushed.flatMap(({ errors }) => errors);
  const count = (...outcomes: readonly string[]) =>
    items.filter(({ outcome }) => outcomes.includes(outcome)).length;
  return {
    summary: summaryOf(count("applied"), count("rejected", "conflict", "failed"), count("noop")),
    items,
    item_errors: errors.length === 0 ? null : errors,
  };
}

function summaryOf(succeeded: number, failed: number, skipped: number): Summary {
  return { total: succeeded + failed + skipped, succeeded, failed, skipped };
}
