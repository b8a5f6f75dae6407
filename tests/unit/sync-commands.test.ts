/** `tracker sync`, in memory: what is asked for, how it is shown, and how it ends. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { displayWidth } from "../../src/shared/text.ts";
import { CommandLine } from "../helpers/command-line.ts";
import { errorBody } from "../helpers/http-stubs.ts";
import { BOUND, issue, KEY, LEGACY, UPGRADE } from "../helpers/wire.ts";

const BASE = "/api/v1/tracker";
const ID = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
const OPERATION = `${BASE}/operations/${ID}/`;
const ITEMS = [{ ref: { key: "PAY-7" }, action: "transition", target_status: "done" }];

const summary = (succeeded: number, failed = 0, skipped = 0) => ({
  total: succeeded + failed + skipped,
  succeeded,
  failed,
  skipped,
});
const envelope = (facts: object = {}) => ({
  status: "ok",
  summary: summary(1),
  identity_path: { type: "installation", installation_id: "i", user_link_id: null, provider: "linear" },
  doctrine: { mode: "split_ownership" },
  item_errors: null,
  ...facts,
});
const page = (keys: readonly string[], next: string | null = null, facts: object = {}): Response =>
  Response.json(
    envelope({
      summary: summary(keys.length),
      items: keys.map((key) => issue(key)),
      has_more: next !== null,
      next_cursor: next,
      ...facts,
    }),
  );
const pushed = (outcomes: readonly string[], facts: object = {}) =>
  envelope({
    items: outcomes.map((outcome, index) => ({
      ref: { key: `PAY-${index + 1}` },
      action: "update",
      outcome,
      remote_ref: null,
      version: null,
      message: ["applied", "noop"].includes(outcome) ? null : `It was ${outcome}.`,
    })),
    ...facts,
  });
const ran = (facts: object = {}) => ({
  ...envelope({ summary: summary(3) }),
  pull: { summary: summary(2), items: [issue("PAY-1"), issue("PAY-2")], item_errors: null, has_more: false },
  push: { summary: summary(1), item_errors: null, items: [] },
  ...facts,
});

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
  person.config = BOUND;
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});
const path = (name: string): string => join(person.folder, name);
const lines = (text: string): string[] => text.replace(/\n$/, "").split("\n");
/** Files in the project's folder but for what is always there. */
const files = (): string[] =>
  readdirSync(person.folder).filter((name) => !/^(\.kittify|tracker)$/.test(name));

