import { beforeEach, describe, expect, test } from "bun:test";
import type { CapabilityFlag } from "../../../src/sdk/capabilities.ts";
import { collect, SyncEngine, type SyncEngineOptions, type SyncEvent } from "../../../src/sdk/engine.ts";
import { ConnectorRequestError, SyncConflictError, TrackerSdkError } from "../../../src/sdk/errors.ts";
import { CORE_FIELDS, type ExternalRef, type IssueFields, identityOf } from "../../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../../src/sdk/stores/memory.ts";
import type { IssueRecord } from "../../../src/sdk/stores/store.ts";
import { MemoryRemote } from "../../../src/sdk/testing/remote.ts";
import { MemoryTracker } from "../../../src/sdk/testing/tracker.ts";
import { recordIn } from "../../helpers/store-fixture.ts";

const START = Date.parse("2026-01-01T00:00:00.000Z");
const SHARED = { mode: "split_ownership", strategy: "newer_timestamp" } as const;

const DRAFT: IssueFields = {
  title: "Draft",
  body: "Text",
  status: "todo",
  issueType: "bug",
  priority: 1,
  assignees: ["ada"],
  labels: ["new"],
  parent: null,
  links: [],
  customFields: { size: "L" },
};

let now: number;
let waits: number[];
let remote: MemoryRemote;
let tracker: MemoryTracker;
let store: MemoryIssueStore;
let engine: SyncEngine;

beforeEach(() => {
  now = START;
  waits = [];
  remote = new MemoryRemote({ now: () => now });
  store = new MemoryIssueStore();
  setUp();
});

/** An engine over a connector of its own, with the same tracker and store as before. */
function setUp(options: Partial<SyncEngineOptions> = {}, without: readonly CapabilityFlag[] = []): void {
  tracker = new MemoryTracker({ remote, without });
  engine = new SyncEngine({
    connector: tracker,
    store,
    policy: SHARED,
    now: () => new Date(now),
    sleep: async (milliseconds) => {
      waits.push(milliseconds);
    },
    random: () => 0.5,
    ...options,
  });
}

async function all(events: AsyncIterable<SyncEvent>): Promise<SyncEvent[]> {
  now += 60_000;
  const seen: SyncEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

/** Events in short: `updated remote memory:demo:1 title`. Progress is left out. */
function told(events: readonly SyncEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind === "progress") return [];
    const how = event.kind === "conflict" ? (event.conflict.resolution ?? "open") : event.side;
    const why = event.kind === "unchanged" ? `(${event.reason})` : "";
    const presence = event.kind === "updated" ? (event.presence ?? "") : "";
    const fields = event.fields.length === 10 ? "all" : event.fields.join(" ");
    return [[event.kind, how, event.key, fields, presence, why].filter((word) => word !== "").join(" ")];
  });
}

async function sync(): Promise<string[]> {
  return told(await all(engine.sync()));
}

/** A remote issue that is known locally. */
async function knownIssue(fields: Partial<IssueFields> = {}): Promise<{ ref: ExternalRef; key: string }> {
  const { ref } = remote.add({ title: "Title", ...fields });
  await all(engine.pull());
  now += 1000;
  tracker.clearRequests();
  return { ref, key: identityOf(ref) };
}

async function recordOf(key: string): Promise<IssueRecord> {
  const record = await recordIn(store, key);
  if (record === null) throw new Error(`there is no record ${key}`);
  return record;
}

const dirtyOf = (key: string) =>
  store.transaction(async (transaction) => (await transaction.dirtyFields([key])).map(({ field }) => field));
const checkpoint = () => store.transaction((transaction) => transaction.checkpoint("memory:demo"));
const openConflicts = () => store.transaction((transaction) => transaction.openConflicts());

