/** `tracker host connect` and `host connections`, in memory: what is asked, sent, shown, and refused. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Io } from "../../src/shared/io.ts";
import { CommandLine, type MemoryRun } from "../helpers/command-line.ts";
import { errorBody, type HttpStubs } from "../helpers/http-stubs.ts";

const SECRET = "ghp_canary_7d1e0c55";
const CONNECTIONS = "/api/v1/admin/connections/";
const OPERATION_ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const OPERATION = `/api/v1/tracker/operations/${OPERATION_ID}/`;
const CONNECTION = {
  connection_id: "conn_1",
  provider: "github",
  kind: "token",
  base_url: null,
  status: "connected",
  account_label: "Acme",
  resource_count: 12,
  last_refreshed_at: "2026-03-01T09:00:00Z",
  error: null,
};

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});

/** Runs a command line, of which nothing that is shown may hold {@link SECRET}. */
async function tracker(args: readonly string[], options?: MemoryRun) {
  const outcome = await person.run(args, options);
  expect(outcome.out + outcome.err).not.toContain(SECRET);
  return outcome;
}

const connected = (facts: object = {}): Response => Response.json({ ...CONNECTION, ...facts });
const listed = (...connections: object[]): Response => Response.json({ connections });
const operation = (status: string, facts: object = {}): Response =>
  Response.json({ operation_id: OPERATION_ID, status, ...facts });

const TOKEN_REQUEST = { provider: "github", kind: "token", token: SECRET, base_url: null, email: null };

