/** The command line as such: flags, refusals, exit codes, output forms. */
import { describe, expect, test } from "bun:test";
import { VERSION } from "../../src/shared/version.ts";
import { BINARY, errorOf, resultOf, runProgram } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";
import { ScriptedControlPlane } from "../helpers/scripted-control-plane.ts";

const COMMANDS = [
  ["providers"],
  ["discover"],
  ["bind"],
  ["unbind"],
  ["status"],
  ["map"],
  ["map", "list"],
  ["map", "add"],
  ["sync"],
  ["sync", "pull"],
  ["sync", "push"],
  ["sync", "run"],
  ["sync", "wait"],
  ["sync", "conflicts"],
  ["sync", "resolve"],
  ["sync", "publish"],
  ["mission"],
  ["mission", "seed"],
  ["mission", "publish"],
  ["issues"],
  ["issues", "list"],
  ["issues", "search"],
  ["host"],
  ["host", "serve"],
  ["host", "connect"],
  ["host", "connections"],
  ["host", "connections", "list"],
  ["host", "connections", "test"],
  ["host", "connections", "refresh"],
  ["host", "connections", "remove"],
  ["auth"],
  ["auth", "login"],
  ["auth", "status"],
  ["auth", "logout"],
  ["doctor"],
] as const;

const LABELS = [
  "Payments API with a name that is far too long for a narrow terminal (PAY)",
  "決済プラットフォーム(東京)の長い名前のチーム (PJP)",
  "e\u0301".repeat(60),
  "Evil \u001b[31mred\u001b[0m \u202egnp.exe\u202c \u0007bell \r\n new line",
  "👩‍👩‍👧‍👦 family".repeat(6),
];
const RESOURCES = {
  resources: LABELS.map((display_label, index) => ({
    candidate_token: `cand_${index}`,
    display_label,
    provider: "linear",
    provider_context: { workspace_name: index === 3 ? "Acme \u001b[2J" : "Acme Corp" },
    binding_ref: index === 0 ? "srm_1" : null,
    bound_project_slug: index === 0 ? "web" : null,
    bound_at: index === 0 ? "2026-01-02T03:04:05Z" : null,
  })),
  installation_id: "inst_1",
  provider: "linear",
};
const DISCOVER = ["discover", "--provider", "linear"];

/** A control plane that lists {@link RESOURCES} `times` times, read from outside any project. */
function listing(times: number): ScriptedControlPlane {
  const plane = new ScriptedControlPlane();
  for (let i = 0; i < times; i++) plane.get("resources/?provider=linear&limit=500", RESOURCES);
  return plane;
}

describe("help and version", () => {
  test("every command explains itself on stdout, with the flags that all have", async () => {
    using place = new Scratch();
    for (const command of COMMANDS) {
      const { code, stdout, stderr } = await place.run([...command, "--help"]);
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: "" });
      expect(stdout).toContain(`tracker ${command.join(" ")}`);
      expect(stdout).toContain("--json");
      expect(stdout).not.toContain("\x1b");
    }
  });

  test("the program lists its commands, and its version", async () => {
    using place = new Scratch();
    const help = await place.run(["--help"]);
    expect(help.code).toBe(0);
    for (const [name] of COMMANDS) expect(help.stdout).toContain(name);
    expect(await place.run(["--version"])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
    expect((await place.run([])).stdout + (await place.run([])).stderr).toContain("bind");
  });
});

describe("providers", () => {
  test("lists hosted and local ones with no network and no project", async () => {
    using plane = new ScriptedControlPlane();
    using place = new Scratch({ env: plane.env });
    const options = { cwd: place.root };
    expect(resultOf(await place.run(["providers", "--json"], options))).toEqual({
      local: ["beads", "fp"],
      saas: ["github", "gitlab", "jira", "linear"],
    });
    const human = await place.run(["providers"], options);
    for (const name of ["beads", "fp", "github", "gitlab", "jira", "linear"])
      expect(human.stdout).toContain(name);
    plane.verify();
  });
});

