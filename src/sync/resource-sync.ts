/**
 * Work on one bound resource, whoever does it: the control plane for hosted
 * providers, this machine for local ones. Drives the SDK's engine and answers
 * in the envelopes of the wire.
 */
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import type {
  Conflict,
  ItemError,
  MissionPublishRequest,
  MissionSeedRequest,
  PushItem,
  PushResultItem,
  Reread,
} from "../protocol.ts";
import type { TrackerConnector } from "../sdk/connector.ts";
import { SyncEngine, type SyncEvent } from "../sdk/engine.ts";
import { ConnectorRequestError, IssueNotFoundError, TrackerSdkError } from "../sdk/errors.ts";
import { linkIdentity } from "../sdk/merge.ts";
import { missionSeedFromIssue, publishMissionUpdate } from "../sdk/mission.ts";
import {
  BLANK,
  type CanonicalIssue,
  CanonicalStatus,
  canonicalJson,
  type ExternalRef,
  type IssuePatch,
  identityOf,
  problemOf,
} from "../sdk/model.ts";
import type { OwnershipPolicy } from "../sdk/policy.ts";
import type { IssueRecord, IssueStore, SyncCheckpoint } from "../sdk/store.ts";
import { copyToMemory } from "../sdk/stores/copy.ts";
import { sentence } from "../sdk/text.ts";
import {
  itemCode,
  normalizedIssue,
  type PullPhase,
  type PushPhase,
  type Summary,
  wireConflict,
  wireIssue,
  wireRef,
} from "./envelope.ts";
import { missionUpdateOf, wireSeed } from "./mission.ts";
import { itemError, type Outcome, outcomeOf } from "./outcome.ts";
import { isSmallPage, Portion } from "./portion.ts";
import { NamedRef, patchOf, WireLink, WirePatch } from "./push-item.ts";
import { SyncRequestError } from "./request-error.ts";

/** Every resource has a store of its own, so one name does for all. */
const CHECKPOINT = "issues";

/** What to know about an item that failed before it was an edit of ours, or is none. */
const NOT_KEPT = "It is not kept: look whether it is there, then push it again.";

/** What is worked on. */
export interface ResourceSyncOptions {
  readonly connector: TrackerConnector;
  /** Holds the issues of this resource and of no other. */
  readonly store: IssueStore;
  readonly policy: v.InferInput<typeof OwnershipPolicy>;
  readonly now: () => Date;
  /**
   * What a pull reads: what changed, up to the limit, or everything, where a
   * tracker does not tell of every change. Default `changes`.
   */
  readonly reads?: "changes" | "everything";
  /** Ends the work, between two items, when it is aborted. */
  readonly signal?: AbortSignal;
  /** How long a provider that asks for it is waited for at this moment, in milliseconds; without it as long as the engine does. */
  readonly longestWait?: () => number;
  /** What the issues that a pull gives may come to as JSON, in bytes; without it there is no such bound. */
  readonly answerBytes?: number;
}

/** How far a phase has come. */
export type OnProgress = (done: number) => void;

/** What becomes of issues that are read and have not changed. */
interface Known {
  readonly known?: "given" | "skipped";
}

