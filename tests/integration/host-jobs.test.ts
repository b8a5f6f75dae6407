/** Jobs and leases: processes that die, sleep or stop, and what others find afterwards. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";
import { TeamScope } from "../../src/host/access/team-scope.ts";
import { connectSqlite } from "../../src/host/database/sqlite.ts";
import { OperationResult, PushResult } from "../../src/protocol.ts";
import { IDENTITY, STRANGER, TestHost } from "../helpers/host-fixture.ts";
import { withoutRandomWaits } from "../helpers/random-waits.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import type { SimulatedRequest } from "../simulators/server.ts";

const REPOSITORY = "acme/payments-api";
const LONG = 60_000;
const DAY = 24 * 60 * 60_000;

let host: TestHost;
let github: GitHubSimulator;
let ref: string;

withoutRandomWaits();

beforeEach(async () => {
  host = await TestHost.open([]);
  github = await new GitHubSimulator({
    workspaces: [{ login: "acme", repositories: [{ name: "payments-api" }, { name: "web" }] }],
  }).start();
  github.setClock(host.now);
  await connect();
  ref = await host.bind("github", REPOSITORY, STRANGER);
});
afterEach(async () => {
  await host.close();
  await github.stop();
});

async function connect(): Promise<string> {
  const { token, origin } = github;
  const body = { provider: "github", kind: "token", token, base_url: origin };
  return String((await host.post("admin/connections/", body)).body.connection_id);
}

function later(milliseconds = 600_000): void {
  host.now += milliseconds;
  github.setClock(host.now - 1000);
}

const post = (path: string, body: Record<string, unknown> = {}, key?: string) =>
  host.post(
    `tracker/${path}/`,
    { provider: "github", binding_ref: ref, ...body },
    key === undefined ? {} : { key },
  );
const create = (...titles: readonly string[]) => ({
  items: titles.map((title) => ({ ref: {}, action: "create", patch: { title } })),
});
const status = async () => (await host.get(`tracker/status/?provider=github&binding_ref=${ref}`)).body;
const operation = async (id: unknown) =>
  v.parse(OperationResult, (await host.get(`tracker/operations/${String(id)}/`)).body);
const isCreate = ({ method, path }: SimulatedRequest) => method === "POST" && path.endsWith("/issues");
const isList = ({ method, path }: SimulatedRequest) => method === "GET" && path.endsWith("/issues");
const creates = () => github.requests.filter(isCreate).length;

/** Holds the answer to the next such request back: whoever waits for it is asleep until it is let go. */
function hold(hits: (request: SimulatedRequest) => boolean): {
  readonly reached: Promise<void>;
  readonly letGo: () => void;
} {
  const reached = Promise.withResolvers<void>();
  const opens = Promise.withResolvers<void>();
  github.fail({ kind: "hold", until: opens.promise }, (request) => {
    if (!hits(request)) return false;
    reached.resolve();
    return true;
  });
  return { reached: reached.promise, letGo: opens.resolve };
}

/** A push of new issues as an operation, held at its first create. */
async function heldPush(...titles: readonly string[]) {
  await host.restart({ maxWaitMs: 0 });
  const held = hold(isCreate);
  const answer = await post("push", create(...titles));
  expect(answer.status).toBe(202);
  await held.reached;
  return { ...held, id: answer.body.operation_id };
}

