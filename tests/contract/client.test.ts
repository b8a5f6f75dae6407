/** Every call of the client as it appears on the wire, and how tolerantly answers are read. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ControlPlaneClient, MissionUpdate } from "../../src/client.ts";
import type { ConnectRequest, PushItem, RoutingKey } from "../../src/protocol.ts";
import { HttpStubs, PERSONAL, STUB_URL, stubbedClient, USER_AGENT } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const IDENTITY = {
  uuid: "u-1",
  slug: "payments-api",
  node_id: "0123456789ab",
  repo_slug: "acme/payments-api",
};
const OPERATION = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const ITEMS: readonly PushItem[] = [
  { ref: { id: "i-1" }, action: "transition", target_status: "done" },
  { ref: { id: "i-2" }, action: "comment", body: "Shipped." },
];

const ISSUE = {
  ref: { system: "linear", id: "i-1", workspace: "acme", key: "PAY-1", url: "https://linear.example/PAY-1" },
  title: "Refunds",
  body: null,
  status: "in_progress",
  issue_type: "task",
  priority: 2,
  assignees: ["ada"],
  labels: [],
  parent_ref: null,
  links: [{ kind: "blocks", ref: {} }],
  custom_fields: { points: 3 },
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-02T00:00:00Z",
  provider_metadata: {},
};
const SUMMARY = { total: 1, succeeded: 1, failed: 0, skipped: 0 };
const IDENTITY_PATH = {
  type: "installation",
  installation_id: "inst_1",
  user_link_id: null,
  provider: "linear",
  provider_account_id: "acct_1",
};
const UPGRADE = {
  binding_ref: "srm_1",
  display_label: "Payments (PAY)",
  provider_context: { team_key: "PAY" },
};
const ENVELOPE = {
  ...UPGRADE,
  status: "ok",
  summary: SUMMARY,
  identity_path: IDENTITY_PATH,
  doctrine: null,
};
const PULL = { ...ENVELOPE, item_errors: null, items: [ISSUE], has_more: true, next_cursor: "page-2" };
const PUSH = {
  ...ENVELOPE,
  status: "partial",
  item_errors: [{ ref: { id: "i-2" }, code: "issue_not_found", message: "Gone.", retryable: false }],
  items: [
    {
      ref: { id: "i-1" },
      action: "transition",
      outcome: "applied",
      remote_ref: null,
      version: "7",
      message: null,
    },
  ],
};
const RUN = {
  ...ENVELOPE,
  pull: { summary: SUMMARY, item_errors: null, items: [ISSUE], has_more: false, next_cursor: null },
  push: { summary: SUMMARY, item_errors: null, items: [] },
};
const CONFLICT = {
  id: "c-1",
  issue: { id: "i-1", key: "PAY-1", title: "Refunds" },
  field: "title",
  base: "Refund",
  local: "Refunds",
  remote: "Refunding",
  resolution: null,
};
const SEED = {
  mission_id: "M-1",
  source_issue_ref: ISSUE.ref,
  title: "Refunds",
  body: null,
  status: "todo",
  priority: 2,
  assignees: ["Ada"],
  labels: [],
  decision_references: [{ id: "D-1", blocking: true, title: null, external_ref: ISSUE.ref }],
};
const UPDATE: MissionUpdate = {
  mission_id: "M-1",
  mission_state: "implementing",
  target_status: "in_progress",
  summary: null,
  mission_url: null,
  decision_references: [],
};
const ACCEPTED = { operation_id: OPERATION, status: "pending" };
const STATUS = {
  ...UPGRADE,
  provider: "linear",
  connected: true,
  configured: true,
  identity_path: IDENTITY_PATH,
  sync_state: "idle",
  last_synced_at: "2026-01-02T00:00:00Z",
  issue_count: 7,
  open_conflicts: 1,
  last_error: null,
};
const INSTALLATION_STATUS = {
  provider: "linear",
  connected: true,
  resource_count: 3,
  bindings: [
    {
      binding_ref: "srm_1",
      project_slug: "payments-api",
      display_label: "Payments (PAY)",
      status: "active",
      bound_at: "2026-01-01T00:00:00Z",
      last_synced_at: null,
    },
  ],
};
const MAPPING = {
  ...UPGRADE,
  provider: "linear",
  project_slug: "payments-api",
  project_uuid: "u-1",
  status: "active",
  bound_at: "2026-01-01T00:00:00Z",
  wp_id: null,
  external_id: "team-1",
  external_key: "PAY",
  external_url: null,
};
const CONNECTION = {
  connection_id: "inst_1",
  provider: "linear",
  kind: "demo",
  base_url: null,
  status: "connected",
  account_label: "Acme",
  resource_count: 3,
  last_refreshed_at: null,
  error: null,
};
const TICKET = {
  external_issue_id: "i-1",
  identifier: "PAY-1",
  title: "Refunds",
  url: "https://linear.example/PAY-1",
  state: { name: "In Progress" },
  team: "Payments",
  assignee: "Ada",
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-02T00:00:00Z",
  body: null,
};
const TICKETS_OF = { ...UPGRADE, resource_type: "linear_team", resource_id: "team-1" };
const RESOLUTION = {
  match_type: "candidates",
  candidate_token: null,
  binding_ref: null,
  display_label: null,
  project_slug: null,
  provider_context: null,
  candidates: [
    {
      candidate_token: "cand_1",
      display_label: "Payments (PAY)",
      confidence: "high",
      match_reason: "the names are equal",
      sort_position: 0,
    },
  ],
};

/** One call and its exact request; `keyed` calls carry an Idempotency-Key. */
interface Call {
  readonly name: string;
  readonly run: (client: ControlPlaneClient) => Promise<unknown>;
  readonly method: string;
  readonly target: string;
  readonly body?: object;
  readonly keyed?: true;
  readonly answer: object;
  readonly status?: number;
}

