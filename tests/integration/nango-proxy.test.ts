/**
 * The simulator of Nango's proxy against Nango's own client, and our transport
 * against both: what each has forwarded to a provider, and reads from it.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Nango } from "@nangohq/node";
import * as v from "valibot";
import { NangoTransport } from "../../src/sdk/http/nango.ts";
import { TransportError, type TransportRequest } from "../../src/sdk/http/transport.ts";
import { failureOf } from "../helpers/failure.ts";
import { NangoSimulator, type PassedHeaders } from "../simulators/nango.ts";
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "../simulators/server.ts";

const TOKEN = "provider-token-1f6b";
const SECRET_KEY = "2d7c9b5e-canary";
const HEADERS = { "x-ratelimit-remaining": "41", link: "<2>; rel=next", "x-request-id": "r-1" };

/** A provider that answers what the test wants. */
class EchoProvider extends Simulator {
  reply: (request: SimulatedRequest) => SimulatedAnswer = () => ({
    status: 200,
    headers: HEADERS,
    body: [1],
  });

  protected answer(request: SimulatedRequest): SimulatedAnswer {
    return this.reply(request);
  }
}

let provider: EchoProvider;
let elsewhere: EchoProvider;
let nango: NangoSimulator;

async function nangoPassing(passes: PassedHeaders): Promise<NangoSimulator> {
  const simulator = await new NangoSimulator({ secretKey: SECRET_KEY, passes }).start();
  simulator.integrate({
    providerConfigKey: "github",
    baseUrl: `${provider.origin}/api/v3`,
    connections: [{ connectionId: "ada", credential: { authorization: `Bearer ${TOKEN}` } }],
  });
  return simulator;
}

beforeEach(async () => {
  [provider, elsewhere] = await Promise.all([new EchoProvider().start(), new EchoProvider().start()]);
  nango = await nangoPassing("sized");
});
afterEach(() => Promise.all([nango.stop(), provider.stop(), elsewhere.stop()]));

const ours = (
  options: { readonly maxBodyBytes?: number; readonly timeoutMs?: number } = {},
): NangoTransport =>
  new NangoTransport({
    ...options,
    provider: "github",
    context: {
      connectionId: "ada",
      providerConfigKey: "github",
      secretKey: SECRET_KEY,
      baseUrl: nango.origin,
    },
  });
const official = (secretKey = SECRET_KEY): Nango => new Nango({ secretKey, host: nango.origin });
const TARGET = { connectionId: "ada", providerConfigKey: "github" };

/** What matters of a request that reached the provider. */
function essence({ method, path, query, headers, body }: SimulatedRequest): object {
  const own = Object.fromEntries(
    [...headers].filter(([name]) => /^(authorization|content-type|accept|x-)/.test(name)),
  );
  return { method, path, query: [...query].toSorted(), body, headers: own };
}