describe("pull", () => {
  test("takes in what is new, and what changed since", async () => {
    const { key, ref } = await knownIssue({ labels: ["red"] });
    expect((await recordOf(key)).fields).toMatchObject({ title: "Title", labels: ["red"] });
    remote.edit(ref, { title: "Other", labels: ["red", "blue"] });
    expect(told(await all(engine.pull()))).toEqual([`updated local ${key} title labels`]);
    expect((await recordOf(key)).fields).toMatchObject({ title: "Other", labels: ["blue", "red"] });
    expect(told(await all(engine.pull()))).toEqual([`unchanged local ${key} (already equal)`]);
  });

  test("reads the window from before its last end up to now, and no more", async () => {
    const queries: unknown[] = [];
    const list = tracker.listIssues.bind(tracker);
    tracker.listIssues = (query) => {
      queries.push({ updatedSince: query.updatedSince, until: query.until });
      return list(query);
    };
    now = START + 600_000;
    for await (const _ of engine.pull());
    now = START + 900_000;
    for await (const _ of engine.pull());
    expect(queries).toEqual([
      { updatedSince: undefined, until: "2026-01-01T00:10:00.000Z" },
      { updatedSince: "2026-01-01T00:05:00.000Z", until: "2026-01-01T00:15:00.000Z" },
    ]);
  });

  test("keeps the checkpoint while a window is incomplete, and goes on where it was left", async () => {
    for (const title of ["a", "b", "c"]) remote.add({ title });
    setUp({ pageSize: 1 });
    now += 1000;
    let created = 0;
    for await (const event of engine.pull()) {
      created += event.kind === "created" ? 1 : 0;
      if (created === 2) break;
    }
    const left = await checkpoint();
    expect(left.updatedSince).toBeNull();
    expect(left.window?.cursor).toBeString();
    setUp({ pageSize: 1 });
    expect(told(await all(engine.pull()))).toEqual(["created local memory:demo:3 all"]);
    expect(await checkpoint()).toEqual({ updatedSince: left.window?.until ?? "", window: null });
  });

  test("stops after as many issues as are asked for, and goes on from there", async () => {
    for (const title of ["a", "b", "c", "d", "e"]) {
      now += 1000;
      remote.add({ title });
    }
    const pulled = async (limit: number) =>
      (await all(engine.pull({ limit }))).filter(({ kind }) => kind === "created").length;
    expect(await pulled(2)).toBe(2);
    expect((await checkpoint()).window).not.toBeNull();
    now += 1000;
    remote.add({ title: "later than the window" });
    expect(await pulled(2)).toBe(2);
    expect(await pulled(2)).toBe(1);
    expect((await checkpoint()).window).toBeNull();
    expect(await pulled(10)).toBe(1);
  });

  test("takes in a page that is too much in parts, down to single issues", async () => {
    for (const title of ["a", "b", "c", "d", "e"]) remote.add({ title });
    const pulledBy = async (canMerge: NonNullable<SyncEngineOptions["canMerge"]>) => {
      store = new MemoryIssueStore();
      setUp({ canMerge });
      const events = await all(engine.pull());
      return events.flatMap((event) => (event.kind === "progress" ? [event.done] : []));
    };
    expect(await pulledBy((page) => page.length <= 2)).toEqual([2, 4, 5]);
    expect(await pulledBy(() => false)).toEqual([1, 2, 3, 4, 5]);
  });

  test("reads a window again whose cursor is refused", async () => {
    remote.add({ title: "a" });
    await store.transaction((transaction) =>
      transaction.putCheckpoint("memory:demo", {
        updatedSince: null,
        window: { since: null, until: "2026-01-02T00:00:00.000Z", cursor: "worn out" },
      }),
    );
    expect(told(await all(engine.pull()))).toEqual(["created local memory:demo:1 all"]);
  });

  test("ends with a failure and its checkpoint as it was when the listing fails", async () => {
    remote.add({ title: "a" });
    const before = await checkpoint();
    tracker.faults.add({ kind: "fail", failureClass: "auth" }, { on: "listIssues" });
    const { errors } = await collect(engine.pull());
    expect(errors).toMatchObject([{ key: null, failureClass: "auth", retryable: false }]);
    expect(await checkpoint()).toEqual(before);
  });

  test("ignores what is older than what is known", async () => {
    const { key, ref } = await knownIssue();
    remote.edit(ref, { title: "Second" });
    await all(engine.pull());
    tracker.faults.add({ kind: "stale" }, { on: "listIssues" });
    expect(told(await all(engine.pull()))).toEqual([`unchanged local ${key} (older than known)`]);
    expect((await recordOf(key)).fields.title).toBe("Second");
  });

  test("does not take an issue for deleted that is not listed, unless asking for it confirms that", async () => {
    const { key, ref } = await knownIssue();
    const archived = await knownIssue();
    remote.remove(ref);
    remote.archive(archived.ref);
    now += 600_000;
    expect(told(await all(engine.pull()))).toEqual([]);
    expect((await recordOf(key)).deletedAt).toBeNull();
    expect(told(await all(engine.pull({ full: true })))).toEqual([`updated local ${key} deleted`]);
    expect((await recordOf(key)).deletedAt).toBeString();
    expect((await recordOf(archived.key)).deletedAt).toBeNull();
  });

  test("does not take an issue for deleted because asking for it fails", async () => {
    const { key, ref } = await knownIssue();
    remote.archive(ref);
    tracker.faults.add({ kind: "fail", failureClass: "permission" }, { on: "getIssue" });
    expect(told(await all(engine.pull({ full: true })))).toEqual([`failed local ${key}`]);
    expect((await recordOf(key)).deletedAt).toBeNull();
  });

  test("revives what shows up again", async () => {
    const { key, ref } = await knownIssue();
    remote.remove(ref);
    await all(engine.pull({ full: true }));
    now += 1000;
    remote.restore(ref);
    expect(told(await all(engine.pull()))).toEqual([`updated local ${key} revived`]);
    expect((await recordOf(key)).deletedAt).toBeNull();
  });
});

