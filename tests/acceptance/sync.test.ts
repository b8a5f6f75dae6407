/** Sync and missions, as a person and a script drive them, over the providers' real protocols. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { type HostProcess, startHost } from "../helpers/host-process.ts";
import { LOOPBACK_ORIGIN, Scratch } from "../helpers/scratch.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import type { SimulatedRequest } from "../simulators/server.ts";

const REPOSITORY = "acme/payments-api";
const WRITES = new Set(["POST", "PATCH", "PUT", "DELETE"]);

let github: GitHubSimulator;
let place: Scratch;

beforeEach(async () => {
  github = new GitHubSimulator({
    workspaces: [
      { login: "acme", repositories: [{ name: "payments-api", people: ["ada"] }, { name: "web" }] },
    ],
  });
  await github.start();
  github.setClock(Date.now() - 60 * 60_000);
  place = new Scratch({ origin: LOOPBACK_ORIGIN });
});
afterEach(async () => {
  place[Symbol.dispose]();
  await github.stop();
});

const writes = () => github.requests.filter(({ method }) => WRITES.has(method)).length;
const isCreate = ({ method, path }: SimulatedRequest) => method === "POST" && path.endsWith("/issues");

/** Connects and binds; the environment says to which control plane. */
async function bind(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const connected = await place.run(
    ["host", "connect", "github", "--token-stdin", "--base-url", github.origin],
    { env, stdin: github.token },
  );
  expect(connected).toMatchObject({ code: 0 });
  expect(await place.run(["bind", "--provider", "github"], { env })).toMatchObject({ code: 0 });
}

const serveFlags = () => ["--database", join(place.root, "host.db"), "--allow-private-network"];

describe.each(["embedded", "served"] as const)("%s control plane", (kind) => {
  let host: HostProcess | null;
  let env: Readonly<Record<string, string>>;

  beforeEach(async () => {
    host = kind === "served" ? await startHost(place, { flags: serveFlags() }) : null;
    env = host?.env ?? {};
    await bind(env);
  });
  afterEach(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  const run = (args: readonly string[], stdin = "") => place.run(args, { env, stdin });
  const push = (items: readonly unknown[]) =>
    run(["sync", "push", "--items-json", "-", "--json"], JSON.stringify(items));

  test("what changes at the provider is pulled, and once", async () => {
    const number = github.addIssue(REPOSITORY, { title: "Refund twice" });
    const first = await run(["sync", "pull"]);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toContain("GitHub");
    expect(resultOf(await run(["sync", "pull", "--json"]))).toMatchObject({ status: "ok", items: [] });
    github.setClock(Date.now());
    github.editIssue(REPOSITORY, number, { title: "Refund thrice" });
    expect(resultOf(await run(["sync", "pull", "--json"]))).toMatchObject({
      items: [{ title: "Refund thrice", ref: { key: "#1" } }],
    });
  });

  test("all pages go into a file, one issue a line", async () => {
    for (let index = 0; index < 25; index++) {
      github.tick();
      github.addIssue(REPOSITORY, { title: `Issue ${index}` });
    }
    const out = join(place.root, "issues.ndjson");
    expect(await run(["sync", "pull", "--all", "--limit", "10", "--out", out])).toMatchObject({ code: 0 });
    const lines = readFileSync(out, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).title)).toEqual(
      Array.from({ length: 25 }, (_, index) => `Issue ${index}`),
    );
  });

  test("push writes, a run converges, and a second run writes nothing", async () => {
    github.addIssue(REPOSITORY, { title: "Known" });
    await run(["sync", "pull"]);
    const pushed = resultOf(
      await push([
        { ref: {}, action: "create", patch: { title: "New", labels: ["web"] } },
        { ref: { key: "#1" }, action: "update", patch: { title: "Renamed" } },
        { ref: { key: "#1" }, action: "transition", target_status: "done" },
        { ref: { key: "#1" }, action: "comment", body: "Shipped." },
        { ref: { key: "#2" }, action: "link", link: { type: "blocked_by", target: { key: "#1" } } },
      ]),
    );
    expect(pushed).toMatchObject({ status: "ok", summary: { total: 5, succeeded: 5, failed: 0 } });
    expect(github.issue(REPOSITORY, 1)).toMatchObject({ title: "Renamed", state: "closed" });
    expect(await run(["sync", "run"])).toMatchObject({ code: 0 });
    const before = writes();
    expect(await run(["sync", "run"])).toMatchObject({ code: 0 });
    expect(writes()).toBe(before);
  });

  test("a field that both sides changed: exit 1, the result on stdout, the status says it", async () => {
    const number = github.addIssue(REPOSITORY, { title: "Old" });
    await run(["sync", "pull"]);
    github.setClock(Date.now());
    github.editIssue(REPOSITORY, number, { title: "Theirs" });
    const { code, stdout } = await push([{ ref: { key: "#1" }, action: "update", patch: { title: "Ours" } }]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ items: [{ outcome: "conflict" }] });
    expect(github.issue(REPOSITORY, 1)).toMatchObject({ title: "Theirs" });
    const status = await run(["status"]);
    expect(status.code).toBe(0);
    expect(status.stdout.trimEnd().split("\n").length).toBeLessThanOrEqual(10);
    expect(status.stdout).toMatch(/synced/i);
  });

  test("a mission starts from an issue and reports to it, once", async () => {
    github.addIssue(REPOSITORY, { title: "Refund twice", body: "Steps" });
    const seed = resultOf(await run(["mission", "seed", "--issue", "#1", "--mission-id", "m-7", "--json"]));
    expect(seed).toMatchObject({ mission_id: "m-7", title: "Refund twice" });
    const publish = ["mission", "publish", "--issue", "#1", "--mission-id", "m-7", "--state", "implementing"];
    expect(await run([...publish, "--summary", "Half way"])).toMatchObject({ code: 0 });
    const before = writes();
    expect(await run([...publish, "--summary", "Half way"])).toMatchObject({ code: 0 });
    expect(writes()).toBe(before);
  });

  test("a binding that is gone is told, and nothing is tried another way", async () => {
    const reference = /binding_ref: (\S+)/.exec(place.config() ?? "")?.[1] ?? "";
    await run(["host", "mappings", "delete", reference]);
    for (const args of [
      ["sync", "pull"],
      ["sync", "run"],
      ["mission", "seed", "--issue", "#1"],
    ]) {
      const outcome = await run([...args, "--json"]);
      expect([outcome.code, outcome.stdout]).toEqual([1, ""]);
      expect(errorOf(outcome)).toMatchObject({ code: "stale_binding" });
    }
  });
});

