import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import * as protocol from "../../src/protocol.ts";
import { ConnectorRequestError } from "../../src/sdk/errors.ts";
import { projectUuid } from "../../src/shared/project-uuid.ts";
import { IDENTITY, list, resource, STRANGER, TestHost } from "../helpers/host-fixture.ts";

let host: TestHost;
beforeEach(async () => {
  host = await TestHost.open();
});
afterEach(() => host.close());

const OTHER = { ...IDENTITY, uuid: "11111111-1111-4111-8111-111111111111", slug: "other" };

describe("every answer", () => {
  test("health needs no credential", async () => {
    const answer = await host.get("tracker/health/", { token: null });
    expect(answer.body).toEqual({
      status: "ok",
      version: "1.2.3",
      database: "sqlite",
      features: ["dry_run", "known"],
    });
  });

  test("carries a fresh X-Request-Id, errors included", async () => {
    const answers = [
      await host.get("tracker/health/"),
      await host.get("nowhere"),
      await host.get("me", { token: null }),
      await host.post("tracker/bind-resolve/", "{"),
    ];
    const ids = answers.map(({ headers }) => headers.get("x-request-id"));
    expect(new Set(ids).size).toBe(4);
    expect(ids).not.toContain(null);
  });

  test.each([
    "me",
    "tracker/health",
    "tracker/resources?provider=github",
    "tracker/installations",
    "tracker/status?provider=github",
    "tracker/mappings?provider=github",
    "admin/connections",
  ])("%s is served with and without its trailing slash", async (path) => {
    const [name, query] = path.split("?");
    const slashed = await host.get(`${name}/${query === undefined ? "" : `?${query}`}`);
    const bare = await host.get(path);
    expect([slashed.status, bare.status]).toEqual([200, 200]);
    expect(slashed.body).toEqual(bare.body);
  });

  test("an error is one envelope with both spellings", async () => {
    const { status, body } = await host.get("tracker/resources/?provider=jira");
    expect(status).toBe(403);
    expect(body).toEqual({
      code: "no_installation",
      error_code: "no_installation",
      category: "authorization",
      error_category: "no_installation",
      http_status: 403,
      message: expect.stringContaining("Jira is not connected"),
      retryable: false,
      user_action_required: true,
      source: "saas",
      retry_after_seconds: null,
      provider: "jira",
      details: null,
      effect_certainty: "no_effect",
      idempotency_key: null,
    });
  });

  test("whoever asks whether there is anybody is answered", async () => {
    for (const method of ["GET", "HEAD"]) {
      const answer = await host.send(new Request("http://host.test/", { method }));
      expect(answer.status).toBe(200);
    }
  });
});

describe("who may call", () => {
  test.each([
    ["no token", {}],
    ["an unknown token", { authorization: "Bearer trk_unknown" }],
    ["another scheme", { authorization: "Basic dXNlcjpwYXNz" }],
  ])("%s: 401", async (_, headers) => {
    const answer = await host.get("me", { token: null, headers });
    expect([answer.status, answer.body.code]).toEqual([401, "unauthorized"]);
  });

  test("a revoked token: 401", async () => {
    await host.database.updateTable("tokens").set({ revoked_at: "2026-01-01T00:00:00.000Z" }).execute();
    expect((await host.get("me")).status).toBe(401);
  });

  test("the team must be the token's; a missing header means that team", async () => {
    expect((await host.get("me", { team: "acme" })).status).toBe(200);
    expect((await host.get("me", { team: null })).status).toBe(200);
    const answer = await host.get("me", { team: "rivals" });
    expect([answer.status, answer.body.code]).toEqual([403, "team_mismatch"]);
  });

  test("a client that sends the team's id where the slug belongs is understood", async () => {
    const { body } = await host.get("me");
    const [team] = v.parse(protocol.MeResponse, body).teams;
    expect((await host.get("me", { team: String(team?.id) })).status).toBe(200);
  });

  test("me names the user and the token's team", async () => {
    const { body } = await host.get("me");
    expect(v.parse(protocol.MeResponse, body)).toMatchObject({
      email: "owner@acme.example",
      teams: [{ slug: "acme", role: "owner", is_private_teamspace: false }],
    });
  });

  test("administration is for owners", async () => {
    const token = await host.addMember(await host.teamId(), "member");
    const answer = await host.get("admin/connections/", { token });
    expect([answer.status, answer.body.code]).toEqual([403, "forbidden"]);
    expect((await host.get("tracker/resources/?provider=github", { token })).status).toBe(200);
  });

  test("only the hash of a token is stored", async () => {
    const rows = await host.database.selectFrom("tokens").selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(host.token.slice(4));
  });
});