describe("connect without a terminal", () => {
  test.each([`${SECRET}\n`, `${SECRET}\r\n`, SECRET, `\ufeff${SECRET}\n`])(
    "reads the token from standard input",
    async (stdin) => {
      person.stubs.on("POST", CONNECTIONS, connected());
      const { code, out, err } = await tracker(["host", "connect", "github", "--token-stdin"], { stdin });
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toBe("Connected GitHub: Acme, 12 resources\nNext: tracker bind --provider github\n");
      expect(person.sent()).toEqual([TOKEN_REQUEST]);
    },
  );

  test("reads it from the environment", async () => {
    person.stubs.on("POST", CONNECTIONS, connected());
    const env = { GITHUB_TOKEN: SECRET };
    const { code, out } = await tracker(
      ["host", "connect", "GitHub", "--from-env", "GITHUB_TOKEN", "--json"],
      {
        env,
      },
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(CONNECTION);
    expect(person.sent()).toEqual([TOKEN_REQUEST]);
  });

  test("sends the address and the account", async () => {
    person.stubs.on("POST", CONNECTIONS, connected({ provider: "jira" }));
    const details = ["--base-url", "https://acme.atlassian.net/", "--email", "ada@acme.example"];
    await tracker(["host", "connect", "jira", "--token-stdin", ...details], { stdin: SECRET });
    expect(person.sent()).toEqual([
      {
        provider: "jira",
        kind: "token",
        token: SECRET,
        base_url: "https://acme.atlassian.net",
        email: "ada@acme.example",
      },
    ]);
  });

  test.each([
    [[], null],
    [["--nango-url", "http://127.0.0.1:3003"], "http://127.0.0.1:3003"],
  ])("names a connection of Nango: %j", async (more, base_url) => {
    person.stubs.on("POST", CONNECTIONS, connected({ kind: "nango" }));
    const nango = ["--nango-connection-id", "c-1", "--nango-provider-config-key", "github-prod", ...more];
    await tracker(["host", "connect", "github", "--token-stdin", ...nango], { stdin: SECRET });
    expect(person.sent()).toEqual([
      {
        provider: "github",
        kind: "nango",
        connection_id: "c-1",
        provider_config_key: "github-prod",
        secret_key: SECRET,
        base_url,
      },
    ]);
  });

  test("connects demo data without any question", async () => {
    person.stubs.on("POST", CONNECTIONS, connected({ kind: "demo" }));
    expect((await tracker(["host", "connect", "github", "--demo"])).code).toBe(0);
    expect(person.sent()).toEqual([{ provider: "github", kind: "demo" }]);
  });

  test("a connection that reaches nothing says so, and one that does not work exits 1", async () => {
    person.stubs.on("POST", CONNECTIONS, connected({ resource_count: 0 }));
    const nothing = await tracker(["host", "connect", "github", "--demo"]);
    expect(nothing).toMatchObject({ code: 0, out: expect.stringContaining("Check its permissions.") });
    person.stubs.on("POST", CONNECTIONS, connected({ status: "degraded", error: "github answers slowly" }));
    const degraded = await tracker(["host", "connect", "github", "--demo"]);
    expect(degraded).toMatchObject({ code: 1, out: expect.stringContaining("github answers slowly") });
  });
});

describe("a command line that cannot connect anything exits 2 and asks nobody", () => {
  const NANGO = ["--nango-connection-id", "c-1", "--nango-provider-config-key", "k"];
  test.each<[string[], RegExp]>([
    [["github"], /no terminal[\s\S]*--token-stdin or --from-env/],
    [["github", "--json"], /--token-stdin or --from-env/],
    [["github", "--token", SECRET], /--token is refused[\s\S]*--token-stdin or --from-env/],
    [["github", `--token=${SECRET}`], /--token is refused/],
    [["github", `-token=${SECRET}`], /--token is refused/],
    [["github", SECRET], /Unexpected argument after the provider/],
    [["github", "--token-stdin", SECRET], /Unexpected argument after the provider/],
    [["github", `--token-stdin=${SECRET}`], /--token-stdin takes no value/],
    [["github", "--from-env", SECRET], /is not set[\s\S]*--from-env GITHUB_TOKEN/],
    [["github", "--from-env", "EMPTY"], /is empty/],
    [["github", "--from-env", "SPACED"], /has spaces/],
    [["github", "--from-env", "constructor"], /is not set/],
    [
      ["github", "--token-stdin", "--from-env", "GOOD"],
      /--token-stdin and --from-env cannot be used together/,
    ],
    [["github", "--demo", "--token-stdin"], /--token-stdin means nothing with --demo/],
    [["github", "--demo", "--base-url", "https://x.example"], /--base-url means nothing with --demo/],
    [["github", "--token-stdin", "--email", "a@b.example"], /--email is for Jira/],
    [["github", "--token-stdin", "--base-url", "http://github.example"], /--base-url: Use https/],
    [["github", "--token-stdin", "--base-url", "github.example"], /--base-url: Give the whole address/],
    [["github", "--token-stdin", "--base-url", "file:///etc"], /--base-url: Give the whole address/],
    [["github", "--token-stdin", "--base-url", `https://u:${SECRET}@x.example`], /must not hold a name/],
    [["github", "--token-stdin", "--base-url", `https://x.example/?t=${SECRET}`], /must end before any/],
    [["jira", "--token-stdin"], /Jira needs[\s\S]*--base-url[\s\S]*--email/],
    [["jira", "--token-stdin", "--base-url", "https://acme.atlassian.net"], /Jira needs/],
    [
      ["jira", "--token-stdin", "--base-url", "https://acme.atlassian.net", "--email", "ada"],
      /--email: Give an email address/,
    ],
    [["github", "--token-stdin", "--nango-connection-id", "c-1"], /needs two flags/],
    [["github", "--token-stdin", "--nango-provider-config-key", "k"], /needs two flags/],
    [["github", "--token-stdin", "--nango-url", "https://nango.example"], /needs two flags/],
    [["github", "--token-stdin", ...NANGO, "--nango-url", "http://nango.example"], /--nango-url: Use https/],
    [
      ["github", "--token-stdin", ...NANGO, "--base-url", "https://x.example"],
      /--base-url goes with a token/,
    ],
    [["jira", "--token-stdin", ...NANGO, "--email", "a@b.example"], /--email goes with a token/],
    [["github", ...NANGO], /no terminal/],
    [["beads", "--token-stdin"], /beads runs on this machine[\s\S]*github, gitlab, jira, linear/],
    [["fp"], /fp runs on this machine/],
    [[], /The argument <provider> is missing/],
  ])("%j", async (args, told) => {
    const env = { GOOD: "x", EMPTY: " ", SPACED: "two words" };
    const { code, out, err } = await tracker(["host", "connect", ...args], { env, stdin: SECRET });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(args.includes("--json") ? JSON.parse(err).error.hint : err).toMatch(told);
  });

  test.each([
    ["", "Standard input is empty."],
    ["\n", "Standard input is empty."],
    ["two words\n", "Standard input has spaces."],
    [`${SECRET}\n${SECRET}\n`, "Standard input has more than one line."],
    ["t\u00f6ken\n", "Standard input has characters that no token has."],
    ["t\x1bken\n", "Standard input has characters that no token has."],
    ["to\ufeffken\n", "Standard input has spaces."],
    [`"${SECRET}"\n`, "Standard input has quotes around it: leave them out."],
    [`Bearer ${SECRET}\n`, "Standard input is a header: use the token alone."],
  ])("standard input that holds no token: %j", async (stdin, message) => {
    const { code, err } = await tracker(["host", "connect", "github", "--token-stdin"], { stdin });
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).not.toContain(SECRET);
  });

  test.each(["azure-devops", "trello"])("%s is no provider", async (provider) => {
    expect(await tracker(["host", "connect", provider, "--token-stdin"])).toMatchObject({ code: 1, out: "" });
  });
});

