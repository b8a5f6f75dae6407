/** Writes what a push asks for, an item at a time, and tells what became of it. */
import * as v from "valibot";
import type { ItemError, PushItem, PushResultItem } from "../protocol.ts";
import type { TrackerConnector } from "../sdk/connector.ts";
import { linkIdentity } from "../sdk/engine/merge.ts";
import type { SyncEngine, SyncEvent } from "../sdk/engine.ts";
import { TrackerSdkError } from "../sdk/errors.ts";
import { BLANK, CanonicalStatus, type ExternalRef, type IssuePatch, identityOf } from "../sdk/model.ts";
import { StoreError } from "../sdk/stores/serial.ts";
import type { IssueRecord, IssueStore } from "../sdk/stores/store.ts";
import { sentence } from "../sdk/text.ts";
import { itemCode, wireRef } from "./envelope.ts";
import { namedIssue } from "./named-issue.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { patchOf, WireLink, WirePatch } from "./push-item.ts";
import { parsePart, SyncRequestError } from "./request.ts";

/** The advice for an item that failed before it became a local edit, or is none. */
const NOT_KEPT = "It is not kept: look whether it is there, then push it again.";

const Filled = v.pipe(v.string(), v.nonEmpty("must not be empty"));

/** The outcome of an item, with its error. */
export interface PushedItem {
  readonly item: PushResultItem;
  readonly errors: readonly ItemError[];
}

/** The outcome of a write, and the issue as it is known afterwards. */
interface Written {
  readonly outcome: Outcome;
  readonly record: IssueRecord | null;
}

interface ItemWriterOptions {
  readonly connector: TrackerConnector;
  readonly store: IssueStore;
  readonly engine: SyncEngine;
}

/** Writes items to one resource. */
export class ItemWriter {
  readonly #options: ItemWriterOptions;

  constructor(options: ItemWriterOptions) {
    this.#options = options;
  }

  /**
   * Writes an item. What goes wrong at the provider is told in its result.
   *
   * @param key the same key is the same item, however often it is written
   */
  async write(item: PushItem, key: string): Promise<PushedItem> {
    try {
      return pushedItem(item.ref, item.action, await this.#write(item, key));
    } catch (error) {
      // What the store fails with ends the push: nobody knows what became of the item.
      if (!(error instanceof TrackerSdkError) || error instanceof StoreError) throw error;
      const { failureClass, retryable, message } = error;
      const code = error instanceof SyncRequestError ? "invalid_request" : itemCode(failureClass);
      const outcome: Outcome = {
        ...(retryable
          ? { outcome: "failed", message: `${sentence(message)} ${NOT_KEPT}` }
          : { outcome: "rejected", message }),
        errors: [{ ref: item.ref, code, message, retryable }],
        refused: [],
      };
      return pushedItem(item.ref, item.action, { outcome, record: null });
    }
  }

  /** The outcome of a push by the engine for one issue, which the request did not name. */
  async conclude(key: string, events: readonly SyncEvent[]): Promise<PushedItem> {
    const outcome = outcomeOf(events);
    const record = await this.#settle(key, outcome);
    const isCreate = record?.ref === null || events.some(({ kind }) => kind === "created");
    return pushedItem(nameOf(record), isCreate ? "create" : "update", { outcome, record });
  }

  async #write(item: PushItem, key: string): Promise<Written> {
    const { connector, engine } = this.#options;
    switch (item.action) {
      case "create":
        await this.#createOnce(key, await this.#patch(item.patch ?? {}));
        return created(await this.#send(key));
      case "update":
        return this.#edit(await this.#ref(item.ref, "ref"), await this.#patch(item.patch ?? {}));
      case "transition": {
        const status = this.#parse(CanonicalStatus, item.target_status, "target_status");
        return this.#edit(await this.#ref(item.ref, "ref"), { status });
      }
      case "link": {
        const { type, target } = this.#parse(WireLink, item.link, "link");
        const link = { type, target: await this.#ref(target, "link.target") };
        const ref = await this.#ref(item.ref, "ref");
        const { links } = (await engine.take(ref)).fields;
        const isKnown = links.some((known) => linkIdentity(known) === linkIdentity(link));
        // One that is known here may still have to be sent.
        return this.#edit(ref, { links: isKnown ? links : [...links, link] });
      }
      case "comment": {
        const ref = await this.#ref(item.ref, "ref");
        const body = this.#parse(Filled, item.body, "body");
        await engine.ask(() => connector.addComment(ref, body, { idempotencyKey: key }));
        return { outcome: { ...outcomeOf([]), outcome: "applied" }, record: await engine.take(ref) };
      }
    }
  }

  async #edit(ref: ExternalRef, patch: IssuePatch): Promise<Written> {
    const { key } = await this.#known(ref);
    await this.#options.engine.edit(key, patch);
    return this.#send(key);
  }

  /** The record of an issue as it was last agreed on; read now only when it is not known. */
  async #known(ref: ExternalRef): Promise<IssueRecord> {
    const { engine, store } = this.#options;
    const identity = identityOf(ref);
    const found = await store.transaction((transaction) => transaction.findByRefs([identity]));
    return found.get(identity) ?? engine.take(ref);
  }

