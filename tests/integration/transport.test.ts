import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import { inspect } from "node:util";
import fc from "fast-check";
import * as v from "valibot";
import { ConnectorConfigError, ConnectorRequestError } from "../../src/sdk/errors.ts";
import { DirectTransport } from "../../src/sdk/http/direct.ts";
import { NangoTransport } from "../../src/sdk/http/nango.ts";
import {
  TextAnswer,
  type Transport,
  TransportError,
  type TransportRequest,
} from "../../src/sdk/http/transport.ts";

const TOKEN = "ghp_thisIsTheSecret";
const SECRET_KEY = "nango-secret-7f3a";

/** A request as the server saw it. */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A server on loopback that answers the way the current test wants. */
const server = {
  seen: [] as Seen[],
  answer: (): Response | Promise<Response> => Response.json({}),
  url: "",
};
let listening: ReturnType<typeof Bun.serve>;

beforeAll(() => {
  listening = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      server.seen.push({
        method: request.method,
        target: pathname + search,
        headers: Object.fromEntries(request.headers),
        text: await request.text(),
      });
      return server.answer();
    },
  });
  server.url = `http://127.0.0.1:${listening.port}`;
});
afterAll(() => listening.stop(true));

function answering(answer: () => Response | Promise<Response>): void {
  server.seen = [];
  server.answer = answer;
}

const direct = (options: Partial<ConstructorParameters<typeof DirectTransport>[0]> = {}): Transport =>
  new DirectTransport({
    provider: "github",
    baseUrl: server.url,
    authorization: `Bearer ${TOKEN}`,
    ...options,
  });

const nango = (context: { readonly baseUrl?: string } = {}): Transport =>
  new NangoTransport({
    provider: "github",
    context: {
      connectionId: "conn-1",
      providerConfigKey: "github-app",
      secretKey: SECRET_KEY,
      baseUrl: server.url,
      ...context,
    },
  });

const GET: TransportRequest = { method: "GET", path: "/issues" };

async function failureOf(transport: Transport, request: TransportRequest = GET): Promise<TransportError> {
  const failure = await transport.send(request).catch((error: unknown) => error);
  if (failure instanceof TransportError) return failure;
  throw new Error(`not a TransportError: ${inspect(failure)}`);
}

