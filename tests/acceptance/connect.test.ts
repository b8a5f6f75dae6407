/** Connecting a provider, and above all where its token never is. */
import { describe, expect, test } from "bun:test";
import { errorOf, type Outcome, resultOf } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";
import { errorAnswer, ScriptedControlPlane } from "../helpers/scripted-control-plane.ts";

const SECRET = "ghp_canary7f3a9c21d8e4";
const CONNECTIONS = "/api/v1/admin/connections/";
const PROMPT = "GitHub token (not shown):";
const OPERATION_ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const CONNECTION = {
  connection_id: "conn_1",
  provider: "github",
  kind: "token",
  base_url: null,
  status: "connected",
  account_label: "Acme",
  resource_count: 12,
  last_refreshed_at: "2026-03-01T12:00:00Z",
  error: null,
};
const REQUEST = { provider: "github", kind: "token", token: SECRET, base_url: null, email: null };
const CONNECT = ["host", "connect", "github"];
/** Shows afterwards how the program ended and whether the terminal edits and shows what is typed. */
const WITH_MODES = '"$0" "$@"; echo "exit $?"; stty -a | tr ";" "\\n"';

/** Fails when any part of the secret that means something is in `shown`. */
function expectSecretless(shown: string): void {
  for (let start = 0; start + 6 <= SECRET.length; start++) {
    expect(shown).not.toContain(SECRET.slice(start, start + 6));
  }
}

/** A control plane that takes one token; in a terminal it is asked first whether it may be given one. */
function asking(): ScriptedControlPlane {
  return new ScriptedControlPlane()
    .get(CONNECTIONS, { connections: [] })
    .post(CONNECTIONS, REQUEST, CONNECTION);
}

describe("the hidden prompt", () => {
  test("shows nothing of the token and leaves the terminal as it was", async () => {
    using plane = asking();
    using place = new Scratch({ env: plane.env });
    const terminal = place.open(CONNECT, { script: WITH_MODES });
    await terminal.waitFor(PROMPT);
    terminal.type("gho_wrong");
    terminal.type("\x15");
    terminal.type(`${SECRET.slice(0, 8)}XX`);
    terminal.type("\x7f\x7f");
    terminal.typeLine(SECRET.slice(8));
    expect(await terminal.exit()).toBe(0);
    expectSecretless(terminal.raw);
    expect(terminal.raw).not.toMatch(/gho_|XX|\*/);
    expect(terminal.text).toContain("https://github.com/settings/personal-access-tokens/new");
    expect(terminal.text).toContain(
      "Connected GitHub: Acme, 12 resources\nNext: tracker bind --provider github\n",
    );
    expect(terminal.text).toMatch(/\nexit 0\n/);
    expect(terminal.text).toMatch(/\bisig icanon\b/);
    expect(terminal.text).toMatch(/ echo /);
    plane.verify();
    expectSecretless([...place.files(place.root).values()].join(""));
  });

  test("takes a long paste with the marks that terminals put around it", async () => {
    const long = "a1B2".repeat(3_000);
    using plane = new ScriptedControlPlane()
      .get(CONNECTIONS, { connections: [] })
      .post(CONNECTIONS, { ...REQUEST, token: long }, CONNECTION);
    using place = new Scratch({ env: plane.env });
    const terminal = place.open(CONNECT);
    await terminal.waitFor(PROMPT);
    terminal.typeLine(`\x1b[200~${long}\x1b[201~`);
    expect(await terminal.exit()).toBe(0);
    expect(terminal.raw).not.toContain("a1B2");
    plane.verify();
  });

  test("stays hidden while it asks again", async () => {
    using plane = asking();
    using place = new Scratch({ env: plane.env });
    const terminal = place.open(CONNECT);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("");
    await terminal.waitFor("Nothing was entered.");
    // At once, as a person does who pastes again.
    terminal.typeLine(`${SECRET} ${SECRET}`);
    await terminal.waitFor("The input has spaces.");
    terminal.typeLine(SECRET);
    expect(await terminal.exit()).toBe(0);
    expectSecretless(terminal.raw);
    plane.verify();
  });

  test.each([
    ["Ctrl-C", "\x03", 130],
    ["Ctrl-D", "\x04", 0],
  ])("%s ends it, and the terminal is as it was", async (_name, key, code) => {
    using plane = new ScriptedControlPlane().get(CONNECTIONS, { connections: [] });
    using place = new Scratch({ env: plane.env });
    const terminal = place.open(CONNECT, { script: WITH_MODES });
    await terminal.waitFor(PROMPT);
    terminal.type(code === 130 ? SECRET : "");
    terminal.type(key);
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain(`exit ${code}\n`);
    expect(terminal.text).toMatch(/\bisig icanon\b/);
    expect(terminal.text).toMatch(/ echo /);
    expect(terminal.text.includes("Connect canceled")).toBe(code === 0);
    expectSecretless(terminal.raw);
    plane.verify();
  });

  test("Ctrl-C works again once the token is in", async () => {
    const arrived = Promise.withResolvers<void>();
    using plane = new ScriptedControlPlane()
      .get(CONNECTIONS, { connections: [] })
      .post(CONNECTIONS, REQUEST, () => {
        arrived.resolve();
        return new Promise<Response>(() => {});
      });
    using place = new Scratch({ env: plane.env });
    const terminal = place.open(CONNECT);
    await terminal.waitFor(PROMPT);
    terminal.typeLine(SECRET);
    await arrived.promise;
    terminal.pressInterrupt();
    expect(await terminal.exit()).toBe(130);
    plane.verify();
  });

  test("works in a dumb terminal without a single escape sequence", async () => {
    using plane = asking();
    using place = new Scratch({ env: plane.env });
    const terminal = place.open(CONNECT, { env: { TERM: "dumb" } });
    await terminal.waitFor(PROMPT);
    terminal.typeLine(SECRET);
    expect(await terminal.exit()).toBe(0);
    expect(terminal.raw).not.toContain("\x1b");
    plane.verify();
  });

  test("hides a personal access token for the control plane as well", async () => {
    using place = new Scratch();
    const terminal = place.open(["auth", "login", "--with-token", "--host", "http://127.0.0.1:9"]);
    await terminal.waitFor("Access token (not shown):");
    terminal.typeLine(SECRET);
    expect(await terminal.exit()).toBe(1);
    expectSecretless(terminal.raw);
  });
});

