/** The real client against the real host, without a socket between them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ulid } from "ulid";
import { type ClientOptions, ControlPlaneClient } from "../../src/client.ts";
import { tokenAuthenticate } from "../../src/host/access/authentication.ts";
import { hostKey } from "../../src/host/access/installation.ts";
import { createToken } from "../../src/host/access/tokens.ts";
import { openSource } from "../../src/host/connections/sources.ts";
import { openSqlite } from "../../src/host/database/sqlite.ts";
import { createHost, openEmbeddedHost } from "../../src/host/index.ts";
import type { ProjectIdentity } from "../../src/protocol.ts";
import { failureOf } from "../helpers/failure.ts";
import { PERSONAL, StubbedCredentials, StubbedNature, USER_AGENT } from "../helpers/http-stubs.ts";

const IDENTITY: ProjectIdentity = {
  uuid: "6c1f0b0e-4f0a-4d57-9f5e-0d4f8f3f2f11",
  slug: "payments-api",
  node_id: "0123456789ab",
  repo_slug: "acme/payments-api",
};
const OTHER: ProjectIdentity = {
  ...IDENTITY,
  uuid: "99999999-0000-4000-8000-000000000000",
  slug: "zzz",
  repo_slug: null,
};

type Setup = Pick<ClientOptions, "fetch" | "credentials">;

/** The host as the executable embeds it, and as a server wires it for callers with tokens. */
const HOSTS: Readonly<Record<string, (path: string) => Promise<Setup & { close(): Promise<void> }>>> = {
  embedded: async (databasePath) => {
    const host = await openEmbeddedHost({ log: () => {}, databasePath, now: Date.now, version: "1.2.3" });
    return { fetch: host.fetch, credentials: null, close: host.close };
  },
  "with tokens": async (databasePath) => {
    const database = await openSqlite(databasePath);
    const [teamId, userId, now] = [ulid(), ulid(), Date.now()];
    const created_at = new Date(now).toISOString();
    await database
      .insertInto("teams")
      .values({ id: teamId, slug: "acme", name: "Acme", created_at })
      .execute();
    await database.insertInto("users").values({ id: userId, email: null, name: "Ada", created_at }).execute();
    await database
      .insertInto("memberships")
      .values({ team_id: teamId, user_id: userId, role: "owner" })
      .execute();
    const accessToken = await createToken(database, { teamId, userId, name: "test", now });
    const host = createHost({
      database,
      authenticate: tokenAuthenticate(database),
      hostKey: await hostKey(database),
      openSource,
      now: Date.now,
      version: "1.2.3",
      log: (entry) => {
        throw new Error(`the host logged ${JSON.stringify(entry)}`);
      },
    });
    return {
      fetch: host.fetch,
      credentials: new StubbedCredentials({ ...PERSONAL, accessToken, teamSlug: null }),
      close: async () => {
        await host.settled();
        await database.destroy();
      },
    };
  },
};

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tracker-client-host-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A client of `setup` with waits that take no time. */
function clientOf(setup: Setup): ControlPlaneClient {
  return new ControlPlaneClient({
    ...setup,
    url: new URL("http://localhost"),
    name: "the host",
    timing: new StubbedNature(),
    userAgent: USER_AGENT,
  });
}

