/** Syncs and missions of a hosted binding, as a person runs them, against a control plane that is scripted. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BINARY, errorOf, resultOf, runProgram } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";
import { errorAnswer, ScriptedControlPlane } from "../helpers/scripted-control-plane.ts";
import { BOUND, issue, KEY, refOf } from "../helpers/wire.ts";

const ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const ITEMS = [{ ref: { key: "PAY-7" }, action: "transition", target_status: "done" }];
const EVIL = "Evil \u001b[2J\u001b]0;owned\u0007 \u202egnp.exe\u202c \r\n \u009b31m line";
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

const envelope = (succeeded: number, failed = 0, facts: object = {}) => ({
  status: failed === 0 ? "ok" : "partial",
  summary: { total: succeeded + failed, succeeded, failed, skipped: 0 },
  identity_path: {
    type: "installation",
    installation_id: "i",
    user_link_id: null,
    provider: "linear",
    provider_account_id: "a",
  },
  doctrine: null,
  binding_ref: null,
  display_label: null,
  provider_context: null,
  item_errors: null,
  ...facts,
});
const page = (keys: readonly string[], next: string | null) =>
  envelope(keys.length, 0, {
    items: keys.map((key) => issue(key)),
    has_more: next !== null,
    next_cursor: next,
  });
const pushItem = (outcome: string, message: string | null = null) => ({
  ref: { key: "PAY-7" },
  action: "transition",
  outcome,
  remote_ref: null,
  version: null,
  message,
});
const accepted = (): Response => Response.json({ operation_id: ID, status: "pending" }, { status: 202 });
const operation = (status: string, facts: object = {}) => ({ operation_id: ID, status, ...facts });

describe("pull", () => {
  const OUT = ["sync", "pull", "--all", "--out", "issues.ndjson"];

  test("--all --out writes every issue of every page, one a line", async () => {
    using plane = new ScriptedControlPlane()
      .post("pull/", { ...KEY, limit: 2, reread: "interrupted" }, page(["PAY-1", "PAY-2"], "c1"))
      .post("pull/", { ...KEY, limit: 2, reread: "interrupted", cursor: "c1" }, page(["PAY-3"], null));
    using place = new Scratch({ env: plane.env, config: BOUND });
    const outcome = await place.run([...OUT, "--limit", "2", "--json"]);
    expect(resultOf(outcome)).toMatchObject({
      status: "ok",
      summary: { total: 3 },
      out: join(place.repository, "issues.ndjson"),
    });
    const lines = place.read("issues.ndjson").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      ["PAY-1", "PAY-2", "PAY-3"].map((key) => issue(key)),
    );
    plane.verify();
  });

  test("Ctrl-C in the middle leaves no file, in a moment, and tells how to go on", async () => {
    const arrived = Promise.withResolvers<void>();
    using plane = new ScriptedControlPlane()
      .post("pull/", { ...KEY, limit: 100, reread: "interrupted" }, page(["PAY-1", "PAY-2"], "c1"))
      .post("pull/", { ...KEY, limit: 100, reread: "interrupted", cursor: "c1" }, () => {
        arrived.resolve();
        return new Promise<Response>(() => {});
      });
    using place = new Scratch({ env: plane.env, config: BOUND });
    const before = readdirSync(place.repository);
    const terminal = place.open(OUT);
    await terminal.waitFor("Pulling… 2 issues");
    await arrived.promise;
    terminal.pressInterrupt();
    expect(await terminal.exit()).toBe(130);
    expect(terminal.text).toContain("issues.ndjson was not written.");
    expect(terminal.text).toContain("next `tracker sync pull --all` continues where this one stopped");
    expect(readdirSync(place.repository)).toEqual(before);
    plane.verify();
  });

  test("a folder that cannot be written to is told before anything is asked", async () => {
    using plane = new ScriptedControlPlane();
    using place = new Scratch({ env: plane.env, config: BOUND });
    const folder = join(place.repository, "locked");
    mkdirSync(folder);
    chmodSync(folder, 0o555);
    // Root may write anywhere, but not below a file.
    const out = process.getuid?.() === 0 ? ".kittify/config.yaml/x" : "locked/x";
    const error = errorOf(await place.run(["sync", "pull", "--all", "--out", out, "--json"]));
    expect(error.code).toBe("file_unwritable");
    expect(error.message).toContain(out);
    expect(readdirSync(folder)).toEqual([]);
    plane.verify();
  });

  test("10,000 issues pass through without being kept", async () => {
    const body = "x".repeat(30_000);
    /** The most memory that a pull of so many pages of 100 issues took, in bytes; they are 3 MB each. */
    const peakOf = async (pages: number): Promise<number> => {
      using plane = new ScriptedControlPlane();
      for (let number = 0; number < pages; number++) {
        const request = {
          ...KEY,
          limit: 100,
          reread: "interrupted",
          ...(number > 0 && { cursor: `c${number}` }),
        };
        const keys = Array.from({ length: 100 }, (_, index) => `PAY-${number * 100 + index}`);
        plane.post("pull/", request, () =>
          Response.json({
            ...page([], number + 1 < pages ? `c${number + 1}` : null),
            items: keys.map((key) => issue(key, { body })),
          }),
        );
      }
      using place = new Scratch({ env: plane.env, config: BOUND });
      const child = Bun.spawn([BINARY, ...OUT, "--json"], {
        cwd: place.repository,
        env: { ...place.env },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
      });
      expect(await child.exited).toBe(0);
      expect(place.read("issues.ndjson").split("\n")).toHaveLength(pages * 100 + 1);
      plane.verify();
      return child.resourceUsage()?.maxRSS ?? Number.NaN;
    };
    const [few, many] = [await peakOf(10), await peakOf(100)];
    // The issues of the 90 pages more are 270 MB; some of what was read waits for the collector.
    expect(many - few).toBeLessThan(135_000_000);
  });
});

