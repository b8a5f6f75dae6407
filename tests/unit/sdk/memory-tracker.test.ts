import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CapabilityNotSupportedError, IssueNotFoundError } from "../../../src/sdk/errors.ts";
import type { CanonicalIssue, IssueFields } from "../../../src/sdk/model.ts";
import { FaultQueue } from "../../../src/sdk/testing/faults.ts";
import { MemoryRemote } from "../../../src/sdk/testing/remote.ts";
import {
  type MemoryMoment,
  MemoryTracker,
  type MemoryTrackerOptions,
} from "../../../src/sdk/testing/tracker.ts";

const START = Date.parse("2026-03-01T09:00:00Z");

const FIELDS: IssueFields = {
  title: "Issue",
  body: null,
  status: "todo",
  issueType: "task",
  priority: null,
  assignees: [],
  labels: [],
  parent: null,
  links: [],
  customFields: {},
};

function tracker(options: Omit<MemoryTrackerOptions, "remote"> = {}) {
  const clock = { now: START };
  const remote = new MemoryRemote({ now: () => clock.now });
  return { clock, remote, connector: new MemoryTracker({ remote, ...options }) };
}

async function everything(connector: MemoryTracker, limit: number): Promise<CanonicalIssue[]> {
  const items: CanonicalIssue[] = [];
  let page = await connector.listIssues({ limit });
  items.push(...page.items);
  while (page.nextCursor !== null) {
    page = await connector.listIssues({ limit, cursor: page.nextCursor });
    items.push(...page.items);
  }
  return items;
}

const titles = (issues: readonly CanonicalIssue[]) => issues.map(({ title }) => title);

describe("the tracker's clock", () => {
  test("change times of one issue grow although the clock stands still or goes back", () => {
    const { clock, remote } = tracker();
    const { ref, updatedAt } = remote.add({ title: "a" });
    const other = remote.add({ title: "b" });
    expect(other.updatedAt).toBe(updatedAt);
    const later = remote.edit(ref, { title: "a2" });
    clock.now -= 60_000;
    const latest = remote.edit(ref, { title: "a3" });
    const after = remote.edit(other.ref, { title: "b2" });
    expect(later.updatedAt > updatedAt).toBe(true);
    expect(latest.updatedAt > later.updatedAt).toBe(true);
    expect(after.updatedAt >= latest.updatedAt).toBe(true);
  });

  test("an edit to what is there already changes neither time nor revision", () => {
    const { remote } = tracker();
    const issue = remote.add({ title: "a", labels: ["x", "y"] });
    expect(remote.edit(issue.ref, { title: "a", labels: ["y", "x", "y"] })).toEqual(issue);
  });

  test("tells when single fields changed, unless it is one that does not tell", async () => {
    const { clock, remote, connector } = tracker();
    const { ref, createdAt } = remote.add({ title: "a" });
    clock.now += 5000;
    remote.edit(ref, { title: "b" });
    const { fieldTimes } = await connector.getIssue(ref);
    expect(fieldTimes).toMatchObject({ title: new Date(START + 5000).toISOString(), body: createdAt });
    const silent = new MemoryTracker({ remote, fieldTimes: "omitted" });
    expect(await silent.getIssue(ref)).not.toHaveProperty("fieldTimes");
  });
});

