import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import { ListenError, openEmbeddedHost, type ServerOptions, startServer } from "../../src/host/index.ts";
import {
  BindConfirmResponse,
  BindResolveResponse,
  InstallationsResponse,
  OperationResult,
  ResourcesResponse,
} from "../../src/protocol.ts";
import { failureOf } from "../helpers/failure.ts";
import { IDENTITY } from "../helpers/host-fixture.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tracker-durability-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = () => join(folder, "state", "tracker.db");
const Started = v.object({ url: v.string(), ownerToken: v.nullable(v.string()) });

/** Starts the host in a process of its own. */
async function spawnHost() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "host-server.ts"), file()], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const { url, ownerToken } = v.parse(Started, JSON.parse(new TextDecoder().decode(value)));
  return {
    url,
    ownerToken,
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

const api = (url: string, token: string | null) => ({
  get: (path: string) => fetch(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } }),
  post: (path: string, body: unknown) =>
    fetch(`${url}/api/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    }),
});

function options(overrides: { port?: number } = {}): ServerOptions {
  return { databasePath: file(), port: 0, log: () => {}, now: Date.now, version: "0.0.0", ...overrides };
}

test("acknowledged confirms survive kill -9", async () => {
  const acknowledged = new Set<string>();
  let token: string | null = null;
  for (const killAfter of [1, 4, 7]) {
    const host = await spawnHost();
    token ??= host.ownerToken;
    const { get, post } = api(host.url, token);
    await post("admin/connections/", { provider: "github", kind: "demo" });
    const listed = await (await get("tracker/resources/?provider=github")).json();
    const free = v
      .parse(ResourcesResponse, listed)
      .resources.filter(({ binding_ref }) => binding_ref === null);
    let answers = 0;
    const killed = Promise.withResolvers<void>();
    await Promise.allSettled(
      free.map(async ({ candidate_token, display_label }) => {
        const project_identity = { ...IDENTITY, uuid: `${killAfter}:${display_label}`, slug: display_label };
        const answer = await post("tracker/bind-confirm/", {
          provider: "github",
          candidate_token,
          project_identity,
        });
        acknowledged.add(v.parse(BindConfirmResponse, await answer.json()).binding_ref);
        if (++answers === Math.min(killAfter, free.length)) host.kill().then(killed.resolve, killed.reject);
      }),
    );
    if (answers < Math.min(killAfter, free.length)) await host.kill();
    else await killed.promise;
  }
  expect(acknowledged.size).toBeGreaterThan(5);

  const server = await startServer(options());
  try {
    expect(server.ownerToken).toBeNull();
    const { get } = api(server.url, token);
    for (const ref of acknowledged) {
      const answer = await get(`tracker/status/?provider=github&binding_ref=${ref}`);
      expect([ref, answer.status]).toEqual([ref, 200]);
    }
  } finally {
    await server.stop();
  }
});

test("two processes that open a fresh database at once both work", async () => {
  const hosts = await Promise.all([spawnHost(), spawnHost()]);
  try {
    const tokens = hosts.map(({ ownerToken }) => ownerToken).filter((token) => token !== null);
    expect(tokens.length).toBeGreaterThan(0);
    for (const { url } of hosts) {
      for (const token of tokens) expect((await api(url, token).get("me/")).status).toBe(200);
    }
  } finally {
    await Promise.all(hosts.map(({ kill }) => kill()));
  }
});

describe("the database file", () => {
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

  test("is private to the user, its folder too", async () => {
    const host = await openEmbeddedHost({ log: () => {}, databasePath: file(), now: Date.now, version: "0" });
    await host.fetch(
      new Request("http://embedded/api/v1/admin/connections/", {
        method: "POST",
        body: JSON.stringify({ provider: "github", kind: "demo" }),
      }),
    );
    const modes = readdirSync(join(folder, "state")).map((name) => mode(join(folder, "state", name)));
    await host.close();
    expect(new Set(modes)).toEqual(new Set(["600"]));
    expect(mode(join(folder, "state"))).toBe("700");
  });

  test("never holds the owner's token", async () => {
    const server = await startServer(options());
    const token = server.ownerToken ?? "";
    await server.stop();
    expect(token).toMatch(/^trk_[\w-]{43}$/);
    expect(readFileSync(file()).includes(token.slice(4))).toBe(false);
  });

  test("that is no database is refused and left alone", async () => {
    writeFileSync(join(folder, "notes.txt"), "not a database, but somebody's notes\n".repeat(40));
    const opening = openEmbeddedHost({
      log: () => {},
      databasePath: join(folder, "notes.txt"),
      now: Date.now,
      version: "0",
    });
    expect(await failureOf(opening)).toMatchObject({ code: "database_unavailable" });
    expect(readFileSync(join(folder, "notes.txt"), "utf8")).toStartWith("not a database");
  });

  test("of a newer version is refused", async () => {
    const host = await openEmbeddedHost({ log: () => {}, databasePath: file(), now: Date.now, version: "0" });
    await host.close();
    const { Database } = await import("bun:sqlite");
    const raw = new Database(file());
    raw.run("insert into kysely_migration values ('9999-future', '2099-01-01T00:00:00.000Z')");
    raw.close();
    const opening = openEmbeddedHost({ log: () => {}, databasePath: file(), now: Date.now, version: "0" });
    expect(await failureOf(opening)).toMatchObject({
      code: "database_migration",
      message: expect.stringContaining("newer"),
    });
  });

  test("in a place that cannot be written is used from memory, and says why", async () => {
    writeFileSync(join(folder, "state"), "");
    const host = await openEmbeddedHost({ log: () => {}, databasePath: file(), now: Date.now, version: "0" });
    expect(host.storageError).toMatchObject({ code: "database_unavailable" });
    expect((await connections(host)).status).toBe(200);
    await host.close();
    expect(readFileSync(join(folder, "state"), "utf8")).toBe("");
  });

  test("that may only be read is copied to memory, with what its log holds", async () => {
    const open = () => openEmbeddedHost({ log: () => {}, databasePath: file(), now: Date.now, version: "0" });
    const before = await open();
    const demo = { provider: "github", kind: "demo" };
    const request = { method: "POST", body: JSON.stringify(demo) };
    await before.fetch(new Request("http://embedded/api/v1/admin/connections/", request));
    const { openSqliteCopy } = await import("../../src/host/database/sqlite.ts");
    const countIn = async () => {
      const copy = await openSqliteCopy(file());
      const { length } = await copy.selectFrom("connections").select("id").execute();
      await copy.updateTable("connections").set({ account_label: "changed" }).execute();
      await copy.destroy();
      return length;
    };
    // Once while the log is in use, once after it was merged.
    expect(await countIn()).toBe(1);
    await before.close();
    expect(await countIn()).toBe(1);
    const after = await open();
    expect(await (await connections(after)).text()).not.toContain("changed");
    expect(after.storageError).toBeNull();
    await after.close();
  });
});

test("the embedded host needs no header and keeps what was bound for the next run", async () => {
  const run = async (method: string, path: string, body?: unknown) => {
    const host = await openEmbeddedHost({ log: () => {}, databasePath: file(), now: Date.now, version: "0" });
    const answer = await host.fetch(
      new Request(`http://embedded/api/v1/${path}`, {
        method,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
    const parsed: unknown = await answer.json();
    await host.close();
    return parsed;
  };
  const Resolved = v.object({ candidate_token: v.nullable(v.string()), binding_ref: v.nullable(v.string()) });
  await run("POST", "admin/connections/", { provider: "github", kind: "demo" });
  const resolve = async () =>
    v.parse(
      Resolved,
      await run("POST", "tracker/bind-resolve/", { provider: "github", project_identity: IDENTITY }),
    );
  const { candidate_token } = await resolve();
  const confirmed = v.parse(
    BindConfirmResponse,
    await run("POST", "tracker/bind-confirm/", {
      provider: "github",
      candidate_token,
      project_identity: IDENTITY,
    }),
  );
  expect(await resolve()).toMatchObject({ binding_ref: confirmed.binding_ref });
});

