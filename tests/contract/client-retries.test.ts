/** When the client sends a request again, how long it waits before, and how it waits for operations. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ControlPlaneError } from "../../src/client/errors.ts";
import { OperationWaiter } from "../../src/client/operations.ts";
import type { ClientOptions, ControlPlaneClient } from "../../src/client.ts";
import type { OperationResult } from "../../src/protocol.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, StubbedNature, stubbedClient } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const IDENTITY = { uuid: "u-1", slug: "payments-api", node_id: "0123456789ab", repo_slug: null };
const REF = { binding_ref: "srm_1" } as const;

let stubs = new HttpStubs();
beforeEach(() => {
  stubs = new HttpStubs();
});
afterEach(() => stubs.verify());

interface Kind {
  readonly method: string;
  readonly target: string;
  readonly run: (client: ControlPlaneClient) => Promise<unknown>;
}

const READ: Kind = {
  method: "GET",
  target: `${BASE}/resources/?provider=linear`,
  run: (client) => client.call("resources", { provider: "linear" }),
};
const POSTED_READ: Kind = {
  method: "POST",
  target: `${BASE}/bind-resolve/`,
  run: (client) => client.call("bindResolve", { provider: "linear", project_identity: IDENTITY }),
};
const KEYED_WRITE: Kind = {
  method: "POST",
  target: `${BASE}/push/`,
  run: (client) => client.call("push", { provider: "linear", ...REF, items: [] }),
};
const PLAIN_WRITE: Kind = {
  method: "POST",
  target: `${BASE}/pull/`,
  run: (client) => client.call("pull", { provider: "linear", ...REF, limit: 1 }),
};
const KINDS: Readonly<Record<string, Kind>> = {
  GET: READ,
  "bind-resolve": POSTED_READ,
  "bind-validate": {
    method: "POST",
    target: `${BASE}/bind-validate/`,
    run: (client) =>
      client.call("bindValidate", { provider: "linear", binding_ref: "srm_1", project_identity: IDENTITY }),
  },
  "bind-confirm": {
    method: "POST",
    target: `${BASE}/bind-confirm/`,
    run: (client) =>
      client.call("bindConfirm", {
        provider: "linear",
        candidate_token: "cand_1",
        project_identity: IDENTITY,
      }),
  },
  push: KEYED_WRITE,
  run: {
    method: "POST",
    target: `${BASE}/run/`,
    run: (client) => client.call("run", { provider: "linear", ...REF, pull_first: true, limit: 1 }),
  },
  "POST without a key": PLAIN_WRITE,
  "list-tickets": {
    method: "POST",
    target: `${BASE}/list-tickets/`,
    run: (client) => client.call("listTickets", { provider: "linear", ...REF, limit: 20 }),
  },
  "issue-search": {
    method: "POST",
    target: `${BASE}/issue-search/`,
    run: (client) =>
      client.call("searchIssues", { provider: "linear", ...REF, query_key: "PAY-1", limit: 20 }),
  },
  "missions/seed": {
    method: "POST",
    target: `${BASE}/missions/seed/`,
    run: (client) => client.call("seedMission", { provider: "linear", ...REF, issue: "PAY-1" }),
  },
  "admin POST without a key": {
    method: "POST",
    target: "/api/v1/admin/connections/",
    run: (client) => client.call("connect", { provider: "linear", kind: "demo" }),
  },
};
const COSTLY_READS: readonly string[] = ["list-tickets", "issue-search", "missions/seed"];
const UNKEYED: ReadonlySet<string> = new Set([
  "POST without a key",
  ...COSTLY_READS,
  "admin POST without a key",
]);

const networkError = (code: string) => () => Object.assign(new Error(`network: ${code}`), { code });
const status = (code: number) => () =>
  Response.json(errorBody(`stub_${code}`, { retryable: true }), { status: code });

/** What happens, and how often it makes the client send a repeatable and an unrepeatable call. */
const FAULTS: readonly (readonly [
  fault: string,
  answer: () => Response | Error,
  safe: number,
  unkeyed: number,
])[] = [
  ["connection refused", networkError("ConnectionRefused"), 3, 3],
  ["ECONNREFUSED", networkError("ECONNREFUSED"), 3, 3],
  ["connection reset", networkError("ECONNRESET"), 3, 1],
  ["closed early", networkError("ConnectionClosed"), 3, 1],
  ["timeout", () => new DOMException("The operation timed out.", "TimeoutError"), 3, 1],
  ["408", status(408), 3, 1],
  ["429", status(429), 3, 3],
  ["500", status(500), 3, 1],
  ["502", status(502), 3, 1],
  ["503", status(503), 3, 1],
  ["504", status(504), 3, 1],
  ["HTML 502", () => new Response("<h1>Bad gateway</h1>", { status: 502 }), 3, 1],
  ["400", status(400), 1, 1],
  ["403", status(403), 1, 1],
  ["404", status(404), 1, 1],
  ["409", status(409), 1, 1],
  ["422", status(422), 1, 1],
  ["501", status(501), 1, 1],
  ["redirect", () => new Response(null, { status: 307, headers: { location: "https://b.example/" } }), 1, 1],
  ["200 that is no answer", () => new Response("<html>"), 1, 1],
];

