/** Connections with credentials: what is stored, what is not, and who opens it. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import { publicOnly } from "../../src/host/connections/network.ts";
import { openSource } from "../../src/host/connections/sources.ts";
import { openEmbeddedHost, startServer } from "../../src/host/index.ts";
import { Connection, IdentityPath, OperationAccepted, OperationResult } from "../../src/protocol.ts";
import { providerName } from "../../src/shared/providers.ts";
import { FakeProvider } from "../helpers/host-fake-provider.ts";
import { type Answer, IDENTITY, list, TestHost } from "../helpers/host-fixture.ts";

const ADA = "canary-ada-9fK2xQ7LmZ";
const GRACE = "canary-grace-4Tb8WvR1cY";

let provider: FakeProvider;
let host: TestHost;
beforeEach(async () => {
  provider = new FakeProvider();
  provider.addAccount(ADA, "u-ada", { acme: { "1": "payments-api", "2": "billing", "3": "docs" } });
  provider.addAccount(GRACE, "u-grace", { labs: { "7": "research" } });
  host = await TestHost.open([]);
  host.openReal = provider.open;
});
afterEach(async () => {
  await host.close();
  await provider.stop();
});

const connect = (token: string, fields: Record<string, unknown> = {}, as: { token?: string } = {}) =>
  host.post(
    "admin/connections/",
    { provider: "github", kind: "token", token, base_url: provider.origin, ...fields },
    as,
  );
const connected = async (...given: Parameters<typeof connect>): Promise<Connection> => {
  const answer = await connect(...given);
  expect([answer.status, answer.body.message]).toEqual([200, undefined]);
  return v.parse(Connection, answer.body);
};
const refresh = async (id: string): Promise<Connection> => {
  const answer = await host.call("POST", `admin/connections/${id}/refresh/`);
  return v.parse(Connection, answer.body);
};
const rowsOf = (table: "connections" | "workspaces" | "resources" | "operations" | "audit") =>
  host.database.selectFrom(table).selectAll().execute();
const labels = async () =>
  list((await host.get("tracker/resources/?provider=github")).body.resources).map(
    (item) => item.display_label,
  );

/** Holds the provider at a path, until it is let go. */
function hold(path: string): () => void {
  const { promise: opens, resolve } = Promise.withResolvers<void>();
  provider.gate = { path, opens };
  return resolve;
}