describe("requests that are not valid", () => {
  test.each([
    ["GET", "tracker/nothing", 404, "not_found"],
    ["POST", "tracker/resources/", 405, "method_not_allowed"],
    ["GET", "tracker/bind-resolve/", 405, "method_not_allowed"],
    ["PUT", "admin/connections/", 405, "method_not_allowed"],
  ] as const)("%s %s: %i", async (method, path, status, code) => {
    const answer = await host.call(method, path);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("405 names what is allowed", async () => {
    const { headers } = await host.call("DELETE", "admin/connections/");
    expect(headers.get("allow")).toBe("GET, POST");
  });

  test.each([
    ["no JSON", "{", { body: expect.any(String) }],
    ["empty", "", { body: expect.any(String) }],
    ["an array", "[]", { provider: "is missing", project_identity: "is missing" }],
    ["a missing field", { provider: "github" }, { project_identity: "is missing" }],
    [
      "wrong types",
      { provider: 7, project_identity: { ...IDENTITY, slug: [], uuid: "" } },
      {
        provider: expect.any(String),
        "project_identity.slug": expect.any(String),
        "project_identity.uuid": "must not be empty",
      },
    ],
  ])("%s: 400 with the problem of each path", async (_, body, details) => {
    const answer = await host.post("tracker/bind-resolve/", body);
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.details).toEqual(details);
  });

  test("text that is not UTF-8: 400", async () => {
    const request = new Request("http://host.test/api/v1/tracker/bind-resolve/", {
      method: "POST",
      headers: { authorization: `Bearer ${host.token}` },
      body: new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect((await host.send(request)).status).toBe(400);
  });

  test("a body beyond 1 MB: 413, announced or streamed", async () => {
    const big = JSON.stringify({ provider: "x".repeat(1024 * 1024) });
    const announced = await host.post("tracker/bind-resolve/", big);
    const streamed = await host.send(
      new Request("http://host.test/api/v1/tracker/bind-resolve/", {
        method: "POST",
        headers: { authorization: `Bearer ${host.token}` },
        body: new Blob([big]).stream(),
      }),
    );
    expect([announced.status, streamed.status]).toEqual([413, 413]);
    expect(streamed.body.code).toBe("payload_too_large");
  });

  test("the content type does not matter when the body is JSON", async () => {
    const headers = { "content-type": "text/plain" };
    expect((await host.resolve("github", IDENTITY, { headers })).status).toBe(200);
  });

  test.each([
    ["azure_devops", /no longer supported/],
    ["azure-devops", /no longer supported/],
    ["Azure", /no longer supported/],
    ["beads", /beads is an on-device provider/],
    ["fp", /fp is an on-device provider/],
    ["trello", /linear/],
  ])("provider %s: 400 with guidance", async (provider, guidance) => {
    for (const answer of [
      await host.resolve(provider),
      await host.get(`tracker/resources/?provider=${provider}`),
      await host.get(`tracker/installations/?provider=${provider}`),
      await host.post("admin/connections/", { provider, kind: "demo" }),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([400, "unsupported_provider"]);
      expect(answer.body.message).toMatch(guidance);
    }
  });

  test.each(["limit=0", "limit=1001", "limit=ten", "limit=1.5", "limit=-1", "cursor=nonsense"])(
    "resources with %s: 400",
    async (query) => {
      const answer = await host.get(`tracker/resources/?provider=github&${query}`);
      expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
      expect(Object.keys(Object(answer.body.details))).toEqual([query.split("=")[0] ?? ""]);
    },
  );

  test("an Idempotency-Key that is too long: 400", async () => {
    const token = await host.candidate("github", "acme/docs");
    const answer = await host.confirm("github", token, IDENTITY, { key: "k".repeat(201) });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
  });

  test("an unexpected failure: 500 with nothing but the request id, the reason in the log", async () => {
    await host.database.schema.alterTable("mappings").renameTo("gone").execute();
    const answer = await host.get("tracker/status/?provider=github");
    const id = answer.headers.get("x-request-id") ?? "";
    expect([answer.status, answer.body.code]).toEqual([500, "internal"]);
    expect(answer.body.message).toBe(`The control plane failed (request ${id}). Its log has the reason.`);
    expect(JSON.stringify(answer.body)).not.toMatch(/mappings|\.ts/);
    expect(host.log).toMatchObject([
      { level: "error", request_id: id, error: expect.stringContaining("mappings") },
    ]);
  });
});

describe("resources", () => {
  test("lists all in label order with who bound what", async () => {
    host.resources.set("linear", [
      resource("linear", "Z", "éclair"),
      resource("linear", "Y", "Zebra"),
      resource("linear", "X", "apple", "x1"),
      resource("linear", "W", "Apple", "x2"),
      resource("linear", "V", "😀 emoji"),
      resource("linear", "U", "\uff21 fullwidth"),
      resource("linear", "T", "決済"),
    ]);
    const { body } = await host.get("tracker/resources/?provider=linear&refresh=1");
    const parsed = v.parse(protocol.ResourcesResponse, body);
    expect(parsed.resources.map(({ display_label }) => display_label)).toEqual([
      "\uff21 fullwidth (U)",
      "Apple (W)",
      "apple (X)",
      "éclair (Z)",
      "Zebra (Y)",
      "決済 (T)",
      "😀 emoji (V)",
    ]);
    expect(parsed.provider).toBe("linear");
    expect(parsed.installation_id).toMatch(/./);
  });

  test("a bound resource names its binding", async () => {
    const ref = await host.bind("github", "acme/docs");
    const { body } = await host.get("tracker/resources/?provider=github");
    const states = list(body.resources).map((item) => [
      item.display_label,
      item.binding_ref,
      item.bound_project_slug,
      item.bound_at,
    ]);
    expect(states).toEqual([
      ["acme/billing", null, null, null],
      ["acme/docs", ref, "payments-api", "2026-03-01T12:00:00.000Z"],
      ["acme/payments-api", null, null, null],
    ]);
  });

  test("carries context for people and no id beside the token", async () => {
    const { body } = await host.get("tracker/resources/?provider=linear&q=operations");
    expect(list(body.resources)).toEqual([
      {
        candidate_token: expect.stringMatching(/^cand_[\w-]+\.[\w-]+$/),
        display_label: "Operations (OPS)",
        provider: "linear",
        provider_context: {
          workspace_name: "Acme",
          resource_kind: "repository",
          workspace_handle: "acme",
          workspace_url: "https://linear.example/acme",
          display_key: "OPS",
          resource_url: "https://linear.example/OPS",
        },
        binding_ref: null,
        bound_project_slug: null,
        bound_at: null,
        bindings: [],
      },
    ]);
  });

  test.each([
    ["PAY", ["Payments (PMT)", "Payments API (PAY)"]],
    ["ops", ["Operations (OPS)"]],
    ["pmt", ["Payments (PMT)"]],
    ["%", []],
    ["_", []],
    ["\\", []],
    ["", ["Operations (OPS)", "Payments (PMT)", "Payments API (PAY)"]],
  ])("q=%s filters by label and key", async (q, labels) => {
    const { body } = await host.get(`tracker/resources/?provider=linear&q=${encodeURIComponent(q)}`);
    expect(list(body.resources).map((item) => item.display_label)).toEqual(labels);
  });

  test("pages with limit and cursor add up to the whole", async () => {
    host.resources.set(
      "github",
      Array.from({ length: 7 }, (_, n) => resource("github", `acme/same-${n}`, "Same name", `s${n}`)),
    );
    await host.get("tracker/resources/?provider=github&refresh=1");
    const whole = list((await host.get("tracker/resources/?provider=github")).body.resources);
    const read: unknown[] = [];
    let cursor: unknown = "";
    let pages = 0;
    do {
      const query = cursor === "" ? "" : `&cursor=${String(cursor)}`;
      const { body } = await host.get(`tracker/resources/?provider=github&limit=3${query}`);
      read.push(...list(body.resources));
      cursor = body.next_cursor;
      pages++;
    } while (cursor !== null);
    expect(pages).toBe(3);
    expect(read).toEqual(whole);
  });

  test("an empty inventory is an answer", async () => {
    host.resources.set("gitlab", []);
    await host.connect("gitlab");
    const { status, body } = await host.get("tracker/resources/?provider=gitlab");
    expect([status, body.resources]).toEqual([200, []]);
  });

  test("a stale inventory is served and refreshed behind", async () => {
    host.resources.set("github", [resource("github", "acme/new")]);
    host.now += 11 * 60_000;
    const labels = async () =>
      list((await host.get("tracker/resources/?provider=github")).body.resources).map(
        (item) => item.display_label,
      );
    expect(await labels()).toContain("acme/docs");
    await host.settled();
    expect(await labels()).toEqual(["acme/new"]);
  });

  test("a refresh that fails keeps the old rows and marks the installation", async () => {
    host.discoveryFailure = new ConnectorRequestError("GitHub answered 502.", {
      provider: "github",
      failureClass: "transient",
    });
    const { body } = await host.get("tracker/resources/?provider=github&refresh=1");
    expect(list(body.resources)).toHaveLength(3);
    const degraded = await host.get("tracker/installations/?provider=github");
    expect(list(degraded.body.installations)).toMatchObject([
      { status: "degraded", error: "GitHub answered 502." },
    ]);
    host.discoveryFailure = null;
    await host.get("tracker/resources/?provider=github&refresh=1");
    const mended = await host.get("tracker/installations/?provider=github");
    expect(list(mended.body.installations)).toMatchObject([{ status: "connected", error: null }]);
  });
});

describe("bind", () => {
  test("a repository's path binds by itself", async () => {
    const resolved = await host.resolve("github");
    expect(v.parse(protocol.BindResolveResponse, resolved.body)).toMatchObject({
      match_type: "exact",
      binding_ref: null,
      display_label: "acme/payments-api",
      candidates: [],
    });
    const confirmed = await host.confirm("github", String(resolved.body.candidate_token), IDENTITY, {
      key: "k",
    });
    expect(v.parse(protocol.BindConfirmResponse, confirmed.body)).toMatchObject({
      binding_ref: expect.stringMatching(/^srm_[0-9A-HJKMNP-TV-Z]{26}$/),
      display_label: "acme/payments-api",
      provider: "github",
      provider_context: { workspace_name: "Acme", display_key: "acme/payments-api" },
      bound_at: "2026-03-01T12:00:00.000Z",
      project_slug: "payments-api",
    });
    const again = await host.resolve("github");
    expect(again.body).toMatchObject({
      match_type: "exact",
      candidate_token: expect.stringMatching(/^cand_/),
      binding_ref: confirmed.body.binding_ref,
      project_slug: "payments-api",
      provider_context: { display_key: "acme/payments-api" },
    });
  });

  test("a repository's path binds by itself although another project shares it", async () => {
    const other = await host.bind("github", "acme/payments-api", OTHER);
    host.now += 1000;
    const { body } = await host.resolve("github");
    expect(body).toMatchObject({
      match_type: "exact",
      binding_ref: null,
      display_label: "acme/payments-api",
    });
    const confirmed = await host.confirm("github", String(body.candidate_token));
    expect(confirmed.body.binding_ref).toBe(String(body.derived_binding_ref));
    expect(confirmed.body.binding_ref).not.toBe(other);
    const listed = list((await host.get("tracker/resources/?provider=github&q=payments-api")).body.resources);
    expect(listed[0]).toMatchObject({
      binding_ref: other,
      bound_project_slug: OTHER.slug,
      bindings: [{ project_slug: OTHER.slug }, { project_slug: IDENTITY.slug }],
    });
  });

  test("a reference is the same on every control plane with that team's name", async () => {
    const ref = await host.bind("github", "acme/payments-api");
    const elsewhere = await TestHost.open();
    try {
      expect(await elsewhere.bind("github", "acme/payments-api")).toBe(ref);
      expect(await elsewhere.bind("github", "acme/payments-api", OTHER)).not.toBe(ref);
    } finally {
      await elsewhere.close();
    }
  });

  test("the resource that the config names is exact, before the repository's path", async () => {
    const known = {
      binding_ref: "srm_FROM_ELSEWHERE",
      provider_context: { display_key: "acme/docs", resource_url: "https://github.example/acme/docs" },
    };
    const ask = (facts: object) =>
      host.post("tracker/bind-resolve/", {
        provider: "github",
        project_identity: IDENTITY,
        known: { ...known, ...facts },
      });
    expect((await ask({})).body).toMatchObject({ match_type: "exact", display_label: "acme/docs" });
    // Another site's resource of that name is not meant.
    const foreign = { display_key: "acme/docs", resource_url: "https://evil.example/acme/docs" };
    expect((await ask({ provider_context: foreign })).body).toMatchObject({
      match_type: "exact",
      display_label: "acme/payments-api",
    });
    expect((await ask({ provider_context: {} })).body.display_label).toBe("acme/payments-api");
  });

  test("a second clone from before the config was committed is the same project", async () => {
    const repository = { repo_slug: "acme/elsewhere", repo_host: "github.example" };
    const first = { ...IDENTITY, ...repository, uuid: "5b6c7d8e-0000-4000-8000-000000000001" };
    const second = { ...first, uuid: projectUuid("github.example", "acme/elsewhere") };
    const ref = await host.bind("github", "acme/docs", first);
    expect((await host.resolve("github", second)).body).toMatchObject({
      match_type: "exact",
      binding_ref: ref,
    });
    const validated = await host.post("tracker/bind-validate/", {
      provider: "github",
      binding_ref: ref,
      project_identity: second,
    });
    expect(validated.body.valid).toBe(true);
    expect(await host.bind("github", "acme/docs", second)).toBe(ref);
  });

  test("several candidates are ranked, with dense positions and the tokens of `resources`", async () => {
    const { body } = await host.resolve("linear");
    const candidates = list(body.candidates);
    expect(body).toMatchObject({ match_type: "candidates", candidate_token: null, binding_ref: null });
    expect(candidates.map((item) => [item.sort_position, item.confidence, item.display_label])).toEqual([
      [0, "high", "Payments API (PAY)"],
      [1, "medium", "Payments (PMT)"],
    ]);
    expect(candidates[0]?.candidate_token).toBe(await host.candidate("linear", "Payments API (PAY)"));
  });

  test("a resource that another project has is offered, and says so", async () => {
    host.resources.set("linear", [resource("linear", "ONE", "Only one")]);
    await host.get("tracker/resources/?provider=linear&refresh=1");
    await host.bind("linear", "Only one (ONE)", OTHER);
    expect(list((await host.resolve("linear")).body.candidates)).toMatchObject([
      { display_label: "Only one (ONE)", match_reason: "no similar name; also bound to other" },
    ]);
  });

  test("an empty inventory: none", async () => {
    host.resources.set("linear", []);
    await host.get("tracker/resources/?provider=linear&refresh=1");
    expect((await host.resolve("linear")).body).toMatchObject({ match_type: "none", candidates: [] });
  });

  test("without a connection: 403", async () => {
    expect((await host.resolve("jira")).body.code).toBe("no_installation");
  });

  test("resolving writes nothing", async () => {
    await host.resolve("github");
    await host.resolve("linear", STRANGER);
    const tables = ["projects", "mappings", "idempotency"] as const;
    for (const table of tables) {
      expect(await host.database.selectFrom(table).selectAll().execute()).toEqual([]);
    }
  });

  test("confirming twice gives the same binding", async () => {
    const first = await host.bind("linear", "Payments (PMT)");
    host.now += 60_000;
    expect(await host.bind("linear", "Payments (PMT)")).toBe(first);
  });

  test("many projects share a resource, each with a mapping of its own", async () => {
    const token = await host.candidate("linear", "Payments (PMT)");
    const [theirs, ours] = [await host.confirm("linear", token, OTHER), await host.confirm("linear", token)];
    expect([theirs.status, ours.status]).toEqual([200, 200]);
    expect(theirs.body.binding_ref).not.toBe(ours.body.binding_ref);
    expect((await host.get("tracker/mappings/?provider=linear")).body.mappings).toHaveLength(2);
  });

  test("another choice replaces the binding, and going back revives the old reference", async () => {
    const first = await host.bind("linear", "Payments (PMT)");
    const choose = async (label: string) =>
      (await host.confirm("linear", await host.candidate("linear", label))).body;
    const second = await choose("Operations (OPS)");
    expect(second).toMatchObject({ replaced_binding_ref: first });
    expect(await choose("Payments (PMT)")).toMatchObject({
      binding_ref: first,
      replaced_binding_ref: second.binding_ref,
    });
    expect(await choose("Payments (PMT)")).not.toHaveProperty("replaced_binding_ref");
    const mappings = list((await host.get("tracker/mappings/?provider=linear")).body.mappings);
    expect(mappings.map(({ binding_ref }) => binding_ref)).toEqual([first]);
  });

  test("another resource replaces the project's mapping and frees the old one", async () => {
    const old = await host.bind("linear", "Payments (PMT)");
    const fresh = await host.bind("linear", "Operations (OPS)");
    expect(fresh).not.toBe(old);
    const mappings = await host.get("tracker/mappings/?provider=linear");
    expect(list(mappings.body.mappings).map((item) => item.binding_ref)).toEqual([fresh]);
    const validated = await host.post("tracker/bind-validate/", {
      provider: "linear",
      binding_ref: old,
      project_identity: IDENTITY,
    });
    expect(validated.body.reason).toBe("mapping_deleted");
    expect(await host.bind("linear", "Payments (PMT)", OTHER)).toMatch(/^srm_/);
    const audit = await host.database
      .selectFrom("audit")
      .select(["action", "subject"])
      .where("subject", "=", old)
      .execute();
    expect(audit).toEqual([
      { action: "mapping.created", subject: old },
      { action: "mapping.replaced", subject: old },
    ]);
  });

  test("a project may be bound to one resource per provider", async () => {
    await host.bind("linear", "Payments (PMT)");
    await host.bind("github", "acme/docs");
    expect((await host.get("tracker/mappings/?provider=linear")).body.mappings).toHaveLength(1);
    expect((await host.get("tracker/mappings/?provider=github")).body.mappings).toHaveLength(1);
  });

  test("a mapping keeps what its connector needs after the inventory is gone", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    host.resources.set("linear", []);
    await host.get("tracker/resources/?provider=linear&refresh=1");
    const row = await host.database
      .selectFrom("mappings")
      .selectAll()
      .where("binding_ref", "=", ref)
      .executeTakeFirstOrThrow();
    expect(JSON.parse(row.routing_metadata)).toMatchObject({
      connector_params: { id: "id:PMT" },
      resource: { kind: "repository", metadata: { display_key: "PMT" } },
      workspace: { id: "linear-acme", display: "Acme" },
    });
    const status = await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`);
    expect(status.body).toMatchObject({
      sync_state: "error",
      last_error: expect.stringContaining("no longer visible"),
    });
  });

  test("a renamed resource stays bound and is called by its new name", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    host.resources.set("linear", [resource("linear", "PMT", "Money", "id:PMT")]);
    await host.get("tracker/resources/?provider=linear&refresh=1");
    const status = await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`);
    expect(status.body.display_label).toBe("Money (PMT)");
    expect(await host.bind("linear", "Money (PMT)")).toBe(ref);
  });

  test("a mapping by slug alone is exact, and a confirm fills the uuid in", async () => {
    const ref = await host.bind("linear", "Payments (PMT)", OTHER);
    await host.database.updateTable("projects").set({ uuid: null, slug: IDENTITY.slug }).execute();
    const resolved = await host.resolve("linear");
    expect(resolved.body).toMatchObject({ match_type: "exact", binding_ref: ref });
    const confirmed = await host.confirm("linear", String(resolved.body.candidate_token));
    expect(confirmed.body.binding_ref).toBe(ref);
    const mappings = list((await host.get("tracker/mappings/?provider=linear")).body.mappings);
    expect(mappings).toMatchObject([{ project_uuid: IDENTITY.uuid, project_slug: IDENTITY.slug }]);
  });

  test("a disabled mapping is offered with that reason, and choosing it enables it", async () => {
    const ref = await host.bind("github", "acme/payments-api");
    await host.alter(ref, { status: "disabled" });
    const resolved = await host.resolve("github");
    expect(resolved.body.match_type).toBe("candidates");
    const [first] = list(resolved.body.candidates);
    expect(first).toMatchObject({
      confidence: "high",
      match_reason: "bound to this project, and disabled",
    });
    const confirmed = await host.confirm("github", String(first?.candidate_token));
    expect(confirmed.body.binding_ref).toBe(ref);
    expect((await host.get(`tracker/status/?provider=github&binding_ref=${ref}`)).status).toBe(200);
  });
});

describe("candidate tokens", () => {
  const refused = async (provider: string, token: string, options = {}) => {
    const answer = await host.confirm(provider, token, IDENTITY, options);
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_candidate_token"]);
    expect(await host.database.selectFrom("mappings").selectAll().execute()).toEqual([]);
  };

  test("expire after 15 to 20 minutes", async () => {
    const token = await host.candidate("linear", "Payments (PMT)");
    host.now += 14 * 60_000;
    const stillGood = await host.confirm("linear", token, OTHER);
    expect(stillGood.status).toBe(200);
    await host.database.deleteFrom("mappings").execute();
    host.now += 6 * 60_000 + 1;
    await refused("linear", token);
  });

  test("are refused for another provider", async () => {
    await refused("github", await host.candidate("linear", "Payments (PMT)"));
  });

  test("are refused for another team", async () => {
    const { token } = await host.addTeam("rivals");
    await host.connect("linear", { token });
    await refused("linear", await host.candidate("linear", "Payments (PMT)"), { token });
  });

  test("are refused when they were made up", async () => {
    await refused("linear", "cand_x.y");
    await refused("linear", "not a token");
  });

  test("are refused when the resource is gone", async () => {
    const token = await host.candidate("linear", "Payments (PMT)");
    host.resources.set("linear", [resource("linear", "OPS", "Operations (OPS)")]);
    await host.get("tracker/resources/?provider=linear&refresh=1");
    await refused("linear", token);
  });
});

describe("Idempotency-Key", () => {
  test("replays the first answer, even when the token has expired since", async () => {
    const token = await host.candidate("linear", "Payments (PMT)");
    const first = await host.confirm("linear", token, IDENTITY, { key: "one" });
    host.now += 60 * 60_000;
    const second = await host.confirm("linear", token, IDENTITY, { key: "one" });
    expect([second.status, second.body]).toEqual([200, first.body]);
  });

  test("with another body: 422", async () => {
    const token = await host.candidate("linear", "Payments (PMT)");
    await host.confirm("linear", token, IDENTITY, { key: "one" });
    const answer = await host.confirm("linear", token, OTHER, { key: "one" });
    expect([answer.status, answer.body.code]).toEqual([422, "idempotency_mismatch"]);
  });

  test("is forgotten after 24 hours and belongs to the team", async () => {
    const body = async (options = {}) => ({
      token: await host.candidate("linear", "Payments (PMT)", options),
      options: { key: "one", ...options },
    });
    const mine = await body();
    expect((await host.confirm("linear", mine.token, IDENTITY, mine.options)).status).toBe(200);
    const { token } = await host.addTeam("rivals");
    await host.connect("linear", { token });
    const theirs = await body({ token });
    expect((await host.confirm("linear", theirs.token, OTHER, theirs.options)).status).toBe(200);
    host.now += 24 * 60 * 60_000 + 1;
    const later = await body();
    expect((await host.confirm("linear", later.token, IDENTITY, later.options)).status).toBe(200);
  });

  test("a refused confirm leaves the key free", async () => {
    expect((await host.confirm("linear", "cand_x.y", IDENTITY, { key: "one" })).status).toBe(400);
    const token = await host.candidate("linear", "Payments (PMT)");
    expect((await host.confirm("linear", token, IDENTITY, { key: "one" })).status).toBe(200);
  });
});

describe("bind-validate", () => {
  const validate = async (binding_ref: string, identity: unknown = IDENTITY, provider = "linear") => {
    const answer = await host.post("tracker/bind-validate/", {
      provider,
      binding_ref,
      project_identity: identity,
    });
    expect(answer.status).toBe(200);
    return v.parse(protocol.BindValidateResponse, answer.body);
  };

  test("valid: label and context to store", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    expect(await validate(ref)).toEqual({
      valid: true,
      binding_ref: ref,
      display_label: "Payments (PMT)",
      provider: "linear",
      provider_context: expect.objectContaining({ display_key: "PMT" }),
    });
  });

  test("invalid: the reason and what to do", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    const outcome = async (...parameters: Parameters<typeof validate>) => {
      const answer = await validate(...parameters);
      return answer.valid ? "valid" : [answer.reason, (answer.guidance ?? "") !== ""];
    };
    expect(await outcome("srm_unknown")).toEqual(["mapping_deleted", true]);
    expect(await outcome(ref, OTHER)).toEqual(["project_mismatch", true]);
    expect(await outcome(ref, IDENTITY, "github")).toEqual(["mapping_deleted", true]);
    await host.alter(ref, { status: "disabled" });
    expect(await outcome(ref)).toEqual(["mapping_disabled", true]);
    await host.alter(ref, { deleted_at: "2026-03-01T00:00:00.000Z" });
    expect(await outcome(ref)).toEqual(["mapping_deleted", true]);
  });
});

