/** Choosing in a terminal, and every way of not choosing. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { errorOf } from "../helpers/binary.ts";
import { MinimalHost } from "../helpers/minimal-host.ts";
import { Scratch } from "../helpers/scratch.ts";

const CONFIG = "# ours\nother: {a: 1}\n";
const BIND = ["bind", "--provider", "linear"];
/** The line on which the cursor waits. */
const PROMPT = "Number, or text to narrow the list:";
const NARROWED = "Payments Platform (PPL)";

describe("the candidate prompt", () => {
  let host: MinimalHost;
  beforeEach(() => {
    host = new MinimalHost("code");
  });
  afterEach(() => host[Symbol.dispose]());

  test("takes a number", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("2");
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain("srm_foreign_1");
    expect(place.config()).toStartWith(CONFIG);
  });

  test("narrows the list by text and keeps the numbers' meaning", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("platform");
    await terminal.waitFor(NARROWED, 2);
    expect(terminal.text.split("Payments (PAY)")).toHaveLength(2);
    terminal.typeLine("2");
    expect(await terminal.exit()).toBe(0);
    expect(place.config()).toContain("srm_foreign_1");
  });

  test.each(["", "0", "3", "99999999999999999999", "nothing like it"])(
    "asks again after %p",
    async (answer) => {
      using place = new Scratch({ env: host.env, config: CONFIG });
      const terminal = place.open(BIND);
      await terminal.waitFor(PROMPT);
      terminal.typeLine(answer);
      await terminal.waitFor(PROMPT, 2);
      expect(place.config()).toBe(CONFIG);
      terminal.typeLine("1");
      expect(await terminal.exit()).toBe(0);
      expect(place.config()).toContain("srm_foreign_0");
    },
  );

  test("Enter alone says how to leave", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("");
    await terminal.waitFor("Ctrl-D cancels.");
    terminal.pressEndOfInput();
    expect(await terminal.exit()).toBe(0);
  });

  test("Ctrl-C ends it with 130 and nothing changed", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.pressInterrupt();
    expect(await terminal.exit()).toBe(130);
    expect(place.config()).toBe(CONFIG);
  });

  test("Ctrl-D cancels it with nothing changed", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.pressEndOfInput();
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain("Bind cancelled");
    expect(place.config()).toBe(CONFIG);
  });

  test.each([
    ["CI is set", [], { CI: "1" }],
    ["TRACKER_NO_INPUT is set", [], { TRACKER_NO_INPUT: "1" }],
    ["--no-input is given", ["--no-input"], {}],
  ])("does not appear in a terminal when %s", async (_when, flags, env) => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open([...BIND, ...flags], { env });
    expect(await terminal.exit()).toBe(1);
    expect(terminal.text).toContain("--select");
    expect(place.config()).toBe(CONFIG);
  });

  test("does not appear without a terminal, whatever is piped in", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const outcome = await place.run([...BIND, "--json"], { stdin: "1\n" });
    expect(outcome.code).toBe(1);
    expect(errorOf(outcome)).toMatchObject({ code: "selection_required" });
    expect(place.config()).toBe(CONFIG);
  });

  test("works in a dumb terminal without a single escape sequence", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND, { env: { TERM: "dumb" } });
    await terminal.waitFor(PROMPT);
    terminal.typeLine("1");
    expect(await terminal.exit()).toBe(0);
    expect(terminal.raw).not.toContain("\x1b");
  });
});