describe("direct: what is sent", () => {
  test("the credential, the path below the base URL, the query, headers and a JSON body", async () => {
    answering(() => Response.json({ id: 1 }, { status: 201 }));
    const answer = await direct({ baseUrl: `${server.url}/api/v3/` }).send({
      method: "POST",
      path: "/projects/acme%2Fapi/issues",
      query: { state: "all", per_page: 100, confidential: false, labels: undefined, "jql[]": "a b&c" },
      headers: { "X-GitHub-Api-Version": "2022-11-28", Accept: "application/vnd.github+json" },
      body: { json: { title: "Größe 📏" } },
    });
    expect(answer).toMatchObject({ status: 201, body: { id: 1 } });
    const [request] = server.seen;
    expect(request).toMatchObject({
      method: "POST",
      target:
        "/api/v3/projects/acme%2Fapi/issues?state=all&per_page=100&confidential=false&jql%5B%5D=a+b%26c",
      text: '{"title":"Größe 📏"}',
      headers: {
        authorization: `Bearer ${TOKEN}`,
        accept: "application/vnd.github+json",
        "content-type": "application/json",
        "x-github-api-version": "2022-11-28",
        "user-agent": "tracker-sdk",
      },
    });
  });

  test("text of any type", async () => {
    answering(() => new Response(null, { status: 204 }));
    const { body } = await direct().send({
      method: "PUT",
      path: "/notes",
      body: { text: "# Hi", contentType: "text/markdown" },
    });
    expect(body).toBeNull();
    expect(server.seen[0]).toMatchObject({ text: "# Hi", headers: { "content-type": "text/markdown" } });
  });

  test("a header of the request does not replace the credential", async () => {
    answering(() => Response.json({}));
    await direct().send({ ...GET, headers: { Authorization: "Bearer other" } });
    expect(server.seen[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });
});

describe("direct: what comes back", () => {
  test.each<[string, () => Response, unknown]>([
    ["JSON", () => Response.json([1, null]), [1, null]],
    [
      "JSON of a vendor's type",
      () => new Response('{"a":1}', { headers: { "content-type": "application/vnd.github+json" } }),
      { a: 1 },
    ],
    ["JSON of an unknown type", () => new Response(new TextEncoder().encode('{"a":1}')), { a: 1 }],
    ["nothing", () => new Response(""), null],
  ])("%s", async (_, answer, body) => {
    answering(answer);
    expect((await direct().send(GET)).body).toEqual(body);
  });

  test("JSON without a type", async () => {
    const fetch = async (): Promise<Response> => new Response(new TextEncoder().encode('{"a":1}'));
    expect((await direct({ fetch }).send(GET)).body).toEqual({ a: 1 });
  });

  const page = "<html>Welcome</html>";
  describe.each([
    ["direct", (): Transport => direct()],
    ["through Nango", (): Transport => nango()],
  ])("%s: text, which no API of a provider answers with", (_, transport) => {
    test.each([
      ["text/html; charset=utf-8", "text/html"],
      ["text/plain", "text/plain"],
      ["application/octet-stream", null],
      ["nonsense", null],
    ])("%j", async (type, name) => {
      answering(() => new Response(page, { headers: { "content-type": type } }));
      const { body } = await transport().send(GET);
      expect(body).toBeInstanceOf(TextAnswer);
      expect(body).toEqual(new TextAnswer({ text: page, type: name, host: new URL(server.url).host }));
    });
  });

  test("headers, whatever the case", async () => {
    answering(() => Response.json({}, { headers: { "X-RateLimit-Remaining": "41" } }));
    expect((await direct().send(GET)).headers.get("x-ratelimit-remaining")).toBe("41");
  });

  test.each<[number, Record<string, string>, object]>([
    [400, {}, { failureClass: "invalid", retryable: false, processed: "no" }],
    [401, {}, { failureClass: "auth", retryable: false, processed: "no" }],
    [403, {}, { failureClass: "permission", retryable: false }],
    [403, { "retry-after": "60" }, { failureClass: "rate_limited", retryable: true, retryAfterSeconds: 60 }],
    [403, { "x-ratelimit-remaining": "0" }, { failureClass: "rate_limited", retryAfterSeconds: null }],
    [404, {}, { failureClass: "not_found", retryable: false }],
    [408, {}, { failureClass: "transient", processed: "maybe" }],
    [409, {}, { failureClass: "conflict", processed: "no" }],
    [410, {}, { failureClass: "not_found" }],
    [412, {}, { failureClass: "conflict" }],
    [422, {}, { failureClass: "invalid" }],
    [429, { "retry-after": "7" }, { failureClass: "rate_limited", retryAfterSeconds: 7, processed: "no" }],
    [429, { "retry-after": "-5" }, { failureClass: "rate_limited", retryAfterSeconds: null }],
    [429, { "retry-after": "soon" }, { failureClass: "rate_limited", retryAfterSeconds: null }],
    [500, {}, { failureClass: "transient", retryable: true, processed: "maybe" }],
    [503, { "retry-after": "0" }, { failureClass: "transient", retryAfterSeconds: 0 }],
  ])("%i %j", async (status, headers, expected) => {
    answering(() => Response.json({ message: "No." }, { status, headers }));
    const failure = await failureOf(direct());
    expect(failure).toBeInstanceOf(ConnectorRequestError);
    expect(failure).toMatchObject({
      ...expected,
      provider: "github",
      message: `GitHub answered ${status} to GET /issues: No.`,
      response: { status, body: { message: "No." } },
    });
  });

  test("a 304 is not a redirect", async () => {
    answering(() => new Response(null, { status: 304 }));
    expect((await failureOf(direct())).message).toBe("GitHub answered 304 to GET /issues.");
  });

  test("Retry-After as a date is measured against the clock", async () => {
    const now = (): number => Date.parse("2026-03-01T12:00:00Z");
    for (const [header, seconds] of [
      ["Sun, 01 Mar 2026 12:01:30 GMT", 90],
      ["Sun, 01 Mar 2026 11:00:00 GMT", 0],
    ] as const) {
      answering(() => new Response(null, { status: 429, headers: { "retry-after": header } }));
      expect((await failureOf(direct({ now }))).retryAfterSeconds).toBe(seconds);
    }
  });

  test.each<[unknown, string]>([
    [{ errorMessages: ["The field is\n  required."], errors: {} }, ": The field is required."],
    [{ errors: [{ message: "Entity not found" }] }, ": Entity not found"],
    [{ error: "404 Not Found" }, ": 404 Not Found"],
    [{ message: { title: ["is too long"] } }, ": title is too long"],
    [{ message: { error: "This is too often." } }, ": This is too often."],
    [{ message: { title: "no list" } }, "."],
    ["<html>", "."],
    [{ message: "x".repeat(1000) }, `: ${"x".repeat(300)}`],
  ])("the provider's own words: %j", async (body, end) => {
    answering(() => Response.json(body, { status: 400 }));
    expect((await failureOf(direct())).message).toBe(`GitHub answered 400 to GET /issues${end}`);
  });

  test("broken JSON is the provider's fault, or just no explanation", async () => {
    const broken = (status: number) => () =>
      new Response('{"a":', { status, headers: { "content-type": "application/json" } });
    answering(broken(200));
    expect(await failureOf(direct())).toMatchObject({ failureClass: "contract", retryable: false });
    answering(broken(502));
    expect(await failureOf(direct())).toMatchObject({
      failureClass: "transient",
      response: { body: '{"a":' },
    });
  });
});

describe("direct: bounds", () => {
  test("a redirect is refused, and nobody else hears the credential", async () => {
    const heard: string[] = [];
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        heard.push(request.url);
        return Response.json({});
      },
    });
    const origin = `http://127.0.0.1:${other.port}`;
    for (const status of [301, 302, 303, 307, 308]) {
      answering(() => new Response(null, { status, headers: { location: `${origin}/x?sig=hush` } }));
      for (const transport of [direct(), direct({ fetch: (request) => fetch(request) })]) {
        const failure = await failureOf(transport);
        expect(failure).toMatchObject({ failureClass: "contract", response: { status } });
        expect(failure.message).toBe(`GitHub redirects GET /issues to ${origin}; redirects are refused.`);
      }
    }
    other.stop(true);
    expect(heard).toEqual([]);
  });

  test.each([
    "issues",
    "//evil.example/x/../y",
    "/a/../../admin",
    "/a/%2e%2e/b",
    "/a?admin=1",
    "/a#b",
    "/a b",
    "",
  ])("a path that is none is not sent: %j", async (path) => {
    answering(() => Response.json({}));
    const failure = await direct()
      .send({ method: "GET", path })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConnectorConfigError);
    expect(server.seen).toEqual([]);
  });

  test("no path leaves the origin or the base path", async () => {
    const reached: string[] = [];
    const transport = direct({
      baseUrl: "https://git.example/api/v3",
      fetch: async ({ url }) => {
        reached.push(url);
        return Response.json({});
      },
    });
    const piece = fc.constantFrom(
      "/",
      "..",
      ".",
      "%2e",
      "@",
      ":",
      "\\",
      "evil.example",
      "?",
      "#",
      "\t",
      "a",
      "%2F",
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("/", ""), fc.array(piece, { maxLength: 6 }), async (start, pieces) => {
        await transport.send({ method: "GET", path: start + pieces.join("") }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(ConnectorConfigError);
        });
      }),
    );
    expect(reached.length).toBeGreaterThan(0);
    expect(reached.filter((url) => !url.startsWith("https://git.example/api/v3/"))).toEqual([]);
  });

  test("a slow answer ends at the deadline, its body too", async () => {
    const hanging = (): Response =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode("[")),
        }),
      );
    for (const answer of [() => new Promise<Response>(() => {}), hanging]) {
      answering(answer);
      expect(await failureOf(direct({ timeoutMs: 100 }))).toMatchObject({
        failureClass: "transient",
        processed: "maybe",
        message: "GitHub did not answer GET /issues within 0.1 s.",
      });
    }
  });

  test("a large body ends at the cap, compressed or not", async () => {
    const body = JSON.stringify("x".repeat(5_000));
    for (const answer of [
      () => new Response(body),
      () => new Response(Bun.gzipSync(body), { headers: { "content-encoding": "gzip" } }),
    ]) {
      answering(answer);
      expect(await failureOf(direct({ maxBodyBytes: 1_000 }))).toMatchObject({
        failureClass: "contract",
        message: "GitHub answered GET /issues with more than 1000 bytes.",
      });
    }
  });

  test("no connection", async () => {
    const failure = await failureOf(direct({ baseUrl: "http://127.0.0.1:1" }));
    expect(failure).toMatchObject({ failureClass: "transient", processed: "no", response: null });
    expect(failure.message).toBe(
      "Cannot reach GitHub at 127.0.0.1:1 for GET /issues: the connection was refused.",
    );
  });

  test.each([
    ["DEPTH_ZERO_SELF_SIGNED_CERT", { failureClass: "invalid", retryable: false, processed: "no" }],
    ["ENOTFOUND", { failureClass: "transient", retryable: true, processed: "no" }],
    ["ECONNRESET", { failureClass: "transient", retryable: true, processed: "maybe" }],
  ])("%s", async (code, expected) => {
    const fetch = async (): Promise<Response> => {
      throw new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });
    };
    expect(await failureOf(direct({ fetch }))).toMatchObject(expected);
  });

  test("a connection that breaks leaves open whether the request was carried out", async () => {
    const broken = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end() },
    });
    const failure = await failureOf(direct({ baseUrl: `http://127.0.0.1:${broken.port}` }), {
      method: "POST",
      path: "/issues",
      body: { json: {} },
    });
    broken.stop(true);
    expect(failure).toMatchObject({ failureClass: "transient", processed: "maybe" });
  });

  test("an address or a credential that cannot be used is refused at once", () => {
    for (const baseUrl of [
      "api.github.com",
      "http://api.github.com",
      "http://127.0.0.1.evil.example",
      "ftp://127.0.0.1",
      "https://user@api.github.com",
      "https://:pass@api.github.com",
      "https://api.github.com?x=1",
      "https://api.github.com#x",
    ]) {
      expect(() => direct({ baseUrl })).toThrow(ConnectorConfigError);
    }
    for (const baseUrl of ["https://api.github.com", "http://localhost:3000", "http://[::1]:80/x"]) {
      expect(direct({ baseUrl })).toBeInstanceOf(DirectTransport);
    }
    for (const authorization of ["", `Bearer ${TOKEN}\r\nx: y`, `Bearer ${TOKEN}é`]) {
      expect(() => direct({ authorization })).toThrow("GitHub: authorization must be text");
    }
  });
});

