/** Writes the items of a push one by one and reports their outcomes. */
import type { ItemError, PushItem, PushResultItem } from "../protocol.ts";
import type { TrackerConnector } from "../sdk/connector.ts";
import { linkIdentity } from "../sdk/engine/merge.ts";
import type { SyncEngine, SyncEvent } from "../sdk/engine.ts";
import { IssueNotFoundError, nullIfNotFound, TrackerSdkError } from "../sdk/errors.ts";
import { BLANK, type CanonicalIssue, type IssuePatch, identityOf } from "../sdk/model.ts";
import { StoreError } from "../sdk/stores/serial.ts";
import type { IssueRecord, IssueStore } from "../sdk/stores/store.ts";
import { sentence } from "../sdk/text.ts";
import { itemCode, wireRef } from "./envelope.ts";
import { findNamedIssue, type NamedIssue } from "./named-issue.ts";
import { type ItemOutcome, outcomeOf } from "./outcome.ts";
import { type NamedRef, parseItem, patchOf, type WirePatch } from "./push-item.ts";
import { SyncRequestError } from "./request.ts";

/** Advice for an item that failed before it became a local edit. */
const NOT_SAVED = "It was not saved. Check whether the provider has it, then push it again.";

export interface PushedItem {
  readonly item: PushResultItem;
  readonly errors: readonly ItemError[];
}

/** The outcome of a write, and the record afterwards. */
interface ItemResult {
  readonly outcome: ItemOutcome;
  readonly record: IssueRecord | null;
}

/** `repeated` when an interrupted push may have written the item. */
export type Attempt = "first" | "repeated";

interface ItemWriterOptions {
  readonly connector: TrackerConnector;
  readonly store: IssueStore;
  readonly engine: SyncEngine;
}

export class ItemWriter {
  readonly #options: ItemWriterOptions;

  constructor(options: ItemWriterOptions) {
    this.#options = options;
  }

  /** @param key Repeated writes of one item have the same key */
  async write(item: PushItem, key: string, attempt: Attempt): Promise<PushedItem> {
    try {
      return pushedItem(item.ref, item.action, await this.#write(item, key, attempt));
    } catch (error) {
      // A failure of the store ends the push: the item's outcome is unknown.
      if (!(error instanceof TrackerSdkError) || error instanceof StoreError) throw error;
      const { failureClass, retryable, message } = error;
      const code = error instanceof SyncRequestError ? "invalid_request" : itemCode(failureClass);
      const outcome: ItemOutcome = {
        ...(retryable
          ? { outcome: "failed", message: `${sentence(message)} ${NOT_SAVED}` }
          : { outcome: "rejected", message }),
        errors: [{ ref: item.ref, code, message, retryable }],
        refused: [],
      };
      return pushedItem(item.ref, item.action, { outcome, record: null });
    }
  }

  /** The result of the engine's push for an issue that the request did not name. */
  async resultOf(key: string, events: readonly SyncEvent[]): Promise<PushedItem> {
    const written = await this.#discardRefused(key, events);
    const { record } = written;
    const isCreate = record?.ref === null || events.some(({ kind }) => kind === "created");
    return pushedItem(nameOf(record), isCreate ? "create" : "update", written);
  }

  async #write(item: PushItem, key: string, attempt: Attempt): Promise<ItemResult> {
    const { connector, engine } = this.#options;
    const parsed = parseItem(connector.provider, item);
    switch (parsed.action) {
      case "create":
        await this.#createOnce(key, await this.#patch(parsed.patch));
        return appliedCreate(await this.#outcome(key, engine.push({ key })));
      case "update": {
        const issue = await this.#findNamed(parsed.ref, "ref");
        return this.#edit(issue, await this.#patch(parsed.patch));
      }
      case "transition":
        return this.#edit(await this.#findNamed(parsed.ref, "ref"), { status: parsed.status });
      case "link": {
        const { ref: target } = await this.#findNamed(parsed.target, "link.target");
        const link = { type: parsed.type, target };
        const issue = await this.#read(await this.#findNamed(parsed.ref, "ref"));
        const { links } = (await engine.fetch(issue.ref, issue.found)).fields;
        const isLinked = links.some((existing) => linkIdentity(existing) === linkIdentity(link));
        // A link that the record has may still wait to be sent.
        return this.#edit(issue, { links: isLinked ? links : [...links, link] });
      }
      case "comment": {
        const issue = await this.#findNamed(parsed.ref, "ref");
        const { record } = await this.#recordFor(issue);
        await engine.send((count) => {
          // After a failed attempt the comment may exist.
          const lookUp = attempt === "first" && count === 1 ? "never" : "first";
          return connector.addComment(issue.ref, parsed.body, { idempotencyKey: key, lookUp });
        });
        return { outcome: { ...outcomeOf([]), outcome: "applied" }, record };
      }
    }
  }

  async #edit(issue: NamedIssue, patch: IssuePatch): Promise<ItemResult> {
    const { record, read } = await this.#recordFor(issue);
    return this.#outcome(record.key, this.#options.engine.write(record.key, patch, read));
  }