const REF: RoutingKey = { binding_ref: "srm_1" };
const SLUG: RoutingKey = { project_slug: "payments-api" };

/** The calls that take a routing key, with each of the keys. */
const ROUTED = [REF, SLUG].flatMap((key): Call[] => {
  const by = "binding_ref" in key ? "binding_ref" : "project_slug";
  const query = "binding_ref" in key ? "binding_ref=srm_1" : "project_slug=payments-api";
  const filters = { status: ["todo"], label: "bug" };
  return [
    {
      name: `status by ${by}`,
      run: (client) => client.call("status", { provider: "linear", ...key }),
      method: "GET",
      target: `${BASE}/status/?provider=linear&${query}`,
      answer: STATUS,
    },
    {
      name: `mappings by ${by}`,
      run: (client) => client.call("mappings", { provider: "linear", ...key }),
      method: "GET",
      target: `${BASE}/mappings/?provider=linear&${query}`,
      answer: { ...UPGRADE, mappings: [MAPPING] },
    },
    {
      name: `pull by ${by}`,
      run: (client) => client.call("pull", { provider: "linear", ...key, limit: 100 }),
      method: "POST",
      target: `${BASE}/pull/`,
      body: { provider: "linear", ...key, limit: 100 },
      answer: PULL,
    },
    {
      name: `pull of a further page by ${by}`,
      run: (client) =>
        client.call("pull", { provider: "linear", ...key, limit: 10_000, cursor: "page-2", filters }),
      method: "POST",
      target: `${BASE}/pull/`,
      body: { provider: "linear", ...key, limit: 10_000, cursor: "page-2", filters },
      answer: { ...PULL, has_more: false, next_cursor: null },
    },
    {
      name: `list-tickets by ${by}`,
      run: (client) => client.call("listTickets", { provider: "linear", ...key, limit: 20 }),
      method: "POST",
      target: `${BASE}/list-tickets/`,
      body: { provider: "linear", ...key, limit: 20 },
      answer: { ...TICKETS_OF, tickets: [TICKET] },
    },
    {
      name: `issue-search by ${by}`,
      run: (client) =>
        client.call("searchIssues", { provider: "linear", ...key, query_text: "refunds", limit: 100 }),
      method: "POST",
      target: `${BASE}/issue-search/`,
      body: { provider: "linear", ...key, query_text: "refunds", limit: 100 },
      answer: { ...TICKETS_OF, candidates: [TICKET] },
    },
    {
      name: `push by ${by}`,
      run: (client) => client.call("push", { provider: "linear", ...key, items: [...ITEMS] }),
      method: "POST",
      target: `${BASE}/push/`,
      body: { provider: "linear", ...key, items: ITEMS },
      keyed: true,
      answer: PUSH,
    },
    {
      name: `run by ${by}`,
      run: (client) => client.call("run", { provider: "linear", ...key, pull_first: true, limit: 50 }),
      method: "POST",
      target: `${BASE}/run/`,
      body: { provider: "linear", ...key, pull_first: true, limit: 50 },
      keyed: true,
      answer: RUN,
    },
    {
      name: `run by ${by}, dry`,
      run: (client) =>
        client.call("run", { provider: "linear", ...key, pull_first: true, limit: 1, dry_run: true }),
      method: "POST",
      target: `${BASE}/run/`,
      body: { provider: "linear", ...key, pull_first: true, limit: 1, dry_run: true },
      keyed: true,
      answer: { ...RUN, dry_run: true },
    },
    {
      name: `pull by ${by} that begins again`,
      run: (client) => client.call("pull", { provider: "linear", ...key, limit: 100, reread: "interrupted" }),
      method: "POST",
      target: `${BASE}/pull/`,
      body: { provider: "linear", ...key, limit: 100, reread: "interrupted" },
      answer: PULL,
    },
    {
      name: `conflicts by ${by}`,
      run: (client) => client.call("conflicts", { provider: "linear", ...key }),
      method: "POST",
      target: `${BASE}/conflicts/`,
      body: { provider: "linear", ...key },
      answer: { ...UPGRADE, conflicts: [CONFLICT] },
    },
    {
      name: `conflicts/resolve by ${by}`,
      run: (client) =>
        client.call("resolveConflict", { provider: "linear", ...key, id: "c-1", take: "external" }),
      method: "POST",
      target: `${BASE}/conflicts/resolve/`,
      body: { provider: "linear", ...key, id: "c-1", take: "external" },
      answer: { ...UPGRADE, ...CONFLICT, resolution: "external" },
    },
    {
      name: `missions/seed by ${by}`,
      run: (client) => client.call("seedMission", { provider: "linear", ...key, issue: "PAY-1" }),
      method: "POST",
      target: `${BASE}/missions/seed/`,
      body: { provider: "linear", ...key, issue: "PAY-1" },
      answer: { ...UPGRADE, ...SEED },
    },
    {
      name: `missions/seed by ${by} for a mission`,
      run: (client) =>
        client.call("seedMission", { provider: "linear", ...key, issue: "PAY-1", mission_id: "M-1" }),
      method: "POST",
      target: `${BASE}/missions/seed/`,
      body: { provider: "linear", ...key, issue: "PAY-1", mission_id: "M-1" },
      answer: { ...UPGRADE, ...SEED },
    },
    {
      name: `missions/publish by ${by}`,
      run: (client) =>
        client.call("publishMission", { provider: "linear", ...key, issue: "PAY-1", update: UPDATE }),
      method: "POST",
      target: `${BASE}/missions/publish/`,
      body: { provider: "linear", ...key, issue: "PAY-1", update: UPDATE },
      keyed: true,
      answer: { ...UPGRADE, ...ISSUE, omitted: ["links"] },
    },
  ];
});