describe("listing", () => {
  test("every issue is listed, whatever people do between pages, and its last version if read to the end", async () => {
    const action = fc.record({
      kind: fc.constantFrom("edit", "add", "comment"),
      index: fc.nat(20),
      wait: fc.constantFrom(0, 1),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.array(action, { maxLength: 3 }), { maxLength: 8 }),
        async (count, limit, rounds) => {
          const { clock, remote, connector } = tracker();
          for (let index = 0; index < count; index++) remote.add({ title: `issue ${index}` });
          const seen = new Map<string, CanonicalIssue>();
          let cursor: string | null = null;
          let edits = 0;
          do {
            const page: Awaited<ReturnType<MemoryTracker["listIssues"]>> = await connector.listIssues({
              limit,
              ...(cursor !== null && { cursor }),
            });
            for (const issue of page.items) seen.set(issue.ref.id, issue);
            cursor = page.nextCursor;
            if (cursor === null) break;
            for (const { kind, index, wait } of rounds.shift() ?? []) {
              clock.now += wait;
              const all = remote.issues();
              const issue = all[index % all.length];
              if (issue === undefined) throw new Error("there is no issue");
              edits += 1;
              if (kind === "add") remote.add({ title: `added ${edits}` });
              else if (kind === "edit") remote.edit(issue.ref, { title: `edit ${edits}` });
              else remote.comment(issue.ref, "seen");
            }
          } while (cursor !== null);
          expect([...seen.values()].sort((a, b) => Number(a.ref.id) - Number(b.ref.id))).toEqual([
            ...remote.issues(),
          ]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("filters by status and by all labels, and a cursor keeps its filter", async () => {
    const { remote, connector } = tracker();
    remote.add({ title: "a", labels: ["api", "bug"] });
    remote.add({ title: "b", labels: ["api"] });
    remote.add({ title: "c", labels: ["api", "bug"], status: "done" });
    remote.add({ title: "d", labels: ["api", "bug"], status: "blocked" });
    const filters = { labels: ["bug", "api"], status: ["todo", "blocked"] };
    const first = await connector.listIssues({ filters, limit: 1 });
    expect(titles([...first.items])).toEqual(["a"]);
    const cursor = first.nextCursor ?? "";
    expect(titles([...(await connector.listIssues({ filters, limit: 1, cursor })).items])).toEqual(["d"]);
    await expect(connector.listIssues({ cursor })).rejects.toMatchObject({ failureClass: "invalid" });
    await expect(connector.listIssues({ filters: { status: ["open"] } })).rejects.toMatchObject({
      failureClass: "invalid",
    });
  });

  test("without bulkRead a page is one issue", async () => {
    const { remote, connector } = tracker({ without: ["bulkRead"] });
    remote.add({ title: "a" });
    remote.add({ title: "b" });
    expect((await connector.listIssues({ limit: 100 })).items).toHaveLength(1);
    expect(titles(await everything(connector, 100))).toEqual(["a", "b"]);
  });
});

describe("other people", () => {
  test("archiving hides an issue from listings only; restoring brings it back as a change", async () => {
    const { remote, connector } = tracker();
    const { ref } = remote.add({ title: "a" });
    remote.archive(ref);
    expect(await everything(connector, 10)).toEqual([]);
    const archived = await connector.getIssue(ref);
    expect(archived.raw).toMatchObject({ archived: true });
    const restored = remote.restore(ref);
    expect(restored.updatedAt > archived.updatedAt).toBe(true);
    expect(titles(await everything(connector, 10))).toEqual(["a"]);
  });

  test("deleting takes links and children's parents along, as changes of theirs; restoring gives none back", async () => {
    const { remote, connector } = tracker();
    const gone = remote.add({ title: "gone" }).ref;
    const child = remote.add({ title: "child", parent: gone });
    const blocked = remote.add({ title: "blocked", links: [{ type: "blocked_by", target: gone }] });
    const copy = remote.add({ title: "copy", links: [{ type: "duplicates", target: gone }] });
    expect(remote.issue(gone).links).toEqual([{ type: "blocks", target: blocked.ref }]);
    remote.remove(gone);
    await expect(connector.getIssue(gone)).rejects.toBeInstanceOf(IssueNotFoundError);
    expect(remote.issue(child.ref).parent).toBeNull();
    for (const { ref, updatedAt } of [blocked, copy]) {
      expect(remote.issue(ref).links).toEqual([]);
      expect(remote.issue(ref).updatedAt > updatedAt).toBe(true);
    }
    expect(remote.events.at(-1)).toMatchObject({ type: "deleted", ref: gone });
    expect(remote.restore(gone)).toMatchObject({ title: "gone", links: [] });
    expect(remote.events.at(-1)).toMatchObject({ type: "updated", ref: gone });
    expect(titles(await everything(connector, 10))).toContain("gone");
  });

  test("cannot link to what is not there or to the issue itself, and nothing is left half done", () => {
    const { remote } = tracker();
    const a = remote.add({ title: "a" });
    const nobody = { ...a.ref, id: "99" };
    const link = { type: "blocks", target: nobody } as const;
    expect(() => remote.edit(a.ref, { title: "changed", links: [link] })).toThrow(IssueNotFoundError);
    expect(() => remote.edit(a.ref, { parent: a.ref })).toThrow("itself");
    expect(() => remote.add({ title: "b", parent: nobody })).toThrow(IssueNotFoundError);
    expect(remote.issues()).toEqual([a]);
    expect(remote.events).toHaveLength(1);
  });

  test("what was answered is a copy", async () => {
    const { remote, connector } = tracker();
    const { ref } = remote.add({ title: "a", labels: ["x"], customFields: { deep: { list: [1] } } });
    const answer = await connector.getIssue(ref);
    answer.labels.push("y");
    answer.title = "mine";
    const [listed] = (await connector.listIssues({})).items;
    listed?.labels.push("z");
    remote.issue(ref).labels.push("w");
    remote.issues()[0]?.labels.push("v");
    expect(await connector.getIssue(ref)).toMatchObject({ title: "a", labels: ["x"] });
  });
});

describe("links", () => {
  test("between parents and children need both capabilities and leave the field `parent` alone", async () => {
    const { remote, connector } = tracker();
    const parent = remote.add({ title: "parent" }).ref;
    const child = remote.add({ title: "child" }).ref;
    const link = { type: "parent_of", target: child } as const;
    await connector.upsertLink(parent, link);
    expect(remote.issue(child)).toMatchObject({
      parent: null,
      links: [{ type: "child_of", target: parent }],
    });
    const flat = new MemoryTracker({ remote, without: ["hierarchy"] });
    await expect(flat.upsertLink(parent, link)).rejects.toBeInstanceOf(CapabilityNotSupportedError);
  });
});

describe("idempotency keys", () => {
  test("outlive the connector", async () => {
    const { remote, connector } = tracker();
    const options = { idempotencyKey: "k" };
    const made = await connector.createIssue(FIELDS, options);
    const next = new MemoryTracker({ remote });
    expect(await next.findCreated("k")).toEqual(made);
    expect(await next.createIssue({ ...FIELDS, title: "Edited meanwhile" }, options)).toEqual(made);
    expect(remote.issues()).toHaveLength(1);
  });

  test("a repeated update does not undo what others did since", async () => {
    const { remote, connector } = tracker();
    const { ref, revision } = remote.add({ title: "a" });
    if (revision === null) throw new Error("the tracker has revisions");
    const options = { idempotencyKey: "k", expectedRevision: revision };
    await connector.updateIssue(ref, { title: "b" }, options);
    remote.edit(ref, { title: "c" });
    expect(await connector.updateIssue(ref, { title: "b" }, options)).toMatchObject({ title: "c" });
  });

  test("are not shared by different writes", async () => {
    const { remote, connector } = tracker();
    const a = remote.add({ title: "a" }).ref;
    const options = { idempotencyKey: "k" };
    await connector.addComment(a, "one", options);
    await expect(connector.addComment(a, "two", options)).rejects.toMatchObject({ failureClass: "invalid" });
    await connector.updateIssue(a, { title: "b" }, options);
    await expect(connector.updateIssue(a, { title: "c" }, options)).rejects.toMatchObject({
      failureClass: "invalid",
    });
    expect(remote.issue(a).title).toBe("b");
    expect(remote.comments(a)).toHaveLength(1);
  });

  test("do not bring back an issue that somebody deleted", async () => {
    const { remote, connector } = tracker();
    const options = { idempotencyKey: "k" };
    remote.remove((await connector.createIssue(FIELDS, options)).ref);
    await expect(connector.findCreated("k")).rejects.toBeInstanceOf(IssueNotFoundError);
    await expect(connector.createIssue(FIELDS, options)).rejects.toBeInstanceOf(IssueNotFoundError);
  });
});

describe("faults", () => {
  test("fail: nothing was done, and the call can be repeated", async () => {
    const { remote, connector } = tracker();
    connector.faults.add({ kind: "fail" }, { on: "createIssue" });
    const create = () => connector.createIssue(FIELDS, { idempotencyKey: "k" });
    await expect(create()).rejects.toMatchObject({ failureClass: "transient", retryable: true });
    expect(remote.issues()).toEqual([]);
    expect(await create()).toMatchObject({ title: "Issue" });
    expect(connector.faults.pending).toBe(0);
  });

  test("lost_response: it was done, and the same key finds it", async () => {
    const { remote, connector } = tracker();
    connector.faults.add({ kind: "lost_response" });
    const create = () => connector.createIssue(FIELDS, { idempotencyKey: "k" });
    await expect(create()).rejects.toMatchObject({ failureClass: "transient" });
    expect(remote.issues()).toHaveLength(1);
    expect([await create()]).toEqual([...remote.issues()]);
    expect(remote.issues()).toHaveLength(1);
  });

  test("rate_limited: says how long, or does not", async () => {
    const { remote, connector } = tracker();
    const { ref } = remote.add({ title: "a" });
    connector.faults.add({ kind: "rate_limited", retryAfterSeconds: 30 });
    connector.faults.add({ kind: "rate_limited", retryAfterSeconds: null });
    const get = () => connector.getIssue(ref);
    const limited = { failureClass: "rate_limited", retryable: true };
    await expect(get()).rejects.toMatchObject({ ...limited, retryAfterSeconds: 30 });
    await expect(get()).rejects.toMatchObject({ ...limited, retryAfterSeconds: null });
    expect(await get()).toMatchObject({ title: "a" });
  });

  test("drop_fields: the answer is friendly, the field as it was", async () => {
    const { connector } = tracker();
    connector.faults.add({ kind: "drop_fields", fields: ["labels", "status", "links"] }, { times: Infinity });
    const { ref } = await connector.createIssue({ ...FIELDS, labels: ["x"] }, { idempotencyKey: "1" });
    const patch = { title: "New", labels: ["y"] };
    const updated = await connector.updateIssue(ref, patch, { idempotencyKey: "2" });
    expect(updated).toMatchObject({ title: "New", labels: [] });
    await connector.transitionIssue(ref, "done", { idempotencyKey: "3" });
    const other = await connector.createIssue(FIELDS, { idempotencyKey: "4" });
    await connector.upsertLink(ref, { type: "blocks", target: other.ref });
    expect(await connector.getIssue(ref)).toMatchObject({ status: "todo", links: [] });
  });

  test("duplicate_page and reorder_page: the same issues, again or backwards", async () => {
    const { remote, connector } = tracker();
    for (const title of ["a", "b", "c", "d"]) remote.add({ title });
    connector.faults.add({ kind: "duplicate_page" });
    expect(titles(await everything(connector, 3))).toEqual(["a", "b", "c", "a", "b", "c", "d"]);
    connector.faults.add({ kind: "reorder_page" });
    expect(titles(await everything(connector, 3))).toEqual(["c", "b", "a", "d"]);
    connector.faults.add({ kind: "duplicate_page" });
    expect(titles(await everything(connector, 9))).toEqual(["a", "b", "c", "d", "a", "b", "c", "d"]);
  });

  test("stale: an issue as it was before its last change", async () => {
    const { remote, connector } = tracker();
    const before = remote.add({ title: "a" });
    remote.edit(before.ref, { title: "b" });
    connector.faults.add({ kind: "stale" }, { times: 2 });
    expect(await connector.getIssue(before.ref)).toEqual(before);
    expect((await connector.listIssues({})).items).toEqual([before]);
    expect(await connector.getIssue(before.ref)).toMatchObject({ title: "b" });
  });

  test("wait for the request they are meant for, in order, and no other", () => {
    const queue = new FaultQueue();
    queue.add({ kind: "lost_response" }, { on: "updateIssue", times: 2 });
    queue.add({ kind: "fail" });
    expect(queue.take("getIssue")).toEqual({ kind: "fail" });
    expect(queue.take("getIssue")).toBeNull();
    expect(queue.take("updateIssue")).toEqual({ kind: "lost_response" });
    expect(queue.pending).toBe(1);
    queue.clear();
    expect(queue.take("updateIssue")).toBeNull();
    expect(() => queue.add({ kind: "stale" }, { on: "addComment" })).toThrow(RangeError);
  });
});

describe("requests", () => {
  test("are counted when they reach the tracker, failed ones too, refused calls not", async () => {
    const { remote, connector } = tracker({ without: ["comments"] });
    const { ref } = remote.add({ title: "a" });
    connector.faults.add({ kind: "fail" }, { on: "updateIssue" });
    await connector.getIssue(ref);
    const update = connector.updateIssue(ref, { title: "b" }, { idempotencyKey: "1" });
    await expect(update).rejects.toMatchObject({ failureClass: "transient" });
    const comment = connector.addComment(ref, "x", { idempotencyKey: "2" });
    await expect(comment).rejects.toMatchObject({ capability: "comments" });
    expect(connector.requests).toEqual(["getIssue", "updateIssue"]);
    expect([connector.reads, connector.writes]).toEqual([1, 1]);
    connector.clearRequests();
    expect(connector.requests).toEqual([]);
  });

  test("are shown before and after their effect; what the viewer throws is what they fail with", async () => {
    const moments: MemoryMoment[] = [];
    const crash = new Error("the process ended here");
    const { remote, connector } = tracker({
      onRequest: (moment) => {
        moments.push(moment);
        if (moment.method === "createIssue" && moment.phase === "after") throw crash;
        if (moment.method === "updateIssue" && moment.phase === "before") {
          remote.edit(first.ref, { title: "Edited between read and write" });
        }
      },
    });
    const first = remote.add({ title: "a" });
    await expect(connector.createIssue(FIELDS, { idempotencyKey: "1" })).rejects.toBe(crash);
    expect(remote.issues()).toHaveLength(2);
    const guard = { idempotencyKey: "2", expectedRevision: first.revision ?? "" };
    await expect(connector.updateIssue(first.ref, { title: "b" }, guard)).rejects.toMatchObject({
      failureClass: "conflict",
    });
    expect(moments).toEqual([
      { method: "createIssue", phase: "before" },
      { method: "createIssue", phase: "after" },
      { method: "updateIssue", phase: "before" },
    ]);
  });
});
