/** Choosing in a terminal, line by line or in a list that is searched, and every way of not choosing. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { errorOf } from "../helpers/binary.ts";
import { MinimalHost } from "../helpers/minimal-host.ts";
import { httpAnswer, RawServer } from "../helpers/raw-server.ts";
import { Scratch } from "../helpers/scratch.ts";
import { TEAM, TOKEN } from "../helpers/scripted-control-plane.ts";

const CONFIG = "# ours\nother: {a: 1}\n";
const BIND = ["bind", "--provider", "linear"];
/** The line on which the cursor waits. */
const PROMPT = "Number, or text to search:";
const NARROWED = "Payments Platform (PPL)";

let host: MinimalHost;
beforeEach(() => {
  host = new MinimalHost("code");
});
afterEach(() => host[Symbol.dispose]());

/** A repository in which prompts are plain lines. */
const plainPlace = () => new Scratch({ env: { ...host.env, TRACKER_ACCESSIBLE: "1" }, config: CONFIG });

describe("numbered lines", () => {
  test("takes a number", async () => {
    using place = plainPlace();
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("2");
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain("srm_foreign_1");
    expect(place.config()).toStartWith(CONFIG);
  });

  test("searches by text and numbers what was found", async () => {
    using place = plainPlace();
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("platform");
    await terminal.waitFor(NARROWED, 2);
    expect(terminal.text.split("Payments (PAY)")).toHaveLength(2);
    terminal.typeLine("1");
    expect(await terminal.exit()).toBe(0);
    expect(place.config()).toContain("srm_foreign_1");
  });

  test.each(["", "0", "3", "99999999999999999999", "nothing like it"])(
    "asks again after %p",
    async (answer) => {
      using place = plainPlace();
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
    using place = plainPlace();
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.typeLine("");
    await terminal.waitFor("Ctrl-D cancels.");
    terminal.pressEndOfInput();
    expect(await terminal.exit()).toBe(0);
  });

  test("Ctrl-C ends it with 130 and nothing changed", async () => {
    using place = plainPlace();
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.pressInterrupt();
    expect(await terminal.exit()).toBe(130);
    expect(place.config()).toBe(CONFIG);
  });

  test("Ctrl-D cancels it with nothing changed", async () => {
    using place = plainPlace();
    const terminal = place.open(BIND);
    await terminal.waitFor(PROMPT);
    terminal.pressEndOfInput();
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain("Bind canceled");
    expect(place.config()).toBe(CONFIG);
  });

  test.each([
    [{ TERM: "dumb" }, {}],
    [{ ACCESSIBLE: "1", NO_COLOR: "1" }, {}],
    [{ LANG: "C", NO_COLOR: "1" }, {}],
    [{ NO_COLOR: "1" }, { columns: 20 }],
    [{ NO_COLOR: "1" }, { rows: 8 }],
  ])("need no escape sequence: %p %p", async (env, size) => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND, { env, ...size });
    await terminal.waitFor(PROMPT);
    terminal.typeLine("1");
    expect(await terminal.exit()).toBe(0);
    expect(terminal.raw).not.toContain("\x1b");
  });
});