/** What is pulled. */
export interface PullRequest {
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

/** Who hears of a pull, and ends it early. */
export interface PullControl {
  readonly onProgress?: OnProgress;
  /** Asked after each page: whether the pull ends here, and goes on another time. */
  readonly isEnough?: () => boolean;
}

/** How a push is told apart from every other one, and taken up again. */
export interface PushRequest {
  /** The same key is the same push, however often it is made. */
  readonly key: string;
  readonly items: readonly PushItem[];
  /** Items that were done before the push was interrupted, by their place. */
  readonly done?: ReadonlyMap<number, PushedItem>;
  /** Called after each item, which must not be lost once this has resolved. */
  readonly onItem?: (index: number, item: PushedItem) => Promise<void>;
}

/** What became of an item, and what went wrong with it. */
export interface PushedItem {
  readonly item: PushResultItem;
  readonly errors: readonly ItemError[];
}

/** What a run does. */
export interface RunRequest {
  readonly pullFirst: boolean;
  /** Issues to pull at most, 1 or more. */
  readonly limit: number;
  /** Plans the same and writes nothing. */
  readonly dryRun?: boolean;
}

/** How a resource stands. */
export interface ResourceState {
  readonly issueCount: number;
  readonly openConflicts: number;
  /** End of the last complete pull; null before the first. */
  readonly lastSyncedAt: string | null;
}

/** What became of an item, and the issue as it is known afterwards. */
interface Written {
  readonly outcome: Outcome;
  readonly record: IssueRecord | null;
}

/** Sync of one resource. One call at a time: the caller sees to that. */
export class ResourceSync {
  readonly #options: ResourceSyncOptions;
  readonly #connector: TrackerConnector;
  readonly #store: IssueStore;
  readonly #engine: SyncEngine;
  readonly #signal: AbortSignal;

  constructor(options: ResourceSyncOptions) {
    const { connector, store, policy, now, signal, answerBytes } = options;
    const { longestWait = () => Number.POSITIVE_INFINITY } = options;
    this.#options = options;
    this.#connector = connector;
    this.#store = store;
    this.#signal = signal ?? new AbortController().signal;
    this.#engine = new SyncEngine({
      connector,
      store,
      policy,
      ...(answerBytes !== undefined && { canTake: (page) => isSmallPage(page, answerBytes) }),
      now,
      name: CHECKPOINT,
      // Keys tell when they were made, and providers are asked for what is newer: by one clock.
      newId: () => Bun.randomUUIDv7("hex", now()),
      sleep: async (milliseconds) => {
        if (milliseconds > longestWait()) throw tooLong(connector, milliseconds);
        await setTimeout(milliseconds, undefined, { signal: this.#signal });
      },
    });
  }