describe("connect in a terminal", () => {
  const inTerminal = { terminalColumns: 100 };

  test.each([
    ["github", "https://github.com/settings/personal-access-tokens/new", "Issues: Read and write"],
    ["gitlab", "https://gitlab.com/-/user_settings/personal_access_tokens", '"api"'],
    ["linear", "https://linear.app/settings/account/security", '"Write"'],
  ])("tells where a token of %s is made, and asks for it", async (provider, address, permission) => {
    person.stubs.on("GET", CONNECTIONS, listed()).on("POST", CONNECTIONS, connected({ provider }));
    const { code, err, out } = await tracker(["host", "connect", provider], {
      ...inTerminal,
      stdin: `${SECRET}\n`,
    });
    expect(code).toBe(0);
    expect(err).toContain(address);
    expect(err).toContain(permission);
    expect(err).toMatch(/ \(not shown\): \n$/);
    expect(out).toContain(`Next: tracker bind --provider ${provider}`);
    expect(person.sent()).toEqual([{ ...TOKEN_REQUEST, provider }]);
  });

  test.each([
    [
      "github",
      "https://git.acme.example/api/v3",
      "https://git.acme.example/settings/personal-access-tokens/new",
    ],
    ["github", "https://api.acme.ghe.com", "https://acme.ghe.com/settings/personal-access-tokens/new"],
    ["gitlab", "https://git.acme.example", "https://git.acme.example/-/user_settings/personal_access_tokens"],
  ])("tells where on a server of one's own: %s %s", async (provider, address, told) => {
    person.stubs.on("GET", CONNECTIONS, listed()).on("POST", CONNECTIONS, connected());
    const args = ["host", "connect", provider, "--base-url", address];
    const { err } = await tracker(args, { ...inTerminal, stdin: `${SECRET}\n` });
    expect(err).toContain(told);
  });

  test("asks for what Jira needs, and again where an answer will not do", async () => {
    person.stubs.on("GET", CONNECTIONS, listed()).on("POST", CONNECTIONS, connected({ provider: "jira" }));
    const answers = [
      "acme",
      "https://acme.atlassian.net/",
      "ada",
      "ada@acme.example",
      "",
      "two words",
      SECRET,
    ];
    const { code, err } = await tracker(["host", "connect", "jira"], {
      ...inTerminal,
      stdin: `${answers.join("\n")}\n`,
    });
    expect(code).toBe(0);
    expect(err).toContain("https://id.atlassian.com/manage-profile/security/api-tokens");
    expect(err).toContain("Give the whole address");
    expect(err).toContain("Give an email address");
    expect(err).toContain("Nothing was entered.");
    expect(err).toContain("The input has spaces.");
    expect(person.sent()).toEqual([
      {
        provider: "jira",
        kind: "token",
        token: SECRET,
        base_url: "https://acme.atlassian.net",
        email: "ada@acme.example",
      },
    ]);
  });

  test("asks for the secret key of Nango", async () => {
    person.stubs.on("GET", CONNECTIONS, listed()).on("POST", CONNECTIONS, connected({ kind: "nango" }));
    const nango = ["--nango-connection-id", "c-1", "--nango-provider-config-key", "k"];
    const { err } = await tracker(["host", "connect", "jira", ...nango], {
      ...inTerminal,
      stdin: `${SECRET}\n`,
    });
    expect(err).toBe(
      "Find the secret key in Nango under Environment Settings.\nNango secret key (not shown): \n",
    );
    expect(person.sent()).toMatchObject([{ kind: "nango", secret_key: SECRET }]);
  });

  test.each([
    ["github", ""],
    ["jira", ""],
    ["jira", "https://acme.atlassian.net\n"],
    ["jira", "https://acme.atlassian.net\nada@acme.example\n"],
  ])("the end of the input cancels %s after %j, politely", async (provider, stdin) => {
    person.stubs.on("GET", CONNECTIONS, listed());
    const { code, out, err } = await tracker(["host", "connect", provider], { ...inTerminal, stdin });
    expect({ code, out }).toEqual({ code: 0, out: "" });
    expect(err).toEndWith("\nConnect canceled\n");
  });

  test("Ctrl-C interrupts", async () => {
    person.stubs.on("GET", CONNECTIONS, listed());
    const { code, err } = await tracker(["host", "connect", "github"], { ...inTerminal, stdin: "abc\x03\n" });
    expect(code).toBe(130);
    expect(err).toEndWith("(not shown): \n");
  });

  test("who may not connect is told so before they are asked for a token", async () => {
    person.stubs.on("GET", CONNECTIONS, Response.json(errorBody("forbidden"), { status: 403 }));
    const { code, err } = await tracker(["host", "connect", "github"], {
      ...inTerminal,
      stdin: `${SECRET}\n`,
    });
    expect(code).toBe(1);
    expect(err).not.toContain("not shown");
  });

  test("--token-stdin hides what is typed there too", async () => {
    person.stubs.on("GET", CONNECTIONS, listed()).on("POST", CONNECTIONS, connected());
    let hidden = 0;
    const adapt = (io: Io): Io => ({
      ...io,
      canPrompt: false,
      stdin: {
        ...io.stdin,
        withoutEcho: (use) => {
          hidden++;
          return io.stdin.withoutEcho(use);
        },
      },
    });
    const args = ["host", "connect", "github", "--token-stdin"];
    expect((await tracker(args, { ...inTerminal, stdin: `${SECRET}\n`, adapt })).code).toBe(0);
    expect(hidden).toBe(1);
  });
});

