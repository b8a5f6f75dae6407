/** Renewal of credentials after a 401, and which team a call is for. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ClientCredential } from "../../src/client.ts";
import { ConfigError, NotAuthenticatedError } from "../../src/shared/errors.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, PERSONAL, StubbedCredentials, stubbedClient } from "../helpers/http-stubs.ts";

const RESOURCES = "/api/v1/tracker/resources/?provider=linear";
const RESOLVE = "/api/v1/tracker/bind-resolve/";
const OAUTH = "/oauth/token";
const LEGACY = "/api/v1/token/refresh/";
const IDENTITY = { uuid: "u-1", slug: "payments-api", node_id: "0123456789ab", repo_slug: null };

const OAUTH_CREDENTIAL: ClientCredential = {
  kind: "oauth",
  accessToken: "access-1",
  refreshToken: "refresh-1",
  teamSlug: "acme",
};
const LEGACY_CREDENTIAL: ClientCredential = { ...OAUTH_CREDENTIAL, kind: "legacy" };

const denied = (): Response => Response.json(errorBody("unauthorized"), { status: 401 });
const resources = (): Response => Response.json({ resources: [] });
const oauthAnswer = (): Response =>
  Response.json({
    access_token: "access-2",
    refresh_token: "refresh-2",
    token_type: "Bearer",
    expires_in: 900,
  });
const legacyAnswer = (): Response =>
  Response.json({ access: "access-2", refresh: "refresh-2", access_lifetime: 1, refresh_lifetime: 2 });

let stubs = new HttpStubs();
beforeEach(() => {
  stubs = new HttpStubs();
});
afterEach(() => stubs.verify());

const authorizations = (): (string | undefined)[] =>
  stubs.requests.map(({ headers }) => headers.authorization);

describe("a 401", () => {
  test("renews an OAuth credential once and sends once more", async () => {
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, oauthAnswer()).on("GET", RESOURCES, resources());
    const credentials = new StubbedCredentials(OAUTH_CREDENTIAL);
    await stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" });
    const renewal = stubs.requests[1];
    expect(Object.fromEntries(new URLSearchParams(renewal?.text ?? ""))).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-1",
      client_id: "cli_native",
    });
    expect(renewal?.headers["content-type"]).toStartWith("application/x-www-form-urlencoded");
    expect(authorizations()).toEqual(["Bearer access-1", undefined, "Bearer access-2"]);
    expect(stubs.requests[2]?.headers["x-team-slug"]).toBe("acme");
    expect(credentials.kept).toEqual([
      { ...OAUTH_CREDENTIAL, accessToken: "access-2", refreshToken: "refresh-2" },
    ]);
  });

  test("renews a legacy credential at its own address", async () => {
    stubs.on("GET", RESOURCES, denied()).on("POST", LEGACY, legacyAnswer()).on("GET", RESOURCES, resources());
    const credentials = new StubbedCredentials(LEGACY_CREDENTIAL);
    await stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" });
    const renewal = stubs.requests[1];
    expect(JSON.parse(renewal?.text ?? "")).toEqual({ refresh: "refresh-1" });
    expect(renewal?.headers["content-type"]).toBe("application/json");
    expect(authorizations()).toEqual(["Bearer access-1", undefined, "Bearer access-2"]);
    expect(credentials.kept).toEqual([
      { ...LEGACY_CREDENTIAL, accessToken: "access-2", refreshToken: "refresh-2" },
    ]);
  });

  test.each([
    [OAUTH_CREDENTIAL, OAUTH, { access_token: "access-2" }],
    [LEGACY_CREDENTIAL, LEGACY, { access: "access-2" }],
  ])("keeps the refresh token where none is sent: $0.kind", async (credential, target, answer) => {
    stubs.on("GET", RESOURCES, denied()).on("POST", target, Response.json(answer));
    stubs.on("GET", RESOURCES, resources());
    const credentials = new StubbedCredentials(credential);
    await stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" });
    expect(credentials.kept).toEqual([{ ...credential, accessToken: "access-2" }]);
  });

  test("sends a write again with the same body and Idempotency-Key", async () => {
    const target = "/api/v1/tracker/bind-confirm/";
    const confirmed = { binding_ref: "srm_1", display_label: "P", provider: "linear" };
    stubs.on("POST", target, denied()).on("POST", OAUTH, oauthAnswer());
    stubs.on("POST", target, Response.json(confirmed));
    const credentials = new StubbedCredentials(OAUTH_CREDENTIAL);
    await stubbedClient(stubs, { credentials }).call("bindConfirm", {
      provider: "linear",
      candidate_token: "cand_1",
      project_identity: IDENTITY,
    });
    const [first, , second] = stubs.requests;
    expect(second?.text).toBe(first?.text ?? "");
    expect(second?.headers["idempotency-key"]).toBe(first?.headers["idempotency-key"] ?? "");
  });

  test("later calls use the renewed credential", async () => {
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, oauthAnswer());
    stubs.repeat(2, "GET", RESOURCES, resources);
    const client = stubbedClient(stubs, { credentials: new StubbedCredentials(OAUTH_CREDENTIAL) });
    await client.call("resources", { provider: "linear" });
    await client.call("resources", { provider: "linear" });
    expect(authorizations().at(-1)).toBe("Bearer access-2");
  });

  test("a second 401 after renewing ends it", async () => {
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, oauthAnswer()).on("GET", RESOURCES, denied());
    const client = stubbedClient(stubs, { credentials: new StubbedCredentials(OAUTH_CREDENTIAL) });
    expect(await failureOf(client.call("resources", { provider: "linear" }))).toBeInstanceOf(
      NotAuthenticatedError,
    );
  });

  test.each([
    ["a personal token", PERSONAL],
    ["a personal token with a refresh token", { ...PERSONAL, refreshToken: "refresh-1" }],
    ["an OAuth credential without a refresh token", { ...OAUTH_CREDENTIAL, refreshToken: null }],
  ] as const)("%s is not renewed", async (_name, credential) => {
    stubs.on("GET", RESOURCES, denied());
    const credentials = new StubbedCredentials(credential);
    const error = await failureOf(
      stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ name: "NotAuthenticatedError", code: "unauthorized" });
    expect(credentials.kept).toEqual([]);
  });

  test.each([
    ["invalid_grant", () => Response.json({ error: "invalid_grant" }, { status: 400 })],
    ["session_invalid", () => Response.json({ error: "session_invalid" }, { status: 400 })],
    ["401", denied],
    ["404 of a host that cannot renew", () => new Response("Not found", { status: 404 })],
  ])("a renewal refused with %s means that the session has ended", async (_name, answer) => {
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, answer());
    const credentials = new StubbedCredentials(OAUTH_CREDENTIAL);
    const error = await failureOf(
      stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ name: "NotAuthenticatedError", code: "session_expired" });
    expect(error).toHaveProperty("hint", expect.stringContaining("tracker auth login"));
    expect(credentials.kept).toEqual([]);
  });

  test.each([
    ["a reset", () => Object.assign(new Error("reset"), { code: "ECONNRESET" }), "host_unreachable"],
    ["503", () => Response.json(errorBody("provider_unavailable"), { status: 503 }), "provider_unavailable"],
    [
      "429",
      () => Response.json(errorBody("rate_limited", { retry_after_seconds: 99 }), { status: 429 }),
      "rate_limited",
    ],
    ["HTML", () => new Response("<html>"), "invalid_response"],
  ])("a renewal that failed by %s says so, for the session may go on", async (_name, answer, code) => {
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, answer());
    const credentials = new StubbedCredentials(OAUTH_CREDENTIAL);
    const error = await failureOf(
      stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ name: "ControlPlaneError", code });
  });

  test("a renewed credential that cannot be kept is told as that", async () => {
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, oauthAnswer());
    const full = new ConfigError("config_unwritable", "Cannot write credentials.json: the disk is full.");
    const credentials = { current: async () => OAUTH_CREDENTIAL, replace: () => Promise.reject(full) };
    expect(
      await failureOf(stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" })),
    ).toBe(full);
  });

  test("of two calls at a time renews once: refresh tokens serve once", async () => {
    stubs.on("GET", RESOURCES, denied()).on("POST", RESOLVE, denied());
    stubs.on("POST", OAUTH, oauthAnswer());
    stubs.on("GET", RESOURCES, resources()).on("POST", RESOLVE, Response.json({ match_type: "none" }));
    const credentials = new StubbedCredentials(OAUTH_CREDENTIAL);
    const client = stubbedClient(stubs, { credentials });
    await Promise.all([
      client.call("resources", { provider: "linear" }),
      client.call("bindResolve", { provider: "linear", project_identity: IDENTITY }),
    ]);
    expect(credentials.kept).toHaveLength(1);
  });

  test("that comes late, after another call has renewed, is sent again with what was renewed", async () => {
    const late = Promise.withResolvers<Response>();
    stubs.on("POST", RESOLVE, () => late.promise);
    stubs.on("GET", RESOURCES, denied()).on("POST", OAUTH, oauthAnswer()).on("GET", RESOURCES, resources());
    stubs.on("POST", RESOLVE, Response.json({ match_type: "none" }));
    const client = stubbedClient(stubs, { credentials: new StubbedCredentials(OAUTH_CREDENTIAL) });
    const resolving = client.call("bindResolve", { provider: "linear", project_identity: IDENTITY });
    await client.call("resources", { provider: "linear" });
    late.resolve(denied());
    await resolving;
    expect(authorizations().at(-1)).toBe("Bearer access-2");
  });
});

test("without any credential nothing is sent", async () => {
  const client = stubbedClient(stubs, { credentials: new StubbedCredentials(null) });
  for (const call of [() => client.call("resources", { provider: "linear" }), () => client.call("me", {})]) {
    const error = await failureOf(call());
    expect(error).toMatchObject({ name: "NotAuthenticatedError", code: "not_authenticated" });
    expect(error).toHaveProperty("hint", expect.stringContaining("TRACKER_TOKEN"));
  }
});

describe("a credential without a team", () => {
  const homeless: ClientCredential = { ...PERSONAL, teamSlug: null };
  const team = (slug: string, isPrivate = false) => ({ id: slug, slug, is_private_teamspace: isPrivate });
  const me = (...teams: object[]): Response => Response.json({ user_id: "u", teams });

  test.each([
    ["the only team", [team("acme")], "acme"],
    ["the only shared team", [team("ada", true), team("acme")], "acme"],
    ["the private space of who has no other", [team("ada", true)], "ada"],
  ])("is for %s", async (_name, teams, expected) => {
    stubs.on("GET", "/api/v1/me", me(...teams)).on("GET", RESOURCES, resources());
    const credentials = new StubbedCredentials(homeless);
    await stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" });
    expect(stubs.requests[1]?.headers["x-team-slug"]).toBe(expected);
    expect(credentials.kept).toEqual([{ ...homeless, teamSlug: expected }]);
  });

  test("asks once for all calls, also for those at the same time", async () => {
    stubs.on("GET", "/api/v1/me", me(team("acme"))).repeat(3, "GET", RESOURCES, resources);
    const client = stubbedClient(stubs, { credentials: new StubbedCredentials(homeless) });
    await Promise.all([
      client.call("resources", { provider: "linear" }),
      client.call("resources", { provider: "linear" }),
    ]);
    await client.call("resources", { provider: "linear" });
    expect(stubs.requests.filter(({ headers }) => headers["x-team-slug"] === "acme")).toHaveLength(3);
  });

  test("asks again when asking failed", async () => {
    stubs.on("GET", "/api/v1/me", Response.json(errorBody("forbidden"), { status: 403 }));
    stubs.on("GET", "/api/v1/me", me(team("acme"))).on("GET", RESOURCES, resources());
    const client = stubbedClient(stubs, { credentials: new StubbedCredentials(homeless) });
    expect(await failureOf(client.call("resources", { provider: "linear" }))).toMatchObject({
      code: "forbidden",
    });
    await client.call("resources", { provider: "linear" });
  });

  test.each([
    ["several teams", [team("acme"), team("globex"), team("ada", true)], ["acme|globex"]],
    ["no team", [], ["<slug>"]],
  ])("is no use with %s", async (_name, teams, words) => {
    stubs.on("GET", "/api/v1/me", me(...teams));
    const credentials = new StubbedCredentials(homeless);
    const error = await failureOf(
      stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ code: "team_required" });
    for (const word of words) expect(error).toHaveProperty("hint", expect.stringContaining(word));
    expect(error).toHaveProperty("hint", expect.stringContaining("TRACKER_TEAM="));
    expect(credentials.kept).toEqual([]);
  });

  test("is renewed while it asks, and keeps both", async () => {
    stubs.on("GET", "/api/v1/me", denied()).on("POST", OAUTH, oauthAnswer());
    stubs.on("GET", "/api/v1/me", me(team("acme"))).on("GET", RESOURCES, resources());
    const credentials = new StubbedCredentials({ ...OAUTH_CREDENTIAL, teamSlug: null });
    await stubbedClient(stubs, { credentials }).call("resources", { provider: "linear" });
    expect(credentials.kept.at(-1)).toEqual({
      ...OAUTH_CREDENTIAL,
      accessToken: "access-2",
      refreshToken: "refresh-2",
    });
  });
});
