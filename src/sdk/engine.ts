/**
 * The sync engine: keeps the issues of a store and those of one tracker
 * resource the same, field by field, by the ownership policy.
 *
 * Its parts: `engine/pull.ts` takes in what changed remotely, `engine/push.ts`
 * and `engine/create.ts` bring local edits out, `engine/local.ts` is what
 * people do locally, `merge.ts` decides. What the engine knows is in the store,
 * written before it is relied on: a run that dies anywhere is continued by the
 * next one.
 */
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import type { TrackerConnector } from "./connector.ts";
import type { EngineContext } from "./engine/context.ts";
import type { SyncEvent } from "./engine/events.ts";
import { createLocally, type Decision, discard, edit, parseLocal, resolveConflict } from "./engine/local.ts";
import { OwnershipPolicy } from "./engine/policy.ts";
import { fetchIssue, pull } from "./engine/pull.ts";
import { push } from "./engine/push.ts";
import { withRetries } from "./engine/retry.ts";
import { SyncConflictError } from "./errors.ts";
import {
  type CanonicalIssue,
  type CoreField,
  type ExternalRef,
  type IssueFields,
  IssuePatch,
} from "./model.ts";
import type { ConflictRecord, IssueRecord, IssueStore } from "./stores/store.ts";

export { collect, type SyncEvent, type SyncResult } from "./engine/events.ts";
export type { Decision } from "./engine/local.ts";

export interface SyncEngineOptions {
  readonly connector: TrackerConnector;
  readonly store: IssueStore;
  /** The owners of fields; the provider owns all of them by default. */
  readonly policy?: v.InferInput<typeof OwnershipPolicy>;
  /** Names the checkpoint, for stores that several resources share; the connector's provider and workspace by default. */
  readonly name?: string;
  /** The time before the last pull's end from which a pull reads again, in milliseconds; 5 minutes by default. */
  readonly overlapMs?: number;
  /** Issues per page and transaction, 1 to 1000; 100 by default. */
  readonly pageSize?: number;
  /**
   * Reports whether a page may be merged; one that may not is requested again with half
   * as many issues, down to one, which always may. Every page by default.
   */
  readonly canMerge?: (page: readonly CanonicalIssue[]) => boolean;
  /** Issues that are pushed at the same time; 4 by default. */
  readonly concurrency?: number;
  readonly now?: () => Date;
  readonly sleep?: (milliseconds: number) => Promise<void>;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random?: () => number;
  /** Makes idempotency keys; each is another one, on all machines. UUIDs of version 7 by default: they tell when. */
  readonly newId?: () => string;
}

export interface RunOptions {
  /** Tells what would be done, and does nothing: no write to the store, none to the provider. */
  readonly dryRun?: boolean;
}

export interface PullOptions extends RunOptions {
  /** Reads everything, not only what changed, and finds out which issues are gone. */
  readonly full?: boolean;
  /** Stops after this many issues, 1 or more; the next pull goes on from there. */
  readonly limit?: number | null;
}

export interface PushOptions extends RunOptions {
  /** Pushes this issue alone. */
  readonly key?: string | null;
  /** That issue as the caller has just read it, which is then not read again. */
  readonly read?: CanonicalIssue | null;
}

export interface SyncOptions extends RunOptions {
  /** Pull, then push; the other way round when false. True by default. */
  readonly pullFirst?: boolean;
  /** The pull stops after this many issues, 1 or more. */
  readonly limit?: number | null;
}

/**
 * One engine for one store and one connector.
 *
 * A run is a stream: nothing happens before it is read, and it stops where its
 * reader stops. A failure that concerns one issue is an event; only a failing
 * store ends a run in an error, a connector that cannot list as it is set up, or
 * SyncConflictError under strict manual review.
 *
 * @example
 * const engine = new SyncEngine({ connector, store, policy: { mode: "split_ownership" } });
 * for await (const event of engine.sync()) show(event);
 */
export class SyncEngine {
  readonly #context: EngineContext;

