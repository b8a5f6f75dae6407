import { describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { styleOf } from "../../src/cli/render/style.ts";
import { memoryIo } from "../../src/shared/io.ts";

type Env = Record<string, string>;

describe("color", () => {
  test.each<[string, number | undefined, Env, boolean]>([
    ["a pipe", undefined, {}, false],
    ["a terminal", 80, {}, true],
    ["a dumb terminal", 80, { TERM: "dumb" }, false],
    ["NO_COLOR in a terminal", 80, { NO_COLOR: "1" }, false],
    ["an empty NO_COLOR in a terminal", 80, { NO_COLOR: "" }, true],
    ["FORCE_COLOR in a pipe", undefined, { FORCE_COLOR: "1" }, true],
    ["FORCE_COLOR=0 in a terminal", 80, { FORCE_COLOR: "0" }, false],
    ["FORCE_COLOR=false in a terminal", 80, { FORCE_COLOR: "false" }, false],
    ["NO_COLOR=0 in a terminal", 80, { NO_COLOR: "0" }, false],
    ["FORCE_COLOR in a dumb terminal", 80, { FORCE_COLOR: "1", TERM: "dumb" }, true],
    ["NO_COLOR against FORCE_COLOR", 80, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
    ["CI in a terminal", 80, { CI: "true" }, true],
  ])("%s", async (_name, terminalColumns, env, expected) => {
    const io = memoryIo({ ...(terminalColumns === undefined ? {} : { terminalColumns }), env });
    expect([io.stdout.color, io.stderr.color]).toEqual([expected, expected]);
    expect((await styleOf(io, io.stdout)).colors.red("x")).toBe(expected ? "\x1b[31mx\x1b[39m" : "x");
  });
});

describe("prompts", () => {
  test.each<[string, number | undefined, Env, boolean]>([
    ["a terminal", 80, {}, true],
    ["a pipe", undefined, {}, false],
    ["CI", 80, { CI: "1" }, false],
    ["an empty CI", 80, { CI: "" }, true],
    ["CI=false", 80, { CI: "false" }, true],
    ["CI=0", 80, { CI: "0" }, true],
    ["CI=True", 80, { CI: "True" }, false],
    ["TRACKER_NO_INPUT=0", 80, { TRACKER_NO_INPUT: "0" }, true],
    ["TRACKER_NO_INPUT", 80, { TRACKER_NO_INPUT: "1" }, false],
    ["a dumb terminal", 80, { TERM: "dumb" }, true],
  ])("%s", (_name, terminalColumns, env, expected) => {
    const io = memoryIo({ ...(terminalColumns === undefined ? {} : { terminalColumns }), env });
    expect(io.canPrompt).toBe(expected);
  });
});

describe("glyphs", () => {
  test.each<[Env, boolean]>([
    [{ LANG: "C.UTF-8" }, true],
    [{ LANG: "de_DE.utf8" }, true],
    [{ LANG: "C" }, false],
    [{ LANG: "" }, false],
    [{ LANG: "C", LC_CTYPE: "C.UTF-8" }, true],
    [{ LANG: "C.UTF-8", LC_ALL: "POSIX" }, false],
    [{ LANG: "C.UTF-8", LC_ALL: "" }, true],
  ])("%o", async (env, unicode) => {
    const io = memoryIo({ env });
    expect(io.unicode).toBe(unicode);
    expect((await styleOf(io, io.stdout)).glyphs.bound).toBe(unicode ? "●" : "*");
  });
});

describe("in memory", () => {
  test("what is written is kept apart", () => {
    const io = memoryIo();
    io.stdout.write("a");
    io.stderr.write("b");
    io.stdout.write("c");
    expect([io.out(), io.err()]).toEqual(["ac", "b"]);
  });

  test("lines, then the rest, then the end", async () => {
    const io = memoryIo({ stdin: "one\ntwo\nthree\nfour\n" });
    expect(await io.stdin.readLine()).toBe("one");
    expect(await io.stdin.readLine()).toBe("two");
    expect(await io.stdin.readAll()).toBe("three\nfour\n");
    expect(await io.stdin.readLine()).toBeNull();
  });

  test("a last line without an end, and none after it", async () => {
    const io = memoryIo({ stdin: "one\ntwo" });
    expect([await io.stdin.readLine(), await io.stdin.readLine(), await io.stdin.readLine()]).toEqual([
      "one",
      "two",
      null,
    ]);
  });

  test("a pipe has no width, a terminal has one", () => {
    expect(memoryIo().stdout.columns).toBe(Number.POSITIVE_INFINITY);
    expect(memoryIo({ terminalColumns: 57 }).stdout.columns).toBe(57);
  });
});

const MODULE = JSON.stringify(join(import.meta.dir, "..", "..", "src", "shared", "io.ts"));
const FACTS =
  "JSON.stringify([io.stdin.isTerminal, io.stdout.isTerminal, io.stderr.isTerminal, io.canPrompt, io.stdout.color, String(io.stdout.columns)])";

/** A process whose `io` is the real one. */
function script(body: string): string[] {
  return [
    process.execPath,
    "-e",
    `const { systemIo } = await import(${MODULE}); const io = systemIo(process.env); ${body}`,
  ];
}

describe("the real streams", () => {
  const env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", LANG: "C.UTF-8" };

  test("are no terminal in a pipe", async () => {
    const child = Bun.spawn(script(`io.stdout.write(${FACTS})`), { env, stdin: "ignore", stderr: "pipe" });
    expect(JSON.parse(await child.stdout.text())).toEqual([false, false, false, false, false, "Infinity"]);
  });

  test("are one in a terminal, as wide as it is", async () => {
    let shown = "";
    const closed = Promise.withResolvers<void>();
    const child = Bun.spawn(script(`io.stdout.write(${FACTS})`), {
      env: { ...env, TERM: "xterm" },
      terminal: {
        cols: 57,
        rows: 20,
        data: (_terminal, bytes) => {
          shown += Buffer.from(bytes).toString("utf8");
        },
        exit: () => closed.resolve(),
      },
    });
    await Promise.all([child.exited, closed.promise]);
    child.terminal?.close();
    expect(JSON.parse(shown)).toEqual([true, true, true, true, true, "57"]);
  });

  test("read lines of either kind, characters split between chunks, and a last line without an end", async () => {
    const body =
      "const lines = []; for (let line; (line = await io.stdin.readLine()) !== null; ) lines.push(line); io.stdout.write(JSON.stringify(lines))";
    const child = Bun.spawn(script(body), { env, stdin: "pipe", stderr: "inherit" });
    const bytes = Buffer.from("one\r\n決済\n\nlast");
    for (const byte of bytes) {
      child.stdin.write(Buffer.of(byte));
      await child.stdin.flush();
    }
    await child.stdin.end();
    expect(JSON.parse(await child.stdout.text())).toEqual(["one", "決済", "", "last"]);
  });

  test("write all of a text that is larger than a pipe", async () => {
    const child = Bun.spawn(script('io.stdout.write("決".repeat(400_000))'), { env, stdin: "ignore" });
    expect((await child.stdout.text()).length).toBe(400_000);
    expect(await child.exited).toBe(0);
  });

  test.skipIf(!existsSync("/dev/full"))("say that a disk is full", async () => {
    const body = 'try { io.stdout.write("x") } catch (error) { io.stderr.write(error.message) }';
    const full = openSync("/dev/full", "w");
    const child = Bun.spawn(script(body), { env, stdin: "ignore", stdout: full, stderr: "pipe" });
    expect(await child.stderr.text()).toBe("Cannot write the output: the disk is full.");
    closeSync(full);
  });

  test("say by name that the reader went away", async () => {
    const body =
      'await io.stdin.readAll(); try { io.stdout.write("x") } catch (error) { io.stderr.write(error.name) }';
    const child = Bun.spawn(script(body), { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    await child.stdout.cancel();
    await child.stdin.end();
    expect(await child.stderr.text()).toBe("OutputClosedError");
  });
});