describe("attempts", () => {
  for (const [name, kind] of Object.entries(KINDS)) {
    const cases = FAULTS.map(
      ([fault, answer, safe, unkeyed]) => [fault, UNKEYED.has(name) ? unkeyed : safe, answer] as const,
    );
    test.each(cases)(`${name}: %s is sent %i times`, async (_fault, attempts, answer) => {
      stubs.repeat(attempts, kind.method, kind.target, answer);
      expect(await failureOf(kind.run(stubbedClient(stubs)))).toBeInstanceOf(ControlPlaneError);
      expect(stubs.requests).toHaveLength(attempts);
    });
  }

  /** An answer that says when to come back, in its header or body. */
  const later = (code: number, facts: object = {}, headers: Record<string, string> = {}) =>
    Response.json(errorBody(`stub_${code}`, { retryable: true, ...facts }), { status: code, headers });

  describe.each(COSTLY_READS)("%s", (name) => {
    const kind = KINDS[name];
    if (kind === undefined) throw new Error(`no such kind: ${name}`);
    const { method, target, run } = kind;

    test.each([
      ["503 with a header", () => later(503, {}, { "retry-after": "2" })],
      ["503 with a body", () => later(503, { retry_after_seconds: 2 })],
      ["502 with a header", () => later(502, {}, { "retry-after": "2" })],
      ["503 of a proxy", () => new Response("busy", { status: 503, headers: { "retry-after": "2" } })],
      ["429", () => later(429, { retry_after_seconds: 2 })],
    ])("is sent again when it is told when: %s", async (_name, answer) => {
      const timing = new StubbedNature();
      stubs.on(method, target, answer());
      stubs.on(method, target, Response.json(errorBody("issue_not_found"), { status: 404 }));
      expect(await failureOf(run(stubbedClient(stubs, { timing })))).toMatchObject({
        code: "issue_not_found",
      });
      expect(timing.sleeps).toEqual([2_000]);
    });
  });

  test("429 that names its end is waited for, whatever else it says", async () => {
    for (const kind of Object.values(KINDS)) {
      const timing = new StubbedNature();
      stubs.on(kind.method, kind.target, later(429, { retryable: false, retry_after_seconds: 7 }));
      stubs.on(kind.method, kind.target, later(429, { retryable: false }, { "retry-after": "60" }));
      stubs.on(kind.method, kind.target, later(429, { retryable: false, retry_after_seconds: 61 }));
      expect(await failureOf(kind.run(stubbedClient(stubs, { timing })))).toMatchObject({ code: "stub_429" });
      expect(timing.sleeps).toEqual([7_000, 60_000]);
    }
  });

  test("429 without an end is not sent again where that is said to be futile", async () => {
    stubs.on(READ.method, READ.target, later(429, { retryable: false }));
    expect(await failureOf(READ.run(stubbedClient(stubs)))).toMatchObject({ code: "stub_429" });
  });

  test.each([500, 503])("%i is not sent again where that is said to be futile", async (code) => {
    for (const kind of Object.values(KINDS)) {
      stubs.on(kind.method, kind.target, later(code, { retryable: false, retry_after_seconds: 1 }));
      expect(await failureOf(kind.run(stubbedClient(stubs)))).toMatchObject({ code: `stub_${code}` });
    }
  });

  test.each([null, undefined])(
    "an answer that does not say (%p) is not taken for that",
    async (retryable) => {
      stubs.on(READ.method, READ.target, later(503, { retryable }));
      stubs.on(READ.method, READ.target, Response.json({ resources: [] }));
      expect(await stubbedClient(stubs).call("resources", { provider: "linear" })).toMatchObject({
        resources: [],
      });
    },
  );

  test("a later attempt that succeeds is the result", async () => {
    stubs.on(READ.method, READ.target, networkError("ECONNRESET")());
    stubs.on(READ.method, READ.target, status(503)());
    stubs.on(READ.method, READ.target, Response.json({ resources: [] }));
    expect(await stubbedClient(stubs).call("resources", { provider: "linear" })).toMatchObject({
      resources: [],
    });
  });

  test("every attempt of a write is the same request, its Idempotency-Key included", async () => {
    stubs.repeat(3, KEYED_WRITE.method, KEYED_WRITE.target, status(503));
    await failureOf(KEYED_WRITE.run(stubbedClient(stubs)));
    const seen = stubs.requests.map((request) => JSON.stringify(request));
    expect(new Set(seen).size).toBe(1);
    expect(stubs.requests[0]?.headers["idempotency-key"]).toBeString();
  });

  test.each([
    ["ConnectionRefused", "host_unreachable", "refused"],
    ["ECONNRESET", "host_unreachable", "closed the connection"],
    ["ENOTFOUND", "host_unreachable", "resolved"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "host_unreachable", "certificate"],
    ["CERT_HAS_EXPIRED", "host_unreachable", "certificate"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "host_unreachable", "certificate"],
  ])("%s is told as %s: %s", async (network, code, words) => {
    stubs.repeat(3, READ.method, READ.target, networkError(network));
    const error = await failureOf(READ.run(stubbedClient(stubs)));
    expect(error).toMatchObject({ code, status: null, retryable: true });
    expect(String(error)).toContain(words);
  });
});