describe("push and run", () => {
  const push = ["sync", "push", "--items-json", "-"];
  const stdin = JSON.stringify(ITEMS);

  test("a partial result exits 1 and is on stdout all the same", async () => {
    const result = envelope(0, 1, {
      items: [pushItem("conflict", "status was changed on both sides.")],
      doctrine: { mode: "split_ownership", conflict_strategy: "manual_review" },
    });
    using plane = new ScriptedControlPlane()
      .post("push/", { ...KEY, items: ITEMS }, result)
      .post("push/", { ...KEY, items: ITEMS }, result);
    using place = new Scratch({ env: plane.env, config: BOUND });
    const human = await place.run(push, { stdin });
    expect(human).toMatchObject({ code: 1, stderr: "" });
    expect(human.stdout).toContain("status was changed on both sides.");
    expect(human.stdout).toContain("tracker sync conflicts");
    const program = await place.run([...push, "--json"], { stdin });
    expect(program).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(program.stdout)).toEqual(result);
    plane.verify();
  });

  test("one that takes longer is waited for", async () => {
    const pushed = envelope(1, 0, { items: [pushItem("applied")] });
    const ran = { ...envelope(1), pull: { items: [] }, push: { items: [] } };
    using first = new ScriptedControlPlane()
      .post("push/", { ...KEY, items: ITEMS }, accepted)
      .get(`operations/${ID}/`, operation("completed", { result: pushed }));
    using second = new ScriptedControlPlane()
      .post("run/", { ...KEY, pull_first: true, limit: 100 }, accepted)
      .get(`operations/${ID}/`, operation("completed", { result: ran }));
    using place = new Scratch({ config: BOUND });
    const [human, program] = await Promise.all([
      place.run(push, { stdin, env: first.env }),
      place.run(["sync", "run", "--json"], { env: second.env }),
    ]);
    expect(human).toMatchObject({ code: 0, stderr: "Pushing…\n" });
    expect(human.stdout).toStartWith("Pushed to Linear\n");
    expect(program.stderr).toBe("");
    expect(resultOf(program)).toMatchObject({ status: "ok" });
    first.verify();
    second.verify();
  });

  test("Ctrl-C stops the waiting and names the command that waits again, which does", async () => {
    using plane = new ScriptedControlPlane()
      .post("run/", { ...KEY, pull_first: true, limit: 100 }, accepted)
      .get(`operations/${ID}/`, operation("completed", { result: envelope(1, 0, { items: [] }) }));
    using place = new Scratch({ env: plane.env, config: BOUND });
    const terminal = place.open(["sync", "run"]);
    await terminal.waitFor("Synchronizing…");
    terminal.pressInterrupt();
    expect(await terminal.exit()).toBe(130);
    expect(terminal.text).toContain(`tracker sync wait ${ID}`);
    expect(await place.run(["sync", "wait", ID])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Pushed to Linear"),
    });
    plane.verify();
  });

  test("items that are wrong are named by their place, and nothing is sent", async () => {
    using plane = new ScriptedControlPlane();
    using place = new Scratch({ env: plane.env, config: BOUND });
    place.write("items.json", JSON.stringify([...ITEMS, { ref: {}, action: "destroy" }]));
    const outcome = await place.run(["sync", "push", "--items-json", "items.json"]);
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain("items[1].action");
    plane.verify();
  });

  test("items come through a shell's process substitution too", async () => {
    using plane = new ScriptedControlPlane().post(
      "push/",
      { ...KEY, items: ITEMS },
      envelope(1, 0, { items: [pushItem("applied")] }),
    );
    using place = new Scratch({ env: plane.env, config: BOUND });
    const shell = `"$0" sync push --items-json <(echo '${stdin}')`;
    const options = { cwd: place.repository, env: { ...place.env } };
    expect(await runProgram(["bash", "-c", shell, BINARY], options)).toMatchObject({ code: 0, stderr: "" });
    plane.verify();
  });
});