describe("no output, no log and no file holds the token", () => {
  const NOISE = {
    BUN_CONFIG_VERBOSE_FETCH: "curl",
    NODE_DEBUG: "http,net,tls",
    GITHUB_TOKEN: SECRET,
  };
  const WAYS: readonly (readonly [way: string, flags: string[], stdin: string])[] = [
    ["standard input", ["--token-stdin"], `${SECRET}\n`],
    ["the environment", ["--from-env", "GITHUB_TOKEN"], ""],
  ];
  const ANSWERS: readonly (readonly [name: string, code: number, answer: unknown])[] = [
    ["connected", 0, CONNECTION],
    ["refused", 1, () => errorAnswer(502, "provider_rejected", { message: "github: Bad credentials" })],
    ["garbled", 1, () => new Response("<html>", { headers: { "content-type": "text/html" } })],
  ];
  const cases = WAYS.flatMap(([way, flags, stdin]) =>
    ANSWERS.map(([name, code, answer]) => [way, name, flags, stdin, code, answer] as const),
  );

  test.each(cases)("from %s, %s", async (_way, _name, flags, stdin, code, answer) => {
    using plane = new ScriptedControlPlane();
    for (let i = 0; i < 2; i++)
      plane.post(CONNECTIONS, REQUEST, typeof answer === "function" ? answer : () => Response.json(answer));
    using place = new Scratch({ env: plane.env });
    const outcomes: Outcome[] = [];
    for (const more of [["--verbose"], ["--verbose", "--json"]]) {
      outcomes.push(await place.run([...CONNECT, ...flags, ...more], { stdin, env: NOISE }));
    }
    for (const outcome of outcomes) {
      expect(outcome.code).toBe(code);
      expectSecretless(outcome.stdout + outcome.stderr);
    }
    plane.verify();
    expect(
      plane.requests.every(({ target, headers }) => !`${target}${JSON.stringify(headers)}`.includes(SECRET)),
    ).toBe(true);
    expectSecretless([...place.files(place.root).values()].join(""));
  });

  test("a token in the command line is refused and not repeated", async () => {
    using plane = new ScriptedControlPlane();
    using place = new Scratch({ env: plane.env });
    for (const args of [["--token", SECRET], [`--token=${SECRET}`], [SECRET], ["--from-env", SECRET]]) {
      const outcome = await place.run([...CONNECT, ...args, "--verbose"]);
      expect(outcome.code).toBe(2);
      expectSecretless(outcome.stdout + outcome.stderr);
    }
    plane.verify();
  });
});

