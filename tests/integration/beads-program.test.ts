import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  Program,
  type ProgramOptions,
  programEnvironment,
  withTextFile,
} from "../../src/sdk/connectors/shared/program.ts";
import { ConnectorConfigError, ConnectorRequestError } from "../../src/sdk/errors.ts";
import { failureOf } from "../helpers/failure.ts";
import { ProgramScratch } from "../helpers/subjects/beads.ts";

let scratch: ProgramScratch;
beforeEach(() => {
  scratch = new ProgramScratch();
});
afterEach(() => scratch[Symbol.dispose]());

function program(script: string | null, options: Partial<ProgramOptions> = {}): Program {
  if (script !== null) scratch.install("tool", script);
  return new Program({
    provider: "beads",
    command: "tool",
    cwd: scratch.folder,
    environment: scratch.environment,
    install: "Install it: https://example.com/tool.",
    ...options,
  });
}

/** Waits until a process that was killed is gone, or only unmourned. */
async function gone(pid: number): Promise<true> {
  for (;;) {
    const status = `/proc/${pid}/stat`;
    if (!existsSync(status) || readFileSync(status, "utf8").includes(") Z ")) return true;
    await Bun.sleep(1);
  }
}

describe("what reaches the program", () => {
  test("arguments as they are, without a shell in between", async () => {
    const args = [
      "--title=$(touch owned) `id` \"quoted\" 'too'",
      "a b",
      "",
      "*",
      "; exit 3",
      "två\nlines\t\\n",
    ];
    const { stdout } = await program(`printf '%s\\0' "$@"`).run(args);
    expect(stdout.split("\0").slice(0, -1)).toEqual(args);
    expect(existsSync(join(scratch.folder, "owned"))).toBe(false);
  });

  test("text of any length on standard input, and an end of it", async () => {
    const text = "ä\n$(exit)\n".repeat(200_000);
    expect((await program("cat").run([], text)).stdout).toBe(text);
    expect((await program("cat; echo end").run([])).stdout).toBe("end\n");
  });

  test("the environment it is given, and nothing else", async () => {
    const { stdout } = await program("/usr/bin/env").run([]);
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0] ?? "")
      .filter((name) => !["PWD", "SHLVL", "_", "OLDPWD"].includes(name));
    expect(names.sort()).toEqual(Object.keys(scratch.environment).sort());
  });

  test("the folder it is to run in", async () => {
    expect((await program("pwd -P").run([])).stdout.trim()).toEndWith(scratch.folder);
  });

  test.each(["title\0", "\0"])("no text with a NUL character", async (text) => {
    const tool = program("touch ran");
    for (const work of [tool.run([text]), tool.run([], text)]) {
      expect(await failureOf(work)).toMatchObject({ failureClass: "invalid", retryable: false });
    }
    expect(existsSync(join(scratch.folder, "ran"))).toBe(false);
  });

  test("no argument that is too long for the system", async () => {
    const error = await failureOf(program("true").run(["x".repeat(200_000)]));
    expect(error).toMatchObject({ failureClass: "invalid", message: expect.stringContaining("length") });
    const many = Array.from({ length: 400 }, () => "x".repeat(100_000));
    expect(await failureOf(program("true").run(many))).toMatchObject({ failureClass: "invalid" });
  });
});

test("what it leaves behind is its exit code and both its streams", async () => {
  const outcome = await program("echo out; echo err >&2; exit 7").run([]);
  expect(outcome).toEqual({ exitCode: 7, stdout: "out\n", stderr: "err\n" });
});

describe("a program that cannot be run", () => {
  test("is named when it is missing, with how to get it", async () => {
    const error = await failureOf(program(null).run([]));
    expect(error).toBeInstanceOf(ConnectorConfigError);
    expect(error).toMatchObject({
      message:
        'beads: the program tool was not found. Install it: https://example.com/tool. Or set its path as the connector parameter "command".',
    });
  });

  test("is named when it is not executable", async () => {
    const command = join(scratch.folder, "not-executable");
    writeFileSync(command, "#!/bin/sh\n");
    const error = await failureOf(program(null, { command }).run([]));
    expect(error).toBeInstanceOf(ConnectorConfigError);
    expect(error).toMatchObject({ message: `beads: the program ${command} is not executable.` });
  });

  test("is told from a folder that is missing", async () => {
    const cwd = join(scratch.folder, "nowhere");
    const error = await failureOf(program("true", { cwd }).run([]));
    expect(error).toBeInstanceOf(ConnectorConfigError);
    expect(error).toMatchObject({ message: `beads: the folder ${cwd} (cwd) does not exist.` });
  });
});

describe("a program that does not behave", () => {
  test("is stopped when it hangs, with all that it started", async () => {
    const tool = program("sleep 60 & echo $! > child; echo $$ > own; wait", { timeoutMs: 300 });
    const error = await failureOf(tool.run([]));
    expect(error).toBeInstanceOf(ConnectorRequestError);
    expect(error).toMatchObject({
      failureClass: "transient",
      message: "tool did not finish within 0.3 seconds and was stopped.",
    });
    for (const file of ["own", "child"]) {
      expect(await gone(Number(readFileSync(join(scratch.folder, file), "utf8")))).toBe(true);
    }
  });

  test("is stopped when it writes without end", async () => {
    const error = await failureOf(program("yes", { maxOutputBytes: 100_000 }).run([]));
    expect(error).toMatchObject({
      failureClass: "contract",
      message: "tool wrote more than 100000 bytes and was stopped.",
    });
  });

  test("has its complaints cut, and is read to the end", async () => {
    const { exitCode, stderr } = await program("yes complaint | head -c 1000000 >&2; exit 1").run([]);
    expect(exitCode).toBe(1);
    expect(stderr).toStartWith("complaint\n");
    expect(stderr.length).toBeLessThanOrEqual(64 * 1024);
  });

  test("leaves nothing running in the background", async () => {
    const { stdout } = await program("sleep 60 & echo $!").run([]);
    expect(await gone(Number(stdout))).toBe(true);
  });
});

test("of an environment, programs get what they need and no tokens", () => {
  const environment = {
    PATH: "/bin",
    HOME: "/home/ada",
    LC_ALL: "C",
    GIT_AUTHOR_NAME: "Ada",
    BEADS_ACTOR: "ada",
    BD_JSON_ENVELOPE: "0",
    GITHUB_TOKEN: "secret",
    TRACKER_TOKEN: "secret",
    LD_PRELOAD: "/evil.so",
  };
  expect(programEnvironment(environment, ["BD_", "BEADS_"], { BD_JSON_ENVELOPE: "1" })).toEqual({
    PATH: "/bin",
    HOME: "/home/ada",
    LC_ALL: "C",
    GIT_AUTHOR_NAME: "Ada",
    BEADS_ACTOR: "ada",
    BD_JSON_ENVELOPE: "1",
  });
});

test("text is handed over in a file that only this user can read, and that is gone afterwards", async () => {
  const seen = await withTextFile("--text\n", async (path) => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(readFileSync(path, "utf8")).toBe("--text\n");
    return path;
  });
  expect(existsSync(dirname(seen))).toBe(false);
  const failing = withTextFile("x", async (path) => {
    throw new Error(path);
  });
  const error = await failureOf(failing);
  expect(error instanceof Error && existsSync(error.message)).toBe(false);
});