  /**
   * Takes in what changed at the provider, up to a number of issues.
   *
   * @throws TrackerSdkError when nothing could be read, and (`invalid`) when the cursor is not this resource's
   */
  async pull({ limit, cursor, reread = null }: PullRequest, control: PullControl = {}): Promise<PullPhase> {
    const { updatedSince, window } = await this.#checkpoint();
    if (cursor !== null && cursor !== cursorOf(window)) {
      throw this.#refusal("cursor", "is outdated; pull again without one, nothing is lost");
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
  async push({ key, items, done = new Map(), onItem = async () => {} }: PushRequest): Promise<PushPhase> {
    const pushed: PushedItem[] = [];
    for (const [index, item] of items.entries()) {
      this.#signal.throwIfAborted();
      const known = done.get(index);
      const one = known ?? (await this.#pushItem(item, `${key}:${index}`));
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
  async run(request: RunRequest, control: PullControl = {}): Promise<{ pull: PullPhase; push: PushPhase }> {
    if (request.dryRun !== true) return this.#run(request, control);
    const store = await copyToMemory(this.#store, CHECKPOINT);
    return new ResourceSync({ ...this.#options, store }).#run(request, control);
  }

  async #run(
    { pullFirst, limit, dryRun = false }: RunRequest,
    control: PullControl,
  ): Promise<{ pull: PullPhase; push: PushPhase }> {
    const doPull = () => this.#pullPhase(this.#read(limit), control);
    const doPush = () => this.#pushPhase(this.#engine.push({ dryRun }));
    if (!pullFirst) {
      const push = await doPush();
      return { pull: await doPull(), push };
    }
    return { pull: await doPull(), push: await doPush() };
  }

  /**
   * What a mission about an issue starts from.
   *
   * @throws TrackerSdkError when there is no such issue
   */
  async seedMission({ issue, mission_id }: Pick<MissionSeedRequest, "issue" | "mission_id">) {
    const named = await this.#issueOf(issue, "issue");
    const found = named.found ?? (await this.#engine.ask(() => this.#connector.getIssue(named.ref)));
    return wireSeed(missionSeedFromIssue(found, mission_id ?? undefined));
  }

  /**
   * Tells an issue how its mission goes; the same update twice changes nothing.
   *
   * @throws TrackerSdkError when there is no such issue, or the provider does not keep the update
   */
  async publishMission({ issue, update }: Pick<MissionPublishRequest, "issue" | "update">) {
    const { ref, found } = await this.#issueOf(issue, "issue");
    const { issue: published, omitted } = await this.#engine.ask(() =>
      publishMissionUpdate(this.#connector, ref, missionUpdateOf(update), found),
    );
    return { ...wireIssue(published.ref, published, published), omitted: [...omitted] };
  }

  /** Conflicts that wait for a decision. */
  async conflicts(): Promise<Conflict[]> {
    return this.#store.transaction(async (transaction) => {
      const open = await transaction.openConflicts();
      return Promise.all(
        open.map(async (conflict) => wireConflict(conflict, await transaction.get(conflict.key))),
      );
    });
  }

  /**
   * Decides whose value stands; the next push writes it where it is ours.
   *
   * @throws TrackerSdkError (`not_found`) when there is no such conflict, (`conflict`) when it was decided otherwise
   */
  async resolveConflict(id: string, take: "local" | "external"): Promise<Conflict> {
    const decided = await this.#engine.resolveConflict(id, take);
    return wireConflict(decided, await this.#record(decided.key));
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
    { onProgress = () => {}, isEnough = () => false, known = "skipped" }: PullControl & Known,
  ): Promise<PullPhase> {
    const portion = new Portion(this.#options.answerBytes ?? Number.POSITIVE_INFINITY);
    /** Not in the portion yet. */
    const changed = new Set<string>();
    const errors: ItemError[] = [];
    let skipped = 0;
    let gone = 0;
    const give = async () => {
      errors.push(...(await this.#give(changed, portion)));
      changed.clear();
    };
    const isNothing = () => portion.isEmpty && changed.size + skipped === 0;
    for await (const event of events) {
      this.#signal.throwIfAborted();
      switch (event.kind) {
        case "progress":
          onProgress(event.done);
          await give();
          if (portion.isFull || isEnough()) return this.#pulled(portion.items, errors, { skipped, gone });
          break;
        case "unchanged":
          if (known === "given") changed.add(event.key);
          else skipped += 1;
          break;
        case "failed":
          if (event.key === null && isNothing()) throw failureOf(this.#connector, event);
          errors.push(itemError(event));
          break;
        case "updated":
          if (event.presence === "deleted") gone += 1;
          else changed.add(event.key);
          break;
        default:
          changed.add(event.key);
      }
    }
    await give();
    return this.#pulled(portion.items, errors, { skipped, gone });
  }

  async #pulled(
    items: PullPhase["items"],
    errors: ItemError[],
    { skipped, gone }: { readonly skipped: number; readonly gone: number },
  ): Promise<PullPhase> {
    const { window } = await this.#checkpoint();
    const succeeded = items.length + gone;
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
      byKey.set(event.key, [...(byKey.get(event.key) ?? []), event]);
    }
    const pushed: PushedItem[] = [];
    for (const [key, about] of byKey) {
      const outcome = outcomeOf(about);
      const record = await this.#settle(key, outcome);
      const isCreate = record?.ref === null || about.some(({ kind }) => kind === "created");
      const item = resultOf(nameOf(record), isCreate ? "create" : "update", outcome, record);
      pushed.push({ item, errors: outcome.errors });
    }
    return pushPhase(pushed);
  }

  async #pushItem(item: PushItem, key: string): Promise<PushedItem> {
    try {
      const { outcome, record } = await this.#write(item, key);
      return { item: resultOf(item.ref, item.action, outcome, record), errors: outcome.errors };
    } catch (error) {
      if (!(error instanceof TrackerSdkError)) throw error;
      const { failureClass, retryable, message } = error;
      const code = error instanceof SyncRequestError ? "invalid_request" : itemCode(failureClass);
      const outcome = retryable
        ? ({ outcome: "failed", message: `${sentence(message)} ${NOT_KEPT}` } as const)
        : ({ outcome: "rejected", message } as const);
      return {
        item: resultOf(item.ref, item.action, outcome, null),
        errors: [{ ref: item.ref, code, message, retryable }],
      };
    }
  }

  async #write(item: PushItem, key: string): Promise<Written> {
    switch (item.action) {
      case "create": {
        const patch = await this.#patch(item.patch ?? {});
        await this.#createOnce(key, patch);
        return this.#created(await this.#send(key));
      }
      case "update":
        return this.#edit(await this.#refOf(item.ref, "ref"), await this.#patch(item.patch ?? {}));
      case "transition": {
        const status = this.#parse(CanonicalStatus, item.target_status, "target_status");
        return this.#edit(await this.#refOf(item.ref, "ref"), { status });
      }
      case "link": {
        const { type, target } = this.#parse(WireLink, item.link, "link");
        const link = { type, target: await this.#refOf(target, "link.target") };
        const ref = await this.#refOf(item.ref, "ref");
        const { links } = (await this.#engine.take(ref)).fields;
        const isKnown = links.some((known) => linkIdentity(known) === linkIdentity(link));
        // One that is known here may still have to be sent.
        return this.#edit(ref, { links: isKnown ? links : [...links, link] });
      }
      case "comment": {
        const ref = await this.#refOf(item.ref, "ref");
        const body = this.#parse(v.pipe(v.string(), v.nonEmpty("must not be empty")), item.body, "body");
        await this.#engine.ask(() => this.#connector.addComment(ref, body, { idempotencyKey: key }));
        return { outcome: { ...outcomeOf([]), outcome: "applied" }, record: await this.#engine.take(ref) };
      }
    }
  }

  async #edit(ref: ExternalRef, patch: IssuePatch): Promise<Written> {
    const { key } = await this.#known(ref);
    await this.#engine.edit(key, patch);
    return this.#send(key);
  }

  /** The record of an issue as it was last agreed on; read now only when it is not known. */
  async #known(ref: ExternalRef): Promise<IssueRecord> {
    const identity = identityOf(ref);
    const found = await this.#store.transaction((transaction) => transaction.findByRefs([identity]));
    return found.get(identity) ?? this.#engine.take(ref);
  }

  async #createOnce(key: string, patch: IssuePatch): Promise<void> {
    if ((await this.#record(key)) !== null) return;
    const title = this.#parse(
      v.pipe(v.string(), v.nonEmpty("must not be empty")),
      patch.title,
      "patch.title",
    );
    await this.#engine.create(key, { ...BLANK, ...patch, title });
  }

  /** A create that was sent before, and whose answer was lost, has come to what it was to come to. */
  #created({ outcome, record }: Written): Written {
    const isThere = record !== null && record.ref !== null && outcome.outcome === "noop";
    return { outcome: isThere ? { ...outcome, outcome: "applied" } : outcome, record };
  }

  /** Pushes one issue. What is told of the other ends of its links is not about it. */
  async #send(key: string): Promise<Written> {
    const events: SyncEvent[] = [];
    for await (const event of this.#engine.push({ key })) {
      if (event.kind !== "progress" && event.key === key) events.push(event);
    }
    const outcome = outcomeOf(events);
    return { outcome, record: await this.#settle(key, outcome) };
  }

  /** Sees to it that later runs do not try again what the provider refuses for good. Returns the issue as it is then. */
  async #settle(key: string, { outcome, refused }: Outcome): Promise<IssueRecord | null> {
    if (refused.length > 0) await this.#engine.discard(key, refused);
    const record = await this.#record(key);
    const isDraft = record !== null && record.ref === null && record.deletedAt === null;
    if (isDraft && outcome === "rejected") {
      // There will never be such an issue: it is no draft that later runs are to send.
      await this.#store.transaction((transaction) => transaction.remove(key));
    }
    return record;
  }

  #record(key: string): Promise<IssueRecord | null> {
    return this.#store.transaction((transaction) => transaction.get(key));
  }

  /** Adds issues to what a pull gives. Returns the errors of those that do not fit. */
  async #give(keys: Iterable<string>, portion: Portion): Promise<ItemError[]> {
    return this.#store.transaction(async (transaction) => {
      const errors: ItemError[] = [];
      for (const key of keys) {
        const record = await transaction.get(key);
        const issue = record === null ? null : normalizedIssue(record);
        if (issue !== null && !portion.add(key, issue)) errors.push(tooLarge(issue.ref));
      }
      return errors;
    });
  }

  #checkpoint(): Promise<SyncCheckpoint> {
    return this.#store.transaction((transaction) => transaction.checkpoint(CHECKPOINT));
  }

  async #patch(value: unknown): Promise<IssuePatch> {
    const wire = this.#parse(WirePatch, value, "patch");
    const { parent_ref: parent } = wire;
    if (parent === undefined) return patchOf(wire);
    return {
      ...patchOf(wire),
      parent: parent === null ? null : await this.#refOf(parent, "patch.parent_ref"),
    };
  }