describe("push", () => {
  test("sends a one-field edit in two requests, however many issues there are", async () => {
    for (let count = 0; count < 50; count += 1) remote.add({ title: `issue ${count}` });
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    expect(told(await all(engine.push()))).toEqual([`updated remote ${key} title`]);
    expect(tracker.requests).toEqual(["getIssue", "updateIssue"]);
    expect(remote.issue(ref).title).toBe("Mine");
    expect(await dirtyOf(key)).toEqual([]);
  });

  test("asks for nothing when nothing was edited", async () => {
    const { key } = await knownIssue();
    await engine.edit(key, { title: "Title" });
    expect(told(await all(engine.push()))).toEqual([]);
    expect(tracker.requests).toEqual([]);
  });

  test("writes values, then links, status last; and takes in the other end of the link", async () => {
    const other = await knownIssue();
    const { key, ref } = await knownIssue();
    await engine.edit(key, { status: "done", body: "Text", links: [{ type: "blocks", target: other.ref }] });
    const events = told(await all(engine.push()));
    expect(tracker.requests.filter((request) => request !== "getIssue")).toEqual([
      "updateIssue",
      "upsertLink",
      "transitionIssue",
    ]);
    expect(events).toEqual([`updated remote ${key} body status links`, `updated local ${other.key} links`]);
    expect((await recordOf(other.key)).fields.links).toMatchObject([
      { type: "blocked_by", target: { id: ref.id } },
    ]);
  });

  test("loses nothing else by a part that is refused", async () => {
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine", status: "in_progress" });
    tracker.faults.add({ kind: "fail", failureClass: "permission" }, { on: "transitionIssue" });
    expect(told(await all(engine.push()))).toEqual([
      `updated remote ${key} title`,
      `failed remote ${key} status`,
    ]);
    expect(remote.issue(ref)).toMatchObject({ title: "Mine", status: "todo" });
    expect(await dirtyOf(key)).toEqual(["status"]);
    expect(await sync()).toContain(`updated remote ${key} status`);
  });

  test("notices fields that were dropped without a word, and tries them again", async () => {
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine", body: "Mine too", labels: ["red"] });
    tracker.faults.add({ kind: "drop_fields", fields: ["labels", "body"] }, { on: "updateIssue" });
    const { errors, stats } = await collect(engine.push());
    expect(errors.map(({ fields, message }) => [...fields, message])).toEqual([
      ["body", "memory did not apply body, and gave no reason."],
      ["labels", "memory did not apply labels, and gave no reason."],
    ]);
    expect(stats.updated).toEqual({ local: 0, remote: 1 });
    expect((await recordOf(key)).fields).toMatchObject({ body: "Mine too", labels: ["red"] });
    expect((await dirtyOf(key)).toSorted()).toEqual(["body", "labels"]);
    expect(told(await all(engine.push()))).toEqual([`updated remote ${key} body labels`]);
    expect(remote.issue(ref)).toMatchObject({ title: "Mine", body: "Mine too", labels: ["red"] });
  });

  test("takes a value as the provider writes it", async () => {
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "mine" });
    const update = tracker.updateIssue.bind(tracker);
    tracker.updateIssue = (target, { title = "", ...patch }, options) =>
      update(target, { ...patch, title: title.toUpperCase() }, options);
    expect(told(await all(engine.push()))).toEqual([
      `updated remote ${key} title`,
      `updated local ${key} title`,
    ]);
    expect([(await recordOf(key)).fields.title, remote.issue(ref).title]).toEqual(["MINE", "MINE"]);
    expect(await dirtyOf(key)).toEqual([]);
  });

  test("reads and merges again when the issue changes in between", async () => {
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    const update = tracker.updateIssue.bind(tracker);
    tracker.updateIssue = (...call) => {
      tracker.updateIssue = update;
      remote.edit(ref, { body: "Theirs" });
      return update(...call);
    };
    const events = told(await all(engine.push()));
    expect(events).toEqual([`updated local ${key} body`, `updated remote ${key} title`]);
    expect(remote.issue(ref)).toMatchObject({ title: "Mine", body: "Theirs" });
  });

  test("reads again what it is shown as it was before what is known", async () => {
    const { key, ref } = await knownIssue();
    remote.edit(ref, { body: "Theirs" });
    await all(engine.pull());
    await engine.edit(key, { title: "Mine" });
    tracker.faults.add({ kind: "stale" }, { on: "getIssue" });
    expect(told(await all(engine.push()))).toEqual([`updated remote ${key} title`]);
    await engine.edit(key, { title: "Mine, later" });
    tracker.faults.add({ kind: "stale" }, { on: "getIssue", times: 3 });
    const { errors } = await collect(engine.push());
    expect(errors).toMatchObject([{ key, failureClass: "transient", retryable: true }]);
    expect((await recordOf(key)).fields).toMatchObject({ title: "Mine, later", body: "Theirs" });
    expect(remote.issue(ref)).toMatchObject({ title: "Mine", body: "Theirs" });
  });

  test("gives up on an issue that changes each time, and not on the others", async () => {
    const busy = await knownIssue();
    const quiet = await knownIssue();
    await engine.edit(busy.key, { title: "Mine" });
    await engine.edit(quiet.key, { title: "Mine" });
    setUp({ concurrency: 1 });
    tracker.faults.add({ kind: "fail", failureClass: "conflict" }, { on: "updateIssue", times: 3 });
    expect(told(await all(engine.push()))).toEqual([
      `failed remote ${busy.key} title`,
      `updated remote ${quiet.key} title`,
    ]);
    expect(await dirtyOf(busy.key)).toEqual(["title"]);
  });

  test("finds out that the issue is gone, and keeps what was edited", async () => {
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    remote.remove(ref);
    expect(told(await all(engine.push()))).toEqual([`updated local ${key} deleted`]);
    tracker.clearRequests();
    expect(told(await all(engine.push()))).toEqual([`unchanged remote ${key} title (deleted remotely)`]);
    expect(tracker.requests).toEqual([]);
    remote.restore(ref);
    await sync();
    expect(remote.issue(ref).title).toBe("Mine");
  });

  test("reverts an edit of what the provider owns", async () => {
    setUp({ policy: {} });
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    expect(told(await all(engine.push()))).toEqual([`unchanged remote ${key} title (owned externally)`]);
    expect([(await recordOf(key)).fields.title, remote.issue(ref).title]).toEqual(["Title", "Title"]);
    expect(await dirtyOf(key)).toEqual([]);
  });

  test("restores what is owned locally and was changed remotely", async () => {
    setUp({ policy: { mode: "spec_kitty_authoritative" } });
    const { key, ref } = await knownIssue();
    remote.edit(ref, { title: "Theirs" });
    expect(await sync()).toEqual([
      `unchanged local ${key} title (waits to be pushed)`,
      `updated remote ${key} title`,
    ]);
    expect(remote.issue(ref).title).toBe("Title");
  });

  test("refuses what the provider cannot carry before any request, and sends the rest", async () => {
    setUp({}, ["customFields", "multiAssignee", "terminalTransition"]);
    const { key, ref } = await knownIssue();
    await engine.edit(key, { customFields: { size: 1 }, assignees: ["ada", "bob"], status: "done" });
    const { errors } = await collect(engine.push());
    expect(errors.map(({ message }) => message)).toEqual(
      [
        "memory does not support custom fields.",
        "memory does not support more than one assignee.",
        "memory does not support setting the status done.",
      ].sort((a, b) => order(errors, a) - order(errors, b)),
    );
    expect(tracker.requests).toEqual([]);
    await engine.edit(key, { title: "Mine" });
    expect(told(await all(engine.push()))).toContain(`updated remote ${key} title`);
    expect(remote.issue(ref)).toMatchObject({ title: "Mine", assignees: [], status: "todo" });
  });

  test("a failing store ends the run", async () => {
    const { key } = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    await store.close();
    await expect(all(engine.push())).rejects.toThrow("closed");
  });

  test("events come in the order of the edits, whichever issue is done first", async () => {
    const keys: string[] = [];
    for (let count = 0; count < 6; count += 1) keys.push((await knownIssue()).key);
    for (const key of keys) await engine.edit(key, { title: "Mine" });
    const get = tracker.getIssue.bind(tracker);
    let running = 0;
    let most = 0;
    tracker.getIssue = async (ref) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < 200 - 20 * Number(ref.id); turn += 1) await Promise.resolve();
      running -= 1;
      return get(ref);
    };
    expect(told(await all(engine.push()))).toEqual(keys.map((key) => `updated remote ${key} title`));
    expect(most).toBe(4);
  });
});

