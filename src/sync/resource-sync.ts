/**
 * Work on one bound resource, whoever does it: the control plane for hosted
 * providers, this machine for local ones. Drives the SDK's engine and answers
 * in the envelopes of the wire.
 */

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

/** Every resource has a store of its own, so one name does for all. */
const CHECKPOINT = "issues";

/** The resource, and the dependencies of its sync. */
export interface ResourceSyncOptions {
  readonly connector: TrackerConnector;
  /** Holds the issues of this resource and of no other. */
  readonly store: IssueStore;
  readonly policy: v.InferInput<typeof OwnershipPolicy>;
  readonly now: () => Date;
  /**
   * The extent of a pull: the changes, up to the limit, or everything, where a
   * tracker does not tell of every change. Default `changes`.
   */
  readonly reads?: "changes" | "everything";
  /** Ends the work, between two items, when it is aborted. */
  readonly signal?: AbortSignal;
  /** The time for which a rate-limited provider is waited for now, in milliseconds; the engine's own by default. */
  readonly maxWaitMs?: () => number;
  /** The limit of a pull's issues as JSON, in bytes; unlimited by default. */
  readonly answerBytes?: number;
}

/** Receives the progress of a phase. */
type OnProgress = (done: number) => void;

/** The treatment of issues that are read and have not changed. */
interface UnchangedIssues {
  readonly known?: "given" | "skipped";
}

export interface PullInput {
  /** Issues to read at most, 1 or more. */
  readonly limit: number;
  /** `next_cursor` of the pull before; null to go on where the last pull ended. */
  readonly cursor: string | null;
  /**
   * Gives what is known and unchanged too, and without a cursor begins again
   * where an interrupted pull began, or reads everything once more.
   */
  readonly reread?: Reread | null;
}

/** Observes a pull, and can end it early. */
interface PullObserver {
  readonly onProgress?: OnProgress;
  /** Asked after each page: whether the pull ends here, and goes on another time. */
  readonly isEnough?: () => boolean;
}

/** The identity of a push, by which it is resumed. */
export interface PushInput {
  /** The same key is the same push, however often it is made. */
  readonly key: string;
  /** `first` when no push was made with this key before. Default `repeated`. */
  readonly attempt?: Attempt;
  readonly items: readonly PushItem[];
  /** Items that were done before the push was interrupted, by their place. */
  readonly done?: ReadonlyMap<number, PushedItem>;
  /** Called after each item, which must not be lost once this has resolved. */
  readonly onItem?: (index: number, item: PushedItem) => Promise<void>;
}

export interface RunInput {
  readonly pullFirst: boolean;
  /** Issues to pull at most, 1 or more. */
  readonly limit: number;
  /** Plans the same and writes nothing. */
  readonly dryRun?: boolean;
}

/** The state of a resource. */
interface ResourceState {
  readonly issueCount: number;
  readonly openConflicts: number;
  /** End of the last complete pull; null before the first. */
  readonly lastSyncedAt: string | null;
}

/** Sync of one resource. One call at a time: the caller sees to that. */
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
      // Keys tell when they were made, and providers are asked for what is newer: by one clock.
      newId: () => Bun.randomUUIDv7("hex", now()),
      sleep: async (milliseconds) => {
        if (milliseconds > maxWaitMs()) throw waitTooLongError(connector, milliseconds);
        await setTimeout(milliseconds, undefined, { signal: this.#signal });
      },
    });
    this.#writer = new ItemWriter({ connector, store, engine: this.#engine });
  }

  /**
   * Takes in what changed at the provider, up to a number of issues.
   *
   * @throws TrackerSdkError when nothing could be read, and (`invalid`) when the cursor is not this resource's
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
      known: reread === null ? "skipped" : "given",
    });
  }

  /** Writes each item, in order; one that fails does not stop the others. */
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
      const known = done.get(index);
      const one = known ?? (await this.#writer.write(item, `${key}:${index}`, attempt));
      if (known === undefined) await onItem(index, one);
      pushed.push(one);
    }
    return pushPhase(pushed);
  }

  /** Writes what was edited and has not been written. */
  pushEdits(): Promise<PushPhase> {
    return this.#pushPhase(this.#engine.push());
  }

  /**
   * Pulls and pushes what was edited.
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
    const pullPhase = () => this.#pullPhase(this.#read(limit), control);
    const pushPhaseOf = () => this.#pushPhase(this.#engine.push({ dryRun }));
    if (!pullFirst) {
      const push = await pushPhaseOf();
      return { pull: await pullPhase(), push };
    }
    return { pull: await pullPhase(), push: await pushPhaseOf() };
  }

  /**
   * Returns the data that a mission about an issue starts from.
   *
   * @throws TrackerSdkError when there is no such issue
   */
  async seedMission({ issue, mission_id }: Pick<MissionSeedRequest, "issue" | "mission_id">) {
    const named = await this.#findNamed(issue);
    const found = named.found ?? (await this.#engine.send(() => this.#connector.getIssue(named.ref)));
    return wireSeed(missionSeedFromIssue(found, mission_id ?? undefined));
  }

  /**
   * Tells an issue how its mission goes; the same update twice changes nothing.
   *
   * @throws TrackerSdkError when there is no such issue, or the provider does not keep the update
   */
  async publishMission({ issue, update }: Pick<MissionPublishRequest, "issue" | "update">) {
    const { ref, found } = await this.#findNamed(issue);
    // After a failure the issue may be another one.
    const { issue: published, omitted } = await this.#engine.send((attempt) =>
      publishMissionUpdate(this.#connector, ref, missionUpdateOf(update), attempt === 1 ? found : null),
    );
    return { ...wireIssue(published.ref, published, published), omitted: [...omitted] };
  }

  /** Conflicts that wait for a decision. */
  async conflicts(): Promise<Conflict[]> {
    return this.#store.transaction(async (transaction) => {
      const open = await transaction.openConflicts();
      const records = await transaction.records(open.map(({ key }) => key));
      const byKey = new Map(records.map((record) => [record.key, record]));
      return open.map((conflict) => wireConflict(conflict, byKey.get(conflict.key) ?? null));
    });
  }

  /**
   * Decides whose value stands; the next push writes it where it is ours.
   *
   * @throws TrackerSdkError (`not_found`) when there is no such conflict, (`conflict`) when it was decided otherwise
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
    { onProgress = () => {}, isEnough = () => false, known = "skipped" }: PullObserver & UnchangedIssues,
  ): Promise<PullPhase> {
    const answer = new BoundedAnswer(this.#options.answerBytes ?? Number.POSITIVE_INFINITY);
    /** Not in the answer yet, by key. */
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
          if (known === "given") change(event);
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
      // The other end of a link that was written could not be read; nothing was to be written there.
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

/** The mark of a place in a window: opaque, and another one for every other place. */
function cursorOf(window: SyncCheckpoint["window"]): string | null {
  if (window === null) return null;
  return `pull_${createHash("sha256").update(canonicalJson(window)).digest("hex").slice(0, 24)}`;
}

function failureOf(
  { provider }: TrackerConnector,
  { message, failureClass, retryAfterSeconds }: Extract<SyncEvent, { kind: "failed" }>,
): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider, failureClass, retryAfterSeconds });
}

/** The provider asks for more time than there is. */
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

/** An issue that is left out of an answer, which is told. */
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