describe("sync pull", () => {
  const PULL = `${BASE}/pull/`;

  test("takes one page and tells people how many there were", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1", "PAY-2"], "c1"));
    const { code, out, err } = await person.run(["sync", "pull"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(person.sent()).toEqual([{ ...KEY, limit: 100 }]);
    expect(lines(out)).toEqual([
      "Pulled from Linear",
      "Identity  installation",
      "Total     2 (2 succeeded, 0 failed, 0 skipped)",
      "More      yes: tracker sync pull --all",
    ]);
  });

  test("with --json prints what the control plane answered", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1"], "c1", { new_in_2031: true }));
    const { out } = await person.run(["sync", "pull", "--limit", "10000", "--json"]);
    expect(person.sent()).toEqual([{ ...KEY, limit: 10_000 }]);
    expect(JSON.parse(out)).toMatchObject({
      status: "ok",
      items: [issue("PAY-1")],
      has_more: true,
      next_cursor: "c1",
      new_in_2031: true,
    });
  });

  test("--all goes on until nothing is left, and prints one result", async () => {
    const broken = { ref: { key: "PAY-9" }, code: "provider_rejected", message: "No.", retryable: false };
    person.stubs
      .on("POST", PULL, page(["PAY-1", "PAY-2"], "c1"))
      .on("POST", PULL, page([], "c2"))
      .on(
        "POST",
        PULL,
        page(["PAY-3"], null, { status: "partial", summary: summary(1, 1), item_errors: [broken] }),
      );
    const { code, out } = await person.run(["sync", "pull", "--all", "--limit", "2", "--json"]);
    expect(code).toBe(1);
    expect(person.sent()).toEqual([
      { ...KEY, limit: 2 },
      { ...KEY, limit: 2, cursor: "c1" },
      { ...KEY, limit: 2, cursor: "c2" },
    ]);
    const result = JSON.parse(out);
    expect(result).toMatchObject({
      status: "partial",
      summary: summary(3, 1),
      has_more: false,
      next_cursor: null,
      item_errors: [broken],
    });
    expect(result.items.map((item: { ref: { key: string } }) => item.ref.key)).toEqual([
      "PAY-1",
      "PAY-2",
      "PAY-3",
    ]);
  });

  test("--all shows how far it is", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1", "PAY-2"], "c1")).on("POST", PULL, page(["PAY-3"]));
    const { out, err } = await person.run(["sync", "pull", "--all"], { terminalColumns: 60 });
    expect(err).toContain("Pulling… 2 issues");
    expect(err).toContain("Pulling… 3 issues");
    expect(err).toEndWith("\r");
    expect(out).toContain("3 (3 succeeded, 0 failed, 0 skipped)");
  });

  test.each([
    ["without a place to go on", ["c1", ""]],
    ["that goes round in circles", ["c1", "c2", "c1"]],
  ])("--all ends a pull %s", async (_name, cursors) => {
    for (const cursor of cursors) {
      person.stubs.on("POST", PULL, page(["PAY-1"], cursor, { next_cursor: cursor === "" ? null : cursor }));
    }
    const { code, out, err } = await person.run(["sync", "pull", "--all", "--out", "all.ndjson", "--json"]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(JSON.parse(err).error.code).toBe("invalid_response");
    expect(files()).toEqual([]);
  });

  test("--full asks for everything, all pages of it", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1", "PAY-2"], "c1")).on("POST", PULL, page(["PAY-3"], null));
    const { code, out } = await person.run(["sync", "pull", "--full", "--json"]);
    expect(code).toBe(0);
    expect(person.sent()).toEqual([
      { ...KEY, limit: 100, reread: "everything" },
      { ...KEY, limit: 100, reread: "everything", cursor: "c1" },
    ]);
    expect(JSON.parse(out).items).toEqual([issue("PAY-1"), issue("PAY-2"), issue("PAY-3")]);
  });

  test("--out writes an issue a line and asks for all that an interrupted pull had taken in", async () => {
    const evil = { title: "\u001b[2J\u202e\u2028\n決済" };
    person.stubs
      .on("POST", PULL, page(["PAY-1", "PAY-2"], "c1"))
      .on("POST", PULL, page([], null, { items: [issue("PAY-3", evil)], summary: summary(1) }));
    const { code, out } = await person.run(["sync", "pull", "--all", "--out", "all.ndjson", "--json"]);
    expect(code).toBe(0);
    expect(person.sent()).toEqual([
      { ...KEY, limit: 100, reread: "interrupted" },
      { ...KEY, limit: 100, reread: "interrupted", cursor: "c1" },
    ]);
    const text = readFileSync(path("all.ndjson"), "utf8");
    expect(lines(text).map((line) => JSON.parse(line))).toEqual([
      issue("PAY-1"),
      issue("PAY-2"),
      issue("PAY-3", evil),
    ]);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(files()).toEqual(["all.ndjson"]);
    const result = JSON.parse(out);
    expect(result).toMatchObject({ status: "ok", summary: summary(3), out: path("all.ndjson") });
    expect(result).not.toHaveProperty("items");
  });

  test("--out - writes the issues to standard output and the summary to standard error", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1", "PAY-2"], "c1")).on("POST", PULL, page(["PAY-3"]));
    const { code, out, err } = await person.run(["sync", "pull", "--all", "--out", "-"]);
    expect(code).toBe(0);
    expect(lines(out).map((line) => JSON.parse(line))).toEqual([
      issue("PAY-1"),
      issue("PAY-2"),
      issue("PAY-3"),
    ]);
    expect(err).toContain("3 (3 succeeded, 0 failed, 0 skipped)");
    const both = await person.run(["sync", "pull", "--out", "-", "--json"]);
    expect(both).toMatchObject({ code: 2, out: "" });
    expect(files()).toEqual([]);
  });

  test("--out writes to a device", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1"]));
    expect((await person.run(["sync", "pull", "--out", "/dev/null"])).code).toBe(0);
    expect(files()).toEqual([]);
  });

  test("--out names the file to people", async () => {
    person.stubs.on("POST", PULL, page(["PAY-1"]));
    const { out } = await person.run(["sync", "pull", "--out", "all.ndjson"]);
    expect(lines(out)).toContain(`File      ${path("all.ndjson")}`);
  });

  test("a failure after the first page tells how to go on; programs are given one error", async () => {
    for (const more of [[], ["--json"]]) {
      person.stubs
        .on("POST", PULL, page(["PAY-1", "PAY-2"], "c1"))
        .on("POST", PULL, Response.json(errorBody("provider_rejected"), { status: 502 }));
      const { code, err } = await person.run(["sync", "pull", "--all", ...more]);
      expect(code).toBe(1);
      if (more.length > 0) expect(JSON.parse(err)).toHaveProperty("error.code", "provider_rejected");
      else
        expect(err).toMatch(/^Pulled 2 issues\. The next `tracker sync pull --all` continues .+\nError: /m);
    }
    person.stubs.on("POST", PULL, Response.json(errorBody("provider_rejected"), { status: 502 }));
    expect((await person.run(["sync", "pull", "--all"])).err).toStartWith("Error: ");
  });

  test("--out keeps the old file when the pull fails", async () => {
    writeFileSync(path("all.ndjson"), "old\n");
    person.stubs
      .on("POST", PULL, page(["PAY-1"], "c1"))
      .on("POST", PULL, Response.json(errorBody("provider_rejected"), { status: 502 }));
    expect((await person.run(["sync", "pull", "--all", "--out", "all.ndjson"])).code).toBe(1);
    expect(readFileSync(path("all.ndjson"), "utf8")).toBe("old\n");
    expect(files()).toEqual(["all.ndjson"]);
  });

  test.each([
    ["nowhere/all.ndjson", "the file or folder does not exist"],
    ["folder", "it is a folder"],
  ])("--out %s is refused before anything is asked", async (out, told) => {
    mkdirSync(path("folder"));
    const outcome = await person.run(["sync", "pull", "--out", out]);
    expect(outcome).toMatchObject({ code: 1, out: "", err: expect.stringContaining(told) });
    expect(person.stubs.requests).toEqual([]);
    expect(files()).toEqual(["folder"]);
  });

  test("Ctrl-C ends it at once, whatever it waits for, and tells what is next", async () => {
    let press = (): void => {};
    const interrupt = { onStop: (stop: (() => void) | null) => (press = stop ?? (() => {})) };
    for (const args of [["--all"], ["--all", "--out", "my issues.ndjson"]]) {
      person.stubs.on("POST", PULL, page(["PAY-1"], "c1")).on("POST", PULL, () => {
        press();
        return new Promise<Response>(() => {});
      });
      const { code, out, err } = await person.run(["sync", "pull", ...args], interrupt);
      expect({ code, out }).toEqual({ code: 130, out: "" });
      expect(err).toContain("next `tracker sync pull --all` continues where this one stopped");
      if (args.length > 1) {
        expect(err).toContain("my issues.ndjson was not written.");
        expect(err).toContain(
          "with `--out 'my issues.ndjson'` it starts again, so that the file is complete",
        );
      }
      expect(files()).toEqual([]);
    }
  });
});

