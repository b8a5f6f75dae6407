import { beforeEach, describe, expect, test } from "bun:test";
import type * as v from "valibot";
import type { PushItem } from "../../../src/protocol.ts";
import type { CapabilityFlag } from "../../../src/sdk/capabilities.ts";
import type { OwnershipPolicy } from "../../../src/sdk/engine/policy.ts";
import { ConnectorRequestError } from "../../../src/sdk/errors.ts";
import { MemoryIssueStore } from "../../../src/sdk/stores/memory.ts";
import { StoreError } from "../../../src/sdk/stores/serial.ts";
import type { IssueStore } from "../../../src/sdk/stores/store.ts";
import { MemoryRemote } from "../../../src/sdk/testing/remote.ts";
import { MemoryTracker } from "../../../src/sdk/testing/tracker.ts";
import { ResourceSync } from "../../../src/sync/resource-sync.ts";
import { withoutRandomWaits } from "../../helpers/random-waits.ts";

let now: number;
let remote: MemoryRemote;
let tracker: MemoryTracker;
let store: MemoryIssueStore;
let sync: ResourceSync;

const EXTERNAL_WINS = { mode: "split_ownership", strategy: "external_wins" } as const;

function setUp(
  policy: v.InferInput<typeof OwnershipPolicy> = EXTERNAL_WINS,
  without: readonly CapabilityFlag[] = [],
): void {
  tracker = new MemoryTracker({ remote, without });
  sync = new ResourceSync({ connector: tracker, store, policy, now: () => new Date(now) });
}

withoutRandomWaits();

beforeEach(() => {
  now = Date.parse("2026-03-01T09:00:00Z");
  remote = new MemoryRemote({ now: () => now });
  store = new MemoryIssueStore();
  setUp();
});

/** Somebody files an issue, a while before whatever comes next. */
function file(title: string) {
  now += 1000;
  const { ref } = remote.add({ title, labels: ["web"] });
  now += 1000;
  return ref;
}

const pull = (limit = 100, cursor: string | null = null) => {
  now += 600_000;
  return sync.pull({ limit, cursor });
};
const push = (items: readonly PushItem[], key = "push-1") => sync.push({ key, items });
const run = (options: { readonly dryRun?: boolean } = {}) => {
  now += 600_000;
  return sync.run({ pullFirst: true, limit: 100, ...options });
};
const update = (id: string, patch: Record<string, unknown>): PushItem => ({
  ref: { id },
  action: "update",
  patch,
});

