/** `tracker issues`, in memory: what is asked for, how it is shown, and what becomes of the binding. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { displayWidth } from "../../src/shared/text.ts";
import { CommandLine } from "../helpers/command-line.ts";
import { errorBody } from "../helpers/http-stubs.ts";
import { BOUND, LEGACY, UPGRADE } from "../helpers/wire.ts";

const LIST = "/api/v1/tracker/list-tickets/";
const SEARCH = "/api/v1/tracker/issue-search/";

const ticket = (identifier: string, facts: object = {}) => ({
  external_issue_id: `id-${identifier}`,
  identifier,
  title: "Refunds fail",
  url: null,
  state: { name: "In Progress", type: "started" },
  team: null,
  assignee: "Ada",
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-03-01T11:58:00Z",
  body: null,
  ...facts,
});
const RESOURCE = { resource_type: "linear_team", resource_id: "team-1" };
const PLAIN = { ...RESOURCE, binding_ref: null, display_label: null, provider_context: null };

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});

/** Both commands, each with the key that its answer holds issues under. */
const COMMANDS: readonly (readonly [args: string[], target: string, key: string, body: object])[] = [
  [["issues", "list"], LIST, "tickets", {}],
  [["issues", "search", "--query", "refunds"], SEARCH, "candidates", { query_text: "refunds" }],
  [["issues", "search", "--key", "PAY-1"], SEARCH, "candidates", { query_key: "PAY-1" }],
];