describe("sync push", () => {
  const PUSH = `${BASE}/push/`;
  const push = (items: unknown, ...more: string[]) =>
    person.run(["sync", "push", "--items-json", "-", ...more], {
      stdin: typeof items === "string" ? items : JSON.stringify(items),
    });

  test("sends the items of a file or of standard input, once", async () => {
    writeFileSync(path("items.json"), JSON.stringify(ITEMS));
    for (const run of [() => push(ITEMS), () => person.run(["sync", "push", "--items-json", "items.json"])]) {
      person.stubs.on("POST", PUSH, Response.json(pushed(["applied"])));
      const { code, out, err } = await run();
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(lines(out)).toEqual([
        "Pushed to Linear",
        "Identity   installation",
        "Total      1 (1 succeeded, 0 failed, 0 skipped)",
        "Conflicts  0",
      ]);
    }
    expect(person.sent()).toEqual([1, 2].map(() => ({ ...KEY, items: ITEMS })));
    const keys = person.stubs.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(2);
  });

  test("exits 1 with the result on stdout when not all of it went well", async () => {
    const answer = pushed(["applied", "noop", "conflict", "rejected", "failed"], {
      status: "partial",
      doctrine: { mode: "split_ownership", conflict_strategy: "manual_review" },
      summary: summary(1, 3, 1),
      item_errors: [
        { ref: { key: "PAY-5" }, code: "provider_unavailable", message: "It was failed.", retryable: true },
        { ref: null, code: "rate_limited", message: "Slow down.", retryable: true },
      ],
    });
    for (const more of [[], ["--json"]]) {
      person.stubs.on("POST", PUSH, Response.json(answer));
      const { code, out, err } = await push(ITEMS, ...more);
      expect({ code, err }).toEqual({ code: 1, err: "" });
      if (more.length > 0) {
        expect(JSON.parse(out)).toMatchObject(answer);
        continue;
      }
      expect(lines(out)).toEqual([
        "Partly pushed to Linear",
        "Identity   installation",
        "Total      5 (1 succeeded, 3 failed, 1 skipped)",
        "Conflicts  1",
        "Next       tracker sync conflicts",
        "",
        "Issue\tOutcome\tMessage",
        "PAY-3\tupdate: conflict\tIt was conflict.",
        "PAY-4\tupdate: rejected\tIt was rejected.",
        "PAY-5\tupdate: failed\tIt was failed.",
        "\trate_limited\tSlow down.",
      ]);
    }
  });

  test.each(["rejected", "conflict", "failed"])(
    "a single %s item exits 1, whatever the status says",
    async (outcome) => {
      person.stubs.on("POST", PUSH, Response.json(pushed(["applied", outcome])));
      expect((await push(ITEMS)).code).toBe(1);
    },
  );

  test("a status of error exits 1", async () => {
    person.stubs.on("POST", PUSH, Response.json(pushed([], { status: "error" })));
    expect(await push(ITEMS)).toMatchObject({
      code: 1,
      out: expect.stringContaining("Could not push to Linear"),
    });
  });

  test("waits for one that takes longer", async () => {
    person.stubs
      .on("POST", PUSH, Response.json({ operation_id: ID, status: "pending" }, { status: 202 }))
      .on(
        "GET",
        OPERATION,
        Response.json({ operation_id: ID, status: "running", progress: { done: 1, total: 2 } }),
      )
      .on(
        "GET",
        OPERATION,
        Response.json({ operation_id: ID, status: "completed", result: pushed(["applied"]) }),
      );
    const { code, out, err } = await push(ITEMS);
    expect(code).toBe(0);
    expect(out).toStartWith("Pushed to Linear\n");
    expect(err).toBe("Pushing…\n");
  });

  test("that counts nothing shows no number", async () => {
    person.stubs
      .on("POST", PUSH, Response.json({ operation_id: ID, status: "pending" }, { status: 202 }))
      .on("GET", OPERATION, Response.json({ operation_id: ID, status: "running", progress: { done: 0 } }))
      .on("GET", OPERATION, Response.json({ operation_id: ID, status: "completed", result: pushed([]) }));
    const { err } = await person.run(["sync", "push", "--items-json", "-"], {
      stdin: JSON.stringify(ITEMS),
      terminalColumns: 80,
    });
    expect(err).toContain("Pushing…");
    expect(err).not.toContain("0");
  });

  test("after five minutes, and on Ctrl-C, names the command that waits again", async () => {
    const still = (): Response => Response.json({ operation_id: ID, status: "running" });
    const accepted = (): Response => Response.json({ operation_id: ID, status: "pending" }, { status: 202 });
    person.stubs.on("POST", PUSH, accepted()).repeat(14, "GET", OPERATION, still);
    const late = await push(ITEMS);
    expect(late.code).toBe(1);
    expect(late.err).toContain(`Wait for it again: tracker sync wait ${ID}`);

    let press = (): void => {};
    person.stubs.on("POST", PUSH, accepted()).on("GET", OPERATION, () => {
      press();
      return new Promise<Response>(() => {});
    });
    const interrupted = await person.run(["sync", "push", "--items-json", "-", "--json"], {
      stdin: JSON.stringify(ITEMS),
      onStop: (stop) => (press = stop ?? (() => {})),
    });
    expect(interrupted).toMatchObject({ code: 130, out: "" });
    expect(JSON.parse(interrupted.err).error).toMatchObject({
      code: "interrupted",
      hint: `It continues. Wait for it again: tracker sync wait ${ID}`,
    });
  });

  test("Ctrl-C in a terminal is the end of the progress line, whatever still comes in", async () => {
    let press = (): void => {};
    person.stubs
      .on("POST", PUSH, Response.json({ operation_id: ID, status: "pending" }, { status: 202 }))
      .on("GET", OPERATION, () => {
        press();
        return Response.json({ operation_id: ID, status: "running", progress: { done: 2, total: 3 } });
      })
      .on("GET", OPERATION, () => new Promise<Response>(() => {}));
    const { code, err } = await person.run(["sync", "push", "--items-json", "-"], {
      stdin: JSON.stringify(ITEMS),
      terminalColumns: 80,
      onStop: (stop) => (press = stop ?? press),
    });
    expect(code).toBe(130);
    expect(err).toContain("Pushing");
    expect(err).not.toContain("2 of 3");
  });

  test("Ctrl-C before any answer warns of doing it twice, unless nothing is written", async () => {
    let press = (): void => {};
    const options = {
      onStop: (stop: (() => void) | null) => (press = stop ?? (() => {})),
      stdin: JSON.stringify(ITEMS),
    };
    for (const [command, told] of [
      [["push", "--items-json", "-"], "Check before you push again: tracker issues list"],
      [["run"], "The next `tracker sync run` does the rest."],
      [["run", "--dry-run"], ""],
    ] as const) {
      if (command.some((word) => word === "--dry-run")) person.stubs.on("GET", HEALTH, dryRuns());
      person.stubs.on("POST", `${BASE}/${command[0]}/`, () => {
        press();
        return new Promise<Response>(() => {});
      });
      const { code, err } = await person.run(["sync", ...command], options);
      expect(code).toBe(130);
      if (told === "") expect(err.trim()).toBe("");
      else expect(err).toContain(told);
    }
  });

  test.each<[unknown, string]>([
    ["{", "The JSON of the items is invalid"],
    ["", "The JSON of the items is invalid"],
    [{}, "items must be an array"],
    [[...ITEMS, { ...ITEMS[0], action: "delete" }], "items[1].action must be"],
    [[{ ref: {} }], "items[0].action is missing"],
    [[{ action: "create" }], "items[0].ref is missing"],
    [[{ ...ITEMS[0], target_status: "Done" }], "items[0].target_status must be"],
    [[{ ...ITEMS[0], "target-status": "done" }], "items[0].target-status is not known"],
  ])("%j is refused by the place of what is wrong, and nothing is sent", async (items, told) => {
    const { code, out, err } = await push(items);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(told);
    expect(err).toContain("Nothing was sent.");
    expect(person.stubs.requests).toEqual([]);
  });

  test("a file that cannot be read is named", async () => {
    writeFileSync(path("latin1.json"), Buffer.from([0x5b, 0xff, 0x5d]));
    for (const [file, told] of [
      ["missing.json", "the file or folder does not exist"],
      ["latin1.json", "it is not UTF-8 text"],
    ] as const) {
      const { code, err } = await person.run(["sync", "push", "--items-json", file]);
      expect(code).toBe(2);
      expect(err).toContain(`cannot read ${file}: ${told}`);
    }
  });

  test("without items shows an example that can be copied", async () => {
    const { code, err } = await person.run(["sync", "push"]);
    expect(code).toBe(2);
    const [, example = ""] = /echo '(.*)' \| tracker sync push --items-json -/.exec(err) ?? [];
    person.stubs.on("POST", PUSH, Response.json(pushed(["applied"])));
    expect((await push(example)).code).toBe(0);
  });

  test("what an answer says cannot take over the terminal, or break a row", async () => {
    const evil = `\x1b[2J\u202e${"決済".repeat(60)}\r\n`;
    const item = { ref: { key: evil }, action: evil, outcome: evil, message: evil };
    const identity_path = { type: evil, provider: evil };
    person.stubs.on("POST", PUSH, Response.json(pushed([], { items: [item], identity_path })));
    const { out } = await person.run(["sync", "push", "--items-json", "-"], {
      stdin: "[]",
      terminalColumns: 60,
    });
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    const table = lines(out).slice(lines(out).indexOf("") + 1);
    expect(table).toHaveLength(2);
    for (const line of table) expect(displayWidth(line)).toBeLessThanOrEqual(60);
  });
});