describe.each(["binding_ref", "project_slug"] as const)("routed by %s", (key) => {
  const query = (ref: string) =>
    `provider=linear&${key}=${key === "binding_ref" ? ref : encodeURIComponent(IDENTITY.slug)}`;

  test("status tells of the project", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    const { body } = await host.get(`tracker/status/?${query(ref)}`);
    expect(v.parse(protocol.ProjectStatus, body)).toEqual({
      provider: "linear",
      connected: true,
      configured: true,
      binding_ref: ref,
      display_label: "Payments (PMT)",
      provider_context: expect.objectContaining({ display_key: "PMT" }),
      identity_path: {
        type: "installation",
        installation_id: expect.any(String),
        user_link_id: null,
        provider: "linear",
        provider_account_id: "linear-acme",
      },
      sync_state: "never",
      last_synced_at: null,
      issue_count: 0,
      open_conflicts: 0,
      conflicts: [],
      last_error: null,
      operation_id: null,
    });
  });

  test("mappings holds the project's one", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    await host.bind("linear", "Operations (OPS)", OTHER);
    const { body } = await host.get(`tracker/mappings/?${query(ref)}`);
    expect(v.parse(protocol.MappingsResponse, body)).toMatchObject({
      binding_ref: ref,
      display_label: "Payments (PMT)",
    });
    expect(list(body.mappings)).toEqual([
      {
        binding_ref: ref,
        provider: "linear",
        system: "linear",
        project_slug: "payments-api",
        project_uuid: IDENTITY.uuid,
        display_label: "Payments (PMT)",
        provider_context: expect.objectContaining({ workspace_name: "Acme" }),
        status: "active",
        bound_at: "2026-03-01T12:00:00.000Z",
        wp_id: null,
        external_id: "id:PMT",
        external_key: "PMT",
        external_url: "https://linear.example/PMT",
      },
    ]);
  });

  test("unknown: 404, disabled: 409, deleted: 404", async () => {
    const outcome = async (ref: string) => {
      const answers = [
        await host.get(`tracker/status/?${query(ref)}`),
        await host.get(`tracker/mappings/?${query(ref)}`),
      ];
      return answers.map(({ status, body }) => [status, body.code]);
    };
    const twice = (status: number, code: string) => [
      [status, code],
      [status, code],
    ];
    expect(await outcome("srm_unknown")).toEqual(twice(404, "binding_not_found"));
    const ref = await host.bind("linear", "Payments (PMT)");
    await host.alter(ref, { status: "disabled" });
    expect(await outcome(ref)).toEqual(twice(409, "mapping_disabled"));
    await host.alter(ref, { deleted_at: "2026-03-01T00:00:00.000Z" });
    expect(await outcome(ref)).toEqual(twice(404, "binding_not_found"));
  });
});