describe("a mapping that is being synchronized", () => {
  test.each([
    ["push", create("New")],
    ["run", {}],
    ["missions/publish", { issue: "#1", update: { mission_id: "m-7", mission_state: "done" } }],
  ])("refuses a %s, which may be sent again under its key", async (path, body) => {
    github.addIssue(REPOSITORY, { title: "Known" });
    const held = hold(isList);
    const first = post("pull");
    await held.reached;
    const busy = await post(path, body, "key-1");
    expect([busy.status, busy.body]).toMatchObject([
      409,
      { code: "sync_in_progress", retryable: true, details: null },
    ]);
    held.letGo();
    expect((await first).status).toBe(200);
    expect((await post(path, body, "key-1")).status).toBe(200);
  });

  test("by an operation names it, to whoever is refused and in its status", async () => {
    const { id, letGo } = await heldPush("New");
    const named = { code: "sync_in_progress", details: { operation_id: id } };
    expect((await post("push", create("Other"))).body).toMatchObject(named);
    expect((await post("pull")).body).toMatchObject(named);
    expect(await status()).toMatchObject({ sync_state: "running", operation_id: id });
    expect(await operation(id)).toMatchObject({ progress: { done: 0, total: 1 } });
    letGo();
    await host.settled();
    expect(await status()).toMatchObject({ sync_state: "never", operation_id: null });
  });

  test("is free once whoever pulls has gone away, and the next pull goes on", async () => {
    for (let count = 0; count < 250; count++) {
      github.addIssue(REPOSITORY, { title: `Issue ${count}` });
      github.tick();
    }
    later();
    const caller = new AbortController();
    const held = hold(isList);
    const body = { provider: "github", binding_ref: ref, limit: 10_000 };
    const left = host.post("tracker/pull/", body, { signal: caller.signal });
    await held.reached;
    caller.abort();
    held.letGo();
    await left;
    const { sync_state, issue_count } = await status();
    expect(sync_state).toBe("never");
    expect(issue_count).toBeLessThan(250);
    expect((await post("pull", { limit: 10_000 })).status).toBe(200);
    expect(await status()).toMatchObject({ sync_state: "idle", issue_count: 250 });
  });

  test("lets a job that is taken up again wait, however often", async () => {
    const { id } = await heldPush("New");
    await host.stop();
    await host.restart({ maxWaitMs: LONG });
    const held = hold(isList);
    const pull = post("pull");
    await held.reached;
    for (let count = 0; count < 7; count++) {
      host.now += 1;
      expect(await operation(id)).toMatchObject({ status: "pending" });
    }
    held.letGo();
    expect((await pull).status).toBe(200);
    host.now += 1;
    await operation(id);
    await host.settled();
    expect(await operation(id)).toMatchObject({ status: "completed", result: { status: "ok" } });
    expect(creates()).toBe(1);
  });
});

describe("who wakes up after the lease has passed on", () => {
  test("a pull writes nothing, and says why", async () => {
    github.addIssue(REPOSITORY, { title: "Known" });
    later();
    const held = hold(isList);
    const asleep = post("pull");
    await held.reached;
    host.now += LONG;
    expect((await post("pull")).body).toMatchObject({ status: "ok", items: [{ title: "Known" }] });
    held.letGo();
    const late = await asleep;
    expect([late.status, late.body.code]).toEqual([409, "sync_in_progress"]);
    expect(await status()).toMatchObject({ sync_state: "idle", last_error: null, issue_count: 1 });
  });

  test("a job neither doubles what it began, nor spoils what became of it", async () => {
    const { id, letGo } = await heldPush("One", "Two");
    host.now += LONG;
    // Asked for, an operation that looks dead is taken up again.
    expect((await operation(id)).status).toBe("running");
    const done = async () => {
      while ((await operation(id)).status !== "completed") await Bun.sleep(0);
    };
    await done();
    letGo();
    await host.settled();
    const { status: state, result } = await operation(id);
    expect([state, creates()]).toEqual(["completed", 2]);
    expect(v.parse(PushResult, result).items).toMatchObject([{ outcome: "applied" }, { outcome: "applied" }]);
    expect((await status()).issue_count).toBe(2);
  });
});

test("of several processes that find the same job, one does it", async () => {
  const { id, letGo } = await heldPush("One", "Two");
  await host.stop();
  letGo();
  await host.restart();
  // For the others, whose clock is the real one, it is lost.
  const servers = Array.from({ length: 3 }, () =>
    Bun.spawn([process.execPath, join(import.meta.dir, "host-server.ts"), host.databasePath], {
      stdout: "ignore",
      stderr: "inherit",
    }),
  );
  try {
    while ((await operation(id)).status !== "completed") await Bun.sleep(20);
  } finally {
    for (const server of servers) {
      server.kill();
      await server.exited;
    }
  }
  expect(await operation(id)).toMatchObject({ result: { status: "ok", summary: { succeeded: 2 } } });
  expect(creates()).toBe(2);
});