describe("connecting with a token", () => {
  test("discovers and stores, and tells everything but the credential", async () => {
    const answer = await connect(ADA, { base_url: `${provider.origin}/` });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      connection_id: expect.any(String),
      provider: "github",
      kind: "token",
      base_url: provider.origin,
      status: "connected",
      account_label: "acme",
      resource_count: 3,
      last_refreshed_at: "2026-03-01T12:00:00.000Z",
      error: null,
    });
    expect(new Set(provider.authorizations)).toEqual(new Set([`Bearer ${ADA}`]));
    expect(await labels()).toEqual([
      "billing (acme/billing)",
      "docs (acme/docs)",
      "payments-api (acme/payments-api)",
    ]);
    const listed = await host.get("admin/connections/");
    expect(list(listed.body.connections)).toEqual([answer.body]);
    const [installation] = list((await host.get("tracker/installations/")).body.installations);
    expect(Object.keys(installation ?? {})).not.toContain("base_url");
  });

  test("Jira's goes with the address of its owner", async () => {
    const answer = await connect(ADA, { provider: "jira", email: "ada@acme.example" });
    expect(answer.status).toBe(200);
    const pair = Buffer.from(`ada@acme.example:${ADA}`).toString("base64");
    expect(new Set(provider.authorizations)).toEqual(new Set([`Basic ${pair}`]));
  });

  test.each([
    ["jira", { base_url: null, email: "ada@acme.example" }, "base_url"],
    ["jira", { email: null }, "email"],
    ["github", { base_url: "http://github.acme.example" }, "base_url"],
    ["github", { token: "" }, "token"],
    ["github", { kind: "password" }, "kind"],
    ["github", { kind: "nango", connection_id: "c" }, "provider_config_key"],
  ])("%s with %o is refused, naming the field", async (name, fields, field) => {
    const answer = await connect(ADA, { provider: name, ...fields });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(Object.keys(Object(answer.body.details))).toContain(field);
    expect(provider.paths).toEqual([]);
  });

  test.each([
    [401, { message: "Bad credentials" }, 502, "provider_rejected", null],
    [404, { message: "Not Found" }, 502, "provider_rejected", null],
    [503, { message: "Down for a moment" }, 503, "provider_unavailable", null],
    [429, { message: "Slow down" }, 503, "provider_unavailable", 30],
  ])("that the provider answers with %i stores nothing", async (status, body, answered, code, retryAfter) => {
    const headers: Record<string, string> = status === 429 ? { "retry-after": "30" } : {};
    provider.failure = { status, headers, body };
    const answer = await connect(ADA);
    expect([answer.status, answer.body.code, answer.body.source]).toEqual([answered, code, "provider"]);
    expect(answer.body.message).toContain(body.message);
    expect(answer.body.retry_after_seconds).toBe(retryAfter);
    const failure_class = { 401: "auth", 404: "not_found", 429: "rate_limited" }[status] ?? "transient";
    expect(answer.body.details).toEqual({ failure_class });
    for (const table of ["connections", "workspaces", "resources", "audit"] as const) {
      expect(await rowsOf(table)).toEqual([]);
    }
  });

  test("that fails half way through stores nothing", async () => {
    provider.addAccount(ADA, "u-ada", { acme: { "1": "a", "2": "b", "3": "" } });
    const answer = await connect(ADA);
    expect([answer.status, answer.body.code]).toEqual([502, "provider_rejected"]);
    expect(answer.body.message).toContain("items[0].displayName");
    expect([await rowsOf("connections"), await rowsOf("resources")]).toEqual([[], []]);
  });
});

describe("an address where no API is", () => {
  let website: Bun.Server<undefined>;
  beforeEach(() => {
    host.openReal = openSource;
    website = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ headers }) =>
        new Response(`<html>Welcome, ${headers.get("authorization")}</html>`, {
          headers: { "content-type": "text/html" },
        }),
    });
  });
  afterEach(() => website.stop(true));

  const nango = {
    kind: "nango",
    connection_id: "c",
    provider_config_key: "k",
    secret_key: "canary-secret",
    token: undefined,
  };
  const ways: readonly (readonly [string, Record<string, unknown>])[] = [
    ...["github", "gitlab", "linear"].map((provider) => [provider, {}] as const),
    ["jira", { email: "ada@acme.example" }],
    ...["github", "gitlab", "linear", "jira"].map((provider) => [provider, nango] as const),
  ];
  test.each(ways)("is told in plain words: %s %o", async (name, fields) => {
    const at = `127.0.0.1:${website.port}`;
    const answer = await connect(ADA, { provider: name, base_url: `http://${at}`, ...fields });
    expect(answer.body).toMatchObject({
      code: "provider_rejected",
      provider: name,
      details: { failure_class: "contract" },
    });
    expect(answer.body.message).toMatch(
      new RegExp(
        `^${providerName(name)} (discovery|issue): \\w+: ${at} answered with text/html, not JSON: that is not the API of ${providerName(name)}$`,
      ),
    );
    expect(JSON.stringify(answer.body)).not.toMatch(/Welcome|canary/);
  });
});

test("a connection of Nango is told apart by its name there", async () => {
  const nango = {
    kind: "nango",
    provider_config_key: "github-prod",
    secret_key: ADA,
    connection_id: "c1",
    token: undefined,
  };
  const first = await connected("", nango);
  expect(first).toMatchObject({ kind: "nango", base_url: provider.origin, resource_count: 3 });
  expect(provider.paths).not.toContain("/account");
  expect((await connected("", nango)).connection_id).toBe(first.connection_id);
  expect((await connected("", { ...nango, connection_id: "c2" })).connection_id).not.toBe(
    first.connection_id,
  );
});