test("a discovery that takes longer is waited for", async () => {
  const operation = `operations/${OPERATION_ID}/`;
  const accepted = (): Response =>
    Response.json({ operation_id: OPERATION_ID, status: "pending" }, { status: 202 });
  using plane = new ScriptedControlPlane();
  for (let i = 0; i < 2; i++) {
    plane
      .post(CONNECTIONS, REQUEST, accepted)
      .get(operation, { operation_id: OPERATION_ID, status: "completed", result: CONNECTION });
  }
  using place = new Scratch({ env: plane.env });
  const run = (...more: string[]) => place.run([...CONNECT, "--token-stdin", ...more], { stdin: SECRET });
  const [human, program] = await Promise.all([run(), run("--json")]);
  expect(human).toMatchObject({ code: 0, stderr: "Discovering…\n" });
  expect(human.stdout).toContain("Next: tracker bind --provider github\n");
  expect(program.stderr).toBe("");
  expect(resultOf(program)).toEqual(CONNECTION);
  plane.verify();
});

test("a discovery that fails is reported like other errors", async () => {
  const error = await errorAnswer(502, "provider_unavailable", { message: "github does not answer." }).json();
  using plane = new ScriptedControlPlane()
    .post(CONNECTIONS, REQUEST, () =>
      Response.json({ operation_id: OPERATION_ID, status: "pending" }, { status: 202 }),
    )
    .get(`operations/${OPERATION_ID}/`, { operation_id: OPERATION_ID, status: "failed", error });
  using place = new Scratch({ env: plane.env });
  const outcome = await place.run([...CONNECT, "--token-stdin", "--json"], { stdin: SECRET });
  expect(outcome.code).toBe(1);
  expect(errorOf(outcome)).toMatchObject({
    code: "provider_unavailable",
    message: "github does not answer.",
  });
  plane.verify();
});

describe("what a control plane says of connections and issues cannot take over the terminal", () => {
  const EVIL = "Evil \u001b[2J\u001b]0;owned\u0007 \u202egnp.exe\u202c \r\n \u009b31m line";
  const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
  const connection = {
    ...CONNECTION,
    connection_id: EVIL,
    base_url: EVIL,
    account_label: EVIL,
    status: "degraded",
    last_refreshed_at: EVIL,
    error: EVIL,
  };
  const ticket = {
    external_issue_id: EVIL,
    identifier: EVIL,
    title: EVIL,
    url: EVIL,
    state: { name: EVIL },
    assignee: EVIL,
    created_at: EVIL,
    updated_at: EVIL,
  };
  const CASES: readonly (readonly [
    args: string[],
    code: number,
    script: (plane: ScriptedControlPlane) => void,
  ])[] = [
    [["host", "connections", "list"], 0, (plane) => plane.get(CONNECTIONS, { connections: [connection] })],
    [
      ["host", "connect", "github", "--demo"],
      1,
      (plane) => plane.post(CONNECTIONS, { provider: "github", kind: "demo" }, connection),
    ],
    [
      ["host", "connections", "remove", "github", "--yes"],
      0,
      (plane) =>
        plane
          .get(CONNECTIONS, { connections: [{ ...connection, connection_id: "conn_1" }] })
          .delete(`${CONNECTIONS}conn_1/`),
    ],
    [
      ["host", "connections", "test", "github"],
      1,
      (plane) => plane.get(CONNECTIONS, { connections: [connection, connection] }),
    ],
    [
      ["issues", "list", "--provider", "linear"],
      0,
      (plane) =>
        plane.post(
          "list-tickets/",
          { provider: "linear", limit: 20 },
          { tickets: [ticket], resource_type: EVIL, resource_id: EVIL },
        ),
    ],
  ];

  test.each(CASES)("tracker %j", async (args, code, script) => {
    using plane = new ScriptedControlPlane();
    script(plane);
    using place = new Scratch({ env: plane.env });
    const outcome = await place.run(args);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout + outcome.stderr).toContain("Evil \\u001b");
    expect(outcome.stdout + outcome.stderr).not.toMatch(UNSAFE);
    plane.verify();
  });
});