describe("what goes while a job runs", () => {
  test("a mapping: nothing more is written", async () => {
    const { id, letGo } = await heldPush("One", "Two");
    expect((await host.call("DELETE", `admin/mappings/${ref}/`)).status).toBe(204);
    letGo();
    await host.settled();
    expect(await operation(id)).toMatchObject({ status: "failed", error: { code: "binding_not_found" } });
    expect(creates()).toBe(1);
  });

  test("a connection: nothing more is written", async () => {
    const { id, letGo } = await heldPush("One", "Two");
    const [connection] = await host.database.selectFrom("connections").select("id").execute();
    expect((await host.call("DELETE", `admin/connections/${connection?.id}/`)).status).toBe(204);
    letGo();
    await host.settled();
    expect(await operation(id)).toMatchObject({ status: "failed", error: { code: "no_installation" } });
    expect(creates()).toBe(1);
  });

  test("its process, with one more item done than it knew: the errors of the others are told", async () => {
    await host.restart({ maxWaitMs: 0 });
    const items = [
      { ref: { id: "404" }, action: "comment", body: "To nobody" },
      ...create("One", "Two").items,
    ];
    const held = hold(isCreate);
    const { body } = await post("push", { items });
    await held.reached;
    await host.stop();
    held.letGo();
    await host.restart({ maxWaitMs: LONG });
    host.now += 1;
    await operation(body.operation_id);
    await host.settled();
    const { result } = await operation(body.operation_id);
    expect(v.parse(PushResult, result)).toMatchObject({
      status: "partial",
      summary: { total: 3, succeeded: 2, failed: 1, skipped: 0 },
      item_errors: [{ code: "issue_not_found" }],
    });
    expect(creates()).toBe(2);
  });

  test("its host, many times: that is not held against it", async () => {
    const { id } = await heldPush("One");
    await host.stop();
    for (let count = 0; count < 6; count++) {
      await host.restart({ maxWaitMs: 0 });
      host.now += 1;
      const held = hold(({ method }) => method === "GET");
      await operation(id);
      await held.reached;
      await host.stop();
      held.letGo();
    }
    await host.restart();
    host.now += 1;
    await operation(id);
    await host.settled();
    expect(await operation(id)).toMatchObject({ status: "completed", result: { status: "ok" } });
    expect(creates()).toBe(1);
  });

  test("who asked for it: it ends, and says so", async () => {
    const { id } = await heldPush("One");
    await host.stop();
    await host.restart({ maxWaitMs: LONG });
    const team_id = await host.teamId();
    const token = await host.addMember(team_id, "owner");
    const [first] = await host.database.selectFrom("users").select("id").orderBy("id").execute();
    await host.database
      .deleteFrom("memberships")
      .where("user_id", "=", first?.id ?? "")
      .execute();
    host.now += 1;
    const ask = () => host.get(`tracker/operations/${String(id)}/`, { token });
    await ask();
    expect((await ask()).body).toMatchObject({ status: "failed", error: { code: "forbidden" } });
  });
});