test("binding_ref goes before project_slug, and never falls back to it", async () => {
  await host.bind("linear", "Payments (PMT)");
  const answer = await host.get(
    `tracker/status/?provider=linear&binding_ref=srm_x&project_slug=${IDENTITY.slug}`,
  );
  expect(answer.body.code).toBe("binding_not_found");
});

test("status without a routing key tells of the whole installation", async () => {
  const ref = await host.bind("linear", "Payments (PMT)");
  const disabled = await host.bind("linear", "Operations (OPS)", OTHER);
  await host.alter(disabled, { status: "disabled" });
  const { body } = await host.get("tracker/status/?provider=linear");
  expect(v.parse(protocol.InstallationStatus, body)).toEqual({
    provider: "linear",
    connected: true,
    resource_count: 3,
    bindings: [
      {
        binding_ref: ref,
        project_slug: "payments-api",
        display_label: "Payments (PMT)",
        status: "active",
        bound_at: "2026-03-01T12:00:00.000Z",
        last_synced_at: null,
      },
      expect.objectContaining({ binding_ref: disabled, status: "disabled" }),
    ],
  });
  const nowhere = await host.get("tracker/status/?provider=jira");
  expect(nowhere.body).toEqual({ provider: "jira", connected: false, resource_count: 0, bindings: [] });
});

