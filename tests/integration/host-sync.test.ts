/** Sync and missions through a mapping, over the providers' real protocols. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "kysely";
import * as v from "valibot";
import {
  ConflictsResponse,
  MissionSeedResponse,
  OperationResult,
  PullResult,
  PushResult,
  ResolveConflictResponse,
  RunResult,
} from "../../src/protocol.ts";
import { DEFAULT_LIMITS } from "../../src/shared/network/fetch-once.ts";
import { STRANGER, TestHost } from "../helpers/host-fixture.ts";
import { withoutRandomWaits } from "../helpers/random-waits.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import type { SimulatedRequest } from "../simulators/server.ts";

withoutRandomWaits();

const REPOSITORY = "acme/payments-api";
const WRITES = new Set(["POST", "PATCH", "PUT", "DELETE"]);

let host: TestHost;
let github: GitHubSimulator;
let ref: string;

beforeEach(async () => {
  host = await TestHost.open([]);
  github = await new GitHubSimulator({
    workspaces: [
      { login: "acme", repositories: [{ name: "payments-api", people: ["ada"] }, { name: "web" }] },
    ],
  }).start();
  github.setClock(host.now);
  const { token, origin } = github;
  await host.post("admin/connections/", { provider: "github", kind: "token", token, base_url: origin });
  ref = await host.bind("github", REPOSITORY, STRANGER);
});
afterEach(async () => {
  await host.close();
  await github.stop();
});

/** Some time passes, at the provider and here. */
function later(milliseconds = 600_000): void {
  host.now += milliseconds;
  github.setClock(host.now - 1000);
}

async function call<S extends v.GenericSchema>(
  path: string,
  schema: S,
  body: Record<string, unknown> = {},
  key?: string,
): Promise<v.InferOutput<S>> {
  later();
  const options = key === undefined ? {} : { key };
  const answer = await host.post(
    `tracker/${path}/`,
    { provider: "github", binding_ref: ref, ...body },
    options,
  );
  expect([answer.status, answer.body.message]).toEqual([200, undefined]);
  return v.parse(schema, answer.body);
}

const pull = (body: Record<string, unknown> = {}) => call("pull", PullResult, body);
const push = (items: readonly unknown[], key?: string) => call("push", PushResult, { items }, key);
const run = (body: Record<string, unknown> = {}) => call("run", RunResult, body);
const status = async () => {
  const { body } = await host.get(`tracker/status/?provider=github&binding_ref=${ref}`);
  return body;
};
const refused = async (path: string, body: Record<string, unknown>, key?: string) => {
  const options = key === undefined ? {} : { key };
  const answer = await host.post(
    `tracker/${path}/`,
    { provider: "github", binding_ref: ref, ...body },
    options,
  );
  return [answer.status, answer.body.code];
};
const operation = async (id: string) => {
  const { body } = await host.get(`tracker/operations/${id}/`);
  return v.parse(OperationResult, body);
};
const isReadOf = (number: number) => (request: SimulatedRequest) =>
  request.method === "GET" && request.path.endsWith(`/${REPOSITORY}/issues/${number}`);
const isComment = ({ method, path }: SimulatedRequest) => method === "POST" && path.endsWith("/comments");
const writes = () => github.requests.filter(({ method }: SimulatedRequest) => WRITES.has(method)).length;
const issueOf = async (number: number) => {
  const { body } = await host.post("tracker/issue-search/", {
    provider: "github",
    binding_ref: ref,
    query_key: `#${number}`,
  });
  return v.parse(v.looseObject({ candidates: v.array(v.looseObject({})) }), body).candidates[0];
};

/** Files issues with bodies as large as GitHub takes them, in letters of three bytes. Returns their titles. */
function fileLarge(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    github.tick();
    const title = `Large ${index}`;
    github.addIssue(REPOSITORY, { title, body: "語".repeat(65_536) });
    return title;
  });
}