describe("a wrong command line exits 2, at once and by name", () => {
  test.each([
    [["bind", "--provider", "linear", "--selct", "1"], /--selct[\s\S]*--select/],
    [["bind", "--provider", "linear", "--yess"], /--yess[\s\S]*--yes/],
    [["discover", "--provider", "linear", "-z"], /-z/],
    [["providers", "extra"], /extra/],
    [["bind", "--provider"], /--provider/],
    [["bind", "--provider", "--json"], /--provider/],
    [["bind", "--provider", "linear", "--select", "two"], /--select/],
    [["bind", "--provider", "linear", "--select", "0"], /--select/],
    [["bind", "--provider", "linear", "--select", "1.5"], /--select/],
    [["bind", "--provider", "linear", "--bind-ref", ""], /--bind-ref/],
    [["bind", "jira", "--provider", "linear"], /jira and linear cannot be used together/],
    [["host", "connect"], /<provider> is missing[\s\S]*tracker host connect/],
    [["host", "connect", "linear"], /--token-stdin or --from-env/],
    [["host", "connect", "linear", "--token", "x"], /--token is refused/],
    [["host", "connect", "beads"], /beads runs on this machine/],
    [["issues", "search"], /tracker issues search --query/],
    [["issues", "list", "--limit", "101"], /--limit/],
    [["host", "mappings", "delete"], /<ref> is missing/],
    [["host", "connections", "remove"], /<id> is missing[\s\S]*connections list/],
    [["bnd", "--provider", "linear"], /bnd[\s\S]*bind/],
    [["map", "lst"], /lst[\s\S]*list/],
    [
      ["bind", "--provider", "linear", "--project-slug", "web"],
      /--project-slug[\s\S]*tracker bind --provider/,
    ],
    [["bind", "--provider", "linear", "--credential", "k=v"], /--credential[\s\S]*tracker auth login/],
    [["status", "--json=maybe"], /--json/],
  ])("%p", async (args, message) => {
    using place = new Scratch();
    const human = await place.runHere(args);
    expect(human).toMatchObject({ code: 2, stdout: "" });
    expect(human.stderr).toMatch(message);
    expect(human.stderr).not.toMatch(/^\s+at /m);
    expect(place.config()).toBeNull();
  });

  test("and is one JSON object under --json, also for what --json cannot parse", async () => {
    using place = new Scratch();
    for (const args of [
      ["bind", "--provider", "linear", "--selct", "1"],
      ["bnd"],
      ["providers", "extra"],
      ["bind", "--provider", "linear", "--project-slug", "web"],
    ]) {
      const outcome = await place.runHere([...args, "--json"]);
      expect(outcome.code).toBe(2);
      expect(errorOf(outcome).code).toBe("usage");
    }
  });

  test("--credential for a hosted provider does not assume that the person is logged out", async () => {
    using place = new Scratch();
    const { stderr } = await place.runHere([
      "bind",
      "--provider",
      "jira",
      "--credential",
      "token=s3cr3t-value",
    ]);
    expect(stderr).toContain("tracker host connect jira");
    expect(stderr).not.toMatch(/logged out|not logged in/i);
    expect(stderr).not.toContain("s3cr3t-value");
  });
});

describe("providers that cannot be used", () => {
  test.each(["azure_devops", "azure-devops", "azure"])("%s is refused by name", async (provider) => {
    using place = new Scratch();
    for (const command of ["bind", "discover"]) {
      const outcome = await place.runHere([command, "--provider", provider]);
      expect(outcome.code).not.toBe(0);
      expect(outcome.stderr).toMatch(/azure devops.*no longer/i);
    }
    expect(place.config()).toBeNull();
  });

  test("a mistyped one is recognized", async () => {
    using place = new Scratch();
    const outcome = await place.runHere(["host", "connect", "githup"]);
    expect(outcome.stderr).toContain("Did you mean github?");
  });

  test("an unknown one is refused with the way to the known ones", async () => {
    using place = new Scratch();
    const outcome = await place.runHere(["bind", "--provider", "trello"]);
    expect(outcome.code).not.toBe(0);
    expect(outcome.stderr).toContain("trello");
    expect(outcome.stderr).not.toContain("Did you mean");
    expect(outcome.stderr).toContain("tracker providers");
  });

  test.each(["beads", "fp"])(
    "%s in a config: nothing runs until it is bound on this machine, and nothing changes",
    async (provider) => {
      const config = `tracker:\n  provider: ${provider}\n  workspace: w1\n`;
      using place = new Scratch({ config });
      for (const args of [
        ["discover", "--provider", provider],
        ["status"],
        ["map", "list"],
        ["map", "add", "--wp-id", "WP1", "--external-id", "1"],
        ["issues", "list"],
        ["issues", "search", "--query", "x"],
        ["sync", "pull"],
        ["sync", "push"],
        ["sync", "run"],
        ["mission", "seed", "--issue", "x"],
      ]) {
        const outcome = await place.runHere(args);
        expect({ args, code: outcome.code, stdout: outcome.stdout }).toEqual({ args, code: 1, stdout: "" });
        expect(outcome.stderr).toContain(provider);
      }
      expect(place.config()).toBe(config);
    },
  );
});

describe("no project", () => {
  test("bind outside a repository is an error; other commands need a binding and say which command makes one", async () => {
    using place = new Scratch();
    const away = { cwd: place.root };
    const outside = errorOf(await place.runHere(["bind", "--provider", "linear", "--json"], away));
    expect(outside.message + outside.hint).toMatch(/git|repository/i);
    for (const command of [["status"], ["map", "list"], ["issues", "list"], ["unbind"]]) {
      const outcome = await place.runHere(command);
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain("tracker bind");
    }
    expect(place.config()).toBeNull();
  });

  test("--project starts the search elsewhere", async () => {
    using place = new Scratch({ config: "tracker:\n  provider: linear\n  binding_ref: srm_1\n" });
    place.write("deep/er/file.txt", "");
    const outcome = await place.runHere(
      ["status", "--offline", "--json", "--project", `${place.repository}/deep/er`],
      {
        cwd: place.root,
      },
    );
    expect(resultOf(outcome)).toMatchObject({ binding_ref: "srm_1" });
  });
});