const CONNECT_REQUESTS: readonly ConnectRequest[] = [
  { provider: "linear", kind: "demo" },
  {
    provider: "jira",
    kind: "token",
    token: "secret-1",
    base_url: "https://acme.atlassian.net",
    email: "ada@acme.example",
  },
  {
    provider: "github",
    kind: "nango",
    connection_id: "c-1",
    provider_config_key: "github-prod",
    secret_key: "secret-2",
    base_url: null,
  },
];

const CALLS: readonly Call[] = [
  {
    name: "resources",
    run: (client) => client.call("resources", { provider: "linear" }),
    method: "GET",
    target: `${BASE}/resources/?provider=linear`,
    answer: {
      resources: [
        {
          candidate_token: "cand_1",
          display_label: "Payments (PAY)",
          provider: "linear",
          provider_context: { team_key: "PAY" },
          binding_ref: "srm_1",
          bound_project_slug: "payments-api",
          bound_at: "2026-01-01T00:00:00Z",
        },
      ],
      installation_id: "inst_1",
      provider: "linear",
      next_cursor: null,
    },
  },
  {
    name: "bind-resolve",
    run: (client) => client.call("bindResolve", { provider: "linear", project_identity: IDENTITY }),
    method: "POST",
    target: `${BASE}/bind-resolve/`,
    body: { provider: "linear", project_identity: IDENTITY },
    answer: RESOLUTION,
  },
  {
    name: "bind-resolve of a project without a remote",
    run: (client) =>
      client.call("bindResolve", { provider: "linear", project_identity: { ...IDENTITY, repo_slug: null } }),
    method: "POST",
    target: `${BASE}/bind-resolve/`,
    body: { provider: "linear", project_identity: { ...IDENTITY, repo_slug: null } },
    answer: { ...RESOLUTION, match_type: "none", candidates: [] },
  },
  {
    name: "bind-confirm",
    run: (client) =>
      client.call("bindConfirm", {
        provider: "linear",
        candidate_token: "cand_1",
        project_identity: IDENTITY,
      }),
    method: "POST",
    target: `${BASE}/bind-confirm/`,
    body: { provider: "linear", candidate_token: "cand_1", project_identity: IDENTITY },
    keyed: true,
    answer: {
      ...UPGRADE,
      provider: "linear",
      bound_at: "2026-01-01T00:00:00Z",
      project_slug: "payments-api",
    },
  },
  {
    name: "bind-validate, valid",
    run: (client) =>
      client.call("bindValidate", { provider: "linear", binding_ref: "srm_1", project_identity: IDENTITY }),
    method: "POST",
    target: `${BASE}/bind-validate/`,
    body: { provider: "linear", binding_ref: "srm_1", project_identity: IDENTITY },
    answer: { valid: true, ...UPGRADE, provider: "linear" },
  },
  {
    name: "bind-validate, invalid",
    run: (client) =>
      client.call("bindValidate", { provider: "linear", binding_ref: "srm_1", project_identity: IDENTITY }),
    method: "POST",
    target: `${BASE}/bind-validate/`,
    body: { provider: "linear", binding_ref: "srm_1", project_identity: IDENTITY },
    answer: { valid: false, binding_ref: "srm_1", reason: "mapping_deleted", guidance: "Bind again." },
  },
  {
    name: "installations of a provider",
    run: (client) => client.call("installations", { provider: "linear" }),
    method: "GET",
    target: `${BASE}/installations/?provider=linear`,
    answer: {
      installations: [
        {
          installation_id: "inst_1",
          provider: "linear",
          status: "degraded",
          account_label: "Acme",
          resource_count: 3,
          bound_count: 1,
          last_refreshed_at: "2026-01-01T00:00:00Z",
          error: "The provider answers slowly.",
        },
      ],
    },
  },
  {
    name: "all installations",
    run: (client) => client.call("installations", {}),
    method: "GET",
    target: `${BASE}/installations/`,
    answer: { installations: [] },
  },
  ...ROUTED,
  {
    name: "status of an installation",
    run: (client) => client.call("installationStatus", { provider: "linear" }),
    method: "GET",
    target: `${BASE}/status/?provider=linear`,
    answer: INSTALLATION_STATUS,
  },
  {
    name: "mappings of a provider",
    run: (client) => client.call("mappings", { provider: "linear" }),
    method: "GET",
    target: `${BASE}/mappings/?provider=linear`,
    answer: { binding_ref: null, display_label: null, provider_context: null, mappings: [MAPPING] },
  },
  {
    name: "operation",
    run: (client) => client.call("operation", { operation_id: OPERATION }),
    method: "GET",
    target: `${BASE}/operations/${OPERATION}/`,
    answer: { ...ACCEPTED, status: "running", progress: { done: 3, total: null }, result: null, error: null },
  },
  {
    name: "operation with an id that is no path",
    run: (client) => client.call("operation", { operation_id: "../a b?c" }),
    method: "GET",
    target: `${BASE}/operations/..%2Fa%20b%3Fc/`,
    answer: { operation_id: "../a b?c", status: "completed", progress: null, result: { n: 1 }, error: null },
  },
  {
    name: "list-tickets of a provider",
    run: (client) => client.call("listTickets", { provider: "linear", limit: 1 }),
    method: "POST",
    target: `${BASE}/list-tickets/`,
    body: { provider: "linear", limit: 1 },
    answer: { ...TICKETS_OF, tickets: [] },
  },
  {
    name: "issue-search of a provider by key",
    run: (client) => client.call("searchIssues", { provider: "linear", query_key: "PAY-1", limit: 20 }),
    method: "POST",
    target: `${BASE}/issue-search/`,
    body: { provider: "linear", query_key: "PAY-1", limit: 20 },
    answer: { ...TICKETS_OF, candidates: [TICKET] },
  },
  ...CONNECT_REQUESTS.map(
    (request): Call => ({
      name: `connect with ${request.kind}`,
      run: (client) => client.call("connect", request),
      method: "POST",
      target: "/api/v1/admin/connections/",
      body: request,
      answer: { ...CONNECTION, kind: request.kind },
    }),
  ),
  {
    name: "connections",
    run: (client) => client.call("connections", {}),
    method: "GET",
    target: "/api/v1/admin/connections/",
    answer: { connections: [CONNECTION] },
  },
  {
    name: "test of a connection",
    run: (client) => client.call("testConnection", { connection_id: "inst 1" }),
    method: "POST",
    target: "/api/v1/admin/connections/inst%201/test/",
    answer: CONNECTION,
  },
  {
    name: "refresh of a connection",
    run: (client) => client.call("refreshConnection", { connection_id: "inst_1" }),
    method: "POST",
    target: "/api/v1/admin/connections/inst_1/refresh/",
    answer: CONNECTION,
  },
];

