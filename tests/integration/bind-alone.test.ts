/** `tracker bind` and `tracker discover` without a provider, in memory. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { likelyProviders } from "../../src/discovery.ts";
import type { HostedProvider } from "../../src/shared/providers.ts";
import { CommandLine } from "../helpers/command-line.ts";
import { errorBody } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const WITH_GIT = { PATH: process.env.PATH ?? "" };

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});

/** Makes the folder a repository with this `origin`. */
function clone(url: string): void {
  for (const folder of ["objects", "refs"])
    mkdirSync(join(person.folder, ".git", folder), { recursive: true });
  writeFileSync(join(person.folder, ".git/HEAD"), "ref: refs/heads/main\n");
  writeFileSync(join(person.folder, ".git/config"), `[remote "origin"]\n\turl = ${url}\n`);
}

function connected(...providers: readonly string[]): void {
  const installations = providers.map((provider) => ({
    installation_id: provider,
    provider,
    status: "connected",
    account_label: "Acme",
    resource_count: 1,
    bound_count: 0,
  }));
  person.stubs.on("GET", `${BASE}/installations/`, Response.json({ installations }));
}

function certain(): void {
  const exact = { match_type: "exact", binding_ref: "srm_1", display_label: "Payments", candidates: [] };
  person.stubs.on("POST", `${BASE}/bind-resolve/`, Response.json(exact));
}

const providerAsked = (): unknown =>
  person.sent().map((body) => (typeof body === "object" && body !== null ? Object(body).provider : null))[0];

test.each<[readonly HostedProvider[], string | null, readonly HostedProvider[]]>([
  [["github", "linear"], "github.com", ["github"]],
  [["github", "gitlab"], "gitlab.acme.example", ["gitlab"]],
  [["github", "linear"], "acme.ghe.com", ["github"]],
  [["linear"], "github.com", ["linear"]],
  [["jira", "linear"], "github.com", ["jira", "linear"]],
  [["jira", "linear"], "git.acme.example", ["jira", "linear"]],
  [["linear"], null, ["linear"]],
  [[], "github.com", ["github"]],
  [[], "notgithub.com", []],
  [[], null, []],
])("of the connections %p and the remote %p come %p", (connections, host, likely) => {
  expect(likelyProviders(connections, host)).toEqual(likely);
});

describe("tracker bind", () => {
  test("takes the connection that the remote's host names", async () => {
    clone("git@github.com:acme/payments-api.git");
    connected("linear", "github");
    certain();
    expect(await person.run(["bind"], { env: WITH_GIT })).toMatchObject({ code: 0 });
    expect(providerAsked()).toBe("github");
  });

  test("stays with the provider of the binding, and asks for no connections", async () => {
    person.config = "tracker:\n  provider: jira\n  binding_ref: srm_1\n";
    certain();
    expect(await person.run(["bind"])).toMatchObject({ code: 0 });
    expect(providerAsked()).toBe("jira");
  });

  test.each([
    [["bind", "linear"]],
    [["bind", "--provider", "linear"]],
    [["bind", "linear", "--provider", "linear"]],
  ])("%p names it", async (args) => {
    person.config = "";
    certain();
    expect(await person.run(args)).toMatchObject({ code: 0 });
    expect(providerAsked()).toBe("linear");
  });

  test("takes the remote's provider where connections are not listed", async () => {
    clone("https://gitlab.com/acme/payments-api.git");
    person.stubs.on("GET", `${BASE}/installations/`, new Response("<h1>Not Found</h1>", { status: 404 }));
    certain();
    expect(await person.run(["bind"], { env: WITH_GIT })).toMatchObject({ code: 0 });
    expect(providerAsked()).toBe("gitlab");
  });

  test("without a terminal names the connections among which it cannot choose", async () => {
    person.config = "";
    connected("linear", "jira");
    const { code, err } = await person.run(["bind"]);
    expect(code).toBe(1);
    expect(err).toBe("Error: The control plane is connected to Jira, Linear.\nName one: tracker bind jira\n");
  });

  test("in a terminal asks which one, until it is one", async () => {
    person.config = "";
    connected("linear", "jira");
    certain();
    const { code, err } = await person.run(["bind"], { stdin: "github\nLinear\n", terminalColumns: 80 });
    expect(code).toBe(0);
    expect(err).toStartWith("Provider (jira, linear): Enter one of jira, linear.\nProvider (jira, linear): ");
    expect(providerAsked()).toBe("linear");
  });

  test("is canceled by the end of the input", async () => {
    person.config = "";
    connected("linear", "jira");
    const { code, err } = await person.run(["bind"], { terminalColumns: 80 });
    expect(code).toBe(0);
    expect(err).toEndWith("Bind canceled\n");
  });
});