test("a host that is killed in the middle of a push goes on after its restart; nothing is doubled", async () => {
  const port = await freePort();
  const flags = serveFlags();
  const first = await startHost(place, { flags, port });
  await bind(first.env);
  const token = first.env.TRACKER_TOKEN ?? "";
  const items = Array.from({ length: 6 }, (_, index) => ({
    ref: {},
    action: "create",
    patch: { title: `Issue ${index}` },
  }));
  // The third issue is made, and the answer does not come before the host is dead.
  const dead = Promise.withResolvers<void>();
  const made = Promise.withResolvers<void>();
  let creates = 0;
  github.fail({ kind: "hold", until: dead.promise }, (request) => {
    if (isCreate(request)) creates += 1;
    if (creates !== 3) return false;
    made.resolve();
    return true;
  });
  const pushing = place.run(["sync", "push", "--items-json", "-", "--json"], {
    env: first.env,
    stdin: JSON.stringify(items),
  });
  await made.promise;
  const operation = operationIn(join(place.root, "host.db"));
  await first.kill();
  dead.resolve();
  expect((await pushing).code).toBe(1);
  expireLeases(join(place.root, "host.db"));

  await using second = await startHost(place, { flags, port, token });
  const waited = await place.run(["sync", "wait", operation, "--json"], {
    env: second.env,
  });
  expect(resultOf(waited)).toMatchObject({ status: "ok", summary: { total: 6, failed: 0 } });
  expect(github.requests.filter(isCreate)).toHaveLength(6);
  expect(github.countIssues(REPOSITORY)).toBe(6);
});

async function freePort(): Promise<number> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port ?? 0;
}

/** The id of the push in a control plane's database. */
function operationIn(path: string): string {
  using database = new Database(path, { readonly: true });
  const row = database
    .query<{ readonly id: string }, []>("select id from operations where kind = 'push'")
    .get();
  return row?.id ?? "";
}

/** Ends the leases that a killed control plane held, as 30 s without it would. */
function expireLeases(path: string): void {
  using database = new Database(path);
  for (const table of ["operations", "sync_states"]) {
    database.run(`update ${table} set lease_expires_at = ? where lease_expires_at is not null`, [
      new Date(0).toISOString(),
    ]);
  }
}