describe("a job that was interrupted, however long ago, and nobody has asked for since", () => {
  const interruptedPush = async () => {
    const { id, letGo } = await heldPush("One", "Two");
    await host.stop();
    letGo();
    host.now += 2 * DAY;
    return id;
  };

  test("is finished before the next one of its mapping begins", async () => {
    const id = await interruptedPush();
    await host.restart({ maxWaitMs: LONG });
    expect((await post("push", create("Three"))).body.status).toBe("ok");
    expect(await operation(id)).toMatchObject({ status: "completed", result: { summary: { succeeded: 2 } } });
    expect(github.requests.filter(isCreate).map(({ body }) => body)).toMatchObject([
      { title: "One" },
      { title: "Two" },
      { title: "Three" },
    ]);
  });

  test("keeps the next one waiting where it takes long, and is named", async () => {
    const id = await interruptedPush();
    await host.restart({ maxWaitMs: 0 });
    const busy = await post("run", {}, "key-1");
    expect([busy.status, busy.body.code, busy.body.details]).toEqual([
      409,
      "sync_in_progress",
      { operation_id: id },
    ]);
    expect(await status()).toMatchObject({ operation_id: id });
    await host.settled();
    expect(await operation(id)).toMatchObject({ status: "completed" });
    expect((await post("run", {}, "key-1")).status).toBe(202);
    await host.settled();
  });

  test("is left to others by a job of another mapping, and stays to be done", async () => {
    const id = await interruptedPush();
    const web = await host.bind("github", "acme/web", IDENTITY);
    await host.restart({ maxWaitMs: LONG });
    const before = github.requests.length;
    expect((await post("push", { ...create("Three"), binding_ref: web })).body.status).toBe("ok");
    const paths = github.requests.slice(before).map(({ path }) => path);
    expect(paths.filter((path) => path.includes(REPOSITORY))).toEqual([]);
    await operation(id);
    await host.settled();
    expect(await operation(id)).toMatchObject({ status: "completed", result: { summary: { succeeded: 2 } } });
  });

  test.each([
    ["the result, in time", LONG, { status: 200, body: { status: "ok" } }],
    ["the operation, where it takes long", 0, { status: 202, body: { status: "pending" } }],
  ])("is what a request under its key is answered with: %s", async (_, maxWaitMs, answer) => {
    await host.restart({ maxWaitMs: 0 });
    const held = hold(isCreate);
    const { body } = await post("push", create("One"), "key-1");
    await held.reached;
    await host.stop();
    held.letGo();
    await host.restart({ maxWaitMs });
    host.now += 2 * DAY;
    expect(await post("push", create("One"), "key-1")).toMatchObject(answer);
    await host.settled();
    expect((await operation(body.operation_id)).status).toBe("completed");
    expect(creates()).toBe(1);
  });
});

describe("a key", () => {
  test("is answered with its result, whatever was interrupted meanwhile", async () => {
    const first = await post("push", create("Zero"), "key-0");
    const { letGo } = await heldPush("One", "Two");
    await host.stop();
    letGo();
    await host.restart({ maxWaitMs: 0 });
    host.now += LONG;
    expect(await post("push", create("Zero"), "key-0")).toMatchObject({ status: 200, body: first.body });
  });

  test("whose job failed may be used for the same again", async () => {
    github.fail({ kind: "answer", status: 401, body: { message: "Bad credentials" } });
    const failed = await post("run", {}, "key-1");
    expect([failed.status, failed.body.code]).toEqual([502, "provider_rejected"]);
    expect((await post("run", {}, "key-1")).body.status).toBe("ok");
    expect((await post("run", { limit: 7 }, "key-1")).body.code).toBe("idempotency_mismatch");
  });

  test("whose job still runs leads to that job", async () => {
    await host.restart({ maxWaitMs: 0 });
    const held = hold(isCreate);
    const first = await post("push", create("New"), "key-1");
    await held.reached;
    const again = await post("push", create("New"), "key-1");
    expect([again.status, again.body]).toEqual([202, first.body]);
    held.letGo();
    await host.settled();
    expect((await post("push", create("New"), "key-1")).body.status).toBe("ok");
    expect(creates()).toBe(1);
  });

  test("is forgotten after a day, with all that was stored of its job", async () => {
    await post("push", create("Old"), "key-1");
    host.now += DAY;
    await post("push", create("New"), "key-2");
    const rows = await host.database.selectFrom("operations").select("idempotency_key").execute();
    expect(rows).toEqual([{ idempotency_key: "key-2" }]);
    expect(await host.database.selectFrom("operation_items").select("position").execute()).toHaveLength(1);
  });
});

describe("how the sync stands", () => {
  test("a push of which nothing arrived is an error, until one does", async () => {
    for (let count = 0; count < 3; count++) {
      github.fail({ kind: "answer", status: 502, body: { message: "Bad gateway" } }, isCreate);
    }
    expect((await post("push", create("New"))).body.status).toBe("error");
    expect(await status()).toMatchObject({
      sync_state: "error",
      last_error: expect.stringContaining("Bad gateway"),
      last_synced_at: null,
    });
    expect((await post("run")).body.status).toBe("ok");
    expect(await status()).toMatchObject({ sync_state: "idle", last_error: null });
  });

  test("what was refused for its content is no error of the sync", async () => {
    await post("push", { items: [{ ref: {}, action: "create", patch: { titel: "New" } }] });
    await post("pull", { cursor: "pull_nonsense" });
    expect((await status()).last_error).toBeNull();
  });

  test("a dry run is no sync", async () => {
    expect((await post("run", { dry_run: true })).body.status).toBe("ok");
    expect(await status()).toMatchObject({ sync_state: "never", last_synced_at: null });
  });

  test("a connection that was removed and made again leaves no trace", async () => {
    const id = await connect();
    await host.call("DELETE", `admin/connections/${id}/`);
    expect((await post("pull")).body.code).toBe("no_installation");
    await connect();
    expect(await status()).toMatchObject({ sync_state: "never", last_error: null });
  });

  test("is told while another process writes", async () => {
    const other = connectSqlite(host.databasePath);
    await other.transaction().execute(async () => {
      expect(await status()).toMatchObject({ sync_state: "never" });
    });
    await other.destroy();
  });
});