describe("a provider that is not connected", () => {
  const unconnected = (): Response => Response.json(errorBody("no_installation"), { status: 403 });

  test("is offered to be connected, and a no is the error with the way out", async () => {
    person.config = "";
    person.stubs.on("POST", `${BASE}/bind-resolve/`, unconnected());
    const { code, err } = await person.run(["bind", "linear"], { stdin: "n\n", terminalColumns: 80 });
    expect(code).toBe(1);
    expect(err).toStartWith("Linear is not connected.\nConnect it now? [y/N] ");
    expect(err).toContain("tracker host connect linear");
  });

  test("is not offered without a terminal", async () => {
    person.config = "";
    person.stubs.on("POST", `${BASE}/bind-resolve/`, unconnected());
    const { code, err } = await person.run(["bind", "linear"]);
    expect(code).toBe(1);
    expect(err).not.toContain("[y/N]");
    expect(err).toContain("tracker host connect linear");
  });
});

describe("the token of the GitHub CLI", () => {
  const unconnected = (): Response => Response.json(errorBody("no_installation"), { status: 403 });
  const CONNECTED = {
    ...{ connection_id: "c", provider: "github", kind: "token", base_url: null, status: "connected" },
    ...{ account_label: "ada", resource_count: 1, last_refreshed_at: null, error: null },
  };

  /** Puts a `gh` into `folder` and returns an environment whose PATH begins there. */
  function withGh(folder: string, script: string): { readonly PATH: string } {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "gh"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { PATH: `${folder}:${process.env.PATH}` };
  }

  let elsewhere = "";
  beforeEach(() => {
    elsewhere = mkdtempSync(join(tmpdir(), "tracker-gh-"));
    clone("git@github.com:acme/payments-api.git");
    person.stubs.on("POST", `${BASE}/bind-resolve/`, unconnected());
  });
  afterEach(() => rmSync(elsewhere, { recursive: true }));

  const bind = (env: { readonly PATH: string }, stdin: string) =>
    person.run(["bind", "github"], { env, stdin, terminalColumns: 80 });

  test("connects after a yes, and the bind goes on", async () => {
    person.stubs.on("POST", "/api/v1/admin/connections/", Response.json(CONNECTED));
    certain();
    const { code, err } = await bind(withGh(elsewhere, 'echo "ghp_1 $PWD" | cut -d" " -f1'), "y\n");
    expect(err).toContain("Connect it with the token of the GitHub CLI (gh)? [y/N] Connected GitHub as ada.");
    expect(code).toBe(0);
    expect(person.sent()).toContainEqual(expect.objectContaining({ provider: "github", token: "ghp_1" }));
  });

  test("is sent nowhere after a no", async () => {
    const { code, err } = await bind(withGh(elsewhere, "echo ghp_1"), "n\nn\n");
    expect(code).toBe(1);
    expect(err).toContain("Connect it with another token? [y/N] ");
    expect(JSON.stringify(person.sent()) + err).not.toContain("ghp_1");
  });

  test.each([
    ["logged out", "exit 1"],
    ["printing something else", "echo two words; echo lines"],
  ])("is not offered by a gh that is %s", async (_what, script) => {
    const { err } = await bind(withGh(elsewhere, script), "n\n");
    expect(err).toStartWith("GitHub is not connected.\nConnect it now? [y/N] ");
  });

  test("is never taken from a gh inside the repository", async () => {
    const ran = join(elsewhere, "ran");
    const { err } = await bind(withGh(join(person.folder, "bin"), `touch ${ran}; echo ghp_1`), "n\n");
    expect(err).not.toContain("GitHub CLI");
    expect(existsSync(ran)).toBe(false);
  });
});

test("tracker discover takes the only connection", async () => {
  connected("linear");
  person.stubs.on("GET", `${BASE}/resources/?provider=linear&limit=500`, Response.json({ resources: [] }));
  expect(await person.run(["discover", "--json"])).toMatchObject({ code: 0, out: "[]\n" });
});
