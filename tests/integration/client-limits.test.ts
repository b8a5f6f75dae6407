/** Bounds in size and time, held against real loopback servers. */
import { describe, expect, test } from "bun:test";
import type { ControlPlaneClient } from "../../src/client.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/shared/network/fetch-once.ts";
import { systemFetch } from "../../src/shared/network.ts";
import { failureOf } from "../helpers/failure.ts";
import { HttpStubs, stubbedClient } from "../helpers/http-stubs.ts";

type Handler = (request: Request) => Response | Promise<Response>;

/** A loopback control plane that answers everything with `handler`. */
class Server implements Disposable {
  requests = 0;
  readonly #server: Bun.Server<undefined>;

  constructor(handler: Handler) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: (request) => {
        this.requests += 1;
        return handler(request);
      },
    });
  }

  get url(): URL {
    return this.#server.url;
  }

  /** The real client over the real network, with waits that take no time. */
  client(limits: Partial<Limits> = {}): ControlPlaneClient {
    return stubbedClient(new HttpStubs(), {
      url: this.url,
      name: this.url.origin,
      fetch: systemFetch({}),
      limits: { ...DEFAULT_LIMITS, ...limits },
    });
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}

const PAGE = { limit: 1 };
const REF = { binding_ref: "srm_1" } as const;

/** A valid answer of exactly `bytes` bytes. */
function answerOf(bytes: number): string {
  const frame = JSON.stringify({ resources: [], padding: "" });
  return JSON.stringify({ resources: [], padding: "x".repeat(bytes - frame.length) });
}

describe("size", () => {
  const LIMIT = 100_000;
  const zipped = (body: string): Response =>
    new Response(Bun.gzipSync(Buffer.from(body)), {
      headers: { "content-encoding": "gzip", "content-type": "application/json" },
    });

  test.each([
    ["plain", (body: string) => new Response(body)],
    ["compressed", zipped],
  ])("a %s answer of exactly the limit is read, one byte more is refused", async (_name, respond) => {
    let bytes = LIMIT;
    using server = new Server(() => respond(answerOf(bytes)));
    const client = server.client({ bodyBytes: LIMIT });
    expect((await client.call("resources", { provider: "linear" })).resources).toEqual([]);
    bytes += 1;
    expect(await failureOf(client.call("resources", { provider: "linear" }))).toMatchObject({
      code: "response_too_large",
    });
  });

  test("a small answer that unpacks to a large one is refused without a second try", async () => {
    const bomb = Bun.gzipSync(Buffer.alloc(4_000_000, " "));
    expect(bomb.byteLength).toBeLessThan(LIMIT / 10);
    using server = new Server(() => new Response(bomb, { headers: { "content-encoding": "gzip" } }));
    const error = await failureOf(
      server.client({ bodyBytes: LIMIT }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ name: "ControlPlaneError", code: "response_too_large" });
    expect(server.requests).toBe(1);
  });

  test("an error answer is bounded as well", async () => {
    using server = new Server(() => new Response("x".repeat(LIMIT + 1), { status: 403 }));
    const error = await failureOf(
      server.client({ bodyBytes: LIMIT }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ code: "response_too_large" });
  });

  test("an endless answer is ended by us", async () => {
    const cancelled = Promise.withResolvers<void>();
    using server = new Server((request) => {
      request.signal.addEventListener("abort", () => cancelled.resolve());
      const chunk = new Uint8Array(10_000);
      return new Response(
        new ReadableStream({
          pull: async (controller) => {
            controller.enqueue(chunk);
            await Bun.sleep(0);
          },
        }),
      );
    });
    const error = await failureOf(
      server.client({ bodyBytes: LIMIT }).call("resources", { provider: "linear" }),
    );
    expect(error).toMatchObject({ code: "response_too_large" });
    await cancelled.promise;
  });

  test("ten megabytes is the limit that the product runs with", () => {
    expect(DEFAULT_LIMITS).toEqual({ requestMs: 30_000, bodyBytes: 10 * 1024 * 1024 });
  });

  test("data that only claims to be compressed is an error of its own", async () => {
    using server = new Server(
      () => new Response("not gzip at all", { headers: { "content-encoding": "gzip" } }),
    );
    const error = await failureOf(server.client().call("resources", { provider: "linear" }));
    expect(error).toMatchObject({ name: "ControlPlaneError", code: "host_unreachable" });
  });

  test("a character that is split between two packets stays whole", async () => {
    const label = "Zahlungen – 支払い";
    const resource = { candidate_token: "c", display_label: label, provider: "linear" };
    const bytes = Buffer.from(JSON.stringify({ resources: [resource] }));
    const cut = bytes.indexOf(Buffer.from("支")) + 1;
    using server = new Server(
      () =>
        new Response(
          new ReadableStream({
            start: async (controller) => {
              controller.enqueue(bytes.subarray(0, cut));
              await Bun.sleep(1);
              controller.enqueue(bytes.subarray(cut));
              controller.close();
            },
          }),
        ),
    );
    expect(
      (await server.client().call("resources", { provider: "linear" })).resources[0]?.display_label,
    ).toBe(label);
  });
});

describe("time", () => {
  test("a server that never answers is given up, a read after three attempts", async () => {
    using server = new Server(() => new Promise<Response>(() => {}));
    const error = await failureOf(server.client({ requestMs: 30 }).call("resources", { provider: "linear" }));
    expect(error).toMatchObject({ code: "host_timeout", retryable: true, status: null });
    expect(server.requests).toBe(3);
  });

  test("a write without a key after one", async () => {
    using server = new Server(() => new Promise<Response>(() => {}));
    const error = await failureOf(
      server.client({ requestMs: 30 }).call("pull", { provider: "linear", ...REF, ...PAGE }),
    );
    expect(error).toMatchObject({ code: "host_timeout" });
    expect(server.requests).toBe(1);
  });

  test("an answer that begins in time and never ends is given up too", async () => {
    using server = new Server(
      () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("{")) })),
    );
    const error = await failureOf(
      server.client({ requestMs: 50 }).call("pull", { provider: "linear", ...REF, ...PAGE }),
    );
    expect(error).toMatchObject({ code: "host_timeout" });
  });
});

describe("the real network", () => {
  test("a redirect is not followed", async () => {
    using target = new Server(() => Response.json({ resources: [] }));
    using server = new Server(() => Response.redirect(`${target.url.origin}/elsewhere`, 307));
    const error = await failureOf(server.client().call("resources", { provider: "linear" }));
    expect(error).toMatchObject({ code: "redirect_refused", status: 307 });
    expect(String(error)).toContain(target.url.origin);
    expect([server.requests, target.requests]).toEqual([1, 0]);
  });

  test("a port where nobody listens is told as that", async () => {
    const gone = new Server(() => new Response());
    const client = gone.client();
    gone[Symbol.dispose]();
    const error = await failureOf(client.call("pull", { provider: "linear", ...REF, ...PAGE }));
    expect(error).toMatchObject({ code: "host_unreachable" });
    expect(String(error)).toContain("refused");
  });
});