describe.each(Object.keys(HOSTS))("%s", (name) => {
  /** Runs `action` with a client of a new host. */
  async function withClient(action: (client: ControlPlaneClient) => Promise<void>): Promise<void> {
    const host = await HOSTS[name]?.(join(folder, "host.db"));
    if (host === undefined) throw new Error(`no host ${name}`);
    try {
      await action(clientOf(host));
    } finally {
      await host.close();
    }
  }

  test("one binding from connecting to work, by both routing keys", () =>
    withClient(async (client) => {
      expect(await client.call("health", {})).toMatchObject({
        status: "ok",
        version: "1.2.3",
        database: "sqlite",
      });
      expect((await client.call("me", {})).teams).toHaveLength(1);
      expect((await client.call("installations", {})).installations).toEqual([]);
      expect(await failureOf(client.call("resources", { provider: "github" }))).toMatchObject({
        code: "no_installation",
        status: 403,
      });

      const connection = await client.call("connect", { provider: "github", kind: "demo" });
      expect(connection).toMatchObject({ provider: "github", kind: "demo", status: "connected" });
      const [installation] = (await client.call("installations", { provider: "github" })).installations;
      expect(installation).toMatchObject({
        installation_id: connection.connection_id,
        resource_count: connection.resource_count,
        bound_count: 0,
      });

      const { resources, provider } = await client.call("resources", { provider: "github" });
      expect(provider).toBe("github");
      expect(resources).toHaveLength(connection.resource_count);
      const [wanted] = resources;
      if (wanted === undefined) throw new Error("the demo has no resources");

      const bound = await client.call("bindConfirm", {
        provider: "github",
        candidate_token: wanted.candidate_token,
        project_identity: IDENTITY,
      });
      expect(bound).toMatchObject({
        display_label: wanted.display_label,
        provider: "github",
        provider_context: wanted.provider_context,
        project_slug: IDENTITY.slug,
      });
      expect(bound.binding_ref).toStartWith("srm_");

      const resolved = await client.call("bindResolve", { provider: "github", project_identity: IDENTITY });
      expect(resolved).toMatchObject({ match_type: "exact", binding_ref: bound.binding_ref });
      expect(
        await client.call("bindValidate", {
          provider: "github",
          binding_ref: bound.binding_ref,
          project_identity: IDENTITY,
        }),
      ).toMatchObject({
        valid: true,
        binding_ref: bound.binding_ref,
        display_label: wanted.display_label,
      });

      for (const key of [{ binding_ref: bound.binding_ref }, { project_slug: IDENTITY.slug }]) {
        expect(await client.call("status", { provider: "github", ...key })).toMatchObject({
          provider: "github",
          connected: true,
          configured: true,
          binding_ref: bound.binding_ref,
          display_label: wanted.display_label,
          sync_state: "never",
        });
        const { mappings, binding_ref } = await client.call("mappings", { provider: "github", ...key });
        expect(mappings).toHaveLength(1);
        expect([binding_ref, mappings[0]?.project_uuid]).toEqual([bound.binding_ref, IDENTITY.uuid]);
      }
      expect((await client.call("mappings", { provider: "github" })).mappings).toHaveLength(1);
      expect(await client.call("installationStatus", { provider: "github" })).toMatchObject({
        connected: true,
        resource_count: connection.resource_count,
        bindings: [{ binding_ref: bound.binding_ref, project_slug: IDENTITY.slug, status: "active" }],
      });
    }));

  test("a confirm that is repeated with its key answers the same", () =>
    withClient(async (client) => {
      await client.call("connect", { provider: "linear", kind: "demo" });
      const [first, second] = (await client.call("resources", { provider: "linear" })).resources;
      const confirm = (token: string | undefined) =>
        client.call(
          "bindConfirm",
          { provider: "linear", candidate_token: token ?? "", project_identity: IDENTITY },
          { idempotencyKey: "a-key-of-my-own" },
        );
      const bound = await confirm(first?.candidate_token);
      expect(await confirm(first?.candidate_token)).toEqual(bound);
      expect(await failureOf(confirm(second?.candidate_token))).toMatchObject({
        code: "idempotency_mismatch",
        status: 422,
      });
    }));

  test("refusals arrive as their codes", () =>
    withClient(async (client) => {
      await client.call("connect", { provider: "github", kind: "demo" });
      const [wanted] = (await client.call("resources", { provider: "github" })).resources;
      const token = wanted?.candidate_token ?? "";
      const { binding_ref } = await client.call("bindConfirm", {
        provider: "github",
        candidate_token: token,
        project_identity: IDENTITY,
      });
      expect(
        await failureOf(
          client.call("bindConfirm", {
            provider: "github",
            candidate_token: "cand_forged",
            project_identity: OTHER,
          }),
        ),
      ).toMatchObject({
        code: "invalid_candidate_token",
        status: 400,
      });
      expect(
        await failureOf(client.call("status", { provider: "github", binding_ref: "srm_gone" })),
      ).toMatchObject({
        code: "binding_not_found",
        status: 404,
        requestId: expect.stringMatching(/^[0-9A-Z]{26}$/),
      });
      expect(
        await failureOf(client.call("status", { provider: "github", project_slug: "nobody" })),
      ).toMatchObject({
        code: "binding_not_found",
      });
      expect(
        await client.call("bindValidate", {
          provider: "github",
          binding_ref: "srm_gone",
          project_identity: IDENTITY,
        }),
      ).toMatchObject({
        valid: false,
        reason: "mapping_deleted",
      });
      expect(
        await client.call("bindValidate", {
          provider: "github",
          binding_ref: binding_ref,
          project_identity: OTHER,
        }),
      ).toMatchObject({
        valid: false,
        reason: "project_mismatch",
      });
      expect(await failureOf(client.call("resources", { provider: "azure_devops" }))).toMatchObject({
        code: "unsupported_provider",
      });
    }));

  test("connections are tested, refreshed, listed and removed", () =>
    withClient(async (client) => {
      const { connection_id } = await client.call("connect", { provider: "jira", kind: "demo" });
      expect(await client.call("testConnection", { connection_id })).toMatchObject({
        status: "connected",
        error: null,
      });
      expect(await client.call("refreshConnection", { connection_id })).toMatchObject({ connection_id });
      expect(
        (await client.call("connections", {})).connections.map((connection) => connection.connection_id),
      ).toEqual([connection_id]);
      await client.call("removeConnection", { connection_id });
      expect((await client.call("connections", {})).connections).toEqual([]);
      expect(await failureOf(client.call("testConnection", { connection_id }))).toMatchObject({
        code: "connection_not_found",
      });
    }));
});

test("a token that the host does not know is refused once and for all", async () => {
  const host = await HOSTS["with tokens"]?.(join(folder, "host.db"));
  if (host === undefined) throw new Error("no host");
  try {
    const credentials = new StubbedCredentials(PERSONAL);
    const error = await failureOf(
      clientOf({ ...host, credentials }).call("resources", { provider: "github" }),
    );
    expect(error).toMatchObject({ name: "NotAuthenticatedError", code: "unauthorized" });
  } finally {
    await host.close();
  }
});

test("a team that the token is not for is refused", async () => {
  const host = await HOSTS["with tokens"]?.(join(folder, "host.db"));
  const credential = await host?.credentials?.current();
  if (host === undefined || credential === null || credential === undefined) throw new Error("no host");
  try {
    const credentials = new StubbedCredentials({ ...credential, teamSlug: "globex" });
    expect(
      await failureOf(clientOf({ ...host, credentials }).call("resources", { provider: "github" })),
    ).toMatchObject({
      code: "team_mismatch",
      status: 403,
    });
  } finally {
    await host.close();
  }
});
