/** `run`: the whole program less its real streams. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/cli.ts";
import type { Context } from "../../src/shared/context.ts";
import { OutputClosedError } from "../../src/shared/errors.ts";
import { memoryIo } from "../../src/shared/io.ts";
import type { Fetch } from "../../src/shared/network.ts";
import { VERSION } from "../../src/shared/version.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tracker-cli-"));
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const unreachable: Fetch = (request) => {
  throw new Error(`Nothing should be requested: ${request.method} ${request.url}`);
};

interface Run {
  readonly fetch?: Fetch;
  readonly env?: Readonly<Record<string, string>>;
  readonly terminalColumns?: number;
}

/** Runs a command line in an empty folder, in memory. */
async function tracker(
  args: readonly string[],
  { fetch = unreachable, env = {}, terminalColumns }: Run = {},
) {
  const io = memoryIo({ env, ...(terminalColumns === undefined ? {} : { terminalColumns }) });
  const code = await run(args, contextOf(io, fetch, env));
  return { code, out: io.out(), err: io.err() };
}

function contextOf(io: Context["io"], fetch: Fetch, env: Readonly<Record<string, string>>): Context {
  return {
    io,
    env: { TRACKER_HOME: join(home, "tracker"), ...env },
    cwd: home,
    machine: {
      platform: "linux",
      architecture: "x64",
      homeDirectory: join(home, "nobody"),
      userId: process.getuid?.(),
      hostName: "workshop",
      userName: "ada",
    },
    timing: { now: () => 0, sleep: async () => {}, random: () => 0 },
    fetch,
    onStop: () => {},
  };
}

describe("usage errors exit 2, say what is wrong on stderr, and do nothing", () => {
  test.each<[string[], string]>([
    [["bnd"], 'Unknown command "bnd" of `tracker`.\nDid you mean `tracker bind`?'],
    [["zzzzzzzz"], "See `tracker --help`."],
    [["map", "lst"], "Did you mean `tracker map list`?"],
    [["--what"], 'Unknown flag "--what" of `tracker`.'],
    [["status", "--ofline"], "Unknown flag --ofline.\nDid you mean --offline?"],
    [["status", "-x"], "Unknown flag -x."],
    [["status", "--jsn"], "Did you mean --json?"],
    [["sync", "wait", "--id", "x"], "Unknown flag --id.\nSee `tracker sync wait --help`."],
    [["status", "now"], 'Unexpected argument "now".'],
    [["status", "--", "now"], 'Unexpected argument "now".'],
    [["status", "--all", "--all"], "--all is given twice."],
    [["status", "--all=yes"], "--all takes no value."],
    [["status", "--json=yes"], "--json takes no value."],
    [["status", "--provider", "linear"], "--provider needs --all."],
    [["status", "--all", "--check"], "--all and --check cannot be used together."],
    [["bind", "linear", "--match", "  "], "--match needs a text that is not blank."],
    [["discover", "jira", "--provider", "linear"], "jira and linear cannot be used together"],
    [["discover", "--provider"], "--provider needs a value."],
    [["discover", "--provider", ""], "--provider needs a value."],
    [["discover", "--provider="], "--provider needs a value."],
    [["discover", "--provider", "--limit", "3"], "--provider needs a value."],
    [["discover", "--provider"], "For example: --provider NAME\n"],
    [["discover", "--limit="], "For example: --limit N\n"],
    [["sync", "push", "--items-json"], "For example: --items-json FILE|-\n"],
    [["--host"], "For example: --host URL|embedded\n"],
    [["discover", "--provider", "linear", "--limit", "0"], "--limit takes a whole number of at least 1"],
    [["discover", "--provider", "linear", "--limit", "1e3"], "--limit takes a whole number of at least 1"],
    [["--host"], "--host needs a value."],
    [
      ["bind", "--provider", "linear", "--project-slug", "x"],
      "--project-slug was removed: bindings are discovered.",
    ],
    [["bind", "--provider", "linear", "--credential", "k=v"], "--credential is not for Linear"],
    [["bind", "--provider", "linear", "--workspace", "w"], "--workspace is for on-device providers"],
    [
      ["bind", "--provider", "linear", "--select", "1", "--match", "x"],
      "--select and --match cannot be used together.",
    ],
    [["host", "serve", "--port", "65536"], "--port takes a number from 0 to 65535"],
    [["host", "serve", "--demo", "--database", "x"], "--demo and --database cannot be used together"],
  ])("tracker %j", async (args, told) => {
    const { code, out, err } = await tracker(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toStartWith("Error: ");
    expect(err).toContain(told);
    expect(readdirSync(home)).toEqual([]);
  });

  test("with --json as one object", async () => {
    const { code, out, err } = await tracker(["bnd", "--json"]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(JSON.parse(err)).toEqual({
      error: {
        code: "usage",
        message: 'Unknown command "bnd" of `tracker`.',
        hint: "Did you mean `tracker bind`?",
        retryable: false,
        request_id: null,
        details: null,
      },
    });
  });

  test("what was typed cannot take over the terminal", async () => {
    const { err } = await tracker(["\x1b[2J\u202e"]);
    expect(err).toStartWith('Error: Unknown command "\\u001b[2J\\u202e"');
  });
});

describe("help", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]], [["--help", "--no-color"]]])(
    "tracker %j",
    async (args) => {
      const { code, out, err } = await tracker(args);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("Usage\n  tracker <command>\n");
      expect(out).toContain("\n  doctor     Check everything a command needs\n");
    },
  );

  test.each([[["bind", "--help"]], [["help", "bind"]], [["--help", "bind"]]])("tracker %j", async (args) => {
    const { code, out } = await tracker(args);
    expect(code).toBe(0);
    expect(out).toContain("Usage\n  tracker bind [name] [flags]\n");
    expect(out).toContain("--select N");
    expect(out).toContain("\nFlags of every command\n");
  });

  test("a command that only holds others shows them", async () => {
    const { code, out } = await tracker(["auth"]);
    expect(code).toBe(0);
    expect(out).toContain("Usage\n  tracker auth <command>\n");
  });

  test("is colored in a terminal, and not with --no-color", async () => {
    expect((await tracker(["--help"], { terminalColumns: 80 })).out).toContain("\x1b[1mUsage\x1b[22m");
    expect((await tracker(["--help", "--no-color"], { terminalColumns: 80 })).out).not.toContain("\x1b");
  });
});