describe("pauses", () => {
  async function pausesAfter(answer: () => Response | Error, attempts = 3, random = 0.5): Promise<number[]> {
    const timing = new StubbedNature(random);
    stubs.repeat(attempts, READ.method, READ.target, answer);
    await failureOf(READ.run(stubbedClient(stubs, { timing })));
    return timing.sleeps;
  }
  const busy =
    (code: number, header: string | null, body: number | null = null) =>
    (): Response => {
      const headers: Record<string, string> = header === null ? {} : { "retry-after": header };
      const facts = { retryable: true, retry_after_seconds: body };
      return Response.json(errorBody("busy", facts), { status: code, headers });
    };

  test.each([
    [0, [0, 0]],
    [0.5, [100, 200]],
    [0.999, [199.8, 399.6]],
  ])("full jitter from 200 ms at %d", async (random, pauses) => {
    expect(await pausesAfter(status(503), 3, random)).toEqual(pauses);
  });

  test("the same after a network error", async () => {
    expect(await pausesAfter(networkError("ECONNRESET"))).toEqual([100, 200]);
  });

  test.each([
    ["the header", busy(503, "7"), [7_000, 7_000]],
    ["the body", busy(503, null, 3), [3_000, 3_000]],
    ["the body before the header", busy(429, "7", 3), [3_000, 3_000]],
    ["nothing at all", busy(503, "0"), [0, 0]],
    ["a fraction", busy(503, null, 0.25), [250, 250]],
    ["a whole minute", busy(503, "60"), [60_000, 60_000]],
    ["a date", busy(503, "Sun, 01 Mar 2026 12:00:10 GMT"), [10_000, 0]],
    ["a date that is over", busy(503, "Sun, 01 Mar 2026 11:00:00 GMT"), [0, 0]],
    ["no sensible header", busy(503, "soon"), [100, 200]],
    ["a negative header", busy(503, "-5"), [100, 200]],
    ["an empty header", busy(503, ""), [100, 200]],
    ["429 that does not say", busy(429, null), [5_000, 5_000]],
    ["429 that says nonsense", busy(429, "soon"), [5_000, 5_000]],
    ["429 of a proxy", () => new Response("slow down", { status: 429 }), [5_000, 5_000]],
    [
      "429 of a proxy with a header",
      () => new Response("slow down", { status: 429, headers: { "retry-after": "2" } }),
      [2_000, 2_000],
    ],
  ])("Retry-After by %s", async (_name, answer, pauses) => {
    expect(await pausesAfter(answer)).toEqual(pauses);
  });

  test.each([
    ["the header", busy(503, "61")],
    ["the body", busy(429, null, 3_600)],
    ["a date", busy(429, "Sun, 01 Mar 2026 12:01:01 GMT")],
  ])("more than a minute by %s is not waited for", async (_name, answer) => {
    expect(await pausesAfter(answer, 1)).toEqual([]);
  });
});