  constructor(options: SyncEngineOptions) {
    const { connector, store } = options;
    const { now = () => new Date(), sleep = setTimeout, random = Math.random } = options;
    const retry = { sleep, random };
    this.#context = {
      connector,
      store,
      policy: v.parse(OwnershipPolicy, options.policy ?? {}),
      name: options.name ?? `${connector.provider}:${connector.workspace}`,
      overlapMs: options.overlapMs ?? 5 * 60_000,
      pageSize: options.pageSize ?? 100,
      canMerge: options.canMerge ?? (() => true),
      concurrency: options.concurrency ?? 4,
      instant: () => now().toISOString(),
      newId: options.newId ?? (() => Bun.randomUUIDv7()),
      send: (request) => withRetries(request, retry),
      writes: "sent",
    };
  }

  /** Takes in what changed at the provider since the last pull. */
  pull({ full = false, limit = null, dryRun }: PullOptions = {}): AsyncGenerator<SyncEvent> {
    return this.#run([(context) => pull(context, { full, limit })], dryRun);
  }

  /** Brings what was edited locally to the provider. */
  push({ key = null, read = null, dryRun }: PushOptions = {}): AsyncGenerator<SyncEvent> {
    return this.#run([(context) => push(context, { key, read })], dryRun);
  }

  /**
   * Edits an issue locally and pushes it. For values that are parsed already:
   * unlike {@link edit} this does not parse them.
   *
   * @param read The issue, where the caller has just read it
   */
  async *write(
    key: string,
    patch: IssuePatch,
    read: CanonicalIssue | null = null,
  ): AsyncGenerator<SyncEvent> {
    await edit(this.#context, key, patch);
    yield* this.push({ key, read });
  }

  /** Both, in one stream. */
  sync({ pullFirst = true, limit = null, dryRun }: SyncOptions = {}): AsyncGenerator<SyncEvent> {
    const pullChanges: Phase = (context) => pull(context, { full: false, limit });
    const pushAll: Phase = (context) => push(context, { key: null, read: null });
    return this.#run(pullFirst ? [pullChanges, pushAll] : [pushAll, pullChanges], dryRun);
  }

  /**
   * Reads one issue of the provider and merges it, known or not.
   *
   * @param read The issue, where the caller has just read it
   *
   * @throws IssueNotFoundError when the provider has no such issue; a known one is a tombstone then
   * @throws TrackerSdkError when it cannot be read
   */
  fetch(ref: ExternalRef, read: CanonicalIssue | null = null): Promise<IssueRecord> {
    return fetchIssue(this.#context, ref, read);
  }

  /**
   * Sends a request of the caller's to the provider as the engine sends its own:
   * again when its failure is one that may pass. It must be safe to repeat.
   *
   * @throws TrackerSdkError when it fails for good, or too often
   */
  send<T>(request: (attempt: number) => Promise<T>): Promise<T> {
    return this.#context.send(request);
  }

  /**
   * Gives up local edits that are not pushed: the fields are what was last agreed.
   * What was never agreed on keeps them: a draft waits on, and a tombstone is not pushed any more.
   */
  discard(key: string, fields: readonly CoreField[]): Promise<void> {
    return discard(this.#context, key, fields);
  }

  /**
   * Edits an issue locally; the fields that change are pushed by the next push.
   *
   * @throws IssueNotFoundError when the store has no such issue
   * @throws TrackerSdkError (`invalid`) when the patch is not one
   */
  async edit(key: string, patch: IssuePatch): Promise<IssueRecord> {
    return edit(this.#context, key, parseLocal(IssuePatch, patch));
  }

  /**
   * Files an issue locally; the next push creates it at the provider.
   *
   * @throws TrackerSdkError (`conflict`) when the key is taken, (`invalid`) when the fields are not an issue's
   */
  create(key: string, fields: IssueFields): Promise<IssueRecord> {
    return createLocally(this.#context, key, fields);
  }

  /**
   * Decides an open conflict; the field is synchronized again from the next push on.
   * Deciding the same again changes nothing.
   *
   * @throws TrackerSdkError (`not_found`) when there is no such conflict, (`conflict`) when it was decided otherwise
   */
  resolveConflict(id: string, decision: Decision): Promise<ConflictRecord> {
    return resolveConflict(this.#context, id, decision);
  }

  async *#run(phases: readonly Phase[], dryRun = false): AsyncGenerator<SyncEvent> {
    if (dryRun) {
      yield* await runDry(this.#context, phases);
      return;
    }
    for (const phase of phases) yield* phase(this.#context);
    await this.#assertDecided();
  }

  async #assertDecided(): Promise<void> {
    const { connector, policy, store } = this.#context;
    if (!policy.strictManualReview) return;
    const open = await store.transaction((transaction) => transaction.openConflicts());
    const ids = open.map(({ id }) => id);
    if (ids.length > 0) throw new SyncConflictError(connector.provider, ids);
  }
}

/** A part of a run. */
type Phase = (context: EngineContext) => AsyncIterable<SyncEvent>;

/** Carries a rehearsal's events out of the transaction that it undoes. */
class DryRunEnd {
  readonly events: readonly SyncEvent[];

  constructor(events: readonly SyncEvent[]) {
    this.events = events;
  }
}

/** Runs the phases for real within one transaction, sends no write, and undoes the transaction. */
async function runDry(context: EngineContext, phases: readonly Phase[]): Promise<readonly SyncEvent[]> {
  try {
    return await context.store.transaction(async (transaction): Promise<never> => {
      const store: IssueStore = { transaction: (work) => work(transaction), close: async () => {} };
      const events: SyncEvent[] = [];
      for (const phase of phases) {
        for await (const event of phase({ ...context, store, writes: "planned" })) events.push(event);
      }
      throw new DryRunEnd(events);
    });
  } catch (error) {
    if (error instanceof DryRunEnd) return error.events;
    throw error;
  }
}
