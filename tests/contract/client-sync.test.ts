/** Pushes and runs that take longer than one answer, and operations that are waited for again. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ControlPlaneError } from "../../src/client/errors.ts";
import type { CallOptions, ControlPlaneClient, OperationProgress } from "../../src/client.ts";
import type { RoutingKey } from "../../src/protocol.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, StubbedNature, stubbedClient } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const OPERATION = `${BASE}/operations/${ID}/`;
const REF: RoutingKey = { binding_ref: "srm_1" };
const SUMMARY = { total: 1, succeeded: 1, failed: 0, skipped: 0 };
const UPGRADE = { binding_ref: null, display_label: null, provider_context: null };
const ENVELOPE = { status: "ok", summary: SUMMARY, identity_path: null, doctrine: null, ...UPGRADE };
const PART = { summary: SUMMARY, item_errors: null, items: [] };
const PUSH = { ...ENVELOPE, ...PART };
const PULL = { ...PUSH, has_more: false, next_cursor: null };
const RUN = { ...ENVELOPE, pull: { ...PART, has_more: false, next_cursor: null }, push: PART };

const PUBLISHED = {
  ref: { system: "linear", id: "1", workspace: "PAY", key: "PAY-1", url: null },
  title: "Refund twice",
  body: null,
  status: "done",
  issue_type: "task",
  priority: 0,
  assignees: [],
  labels: [],
  parent_ref: null,
  links: [],
  custom_fields: {},
  created_at: "2026-03-01T09:00:00.000Z",
  updated_at: "2026-03-01T09:00:00.000Z",
  provider_metadata: {},
  omitted: ["links"],
  ...UPGRADE,
};
const UPDATE = {
  mission_id: "m-7",
  mission_state: "done",
  target_status: null,
  summary: null,
  mission_url: null,
  decision_references: [],
};

type Run = (client: ControlPlaneClient, options?: CallOptions) => Promise<unknown>;
const CALLS: readonly (readonly [call: string, result: object, run: Run])[] = [
  [
    "push",
    PUSH,
    (client, options) => client.call("push", { provider: "linear", ...REF, items: [] }, options),
  ],
  [
    "run",
    RUN,
    (client, options) =>
      client.call("run", { provider: "linear", ...REF, pull_first: true, limit: 1 }, options),
  ],
  [
    "missions/publish",
    PUBLISHED,
    (client, options) =>
      client.call("publishMission", { provider: "linear", ...REF, issue: "PAY-1", update: UPDATE }, options),
  ],
];

let stubs = new HttpStubs();
beforeEach(() => {
  stubs = new HttpStubs();
});
afterEach(() => stubs.verify());

const operation = (status: string, facts: object = {}): Response =>
  Response.json({ operation_id: ID, status, ...facts });
const accepted = (id = ID): Response =>
  Response.json({ operation_id: id, status: "pending" }, { status: 202 });

describe.each(CALLS)("%s", (call, result, run) => {
  const target = `${BASE}/${call}/`;

  test("is answered at once, or waited for", async () => {
    stubs.on("POST", target, Response.json(result));
    expect(await run(stubbedClient(stubs))).toEqual(result);
    const timing = new StubbedNature();
    stubs
      .on("POST", target, accepted())
      .on("GET", OPERATION, operation("pending"))
      .on("GET", OPERATION, operation("running", { progress: { done: 3, total: 10 } }))
      .on("GET", OPERATION, operation("completed", { result }));
    const seen: (OperationProgress | string)[] = [];
    const options: CallOptions = {
      onAccepted: (id) => seen.push(id),
      onProgress: (progress) => seen.push(progress),
    };
    expect(await run(stubbedClient(stubs, { timing }), options)).toEqual(result);
    expect(seen).toEqual([ID, null, null, { done: 3, total: 10 }]);
    expect(timing.sleeps).toEqual([1_000, 2_000, 4_000]);
    expect(stubs.requests.filter(({ method }) => method === "POST")).toHaveLength(2);
  });

  test("is one push however often it is sent: every attempt has the same Idempotency-Key", async () => {
    stubs.on("POST", target, Response.json(errorBody("internal", { retryable: true }), { status: 503 }));
    stubs.on("POST", target, Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    stubs.on("POST", target, accepted());
    stubs.on("GET", OPERATION, operation("completed", { result }));
    await run(stubbedClient(stubs));
    const keys = stubs.requests.flatMap(({ headers }) => headers["idempotency-key"] ?? []);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  test("fails with the error of the operation", async () => {
    const error = errorBody("provider_unavailable", { message: "linear does not answer." });
    stubs.on("POST", target, accepted()).on("GET", OPERATION, operation("failed", { error }));
    const failure = await failureOf(run(stubbedClient(stubs)));
    expect(failure).toBeInstanceOf(ControlPlaneError);
    expect(failure).toMatchObject({ code: "provider_unavailable", message: "linear does not answer." });
  });

  test.each([undefined, null, {}, { status: "ok" }])("does not take %j for a result", async (strange) => {
    stubs.on("POST", target, accepted()).on("GET", OPERATION, operation("completed", { result: strange }));
    expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({
      code: "invalid_response",
      hint: expect.stringContaining("tracker status"),
    });
  });

  test.each([
    [ID, `tracker sync wait ${ID}`],
    ["x; rm -rf '~'", `tracker sync wait 'x; rm -rf '\\''~'\\'''`],
  ])("after five minutes names the command that waits again for %j", async (id, command) => {
    const timing = new StubbedNature();
    const started = timing.now();
    const patient = stubbedClient(stubs, {
      timing,
      fetch: async ({ method }) =>
        method === "POST" ? accepted(id) : Response.json({ operation_id: id, status: "running" }),
    });
    expect(await failureOf(run(patient))).toMatchObject({
      code: "operation_timeout",
      retryable: true,
      hint: `It continues. Wait for it again: ${command}`,
    });
    expect(timing.now() - started).toBe(300_000);
  });
});

describe("a control plane that is gone while it is waited for", () => {
  const gone = () => Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const run = (timing: StubbedNature) =>
    stubbedClient(stubs, { timing }).call("push", { provider: "linear", ...REF, items: [] });

  test("is asked again: operations survive its restart", async () => {
    stubs
      .on("POST", `${BASE}/push/`, accepted())
      // Three attempts each.
      .repeat(9, "GET", OPERATION, gone)
      .on("GET", OPERATION, operation("running"))
      .on("GET", OPERATION, operation("completed", { result: PUSH }));
    expect<unknown>(await run(new StubbedNature())).toEqual(PUSH);
  });

  test("for more than a minute is told, with the command that waits again", async () => {
    const timing = new StubbedNature();
    const started = timing.now();
    const lost = stubbedClient(stubs, {
      timing,
      fetch: async ({ method }) => {
        if (method === "POST") return accepted();
        throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      },
    });
    expect(await failureOf(lost.call("push", { provider: "linear", ...REF, items: [] }))).toMatchObject({
      code: "host_unreachable",
      retryable: true,
      details: { operation_id: ID },
      hint: `Check the address and your network with \`tracker doctor\`. Wait for it again: tracker sync wait ${ID}`,
    });
    expect(timing.now() - started).toBeLessThan(120_000);
  });

  test("and then knows nothing of it is told at once", async () => {
    stubs
      .on("POST", `${BASE}/push/`, accepted())
      .on("GET", OPERATION, Response.json(errorBody("operation_not_found"), { status: 404 }));
    const failure = await failureOf(run(new StubbedNature()));
    expect(failure).toMatchObject({ code: "operation_not_found", hint: expect.not.stringContaining("wait") });
  });
});

describe("a write whose answer was lost", () => {
  const WARNING =
    "It may have been done. Check before you run it again: `tracker status`, `tracker issues list`";

  test.each(CALLS)("may have been done, which is told: %s", async (call, _, run) => {
    const broken = () => Object.assign(new Error("reset"), { code: "ECONNRESET" });
    const refused = () => Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    stubs.on("POST", `${BASE}/${call}/`, broken()).repeat(2, "POST", `${BASE}/${call}/`, refused);
    expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({
      code: "host_unreachable",
      hint: WARNING,
    });
    const badGateway = () => new Response("bad gateway", { status: 502 });
    stubs.repeat(3, "POST", `${BASE}/${call}/`, badGateway);
    expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({ code: "http_502", hint: WARNING });
  });

  test.each(CALLS)("was not done when nobody was there: %s", async (call, _, run) => {
    for (const [code, words] of [
      ["ECONNREFUSED", "tracker doctor"],
      ["ENOTFOUND", "tracker doctor"],
      ["DEPTH_ZERO_SELF_SIGNED_CERT", "NODE_EXTRA_CA_CERTS"],
    ] as const) {
      stubs.repeat(3, "POST", `${BASE}/${call}/`, () => Object.assign(new Error("nobody"), { code }));
      expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({
        hint: expect.stringContaining(words),
      });
    }
  });

  test.each([
    [301, "--host"],
    [307, "--host"],
    [303, "It may have been done."],
  ])("was done only where an answer is to be seen elsewhere: %d", async (status, words) => {
    const headers = { location: "https://new.example.com/" };
    stubs.on("POST", `${BASE}/push/`, new Response(null, { status, headers }));
    const { hint } = Object(
      await failureOf(stubbedClient(stubs).call("push", { provider: "linear", ...REF, items: [] })),
    );
    expect(hint).toContain(words);
  });
});

describe("an operation of a control plane in this process", () => {
  const embedded = (timing: StubbedNature) => stubbedClient(stubs, { timing, credentials: null });

  test("ends with the process: it is waited for as long as it takes, and looked at each second", async () => {
    const timing = new StubbedNature();
    const started = timing.now();
    stubs
      .on("POST", `${BASE}/run/`, accepted())
      .repeat(600, "GET", OPERATION, () => operation("running"))
      .on("GET", OPERATION, operation("completed", { result: RUN }));
    await embedded(timing).call("run", {
      provider: "linear",
      binding_ref: "srm_1",
      pull_first: true,
      limit: 100,
    });
    expect(timing.now() - started).toBe(601_000);
  });

  test.each(CALLS)("that is in the way of %s is waited for, and not elsewhere", async (call, result, run) => {
    const target = `${BASE}/${call}/`;
    const details = { operation_id: ID };
    const busy = () => Response.json(errorBody("sync_in_progress", { details }), { status: 409 });
    stubs
      .on("POST", target, busy())
      .on("GET", OPERATION, operation("running", { progress: { done: 1, total: 2 } }))
      .on("GET", OPERATION, operation("failed", { error: errorBody("internal") }))
      .on("POST", target, Response.json(result));
    const told: unknown[] = [];
    const listener: CallOptions = {
      onAccepted: (id, isEmbedded) => told.push(id, isEmbedded),
      onProgress: (progress) => told.push(progress),
    };
    expect(await run(embedded(new StubbedNature()), listener)).toEqual(result);
    expect(told).toEqual([ID, true, { done: 1, total: 2 }]);
    const keys = stubs.requests.flatMap(({ headers }) => headers["idempotency-key"] ?? []);
    expect(new Set(keys).size).toBe(1);

    stubs.on("POST", target, busy());
    expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({ code: "sync_in_progress" });
  });

  test("stops with its process", async () => {
    const ends: boolean[] = [];
    stubs
      .on("GET", OPERATION, operation("running"))
      .on("GET", OPERATION, operation("completed", { result: RUN }));
    await embedded(new StubbedNature()).jobOutcome(ID, {
      onAccepted: (_, isEmbedded) => ends.push(isEmbedded),
    });
    expect(ends).toEqual([true]);
  });
});

describe("an operation that is waited for again", () => {
  test.each([
    ["pull", PULL],
    ["push", PUSH],
    ["run", RUN],
    ["publish", PUBLISHED],
  ] as const)("that is over is not waited for: %s", async (kind, result) => {
    const timing = new StubbedNature();
    stubs.on("GET", OPERATION, operation("completed", { result }));
    expect<unknown>(await stubbedClient(stubs, { timing }).jobOutcome(ID)).toEqual({ kind, result });
    expect(timing.sleeps).toEqual([]);
  });

  test("goes on being polled", async () => {
    const seen: OperationProgress[] = [];
    stubs
      .on("GET", OPERATION, operation("running", { progress: { done: 1, total: 2 } }))
      .on("GET", OPERATION, operation("running", { progress: { done: 2, total: 2 } }))
      .on("GET", OPERATION, operation("completed", { result: RUN }));
    const outcome = await stubbedClient(stubs).jobOutcome(ID, {
      onProgress: (progress) => seen.push(progress),
    });
    expect(outcome.kind).toBe("run");
    expect(seen.map((progress) => progress?.done)).toEqual([1, 2]);
  });

  test.each([
    ["operation_not_found", 404],
    ["unauthorized", 401],
  ])("that nobody knows: %s", async (code, status) => {
    stubs.on("GET", OPERATION, Response.json(errorBody(code), { status }));
    expect(await failureOf(stubbedClient(stubs).jobOutcome(ID))).toMatchObject({ code });
  });

  test("that failed, or that was other work, is an error", async () => {
    stubs.on("GET", OPERATION, operation("failed", { error: errorBody("provider_rejected") }));
    expect(await failureOf(stubbedClient(stubs).jobOutcome(ID))).toMatchObject({
      code: "provider_rejected",
    });
    stubs.on("GET", OPERATION, operation("completed", { result: { connection_id: "conn_1" } }));
    expect(await failureOf(stubbedClient(stubs).jobOutcome(ID))).toMatchObject({ code: "invalid_response" });
  });
});
