/** Random histories of both sides of a sync, and a world to play them in. */
import fc from "fast-check";
import type { UpdateOptions, WriteOptions } from "../../src/sdk/connector.ts";
import { SyncEngine, type SyncEngineOptions, type SyncEvent } from "../../src/sdk/engine.ts";
import {
  type CanonicalIssue,
  CORE_FIELDS,
  type ExternalRef,
  type IssueFields,
  type IssuePatch,
  identityOf,
} from "../../src/sdk/model.ts";
import type { IssueRecord, IssueStore, StoreTransaction } from "../../src/sdk/stores/store.ts";
import { MemoryRemote } from "../../src/sdk/testing/remote.ts";
import { MemoryTracker, type MemoryTrackerOptions } from "../../src/sdk/testing/tracker.ts";

/** The process died: nothing after it happens. */
export class CrashError extends Error {}

/** Counts what an engine does and ends it at a step of choice. */
export class Steps {
  #taken = 0;
  readonly #last: number;

  /** `last` is the step that is not survived. */
  constructor(last = Number.POSITIVE_INFINITY) {
    this.#last = last;
  }

  get taken(): number {
    return this.#taken;
  }

  /** @throws CrashError from the last step on */
  take(): void {
    this.#taken += 1;
    if (this.#taken >= this.#last) throw new CrashError(`died at step ${this.#taken}`);
  }
}

/** A store whose transactions are steps: one as they begin, one before they commit. */
function steppedStore(store: IssueStore, steps: Steps): IssueStore {
  return {
    async transaction<T>(work: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
      steps.take();
      return store.transaction(async (transaction) => {
        const result = await work(transaction);
        steps.take();
        return result;
      });
    },
    close: () => store.close(),
  };
}

/** A change to the fields of an issue; labels are those to toggle. */
export interface Change {
  readonly title?: string;
  readonly body?: string;
  readonly status?: IssueFields["status"];
  readonly priority?: number;
  readonly assignee?: string;
  readonly label?: string;
  readonly link?: number;
  readonly parent?: number;
  readonly member?: readonly [name: string, value: string];
}

/** One thing that happens. Issues are chosen by number, modulo how many there are. */
type Action =
  | {
      readonly do: "edit";
      readonly side: "local" | "remote";
      readonly issue: number;
      readonly change: Change;
    }
  | { readonly do: "create"; readonly side: "local" | "remote" }
  | { readonly do: "delete"; readonly issue: number }
  | { readonly do: "sync"; readonly how: "sync" | "pull" | "push" | "push first" };

const side = fc.constantFrom("local" as const, "remote" as const);
const number = fc.nat(9);

/** Values of free fields are replaced by ones that occur once, so that each can be followed. */
const change: fc.Arbitrary<Change> = fc.record(
  {
    title: fc.constant("?"),
    body: fc.constant("?"),
    status: fc.constantFrom("todo" as const, "in_progress" as const, "done" as const),
    priority: fc.nat(4),
    assignee: fc.constantFrom("ada", "bob"),
    label: fc.constantFrom("red", "green", "blue"),
    link: number,
    parent: number,
    member: fc.tuple(fc.constantFrom("size", "team"), fc.constant("?")),
  },
  { requiredKeys: [] },
);

const editing: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("edit" as const),
  side,
  issue: number,
  change,
});
const creating: fc.Arbitrary<Action> = fc.record({ do: fc.constant("create" as const), side });
const deleting: fc.Arbitrary<Action> = fc.record({ do: fc.constant("delete" as const), issue: number });
const syncing: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("sync" as const),
  how: fc.constantFrom("sync" as const, "pull" as const, "push" as const, "push first" as const),
});

/** Histories of up to 14 actions. */
export const histories: fc.Arbitrary<readonly Action[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: editing },
    { weight: 2, arbitrary: creating },
    { weight: 1, arbitrary: deleting },
    { weight: 3, arbitrary: syncing },
  ),
  { minLength: 1, maxLength: 14 },
);

/** What people do while a sync runs: nothing most of the time. */
export const interruptions: fc.Arbitrary<readonly (Action | null)[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: editing },
    { weight: 1, arbitrary: creating },
    { weight: 1, arbitrary: deleting },
  ),
  { minLength: 1, maxLength: 30 },
);