describe("credentials", () => {
  test("what a provider echoes is not repeated in messages", async () => {
    const basic = Buffer.from(`me@example.com:${TOKEN}`).toString("base64");
    for (const authorization of [`Bearer ${TOKEN}`, TOKEN, `Basic ${basic}`]) {
      answering(() => Response.json({ message: `${authorization} and ${TOKEN} expired` }, { status: 401 }));
      const { message } = await failureOf(direct({ authorization }));
      expect(message).toContain("*** expired");
      expect(message).not.toContain(TOKEN);
      expect(message).not.toContain(basic);
    }
    answering(() => Response.json({ error: { code: "x", message: `${SECRET_KEY}?` } }, { status: 401 }));
    expect((await failureOf(nango())).message).toEndWith(": ***?");
  });

  test("a credential that the end of a message would cut in two is not repeated in part", async () => {
    const padding = "x".repeat(300 - TOKEN.length / 2 - 1);
    answering(() => Response.json({ message: `${padding} ${TOKEN}` }, { status: 401 }));
    const { message, response } = await failureOf(direct({ authorization: `Bearer ${TOKEN}` }));
    expect(message).not.toContain(TOKEN.slice(0, 4));
    expect(JSON.stringify(response?.body)).not.toContain(TOKEN);
  });

  test("are not shown when a transport is printed", () => {
    for (const transport of [direct(), nango()]) {
      const shown = `${inspect(transport, { depth: 9, showHidden: true })}${JSON.stringify(transport)}`;
      expect(shown).not.toContain(TOKEN);
      expect(shown).not.toContain(SECRET_KEY);
    }
  });
});