/** The place of a message among the failures. */
function order(errors: readonly { readonly message: string }[], message: string): number {
  return errors.findIndex((error) => error.message === message);
}

describe("create", () => {
  test("files the issue remotely, once", async () => {
    await engine.create("draft", DRAFT);
    expect(await sync()).toEqual(["created remote draft all"]);
    expect(remote.issues()).toMatchObject([DRAFT]);
    expect((await recordOf("draft")).ref).toMatchObject({ id: "1" });
    expect(await sync()).toEqual(["unchanged local draft (already equal)"]);
  });

  test("looks for the issue before the request is sent again", async () => {
    await engine.create("draft", DRAFT);
    tracker.faults.add({ kind: "lost_response" }, { on: "createIssue" });
    expect(told(await all(engine.push()))).toEqual(["created remote draft all"]);
    expect(tracker.requests).toEqual(["createIssue", "findCreated"]);
    expect(remote.issues()).toHaveLength(1);
  });

  test("a later run finds what an earlier one made without knowing", async () => {
    await engine.create("draft", DRAFT);
    tracker.faults.add({ kind: "lost_response" }, { on: "createIssue" });
    tracker.faults.add({ kind: "fail", failureClass: "auth" }, { on: "findCreated" });
    expect(told(await all(engine.push()))).toEqual([
      "failed remote draft title body status issueType priority assignees labels parent links customFields".replace(
        / title.*/,
        " all",
      ),
    ]);
    await engine.edit("draft", { title: "Edited since" });
    expect(await sync()).toEqual([
      "created remote draft all",
      "unchanged local draft title (waits to be pushed)",
      "updated remote draft title",
    ]);
    expect(remote.issues()).toMatchObject([{ ...DRAFT, title: "Edited since" }]);
  });

  test("what was changed at an issue before it was found is not overwritten in silence", async () => {
    await engine.create("draft", DRAFT);
    tracker.faults.add({ kind: "lost_response" }, { on: "createIssue" });
    tracker.faults.add({ kind: "fail", failureClass: "auth" }, { on: "findCreated" });
    await all(engine.push());
    const [made] = remote.issues();
    if (made === undefined) throw new Error("nothing was created");
    remote.edit(made.ref, { title: "Theirs" });
    expect(await sync()).toContain("conflict external draft title");
    expect((await recordOf("draft")).fields.title).toBe("Theirs");
    expect(remote.issues()).toMatchObject([{ ...DRAFT, title: "Theirs" }]);
  });

  test("an issue that went before its create was known is a tombstone, and nobody looks for it again", async () => {
    await engine.create("draft", DRAFT);
    tracker.faults.add({ kind: "lost_response" }, { on: "createIssue" });
    tracker.faults.add({ kind: "fail", failureClass: "auth" }, { on: "findCreated" });
    await all(engine.push());
    for (const { ref } of remote.issues()) remote.remove(ref);
    const gone = "updated local draft deleted";
    const waits = "unchanged remote draft all (deleted remotely)";
    expect(told(await all(engine.sync({ dryRun: true })))).toEqual([gone, waits]);
    expect(await sync()).toEqual([gone, waits]);
    expect(await recordOf("draft")).toMatchObject({ ref: null, deletedAt: expect.any(String) });
    tracker.clearRequests();
    expect(await sync()).toEqual([waits]);
    expect(tracker.requests).toEqual(["listIssues"]);
    await engine.discard("draft", CORE_FIELDS);
    expect(await sync()).toEqual([]);
    expect(await recordOf("draft")).toMatchObject({ fields: DRAFT });
    expect(remote.issues()).toEqual([]);
  });

  test("an issue that goes while its create is tried again is no failure", async () => {
    setUp({
      connector: new MemoryTracker({
        remote,
        onRequest: ({ method, phase }) => {
          if (method !== "createIssue" || phase === "before") return;
          for (const { ref } of remote.issues()) remote.remove(ref);
          throw new ConnectorRequestError("Lost.", { provider: "memory", failureClass: "transient" });
        },
      }),
    });
    await engine.create("draft", DRAFT);
    expect(told(await all(engine.push()))).toEqual(["updated local draft deleted"]);
  });

  test("joins the two records of an issue that was pulled before its create was known", async () => {
    await engine.create("draft", DRAFT);
    tracker.faults.add({ kind: "lost_response" }, { on: "createIssue" });
    tracker.faults.add({ kind: "fail", failureClass: "auth" }, { on: "findCreated", times: 2 });
    await all(engine.push());
    await all(engine.pull());
    const twin = identityOf({ system: "memory", workspace: "demo", id: "1" });
    await engine.edit(twin, { body: "Edited in the twin" });
    await sync();
    expect(remote.issues()).toMatchObject([{ title: "Draft", body: "Edited in the twin" }]);
    expect((await recordOf("draft")).fields.body).toBe("Edited in the twin");
    expect(await recordIn(store, twin)).toBeNull();
  });

  test("leaves out what the provider cannot carry, and says so", async () => {
    setUp({}, ["customFields", "assignment"]);
    await engine.create("draft", DRAFT);
    expect(await sync()).toEqual([
      "created remote draft title body status issueType priority labels parent links",
      "failed remote draft assignees",
      "failed remote draft customFields",
    ]);
    expect(remote.issues()).toMatchObject([{ title: "Draft", assignees: [], customFields: {} }]);
  });

  test("links to a parent are left out where there are none, other links are not", async () => {
    setUp({}, ["hierarchy"]);
    const { ref: target } = await knownIssue();
    await engine.create("child", { ...DRAFT, links: [{ type: "child_of", target }] });
    await engine.create("blocked", { ...DRAFT, links: [{ type: "blocked_by", target }] });
    expect((await sync()).filter((event) => event.startsWith("failed"))).toEqual([
      "failed remote child links",
    ]);
    expect(remote.issue(target).links).toMatchObject([{ type: "blocks" }]);
    expect(remote.issues()).toHaveLength(3);
  });

  test("keeps a field that the provider dropped, and says so", async () => {
    await engine.create("draft", DRAFT);
    tracker.faults.add({ kind: "drop_fields", fields: ["labels"] }, { on: "createIssue" });
    expect(told(await all(engine.push()))).toEqual([
      "created remote draft all",
      "failed remote draft labels",
    ]);
    await sync();
    expect(remote.issues()).toMatchObject([{ labels: ["new"] }]);
  });

  test("refuses a key that is taken and fields that are no issue's", async () => {
    await engine.create("draft", DRAFT);
    await expect(engine.create("draft", DRAFT)).rejects.toMatchObject({ failureClass: "conflict" });
    await expect(engine.create("memory:demo:7", DRAFT)).rejects.toMatchObject({ failureClass: "invalid" });
    await expect(engine.create("other", { ...DRAFT, title: "" })).rejects.toMatchObject({
      failureClass: "invalid",
    });
  });
});