describe("the list that is searched", () => {
  /** The key sequences of a terminal. */
  const KEYS = { down: "\x1b[B", escape: "\x1b" };
  const SIZES = [
    [80, 24],
    [50, 15],
    [40, 10],
  ] as const;

  test("takes the first resource on Enter, and leaves the terminal as it was", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const before = `stty -g; "$0" "$@"; code=$?; stty -g; exit $code`;
    const terminal = place.open(BIND, { script: before });
    await terminal.waitFor("Bind to");
    terminal.type("\r");
    expect(await terminal.exit()).toBe(0);
    expect(place.config()).toContain("srm_foreign_0");
    const [first, last] = terminal.text.match(/^[0-9a-f]+:[0-9a-f:]+$/gm) ?? [];
    expect(first).toBeDefined();
    expect(last).toBe(first);
  });

  test.each(SIZES)("moves and searches at %i × %i", async (columns, rows) => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND, { columns, rows });
    await terminal.waitFor("Bind to");
    terminal.type("platf");
    await terminal.waitFor("1 match");
    terminal.type("\r");
    expect(await terminal.exit()).toBe(0);
    expect(place.config()).toContain("srm_foreign_1");
  });

  test("keeps a chosen label on one line of the transcript", async () => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor("Bind to");
    terminal.type(KEYS.down);
    await terminal.waitFor("● Payments Platform (PPL)");
    terminal.type("\r");
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain("Bound to Payments Platform (PPL)");
  });

  test.each([
    ["Esc", KEYS.escape, 0],
    ["Ctrl-C", "\x03", 130],
  ])("is left by %s with nothing changed", async (_key, keys, code) => {
    using place = new Scratch({ env: host.env, config: CONFIG });
    const terminal = place.open(BIND, { script: `"$0" "$@"; code=$?; stty -a; exit $code` });
    await terminal.waitFor("Bind to");
    terminal.type(keys);
    expect(await terminal.exit()).toBe(code);
    // The terminal echoes and edits lines again, and shows its cursor.
    expect(terminal.text).toMatch(/[^-]icanon/);
    expect(terminal.text).toMatch(/[^-]echo /);
    expect(terminal.raw.lastIndexOf("\x1b[?25h")).toBeGreaterThan(terminal.raw.lastIndexOf("\x1b[?25l"));
    expect(place.config()).toBe(CONFIG);
  });
});

describe.each([300, 20_000])("the list of %i resources", (count) => {
  const resources = Array.from({ length: count }, (_, index) => ({
    candidate_token: `cand_${index}`,
    display_label: `Team ${index} 決済 (T${index})`,
    provider: "linear",
  }));
  const bound = { ...resources[217], binding_ref: "srm_217", provider_context: {}, project_slug: "payments" };
  const listing = () =>
    new RawServer(({ head }) => {
      const answer = head.includes("/bind-confirm/")
        ? { ...bound, bound_at: "2026-01-01T00:00:00Z" }
        : { match_type: "none", candidates: [], resources };
      return { bytes: httpAnswer(200, JSON.stringify(answer)), end: "close" };
    });
  const envOf = (server: RawServer) => ({
    TRACKER_HOST: server.url,
    TRACKER_TOKEN: TOKEN,
    TRACKER_TEAM: TEAM,
  });

  test.each([
    [80, 24],
    [50, 15],
  ])("finds a pasted name at %i × %i, also after a resize", async (columns, rows) => {
    using server = listing();
    using place = new Scratch({ env: envOf(server), config: CONFIG });
    const terminal = place.open(BIND, { columns, rows });
    await terminal.waitFor(`Type to search ${count.toLocaleString("en-US")} resources`);
    terminal.resize(44, 12);
    terminal.type("(t217)");
    await terminal.waitFor("1 match");
    terminal.type("\r");
    expect(await terminal.exit()).toBe(0);
    expect(place.config()).toContain("binding_ref: srm_217");
  });

  test("shows ten at a time in 20 columns, and takes the number of a line that is shown", async () => {
    using server = listing();
    using place = new Scratch({ env: envOf(server), config: CONFIG });
    const terminal = place.open(BIND, { columns: 20, rows: 24 });
    await terminal.waitFor(PROMPT);
    expect(terminal.text).toContain(`… ${(count - 10).toLocaleString("en-US")} more`);
    terminal.typeLine("(t217)");
    await terminal.waitFor(PROMPT, 2);
    terminal.typeLine("1");
    expect(await terminal.exit()).toBe(0);
    expect(place.config()).toContain("binding_ref: srm_217");
  });

  test("leaves the terminal as it was when the line is hung up", async () => {
    using server = listing();
    using place = new Scratch({ env: envOf(server), config: CONFIG });
    const terminal = place.open(BIND);
    await terminal.waitFor("Bind to");
    terminal.hangUp();
    expect(await terminal.exit()).toBe(129);
    expect(terminal.raw.lastIndexOf("\x1b[?25h")).toBeGreaterThan(terminal.raw.lastIndexOf("\x1b[?25l"));
    expect(place.config()).toBe(CONFIG);
  });
});

describe("no prompt", () => {
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
});
