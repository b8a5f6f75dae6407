/**
 * Keeps the issues of a store and those of one tracker resource in sync, field by field, by the ownership
 * policy. State is stored before it is relied on: the next run continues a run that died anywhere.
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
  /** The owners of fields; by default the provider owns all of them. */
  readonly policy?: v.InferInput<typeof OwnershipPolicy>;
  /** The checkpoint's name, for stores that several resources share; provider and workspace by default. */
  readonly name?: string;
  /** Overlap of a pull with the pull before, in milliseconds; 5 minutes by default. */
  readonly overlapMs?: number;
  /** Issues per page and transaction, 1 to 1000; 100 by default. */
  readonly pageSize?: number;
  /** One that may not is requested again with half as many issues, down to one, which always may. */
  readonly canMerge?: (page: readonly CanonicalIssue[]) => boolean;
  /** Issues that are pushed at the same time; 4 by default. */
  readonly concurrency?: number;
  readonly now?: () => Date;
  readonly sleep?: (milliseconds: number) => Promise<void>;
  /** Spreads retries; 0 ≤ x < 1. */
  readonly random?: () => number;
  /** Makes idempotency keys, unique on all machines; by default UUIDs of version 7, which carry their time. */
  readonly newId?: () => string;
}

export interface RunOptions {
  /** Reports what a run would do and writes nothing, neither to the store nor to the provider. */
  readonly dryRun?: boolean;
}

export interface PullOptions extends RunOptions {
  /** Reads everything and finds deleted issues. */
  readonly full?: boolean;
  /** Stops after this many issues, 1 or more; the next pull continues from there. */
  readonly limit?: number | null;
}

export interface PushOptions extends RunOptions {
  readonly key?: string | null;
  /** That issue as the caller has just read it, to save the read. */
  readonly read?: CanonicalIssue | null;
}

export interface SyncOptions extends RunOptions {
  /** Pulls before it pushes; true by default. */
  readonly pullFirst?: boolean;
  /** Issues to pull at most, 1 or more. */
  readonly limit?: number | null;
}

/**
 * One engine for one store and one connector.
 *
 * A run is a stream: nothing happens before it is read, and it stops where its reader stops. A failure of one
 * issue is an event. A run throws only when the store fails, when the connector cannot list with its
 * configuration, or when conflicts stay open under strict manual review (SyncConflictError).
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

  /** Fetches the changes at the provider since the last pull. */
  pull({ full = false, limit = null, dryRun }: PullOptions = {}): AsyncGenerator<SyncEvent> {
    return this.#run([(context) => pull(context, { full, limit })], dryRun);
  }

  /** Writes local edits to the provider. */
  push({ key = null, read = null, dryRun }: PushOptions = {}): AsyncGenerator<SyncEvent> {
    return this.#run([(context) => push(context, { key, read })], dryRun);
  }

  /**
   * Edits an issue locally and pushes it. Unlike {@link edit} it does not parse the patch.
   *
   * @param read The issue, if the caller has just read it
   */
  async *write(
    key: string,
    patch: IssuePatch,
    read: CanonicalIssue | null = null,
  ): AsyncGenerator<SyncEvent> {
    await edit(this.#context, key, patch);
    yield* this.push({ key, read });
  }

  /** Pulls and pushes in one stream. */
  sync({ pullFirst = true, limit = null, dryRun }: SyncOptions = {}): AsyncGenerator<SyncEvent> {
    const pullChanges: Phase = (context) => pull(context, { full: false, limit });
    const pushAll: Phase = (context) => push(context, { key: null, read: null });
    return this.#run(pullFirst ? [pullChanges, pushAll] : [pushAll, pullChanges], dryRun);
  }

  /**
   * Reads one issue of the provider and merges it, whether the store has it or not.
   *
   * @param read The issue, if the caller has just read it
   * @throws IssueNotFoundError when the provider has no such issue; its record is then marked deleted
   * @throws TrackerSdkError when it cannot be read
   */
  fetch(ref: ExternalRef, read: CanonicalIssue | null = null): Promise<IssueRecord> {
    return fetchIssue(this.#context, ref, read);
  }

  /**
   * Sends a caller's request with the engine's retries. It must be safe to repeat.
   *
   * @throws TrackerSdkError when it fails for good or too often
   */
  send<T>(request: (attempt: number) => Promise<T>): Promise<T> {
    return this.#context.send(request);
  }

  /** Restores the last agreed values. A draft has none and keeps its edits; a deleted issue is not pushed. */
  discard(key: string, fields: readonly CoreField[]): Promise<void> {
    return discard(this.#context, key, fields);
  }

  /**
   * Edits an issue locally; the next push writes the fields that changed.
   *
   * @throws IssueNotFoundError when the store has no such issue
   * @throws TrackerSdkError (`invalid`) when the patch is malformed
   */
  async edit(key: string, patch: IssuePatch): Promise<IssueRecord> {
    return edit(this.#context, key, parseLocal(IssuePatch, patch));
  }

  /**
   * Creates an issue locally; the next push creates it at the provider.
   *
   * @throws TrackerSdkError (`conflict`) when the key is taken, (`invalid`) when the fields are malformed
   */
  create(key: string, fields: IssueFields): Promise<IssueRecord> {
    return createLocally(this.#context, key, fields);
  }

  /**
   * Decides an open conflict; the next push synchronizes the field again. Repeating a decision changes
   * nothing.
   *
   * @throws TrackerSdkError (`not_found`) when there is no such conflict, (`conflict`) when it was decided
   * otherwise
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

type Phase = (context: EngineContext) => AsyncIterable<SyncEvent>;

/** Carries the events of a dry run out of the transaction that it rolls back. */
class DryRunEnd {
  readonly events: readonly SyncEvent[];

  constructor(events: readonly SyncEvent[]) {
    this.events = events;
  }
}

/** Runs the phases within one transaction, sends no write, and rolls the transaction back. */
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