describe("edit", () => {
  test("refuses unknown issues and unknown fields", async () => {
    const { key } = await knownIssue();
    await expect(engine.edit("nothing", { title: "x" })).rejects.toMatchObject({ failureClass: "not_found" });
    const patch = { title: "x", headline: "y" };
    await expect(engine.edit(key, patch)).rejects.toMatchObject({ failureClass: "invalid" });
    expect((await recordOf(key)).fields.title).toBe("Title");
  });
});

describe("retry", () => {
  test("waits as long as the provider asks for", async () => {
    tracker.faults.add({ kind: "rate_limited", retryAfterSeconds: 7 }, { on: "listIssues" });
    expect((await collect(engine.pull())).errors).toEqual([]);
    expect(waits).toEqual([7000]);
  });

  test("waits longer each time when the provider does not say, and gives up after three attempts", async () => {
    tracker.faults.add({ kind: "fail" }, { on: "listIssues", times: 3 });
    expect((await collect(engine.pull())).errors).toMatchObject([
      { failureClass: "transient", retryable: true },
    ]);
    expect(waits).toEqual([100, 200]);
    expect(tracker.requests).toHaveLength(3);
  });

  test("does not repeat what cannot succeed, nor wait for longer than a minute", async () => {
    tracker.faults.add({ kind: "fail", failureClass: "permission" }, { on: "listIssues" });
    await collect(engine.pull());
    tracker.faults.add({ kind: "rate_limited", retryAfterSeconds: 3600 }, { on: "listIssues" });
    await collect(engine.pull());
    expect(waits).toEqual([]);
    expect(tracker.requests).toHaveLength(2);
  });
});