describe("several connections", () => {
  test("of two accounts stand side by side, each with its own token", async () => {
    const ada = await connected(ADA, { provider: "linear" });
    const grace = await connected(GRACE, { provider: "linear" });
    expect(grace.connection_id).not.toBe(ada.connection_id);
    const { body } = await host.get("tracker/resources/?provider=linear&refresh=1");
    expect(list(body.resources)).toHaveLength(4);
    const installations = list((await host.get("tracker/installations/")).body.installations);
    expect(installations.map((item) => [item.account_label, item.resource_count])).toEqual([
      ["acme", 3],
      ["labs", 1],
    ]);
  });

  test("of the same account are one, with the newer token", async () => {
    const first = await connected(ADA);
    provider.accounts.delete(ADA);
    provider.accounts.set("canary-renewed", "u-ada");
    const second = await connected("canary-renewed");
    expect(second.connection_id).toBe(first.connection_id);
    expect(await rowsOf("connections")).toHaveLength(1);
    provider.authorizations.length = 0;
    expect(await refresh(first.connection_id)).toMatchObject({ status: "connected", error: null });
    expect(new Set(provider.authorizations)).toEqual(new Set(["Bearer canary-renewed"]));
  });

  test("that are made at once for one account are one", async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => connected(ADA)));
    expect(new Set(made.map(({ connection_id }) => connection_id)).size).toBe(1);
    expect(await rowsOf("connections")).toHaveLength(1);
    expect(await rowsOf("resources")).toHaveLength(3);
  });

  test("on two servers that count from one do not share their resources", async () => {
    const other = new FakeProvider();
    other.addAccount(GRACE, "u-ada", { acme: { "1": "elsewhere" } });
    try {
      await connected(ADA);
      await connected(GRACE, { base_url: other.origin });
      const ref = await host.bind("github", "payments-api (acme/payments-api)");
      const { body } = await host.get("tracker/resources/?provider=github");
      const bound = list(body.resources).map((item) => [item.display_label, item.binding_ref]);
      expect(Object.fromEntries(bound)).toEqual({
        "payments-api (acme/payments-api)": ref,
        "elsewhere (acme/elsewhere)": null,
        "billing (acme/billing)": null,
        "docs (acme/docs)": null,
      });
      const [mapping] = list((await host.get("tracker/mappings/?provider=github")).body.mappings);
      expect(mapping?.external_id).toBe("1");
    } finally {
      await other.stop();
    }
  });
});

describe("a removed connection", () => {
  test("has no credential any more, and comes back with a new one", async () => {
    const { connection_id: id } = await connected(ADA);
    const ref = await host.bind("github", "billing (acme/billing)");
    expect((await host.call("DELETE", `admin/connections/${id}/`)).status).toBe(204);
    expect(await rowsOf("connections")).toMatchObject([{ id, secret: null }]);
    expect((await connected(ADA)).connection_id).toBe(id);
    const status = await host.get(`tracker/status/?provider=github&binding_ref=${ref}`);
    expect(status.body).toMatchObject({ connected: true, last_error: null });
  });

  test("leaves its bindings to another one that shows the same resource", async () => {
    const { connection_id: id } = await connected(ADA);
    const ref = await host.bind("github", "billing (acme/billing)");
    const gone = await host.bind("github", "docs (acme/docs)", { ...IDENTITY, uuid: "u2", slug: "docs" });
    provider.addAccount(GRACE, "u-grace", { acme: { "2": "billing" } });
    const stateOf = async (binding_ref: string) => {
      const { body } = await host.get(`tracker/status/?provider=github&binding_ref=${binding_ref}`);
      return [body.connected, v.parse(IdentityPath, body.identity_path).installation_id];
    };
    const { connection_id: other } = await connected(GRACE);
    expect([await stateOf(ref), await stateOf(gone)]).toEqual([
      [true, id],
      [true, id],
    ]);
    await host.call("DELETE", `admin/connections/${id}/`);
    await refresh(other);
    expect([await stateOf(ref), await stateOf(gone)]).toEqual([
      [true, other],
      [false, id],
    ]);
  });

  test("stays removed although a refresh was under way", async () => {
    const { connection_id: id } = await connected(ADA);
    const letGo = hold("/resources");
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    provider.onRequest = () => ask();
    const refreshing = host.call("POST", `admin/connections/${id}/refresh/`);
    await asked;
    await host.call("DELETE", `admin/connections/${id}/`);
    letGo();
    expect((await refreshing).body.code).toBe("connection_not_found");
    const [row] = await rowsOf("connections");
    expect(row).toMatchObject({ resource_count: 0, secret: null });
    const resources = await host.database.selectFrom("resources").select("hidden_at").execute();
    expect(resources.filter(({ hidden_at }) => hidden_at === null)).toEqual([]);
  });
});