  async #createOnce(key: string, patch: IssuePatch): Promise<void> {
    if ((await this.#record(key)) !== null) return;
    const title = this.#parse(Filled, patch.title, "patch.title");
    await this.#options.engine.create(key, { ...BLANK, ...patch, title });
  }

  /** Pushes one issue. What is told of the other ends of its links is not about it. */
  async #send(key: string): Promise<Written> {
    const events: SyncEvent[] = [];
    for await (const event of this.#options.engine.push({ key })) {
      if (event.kind !== "progress" && event.key === key) events.push(event);
    }
    const outcome = outcomeOf(events);
    return { outcome, record: await this.#settle(key, outcome) };
  }

  /** Sees to it that later runs do not try again what the provider refuses for good. Returns the issue as it is then. */
  async #settle(key: string, { outcome, refused }: Outcome): Promise<IssueRecord | null> {
    const { engine, store } = this.#options;
    if (refused.length > 0) await engine.discard(key, refused);
    const record = await this.#record(key);
    const isDraft = record !== null && record.ref === null && record.deletedAt === null;
    if (isDraft && outcome === "rejected") {
      // There will never be such an issue: it is no draft that later runs are to send.
      await store.transaction((transaction) => transaction.remove(key));
    }
    return record;
  }

  async #record(key: string): Promise<IssueRecord | null> {
    const [record = null] = await this.#options.store.transaction((transaction) =>
      transaction.records([key]),
    );
    return record;
  }

  async #patch(value: unknown): Promise<IssuePatch> {
    const wire = this.#parse(WirePatch, value, "patch");
    const { parent_ref: parent } = wire;
    if (parent === undefined) return patchOf(wire);
    return { ...patchOf(wire), parent: parent === null ? null : await this.#ref(parent, "patch.parent_ref") };
  }

  async #ref(value: unknown, name: string): Promise<ExternalRef> {
    return (await namedIssue(this.#options, value, name)).ref;
  }

  #parse<S extends v.GenericSchema>(schema: S, value: unknown, name: string): v.InferOutput<S> {
    return parsePart(this.#options.connector.provider, schema, value, name);
  }
}

/** A create that was sent before, and whose answer was lost, has come to what it was to come to. */
function created({ outcome, record }: Written): Written {
  const isThere = record !== null && record.ref !== null && outcome.outcome === "noop";
  return { outcome: isThere ? { ...outcome, outcome: "applied" } : outcome, record };
}

/** The name of an issue that the request did not name: a draft has only its title. */
function nameOf(record: IssueRecord | null) {
  if (record === null) return {};
  const { ref, fields } = record;
  return { ...(ref !== null && wireRef(ref)), title: fields.title };
}

function pushedItem(
  ref: unknown,
  action: PushItem["action"],
  { outcome: { outcome, message, errors }, record }: Written,
): PushedItem {
  const remote = record?.ref ?? null;
  const version = record?.base?.revision ?? record?.base?.updatedAt ?? null;
  const remote_ref = remote === null ? null : wireRef(remote);
  return { item: { ref, action, outcome, remote_ref, version, message }, errors };
}