describe("Nango's own client and our transport", () => {
  const cases: readonly TransportRequest[] = [
    {
      method: "GET",
      path: "/repos/acme/api/issues",
      query: { state: "all", per_page: 100, labels: undefined },
    },
    { method: "GET", path: "/projects/acme%2Fapi/issues", query: { "jql[]": 'text ~ "ä & b" = ?' } },
    {
      method: "POST",
      path: "/graphql",
      body: { json: { query: "{ viewer { id } }", variables: { n: null } } },
    },
    { method: "PATCH", path: "/repos/acme/api/issues/7", body: { json: { title: "Größe 📏", labels: [] } } },
    { method: "PUT", path: "/issues/7/labels", body: { json: ["a", "b"] } },
    { method: "DELETE", path: "/issues/7/labels/a%20b" },
    { method: "DELETE", path: "/issues/7/assignees", body: { json: { assignees: ["ada"] } } },
  ];
  test.each(cases)("have the same forwarded: $method $path", async ({ method, path, query = {}, body }) => {
    const headers = { Accept: "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28" };
    const given = body === undefined || !("json" in body) ? {} : { data: body.json };
    const params = Object.fromEntries(
      Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
    const theirs = await official().proxy({ ...TARGET, method, endpoint: path, params, headers, ...given });
    const our = await ours().send({ method, path, query, headers, ...(body && { body }) });

    const [first, second] = provider.requests;
    if (first === undefined || second === undefined) throw new Error("nothing was forwarded");
    expect(essence(second)).toEqual(essence(first));
    expect(essence(second)).toMatchObject({
      path: `/api/v3${path}`,
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect({ status: our.status, body: our.body }).toEqual({ status: theirs.status, body: theirs.data });
    expect(our.headers.get("link")).toBeNull();
    expect(theirs.headers.link).toBeUndefined();
    const nangos = [...second.headers.keys()].filter((name) =>
      /nango|retries|connection-id|config-key/.test(name),
    );
    expect(nangos).toEqual([]);
  });

  test.each<[string, SimulatedAnswer]>([
    ["a refusal", { status: 422, headers: { "x-oops": "1" }, body: { message: "Validation Failed" } }],
    ["a missing issue", { status: 404, body: { message: "Not Found" } }],
    ["a broken provider", { status: 503, headers: { "retry-after": "7" }, body: "<html>" }],
  ])("read %s alike", async (_, answer) => {
    provider.reply = () => answer;
    const theirs = await failureOf(official().get({ ...TARGET, endpoint: "/x" }));
    const Axios = v.object({
      response: v.object({
        status: v.number(),
        data: v.unknown(),
        headers: v.record(v.string(), v.unknown()),
      }),
    });
    const { response } = v.parse(Axios, theirs);
    const our = await failureOf(ours().send({ method: "GET", path: "/x" }));
    if (!(our instanceof TransportError)) throw our;
    expect({ status: our.response?.status, body: our.response?.body }).toEqual({
      status: response.status,
      body: response.data,
    });
    for (const name of Object.keys(answer.headers ?? {})) {
      expect(our.response?.headers.get(name)).toBe(String(response.headers[name]));
    }
    expect(our.message).toStartWith(`GitHub answered ${answer.status}`);
  });

  test("are refused alike by Nango", async () => {
    nango.refusing = { kind: "plan" };
    const theirs = await failureOf(official().get({ ...TARGET, endpoint: "/x" }));
    expect(theirs).toMatchObject({ response: { status: 402, data: { error: { code: "plan_limit" } } } });
    const our = await failureOf(ours().send({ method: "GET", path: "/x" }));
    expect(our).toMatchObject({ failureClass: "permission", response: null });
    expect(provider.requests).toEqual([]);
  });
});

describe("repeating", () => {
  const busyOnce = () => {
    let times = 0;
    provider.reply = () => ({ status: times++ === 0 ? 502 : 201, body: { id: times } });
  };

  test("is what Nango does with a write, when asked to", async () => {
    busyOnce();
    expect((await official().post({ ...TARGET, endpoint: "/issues", data: {}, retries: 3 })).status).toBe(
      201,
    );
    expect(provider.requests).toHaveLength(2);
  });

  test("is not asked for by our transport", async () => {
    busyOnce();
    const failure = await failureOf(ours().send({ method: "POST", path: "/issues", body: { json: {} } }));
    expect(failure).toMatchObject({ failureClass: "transient", processed: "maybe" });
    expect(provider.requests).toHaveLength(1);
  });
});

describe("a redirect", () => {
  const leadsTo = (location: () => string, status = 307) => {
    provider.reply = ({ path }) =>
      path === "/api/v3/old"
        ? { status, headers: { location: location() } }
        : { status: 200, body: { path } };
  };

  test("is followed by Nango, with the credential while the host stays", async () => {
    leadsTo(() => "/api/v3/new");
    expect((await ours().send({ method: "GET", path: "/old" })).body).toEqual({ path: "/api/v3/new" });
    expect(provider.requests.at(-1)?.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
  });

  test.each([301, 302, 303, 307, 308])(
    "%i to another host does not carry the provider's token",
    async (status) => {
      leadsTo(() => `${elsewhere.origin}/steal`, status);
      await ours().send({ method: "POST", path: "/old", body: { json: {} } });
      const [request] = elsewhere.requests;
      expect(request?.path).toBe("/steal");
      expect(JSON.stringify([...(request?.headers ?? [])])).not.toContain(TOKEN);
    },
  );

  test("carries it there for callers who do not say otherwise", async () => {
    leadsTo(() => `${elsewhere.origin}/steal`);
    await official().get({ ...TARGET, endpoint: "/old" });
    expect(elsewhere.requests[0]?.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
  });
});

describe("the headers of an answer", () => {
  test.each<[PassedHeaders, readonly (string | null)[]]>([
    ["sized", ["199", null, "r-1"]],
    ["chunked", ["41", "<2>; rel=next", "r-1"]],
    ["type", ["199", null, null]],
  ])("come through as Nango lets them: %s", async (passes, expected) => {
    await nango.stop();
    nango = await nangoPassing(passes);
    const { headers, body } = await ours().send({ method: "GET", path: "/x" });
    expect(Object.keys(HEADERS).map((name) => headers.get(name))).toEqual([...expected]);
    expect(body).toEqual([1]);
  });
});

describe("Nango's own refusals", () => {
  const send = (options: { readonly timeoutMs?: number; readonly maxBodyBytes?: number } = {}) =>
    failureOf(ours(options).send({ method: "POST", path: "/repos/acme/api/issues", body: { json: {} } }));

  test.each([
    [{ kind: "rate_limit", seconds: 42 }, 429, { failureClass: "rate_limited", retryAfterSeconds: 42 }],
    [{ kind: "plan" }, 402, { failureClass: "permission", retryable: false }],
    [{ kind: "expired" }, 400, { failureClass: "auth", retryable: false }],
    [{ kind: "backoff" }, 424, { failureClass: "transient", retryable: true }],
  ] as const)("%j", async (refusing, status, expected) => {
    nango.refusing = refusing;
    const failure = await send();
    expect(failure).toMatchObject({ ...expected, processed: "no", response: null });
    expect(String(failure)).toContain(`GitHub through Nango answered ${status}`);
    expect(provider.requests).toEqual([]);
  });

  test.each([
    ["an unknown integration", { providerConfigKey: "gone" }, 404],
    ["an unknown connection", { connectionId: "gone" }, 400],
    ["a wrong secret key", { secretKey: "wrong" }, 401],
  ] as const)("%s", async (_, wrong, status) => {
    const context = { ...TARGET, secretKey: SECRET_KEY, baseUrl: nango.origin, ...wrong };
    const transport = new NangoTransport({ provider: "github", context });
    const failure = await failureOf(transport.send({ method: "GET", path: "/repos/acme/api/issues/7" }));
    expect(failure).toMatchObject({ failureClass: "auth", response: null });
    expect(String(failure)).toContain(`GitHub through Nango answered ${status}`);
    expect(String(failure)).not.toContain(SECRET_KEY);
  });

  test("headers that it does not understand", async () => {
    const failure = await failureOf(official().get({ ...TARGET, endpoint: "/x", retryOn: [Number.NaN] }));
    expect(failure).toMatchObject({
      response: { status: 400, data: { error: { code: "invalid_headers" } } },
    });
  });

  test("a provider that it cannot reach is not refused, but unreachable", async () => {
    await provider.stop();
    expect(await send()).toMatchObject({
      failureClass: "transient",
      processed: "maybe",
      response: { status: 500 },
    });
  });

  test("an answer that does not come, or is lost, or is too large", async () => {
    const unknown = { failureClass: "transient", processed: "maybe", response: null };
    nango.silence = "before";
    expect(await send({ timeoutMs: 50 })).toMatchObject(unknown);
    expect(provider.requests).toHaveLength(0);
    nango.silence = "after";
    expect(await send({ timeoutMs: 50 })).toMatchObject(unknown);
    expect(provider.requests).toHaveLength(1);
    nango.silence = null;
    provider.reply = () => ({ status: 200, body: "x".repeat(5000) });
    expect(await send({ maxBodyBytes: 1000 })).toMatchObject({ failureClass: "contract", response: null });
  });
});