const HEALTH = `${BASE}/health/`;
/** The health of a control plane that offers dry runs. */
const dryRuns = (): Response => Response.json({ status: "ok", features: ["dry_run"] });

describe("sync run", () => {
  const RUN = `${BASE}/run/`;

  test("pulls, then pushes, and tells of both", async () => {
    person.stubs.on("POST", RUN, Response.json(ran()));
    const { code, out } = await person.run(["sync", "run", "--limit", "50"]);
    expect(code).toBe(0);
    expect(person.sent()).toEqual([{ ...KEY, pull_first: true, limit: 50 }]);
    expect(lines(out)).toEqual([
      "Synchronized with Linear",
      "Identity   installation",
      "Pulled     2 (2 succeeded, 0 failed, 0 skipped)",
      "Pushed     1 (1 succeeded, 0 failed, 0 skipped)",
      "Total      3 (3 succeeded, 0 failed, 0 skipped)",
      "Conflicts  0",
    ]);
  });

  test("--dry-run prints what would be done", async () => {
    const steps = ["create", "update", "update"].map((action, index) => ({
      ref: { ...(index === 1 && { id: "9", key: "PAY-9" }), title: `Title ${index}` },
      action,
      outcome: index === 2 ? "noop" : "applied",
      remote_ref: null,
    }));
    const push = { summary: summary(2), item_errors: null, items: steps };
    const plan = ran({ push, dry_run: true });
    for (const _ of [1, 2]) {
      person.stubs.on("GET", HEALTH, dryRuns()).on("POST", RUN, Response.json(plan));
    }
    const { code, out } = await person.run(["sync", "run", "--dry-run"]);
    expect(code).toBe(0);
    expect(person.sent()).toEqual([{ ...KEY, pull_first: true, limit: 100, dry_run: true }]);
    expect(lines(out)).toEqual([
      "A run would do this (Linear); nothing was written.",
      "Step\tIssue\tTitle",
      "would pull\tPAY-1\tTitle of PAY-1",
      "would pull\tPAY-2\tTitle of PAY-2",
      "would create\t\tTitle 0",
      "would update\tPAY-9\tTitle 1",
    ]);
    const program = await person.run(["sync", "run", "--dry-run", "--json"]);
    expect(JSON.parse(program.out)).toMatchObject(plan);
  });

  test("what failed is a row, called as people call it", async () => {
    const failed = (ref: object, action: string) => ({
      ...{ ref, action, outcome: "failed", remote_ref: null, version: null },
      message: "linear does not answer. It is kept.",
    });
    const error = {
      ref: null,
      code: "provider_unavailable",
      message: "linear does not answer.",
      retryable: true,
    };
    const items = [
      failed({ title: "New" }, "create"),
      failed({ id: "9", key: "PAY-9", title: "T" }, "update"),
    ];
    const push = { summary: summary(0, 2), item_errors: [error, error], items };
    person.stubs.on("POST", RUN, Response.json(ran({ status: "partial", push })));
    const { out } = await person.run(["sync", "run"]);
    expect(lines(out).slice(-3)).toEqual([
      "Issue\tOutcome\tMessage",
      "New\tcreate: failed\tlinear does not answer. It is kept.",
      "PAY-9\tupdate: failed\tlinear does not answer. It is kept.",
    ]);
  });

  test("--dry-run says when there is nothing to do", async () => {
    const plan = ran({ pull: {}, push: {}, dry_run: true });
    person.stubs.on("GET", HEALTH, dryRuns()).on("POST", RUN, Response.json(plan));
    const { out } = await person.run(["sync", "run", "--dry-run"]);
    expect(out).toBe("A run would change nothing (Linear); nothing was written.\n");
  });

  test("a conflict exits 1 and leads to the conflicts", async () => {
    const doctrine = { mode: "split_ownership", conflict_strategy: "manual_review" };
    const push = { summary: summary(0, 1), item_errors: null, items: pushed(["conflict"]) };
    person.stubs.on(
      "POST",
      RUN,
      Response.json(ran({ status: "partial", doctrine, push: { ...push, ...pushed(["conflict"]) } })),
    );
    const { code, out } = await person.run(["sync", "run"]);
    expect(code).toBe(1);
    expect(out).toContain("Conflicts  1\nNext       tracker sync conflicts\n");
  });
});

