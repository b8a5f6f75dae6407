/** How the client reads error answers, and answers that are none. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ControlPlaneError } from "../../src/client/errors.ts";
import { ERROR_STATUS } from "../../src/protocol.ts";
import { NotAuthenticatedError, TrackerError } from "../../src/shared/errors.ts";
import { cpuMs } from "../helpers/cpu-time.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, PERSONAL, STUB_URL, stubbedClient } from "../helpers/http-stubs.ts";

const PULL = "/api/v1/tracker/pull/";
const RESOURCES = "/api/v1/tracker/resources/?provider=linear";
/** Anything that could move a cursor or restyle a terminal. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202e\u2066]/;

let stubs = new HttpStubs();
beforeEach(() => {
  stubs = new HttpStubs();
});
afterEach(() => stubs.verify());

/** What the client makes of an answer to a call that is not sent again, 429 apart where that may help. */
async function errorOf(answer: () => Response): Promise<TrackerError> {
  const isRepeated = answer().status === 429 && (await answer().text()).includes('"retryable":true');
  stubs.repeat(isRepeated ? 3 : 1, "POST", PULL, answer);
  const error = await failureOf(
    stubbedClient(stubs).call("pull", { provider: "linear", binding_ref: "srm_1", limit: 1 }),
  );
  if (!(error instanceof TrackerError)) throw new Error(`not a TrackerError: ${Bun.inspect(error)}`);
  return error;
}

async function controlPlaneErrorOf(answer: () => Response): Promise<ControlPlaneError> {
  const error = await errorOf(answer);
  if (!(error instanceof ControlPlaneError)) throw new Error(`not a ControlPlaneError: ${error.name}`);
  return error;
}

/** The contract's error table, written out a second time on purpose. */
const TABLE: readonly (readonly [status: number, codes: readonly string[]])[] = [
  [400, ["invalid_request", "invalid_candidate_token", "legacy_flow_forbidden", "unsupported_provider"]],
  [401, ["unauthorized", "session_expired"]],
  [403, ["no_installation", "team_mismatch", "forbidden"]],
  [404, ["binding_not_found", "operation_not_found", "issue_not_found"]],
  [409, ["already_bound", "mapping_disabled", "idempotency_in_flight", "sync_in_progress"]],
  [422, ["idempotency_mismatch", "project_mismatch"]],
  [429, ["rate_limited"]],
  [500, ["internal"]],
  [502, ["provider_rejected"]],
  [503, ["provider_unavailable"]],
];

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  "both spellings": [],
  "code and category": ["error_code", "error_category"],
  "error_code and error_category": ["code", "category"],
};