/** What a world is made of beyond its history. */
export interface Setting {
  readonly policy: NonNullable<SyncEngineOptions["policy"]>;
  /** How far the tracker's clock is ahead, in milliseconds. */
  readonly skew: number;
  readonly fieldTimes: "reported" | "omitted";
  readonly pageSize: number;
  /** Whether the tracker writes bodies its own way. */
  readonly bodies: "kept" | "rewritten";
}

const owner = fc.constantFrom("external" as const, "local" as const, "shared" as const);

/**
 * Settings of every kind. Links are never owned locally: providers show a link
 * at both ends, so that an owner who names it at one end contradicts itself.
 */
export const settings: fc.Arbitrary<Setting> = fc.record({
  policy: fc.record({
    mode: fc.constant("split_ownership" as const),
    fieldOwners: fc.record(
      {
        title: owner,
        body: owner,
        status: owner,
        priority: owner,
        assignees: owner,
        labels: owner,
        parent: owner,
        customFields: owner,
        links: fc.constantFrom("external" as const, "shared" as const),
      },
      { requiredKeys: [] },
    ),
    strategy: fc.constantFrom(
      "external_wins" as const,
      "local_wins" as const,
      "newer_timestamp" as const,
      "manual_review" as const,
    ),
  }),
  skew: fc.integer({ min: -3_600_000, max: 60_000 }),
  fieldTimes: fc.constantFrom("reported" as const, "omitted" as const),
  bodies: fc.constantFrom("kept" as const, "rewritten" as const),
  pageSize: fc.integer({ min: 1, max: 4 }),
});

/** Issues that are there from the beginning, the only ones that are linked to; these are never deleted. */
const FOUNDERS = 3;

/** A value that a person wrote, for following it. */
interface Trace {
  readonly value: string;
  readonly where: string;
}

/** A connector to a tracker that creates another issue each time it is asked to, as most do. */
class ForgetfulTracker extends MemoryTracker {
  /** How often a create was sent with a key; outlives the process, as its issues do. */
  readonly #sent: Map<string, number>;

  constructor(sent: Map<string, number>, options: MemoryTrackerOptions) {
    super(options);
    this.#sent = sent;
  }

  override createIssue(fields: IssueFields, { idempotencyKey }: WriteOptions): Promise<CanonicalIssue> {
    const count = (this.#sent.get(idempotencyKey) ?? 0) + 1;
    this.#sent.set(idempotencyKey, count);
    return super.createIssue(fields, { idempotencyKey: `${idempotencyKey}#${count}` });
  }

  override async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const count = this.#sent.get(idempotencyKey) ?? 0;
    return super.findCreated(`${idempotencyKey}#${count}`);
  }
}

/** What the tracker below makes of a body; of what it wrote itself nothing else. */
function rewritten(body: string | null): string | null {
  return body === null ? null : `<${plainBody(body)}>`;
}

/** What somebody wrote, whatever a tracker made of it. */
function plainBody(body: string): string {
  return body.replace(/^<(.*)>$/s, "$1");
}

/** One that also writes bodies its own way. */
class RewritingTracker extends ForgetfulTracker {
  readonly rewritesBodies = true;

  override createIssue(fields: IssueFields, options: WriteOptions): Promise<CanonicalIssue> {
    return super.createIssue({ ...fields, body: rewritten(fields.body) }, options);
  }

  override updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue> {
    const body = patch.body === undefined ? {} : { body: rewritten(patch.body) };
    return super.updateIssue(ref, { ...patch, ...body }, options);
  }
}

/** Both sides of a sync, and people who work on them. */
export class World {
  readonly remote: MemoryRemote;
  readonly store: IssueStore;
  readonly setting: Setting;
  readonly events: SyncEvent[] = [];
  /** Free values that people wrote. */
  readonly written: Trace[] = [];
  /** Free values that people replaced knowing them. */
  readonly replaced = new Set<string>();
  /** Creates that were sent, by idempotency key. */
  readonly #sent = new Map<string, number>();
  #now = Date.parse("2026-01-01T00:00:00.000Z");
  #values = 0;
  #created = 0;
  #ids = 0;