describe("secrets", () => {
  /** All that is on disk beside the key, and all that was logged. */
  function everything(): string {
    const folder = dirname(host.databasePath);
    const files = readdirSync(folder).filter((name) => name !== basename(host.keyFile));
    expect(files).toContain("tracker.db-wal");
    const texts = files.map((name) => readFileSync(join(folder, name), "latin1"));
    return [...texts, JSON.stringify(host.log)].join("\n");
  }

  test("are nowhere: not in the database, its log, the host's log or any answer", async () => {
    const pair = Buffer.from(`ada@acme.example:${ADA}`).toString("base64");
    const wrong = "canary-wrong-2Hd6NsP0kE";
    const answers: Answer[] = [
      await connect(ADA),
      await connect(ADA, { provider: "jira", email: "ada@acme.example" }),
    ];
    const ids = answers.map(({ body }) => String(body.connection_id));
    answers.push(await connect(wrong));
    expect(answers.at(-1)?.body.message).toContain("Bad credentials");
    answers.push(
      await connect("", { kind: "nango", connection_id: "c", provider_config_key: "k", secret_key: wrong }),
    );
    provider.accounts.clear();
    for (const id of ids) {
      answers.push(await host.call("POST", `admin/connections/${id}/test/`));
      answers.push(await host.call("POST", `admin/connections/${id}/refresh/`));
      expect(answers.at(-1)?.body).toMatchObject({
        status: "degraded",
        error: expect.stringContaining("***"),
      });
    }
    await host.restart({ maxWaitMs: 1 });
    const letGo = hold("/account");
    answers.push(await connect(ADA));
    expect(answers.at(-1)?.status).toBe(202);
    letGo();
    await host.settled();
    answers.push(await host.get(`tracker/operations/${String(answers.at(-1)?.body.operation_id)}/`));
    expect(answers.at(-1)?.body.status).toBe("failed");
    answers.push(await host.get("admin/connections/"), await host.get("tracker/installations/"));
    const told = everything() + JSON.stringify(answers.map(({ body }) => body));
    for (const secret of [
      ADA,
      wrong,
      pair,
      Buffer.from(ADA).toString("hex"),
      Buffer.from(ADA).toString("base64"),
    ]) {
      expect(told.includes(secret)).toBe(false);
    }
    // The search would find them: names of the same requests are there.
    expect(told).toContain("payments-api");
  });

  test("do not open for another team, nor for another connection", async () => {
    const { connection_id: mine } = await connected(ADA);
    const { token } = await host.addTeam("rivals");
    const { connection_id: theirs } = await connected(GRACE, {}, { token });
    const { secret } = await host.database
      .selectFrom("connections")
      .select("secret")
      .where("id", "=", mine)
      .executeTakeFirstOrThrow();
    await host.database.updateTable("connections").set({ secret }).where("id", "=", theirs).execute();
    provider.authorizations.length = 0;
    const answer = await host.post(`admin/connections/${theirs}/refresh/`, undefined, { token });
    expect(answer.body).toMatchObject({
      status: "degraded",
      error: expect.stringContaining("another connection"),
    });
    expect(provider.authorizations).toEqual([]);
  });

  test("without their key: everything else works, and the message names what to restore", async () => {
    const { connection_id: id } = await connected(ADA);
    const key = readFileSync(host.keyFile);
    rmSync(host.keyFile);
    await host.restart();
    expect(await refresh(id)).toMatchObject({
      status: "degraded",
      error: expect.stringContaining(host.keyFile),
    });
    expect(await labels()).toHaveLength(3);
    const another = await connect(GRACE);
    expect([another.status, another.body.details]).toEqual([503, { reason: "vault_key_missing" }]);
    expect(another.body.message).toContain("Restore");
    expect(await rowsOf("connections")).toHaveLength(1);
    writeFileSync(host.keyFile, key, { mode: 0o600 });
    expect(await refresh(id)).toMatchObject({ status: "connected", error: null });
  });

  test("outlive a rotation of the key", async () => {
    const [old, fresh] = [Buffer.alloc(32, 1).toString("base64"), Buffer.alloc(32, 2).toString("base64")];
    await host.restart({ vaultKey: old });
    const { connection_id: ada } = await connected(ADA);
    await host.restart({ vaultKey: `${fresh},${old}` });
    const { connection_id: grace } = await connected(GRACE);
    expect(await refresh(ada)).toMatchObject({ status: "connected" });
    // Both have been used under the new key by now: the old one can go.
    await host.restart({ vaultKey: fresh });
    for (const id of [ada, grace]) expect(await refresh(id)).toMatchObject({ status: "connected" });
    await host.restart({ vaultKey: old });
    expect(await refresh(ada)).toMatchObject({
      status: "degraded",
      error: expect.stringContaining("TRACKER_VAULT_KEY"),
    });
    expect(readdirSync(dirname(host.keyFile))).not.toContain(basename(host.keyFile));
  });

  test("the key is looked for when there is something to seal, and no earlier", async () => {
    await host.restart({ vaultKey: "nonsense" });
    await host.connect("github");
    expect(await labels()).toHaveLength(3);
    expect((await connect(ADA)).body.details).toEqual({ reason: "vault_key_invalid" });
  });
});