test("`sync publish` is refused at once, for everybody, and leads to what to use", async () => {
  using plane = new ScriptedControlPlane();
  using place = new Scratch({ env: plane.env });
  for (const args of [[], ["--server-url", "https://x.example", "--auth-token", "s3cr3t"]]) {
    const outcome = await place.run(["sync", "publish", ...args], { cwd: place.root });
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/Linear[\s\S]*tracker sync push[\s\S]*tracker mission publish/);
    expect(outcome.stderr).not.toContain("s3cr3t");
  }
  plane.verify();
});

test("a stale binding is told by every call, and the config stays as it is", async () => {
  const CALLS: readonly (readonly [args: string[], call: string, body: object])[] = [
    [["sync", "pull"], "pull/", { limit: 100 }],
    [["sync", "push", "--items-json", "-"], "push/", { items: [] }],
    [["sync", "run"], "run/", { pull_first: true, limit: 100 }],
    [["sync", "conflicts"], "conflicts/", {}],
    [["sync", "resolve", "c-1", "--take", "local"], "conflicts/resolve/", { id: "c-1", take: "local" }],
    [["mission", "seed", "--issue", "PAY-7"], "missions/seed/", { issue: "PAY-7" }],
  ];
  using plane = new ScriptedControlPlane();
  for (const [, call, body] of CALLS)
    plane.post(call, { ...KEY, ...body }, () => errorAnswer(404, "binding_not_found"));
  const config = `${BOUND}  project_slug: legacy\n`;
  using place = new Scratch({ env: plane.env, config });
  for (const [args] of CALLS) {
    const error = errorOf(await place.run([...args, "--json"], { stdin: "[]" }));
    expect({ args, code: error.code }).toEqual({ args, code: "stale_binding" });
    expect(error.hint).toContain("tracker bind --provider linear");
  }
  expect(place.config()).toBe(config);
  plane.verify();
});