describe("a repository that was renamed", () => {
  test("keeps its issues, their links and what waits to be pushed", async () => {
    github.addIssue(REPOSITORY, { title: "One" });
    github.addIssue(REPOSITORY, { title: "Two" });
    await post("push", {
      items: [{ ref: { id: "2" }, action: "link", link: { type: "blocked_by", target: { id: "1" } } }],
    });
    later();
    await post("pull");
    for (let count = 0; count < 3; count++) {
      github.fail({ kind: "answer", status: 502 }, ({ method }) => method === "PATCH");
    }
    const edit = { ref: { id: "1" }, action: "update", patch: { title: "Renamed" } };
    expect((await post("push", { items: [edit] })).body.status).toBe("error");

    github.renameRepository(REPOSITORY, "payments");
    const [connection] = await host.database.selectFrom("connections").select("id").execute();
    await host.post(`admin/connections/${connection?.id}/refresh/`, {});
    later();
    github.editIssue("acme/payments", 2, { body: "Changed" });
    later();
    const { body } = await post("run");
    expect(body).toMatchObject({
      status: "ok",
      pull: {
        items: [
          {
            ref: { workspace: "acme/payments", id: "2" },
            links: [{ target: { workspace: "acme/payments" } }],
          },
        ],
      },
      push: { items: [{ outcome: "applied" }] },
    });
    expect(await status()).toMatchObject({ issue_count: 2, open_conflicts: 0 });
  });
});

describe("what goes wrong is called what it is", () => {
  test.each([
    ["missions/seed", { issue: "#404" }, 404, "issue_not_found"],
    ["missions/seed", { issue: { id: "404" } }, 404, "issue_not_found"],
    ["missions/seed", { issue: { workspace: "acme/web", id: "1" } }, 400, "invalid_request"],
    ["missions/seed", { issue: {} }, 400, "invalid_request"],
    ["conflicts/resolve", { id: "none", take: "local" }, 404, "conflict_not_found"],
  ])("%s with %j", async (path, body, code, name) => {
    const answer = await post(path, body);
    expect([answer.status, answer.body.code]).toEqual([code, name]);
  });

  test.each([
    ["pull", {}],
    ["missions/seed", { issue: "#1" }],
    ["missions/publish", { issue: "#1", update: { mission_id: "m-7", mission_state: "done" } }],
  ])("a provider that asks for more time than a request has is told at once: %s", async (path, body) => {
    github.fail({ kind: "answer", status: 429, headers: { "retry-after": "45" }, body: {} });
    const answer = await post(path, body);
    expect([answer.status, answer.body.code]).toEqual([429, "rate_limited"]);
  });
});

test("no row is made for another team's mapping or operation", async () => {
  const { teamId } = await host.addTeam("other");
  const principal = {
    user: { id: "u", email: null, name: "" },
    team: { id: teamId, slug: "other", name: "" },
    role: "owner" as const,
  };
  await post("push", create("New"), "key-1");
  await host.database.deleteFrom("operation_items").execute();
  await host.database.deleteFrom("sync_states").execute();
  const [mine] = await host.database.selectFrom("operations").select("id").execute();
  const theirs = new TeamScope(host.database, principal, () => host.now);
  await theirs.insertSyncState(ref);
  await theirs.insertOperationItem({ operation_id: mine?.id ?? "", position: 0, item: "{}" });
  expect(await host.database.selectFrom("sync_states").selectAll().execute()).toEqual([]);
  expect(await host.database.selectFrom("operation_items").selectAll().execute()).toEqual([]);
});