describe("installations and connections", () => {
  test("installations tell what is connected before any bind", async () => {
    await host.bind("linear", "Payments (PMT)");
    const { body } = await host.get("tracker/installations/");
    const { installations } = v.parse(protocol.InstallationsResponse, body);
    const expected = (provider: string, bound_count: number) => ({
      installation_id: expect.any(String),
      provider,
      status: "connected",
      account_label: "Acme",
      resource_count: 3,
      bound_count,
      last_refreshed_at: "2026-03-01T12:00:00.000Z",
      error: null,
    });
    expect<unknown>(installations).toEqual([expected("github", 0), expected("linear", 1)]);
    const one = await host.get("tracker/installations/?provider=linear");
    expect(list(one.body.installations).map((item) => item.provider)).toEqual(["linear"]);
  });

  test("connecting again refreshes the same connection", async () => {
    const { body } = await host.get("admin/connections/");
    const { connections } = v.parse(protocol.ConnectionsResponse, body);
    const github = connections.find(({ provider }) => provider === "github");
    host.resources.set("github", [resource("github", "acme/new")]);
    expect(await host.connect("github")).toBe(github?.connection_id ?? "");
    const after = await host.get("admin/connections/");
    expect(list(after.body.connections).map((item) => [item.provider, item.resource_count])).toEqual([
      ["github", 1],
      ["linear", 3],
    ]);
  });

  test("a provider that fails is not connected", async () => {
    host.discoveryFailure = new ConnectorRequestError("Jira answered 403.", {
      provider: "jira",
      failureClass: "permission",
    });
    const refused = await host.post("admin/connections/", { provider: "jira", kind: "demo" });
    expect([refused.status, refused.body.code, refused.body.source]).toEqual([
      502,
      "provider_rejected",
      "provider",
    ]);
    host.discoveryFailure = new ConnectorRequestError("Jira is busy.", {
      provider: "jira",
      failureClass: "rate_limited",
      retryAfterSeconds: 30,
    });
    const busy = await host.post("admin/connections/", { provider: "jira", kind: "demo" });
    expect([busy.status, busy.body.code, busy.body.retry_after_seconds]).toEqual([
      503,
      "provider_unavailable",
      30,
    ]);
    expect(busy.headers.get("retry-after")).toBe("30");
    const { body } = await host.get("admin/connections/");
    expect(list(body.connections)).toHaveLength(2);
  });

  test("test and refresh tell how the connection is", async () => {
    const id = await host.connect("github");
    host.discoveryFailure = new ConnectorRequestError("GitHub answered 401.", {
      provider: "github",
      failureClass: "auth",
    });
    for (const verb of ["test", "refresh"]) {
      const answer = await host.post(`admin/connections/${id}/${verb}/`, undefined);
      expect(v.parse(protocol.Connection, answer.body)).toMatchObject({
        status: "degraded",
        error: "GitHub answered 401.",
      });
    }
    host.discoveryFailure = null;
    const mended = await host.call("POST", `admin/connections/${id}/test/`);
    expect(mended.body).toMatchObject({ connection_id: id, status: "connected", error: null });
  });

  test("a removed connection hides its resources and keeps the mappings", async () => {
    const ref = await host.bind("linear", "Payments (PMT)");
    const id = await host.connect("linear");
    const removed = await host.call("DELETE", `admin/connections/${id}/`);
    expect(removed.status).toBe(204);
    expect((await host.resolve("linear")).body.code).toBe("no_installation");
    expect(
      list((await host.get("tracker/installations/")).body.installations).map((item) => item.provider),
    ).toEqual(["github"]);
    const status = await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`);
    expect(status.body).toMatchObject({
      connected: false,
      binding_ref: ref,
      last_error: expect.stringContaining("removed"),
    });
    expect((await host.call("DELETE", `admin/connections/${id}/`)).body.code).toBe("connection_not_found");
    expect(await host.connect("linear")).toBe(id);
    const back = await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`);
    expect(back.body).toMatchObject({ connected: true, sync_state: "never", last_error: null });
  });
});