describe("tables", () => {
  test("without a terminal are tab-separated, uncut, uncolored and escaped", async () => {
    using plane = listing(1);
    using place = new Scratch({ env: plane.env });
    const { code, stdout } = await place.run(DISCOVER, { cwd: place.root });
    expect(code).toBe(0);
    expect(stdout).toContain(LABELS[0] ?? "");
    expect(stdout).toContain(LABELS[4] ?? "");
    expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    const rows = stdout.split("\n").filter((line) => line.includes("linear"));
    expect(rows).toHaveLength(LABELS.length);
    for (const row of rows) expect(row.split("\t")).toHaveLength(5);
    plane.verify();
  });

  test("in a narrow terminal never wrap, whatever the characters' width", async () => {
    using plane = listing(1);
    using place = new Scratch({ env: plane.env });
    const terminal = place.open([...DISCOVER, "--project", place.root], { columns: 40 });
    expect(await terminal.exit()).toBe(0);
    const rows = terminal.text.split("\n");
    for (const row of rows.filter((line) => /[●○]/u.test(line)))
      expect(Bun.stringWidth(row)).toBeLessThanOrEqual(40);
    expect(rows.filter((line) => /[●○]/u.test(line))).toHaveLength(LABELS.length);
    expect(terminal.text).toContain("…");
    expect(terminal.text).not.toContain("\u202e");
  });

  test("use ASCII where the locale has nothing else", async () => {
    using plane = listing(1);
    using place = new Scratch({ env: plane.env });
    const { stdout } = await place.run(DISCOVER, { cwd: place.root, env: { LANG: "C", LC_ALL: "C" } });
    expect(stdout).not.toMatch(/[●○]/u);
    expect(stdout).toContain("* bound");
    expect(stdout).toContain("- available");
  });

  test("are colored as the environment asks, per stream", async () => {
    using plane = listing(6);
    using place = new Scratch({ env: plane.env });
    const away = place.root;
    const piped = async (env: Record<string, string>): Promise<string> =>
      (await place.run(DISCOVER, { cwd: away, env })).stdout;
    const shown = async (env: Record<string, string>): Promise<string> => {
      const terminal = place.open([...DISCOVER, "--project", away], { env });
      await terminal.exit();
      return terminal.raw;
    };
    expect(await piped({})).not.toContain("\x1b");
    expect(await piped({ FORCE_COLOR: "1" })).toContain("\x1b[");
    expect(await piped({ FORCE_COLOR: "1", NO_COLOR: "1" })).not.toContain("\x1b");
    expect(await shown({})).toContain("\x1b[");
    expect(await shown({ NO_COLOR: "1" })).not.toContain("\x1b");
    expect(await shown({ TERM: "dumb" })).not.toContain("\x1b");
  });

  test("--filter and --limit choose rows", async () => {
    using plane = listing(2);
    using place = new Scratch({ env: plane.env });
    const away = { cwd: place.root };
    expect(resultOf(await place.run([...DISCOVER, "--filter", "payments", "--json"], away))).toMatchObject([
      { display_label: LABELS[0] },
    ]);
    expect(resultOf(await place.run([...DISCOVER, "--limit", "2", "--json"], away))).toHaveLength(2);
  });
});

describe("--json", () => {
  test("is never colored, and holds the exact labels", async () => {
    using plane = listing(1);
    using place = new Scratch({ env: plane.env });
    const outcome = await place.run([...DISCOVER, "--json"], { cwd: place.root, env: { FORCE_COLOR: "1" } });
    expect(outcome.stdout).not.toContain("\x1b");
    expect(outcome.stdout).toStartWith("[\n  {\n    ");
    expect(resultOf(outcome)).toMatchObject(LABELS.map((display_label) => ({ display_label })));
  });
});

test("a reader that goes away ends the command quietly", async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({
    ...RESOURCES.resources[1],
    candidate_token: `cand_${index}`,
    display_label: `Team number ${index}`,
  }));
  using plane = new ScriptedControlPlane().get("resources/?provider=linear&limit=500", {
    ...RESOURCES,
    resources: many,
  });
  using place = new Scratch({ env: plane.env });
  const shell = 'set -o pipefail; "$0" discover --provider linear | head -n 1';
  const outcome = await runProgram(["bash", "-c", shell, BINARY], { cwd: place.root, env: { ...place.env } });
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  expect(outcome.stdout.trimEnd().split("\n")).toHaveLength(1);
});