describe("discovery", () => {
  test("reads four workspaces at a time and keeps the provider's order", async () => {
    const names = Array.from({ length: 11 }, (_, index) => `w${index}`);
    provider.addAccount(
      ADA,
      "u-ada",
      Object.fromEntries(names.map((name) => [name, { [name]: `r-${name}` }])),
    );
    const letGo = hold("/resources");
    // Whoever is going to come at once has come some milliseconds after the fourth.
    provider.onRequest = (atOnce) => {
      if (atOnce === 4) setTimeout(letGo, 20);
    };
    const { account_label } = await connected(ADA);
    expect(account_label).toBe("w0, w1 and 9 more");
    expect(provider.mostAtOnce).toBe(4);
    const stored = await host.database
      .selectFrom("resources")
      .select("display_label")
      .orderBy("id")
      .execute();
    expect(stored.map(({ display_label }) => display_label)).toEqual(
      names.map((name) => `r-${name} (${name}/r-${name})`),
    );
  });

  test("mappings follow a resource that was renamed and moved", async () => {
    const { connection_id: id } = await connected(ADA);
    const ref = await host.bind("github", "billing (acme/billing)");
    const still = await host.bind("github", "docs (acme/docs)", { ...IDENTITY, uuid: "u2", slug: "docs" });
    await host.alter(still, { status: "disabled" });
    provider.addAccount(ADA, "u-ada", {
      acme: { "1": "payments-api" },
      money: { "2": "invoices", "3": "manual" },
    });
    await refresh(id);
    const mappings = list((await host.get("tracker/mappings/?provider=github")).body.mappings);
    expect(mappings).toMatchObject([
      {
        binding_ref: ref,
        display_label: "invoices (money/invoices)",
        external_key: "money/invoices",
        provider_context: { workspace_name: "money" },
      },
      { binding_ref: still, display_label: "docs (acme/docs)" },
    ]);
    const row = await host.database
      .selectFrom("mappings")
      .select("routing_metadata")
      .where("binding_ref", "=", ref)
      .executeTakeFirstOrThrow();
    expect(JSON.parse(row.routing_metadata)).toMatchObject({
      connector_params: { owner: "money", repo: "invoices" },
    });
    const followed = (await rowsOf("audit")).filter(({ action }) => action === "mapping.followed");
    expect(followed.map(({ subject }) => subject)).toEqual([ref]);
  });
});