let stubs = new HttpStubs();
beforeEach(() => {
  stubs = new HttpStubs();
});
afterEach(() => stubs.verify());

describe("requests", () => {
  test.each(CALLS.map((call) => [call.name, call] as const))("%s", async (_name, call) => {
    stubs.on(call.method, call.target, Response.json(call.answer, { status: call.status ?? 200 }));
    const result = await call.run(stubbedClient(stubs));
    const [request] = stubs.requests;
    const { "idempotency-key": key, ...headers } = request?.headers ?? {};
    expect(headers).toEqual({
      accept: "application/json",
      authorization: `Bearer ${PERSONAL.accessToken}`,
      "user-agent": USER_AGENT,
      "x-team-slug": "acme",
      ...(call.body === undefined ? {} : { "content-type": "application/json" }),
    });
    if (call.keyed) expect(key).toMatch(UUID4);
    else expect(key).toBeUndefined();
    expect(request?.text === null ? undefined : JSON.parse(request?.text ?? "")).toEqual(call.body);
    expect(result).toEqual(call.answer);
  });

  test("removing a connection has no answer to read", async () => {
    stubs.on("DELETE", "/api/v1/admin/connections/inst_1/", new Response(null, { status: 204 }));
    await stubbedClient(stubs).call("removeConnection", { connection_id: "inst_1" });
  });

  test("deleting a mapping has no answer to read either", async () => {
    stubs.on("DELETE", "/api/v1/admin/mappings/srm_1/", new Response(null, { status: 204 }));
    await stubbedClient(stubs).call("deleteMapping", { binding_ref: "srm_1" });
  });

  test("me is asked for no team in particular", async () => {
    const me = { user_id: 7, email: "ada@acme.example", name: "Ada", teams: [] };
    stubs.on("GET", "/api/v1/me", Response.json(me));
    expect(await stubbedClient(stubs).call("me", {})).toEqual(me);
    const { authorization, "x-team-slug": team } = stubs.requests[0]?.headers ?? {};
    expect([authorization, team]).toEqual([`Bearer ${PERSONAL.accessToken}`, undefined]);
  });

  test("health is asked without a credential", async () => {
    const health = { status: "ok", version: "1.0.0", database: "sqlite", features: [] };
    stubs.on("GET", `${BASE}/health/`, Response.json(health));
    expect(await stubbedClient(stubs).call("health", {})).toEqual(health);
    expect(stubs.requests[0]?.headers).toEqual({ accept: "application/json", "user-agent": USER_AGENT });
  });

  test("the embedded control plane is asked without a credential", async () => {
    stubs.on("GET", `${BASE}/status/?provider=linear&binding_ref=srm_1`, Response.json(STATUS));
    await stubbedClient(stubs, { credentials: null }).call("status", { provider: "linear", ...REF });
    expect(stubs.requests[0]?.headers).toEqual({ accept: "application/json", "user-agent": USER_AGENT });
  });

  test("values that need it are encoded in the query", async () => {
    const target = `${BASE}/status/?provider=linear&project_slug=a%26b%3Dc+%C3%BC`;
    stubs.on("GET", target, Response.json(STATUS));
    await stubbedClient(stubs).call("status", { provider: "linear", project_slug: "a&b=c ü" });
  });

  test.each([`${STUB_URL}/tracker`, `${STUB_URL}/tracker/`])(
    "the path of the base address goes before every path: %s",
    async (base) => {
      stubs.on("GET", `/tracker${BASE}/health/`, Response.json({ status: "ok" }));
      stubs.on("GET", "/tracker/api/v1/me", Response.json({ user_id: "u", teams: [] }));
      const client = stubbedClient(stubs, { url: new URL(base) });
      await client.call("health", {});
      await client.call("me", {});
    },
  );

  test("a caller's own Idempotency-Key is sent", async () => {
    const keys = ["key-1", "key-2", "key-3"] as const;
    stubs.on(
      "POST",
      `${BASE}/bind-confirm/`,
      Response.json({ binding_ref: "srm_1", display_label: "P", provider: "linear" }),
    );
    stubs.on("POST", `${BASE}/push/`, Response.json(PUSH));
    stubs.on("POST", `${BASE}/run/`, Response.json(RUN));
    const client = stubbedClient(stubs);
    await client.call(
      "bindConfirm",
      { provider: "linear", candidate_token: "cand_1", project_identity: IDENTITY },
      { idempotencyKey: keys[0] },
    );
    await client.call("push", { provider: "linear", ...REF, items: [...ITEMS] }, { idempotencyKey: keys[1] });
    await client.call(
      "run",
      { provider: "linear", ...REF, pull_first: true, limit: 1 },
      { idempotencyKey: keys[2] },
    );
    expect(stubs.requests.map(({ headers }) => headers["idempotency-key"])).toEqual([...keys]);
  });

  test("two calls have two Idempotency-Keys", async () => {
    stubs.repeat(2, "POST", `${BASE}/run/`, () => Response.json(RUN));
    const client = stubbedClient(stubs);
    await client.call("run", { provider: "linear", ...REF, pull_first: true, limit: 1 });
    await client.call("run", { provider: "linear", ...REF, pull_first: true, limit: 1 });
    const [first, second] = stubs.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(first).not.toBe(second);
  });

  test("the token is in the Authorization header and nowhere else, traces included", async () => {
    const lines: string[] = [];
    for (const call of CALLS) stubs.on(call.method, call.target, Response.json(call.answer));
    const client = stubbedClient(stubs, { trace: (line) => lines.push(line) });
    for (const call of CALLS) await call.run(client);
    const elsewhere = stubs.requests.map(({ headers: { authorization, ...headers }, target, text }) => [
      headers,
      target,
      text,
    ]);
    expect(JSON.stringify([lines, elsewhere])).not.toContain("canary");
    expect(JSON.stringify(lines)).not.toContain("secret-");
    expect(lines).toHaveLength(CALLS.length);
  });
});