describe("pull", () => {
  test("gives what is new or changed, in the words of the wire, and then nothing", async () => {
    const ref = file("Refund twice");
    expect(await pull()).toEqual({
      summary: { total: 1, succeeded: 1, failed: 0, skipped: 0 },
      items: [
        {
          ref: { ...ref, key: "DEMO-1", url: "https://tracker.example/DEMO-1" },
          title: "Refund twice",
          body: null,
          status: "todo",
          issue_type: "task",
          priority: 0,
          assignees: [],
          labels: ["web"],
          parent_ref: null,
          links: [],
          custom_fields: {},
          created_at: "2026-03-01T09:00:01.000Z",
          updated_at: "2026-03-01T09:00:01.000Z",
          provider_metadata: {},
        },
      ],
      item_errors: null,
      has_more: false,
      next_cursor: null,
    });
    expect(await pull()).toMatchObject({ items: [], has_more: false });
    remote.edit(ref, { title: "Refund thrice" });
    expect((await pull()).items.map(({ title }) => title)).toEqual(["Refund thrice"]);
  });

  test("goes on where it stopped, with its cursor or without", async () => {
    for (const title of ["a", "b", "c", "d", "e"]) file(title);
    const first = await pull(2);
    expect(first).toMatchObject({ has_more: true, summary: { total: 2 } });
    const second = await pull(2, first.next_cursor);
    const third = await pull(2);
    expect([...second.items, ...third.items].map(({ title }) => title)).toEqual(["c", "d", "e"]);
    expect(third).toMatchObject({ has_more: false, next_cursor: null });
  });

  test("begins again where an interrupted pull began, for whoever needs all of it", async () => {
    for (const title of ["a", "b", "c", "d"]) file(title);
    await pull(2);
    const titles: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof pull>> = await sync.pull({
        limit: 3,
        cursor,
        reread: "interrupted",
      });
      titles.push(...page.items.map(({ title }) => title));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(titles).toEqual(["a", "b", "c", "d"]);
  });

  test("gives everything once more, page by page, and stays as synchronized as it was", async () => {
    for (const title of ["a", "b", "c"]) file(title);
    await pull();
    const { lastSyncedAt } = await sync.state();
    expect(lastSyncedAt).not.toBeNull();
    const first = await sync.pull({ limit: 2, cursor: null, reread: "everything" });
    expect(first).toMatchObject({ has_more: true, summary: { total: 2, succeeded: 2 } });
    expect(await sync.state()).toMatchObject({ issueCount: 3, lastSyncedAt });
    const rest = await sync.pull({ limit: 2, cursor: first.next_cursor, reread: "everything" });
    expect([...first.items, ...rest.items].map(({ title }) => title)).toEqual(["a", "b", "c"]);
    expect((await pull()).items).toEqual([]);
  });

  describe("into answers of a bounded size", () => {
    const ANSWER = 6_000;
    const fileLong = (title: string, length: number) => {
      now += 1000;
      remote.add({ title, body: "x".repeat(length) });
    };
    beforeEach(() => {
      sync = new ResourceSync({
        connector: tracker,
        store,
        policy: EXTERNAL_WINS,
        now: () => new Date(now),
        answerBytes: ANSWER,
      });
    });

    test("ends while the answer has room, and goes on there", async () => {
      const filed = Array.from({ length: 20 }, (_, index) => `Long ${index}`);
      for (const title of filed) fileLong(title, 600);
      const pages: Awaited<ReturnType<typeof pull>>[] = [];
      do pages.push(await pull(100, pages.at(-1)?.next_cursor ?? null));
      while (pages.at(-1)?.has_more === true);
      expect(pages.flatMap(({ items }) => items.map(({ title }) => title))).toEqual(filed);
      expect(pages.length).toBeLessThan(filed.length / 2);
      for (const { items } of pages) expect(JSON.stringify(items).length).toBeLessThanOrEqual(ANSWER);
    });

    test("finds out once how many issues make a page that fits", async () => {
      for (let index = 0; index < 20; index++) fileLong(`Long ${index}`, 600);
      await pull();
      // 100, which are 20, then 10, 5 and 3 that fit; and 3 more.
      expect(tracker.requests).toEqual(Array(5).fill("listIssues"));
    });

    test("tells of an issue that no answer has room for, and gives the others", async () => {
      fileLong("Before", 0);
      fileLong("Endless", ANSWER);
      fileLong("After", 0);
      const first = await pull();
      const rest = first.has_more ? await pull() : { items: [] };
      expect([...first.items, ...rest.items].map(({ title }) => title)).toEqual(["Before", "After"]);
      expect(first).toMatchObject({
        summary: { failed: 1 },
        item_errors: [{ ref: { id: "2" }, code: "payload_too_large", retryable: false }],
      });
    });
  });

  test("refuses a cursor that is not the current one, and loses nothing by it", async () => {
    for (const title of ["a", "b", "c"]) file(title);
    const { next_cursor } = await pull(1);
    await pull(1, next_cursor);
    await expect(pull(1, next_cursor)).rejects.toMatchObject({ failureClass: "invalid" });
    expect((await pull(5)).items.map(({ title }) => title)).toEqual(["c"]);
  });

  test("that reads nothing fails as a whole", async () => {
    file("a");
    tracker.faults.add({ kind: "fail", failureClass: "auth" }, { on: "listIssues" });
    await expect(pull()).rejects.toMatchObject({ failureClass: "auth" });
  });

  test("that reads a page gives it, whatever becomes of the next one", async () => {
    const many = Array.from({ length: 150 }, (_, index) => `Issue ${index}`);
    for (const title of many) remote.add({ title });
    tracker = new MemoryTracker({
      remote,
      onRequest: ({ phase }) => {
        if (phase === "before" && tracker.requests.length > 1) {
          throw new ConnectorRequestError("Bad credentials.", { provider: "memory", failureClass: "auth" });
        }
      },
    });
    sync = new ResourceSync({ connector: tracker, store, policy: EXTERNAL_WINS, now: () => new Date(now) });
    const first = await pull(10_000);
    expect(first).toMatchObject({
      has_more: true,
      item_errors: [{ ref: null, message: "Bad credentials." }],
    });
    setUp();
    const rest = await pull(10_000);
    expect([...first.items, ...rest.items].map(({ title }) => title)).toEqual(many);
  });
});