describe("what takes long", () => {
  const operation = async (answer: Answer, options = {}) => {
    const { operation_id } = v.parse(OperationAccepted, answer.body);
    const told = await host.get(`tracker/operations/${operation_id}/`, options);
    return { ...told, operation: told.status === 200 ? v.parse(OperationResult, told.body) : null };
  };

  test("answers with an operation that tells how it goes and what it came to", async () => {
    await host.restart({ maxWaitMs: 1 });
    const letGo = hold("/resources");
    const accepted = await connect(ADA);
    expect([accepted.status, accepted.body]).toEqual([
      202,
      { operation_id: expect.stringMatching(/^[0-9a-f-]{36}$/), status: "pending" },
    ]);
    expect((await operation(accepted)).operation).toMatchObject({
      status: "running",
      progress: { done: 0, total: null },
      result: null,
      error: null,
    });
    expect((await host.get("admin/connections/")).body.connections).toEqual([]);
    letGo();
    await host.settled();
    const { operation: done } = await operation(accepted);
    expect(done).toMatchObject({ status: "completed", progress: { done: 3, total: null }, error: null });
    const { connection_id } = v.parse(Connection, done?.result);

    const letGoAgain = hold("/workspaces");
    const refreshing = await host.call("POST", `admin/connections/${connection_id}/refresh/`);
    expect(refreshing.status).toBe(202);
    letGoAgain();
    await host.settled();
    expect((await operation(refreshing)).operation?.result).toMatchObject({
      connection_id,
      resource_count: 3,
    });
    const { token } = await host.addTeam("rivals");
    const foreign = await operation(refreshing, { token });
    expect([foreign.status, foreign.body.code]).toEqual([404, "operation_not_found"]);
  });

  test("and fails leaves the error in the operation", async () => {
    await host.restart({ maxWaitMs: 1 });
    const letGo = hold("/account");
    const accepted = await connect("canary-unknown");
    letGo();
    await host.settled();
    expect((await operation(accepted)).operation).toMatchObject({
      status: "failed",
      result: null,
      error: { code: "provider_rejected", http_status: 502, provider: "github", source: "provider" },
    });
    expect(await rowsOf("connections")).toEqual([]);
  });

  test("and was lost with its process reads as interrupted", async () => {
    await host.restart({ maxWaitMs: 1 });
    const letGo = hold("/account");
    const accepted = await connect(ADA);
    host.now += 29_000;
    expect((await operation(accepted)).operation?.status).toBe("running");
    host.now += 2_000;
    expect((await operation(accepted)).operation).toMatchObject({
      status: "failed",
      error: { message: "The operation was interrupted; run it again." },
    });
    letGo();
  });

  test("is forgotten after a day", async () => {
    await host.restart({ maxWaitMs: 1 });
    for (const day of [0, 1]) {
      host.now += day * 24 * 60 * 60_000;
      const letGo = hold("/account");
      await connect(ADA);
      letGo();
      await host.settled();
      expect(await rowsOf("operations")).toHaveLength(1);
    }
  });

  test("is interrupted when the host stops, and nothing is blamed on the provider", async () => {
    const { connection_id: id } = await connected(ADA);
    await host.restart({ maxWaitMs: 1 });
    hold("/workspaces");
    const accepted = await host.call("POST", `admin/connections/${id}/refresh/`);
    const second = await connect(GRACE);
    await host.stop();
    await host.restart({});
    for (const answer of [accepted, second]) {
      expect((await operation(answer)).operation).toMatchObject({
        status: "failed",
        error: { message: "The operation was interrupted; run it again.", source: "saas" },
      });
    }
    expect(await rowsOf("connections")).toMatchObject([{ id, status: "connected", error: null }]);
    expect(host.log).toEqual([]);
    const unknown = await host.get("tracker/operations/nothing/");
    expect([unknown.status, unknown.body.code]).toEqual([404, "operation_not_found"]);
  });

  test("does not keep an embedded host open", async () => {
    const databasePath = `${host.databasePath}.embedded`;
    const asked = Promise.withResolvers<AbortSignal>();
    const log: unknown[] = [];
    const embedded = await openEmbeddedHost({
      databasePath,
      now: Date.now,
      version: "0",
      log: (entry) => log.push(entry),
      providerFetch: ({ signal }) => {
        asked.resolve(signal);
        // A provider that is silent, and deaf as well.
        return new Promise(() => {});
      },
    });
    const body = JSON.stringify({ provider: "github", kind: "token", token: ADA });
    const request = new Request("http://embedded/api/v1/admin/connections/", { method: "POST", body });
    const answering = embedded.fetch(request);
    const signal = await asked.promise;
    await embedded.close();
    expect(signal.aborted).toBe(true);
    expect(v.parse(v.object({ message: v.string() }), await (await answering).json()).message).toContain(
      "interrupted",
    );
    expect(log).toEqual([]);
  });
});