describe("a discovery that takes longer", () => {
  const CONNECT = ["host", "connect", "github", "--token-stdin"];
  const running = (done: number, total: number | null = null): Response =>
    operation("running", { progress: { done, total } });
  const begin = (): HttpStubs =>
    person.stubs.on(
      "POST",
      CONNECTIONS,
      Response.json({ operation_id: OPERATION_ID, status: "pending" }, { status: 202 }),
    );

  test("tells a pipe every few seconds", async () => {
    begin();
    for (const done of [1, 400, 1_240]) person.stubs.on("GET", OPERATION, running(done));
    person.stubs.on("GET", OPERATION, running(5_000, 12_345));
    person.stubs.on("GET", OPERATION, operation("completed", { result: CONNECTION }));
    const { code, out, err } = await tracker(CONNECT, { stdin: SECRET });
    expect(code).toBe(0);
    expect(out).toStartWith("Connected GitHub");
    // Asked after 1, 3, 7 and 15 seconds.
    expect(err).toBe("Discovering…\nDiscovering… 1,240 resources\nDiscovering… 5,000 of 12,345 resources\n");
  });

  test("rewrites one line in a terminal, and takes it away", async () => {
    person.stubs.on("GET", CONNECTIONS, listed());
    begin();
    for (const done of [1_240, 1]) person.stubs.on("GET", OPERATION, running(done));
    person.stubs.on("GET", OPERATION, operation("completed", { result: CONNECTION }));
    const env = { TERM: "dumb", LANG: "C" };
    const { err } = await tracker(CONNECT, { stdin: `${SECRET}\n`, terminalColumns: 100, env });
    const [, progress = ""] = err.split("(not shown): \n");
    expect(progress.split("\r").map((text) => text.trimEnd())).toEqual([
      "",
      "Discovering...",
      "Discovering... 1,240 resources",
      "Discovering... 1 resource",
      "",
      "",
    ]);
    const widths = progress.split("\r").map(({ length }) => length);
    expect(widths).toEqual([0, 14, 30, 30, 25, 0]);
  });

  test("cuts the line to a narrow terminal", async () => {
    person.stubs.on("GET", CONNECTIONS, listed());
    begin();
    person.stubs.on("GET", OPERATION, running(1_240));
    person.stubs.on("GET", OPERATION, operation("completed", { result: CONNECTION }));
    const { err } = await tracker(CONNECT, { stdin: `${SECRET}\n`, terminalColumns: 20 });
    const [, progress = ""] = err.split("(not shown): \n");
    expect(progress).toContain("\rDiscovering… 1,240…\r");
    for (const line of progress.split("\r")) expect(line.length).toBeLessThan(20);
  });

  test("is silent with --json", async () => {
    begin()
      .on("GET", OPERATION, running(1_240))
      .on("GET", OPERATION, operation("completed", { result: CONNECTION }));
    const { err, out } = await tracker([...CONNECT, "--json"], { stdin: SECRET });
    expect(err).toBe("");
    expect(JSON.parse(out)).toEqual(CONNECTION);
  });

  test("fails with what the operation failed with", async () => {
    const error = errorBody("provider_rejected", { message: "github: Bad credentials", provider: "github" });
    begin().on("GET", OPERATION, operation("failed", { error }));
    const { code, out, err } = await tracker([...CONNECT, "--verbose"], { stdin: SECRET });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("Error: github: Bad credentials\n");
    expect(err).toContain("tracker host connect github");
  });

  test("refresh tells the same", async () => {
    person.stubs
      .on("GET", CONNECTIONS, listed(CONNECTION))
      .on(
        "POST",
        `${CONNECTIONS}conn_1/refresh/`,
        Response.json({ operation_id: OPERATION_ID, status: "pending" }),
      )
      .on("GET", OPERATION, operation("completed", { result: CONNECTION }));
    const { code, err, out } = await tracker(["host", "connections", "refresh", "github"]);
    expect({ code, err }).toEqual({ code: 0, err: "Discovering…\n" });
    expect(out).toStartWith("Connected GitHub");
  });
});