describe("what a sync came to", () => {
  test.each([
    { mode: "external_authoritative", field_owners: {} },
    { mode: "split_ownership", field_owners: {}, conflict_strategy: "external_wins" },
  ])("where the provider's value stands, nothing leads to conflicts that wait: %j", async (doctrine) => {
    person.stubs.on("POST", `${BASE}/run/`, Response.json(ran({ doctrine, push: pushed(["conflict"]) })));
    const { out } = await person.run(["sync", "run"]);
    expect(out).toContain("Conflicts  1\n");
    expect(out).not.toContain("tracker sync conflicts");
  });

  test("what was written over is told, and is no failure", async () => {
    const message = "Overwrote what was changed at the provider: title.";
    const item = { ref: { key: "PAY-1" }, action: "update", outcome: "applied" };
    person.stubs.on("POST", `${BASE}/run/`, Response.json(ran({ push: { items: [{ ...item, message }] } })));
    const { code, out } = await person.run(["sync", "run"]);
    expect(code).toBe(0);
    expect(lines(out).slice(-1)).toEqual([`PAY-1\tupdate: applied\t${message}`]);
  });

  test("new issues are named, the first ten of them", async () => {
    const created = (amount: number) =>
      Array.from({ length: amount }, (_, index) => ({
        ref: {},
        action: "create",
        outcome: "applied",
        remote_ref: { id: `${index + 1}`, key: `PAY-${index + 1}` },
      }));
    for (const [amount, names] of [
      [2, "PAY-1, PAY-2"],
      [11, "PAY-1, PAY-2, PAY-3, PAY-4, PAY-5, PAY-6, PAY-7, PAY-8, PAY-9, PAY-10, …"],
    ] as const) {
      person.stubs.on("POST", `${BASE}/run/`, Response.json(ran({ push: { items: created(amount) } })));
      const { out } = await person.run(["sync", "run"]);
      expect(lines(out)).toContain(`Created    ${names}`);
    }
  });

  test("a pull of nothing says so, and shows no progress", async () => {
    person.stubs.on("POST", `${BASE}/pull/`, page([]));
    expect(await person.run(["sync", "pull", "--all"])).toMatchObject({
      code: 0,
      out: "Pulled from Linear\nIdentity  installation\nTotal     0 (nothing new; --full fetches everything again)\n",
      err: "",
    });
  });
});