describe("pull", () => {
  test("gives what is new, then what changed, then nothing", async () => {
    const number = github.addIssue(REPOSITORY, { title: "Refund twice" });
    const first = await pull();
    expect(first).toMatchObject({
      status: "ok",
      items: [{ title: "Refund twice", ref: { system: "github", workspace: REPOSITORY, key: "#1" } }],
      identity_path: { type: "installation", provider: "github" },
      doctrine: { mode: "external_authoritative", field_owners: {} },
      has_more: false,
    });
    later();
    github.editIssue(REPOSITORY, number, { title: "Refund thrice" });
    expect((await pull()).items.map(({ title }) => title)).toEqual(["Refund thrice"]);
    expect((await pull()).items).toEqual([]);
    expect(await status()).toMatchObject({
      sync_state: "idle",
      issue_count: 1,
      open_conflicts: 0,
      last_error: null,
    });
  });

  test("pages, and goes on", async () => {
    for (const title of ["a", "b", "c", "d", "e"]) {
      github.tick();
      github.addIssue(REPOSITORY, { title });
    }
    const titles: string[] = [];
    let cursor: string | null = null;
    do {
      const page: PullResult = await pull({ limit: 2, cursor });
      titles.push(...page.items.map(({ title }) => title));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(titles).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("has synchronized once it has reached the end, and not by a push", async () => {
    for (const title of ["a", "b", "c"]) {
      github.tick();
      github.addIssue(REPOSITORY, { title });
    }
    await pull({ limit: 2 });
    expect(await status()).toMatchObject({ sync_state: "never", last_synced_at: null, issue_count: 2 });
    const all = await host.get("tracker/status/?provider=github");
    expect(all.body.bindings).toMatchObject([{ binding_ref: ref, last_synced_at: null }]);
    await push([{ ref: { key: "#1" }, action: "comment", body: "On it." }]);
    await run({ limit: 1, pull_first: false });
    expect(await status()).toMatchObject({ sync_state: "never", last_synced_at: null });
    await run();
    const done = await status();
    expect(done).toMatchObject({ sync_state: "idle", last_synced_at: new Date(host.now).toISOString() });
    for (const title of ["d", "e"]) {
      github.tick();
      github.addIssue(REPOSITORY, { title });
    }
    await pull({ limit: 1 });
    expect(await status()).toMatchObject({ sync_state: "idle", last_synced_at: done.last_synced_at });
  });

  test("of issues that fill more than an answer loses none", async () => {
    const titles = fileLarge(60);
    const found: string[] = [];
    for (let cursor: string | null = null; ; ) {
      const page: PullResult = await pull({ limit: 10_000, cursor });
      expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(DEFAULT_LIMITS.bodyBytes);
      found.push(...page.items.map(({ title }) => title));
      cursor = page.next_cursor;
      expect(page.has_more).toBe(cursor !== null);
      if (cursor === null) break;
    }
    expect(found).toEqual(titles);
  });

  test("routed by slug tells what to upgrade the config with", async () => {
    const answer = await call("pull", PullResult, { binding_ref: null, project_slug: STRANGER.slug });
    expect(answer).toMatchObject({ binding_ref: ref, display_label: REPOSITORY });
  });

  test.each([
    [{ binding_ref: null }, [400, "invalid_request"]],
    [{ limit: 0 }, [400, "invalid_request"]],
    [{ limit: 10_001 }, [400, "invalid_request"]],
    [{ cursor: "pull_nonsense" }, [400, "invalid_request"]],
    [{ filters: { label: "x" } }, [400, "invalid_request"]],
    [{ binding_ref: "srm_unknown" }, [404, "binding_not_found"]],
  ])("refuses %j", async (body, expected) => {
    expect(await refused("pull", body)).toEqual(expected);
  });

  test("a provider that refuses is told, and shows in the status", async () => {
    github.fail({ kind: "answer", status: 401, body: { message: "Bad credentials" } });
    expect(await refused("pull", {})).toEqual([502, "provider_rejected"]);
    expect(await status()).toMatchObject({
      sync_state: "error",
      last_error: expect.stringContaining("Bad credentials"),
    });
    await pull();
    expect(await status()).toMatchObject({ sync_state: "idle", last_error: null });
  });

  test("with a full disk is told why, and goes on once there is room", async () => {
    for (let count = 0; count < 50; count++) github.addIssue(REPOSITORY, { title: "x".repeat(5_000) });
    later();
    const limited = (pages: number) => sql.raw(`pragma max_page_count = ${pages}`).execute(host.database);
    // No less than what is taken already.
    await limited(1);
    const { status: code, body } = await host.post("tracker/pull/", { provider: "github", binding_ref: ref });
    expect([code, body]).toMatchObject([500, { code: "internal", message: expect.stringContaining("disk") }]);
    await limited(1_000_000);
    later();
    expect((await pull()).items).toHaveLength(50);
  });
});

describe("push", () => {
  test("creates, updates, moves, comments and links", async () => {
    github.addIssue(REPOSITORY, { title: "Known" });
    await pull();
    const answer = await push([
      { ref: {}, action: "create", patch: { title: "New", labels: ["web"], assignees: ["ada"] } },
      { ref: { id: "1" }, action: "update", patch: { title: "Renamed", body: "Why" } },
      { ref: { key: "#1" }, action: "transition", target_status: "done" },
      { ref: { id: "1" }, action: "comment", body: "Shipped." },
      { ref: { id: "2" }, action: "link", link: { type: "blocked_by", target: { id: "1" } } },
    ]);
    expect(answer.items.map(({ outcome, message }) => [outcome, message])).toEqual(
      Array(5).fill(["applied", null]),
    );
    expect(answer.status).toBe("ok");
    expect(await issueOf(1)).toMatchObject({ title: "Renamed", body: "Why", state: { name: "done" } });
    expect(await issueOf(2)).toMatchObject({ title: "New", assignee: { name: "ada" } });
    const { items } = await pull();
    expect(items.map(({ title }) => title)).toEqual([]);
  });

  test("can name no other resource than its mapping's", async () => {
    github.addIssue("acme/web", { title: "Foreign" });
    const foreign = { system: "github", workspace: "acme/web", id: "1" };
    const before = writes();
    const answer = await push([
      { ref: foreign, action: "update", patch: { title: "Taken over" } },
      { ref: foreign, action: "comment", body: "Hello" },
      { ref: { key: "acme/web#1" }, action: "comment", body: "Hello" },
    ]);
    expect(answer.items.map(({ outcome }) => outcome)).toEqual(["rejected", "rejected", "rejected"]);
    expect(writes()).toBe(before);
  });

  test("looks for its comment, whose answer was lost, among those that are not older than the push", async () => {
    github.addIssue(REPOSITORY, { title: "Known" });
    const isOf = (wanted: string) => (request: SimulatedRequest) =>
      request.method === wanted && request.path.endsWith("/comments");
    github.fail({ kind: "lost_response" }, isOf("POST"));
    await push([{ ref: { id: "1" }, action: "comment", body: "On it." }]);
    const reads = github.requests.filter(isOf("GET"));
    const aDayBefore = new Date(host.now - 24 * 60 * 60_000).toISOString();
    expect(reads.map(({ query }) => query.get("since"))).toEqual([aDayBefore]);
    expect(github.issue(REPOSITORY, 1).comments).toHaveLength(1);
  });

  test("replays its answer under the same key, and refuses the key for another body", async () => {
    const items = [{ ref: {}, action: "create", patch: { title: "Once" } }];
    const first = await push(items, "key-1");
    const before = writes();
    expect(await push(items, "key-1")).toEqual(first);
    expect(writes()).toBe(before);
    expect(await refused("push", { items: [] }, "key-1")).toEqual([422, "idempotency_mismatch"]);
  });

  test("that takes long becomes an operation", async () => {
    await host.restart({ maxWaitMs: 0 });
    const items = [{ ref: {}, action: "create", patch: { title: "Later" } }];
    const answer = await host.post("tracker/push/", { provider: "github", binding_ref: ref, items });
    expect(answer).toMatchObject({ status: 202, body: { status: "pending" } });
    const id = String(answer.body.operation_id);
    await host.settled();
    const done = await operation(id);
    expect(done).toMatchObject({ status: "completed", progress: { done: 1 } });
    expect(v.parse(PushResult, done.result).items).toMatchObject([{ outcome: "applied" }]);
  });

  test("that its host's death interrupts is taken up by the next one, nothing doubled", async () => {
    await host.restart({ maxWaitMs: 0 });
    const items = ["a", "b", "c"].flatMap((title) => [
      { ref: {}, action: "create", patch: { title } },
      { ref: {}, action: "create", patch: { title: `${title} too` } },
    ]);
    const third = Promise.withResolvers<void>();
    let creates = 0;
    const isCreate = ({ method, path }: SimulatedRequest) => method === "POST" && path.endsWith("/issues");
    for (let count = 0; count < 3; count++) {
      github.fail(
        {
          kind: "meanwhile",
          phase: "after",
          happens: () => {
            creates += 1;
            if (creates === 3) third.resolve();
          },
        },
        isCreate,
      );
    }
    const answer = await host.post("tracker/push/", { provider: "github", binding_ref: ref, items });
    await third.promise;
    // The third issue exists, and this host never gets to know.
    await host.stop();
    await host.restart({ maxWaitMs: 60_000 });
    const id = String(answer.body.operation_id);
    host.now += 60_000;
    expect(await operation(id)).toMatchObject({ status: "pending" });
    await host.settled();
    const done = await operation(id);
    expect(done.status).toBe("completed");
    const { items: results } = v.parse(PushResult, done.result);
    expect(results).toHaveLength(6);
    for (const { outcome } of results) expect(["applied", "noop"]).toContain(outcome);
    later();
    const { items: all } = await pull({ reread: "interrupted" });
    expect(github.requests.filter(isCreate)).toHaveLength(6);
    expect(all).toHaveLength(6);
    expect((await status()).issue_count).toBe(6);
  });

  test("one sync at a time per mapping", async () => {
    const hold = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    github.fail({
      kind: "distort",
      distort: (answer) => {
        begun.resolve();
        return answer;
      },
    });
    await host.restart({
      providerFetch: async (request) => {
        const answer = await fetch(request, { redirect: "manual" });
        await hold.promise;
        return answer;
      },
    });
    const first = host.post("tracker/pull/", { provider: "github", binding_ref: ref });
    await begun.promise;
    expect(await refused("pull", {})).toEqual([409, "sync_in_progress"]);
    expect((await status()).sync_state).toBe("running");
    hold.resolve();
    expect((await first).status).toBe(200);
    expect(await refused("pull", {})).toEqual([200, undefined]);
  });
});

describe("run", () => {
  test("of issues that fill more than an answer tells that there is more", async () => {
    const titles = fileLarge(60);
    later();
    await host.restart({ maxWaitMs: 0 });
    const { body } = await host.post("tracker/run/", { provider: "github", binding_ref: ref, limit: 10_000 });
    await host.settled();
    const done = await operation(String(body.operation_id));
    expect(Buffer.byteLength(JSON.stringify(done))).toBeLessThan(DEFAULT_LIMITS.bodyBytes);
    const first = v.parse(RunResult, done.result).pull;
    expect(first.has_more).toBe(true);
    const found = (first.items ?? []).map(({ title }) => title);
    for (let cursor = first.next_cursor; cursor; ) {
      const page: PullResult = await pull({ limit: 10_000, cursor });
      found.push(...page.items.map(({ title }) => title));
      cursor = page.next_cursor;
    }
    expect(found).toEqual(titles);
  });

  test("converges, and a second one writes nothing", async () => {
    github.addIssue(REPOSITORY, { title: "Known" });
    expect(await run()).toMatchObject({ status: "ok", pull: { items: [{ title: "Known" }] } });
    await push([{ ref: { id: "1" }, action: "update", patch: { title: "Renamed" } }]);
    await run();
    const before = writes();
    const { pull: pulled, push: pushed } = await run();
    expect([pulled.items, pushed.items]).toEqual([[], []]);
    expect(writes()).toBe(before);
  });

  test("sends what failed for now, and a dry run only tells", async () => {
    github.addIssue(REPOSITORY, { title: "Known" });
    await pull();
    const isPatch = ({ method }: SimulatedRequest) => method === "PATCH";
    for (let count = 0; count < 3; count++) {
      github.fail({ kind: "answer", status: 502, body: { message: "Bad gateway" } }, isPatch);
    }
    const failed = await push([{ ref: { id: "1" }, action: "update", patch: { title: "Renamed" } }]);
    expect(failed).toMatchObject({
      status: "error",
      items: [{ outcome: "failed" }],
      item_errors: [{ code: "provider_unavailable", retryable: true }],
    });
    const before = writes();
    expect((await run({ dry_run: true })).push.items).toMatchObject([
      { action: "update", outcome: "applied" },
    ]);
    expect(writes()).toBe(before);
    expect((await run()).push.items).toMatchObject([{ outcome: "applied" }]);
    expect(await issueOf(1)).toMatchObject({ title: "Renamed" });
  });
});

describe("the same field changed on both sides", () => {
  const both = async (doctrine: Record<string, unknown>) => {
    const answer = await host.call("PATCH", `admin/mappings/${ref}/`, { body: { doctrine } });
    expect(answer.status).toBe(200);
    const number = github.addIssue(REPOSITORY, { title: "Old" });
    await pull();
    later();
    github.editIssue(REPOSITORY, number, { title: "Theirs" });
    const { items } = await push([
      { ref: { id: String(number) }, action: "update", patch: { title: "Ours" } },
    ]);
    const conflicts = await call("conflicts", ConflictsResponse);
    return { item: items[0], issue: await issueOf(number), conflicts: conflicts.conflicts };
  };

  test("external_authoritative: the provider's value stands", async () => {
    const { item, issue, conflicts } = await both({ mode: "external_authoritative" });
    expect(item).toMatchObject({ outcome: "conflict" });
    expect(issue).toMatchObject({ title: "Theirs" });
    expect(conflicts).toEqual([]);
  });

  test("spec_kitty_authoritative: ours is written", async () => {
    const { item, issue } = await both({ mode: "spec_kitty_authoritative" });
    expect(item).toMatchObject({ outcome: "applied" });
    expect(issue).toMatchObject({ title: "Ours" });
  });

  test("split_ownership: the field's owner decides", async () => {
    const { item, issue } = await both({ mode: "split_ownership", field_owners: { title: "local" } });
    expect(item).toMatchObject({ outcome: "applied" });
    expect(issue).toMatchObject({ title: "Ours" });
  });

  test("split_ownership: a field that both sides own waits for a person where that is wanted", async () => {
    const doctrine = { mode: "split_ownership", field_owners: {}, conflict_strategy: "manual_review" };
    const { item, issue, conflicts } = await both(doctrine);
    expect(item).toMatchObject({
      outcome: "conflict",
      message: expect.stringContaining("waits for a decision"),
    });
    expect(issue).toMatchObject({ title: "Theirs" });
    expect(conflicts).toMatchObject([{ field: "title", local: "Ours", remote: "Theirs", resolution: null }]);
    expect(await status()).toMatchObject({ open_conflicts: 1 });
    const [conflict] = conflicts;
    const body = { id: conflict?.id, take: "local" };
    await call("conflicts/resolve", ResolveConflictResponse, body);
    expect((await run()).push.items).toMatchObject([{ action: "update", outcome: "applied" }]);
    expect(await issueOf(1)).toMatchObject({ title: "Ours" });
    expect(await status()).toMatchObject({ open_conflicts: 0 });
  });

  test("what was written over is told", async () => {
    const { item } = await both({ mode: "spec_kitty_authoritative" });
    expect(item).toMatchObject({ message: "Overwrote the provider's changes: title." });
  });

  test("an overruled change is on record", async () => {
    await both({ mode: "external_authoritative" });
    const { rows } = await sql`select field, local, remote, resolution from conflicts`.execute(host.database);
    expect(rows).toEqual([{ field: "title", local: '"Ours"', remote: '"Theirs"', resolution: "external" }]);
  });

  test.each([
    { mode: "mine" },
    { mode: "split_ownership", field_owners: { title: "nobody" } },
    { mode: "split_ownership", field_owners: { colour: "local" } },
    { mode: "split_ownership", conflict_strategy: "dice" },
  ])("an ownership that is none is refused: %j", async (doctrine) => {
    const answer = await host.call("PATCH", `admin/mappings/${ref}/`, { body: { doctrine } });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
  });
});

describe("missions", () => {
  test("start from an issue", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice", body: "Steps" });
    const seed = await call("missions/seed", MissionSeedResponse, { issue: "#1", mission_id: "m-7" });
    expect(seed).toMatchObject({ mission_id: "m-7", title: "Refund twice", body: "Steps", status: "todo" });
    expect(github.requests.filter(isReadOf(1))).toHaveLength(1);
  });

  test("report to it once, and block it on a decision", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice" });
    github.addIssue(REPOSITORY, { title: "Which ledger?" });
    const update = {
      mission_id: "m-7",
      mission_state: "implementing",
      target_status: "done",
      summary: "Half way",
      decision_references: [
        {
          id: "D-1",
          blocking: true,
          external_ref: { system: "github", workspace: REPOSITORY, id: "2" },
        },
      ],
    };
    const published = await call("missions/publish", v.looseObject({}), { issue: "#1", update });
    expect(published).toMatchObject({
      title: "Refund twice",
      status: "done",
      links: [{ type: "blocked_by", target: { id: "2" } }],
      omitted: ["custom_field"],
    });
    const before = writes();
    await call("missions/publish", v.looseObject({}), { issue: "#1", update });
    expect(writes()).toBe(before);
  });

  const UPDATE = { mission_id: "m-7", mission_state: "implementing" };
  const publish = (update: object = UPDATE, key = "key-1") =>
    host.post(
      "tracker/missions/publish/",
      { provider: "github", binding_ref: ref, issue: "#1", update },
      { key },
    );

  test("report once under one key, which is for nothing else", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice" });
    const held = Promise.withResolvers<void>();
    github.fail({ kind: "hold", until: held.promise }, isComment);
    const [first, second] = [publish(), publish()];
    const early = await Promise.race([first, second, Bun.sleep(100)]);
    held.resolve();
    expect(early).toBeUndefined();
    const { status, body } = await first;
    expect([status, body.title]).toEqual([200, "Refund twice"]);
    expect((await second).body).toEqual(body);
    expect((await publish()).body).toEqual(body);
    expect(github.requests.filter(isComment)).toHaveLength(1);
    const other = await publish({ ...UPDATE, mission_state: "reviewing" });
    expect([other.status, other.body.code]).toEqual([422, "idempotency_mismatch"]);
  });

  test("report routed by slug, and are told what to upgrade the config with", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice" });
    const routing = { binding_ref: null, project_slug: STRANGER.slug };
    const request = { ...routing, issue: "#1", update: UPDATE };
    expect(await call("missions/publish", v.looseObject({}), request)).toMatchObject({
      title: "Refund twice",
      binding_ref: ref,
      display_label: REPOSITORY,
    });
  });

  test("report as an operation where that takes long, whoever ends it", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice" });
    await host.restart({ maxWaitMs: 0 });
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    github.fail({ kind: "hold", until: held.promise }, (request) => {
      if (isComment(request)) reached.resolve();
      return isComment(request);
    });
    const answer = await publish();
    expect(answer).toMatchObject({ status: 202, body: { status: "pending" } });
    await reached.promise;
    await host.stop();
    held.resolve();
    await host.restart({ maxWaitMs: 60_000 });
    host.now += 1;
    const id = String(answer.body.operation_id);
    await operation(id);
    await host.settled();
    const done = await operation(id);
    expect(done).toMatchObject({ status: "completed", result: { title: "Refund twice" } });
    expect(await publish()).toMatchObject({ status: 200, body: { title: "Refund twice" } });
    expect(github.requests.filter(isComment)).toHaveLength(1);
  });

  test("read the issue no more often than its writes need", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice" });
    await publish({ ...UPDATE, target_status: "done" });
    // To find it, and before the comment.
    expect(github.requests.filter(isReadOf(1))).toHaveLength(2);
  });
});

test("another team sees none of it", async () => {
  const { token } = await host.addTeam("other");
  const body = { provider: "github", binding_ref: ref };
  for (const path of ["pull", "run", "conflicts", "missions/seed"]) {
    const answer = await host.post(`tracker/${path}/`, { ...body, issue: "#1" }, { token });
    expect([answer.status, answer.body.code]).toEqual([404, "binding_not_found"]);
  }
  await host.restart({ maxWaitMs: 0 });
  const mine = await host.post("tracker/push/", { ...body, items: [] });
  const id = String(mine.body.operation_id);
  await host.settled();
  expect((await host.get(`tracker/operations/${id}/`, { token })).body.code).toBe("operation_not_found");
});