describe("addresses that people give", () => {
  test("must be public, when connecting and ever after", async () => {
    let address = "10.0.0.7";
    const reach = publicOnly(
      async () => [address],
      // What leads to the internet leads to the provider of this test.
      () => (request) =>
        fetch(new Request(request.url.replace("https://github.acme.example", provider.origin), request)),
    );
    await host.restart({ reach });
    const fields = { base_url: "https://github.acme.example" };
    const refused = await connect(ADA, fields);
    expect([refused.status, refused.body.code]).toEqual([400, "invalid_request"]);
    expect(refused.body.details).toEqual({ base_url: expect.stringContaining("--allow-private-network") });
    expect(provider.paths).toEqual([]);
    address = "93.184.216.34";
    const { connection_id: id } = await connected(ADA, fields);
    address = "169.254.169.254";
    provider.paths.length = 0;
    expect(await refresh(id)).toMatchObject({
      status: "degraded",
      error: expect.stringContaining("private"),
    });
    expect(provider.paths).toEqual([]);
    const nango = { kind: "nango", connection_id: "c", provider_config_key: "k", secret_key: "s" };
    expect((await connect(ADA, { ...fields, ...nango })).body.details).toHaveProperty("base_url");
  });

  test("may be private on a server only when it was started so", async () => {
    provider.failure = { status: 401, body: { message: "Bad credentials" } };
    const outcome = async (allowPrivateNetwork: boolean) => {
      const server = await startServer({
        databasePath: `${host.databasePath}.served`,
        allowPrivateNetwork,
        port: 0,
        log: () => {},
        now: Date.now,
        version: "0",
      });
      token = server.ownerToken ?? token;
      const answer = await fetch(`${server.url}/api/v1/admin/connections/`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ provider: "github", kind: "token", token: ADA, base_url: provider.origin }),
      });
      await server.stop();
      return v.parse(v.object({ code: v.string() }), await answer.json()).code;
    };
    let token = "";
    expect(await outcome(false)).toBe("invalid_request");
    expect(provider.paths).toEqual([]);
    expect(await outcome(true)).toBe("provider_rejected");
    expect(provider.paths).not.toEqual([]);
  });
});