describe("manual review", () => {
  const policy = { ...SHARED, strategy: "manual_review" } as const;

  async function conflicting(): Promise<{ key: string; ref: ExternalRef; id: string }> {
    const known = await knownIssue();
    await engine.edit(known.key, { title: "Mine", body: "Mine too" });
    remote.edit(known.ref, { title: "Theirs" });
    await sync();
    const [conflict] = await openConflicts();
    if (conflict === undefined) throw new Error("no conflict");
    return { ...known, id: conflict.id };
  }

  test("freezes the field that both changed, and no other", async () => {
    setUp({ policy });
    const { key, ref } = await conflicting();
    expect(await openConflicts()).toMatchObject([
      { key, field: "title", base: "Title", local: "Mine", remote: "Theirs", resolution: null },
    ]);
    expect((await recordOf(key)).fields).toMatchObject({ title: "Mine", body: "Mine too" });
    expect(remote.issue(ref)).toMatchObject({ title: "Theirs", body: "Mine too" });
    tracker.clearRequests();
    expect(told(await all(engine.push()))).toEqual([`unchanged remote ${key} title (waits for a decision)`]);
    expect(tracker.requests).toEqual([]);
  });

  for (const [decision, title] of [
    ["local", "Mine"],
    ["external", "Theirs"],
  ] as const) {
    test(`decided for ${decision}, both sides have ${title}`, async () => {
      setUp({ policy });
      const { key, ref, id } = await conflicting();
      expect(await engine.resolveConflict(id, decision)).toMatchObject({ id, resolution: decision });
      await sync();
      expect([(await recordOf(key)).fields.title, remote.issue(ref).title]).toEqual([title, title]);
      expect(await openConflicts()).toEqual([]);
      expect(await dirtyOf(key)).toEqual([]);
    });
  }

  test("what changed remotely while the field was frozen is not lost by the decision", async () => {
    setUp({ policy });
    const { key, ref, id } = await conflicting();
    remote.edit(ref, { title: "Theirs, later" });
    now += 3_600_000;
    await sync();
    await engine.resolveConflict(id, "external");
    await sync();
    expect((await recordOf(key)).fields.title).toBe("Theirs, later");
  });

  test("a decision is made once", async () => {
    setUp({ policy });
    const { id } = await conflicting();
    await engine.resolveConflict(id, "local");
    expect(await engine.resolveConflict(id, "local")).toMatchObject({ resolution: "local" });
    await expect(engine.resolveConflict(id, "external")).rejects.toMatchObject({ failureClass: "conflict" });
    await expect(engine.resolveConflict("none", "local")).rejects.toBeInstanceOf(TrackerSdkError);
  });

  test("one member of custom fields is decided alone", async () => {
    setUp({ policy });
    const { key, ref } = await knownIssue({ customFields: { size: 1, team: "a" } });
    await engine.edit(key, { customFields: { size: 2, team: "a", mine: true } });
    remote.edit(ref, { customFields: { size: 3, team: "b" } });
    await sync();
    const [conflict] = await openConflicts();
    expect(conflict).toMatchObject({ local: { size: 2 }, remote: { size: 3 } });
    await engine.resolveConflict(conflict?.id ?? "", "external");
    await sync();
    const merged = { size: 3, team: "b", mine: true };
    expect([(await recordOf(key)).fields.customFields, remote.issue(ref).customFields]).toEqual([
      merged,
      merged,
    ]);
  });

  test("when it is strict, ends in an error after everything else was done", async () => {
    setUp({ policy: { ...policy, strictManualReview: true } });
    const { key, ref } = await knownIssue();
    const other = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    await engine.edit(other.key, { title: "Pushed all the same" });
    remote.edit(ref, { title: "Theirs" });
    const error = await sync().then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(SyncConflictError);
    expect(error).toMatchObject({ conflictIds: (await openConflicts()).map(({ id }) => id) });
    expect(remote.issue(other.ref).title).toBe("Pushed all the same");
  });
});