describe("the error envelope", () => {
  const cases = TABLE.flatMap(([status, codes]) => codes.map((code) => [status, code] as const));

  test("the table names only codes and statuses that the protocol knows", () => {
    expect(ERROR_STATUS).toMatchObject(Object.fromEntries(cases.map(([status, code]) => [code, status])));
  });

  for (const [spelling, dropped] of Object.entries(SPELLINGS)) {
    test.each(cases)(`%i %s in ${spelling}`, async (status, code) => {
      const body = Object.fromEntries(
        Object.entries(errorBody(code, { http_status: status })).filter(([key]) => !dropped.includes(key)),
      );
      const error = await errorOf(() => Response.json(body, { status }));
      expect(error.code).toBe(code);
      expect(error.message).toContain(`The stub says ${code}.`);
      if (status === 401) expect(error).toBeInstanceOf(NotAuthenticatedError);
      else expect(error).toMatchObject({ name: "ControlPlaneError", status, category: "test" });
    });
  }

  test("everything that the envelope says is carried", async () => {
    const details = { project_slug: "billing", paths: [{ a: 1 }] };
    const body = errorBody("already_bound", {
      retryable: true,
      user_action_required: true,
      retry_after_seconds: 12.5,
      provider: "linear",
      details,
    });
    const headers = { "x-request-id": "01JREQUEST" };
    expect(await errorOf(() => Response.json(body, { status: 409, headers }))).toMatchObject({
      code: "already_bound",
      message: "The stub says already_bound.",
      status: 409,
      category: "test",
      retryable: true,
      userActionRequired: true,
      retryAfterSeconds: 12.5,
      details,
      requestId: "01JREQUEST",
    });
  });

  test("absent fields are no fault", async () => {
    const error = await errorOf(() => Response.json({ code: "forbidden" }, { status: 403 }));
    expect(error).toMatchObject({
      code: "forbidden",
      status: 403,
      category: null,
      retryable: false,
      userActionRequired: false,
      retryAfterSeconds: null,
      details: null,
      requestId: null,
    });
    expect(error.message).toContain("HTTP 403");
  });

  test("a 401 carries its request id", async () => {
    const headers = { "x-request-id": "01JREQUEST" };
    const error = await errorOf(() => Response.json(errorBody("unauthorized"), { status: 401, headers }));
    expect(error.requestId).toBe("01JREQUEST");
    expect(error.hint).toContain("tracker auth login");
  });

  test.each([
    ["no_installation", 403, "tracker host connect linear"],
    ["team_mismatch", 403, "TRACKER_TEAM"],
    ["already_bound", 409, "another resource"],
    ["rate_limited", 429, "again"],
    ["sync_in_progress", 409, "tracker status"],
    ["payload_too_large", 413, "in several parts"],
    ["internal", 500, "--verbose"],
    ["binding_not_found", 404, "tracker bind --provider linear"],
    ["mapping_disabled", 409, "tracker bind --provider linear"],
  ])("%s says what to do next", async (code, status, words) => {
    const error = await errorOf(() => Response.json(errorBody(code, { provider: "linear" }), { status }));
    expect(error.hint).toContain(words);
  });

  test.each([
    [61, "Try again in 61 seconds."],
    [90, "Try again in 90 seconds."],
    [3_600, "Try again in 60 minutes."],
  ])("rate_limited tells when to come back: %j", async (retry_after_seconds, hint) => {
    const body = errorBody("rate_limited", { retry_after_seconds });
    expect((await errorOf(() => Response.json(body, { status: 429 }))).hint).toBe(hint);
  });

  test("sync_in_progress names the operation that is waited for, where there is one", async () => {
    const body = errorBody("sync_in_progress", { details: { operation_id: "op; rm" } });
    const error = await errorOf(() => Response.json(body, { status: 409 }));
    expect(error.hint).toBe("Wait for it: tracker sync wait 'op; rm'");
  });

  describe("a provider's refusal", () => {
    const hintOf = async (details: unknown): Promise<string | null> => {
      const body = errorBody("provider_rejected", { provider: "jira", details });
      return (await errorOf(() => Response.json(body, { status: 502 }))).hint;
    };

    test.each(["auth", "permission"])("of access (%s) leads to connecting again", async (failure_class) => {
      expect(await hintOf({ failure_class })).toBe(
        "Check the token and its permissions, then connect again: tracker host connect jira (with the same --base-url and --email, if you used them)",
      );
    });

    test("that no API gives leads to the address", async () => {
      expect(await hintOf({ failure_class: "contract" })).toBe(
        "If the address is wrong, connect again: tracker host connect jira --base-url URL",
      );
    });

    test.each(["invalid", "not_found", "conflict", "of_2031"])(
      "that has nothing to do with access (%s) does not",
      async (failure_class) => {
        expect(await hintOf({ failure_class })).toBeNull();
      },
    );

    test.each([null, "auth", { failure_class: 7 }, { project: "no such" }])(
      "may come without its kind: %j",
      async (details) => {
        expect(await hintOf(details)).toStartWith("If access is the problem, check the token");
      },
    );
  });

  test("a Retry-After header is carried when the body has none", async () => {
    const answer = (): Response =>
      Response.json(errorBody("idempotency_in_flight"), { status: 409, headers: { "retry-after": "7" } });
    expect((await controlPlaneErrorOf(answer)).retryAfterSeconds).toBe(7);
  });

  test.each([
    ["code that is no text", { code: 7 }],
    ["retry_after_seconds that is no number", errorBody("rate_limited", { retry_after_seconds: "soon" })],
    ["nothing of an envelope", { error: "invalid_grant" }],
    ["an array", ["code"]],
  ])("JSON that is no envelope: %s", async (_name, body) => {
    const error = await controlPlaneErrorOf(() => Response.json(body, { status: 400 }));
    expect(error).toMatchObject({ code: "http_400", status: 400 });
    expect(error.message).toStartWith(`${STUB_URL} answered HTTP 400: `);
  });
});