  /** The record of an issue; the issue is read only when there is no record. */
  async #recordFor(issue: NamedIssue): Promise<{ record: IssueRecord; read: CanonicalIssue | null }> {
    const { engine, store } = this.#options;
    const identity = identityOf(issue.ref);
    const records = await store.transaction((transaction) => transaction.findByRefs([identity]));
    const record = records.get(identity);
    if (record !== undefined) return { record, read: issue.found };
    const { ref, found } = await this.#read(issue);
    return { record: await engine.fetch(ref, found), read: found };
  }

  /** @throws IssueNotFoundError when the issue is gone, after recording that */
  async #read({ ref, found }: NamedIssue): Promise<NamedIssue & { readonly found: CanonicalIssue }> {
    const { connector, engine } = this.#options;
    const read = found ?? (await nullIfNotFound(engine.send(() => connector.getIssue(ref))));
    if (read !== null) return { ref, found: read };
    await engine.fetch(ref);
    throw new IssueNotFoundError(connector.provider, ref.id);
  }

  async #createOnce(key: string, { title = "", ...patch }: IssuePatch): Promise<void> {
    if ((await this.#record(key)) === null) {
      await this.#options.engine.create(key, { ...BLANK, ...patch, title });
    }
  }

  /** The outcome of a push for one issue, without the events about the other ends of its links. */
  async #outcome(key: string, push: AsyncIterable<SyncEvent>): Promise<ItemResult> {
    const events: SyncEvent[] = [];
    for await (const event of push) {
      if (event.kind !== "progress" && event.key === key) events.push(event);
    }
    return this.#discardRefused(key, events);
  }

  /** Discards what the provider refuses for good, so that later runs do not send it again. */
  async #discardRefused(key: string, events: readonly SyncEvent[]): Promise<ItemResult> {
    const { engine, store } = this.#options;
    const outcome = outcomeOf(events);
    if (outcome.refused.length > 0) await engine.discard(key, outcome.refused);
    const last = events.at(-1);
    const reported = last !== undefined && "record" in last ? last.record : null;
    const record = reported === null || outcome.refused.length > 0 ? await this.#record(key) : reported;
    const isDraft = record !== null && record.ref === null && record.deletedAt === null;
    if (isDraft && outcome.outcome === "rejected") {
      // A refused create is no draft for later runs to send.
      await store.transaction((transaction) => transaction.remove(key));
    }
    return { outcome, record };
  }

  async #record(key: string): Promise<IssueRecord | null> {
    const [record = null] = await this.#options.store.transaction((transaction) =>
      transaction.records([key]),
    );
    return record;
  }

  async #patch(wire: WirePatch): Promise<IssuePatch> {
    const { parent_ref: parent } = wire;
    if (parent === undefined) return patchOf(wire);
    const ref = parent === null ? null : (await this.#findNamed(parent, "patch.parent_ref")).ref;
    return { ...patchOf(wire), parent: ref };
  }

  #findNamed(ref: NamedRef, name: string): Promise<NamedIssue> {
    return findNamedIssue(this.#options, ref, name);
  }
}

/** Reports a repeated create whose issue exists as applied. */
function appliedCreate({ outcome, record }: ItemResult): ItemResult {
  const exists = record !== null && record.ref !== null && outcome.outcome === "noop";
  return { outcome: exists ? { ...outcome, outcome: "applied" } : outcome, record };
}

/** The name of an issue that the request did not name; a draft has only a title. */
function nameOf(record: IssueRecord | null) {
  if (record === null) return {};
  const { ref, fields } = record;
  return { ...(ref !== null && wireRef(ref)), title: fields.title };
}

function pushedItem(
  ref: unknown,
  action: PushItem["action"],
  { outcome: { outcome, message, errors }, record }: ItemResult,
): PushedItem {
  const remote = record?.ref ?? null;
  const version = record?.base?.revision ?? record?.base?.updatedAt ?? null;
  const remote_ref = remote === null ? null : wireRef(remote);
  return { item: { ref, action, outcome, remote_ref, version, message }, errors };
}