describe("sync wait", () => {
  test("prints the result of an operation", async () => {
    person.stubs.on(
      "GET",
      OPERATION,
      Response.json({ operation_id: ID, status: "completed", result: ran() }),
    );
    const { code, out } = await person.run(["sync", "wait", ID]);
    expect(code).toBe(0);
    expect(out).toStartWith("Synchronized with Linear\n");
  });

  test("prints what a mission's update came to", async () => {
    const result = { ...issue("PAY-7"), omitted: ["links"] };
    const completed = () => Response.json({ operation_id: ID, status: "completed", result });
    person.stubs.on("GET", OPERATION, completed()).on("GET", OPERATION, completed());
    const { code, out } = await person.run(["sync", "wait", ID]);
    expect(code).toBe(0);
    expect(out).toStartWith("Published to PAY-7\n");
    expect(JSON.parse((await person.run(["sync", "wait", ID, "--json"])).out)).toMatchObject(result);
  });

  test("needs no project, and changes none", async () => {
    person.config = LEGACY;
    const result = pushed(["failed"], { ...UPGRADE, status: "error" });
    person.stubs.on("GET", OPERATION, Response.json({ operation_id: ID, status: "completed", result }));
    const { code, out } = await person.run(["sync", "wait", ID, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject(result);
    expect(person.config).toBe(LEGACY);
  });

  test("tells when nobody knows the operation", async () => {
    person.stubs.on("GET", OPERATION, Response.json(errorBody("operation_not_found"), { status: 404 }));
    const { code, err } = await person.run(["sync", "wait", ID]);
    expect(code).toBe(1);
    expect(err).toContain("tracker status");
  });
});

describe("conflicts", () => {
  const CONFLICTS = `${BASE}/conflicts/`;
  const RESOLVE = `${BASE}/conflicts/resolve/`;
  const conflict = (facts: object = {}) => ({
    id: "c-1",
    issue: { id: "id-7", key: "PAY-7", title: "Refunds fail" },
    field: "labels",
    base: [],
    local: ["bug"],
    remote: null,
    ...facts,
  });

  test("are listed with both sides and the way to decide", async () => {
    person.stubs.on("POST", CONFLICTS, Response.json({ conflicts: [conflict()] }));
    const { code, out } = await person.run(["sync", "conflicts"]);
    expect(code).toBe(0);
    expect(person.sent()).toEqual([KEY]);
    expect(lines(out)).toEqual([
      "Issue\tTitle\tField\tLocal\tExternal\tId",
      'PAY-7\tRefunds fail\tlabels\t["bug"]\tnone\tc-1',
      "Decide one: tracker sync resolve <id> --take local|external",
    ]);
  });

  test("are blocks in a terminal: values have its whole width, and an id is never cut", async () => {
    const id = "79a7e1ee84b852950c8a55c9ff5c7f6b";
    const long = "Refunds are booked twice when the webhook is retried";
    const conflicts = [conflict(), conflict({ id, field: "title", local: long, remote: `${long}!` })];
    person.stubs.on("POST", CONFLICTS, Response.json({ conflicts }));
    const { out } = await person.run(["sync", "conflicts"], { terminalColumns: 45 });
    expect(lines(out)).toEqual([
      "PAY-7 labels: Refunds fail",
      'Local     ["bug"]',
      "External  none",
      "Id        c-1",
      "",
      "PAY-7 title: Refunds fail",
      "Local     Refunds are booked twice when the …",
      "External  Refunds are booked twice when the …",
      `Id        ${id}`,
      "",
      "Decide one: tracker sync resolve <id> --take local|external",
    ]);
  });

  test("that are none are a sentence", async () => {
    person.stubs.on("POST", CONFLICTS, Response.json({ conflicts: [] }));
    expect((await person.run(["sync", "conflicts"])).out).toBe("No conflict waits for a decision.\n");
  });

  test.each([
    ["local", 'Decided: PAY-7 labels is ["bug"] (local)\nNext: tracker sync run\n'],
    ["external", "Decided: PAY-7 labels is none (external)\n"],
  ])("are decided: --take %s", async (take, told) => {
    person.stubs.on("POST", RESOLVE, Response.json(conflict({ resolution: take })));
    const { code, out } = await person.run(["sync", "resolve", "c-1", "--take", take]);
    expect({ code, out }).toEqual({ code: 0, out: told });
    expect(person.sent()).toEqual([{ ...KEY, id: "c-1", take }]);
  });
});

/** Every call on the binding: its arguments, its target, and an answer that will do. */
const CALLS: readonly (readonly [args: string[], target: string, answer: object])[] = [
  [["sync", "pull"], `${BASE}/pull/`, envelope({ items: [], has_more: false })],
  [["sync", "push", "--items-json", "-"], `${BASE}/push/`, pushed([])],
  [["sync", "run"], `${BASE}/run/`, ran()],
  [["sync", "run", "--dry-run"], `${BASE}/run/`, ran({ dry_run: true })],
  [["sync", "conflicts"], `${BASE}/conflicts/`, { conflicts: [] }],
];

describe.each(CALLS)("tracker %j", (args, target, answer) => {
  const run = (more: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
    person.run([...args, ...more], { stdin: "[]", env });
  /** Announces dry runs before a run that is one. */
  const announce = (): void => {
    if (args.includes("--dry-run")) person.stubs.on("GET", HEALTH, dryRuns());
  };

  test("an older config is upgraded, or the upgrade is reported where that is wanted", async () => {
    person.config = LEGACY;
    const upgraded = () => Response.json({ ...answer, ...UPGRADE });
    for (const _ of [1, 2]) {
      announce();
      person.stubs.on("POST", target, upgraded());
    }
    const { out } = await run(["--json"], { TRACKER_NO_UPGRADE: "1" });
    expect(JSON.parse(out).pending_binding_upgrade).toEqual(UPGRADE);
    expect(person.config).toBe(LEGACY);
    expect((await run()).code).toBe(0);
    expect(person.sent()).toEqual(
      [1, 2].map(() => expect.objectContaining({ project_slug: "payments-api" })),
    );
    expect(person.config).toContain("binding_ref: srm_2");
  });

  test.each(["binding_not_found", "mapping_disabled", "project_mismatch"])(
    "%s makes the binding stale",
    async (code) => {
      announce();
      person.stubs.on("POST", target, Response.json(errorBody(code), { status: 404 }));
      const outcome = await run(["--json"]);
      expect(outcome.code).toBe(1);
      expect(JSON.parse(outcome.err).error).toMatchObject({
        code: "stale_binding",
        details: { binding_ref: "srm_1", reason: code },
        hint: expect.stringContaining("tracker bind --provider linear"),
      });
      expect(person.config).toBe(BOUND);
    },
  );

  test("without a binding says how to get one", async () => {
    person.config = "";
    expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining("tracker bind --provider") });
  });
});

test.each(["push", "run"])(
  "a %s that finds out later that the binding is stale says so too",
  async (call) => {
    person.stubs
      .on("POST", `${BASE}/${call}/`, Response.json({ operation_id: ID, status: "pending" }, { status: 202 }))
      .on(
        "GET",
        OPERATION,
        Response.json({ operation_id: ID, status: "failed", error: errorBody("mapping_disabled") }),
      );
    const args = call === "push" ? ["push", "--items-json", "-"] : ["run"];
    const { code, err } = await person.run(["sync", ...args, "--json"], { stdin: "[]" });
    expect(code).toBe(1);
    expect(JSON.parse(err).error.code).toBe("stale_binding");
  },
);

describe("a wrong command line exits 2", () => {
  test.each<[string[], string]>([
    [
      ["publish"],
      "`sync publish` is not supported by any provider: beads, fp, GitHub, GitLab, Jira, Linear.",
    ],
    [["publish", "--server-url", "x", "extra"], "tracker sync push --items-json"],
    [["pull", "--limit", "10001"], "--limit takes a number up to 10,000"],
    [["run", "--limit", "0"], "--limit takes a whole number of at least 1"],
    [["wait"], "The argument <id> is missing."],
    [["resolve"], "The argument <id> is missing."],
    [["resolve", "c-1"], "--take is missing."],
    [["resolve", "c-1", "--take", "mine"], '--take is local or external, not "mine".'],
    [["pull", "--out"], "--out needs a value."],
  ])("tracker sync %j", async (args, told) => {
    const { code, out, err } = await person.run(["sync", ...args]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(told);
  });
});

test("map add is left to binding", async () => {
  const { code, err } = await person.run(["map", "add", "--wp-id", "WP1", "--external-id", "7"]);
  expect(code).toBe(1);
  expect(err).toContain("Binding adds the mappings of Linear; they cannot be added by hand");
  expect(err).toContain("tracker bind --provider linear");
});

describe("status after syncs", () => {
  const STATUS = `${BASE}/status/?provider=linear&binding_ref=srm_1`;
  const status = (facts: object = {}) => ({
    provider: "linear",
    connected: true,
    configured: true,
    binding_ref: "srm_1",
    display_label: "Payments (PAY)",
    provider_context: { workspace_name: "Acme" },
    sync_state: "idle",
    last_synced_at: "2026-03-01T09:00:00Z",
    issue_count: 1_204,
    open_conflicts: 0,
    last_error: null,
    ...facts,
  });
  const conflict = (key: string, field: string) => ({ id: key, issue: { id: key, key }, field });

  test("tells in at most ten lines what is bound, how it stands and what to run next", async () => {
    const conflicts = [conflict("PAY-7", "title"), conflict("PAY-9", "status"), conflict("PAY-12", "labels")];
    const facts = { sync_state: "running", open_conflicts: 5, conflicts, last_error: "linear:\nno answer" };
    person.stubs.on("GET", STATUS, Response.json(status(facts)));
    expect(lines((await person.run(["status"])).out)).toEqual([
      "Resource     Payments (PAY)",
      "Provider     linear, Acme",
      "Reference    srm_1",
      "Last synced  3 hours ago, running now",
      "Issues       1,204",
      "Conflicts    5 open: PAY-7 title, PAY-9 status, PAY-12 labels, …",
      "Last error   linear:\\u000ano answer",
      "Next         tracker sync conflicts",
    ]);
  });

  test.each<[object, string]>([
    [{ last_synced_at: null, sync_state: "never", issue_count: 0 }, "tracker sync pull --all"],
    [{}, "tracker sync run"],
    [{ open_conflicts: 1 }, "tracker sync conflicts"],
    [{ connected: false }, "tracker host connect linear"],
    [{ operation_id: ID, sync_state: "running" }, `tracker sync wait ${ID}`],
    [{ operation_id: ID, open_conflicts: 1 }, `tracker sync wait ${ID}`],
  ])("%j leads to %s", async (facts, command) => {
    person.stubs.on("GET", STATUS, Response.json(status(facts)));
    expect(lines((await person.run(["status"])).out).at(-1)).toBe(`Next         ${command}`);
  });

  test("while a pull runs it leads to no other sync", async () => {
    person.stubs.on("GET", STATUS, Response.json(status({ sync_state: "running" })));
    const { out } = await person.run(["status"]);
    expect(out).toContain("3 hours ago, running now");
    expect(out).not.toContain("Next");
  });

  test("in a terminal no line wraps", async () => {
    const last_error = "no answer ".repeat(50);
    const conflicts = Array.from({ length: 3 }, () => conflict("PAY-7".repeat(20), "title"));
    person.stubs.on("GET", STATUS, Response.json(status({ last_error, open_conflicts: 3, conflicts })));
    const { out } = await person.run(["status"], { terminalColumns: 50 });
    expect(lines(out)).toHaveLength(8);
    for (const line of lines(out)) expect(displayWidth(line)).toBeLessThanOrEqual(50);
  });

  test.each([[[]], [[{ id: 7 }]], ["many"]])(
    "conflicts of a strange shape are only counted: %j",
    async (conflicts) => {
      person.stubs.on("GET", STATUS, Response.json(status({ open_conflicts: 2, conflicts })));
      expect(lines((await person.run(["status"])).out)).toContain("Conflicts    2 open");
    },
  );
});