describe("connections", () => {
  const OTHER = { ...CONNECTION, connection_id: "conn_2", account_label: "Globex" };
  const JIRA = {
    ...CONNECTION,
    connection_id: "conn_3",
    provider: "jira",
    base_url: "https://acme.atlassian.net",
    status: "degraded",
    last_refreshed_at: null,
    error: "the token has expired",
  };

  test("are listed as people read them", async () => {
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION, JIRA));
    const { out } = await tracker(["host", "connections", "list"]);
    expect(out.split("\n").map((line) => line.split("\t"))).toEqual([
      ["Provider", "Account", "Address", "Resources", "State", "Refreshed", "Id"],
      ["github", "Acme", "", "12", "connected", "3 hours ago", "conn_1"],
      [
        "jira",
        "Acme",
        "https://acme.atlassian.net",
        "12",
        "degraded: the token has expired",
        "never",
        "conn_3",
      ],
      [""],
    ]);
  });

  test("are listed without addresses where all are the default", async () => {
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION));
    expect((await tracker(["host", "connections", "list"])).out).not.toContain("Address");
    person.stubs.on("GET", CONNECTIONS, listed());
    expect((await tracker(["host", "connections", "list"])).out).toContain("tracker host connect <provider>");
  });

  test.each(["conn_3", "jira", "Jira"])("are tested by id or by the only provider: %s", async (name) => {
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION, OTHER, JIRA));
    person.stubs.on("POST", `${CONNECTIONS}conn_3/test/`, Response.json(JIRA));
    const { code, out } = await tracker(["host", "connections", "test", name]);
    expect(code).toBe(1);
    expect(out).toContain("Degraded Jira: Acme, 12 resources\nthe token has expired\n");
    expect(out).toContain("tracker host connections refresh conn_3\n");
  });

  test.each(["test", "refresh", "remove"])("%s wants to know which of several", async (action) => {
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION, OTHER, JIRA));
    const { code, err } = await tracker(["host", "connections", action, "github", "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(err).error).toMatchObject({
      code: "ambiguous_connection",
      message: "GitHub has 2 connections: conn_1 (Acme), conn_2 (Globex).",
    });
  });

  test.each(["test", "refresh", "remove"])("%s of one that is not there", async (action) => {
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION));
    const { code, err } = await tracker(["host", "connections", action, "linear", "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(err).error).toMatchObject({
      code: "connection_not_found",
      hint: expect.stringContaining("tracker host connections list"),
    });
  });

  test.each([
    ["y\n", true],
    ["YES\n", true],
    ["\n", false],
    ["n\n", false],
    ["", false],
  ])("are removed by a person who answers %j: %p", async (stdin, isRemoved) => {
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION));
    if (isRemoved) person.stubs.on("DELETE", `${CONNECTIONS}conn_1/`, new Response(null, { status: 204 }));
    const { code, out, err } = await tracker(["host", "connections", "remove", "conn_1"], {
      stdin,
      terminalColumns: 80,
    });
    expect(code).toBe(0);
    expect(err).toContain("GitHub: Acme, 12 resources\n");
    expect(err).toContain("mappings stay");
    expect(out).toBe(isRemoved ? "Removed GitHub: Acme, 12 resources\nIts mappings stay.\n" : "");
    if (!isRemoved) expect(err).toEndWith("Remove canceled\n");
  });

  test("are removed with --yes, and without a terminal only so", async () => {
    const remove = ["host", "connections", "remove", "github"];
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION));
    const refused = await tracker([...remove, "--json"]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.err).error).toMatchObject({
      code: "confirmation_required",
      hint: expect.stringContaining("remove conn_1 --yes"),
    });
    person.stubs.on("GET", CONNECTIONS, listed(CONNECTION));
    person.stubs.on("DELETE", `${CONNECTIONS}conn_1/`, new Response(null, { status: 204 }));
    const removed = await tracker([...remove, "--yes", "--json"]);
    expect({ code: removed.code, result: JSON.parse(removed.out) }).toEqual({
      code: 0,
      result: { removed: "conn_1" },
    });
  });
});