test("a mission is seeded into a file and published to its issue", async () => {
  const seed = {
    mission_id: "M-1",
    source_issue_ref: refOf("PAY-7"),
    title: "Refunds fail",
    body: null,
    status: "todo",
    priority: 2,
    assignees: [],
    labels: [],
    decision_references: [],
  };
  const update = {
    mission_id: "M-1",
    mission_state: "implementing",
    target_status: "in_progress",
    summary: null,
    mission_url: null,
    decision_references: [{ id: "D-1", blocking: true, title: null, external_ref: refOf("PAY-9") }],
  };
  using plane = new ScriptedControlPlane()
    .post("missions/seed/", { ...KEY, issue: "PAY-7", mission_id: "M-1" }, seed)
    .post("missions/seed/", { ...KEY, issue: "PAY-9" }, { ...seed, source_issue_ref: refOf("PAY-9") })
    .post("missions/publish/", { ...KEY, issue: "PAY-7", update }, issue("PAY-7", { status: "in_progress" }));
  using place = new Scratch({ env: plane.env, config: BOUND });
  const args = ["--issue", "PAY-7", "--mission-id", "M-1"];
  expect((await place.run(["mission", "seed", ...args, "--out", "seed.json"])).code).toBe(0);
  expect(JSON.parse(place.read("seed.json"))).toEqual(seed);
  const more = ["--state", "implementing", "--status", "in_progress", "--blocking-decision", "D-1=PAY-9"];
  const outcome = await place.run(["mission", "publish", ...args, ...more]);
  expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining("Published to PAY-7") });
  plane.verify();
});

describe("what a control plane says of a sync cannot take over the terminal", () => {
  const evilIssue = issue(EVIL, { title: EVIL, body: EVIL });
  const item = { ...pushItem(EVIL, EVIL), ref: { key: EVIL }, action: EVIL };
  const errors = [{ ref: { key: EVIL }, code: EVIL, message: EVIL }];
  const evil = envelope(1, 1, { identity_path: { type: EVIL, provider: EVIL }, item_errors: errors });
  const conflict = {
    id: EVIL,
    issue: { id: EVIL, key: EVIL, title: EVIL },
    field: EVIL,
    base: EVIL,
    local: EVIL,
    remote: [EVIL],
  };
  const CASES: readonly (readonly [args: string[], call: string, body: object, answer: object])[] = [
    [
      ["sync", "pull"],
      "pull/",
      { limit: 100 },
      { ...evil, items: [evilIssue], has_more: true, next_cursor: EVIL },
    ],
    [["sync", "push", "--items-json", "-"], "push/", { items: [] }, { ...evil, items: [item] }],
    [
      ["sync", "run", "--dry-run"],
      "run/",
      { pull_first: true, limit: 100, dry_run: true },
      {
        ...evil,
        dry_run: true,
        pull: { items: [evilIssue] },
        push: { items: [item, { ...item, outcome: "applied" }] },
      },
    ],
    [["sync", "conflicts"], "conflicts/", {}, { conflicts: [conflict] }],
    [
      ["sync", "resolve", "c-1", "--take", "local"],
      "conflicts/resolve/",
      { id: "c-1", take: "local" },
      conflict,
    ],
    [
      ["mission", "seed", "--issue", "K"],
      "missions/seed/",
      { issue: "K" },
      {
        ...evilIssue,
        mission_id: EVIL,
        source_issue_ref: refOf(EVIL),
        decision_references: [{ id: EVIL, blocking: true }],
      },
    ],
  ];

  test.each(CASES)("tracker %j", async (args, call, body, answer) => {
    using plane = new ScriptedControlPlane();
    if (args.includes("--dry-run")) plane.get("health/", { status: EVIL, features: [EVIL, "dry_run"] });
    plane.post(call, { ...KEY, ...body }, answer);
    using place = new Scratch({ env: plane.env, config: BOUND });
    const outcome = await place.run(args, { stdin: "[]" });
    expect(outcome.stderr).toBe("");
    expect(outcome.stdout).toContain("Evil \\u001b");
    expect(outcome.stdout).not.toMatch(UNSAFE);
    plane.verify();
  });
});