describe.each(COMMANDS)("tracker %j", (args, target, key, body) => {
  const answer = (tickets: readonly object[], facts: object = {}): Response =>
    Response.json({ ...RESOURCE, ...facts, [key]: tickets });

  test("asks for the resource that the project is bound to, and prints a table", async () => {
    person.config = BOUND;
    const others = ticket("PAY-12", {
      assignee: null,
      state: { name: "Done" },
      updated_at: "2025-12-24T18:00:00Z",
    });
    person.stubs.on("POST", target, answer([ticket("PAY-1"), others]));
    const { code, out, err } = await person.run(args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(person.sent()).toEqual([{ provider: "linear", binding_ref: "srm_1", ...body, limit: 20 }]);
    expect(out.split("\n").map((line) => line.split("\t"))).toEqual([
      ["Key", "Title", "Status", "Assignee", "Updated"],
      ["PAY-1", "Refunds fail", "In Progress", "Ada", "2 minutes ago"],
      ["PAY-12", "Refunds fail", "Done", "", "2025-12-24"],
      [""],
    ]);
  });

  test("takes --limit", async () => {
    person.config = BOUND;
    person.stubs.on("POST", target, answer([]));
    await person.run([...args, "--limit", "100"]);
    expect(person.sent()).toEqual([{ provider: "linear", binding_ref: "srm_1", ...body, limit: 100 }]);
  });

  test.each(["", BOUND])("with --provider leaves the resource to the control plane: %j", async (config) => {
    person.config = config;
    person.stubs.on("POST", target, answer([ticket("PAY-1")]));
    expect((await person.run([...args, "--provider", "GitHub"])).code).toBe(0);
    expect(person.sent()).toEqual([{ provider: "github", ...body, limit: 20 }]);
  });

  test("of several bindings leads to the projects", async () => {
    const facts = { provider: "github", details: { project_slugs: ["payments-api", "web"] } };
    person.stubs.on("POST", target, Response.json(errorBody("invalid_request", facts), { status: 400 }));
    const { code, err } = await person.run([...args, "--provider", "github"]);
    expect(code).toBe(1);
    expect(err).toEndWith(
      "Run it in one of the projects, without --provider. All bindings: tracker status --all --provider github\n",
    );
  });

  test("--json prints what the control plane answered", async () => {
    person.config = BOUND;
    person.stubs.on("POST", target, answer([ticket("PAY-1")], { new_in_2031: true }));
    const { out } = await person.run([...args, "--json"]);
    expect(JSON.parse(out)).toEqual({ ...PLAIN, new_in_2031: true, [key]: [ticket("PAY-1")] });
  });

  test("nothing is a sentence and the next command, or an empty list for programs", async () => {
    person.config = BOUND;
    person.stubs.on("POST", target, answer([]));
    const human = await person.run(args);
    expect({ code: human.code, out: human.out }).toEqual({ code: 0, out: "" });
    expect(human.err).toMatch(
      /^(There are no issues\.|No issue matches "(refunds|PAY-1)"\.)\nNext: tracker \w+/,
    );
    person.stubs.on("POST", target, answer([]));
    const program = await person.run([...args, "--json"]);
    expect(JSON.parse(program.out)).toEqual({ ...PLAIN, [key]: [] });
    expect(program.err).toBe("");
  });

  test("an older config is upgraded", async () => {
    person.config = LEGACY;
    person.stubs.on("POST", target, answer([ticket("PAY-1")], UPGRADE));
    expect((await person.run(args)).code).toBe(0);
    expect(person.sent()).toEqual([{ provider: "linear", project_slug: "payments-api", ...body, limit: 20 }]);
    expect(person.config).toContain("binding_ref: srm_2");
  });

  test("or the upgrade is reported, where that is wanted", async () => {
    person.config = LEGACY;
    person.stubs.on("POST", target, answer([], UPGRADE));
    const { out } = await person.run([...args, "--json"], { env: { TRACKER_NO_UPGRADE: "1" } });
    expect(JSON.parse(out)).toMatchObject({ [key]: [], pending_binding_upgrade: UPGRADE });
    expect(person.config).toBe(LEGACY);
  });

  test.each(["binding_not_found", "mapping_disabled", "project_mismatch"])(
    "%s makes the binding stale",
    async (code) => {
      person.config = BOUND;
      person.stubs.on("POST", target, Response.json(errorBody(code), { status: 404 }));
      const outcome = await person.run([...args, "--json"]);
      expect(outcome.code).toBe(1);
      expect(JSON.parse(outcome.err).error).toMatchObject({
        code: "stale_binding",
        details: { binding_ref: "srm_1", reason: code },
      });
      expect(person.config).toBe(BOUND);
    },
  );

  test("without a binding says how to get one", async () => {
    person.config = "";
    const outcome = await person.run(args);
    expect(outcome).toMatchObject({ code: 1, err: expect.stringContaining("tracker bind --provider") });
  });

  test.each(["beads", "fp"])("does not drive %s", async (provider) => {
    const config = `tracker:\n  provider: ${provider}\n  workspace: w\n`;
    person.config = config;
    for (const more of [[], ["--provider", provider]]) {
      const outcome = await person.run([...args, ...more]);
      expect(outcome).toMatchObject({ code: 1, out: "", err: expect.stringContaining(provider) });
    }
  });

  test("what an issue says cannot take over the terminal, or break a row", async () => {
    const evil = `\x1b[2J\u202e${"決済".repeat(60)}\r\n`;
    person.config = BOUND;
    const facts = { title: evil, state: { name: evil }, assignee: evil, updated_at: evil };
    person.stubs.on("POST", target, answer([ticket(evil, facts)]));
    const { out } = await person.run(args, { terminalColumns: 60 });
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(60);
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(out).toContain("\\u001b");
  });
});

describe("a wrong command line exits 2", () => {
  test.each<[string[], string]>([
    [["search"], '--query or --key is missing.\nFor example: tracker issues search --query "login"'],
    [["search", "--query", "a", "--key", "b"], "--query and --key cannot be used together."],
    [["search", "refunds"], 'Unexpected argument "refunds".'],
    [["list", "--limit", "101"], '--limit takes a number up to 100, not "101".'],
    [["list", "--limit", "0"], "--limit takes a whole number of at least 1"],
    [["search", "--query", "a", "--limit", "many"], "--limit takes a whole number of at least 1"],
    [["list", "--query", "a"], "Unknown flag --query."],
  ])("tracker issues %j", async (args, told) => {
    person.config = BOUND;
    const { code, out, err } = await person.run(["issues", ...args]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(told);
  });
});