describe("operations", () => {
  const ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
  const TARGET = `${BASE}/operations/${ID}/`;
  const still = (): Response => Response.json({ operation_id: ID, status: "running", progress: { done: 1 } });

  function awaitEnd(
    options: Partial<ClientOptions> = {},
    onProgress: (operation: OperationResult) => void = () => {},
  ): Promise<OperationResult> {
    const { timing = new StubbedNature() } = options;
    const client = stubbedClient(stubs, { timing, ...options });
    const read = (id: string) => client.call("operation", { operation_id: id });
    return new OperationWaiter({ name: client.name, timing, isEmbedded: false, read }).awaitEnd(
      ID,
      onProgress,
    );
  }

  test("polls after 1, 2, 4, 8, 16 and then every 30 s", async () => {
    const timing = new StubbedNature();
    stubs.repeat(7, "GET", TARGET, still);
    stubs.on("GET", TARGET, Response.json({ operation_id: ID, status: "completed", result: { n: 1 } }));
    const seen: OperationResult[] = [];
    const result = await awaitEnd({ timing }, (operation) => {
      seen.push(operation);
    });
    expect(timing.sleeps).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1_000));
    expect(result).toMatchObject({ status: "completed", result: { n: 1 } });
    expect(seen.map(({ progress }) => progress)).toEqual(Array(7).fill({ done: 1, total: null }));
  });

  test.each([
    [0, 0.8],
    [0.25, 0.9],
    [0.5, 1],
    [1 - Number.EPSILON, 1.2],
  ])("chance %d makes pauses %d times as long", async (random, factor) => {
    const timing = new StubbedNature(random);
    stubs.repeat(2, "GET", TARGET, still);
    stubs.on("GET", TARGET, Response.json({ operation_id: ID, status: "completed" }));
    await awaitEnd({ timing });
    const factors = timing.sleeps.map((sleep, index) => sleep / (1_000 * 2 ** index));
    for (const actual of factors) expect(actual).toBeCloseTo(factor, 9);
    expect(factors).toHaveLength(3);
  });

  test("a failed operation is an answer, not an error", async () => {
    const error = errorBody("provider_unavailable");
    stubs.on("GET", TARGET, Response.json({ operation_id: ID, status: "failed", error }));
    const result = await awaitEnd();
    expect(result).toMatchObject({ status: "failed", error: { code: "provider_unavailable" } });
  });

  test.each([0, 0.5, 0.9])("five minutes are waited out, and no longer, at chance %d", async (random) => {
    const timing = new StubbedNature(random);
    const started = timing.now();
    const polls: number[] = [];
    const fetch = async () => {
      polls.push(timing.now() - started);
      return still();
    };
    const error = await failureOf(awaitEnd({ timing, fetch }));
    expect(error).toMatchObject({
      code: "operation_timeout",
      retryable: true,
      details: { operation_id: ID },
    });
    expect(String(error)).toContain(ID);
    expect(timing.now() - started).toBe(300_000);
    expect(polls.at(-1)).toBe(300_000);
  });

  test("an operation that is gone ends the waiting", async () => {
    stubs.on("GET", TARGET, Response.json(errorBody("operation_not_found"), { status: 404 }));
    expect(await failureOf(awaitEnd())).toMatchObject({
      code: "operation_not_found",
    });
  });
});