describe("Nango", () => {
  test("the proxy's path and headers; the provider's own are marked", async () => {
    answering(() => Response.json({ ok: true }));
    const { body } = await nango().send({
      method: "PATCH",
      path: "/repos/acme/api%2Fx/issues/7",
      query: { q: "ä" },
      headers: { "X-GitHub-Api-Version": "2022-11-28", Accept: "application/vnd.github+json" },
      body: { json: { title: "T" } },
    });
    expect(body).toEqual({ ok: true });
    const [request] = server.seen;
    expect(request).toMatchObject({
      method: "PATCH",
      target: "/proxy/repos/acme/api%2Fx/issues/7?q=%C3%A4",
      text: '{"title":"T"}',
      headers: {
        authorization: `Bearer ${SECRET_KEY}`,
        "connection-id": "conn-1",
        "provider-config-key": "github-app",
        "content-type": "application/json",
        "nango-proxy-content-type": "application/json",
        "nango-proxy-x-github-api-version": "2022-11-28",
        "nango-proxy-accept": "application/vnd.github+json",
      },
    });
    expect(request?.headers).not.toHaveProperty("x-github-api-version");
  });

  test.each(["GET", "POST", "PUT", "PATCH", "DELETE"] as const)(
    "the proxy neither repeats a %s nor takes the credential along on a redirect",
    async (method) => {
      answering(() => Response.json({}));
      await nango().send({ method, path: "/x" });
      expect(server.seen).toHaveLength(1);
      expect(server.seen[0]?.headers).toMatchObject({ retries: "0", "forward-headers-on-redirect": "false" });
    },
  );

  test("goes to Nango's cloud unless another address is given", async () => {
    const reached: string[] = [];
    const transport = new NangoTransport({
      provider: "linear",
      context: { connectionId: "c", providerConfigKey: "linear", secretKey: "s" },
      fetch: async ({ url }) => {
        reached.push(url);
        return Response.json({});
      },
    });
    await transport.send({ method: "POST", path: "/graphql", body: { json: {} } });
    expect(reached).toEqual(["https://api.nango.dev/proxy/graphql"]);
    expect(() => nango({ baseUrl: "http://nango.example" })).toThrow(ConnectorConfigError);
  });

  test("the provider's refusals are the provider's", async () => {
    answering(() => Response.json({ message: "Not Found" }, { status: 404 }));
    expect(await failureOf(nango())).toMatchObject({
      failureClass: "not_found",
      message: "GitHub answered 404 to GET /issues: Not Found",
    });
  });

  test.each<[number, string, string]>([
    [404, "unknown_provider_config", "auth"],
    [400, "server_error", "auth"],
    [401, "invalid_secret_key", "auth"],
    [402, "plan_limit", "permission"],
    [424, "connection_refresh_backoff", "transient"],
    [424, "connection_refresh_exhausted", "auth"],
    [429, "too_many_request", "rate_limited"],
    [500, "server_error", "transient"],
  ])("Nango's own %i %s is never a missing issue: %s", async (status, code, failureClass) => {
    answering(() => Response.json({ error: { code, message: "Sorry" } }, { status }));
    expect(await failureOf(nango())).toMatchObject({
      provider: "github",
      failureClass,
      message: `GitHub through Nango answered ${status} to GET /issues: Sorry`,
      response: null,
    });
  });

  test("an answer whose headers the proxy dropped is whole all the same", async () => {
    answering(() => new Response(new TextEncoder().encode('[{"id":1}]')));
    expect((await nango().send(GET)).body).toEqual([{ id: 1 }]);
    answering(() => new Response("", { status: 429 }));
    expect(await failureOf(nango())).toMatchObject({ failureClass: "rate_limited", retryAfterSeconds: null });
  });
});

test("a write whose connection breaks is sent once", async () => {
  const sent: string[] = [];
  const server = createServer((request, response) => {
    sent.push(request.method ?? "");
    if (request.method === "GET") response.end("{}");
    else response.socket?.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = v.parse(v.object({ port: v.number() }), server.address());
  const transport = new DirectTransport({
    provider: "github",
    baseUrl: `http://127.0.0.1:${port}`,
    authorization: "Bearer x",
  });
  for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
    await transport.send({ method: "GET", path: "/" });
    await expect(transport.send({ method, path: "/" })).rejects.toMatchObject({ processed: "maybe" });
  }
  server.closeAllConnections();
  server.close();
  expect(sent).toEqual(["GET", "POST", "GET", "PUT", "GET", "PATCH", "GET", "DELETE"]);
});