describe("error answers of something else", () => {
  const html = { "content-type": "text/html; charset=utf-8" };
  test.each([
    ["plain text", "\n\n  Bad gateway  \nmore", {}, "HTTP 502: Bad gateway"],
    ["nothing", "", {}, "HTTP 502"],
    ["blank lines", "\n \n\t\n", {}, "HTTP 502"],
    ["html", "<html>\n<head></head><body>\n<h1>Bad <b>gateway</b></h1></body></html>", html, "Bad  gateway"],
    ["control bytes", "\u001b[31mred\u0007\u202e\u009b", {}, "\\u001b[31mred\\u0007\\u202e\\u009b"],
    ["broken envelope", '{"code": "internal", "mess', {}, 'HTTP 502: {"code": "internal", "mess'],
  ])("%s", async (_name, body, headers, words) => {
    const error = await controlPlaneErrorOf(() => new Response(body, { status: 502, headers }));
    expect(error.code).toBe("http_502");
    expect(error.status).toBe(502);
    expect(error.message).toContain(words);
    expect(error.message).not.toMatch(CONTROL);
  });

  test("a long line is cut", async () => {
    const error = await errorOf(() => new Response("x".repeat(100_000), { status: 500 }));
    expect(error.message.length).toBeLessThan(400);
  });

  test("megabytes of open brackets take no time", async () => {
    const failing = () => errorOf(() => new Response("<".repeat(2_000_000), { status: 500, headers: html }));
    expect(await cpuMs(failing)).toBeLessThan(1_000);
  });

  test("a 401 of something else is a 401 all the same", async () => {
    const error = await errorOf(() => new Response("<h1>Log in</h1>", { status: 401, headers: html }));
    expect(error).toBeInstanceOf(NotAuthenticatedError);
    expect(error.code).toBe("unauthorized");
    expect(error.message).toContain("HTTP 401: Log in");
  });
});

describe("redirects", () => {
  test.each([301, 302, 303, 307, 308])("%i is refused, naming the target", async (status) => {
    const location = "https://evil.example/\u009b31m?next=1";
    const error = await controlPlaneErrorOf(() => new Response(null, { status, headers: { location } }));
    expect(error).toMatchObject({ code: "redirect_refused", status });
    expect(error.message).toContain("https://evil.example/");
    expect(error.message).not.toMatch(CONTROL);
    expect(stubs.requests).toHaveLength(1);
  });

  test("one that names no target is refused too, also where reads are repeated", async () => {
    stubs.on("GET", RESOURCES, new Response(null, { status: 302 }));
    const error = await failureOf(stubbedClient(stubs).call("resources", { provider: "linear" }));
    expect(error).toMatchObject({ code: "redirect_refused" });
  });
});