describe("the server", () => {
  test("listens on loopback, has the demo providers, and leaves nothing behind", async () => {
    const before = demoFolders();
    const server = await startServer({ demo: true, port: 0, log: () => {}, now: Date.now, version: "0" });
    expect(new URL(server.url).hostname).toBe("127.0.0.1");
    const answer = await api(server.url, server.ownerToken).get("tracker/installations/");
    const { installations } = v.parse(InstallationsResponse, await answer.json());
    expect(installations.map(({ provider, status }) => [provider, status])).toEqual([
      ["github", "connected"],
      ["gitlab", "connected"],
      ["jira", "connected"],
      ["linear", "connected"],
    ]);
    expect(demoFolders().length).toBe(before.length + 1);
    await server.stop();
    expect(demoFolders()).toEqual(before);
  });

  const demoFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("tracker-demo-"));

  test("refuses a port that is taken, with a hint", async () => {
    const first = await startServer(options());
    const port = Number(new URL(first.url).port);
    const error = await failureOf(startServer(options({ port })));
    await first.stop();
    expect(error).toBeInstanceOf(ListenError);
    expect(error).toMatchObject({ code: "port_in_use", hint: expect.stringContaining("--port") });
  });

  test("stops although a client keeps its connection open", async () => {
    const server = await startServer(options());
    const { hostname, port } = new URL(server.url);
    const client = connect(Number(port), hostname);
    const closed = new Promise((resolve) => client.once("close", resolve));
    client.on("error", () => {});
    client.write("GET /api/v1/tracker/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await new Promise((resolve) => client.once("data", resolve));
    await server.stop();
    await closed;
    await expect(fetch(server.url)).rejects.toThrow("ECONNREFUSED");
  });
});