  constructor(store: IssueStore, setting: Setting) {
    this.store = store;
    this.setting = setting;
    this.remote = new MemoryRemote({ now: () => this.#now + setting.skew });
    for (let count = 0; count < FOUNDERS; count += 1) this.remote.add({ title: `founder ${count}` });
  }

  /**
   * A connector and an engine of their own, as a new process has them.
   * `meanwhile` is what people do while it runs, one action per moment of a
   * request: before it takes effect, or before its answer is there.
   */
  process(
    steps = new Steps(),
    meanwhile: readonly (Action | null)[] = [],
  ): { readonly tracker: MemoryTracker; readonly engine: SyncEngine } {
    const { pageSize, fieldTimes, policy, bodies } = this.setting;
    const actions = meanwhile.values();
    const onRequest = async (): Promise<void> => {
      steps.take();
      const action = actions.next().value ?? null;
      if (action !== null) await this.play([action]);
    };
    const Tracker = bodies === "rewritten" ? RewritingTracker : ForgetfulTracker;
    const tracker = new Tracker(this.#sent, { remote: this.remote, fieldTimes, onRequest });
    const engine = new SyncEngine({
      connector: tracker,
      store: steppedStore(this.store, steps),
      policy,
      pageSize,
      now: () => new Date(this.#now),
      sleep: async (milliseconds) => this.wait(milliseconds),
      random: () => 0.5,
      newId: () => {
        this.#ids += 1;
        return `id-${this.#ids}`;
      },
    });
    return { tracker, engine };
  }

  wait(milliseconds: number): void {
    this.#now += Math.max(1, Math.ceil(milliseconds));
  }

  /** Plays a history; every sync is a process of its own. */
  async play(history: readonly Action[]): Promise<void> {
    for (const action of history) {
      this.wait(1000);
      await this.#act(action);
    }
  }

  /** Settles everything, so that both sides should be equal: some time later, deletions found out. */
  async settle(): Promise<void> {
    this.wait(600_000);
    const { engine } = this.process();
    await this.run(engine.pull({ full: true }));
    await this.run(engine.sync());
    this.wait(600_000);
  }

  async run(events: AsyncIterable<SyncEvent>): Promise<readonly SyncEvent[]> {
    const seen: SyncEvent[] = [];
    for await (const event of events) seen.push(event);
    this.events.push(...seen);
    return seen;
  }

  async records(): Promise<readonly IssueRecord[]> {
    return this.store.transaction((transaction) => transaction.list(null, 1000));
  }

  /** Everything in the store but how far pulls have come, which moves with the clock. */
  async storeContent(): Promise<unknown> {
    return this.store.transaction(async (transaction) => {
      const records = await transaction.list(null, 1000);
      const dirty = await Promise.all(records.map(({ key }) => transaction.dirtyFields([key])));
      return {
        records,
        dirty,
        intents: await transaction.intents(),
        open: await transaction.openConflicts(),
      };
    });
  }

  /** Both sides without what differs between two runs that come to the same: ids, times, revisions. */
  async outcome(): Promise<unknown> {
    const records = await this.records();
    const names = new Map(records.map(({ key, ref }) => [ref === null ? "" : identityOf(ref), key]));
    const nameOf = (ref: ExternalRef) => names.get(identityOf(ref)) ?? "unknown";
    const plain = (fields: IssueFields) => ({
      ...Object.fromEntries(CORE_FIELDS.map((field) => [field, fields[field]])),
      links: fields.links.map(({ type, target }) => `${type} ${nameOf(target)}`).sort(),
      parent: fields.parent === null ? null : nameOf(fields.parent),
      labels: fields.labels.toSorted(),
      assignees: fields.assignees.toSorted(),
    });
    const open = await this.store.transaction((transaction) => transaction.openConflicts());
    const dirty = await this.store.transaction((transaction) =>
      Promise.all(records.map(({ key }) => transaction.dirtyFields([key]))),
    );
    return {
      local: records
        .filter(({ deletedAt }) => deletedAt === null)
        .map(({ key, fields }) => ({ key, ...plain(fields) })),
      remote: Object.fromEntries(
        this.remote
          .issues()
          .map((issue) => [nameOf(issue.ref), plain(issue)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
      open: open.map(({ key, field, local, remote }) => ({ key, field, local, remote })),
      dirty: dirty
        .flat()
        .map(({ key, field }) => `${key} ${field}`)
        .sort(),
      intents: await this.store.transaction((transaction) => transaction.intents()),
    };
  }

  async #act(action: Action): Promise<void> {
    switch (action.do) {
      case "sync": {
        const { engine } = this.process();
        if (action.how === "pull") await this.run(engine.pull());
        else if (action.how === "push") await this.run(engine.push());
        else await this.run(engine.sync({ pullFirst: action.how === "sync" }));
        return;
      }
      case "create":
        await this.#create(action.side);
        return;
      case "delete": {
        const issues = this.remote.issues().slice(FOUNDERS);
        const chosen = issues[action.issue % Math.max(issues.length, 1)];
        if (chosen !== undefined) this.#delete(chosen);
        return;
      }
      case "edit":
        await (action.side === "remote" ? this.#editRemotely(action) : this.#editLocally(action));
    }
  }

  /** Whoever deletes an issue knows what was in it. */
  #delete({ ref, title, body, customFields }: CanonicalIssue): void {
    for (const value of [title, body, ...Object.values(customFields)]) {
      if (typeof value === "string") this.replaced.add(plainBody(value));
    }
    this.remote.remove(ref);
  }

  async #create(where: "local" | "remote"): Promise<void> {
    this.#created += 1;
    const title = this.#value(`${where} create`);
    if (where === "remote") {
      this.remote.add({ title });
      return;
    }
    const fields: IssueFields = {
      title,
      body: null,
      status: "todo",
      issueType: "bug",
      priority: 2,
      assignees: [],
      labels: ["new"],
      parent: null,
      links: [],
      customFields: {},
    };
    await this.#engineOver(this.store).create(`draft-${this.#created}`, fields);
  }

  async #editRemotely({
    issue,
    change: wanted,
  }: {
    readonly issue: number;
    readonly change: Change;
  }): Promise<void> {
    const issues = this.remote.issues();
    const chosen: CanonicalIssue | undefined = issues[issue % issues.length];
    if (chosen === undefined) return;
    this.remote.edit(chosen.ref, this.#patch(wanted, chosen, chosen.ref));
  }

  async #editLocally({
    issue,
    change: wanted,
  }: {
    readonly issue: number;
    readonly change: Change;
  }): Promise<void> {
    // One transaction, so that nobody edits what they have not seen.
    await this.store.transaction(async (transaction) => {
      const records = (await transaction.list(null, 1000)).filter(({ deletedAt }) => deletedAt === null);
      const chosen = records[issue % Math.max(records.length, 1)];
      if (chosen === undefined) return;
      const store: IssueStore = { transaction: (work) => work(transaction), close: async () => {} };
      const patch = this.#patch(wanted, chosen.fields, chosen.ref);
      await this.#engineOver(store).edit(chosen.key, patch);
    });
  }

  #engineOver(store: IssueStore): SyncEngine {
    const connector = new MemoryTracker({ remote: this.remote });
    return new SyncEngine({ connector, store, now: () => new Date(this.#now) });
  }

  #patch(wanted: Change, current: IssueFields, own: ExternalRef | null): IssuePatch {
    const { title, body, status, priority, assignee, label, link, parent, member } = wanted;
    const patch: IssuePatch = {};
    if (title !== undefined) patch.title = this.#replace(current.title);
    if (body !== undefined) patch.body = this.#replace(current.body);
    if (status !== undefined) patch.status = status;
    if (priority !== undefined) patch.priority = priority;
    if (assignee !== undefined) patch.assignees = toggle(current.assignees, assignee);
    if (label !== undefined) patch.labels = toggle(current.labels, label);
    if (link !== undefined) {
      const target = this.remote.issues()[link % FOUNDERS]?.ref;
      if (target !== undefined && target.id !== own?.id) {
        const others = current.links.filter(
          (known) => known.target.id !== target.id || known.type !== "blocks",
        );
        const isLinked = others.length < current.links.length;
        patch.links = isLinked ? others : [...others, { type: "blocks", target }];
      }
    }
    if (parent !== undefined) {
      const target = this.remote.issues()[parent % FOUNDERS]?.ref;
      if (target !== undefined && target.id !== own?.id) {
        patch.parent = current.parent?.id === target.id ? null : target;
      }
    }
    if (member !== undefined) {
      const [name] = member;
      patch.customFields = { ...current.customFields, [name]: this.#replace(current.customFields[name]) };
    }
    return patch;
  }

  /** A value that occurs once, in the place of one that its writer knows. */
  #replace(known: unknown): string {
    if (typeof known === "string") this.replaced.add(plainBody(known));
    return this.#value(`over ${JSON.stringify(known)}`);
  }

  #value(where: string): string {
    this.#values += 1;
    const value = `value ${this.#values}`;
    this.written.push({ value, where });
    return value;
  }
}

function toggle(values: readonly string[], value: string): string[] {
  return values.includes(value) ? values.filter((known) => known !== value) : [...values, value];
}