describe("a mission's update that is tried again", () => {
  test.each(["key", "id"] as const)(
    "writes over nothing that came meanwhile; named by its %s",
    async (by) => {
      const { ref } = remote.add({ title: "Refund", customFields: { effort: 1 } });
      let isFirst = true;
      tracker = new MemoryTracker({
        remote,
        without: ["conditionalWrites"],
        onRequest: ({ method, phase }) => {
          if (method !== "updateIssue" || phase !== "before" || !isFirst) return;
          isFirst = false;
          remote.edit(ref, { customFields: { effort: 1, owner: "ada" } });
          throw new ConnectorRequestError("Busy.", { provider: "memory", failureClass: "transient" });
        },
      });
      sync = new ResourceSync({ connector: tracker, store, policy: EXTERNAL_WINS, now: () => new Date(now) });
      await sync.publishMission({
        issue: by === "key" ? "DEMO-1" : { id: ref.id },
        update: {
          mission_id: "m-7",
          mission_state: "done",
          target_status: null,
          summary: null,
          mission_url: null,
          decision_references: [],
        },
      });
      expect(remote.issue(ref).customFields).toMatchObject({ owner: "ada", spec_kitty_mission: "m-7" });
    },
  );
});

describe("push", () => {
  test("creates, updates, moves, links and comments", async () => {
    const known = file("Known");
    await pull();
    const { items, summary, item_errors } = await push([
      { ref: {}, action: "create", patch: { title: "New", issue_type: "bug", parent_ref: { id: known.id } } },
      update(known.id, { title: "Renamed", labels: ["web", "api"] }),
      { ref: { key: "DEMO-1" }, action: "transition", target_status: "in_progress" },
      { ref: { id: known.id }, action: "comment", body: "On it." },
      { ref: { id: "2" }, action: "link", link: { type: "blocked_by", target: { id: known.id } } },
    ]);
    expect(items.map(({ outcome, message }) => [outcome, message])).toEqual(Array(5).fill(["applied", null]));
    expect({ summary, item_errors }).toEqual({
      summary: { total: 5, succeeded: 5, failed: 0, skipped: 0 },
      item_errors: null,
    });
    expect(items[0]).toMatchObject({ action: "create", remote_ref: { id: "2" } });
    const created = remote.issue({ ...known, id: "2" });
    expect(created).toMatchObject({ title: "New", issueType: "bug", parent: known });
    expect(created.links).toEqual([{ type: "blocked_by", target: known }]);
    expect(remote.issue(known)).toMatchObject({
      title: "Renamed",
      labels: ["api", "web"],
      status: "in_progress",
    });
    expect(remote.comments(known).map(({ body }) => body)).toEqual(["On it."]);
  });

  test("made again under the same key does nothing twice", async () => {
    const known = file("Known");
    const items: PushItem[] = [
      { ref: {}, action: "create", patch: { title: "New" } },
      { ref: { id: known.id }, action: "comment", body: "Once." },
      update(known.id, { title: "Renamed" }),
    ];
    await push(items);
    const again = await push(items);
    expect(again.items.map(({ outcome }) => outcome)).toEqual(["applied", "applied", "noop"]);
    expect(remote.issues()).toHaveLength(2);
    expect(remote.comments(known)).toHaveLength(1);
  });

  test("taken up again, leaves out what was done", async () => {
    const known = file("Known");
    const items = [update(known.id, { title: "One" }), update(known.id, { title: "Two" })];
    const [item] = (await push(items.slice(0, 1))).items;
    if (item === undefined) throw new Error("nothing was pushed");
    const errors = [{ ref: item.ref, code: "provider_rejected", message: "No labels.", retryable: false }];
    remote.edit(known, { title: "Somebody else's" });
    const told: number[] = [];
    const result = await sync.push({
      key: "push-1",
      items,
      done: new Map([[0, { item, errors }]]),
      onItem: async (index) => {
        told.push(index);
      },
    });
    expect(told).toEqual([1]);
    expect(result).toMatchObject({ items: [item, {}], item_errors: errors });
  });

  test("a link that could not be sent is sent by the next push of it", async () => {
    const [one, two] = [file("One"), file("Two")];
    await pull();
    const items: PushItem[] = [
      { ref: { id: one.id }, action: "link", link: { type: "blocks", target: { id: two.id } } },
    ];
    tracker.faults.add({ kind: "fail" }, { on: "upsertLink", times: 3 });
    expect((await push(items)).items).toMatchObject([{ outcome: "failed" }]);
    expect((await push(items)).items).toMatchObject([{ outcome: "applied" }]);
    expect(remote.issue(one).links).toEqual([{ type: "blocks", target: two }]);
    expect((await push(items)).items).toMatchObject([{ outcome: "noop" }]);
  });

  test("a create that the provider refuses for good leaves nothing behind", async () => {
    tracker.faults.add({ kind: "fail", failureClass: "invalid" }, { on: "createIssue" });
    const { items } = await push([{ ref: {}, action: "create", patch: { title: "New" } }]);
    expect(items).toMatchObject([{ outcome: "rejected", remote_ref: null }]);
    expect((await run()).push.items).toEqual([]);
    expect(remote.issues()).toEqual([]);
    expect((await sync.state()).issueCount).toBe(0);
  });

  const refused: readonly (readonly [string, PushItem, string])[] = [
    ["an unknown field", update("1", { colour: "red" }), "patch"],
    ["an empty title", update("1", { title: "" }), "patch.title"],
    ["a create without a title", { ref: {}, action: "create", patch: {} }, "patch.title: is missing"],
    ["a transition to nowhere", { ref: { id: "1" }, action: "transition" }, "target_status: is missing"],
    ["an unknown type", update("1", { issue_type: "defect" }), '"chore" or "subtask", not "defect"'],
    ["a comment without words", { ref: { id: "1" }, action: "comment", body: "" }, "body"],
    [
      "a reference to nothing",
      { ref: {}, action: "update", patch: { title: "x" } },
      "must have an id or a key",
    ],
    ["an unknown key", { ref: { key: "404" }, action: "update", patch: { title: "x" } }, "no issue 404"],
    ["an issue that is not there", update("404", { title: "x" }), "no issue 404"],
    [
      "another resource's issue",
      { ref: { system: "memory", workspace: "elsewhere", id: "1" }, action: "update", patch: { title: "x" } },
      "must name an issue of memory demo",
    ],
    [
      "a link out of the resource",
      {
        ref: { id: "1" },
        action: "link",
        link: { type: "blocks", target: { id: "2", workspace: "elsewhere" } },
      },
      "link.target",
    ],
  ];
  test.each(refused)("rejects %s, says why, and does the rest", async (_, item, words) => {
    const known = file("Known");
    const { items, item_errors, summary } = await push([item, update(known.id, { title: "Renamed" })]);
    expect(items.map(({ outcome }) => outcome)).toEqual(["rejected", "applied"]);
    expect(items[0]?.message).toContain(words);
    expect(item_errors).toMatchObject([{ retryable: false, message: items[0]?.message }]);
    expect(summary).toEqual({ total: 2, succeeded: 1, failed: 1, skipped: 0 });
    expect(remote.issues()).toHaveLength(1);
  });

  test("what the provider cannot carry is rejected, and not tried again by every run", async () => {
    setUp(EXTERNAL_WINS, ["priority"]);
    const known = file("Known");
    const { items } = await push([update(known.id, { priority: 1, title: "Renamed" })]);
    expect(items).toMatchObject([{ outcome: "rejected", message: expect.stringContaining("priorities") }]);
    expect(remote.issue(known)).toMatchObject({ title: "Renamed", priority: null });
    expect(await run()).toMatchObject({ push: { items: [], item_errors: null } });
  });

  test("what fails for now is kept, and the next run sends it", async () => {
    const known = file("Known");
    await pull();
    tracker.faults.add({ kind: "fail" }, { on: "updateIssue", times: 3 });
    const { items, item_errors } = await push([update(known.id, { title: "Renamed" })]);
    expect(items).toMatchObject([
      {
        outcome: "failed",
        message: expect.stringMatching(/[^ .]\. The change is kept, and the next run sends it/),
      },
    ]);
    expect(item_errors).toMatchObject([{ code: "provider_unavailable", retryable: true }]);
    const { push: planned } = await run({ dryRun: true });
    const told = { ref: { id: known.id, key: "DEMO-1", title: "Renamed" }, action: "update" };
    expect(planned.items).toMatchObject([{ ...told, outcome: "applied" }]);
    expect((await run()).push.items).toMatchObject([{ ...told, outcome: "applied" }]);
    expect(remote.issue(known).title).toBe("Renamed");
  });

  test("a create that fails for now is a create until it is made, known by its title", async () => {
    tracker.faults.add({ kind: "fail" }, { on: "createIssue", times: 6 });
    await push([{ ref: {}, action: "create", patch: { title: "New" } }]);
    const told = { ref: { title: "New" }, action: "create" };
    expect((await run()).push.items).toEqual([expect.objectContaining({ ...told, outcome: "failed" })]);
    expect((await run({ dryRun: true })).push.items).toMatchObject([{ ...told, outcome: "applied" }]);
    const [made] = (await run()).push.items;
    expect(made).toMatchObject({ ...told, outcome: "applied", remote_ref: { key: "DEMO-1" } });
  });

  test("what fails before it could be kept says so", async () => {
    file("Known");
    const key = "DEMO-1";
    tracker.faults.add({ kind: "fail" }, { on: "addComment", times: 3 });
    const comment = await push([{ ref: { key }, action: "comment", body: "Shipped." }], "push-2");
    expect(comment.items).toMatchObject([
      { outcome: "failed", message: expect.stringContaining("was not saved") },
    ]);
    tracker.faults.add({ kind: "fail" }, { on: "getIssue", times: 3 });
    const move = await push([{ ref: { key }, action: "transition", target_status: "done" }], "push-3");
    expect(move.items).toMatchObject([
      { outcome: "failed", message: expect.stringContaining("was not saved") },
    ]);
    expect((await run()).push.items).toEqual([]);
  });

  describe("a kept edit that is refused for good is told once, and given up", () => {
    /** An edit that did not get through, known to the next runs. */
    const keptEdit = async (patch: Record<string, unknown>) => {
      const known = file("Known");
      await pull();
      tracker.faults.add({ kind: "fail" }, { on: "updateIssue", times: 3 });
      expect((await push([update(known.id, patch)])).items).toMatchObject([{ outcome: "failed" }]);
      return known;
    };
    const convergesAfter = async (first: object, options: { readonly dryRun?: boolean } = {}) => {
      expect(await run(options)).toMatchObject({
        push: { summary: { total: 1, failed: 1 }, items: [first] },
      });
      for (let count = 0; count < 2; count += 1) {
        expect(await run()).toMatchObject({ pull: { item_errors: null }, push: { items: [] } });
      }
    };

    test("because the issue is gone", async () => {
      remote.remove(await keptEdit({ title: "Renamed", labels: ["api"] }));
      await convergesAfter({ outcome: "rejected", message: "The issue no longer exists." });
    });

    test("because the provider does not take it", async () => {
      const known = await keptEdit({ title: "Renamed" });
      tracker.faults.add({ kind: "fail", failureClass: "invalid" }, { on: "updateIssue" });
      await convergesAfter({ outcome: "rejected" });
      expect(remote.issue(known).title).toBe("Known");
    });

    test("because there is no such new issue", async () => {
      tracker.faults.add({ kind: "fail" }, { on: "createIssue", times: 3 });
      const { items } = await push([{ ref: {}, action: "create", patch: { title: "New" } }]);
      expect(items).toMatchObject([{ outcome: "failed" }]);
      tracker.faults.add({ kind: "fail", failureClass: "invalid" }, { on: "createIssue" });
      await convergesAfter({ outcome: "rejected", remote_ref: null });
      expect(remote.issues()).toEqual([]);
    });

    test("but not by a dry run", async () => {
      remote.remove(await keptEdit({ title: "Renamed" }));
      expect(await run({ dryRun: true })).toMatchObject({ push: { items: [{ outcome: "rejected" }] } });
      await convergesAfter({ outcome: "rejected" });
    });

    test.each([
      ["a credential that is not accepted for a while", "auth", { on: "updateIssue" }],
      ["somebody who changes the issue each time", "conflict", { on: "updateIssue", times: 3 }],
      ["an answer that cannot be read", "contract", { on: "getIssue" }],
    ] as const)("but not by %s", async (_, failureClass, timing) => {
      const known = await keptEdit({ title: "Renamed" });
      tracker.faults.add({ kind: "fail", failureClass }, timing);
      expect((await run()).push.items).toMatchObject([
        { outcome: "failed", message: expect.stringContaining("the next run") },
      ]);
      expect((await run()).push.items).toMatchObject([{ outcome: "applied" }]);
      expect(remote.issue(known).title).toBe("Renamed");
    });
  });

  test("a link whose other end cannot be read afterwards is written, and nothing more is told", async () => {
    const [one, two] = [file("One"), file("Two")];
    await pull();
    tracker.faults.add({ kind: "fail" }, { on: "upsertLink", times: 3 });
    await push([{ ref: { id: one.id }, action: "link", link: { type: "blocks", target: { id: two.id } } }]);
    let reads = Number.NaN;
    tracker = new MemoryTracker({
      remote,
      onRequest: ({ method, phase }) => {
        if (method === "upsertLink" && phase === "after") reads = 0;
        if (method !== "getIssue" || phase !== "before" || ++reads !== 1) return;
        throw new ConnectorRequestError("Two is secret.", { provider: "memory", failureClass: "permission" });
      },
    });
    sync = new ResourceSync({ connector: tracker, store, policy: EXTERNAL_WINS, now: () => new Date(now) });
    const { push: pushed } = await run();
    expect(reads).toBe(1);
    expect(pushed.items).toMatchObject([{ ref: { id: one.id }, outcome: "applied" }]);
    expect(remote.issue(one).links).toMatchObject([{ type: "blocks", target: two }]);
  });

  test("what the store fails with ends it: nobody knows what became of the item", async () => {
    const known = file("Known");
    await pull();
    let isFull = false;
    const filling: IssueStore = {
      transaction: (work) =>
        isFull
          ? Promise.reject(new StoreError("The disk is full.", { retryable: false, isFull }))
          : store.transaction(work),
      close: () => store.close(),
    };
    const connector = new MemoryTracker({
      remote,
      onRequest: ({ method, phase }) => {
        isFull ||= method === "addComment" && phase === "after";
      },
    });
    sync = new ResourceSync({ connector, store: filling, policy: EXTERNAL_WINS, now: () => new Date(now) });
    const comment: PushItem = { ref: { id: known.id }, action: "comment", body: "Hello" };
    await expect(push([comment, update(known.id, { title: "Renamed" })])).rejects.toThrow(
      "The disk is full.",
    );
    expect(remote.comments(known)).toHaveLength(1);
  });

  test("an update of an issue that is gone is rejected, and no later run tries it", async () => {
    const known = file("Known");
    await pull();
    remote.remove(known);
    const { items } = await push([update(known.id, { title: "Renamed" })]);
    expect(items).toMatchObject([{ outcome: "rejected", message: "The issue no longer exists." }]);
    for (let count = 0; count < 2; count += 1) expect((await run()).push.items).toEqual([]);
  });

  test("a create whose issue was deleted before it was known is rejected, and not made again", async () => {
    tracker.faults.add({ kind: "lost_response" }, { on: "createIssue" });
    tracker.faults.add({ kind: "fail" }, { on: "findCreated", times: 3 });
    const create: PushItem = { ref: {}, action: "create", patch: { title: "New" } };
    expect((await push([create])).items).toMatchObject([{ outcome: "failed" }]);
    for (const { ref } of remote.issues()) remote.remove(ref);
    expect((await push([create])).items).toMatchObject([
      { outcome: "rejected", message: "The issue no longer exists." },
    ]);
    await push([create]);
    expect(await run()).toMatchObject({ pull: { item_errors: null }, push: { items: [] } });
    expect(remote.issues()).toEqual([]);
  });

  test("what became of the other end of a link is not the outcome of the item", async () => {
    const [one, two] = [file("One"), file("Two")];
    await pull();
    let readsSinceLink = Number.NEGATIVE_INFINITY;
    tracker = new MemoryTracker({
      remote,
      onRequest: ({ method, phase }) => {
        if (phase === "after" && method === "upsertLink") readsSinceLink = 0;
        if (phase === "before" && method === "getIssue") readsSinceLink += 1;
        if (phase === "before" && readsSinceLink === 2) {
          throw new ConnectorRequestError("Two is secret.", {
            provider: "memory",
            failureClass: "permission",
          });
        }
      },
    });
    sync = new ResourceSync({ connector: tracker, store, policy: EXTERNAL_WINS, now: () => new Date(now) });
    const link = { type: "blocks", target: { id: two.id } } as const;
    const { items } = await push([{ ref: { id: one.id }, action: "link", link }]);
    expect(items).toMatchObject([{ outcome: "applied", message: null }]);
    expect(remote.issue(one).links).toHaveLength(1);
  });
});