describe("the embedded host, over a provider that takes its time to write", () => {
  let github: GitHubSimulator;
  let delay: number;
  beforeEach(async () => {
    const repositories = [{ name: "payments-api" }];
    github = await new GitHubSimulator({ workspaces: [{ login: "acme", repositories }] }).start();
    github.setClock(Date.now() - 1000);
    delay = 0;
  });
  afterEach(() => github.stop());

  /** What one command does: opens the host, calls, closes it. */
  const command = async (method: string, path: string, body?: unknown) => {
    const host = await openEmbeddedHost({
      databasePath: file(),
      now: Date.now,
      version: "0",
      providerFetch: async (request) => {
        if (request.method === "POST") await setTimeout(delay, undefined, { signal: request.signal });
        return fetch(request, { redirect: "manual" });
      },
      log: () => {},
    });
    try {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const answer = await host.fetch(new Request(`http://embedded/api/v1/${path}`, init));
      const parsed: unknown = await answer.json();
      return { status: answer.status, body: parsed };
    } finally {
      await host.close();
    }
  };
  /** Connects and binds. Returns what routes to the mapping. */
  const bound = async () => {
    const { token, origin } = github;
    await command("POST", "admin/connections/", {
      provider: "github",
      kind: "token",
      token,
      base_url: origin,
    });
    const project = { provider: "github", project_identity: IDENTITY };
    const resolved = await command("POST", "tracker/bind-resolve/", project);
    const { candidate_token } = v.parse(BindResolveResponse, resolved.body);
    const confirmed = await command("POST", "tracker/bind-confirm/", { ...project, candidate_token });
    const { binding_ref } = v.parse(BindConfirmResponse, confirmed.body);
    return { provider: "github", binding_ref };
  };
  const create = (...titles: readonly string[]) => ({
    items: titles.map((title) => ({ ref: {}, action: "create", patch: { title } })),
  });

  test("answers a mission's update with the issue, where a push would be an operation by then", async () => {
    const route = await bound();
    github.addIssue("acme/payments-api", { title: "Refund twice" });
    delay = 2_200;
    const update = { mission_id: "m-7", mission_state: "implementing" };
    const answer = await command("POST", "tracker/missions/publish/", { ...route, issue: "#1", update });
    expect(answer).toMatchObject({ status: 200, body: { title: "Refund twice" } });
  });

  test("finishes the push that a command has left behind before the next one begins", async () => {
    const route = await bound();
    delay = 2_200;
    const left = await command("POST", "tracker/push/", { ...route, ...create("One", "Two") });
    expect(left.status).toBe(202);
    expect(github.countIssues("acme/payments-api")).toBe(1);
    delay = 0;
    expect(await command("POST", "tracker/run/", route)).toMatchObject({
      status: 200,
      body: { status: "ok" },
    });
    const { operation_id } = v.parse(v.object({ operation_id: v.string() }), left.body);
    const { body } = await command("GET", `tracker/operations/${operation_id}/`);
    expect(v.parse(OperationResult, body)).toMatchObject({
      status: "completed",
      result: { summary: { succeeded: 2 } },
    });
    expect(github.countIssues("acme/payments-api")).toBe(2);
  });
});

function connections(host: { fetch(request: Request): Promise<Response> }): Promise<Response> {
  return host.fetch(new Request("http://embedded/api/v1/admin/connections/"));
}