describe("a rehearsal", () => {
  test("tells what would be done on both sides, and does nothing", async () => {
    const { key, ref } = await knownIssue();
    await engine.edit(key, { title: "Mine" });
    await engine.create("draft", DRAFT);
    remote.edit(ref, { body: "Theirs" });
    const plan = told(await all(engine.sync({ dryRun: true })));
    expect(plan).toContain(`updated local ${key} body`);
    expect(plan).toContain(`updated remote ${key} title`);
    expect(plan).toContain("created remote draft all");
    expect(tracker.writes).toBe(0);
    expect((await recordOf(key)).fields.body).toBeNull();
    expect(await store.transaction((transaction) => transaction.intents())).toEqual([]);
    expect(remote.issues()).toHaveLength(1);
  });
});

test("a body that the tracker writes its own way is no edit", async () => {
  const { key } = await knownIssue({ body: "- a" });
  Object.assign(tracker, { storedBody: (body: string) => body.replaceAll("* ", "- ") });
  await engine.edit(key, { body: "* a" });
  expect(await dirtyOf(key)).toEqual([]);
  await engine.edit(key, { body: "* a\n* b" });
  expect(told(await all(engine.push()))).toEqual([`updated remote ${key} body`]);
  expect((await recordOf(key)).fields.body).toBe("- a\n- b");
});
