/** A provider that answers as GitLab does, from its token to its issues. */
import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { startHost } from "../helpers/host-process.ts";
import { LOOPBACK_ORIGIN, Scratch } from "../helpers/scratch.ts";

const TOKEN = "glpat-canary-9d41f6a07c";
const PATHS = ["acme/payments-api", "acme/billing"];
const ISSUE = {
  id: 9_001,
  iid: 7,
  project_id: 1,
  title: "Refunds fail",
  description: "For amounts of zero.",
  state: "opened",
  labels: [],
  assignees: [{ id: 5, username: "ada", name: "Ada" }],
  author: { id: 5, username: "ada", name: "Ada" },
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-02T00:00:00.000Z",
  issue_type: "issue",
  web_url: "https://gitlab.example/acme/payments-api/-/issues/7",
};

/** The few answers of GitLab's REST API that these tests need. */
class GitLab implements Disposable {
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request) => this.#answer(request),
  });

  get url(): string {
    return this.#server.url.origin;
  }

  #answer(request: Request): Response {
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
      return Response.json({ message: "401 Unauthorized" }, { status: 401 });
    }
    const projects = PATHS.map((path, index) => this.#project(path, index + 1));
    switch (new URL(request.url).pathname) {
      case "/api/v4/user":
        return Response.json({ id: 5, username: "ada", name: "Ada", web_url: `${this.url}/ada` });
      case "/api/v4/projects":
        return Response.json(projects);
      case "/api/v4/projects/1":
        return Response.json(projects[0]);
      case "/api/v4/projects/1/issues":
        return Response.json([ISSUE]);
      case "/api/v4/projects/1/issues/7/links":
        return Response.json([]);
      default:
        return Response.json({ message: "404 Not found" }, { status: 404 });
    }
  }

  #project(path: string, id: number): object {
    const name = path.slice("acme/".length);
    return {
      id,
      name,
      path: name,
      path_with_namespace: path,
      name_with_namespace: `Acme / ${name}`,
      namespace: { id: 1, name: "Acme", path: "acme", full_path: "acme", kind: "group" },
      web_url: `${this.url}/${path}`,
      archived: false,
      issues_enabled: true,
      issues_access_level: "enabled",
    };
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
  }
}

const connect = (gitlab: GitLab, ...more: string[]): string[] => [
  "host",
  "connect",
  "gitlab",
  "--token-stdin",
  "--base-url",
  gitlab.url,
  ...more,
];

describe("the embedded control plane", () => {
  test("connects, binds by itself, and reads issues; the token is nowhere to be found", async () => {
    using gitlab = new GitLab();
    using place = new Scratch({ origin: LOOPBACK_ORIGIN });
    const connected = await place.run(connect(gitlab), { stdin: TOKEN });
    expect(connected).toMatchObject({ code: 0, stderr: "" });
    expect(connected.stdout).toMatch(
      /^Connected GitLab: .+, 2 resources\nNext: tracker bind --provider gitlab\n$/,
    );
    expect((await place.run(["bind", "--provider", "gitlab"])).stdout).toContain("acme/payments-api");

    const { code, stdout } = await place.run(["issues", "list"]);
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.split("\t"))).toEqual([
      ["Key", "Title", "Status", "Assignee", "Updated"],
      [expect.stringContaining("7"), "Refunds fail", expect.any(String), "ada", "2026-01-02"],
      [""],
    ]);
    const found = await place.run(["issues", "search", "--query", "refunds", "--json"]);
    expect(resultOf(found)).toMatchObject({ candidates: [{ title: "Refunds fail" }] });

    expect((await place.run(["host", "connections", "list"])).stdout).toContain(gitlab.url);
    expect(await place.run(["host", "connections", "test", "gitlab"])).toMatchObject({ code: 0 });
    expect([...place.files(place.root).values()].join("")).not.toContain(TOKEN);
  });

  test("keeps no key of its own where the environment has one", async () => {
    using gitlab = new GitLab();
    using place = new Scratch({
      origin: LOOPBACK_ORIGIN,
      env: { TRACKER_VAULT_KEY: randomBytes(32).toString("base64") },
    });
    expect(await place.run(connect(gitlab), { stdin: TOKEN })).toMatchObject({ code: 0 });
    expect(await place.run(["host", "connections", "test", "gitlab"])).toMatchObject({ code: 0 });
    expect([...place.files(place.root).keys()].filter((path) => path.endsWith(".key"))).toEqual([]);
  });

  test("a token that the provider refuses connects nothing, and is not repeated", async () => {
    using gitlab = new GitLab();
    using place = new Scratch({ origin: LOOPBACK_ORIGIN });
    const outcome = await place.run(connect(gitlab, "--json", "--verbose"), { stdin: "glpat-wrong-canary" });
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("provider_rejected");
    expect(outcome.stderr).toContain("tracker host connect gitlab");
    expect(outcome.stderr).not.toContain("wrong-canary");
    expect(resultOf(await place.run(["host", "connections", "list", "--json"]))).toEqual({ connections: [] });
  });
});

test("a served control plane reaches its own network only with --allow-private-network", async () => {
  using gitlab = new GitLab();
  using owner = new Scratch({ origin: LOOPBACK_ORIGIN });
  for (const [flags, code] of [
    [[], 1],
    [["--allow-private-network"], 0],
  ] as const) {
    await using host = await startHost(owner, { flags: ["--demo", ...flags] });
    using place = new Scratch({ origin: LOOPBACK_ORIGIN, env: host.env });
    const outcome = await place.run(connect(gitlab, "--json"), { stdin: TOKEN });
    expect(outcome.code).toBe(code);
    if (code === 1) expect(JSON.stringify(errorOf(outcome))).toContain("--allow-private-network");
  }
});