test("a deleted mapping frees project and resource, and its reference says so", async () => {
  const ref = await host.bind("linear", "Payments (PMT)");
  expect((await host.call("DELETE", `admin/mappings/${ref}/`)).status).toBe(204);
  const again = await host.call("DELETE", `admin/mappings/${ref}/`);
  expect([again.status, again.body.code]).toEqual([404, "binding_not_found"]);
  const validated = await host.post("tracker/bind-validate/", {
    provider: "linear",
    binding_ref: ref,
    project_identity: IDENTITY,
  });
  expect(validated.body).toMatchObject({ valid: false, reason: "mapping_deleted" });
  expect(await host.bind("linear", "Payments (PMT)", OTHER)).not.toBe(ref);
});

test("an older client binds and reads its status: documented fields, build_id, no key, no extensions", async () => {
  const project_identity = { ...IDENTITY, build_id: "b-1" };
  const headers = { "content-type": "application/json", "user-agent": "spec-kitty-cli/1.0" };
  const team = "acme";
  const resolved = await host.post(
    "tracker/bind-resolve/",
    { provider: "linear", project_identity },
    { headers, team },
  );
  const [first] = list(resolved.body.candidates);
  const confirmed = await host.post(
    "tracker/bind-confirm/",
    { provider: "linear", candidate_token: first?.candidate_token, project_identity },
    { headers, team },
  );
  expect(confirmed.status).toBe(200);
  const ref = String(confirmed.body.binding_ref);
  const validated = await host.post(
    "tracker/bind-validate/",
    { provider: "linear", binding_ref: ref, project_identity },
    { headers, team },
  );
  expect(validated.body.valid).toBe(true);
  const status = await host.get(`tracker/status/?provider=linear&binding_ref=${ref}`, { headers, team });
  expect(status.body).toMatchObject({
    connected: true,
    configured: true,
    display_label: "Payments API (PAY)",
  });
});

test("what was confirmed is there after a restart, and tokens stay good", async () => {
  const token = await host.candidate("linear", "Payments (PMT)");
  const ref = await host.bind("github", "acme/docs");
  await host.restart();
  expect((await host.get(`tracker/status/?provider=github&binding_ref=${ref}`)).status).toBe(200);
  expect((await host.confirm("linear", token)).status).toBe(200);
});
