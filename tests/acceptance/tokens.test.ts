/** Where a token goes, and where it never goes. */
import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { httpAnswer, RawServer } from "../helpers/raw-server.ts";
import { Scratch } from "../helpers/scratch.ts";
import { errorAnswer, ScriptedControlPlane, TEAM, TOKEN } from "../helpers/scripted-control-plane.ts";

const RESOURCES = { resources: [], installation_id: "inst_1", provider: "linear" };
const ME = {
  user_id: "u1",
  email: "octavia@acme.example",
  name: "Octavia",
  teams: [{ id: "t1", name: "Acme", slug: TEAM, role: "member", is_private_teamspace: false }],
};
const DISCOVER = ["discover", "--provider", "linear"];

/** A control plane that lets the holder of the token in. */
class AuthServer implements Disposable {
  readonly requests: { readonly path: string; readonly authorization: string | null }[] = [];
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      const authorization = request.headers.get("authorization");
      this.requests.push({ path: pathname, authorization });
      if (authorization !== `Bearer ${TOKEN}`) return errorAnswer(401, "unauthorized");
      if (pathname.startsWith("/api/v1/me")) return Response.json(ME);
      return Response.json(RESOURCES);
    },
  });

  get url(): string {
    return this.#server.url.origin;
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}

describe("auth login --with-token", () => {
  test("keeps the token for that origin alone, readable by its owner alone", async () => {
    using server = new AuthServer();
    using other = new AuthServer();
    using place = new Scratch();
    const login = await place.run(["auth", "login", "--with-token", "--host", server.url], {
      stdin: `${TOKEN}\n`,
    });
    expect(login).toMatchObject({ code: 0 });
    expect(login.stdout + login.stderr).not.toContain(TOKEN);

    const folder = join(place.home, ".config", "tracker");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const holders = [...place.files(place.root)]
      .filter(([, text]) => text.includes(TOKEN))
      .map(([path]) => path);
    expect(holders).toHaveLength(1);
    for (const path of holders) {
      expect(path).toStartWith(folder);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }

    const away = { cwd: place.root };
    expect(await place.run([...DISCOVER, "--host", server.url], away)).toMatchObject({ code: 0 });
    const elsewhere = await place.run([...DISCOVER, "--host", other.url, "--json"], away);
    expect(elsewhere.code).toBe(4);
    expect(errorOf(elsewhere).hint).toContain("tracker auth login");
    expect(other.requests.filter(({ authorization }) => authorization !== null)).toEqual([]);

    const status = await place.run(["auth", "status", "--host", server.url, "--verbose"]);
    expect(status.code).toBe(0);
    expect(status.stdout).toContain(TEAM);
    expect(status.stdout + status.stderr).not.toContain(TOKEN);

    expect(await place.run(["auth", "logout", "--host", server.url])).toMatchObject({ code: 0 });
    expect([...place.files(place.root).values()].join("")).not.toContain(TOKEN);
    expect(await place.run([...DISCOVER, "--host", server.url], away)).toMatchObject({ code: 4 });
  });

  test("keeps nothing when the control plane refuses the token, or when there is none", async () => {
    using server = new AuthServer();
    using place = new Scratch();
    for (const stdin of ["trk_wrong_canary\n", "\n", ""]) {
      const outcome = await place.run(["auth", "login", "--with-token", "--host", server.url], { stdin });
      expect(outcome.code).not.toBe(0);
      expect(outcome.stdout + outcome.stderr).not.toContain("trk_wrong_canary");
      expect([...place.files(place.home).values()].join("")).not.toContain("trk_wrong_canary");
    }
    expect((await place.run(["auth", "status", "--host", server.url])).code).toBe(4);
  });
});

test("no output, no log and no file of the repository ever holds the token", async () => {
  using plane = new ScriptedControlPlane();
  for (let i = 0; i < 2; i++) plane.get("resources/?provider=linear&limit=500", RESOURCES);
  plane.get("status/?provider=linear&binding_ref=srm_1", () =>
    errorAnswer(400, "invalid_request", { message: `You sent Bearer ${TOKEN.slice(0, 4)}…` }),
  );
  using place = new Scratch({
    env: plane.env,
    config: "tracker:\n  provider: linear\n  binding_ref: srm_1\n",
  });
  const noise = {
    BUN_CONFIG_VERBOSE_FETCH: "curl",
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    NODE_DEBUG: "http,net,tls",
  };
  const away = { cwd: place.root, env: noise };
  const quiet = await place.run(DISCOVER, { cwd: place.root });
  const loud = await place.run(DISCOVER, away);
  expect(loud.stderr).toBe(quiet.stderr);
  expect(loud.stdout).toBe(quiet.stdout);
  const failed = await place.run(["status", "--verbose", "--json"], { env: noise });
  expect(failed.code).toBe(1);
  for (const { stdout, stderr } of [quiet, loud, failed]) expect(stdout + stderr).not.toContain(TOKEN);
  expect([...place.files(place.root).values()].join("")).not.toContain(TOKEN);
  expect(plane.requests.every(({ target }) => !target.includes(TOKEN))).toBe(true);
  plane.verify();
});

test("loopback is reached without a proxy", async () => {
  using proxy = new RawServer(() => ({ bytes: httpAnswer(200, "{}"), end: "close" }));
  using plane = new ScriptedControlPlane().get("resources/?provider=linear&limit=500", RESOURCES);
  using place = new Scratch({ env: plane.env });
  const env = { HTTP_PROXY: proxy.url, http_proxy: proxy.url, HTTPS_PROXY: proxy.url, ALL_PROXY: proxy.url };
  expect(resultOf(await place.run([...DISCOVER, "--json"], { cwd: place.root, env }))).toEqual([]);
  expect(proxy.requests).toEqual([]);
  plane.verify();
});

describe("an address that a token must not go to", () => {
  test.each([
    ["http://tracker.example.com", "insecure_host"],
    ["http://192.0.2.1:8080", "insecure_host"],
    ["http://127.0.0.1.evil.example", "insecure_host"],
    ["https://user:pass@tracker.example.com", "invalid_host"],
    ["ftp://tracker.example.com", "invalid_host"],
    ["tracker.example.com", "invalid_host"],
  ])("%s is refused before anything is sent", async (host, code) => {
    using place = new Scratch({ env: { TRACKER_TOKEN: TOKEN, TRACKER_TEAM: TEAM } });
    const outcome = await place.run([...DISCOVER, "--json", "--host", host]);
    expect(outcome.code).toBe(1);
    expect(errorOf(outcome).code).toBe(code);
    expect(outcome.stderr).not.toContain("user:pass");
  });
});