test.each([[["--version"]], [["--version", "--json"]], [["bind", "--version"]]])(
  "tracker %j",
  async (args) => {
    expect(await tracker(args)).toEqual({ code: 0, out: `${VERSION}\n`, err: "" });
  },
);

describe("exit codes", () => {
  test("0: done, the result on stdout", async () => {
    const { code, out, err } = await tracker(["providers", "--json"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toEqual({
      local: ["beads", "fp"],
      saas: ["github", "gitlab", "jira", "linear"],
    });
  });

  test.each<[string[], string]>([
    [["status"], "no_project"],
    [["bind", "--provider", "azure-devops"], "unsupported_provider"],
    [["bind", "--provider", "nope"], "unsupported_provider"],
    [["discover", "--provider", "beads"], "local_provider"],
    [["status", "--host", "http://tracker.example.com"], "insecure_host"],
  ])("1: %j fails with %s", async (args, expected) => {
    if (expected === "insecure_host") bindProject();
    const { code, out, err } = await tracker([...args, "--json"]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(JSON.parse(err).error.code).toBe(expected);
  });

  test("4: nobody is logged in", async () => {
    bindProject();
    const { code, err } = await tracker(["status", "--host", "https://tracker.example.com"]);
    expect(code).toBe(4);
    expect(err).toContain("You are not logged in to https://tracker.example.com.");
    expect(err).toContain("tracker auth login");
  });

  test("4: the control plane does not accept the credential", async () => {
    bindProject();
    const env = { TRACKER_TOKEN: "trk_x", TRACKER_TEAM: "acme", TRACKER_HOST: "https://tracker.example.com" };
    const fetch: Fetch = async () => new Response("{}", { status: 401 });
    expect((await tracker(["status"], { env, fetch })).code).toBe(4);
  });

  test("1: status --check without a binding, silently", async () => {
    mkdirSync(join(home, ".kittify"));
    expect(await tracker(["status", "--check"])).toEqual({ code: 1, out: "", err: "" });
  });

  test("0: the reader of the output went away", async () => {
    const io = memoryIo();
    const stdout = {
      ...io.stdout,
      write: () => {
        throw new OutputClosedError();
      },
    };
    expect(await run(["providers"], contextOf({ ...io, stdout }, unreachable, {}))).toBe(0);
    expect(io.err()).toBe("");
  });

  test("1: what nobody foresaw says how to tell us, and shows its stack only when asked", async () => {
    bindProject();
    const env = { TRACKER_TOKEN: "trk_x", TRACKER_TEAM: "acme", TRACKER_HOST: "https://tracker.example.com" };
    const io = memoryIo({ env });
    const stdout = {
      ...io.stdout,
      write: () => {
        throw new RangeError("boom\x1b[2J");
      },
    };
    const context = contextOf({ ...io, stdout }, unreachable, env);
    expect(await run(["providers"], context)).toBe(1);
    expect(io.err()).toBe(
      "Error: An unexpected error occurred: boom\\u001b[2J\nRun the command again with --verbose, and report the output.\n",
    );
    expect(await run(["providers", "--verbose"], context)).toBe(1);
    expect(io.err()).toContain("\n    at ");
    expect(io.err()).not.toContain("\x1b");
  });
});

describe("global flags", () => {
  test("stand anywhere", async () => {
    const [before, after] = [await tracker(["--json", "providers"]), await tracker(["providers", "--json"])];
    expect(before).toEqual(after);
    expect(before.code).toBe(0);
  });

  test("--project says where the search for a project starts", async () => {
    bindProject("elsewhere");
    const { code, out } = await tracker(["status", "--offline", "--project", "elsewhere", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ provider: "linear", binding_ref: "srm_1" });
  });
});

/** Makes a bound project in the current folder or one below it. */
function bindProject(folder = "."): void {
  mkdirSync(join(home, folder, ".kittify"), { recursive: true });
  writeFileSync(
    join(home, folder, ".kittify", "config.yaml"),
    "tracker:\n  provider: linear\n  binding_ref: srm_1\n",
  );
}
