import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { isLoopback, systemFetch } from "../../src/shared/network.ts";

const TOKEN = "trk_canary_network";

describe("loopback", () => {
  test.each([
    "http://localhost",
    "http://LOCALHOST:1",
    "http://127.0.0.1",
    "http://127.1.2.3:9",
    "http://[::1]:7",
  ])("%s", (url) => {
    expect(isLoopback(new URL(url))).toBe(true);
  });

  test.each([
    "http://localhost.example",
    "http://127.0.0.1.example",
    "http://0.0.0.0",
    "http://10.0.0.1",
    "http://[::2]",
    "http://[fe80::1]",
    "http://example.com/localhost",
    "http://localhost@example.com",
  ])("not %s", (url) => {
    expect(isLoopback(new URL(url))).toBe(false);
  });
});

/** Sends `count` requests to `target` in a process with exactly `env`; what it printed. */
async function inProcess(
  env: Record<string, string>,
  target: URL,
  count = 1,
): Promise<{ out: string; err: string }> {
  const script = `
    import { systemFetch } from ${JSON.stringify(join(import.meta.dir, "../../src/shared/network.ts"))};
    const send = systemFetch(process.env);
    const bodies = [];
    for (let n = 0; n < ${count}; n++) {
      const headers = { authorization: "Bearer ${TOKEN}" };
      bodies.push(await (await send(new Request(${JSON.stringify(target.href)}, { headers }))).text());
    }
    console.log(JSON.stringify({ bodies, noProxy: process.env.NO_PROXY }));`;
  const child = Bun.spawn([process.execPath, "-e", script], { env, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(await child.exited).toBe(0);
  return { out, err };
}

/** A loopback server that says `text` and counts. */
function serve(text: string): Bun.Server<undefined> {
  return Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch: () => new Response(text) });
}

describe("a process whose environment is hostile", () => {
  test("reaches this machine without the proxy, and remembers no more with every request", async () => {
    const [direct, proxy] = [serve("direct"), serve("proxy")];
    const through = proxy.url.href;
    const env = { HTTP_PROXY: through, http_proxy: through, HTTPS_PROXY: through, NO_PROXY: "corp.example" };
    const { out } = await inProcess(env, direct.url, 3);
    expect(JSON.parse(out)).toEqual({
      bodies: ["direct", "direct", "direct"],
      noProxy: "corp.example,127.0.0.1",
    });
    await Promise.all([direct.stop(true), proxy.stop(true)]);
  });

  test("reaches this machine without the proxy where the exceptions are spelled in lower case", async () => {
    const [direct, proxy] = [serve("direct"), serve("proxy")];
    const { out } = await inProcess({ http_proxy: proxy.url.href, no_proxy: "corp.example" }, direct.url);
    expect(JSON.parse(out)).toMatchObject({ bodies: ["direct"] });
    await Promise.all([direct.stop(true), proxy.stop(true)]);
  });

  test("prints nothing of its requests", async () => {
    const server = serve("answer");
    for (const verbose of ["curl", "1", "true"]) {
      const { out, err } = await inProcess({ BUN_CONFIG_VERBOSE_FETCH: verbose }, server.url);
      expect(out + err).not.toContain(TOKEN);
      expect(err).toBe("");
    }
    await server.stop(true);
  });
});

test("redirects come back as they are", async () => {
  const target = serve("target");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: () => Response.redirect(target.url.href, 308),
  });
  const response = await systemFetch({})(new Request(server.url.href));
  expect([response.status, response.headers.get("location")]).toEqual([308, target.url.href]);
  await Promise.all([server.stop(true), target.stop(true)]);
});

test("a request that its caller gives up is given up", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: () => {
      arrived.resolve();
      return new Promise<Response>(() => {});
    },
  });
  const controller = new AbortController();
  const answer = systemFetch({})(new Request(server.url.href, { signal: controller.signal }));
  await arrived.promise;
  controller.abort();
  const failure = await answer.then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toHaveProperty("name", "AbortError");
  await server.stop(true);
});