  async #refOf(value: unknown, name: string): Promise<ExternalRef> {
    return (await this.#issueOf(value, name)).ref;
  }

  /**
   * The issue of this resource that is meant, as it was read to find it; null when it is named by its id.
   *
   * @throws TrackerSdkError when it is another resource's, or nobody's
   */
  async #issueOf(
    value: unknown,
    name: string,
  ): Promise<{ readonly ref: ExternalRef; readonly found: CanonicalIssue | null }> {
    const { provider, workspace } = this.#connector;
    const named = this.#parse(NamedRef, value, name);
    if ((named.system ?? provider) !== provider || (named.workspace ?? workspace) !== workspace) {
      throw this.#refusal(name, `an issue of ${provider} ${workspace} is needed`);
    }
    if (named.id !== null) return { ref: { system: provider, workspace, id: named.id }, found: null };
    if (named.key === null) throw this.#refusal(name, "an id or a key is needed");
    const { key } = named;
    const found = await this.#engine.ask(() => this.#connector.findIssue(key));
    if (found === null) throw new IssueNotFoundError(provider, key);
    return { ref: found.ref, found };
  }

  /** @throws SyncRequestError naming the path of what is wrong */
  #parse<S extends v.GenericSchema>(schema: S, value: unknown, name: string): v.InferOutput<S> {
    const parsed = v.safeParse(schema, value);
    if (parsed.success) return parsed.output;
    const [issue] = parsed.issues;
    const path = v.getDotPath(issue);
    throw this.#refusal(path === null ? name : `${name}.${path}`, problemOf(issue));
  }

  #refusal(path: string, problem: string): SyncRequestError {
    return new SyncRequestError(this.#connector.provider, path, problem);
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

/** What an issue is called that nobody has named: a draft has nothing but its title. */
function nameOf(record: IssueRecord | null) {
  if (record === null) return {};
  const { ref, fields } = record;
  return { ...(ref !== null && wireRef(ref)), title: fields.title };
}

function resultOf(
  ref: unknown,
  action: PushItem["action"],
  { outcome, message }: Pick<Outcome, "outcome" | "message">,
  record: IssueRecord | null,
): PushResultItem {
  const remote = record?.ref ?? null;
  return {
    ref,
    action,
    outcome,
    remote_ref: remote === null ? null : wireRef(remote),
    version: record?.base?.revision ?? record?.base?.updatedAt ?? null,
    message,
  };
}

/** The provider asks for more time than there is. */
function tooLong({ provider }: TrackerConnector, milliseconds: number): ConnectorRequestError {
  const retryAfterSeconds = Math.ceil(milliseconds / 1000);
  return new ConnectorRequestError(`${provider} asks to be left alone for ${retryAfterSeconds} s.`, {
    provider,
    failureClass: "rate_limited",
    retryAfterSeconds,
  });
}

/** An issue that is left out of an answer, which is told. */
function tooLarge(ref: ItemError["ref"]): ItemError {
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