/** `value` with an unknown field in every object of it. */
function withUnknownFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnknownFields);
  if (typeof value !== "object" || value === null) return value;
  const isTextMap = Object.values(value).every((entry) => typeof entry === "string");
  const entries = Object.entries(value).map(([key, entry]) => [key, withUnknownFields(entry)]);
  return { ...Object.fromEntries(entries), new_in_2031: isTextMap ? "text" : { nested: [1, null] } };
}

/** `expected` is in `actual`, whatever else is. */
function expectWithin(actual: unknown, expected: object): void {
  expect(actual).toMatchObject(JSON.parse(JSON.stringify(expected)));
}

describe("tolerant reading", () => {
  test.each(CALLS.map((call) => [call.name, call] as const))("%s: unknown fields", async (_name, call) => {
    const answer = withUnknownFields(call.answer);
    stubs.on(call.method, call.target, Response.json(answer, { status: call.status ?? 200 }));
    expectWithin(await call.run(stubbedClient(stubs)), call.answer);
  });

  test.each(["push", "run"] as const)("a finished %s that names its operation is a result", async (name) => {
    const answer = { ...(name === "push" ? PUSH : RUN), operation_id: OPERATION };
    stubs.on("POST", `${BASE}/${name}/`, Response.json(answer));
    const client = stubbedClient(stubs);
    const result = await (name === "push"
      ? client.call("push", { provider: "linear", ...REF, items: [] })
      : client.call("run", { provider: "linear", ...REF, pull_first: true, limit: 1 }));
    expectWithin(result, answer);
  });

  test("fields that may be null may be absent", async () => {
    const client = stubbedClient(stubs);
    const minimal = async (method: string, target: string, answer: object, run: () => Promise<unknown>) => {
      stubs.on(method, target, Response.json(answer));
      return run();
    };
    const resource = { candidate_token: "cand_1", display_label: "P", provider: "linear" };
    expect(
      await minimal("GET", `${BASE}/resources/?provider=linear`, { resources: [resource] }, () =>
        client.call("resources", { provider: "linear" }),
      ),
    ).toEqual({
      resources: [
        { ...resource, provider_context: {}, binding_ref: null, bound_project_slug: null, bound_at: null },
      ],
      installation_id: null,
      provider: null,
      next_cursor: null,
    });
    expect(
      await minimal("POST", `${BASE}/bind-resolve/`, { match_type: "none" }, () =>
        client.call("bindResolve", { provider: "linear", project_identity: IDENTITY }),
      ),
    ).toEqual({ ...RESOLUTION, match_type: "none", candidates: [] });
    const confirmed = { binding_ref: "srm_1", display_label: "P", provider: "linear" };
    expect(
      await minimal("POST", `${BASE}/bind-confirm/`, confirmed, () =>
        client.call("bindConfirm", {
          provider: "linear",
          candidate_token: "cand_1",
          project_identity: IDENTITY,
        }),
      ),
    ).toEqual({ ...confirmed, provider_context: {}, bound_at: null, project_slug: null });
    expect(
      await minimal("POST", `${BASE}/bind-validate/`, { valid: false }, () =>
        client.call("bindValidate", { provider: "linear", binding_ref: "srm_1", project_identity: IDENTITY }),
      ),
    ).toEqual({ valid: false, binding_ref: null, reason: null, guidance: null });
    const empty = Object.fromEntries(Object.keys(STATUS).map((key) => [key, null]));
    expect(
      await minimal("GET", `${BASE}/status/?provider=linear&binding_ref=srm_1`, {}, () =>
        client.call("status", { provider: "linear", ...REF }),
      ),
    ).toEqual(empty);
    expect(
      await minimal("GET", `${BASE}/status/?provider=linear`, {}, () =>
        client.call("installationStatus", { provider: "linear" }),
      ),
    ).toEqual({ provider: null, connected: null, resource_count: null, bindings: [] });
    const pulled = { status: "ok", summary: SUMMARY, items: [], has_more: false };
    expectWithin(
      await minimal("POST", `${BASE}/pull/`, pulled, () =>
        client.call("pull", { provider: "linear", ...REF, limit: 1 }),
      ),
      { ...pulled, next_cursor: null, item_errors: null, identity_path: null, binding_ref: null },
    );
    const running = { operation_id: OPERATION, status: "running" };
    expect(
      await minimal("GET", `${BASE}/operations/${OPERATION}/`, running, () =>
        client.call("operation", { operation_id: OPERATION }),
      ),
    ).toEqual({ ...running, progress: null, result: null, error: null });
  });
});