describe("the same field changed on both sides", () => {
  const both = async (policy: v.InferInput<typeof OwnershipPolicy>) => {
    setUp(policy);
    const known = file("Old");
    await pull();
    remote.edit(known, { title: "Theirs" });
    now += 1000;
    const { items } = await push([update(known.id, { title: "Ours" })]);
    return { item: items[0], title: remote.issue(known).title, state: await sync.state() };
  };

  test("the provider's value stands, and says so", async () => {
    const { item, title, state } = await both(EXTERNAL_WINS);
    expect(item).toMatchObject({ outcome: "conflict", message: expect.stringContaining("provider's value") });
    expect(title).toBe("Theirs");
    expect(state.openConflicts).toBe(0);
  });

  test("ours is written where we own the field", async () => {
    const { item, title } = await both({ mode: "spec_kitty_authoritative" });
    expect(item).toMatchObject({ outcome: "applied" });
    expect(title).toBe("Ours");
  });

  test("under manual review nothing is written, and the conflict waits", async () => {
    const { item, title, state } = await both({ mode: "split_ownership", strategy: "manual_review" });
    expect(item).toMatchObject({ outcome: "conflict", message: expect.stringContaining("decision") });
    expect(title).toBe("Theirs");
    expect(state.openConflicts).toBe(1);

    const [open] = await sync.conflicts();
    expect(open).toMatchObject({
      issue: { id: "1", key: "DEMO-1", title: "Ours" },
      field: "title",
      base: "Old",
      local: "Ours",
      remote: "Theirs",
      resolution: null,
    });
    expect(await sync.resolveConflict(open?.id ?? "", "local")).toMatchObject({ resolution: "local" });
    expect((await run()).push.items).toMatchObject([{ outcome: "applied" }]);
    expect(remote.issues().map(({ title }) => title)).toEqual(["Ours"]);
    expect(await sync.conflicts()).toEqual([]);
    await expect(sync.resolveConflict("no such", "local")).rejects.toMatchObject({
      failureClass: "not_found",
    });
  });
});

