/** Connecting and refreshing where the control plane answers before it has discovered everything. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ControlPlaneError } from "../../src/client/errors.ts";
import type { CallOptions, ControlPlaneClient, OperationProgress } from "../../src/client.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, StubbedNature, stubbedClient } from "../helpers/http-stubs.ts";

const ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const OPERATION = `/api/v1/tracker/operations/${ID}/`;
const LIST = "tracker host connections list";
const CONNECTION = {
  connection_id: "conn_1",
  provider: "github",
  kind: "token",
  base_url: null,
  status: "connected",
  account_label: "Acme",
  resource_count: 1_240,
  last_refreshed_at: "2026-03-01T12:00:00Z",
  error: null,
};

type Run = (client: ControlPlaneClient, options?: CallOptions) => Promise<unknown>;

const CALLS: readonly (readonly [name: string, target: string, run: Run])[] = [
  [
    "connect",
    "/api/v1/admin/connections/",
    (client, options) =>
      client.call(
        "connect",
        { provider: "github", kind: "token", token: "ghp_canary", base_url: null, email: null },
        options,
      ),
  ],
  [
    "refresh",
    "/api/v1/admin/connections/conn_1/refresh/",
    (client, options) => client.call("refreshConnection", { connection_id: "conn_1" }, options),
  ],
];

let stubs = new HttpStubs();
beforeEach(() => {
  stubs = new HttpStubs();
});
afterEach(() => stubs.verify());

const operation = (status: string, facts: object = {}): Response =>
  Response.json({ operation_id: ID, status, ...facts });

describe.each(CALLS)("%s", (_name, target, run) => {
  beforeEach(() => {
    stubs.on("POST", target, Response.json({ operation_id: ID, status: "pending" }, { status: 202 }));
  });

  test("waits for the operation, and tells how it goes", async () => {
    const timing = new StubbedNature();
    stubs
      .on("GET", OPERATION, operation("pending"))
      .on("GET", OPERATION, operation("running", { progress: { done: 1_000, total: null } }))
      .on("GET", OPERATION, operation("running", { progress: { done: 1_200, total: 1_240 } }))
      .on("GET", OPERATION, operation("completed", { result: CONNECTION }));
    const seen: OperationProgress[] = [];
    expect(
      await run(stubbedClient(stubs, { timing }), { onProgress: (progress) => seen.push(progress) }),
    ).toEqual(CONNECTION);
    expect(seen).toEqual([null, null, { done: 1_000, total: null }, { done: 1_200, total: 1_240 }]);
    expect(timing.sleeps).toEqual([1_000, 2_000, 4_000, 8_000]);
  });

  test("fails with the error that a failed operation carries", async () => {
    const error = errorBody("provider_rejected", {
      message: "github: Bad credentials",
      category: "provider",
      provider: "github",
      user_action_required: true,
      details: { status: 401 },
    });
    stubs.on("GET", OPERATION, operation("failed", { error }));
    const failure = await failureOf(run(stubbedClient(stubs)));
    expect(failure).toBeInstanceOf(ControlPlaneError);
    expect(failure).toMatchObject({
      code: "provider_rejected",
      message: "github: Bad credentials",
      category: "provider",
      retryable: false,
      userActionRequired: true,
      details: { status: 401 },
      hint: expect.stringContaining("tracker host connect github"),
    });
  });

  test.each([{}, { error: null }, { error: {} }])(
    "fails also when it does not say why: %j",
    async (facts) => {
      stubs.on("GET", OPERATION, operation("failed", facts));
      expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({
        code: "operation_failed",
        message: `Operation ${ID} failed.`,
      });
    },
  );

  test.each([undefined, null, {}, { ...CONNECTION, status: "on fire" }])(
    "does not take %j for a connection",
    async (result) => {
      stubs.on("GET", OPERATION, operation("completed", { result }));
      expect(await failureOf(run(stubbedClient(stubs)))).toMatchObject({
        code: "invalid_response",
        hint: expect.stringContaining(LIST),
      });
    },
  );

  test("after five minutes names the command that shows how it stands", async () => {
    const timing = new StubbedNature();
    const started = timing.now();
    const patient = stubbedClient(stubs, {
      timing,
      fetch: (request) => {
        if (request.method === "POST") return stubs.fetch(request);
        return Promise.resolve(operation("running", { progress: { done: 1, total: null } }));
      },
    });
    expect(await failureOf(run(patient))).toMatchObject({
      code: "operation_timeout",
      hint: expect.stringContaining(LIST),
    });
    expect(timing.now() - started).toBe(300_000);
  });
});