describe("answers that are none", () => {
  const RESOURCE = { candidate_token: "c", display_label: "P", provider: "linear" };
  const wrong = (change: object): string => JSON.stringify({ resources: [{ ...RESOURCE, ...change }] });
  const bodies: readonly (readonly [name: string, body: string])[] = [
    ["empty", ""],
    ["HTML", "<!doctype html><title>Welcome</title>"],
    ["truncated", '{"resources": [{"candidate_token": "c'],
    ["two documents", '{"resources": []}{"resources": []}'],
    ["null", "null"],
    ["an array", "[]"],
    ["a number", "42"],
    ["a text", '"resources"'],
    ["no resources", "{}"],
    ["resources that are none", '{"resources": {"0": 1}}'],
    ["a label that is none", wrong({ display_label: 7 })],
    ["a label that is missing", wrong({ display_label: undefined })],
    ["a context that is none", wrong({ provider_context: 7 })],
    ["a hostile key", wrong({ provider_context: { "\u001b]0;pwned\u0007\u202e": 5 } })],
    ["a very long value", wrong({ provider_context: "x".repeat(1_000_000) })],
    ["a very long key", wrong({ provider_context: { ["k".repeat(1_000_000)]: 5 } })],
    ["deep nesting", `${"[".repeat(200_000)}${"]".repeat(200_000)}`],
    ["control bytes", "\u001b[2J\u0000\u009b"],
  ];

  test.each(bodies)("%s", async (_name, body) => {
    const headers = { "x-request-id": "01JREQUEST" };
    stubs.on("GET", RESOURCES, new Response(body, { headers }));
    const error = await failureOf(stubbedClient(stubs).call("resources", { provider: "linear" }));
    expect(error).toBeInstanceOf(ControlPlaneError);
    expect(error).toMatchObject({ code: "invalid_response", status: 200, requestId: "01JREQUEST" });
    if (!(error instanceof ControlPlaneError)) return;
    expect(error.message).toStartWith(`${STUB_URL} sent an invalid response: `);
    expect(error.message).not.toMatch(CONTROL);
    expect(error.message.length).toBeLessThan(1_000);
    expect(error.hint).toContain("tracker doctor");
  });

  test.each([204, 205])("%i where something was asked for", async (status) => {
    stubs.on("GET", RESOURCES, new Response(null, { status }));
    const error = await failureOf(stubbedClient(stubs).call("resources", { provider: "linear" }));
    expect(error).toBeInstanceOf(ControlPlaneError);
    expect(error).toMatchObject({ code: "invalid_response", status });
  });

  test.each([
    ["neither result nor operation", { ok: true }],
    ["a result without its summary", { status: "ok", items: [] }],
    ["an operation without an id", { operation_id: "", status: "pending" }],
  ])("a push answered with %s", async (_name, body) => {
    stubs.on("POST", "/api/v1/tracker/push/", Response.json(body));
    const error = await failureOf(
      stubbedClient(stubs).call("push", { provider: "linear", binding_ref: "srm_1", items: [] }),
    );
    expect(error).toMatchObject({ name: "ControlPlaneError", code: "invalid_response" });
  });

  test("details too deep to be printed are no details", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const body = `{"code": "forbidden", "message": "no", "details": ${deep}}`;
    const error = await errorOf(() => new Response(body, { status: 403 }));
    expect(error).toMatchObject({ code: "http_403", details: null });
    expect(() => JSON.stringify(error)).not.toThrow();
  });

  test("the problem is named by its path", async () => {
    stubs.on("GET", RESOURCES, new Response(wrong({ display_label: 7 })));
    const error = await failureOf(stubbedClient(stubs).call("resources", { provider: "linear" }));
    expect(String(error)).toContain("resources.0.display_label");
  });
});

test("no error of the client shows the token, whatever is printed of it", async () => {
  const broken = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
  const errors = [
    await errorOf(() => Response.json(errorBody("internal"), { status: 500 })),
    await errorOf(() => Response.json(errorBody("unauthorized"), { status: 401 })),
    await errorOf(() => new Response("nonsense")),
  ];
  stubs.on("POST", PULL, broken);
  const pull = stubbedClient(stubs).call("pull", {
    provider: "linear",
    binding_ref: "srm_1",
    limit: 1,
  });
  for (const error of [...errors, await failureOf(pull)]) {
    expect(Bun.inspect(error, { depth: 20 })).not.toContain(PERSONAL.accessToken);
    expect(JSON.stringify(error)).not.toContain(PERSONAL.accessToken);
  }
});