test("a second run writes nothing", async () => {
  const known = file("Known");
  await run();
  await push([update(known.id, { title: "Renamed" })]);
  await run();
  tracker.clearRequests();
  const { pull, push: pushed } = await run();
  expect({ pulled: pull.items, pushed: pushed.items }).toEqual({ pulled: [], pushed: [] });
  expect(tracker.writes).toBe(0);
});

test("a dry run tells what it would do, and does nothing", async () => {
  const known = file("Known");
  await pull();
  tracker.faults.add({ kind: "fail" }, { on: "updateIssue", times: 3 });
  await push([update(known.id, { title: "Renamed" })]);
  tracker.clearRequests();
  const { push: planned } = await run({ dryRun: true });
  expect(planned.items).toMatchObject([{ action: "update", outcome: "applied" }]);
  expect(tracker.writes).toBe(0);
  expect(remote.issue(known).title).toBe("Known");
});

test("a mission reads the issue that it starts from once", async () => {
  const { id } = file("Refund twice");
  for (const issue of ["DEMO-1", { id }]) {
    tracker.clearRequests();
    expect(await sync.seedMission({ issue, mission_id: null })).toMatchObject({ title: "Refund twice" });
    expect(tracker.requests).toEqual(["getIssue"]);
  }
});

test("tells how the resource stands", async () => {
  expect(await sync.state()).toEqual({ issueCount: 0, openConflicts: 0, lastSyncedAt: null });
  file("a");
  await pull();
  expect(await sync.state()).toEqual({
    issueCount: 1,
    openConflicts: 0,
    lastSyncedAt: new Date(now).toISOString(),
  });
});
