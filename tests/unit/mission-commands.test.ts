/** `tracker mission`, in memory. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandLine } from "../helpers/command-line.ts";
import { errorBody } from "../helpers/http-stubs.ts";
import { BOUND, issue, KEY, LEGACY, refOf, UPGRADE } from "../helpers/wire.ts";

const SEED = "/api/v1/tracker/missions/seed/";
const PUBLISH = "/api/v1/tracker/missions/publish/";
const seed = (key: string, facts: object = {}) => ({
  mission_id: `mission:${key}`,
  source_issue_ref: refOf(key),
  title: "Refunds fail",
  body: "First line.\nSecond \u001b[2J line.\n",
  status: "todo",
  priority: 2,
  assignees: ["Ada"],
  labels: ["bug", "billing"],
  decision_references: [{ id: "D-1", blocking: true, title: null, external_ref: null }],
  ...facts,
});
const published = (facts: object = {}) =>
  issue("PAY-7", { title: "Refunds fail", status: "in_progress", omitted: [], ...facts });
const update = (facts: object = {}) => ({
  mission_id: "M-1",
  mission_state: "implementing",
  target_status: null,
  summary: null,
  mission_url: null,
  decision_references: [],
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

describe("mission seed", () => {
  const ARGS = ["mission", "seed", "--issue", "PAY-7"];

  test("shows what a mission starts from", async () => {
    person.stubs.on("POST", SEED, Response.json(seed("PAY-7")));
    const { code, out, err } = await person.run([...ARGS, "--mission-id", "M-1"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(person.sent()).toEqual([{ ...KEY, issue: "PAY-7", mission_id: "M-1" }]);
    expect(out).toBe(
      [
        "Mission    mission:PAY-7",
        "Issue      PAY-7",
        "Title      Refunds fail",
        "Status     todo",
        "Priority   2",
        "Assignees  Ada",
        "Labels     bug, billing",
        "Decisions  D-1 (blocking)",
        "",
        "First line.",
        "Second \\u001b[2J line.",
        "",
      ].join("\n"),
    );
  });

  test("--out writes it to a file, without what is not its own", async () => {
    person.stubs.on("POST", SEED, Response.json(seed("PAY-7")));
    const { out } = await person.run([...ARGS, "--out", "seed.json", "--json"]);
    expect(person.sent()).toEqual([{ ...KEY, issue: "PAY-7" }]);
    expect(JSON.parse(readFileSync(path("seed.json"), "utf8"))).toEqual(seed("PAY-7"));
    expect(JSON.parse(out)).toMatchObject({ ...seed("PAY-7"), out: path("seed.json") });
  });

  test("--out - writes it to standard output alone", async () => {
    person.stubs.on("POST", SEED, Response.json(seed("PAY-7")));
    const { out } = await person.run([...ARGS, "--out", "-"]);
    expect(JSON.parse(out)).toEqual(seed("PAY-7"));
  });

  test("of an issue that nobody knows leaves the file as it was", async () => {
    writeFileSync(path("seed.json"), "old\n");
    person.stubs.on("POST", SEED, Response.json(errorBody("issue_not_found"), { status: 404 }));
    const { code, err } = await person.run([...ARGS, "--out", "seed.json"]);
    expect(code).toBe(1);
    expect(err).toContain("tracker issues search");
    expect(readFileSync(path("seed.json"), "utf8")).toBe("old\n");
  });
});

describe("mission publish", () => {
  const ARGS = ["mission", "publish", "--issue", "PAY-7", "--mission-id", "M-1", "--state", "implementing"];

  test("tells the issue, once, and says what the provider has no place for", async () => {
    person.stubs.on("POST", PUBLISH, Response.json(published({ omitted: ["links", "custom_field"] })));
    const more = ["--status", "in_progress", "--summary", "Half done", "--url", "https://m.example/1"];
    const { code, out, err } = await person.run([...ARGS, ...more]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const told = { target_status: "in_progress", summary: "Half done", mission_url: "https://m.example/1" };
    expect(person.sent()).toEqual([{ ...KEY, issue: "PAY-7", update: update(told) }]);
    expect(person.stubs.requests[0]?.headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(out).toBe(
      [
        "Published to PAY-7",
        "Title     Refunds fail",
        "Status    in_progress",
        "Link      https://linear.example/PAY-7",
        "Left out  links, custom field (Linear has no field for it)",
        "",
      ].join("\n"),
    );
  });

  test("leads to the settings where they name the fields of a mission", async () => {
    const ref = { ...refOf("PAY-7"), system: "jira" };
    person.stubs.on("POST", PUBLISH, Response.json(published({ ref, omitted: ["custom_field"] })));
    expect((await person.run(ARGS)).out).toContain(
      "Left out  custom field (its fields are settings: tracker host mappings update --help)\n",
    );
  });

  test("names decisions, each with the whole reference of its issue", async () => {
    person.stubs
      .on("POST", SEED, Response.json(seed("PAY-8")))
      .on("POST", SEED, Response.json(seed("PAY-9")))
      .on("POST", PUBLISH, Response.json(published()));
    const decisions = ["--decision", "D-1", "--decision=D=2=PAY-8", "--blocking-decision", "D-3=PAY-9"];
    expect((await person.run([...ARGS, ...decisions])).code).toBe(0);
    expect(person.sent()).toEqual([
      { ...KEY, issue: "PAY-8" },
      { ...KEY, issue: "PAY-9" },
      {
        ...KEY,
        issue: "PAY-7",
        update: update({
          decision_references: [
            { id: "D-1", blocking: false, title: null, external_ref: null },
            { id: "D=2", blocking: false, title: null, external_ref: refOf("PAY-8") },
            { id: "D-3", blocking: true, title: null, external_ref: refOf("PAY-9") },
          ],
        }),
      },
    ]);
  });

  test("keeps the order in which decisions are given", async () => {
    person.stubs.on("POST", PUBLISH, Response.json(published()));
    const decisions = ["--blocking-decision=D-1", "--decision", "D-2", "--blocking-decision", "D-3"];
    expect((await person.run([...ARGS, ...decisions])).code).toBe(0);
    expect(person.sent()).toMatchObject([
      {
        update: {
          decision_references: [
            { id: "D-1", blocking: true },
            { id: "D-2", blocking: false },
            { id: "D-3", blocking: true },
          ],
        },
      },
    ]);
  });

  test("takes the whole update as JSON", async () => {
    const whole = { mission_id: "M-1", mission_state: "done", target_status: "done" };
    writeFileSync(path("update.json"), JSON.stringify(whole));
    for (const [file, stdin] of [
      ["update.json", ""],
      ["-", JSON.stringify(whole)],
    ] as const) {
      person.stubs.on("POST", PUBLISH, Response.json(published()));
      const args = ["mission", "publish", "--issue", "PAY-7", "--update-json", file];
      expect((await person.run(args, { stdin })).code).toBe(0);
    }
    const sent = { ...KEY, issue: "PAY-7", update: { ...update(), ...whole } };
    expect(person.sent()).toEqual([sent, sent]);
  });

  test("--json prints the issue as it is afterwards", async () => {
    person.stubs.on("POST", PUBLISH, Response.json(published({ new_in_2031: true })));
    expect(JSON.parse((await person.run([...ARGS, "--json"])).out)).toMatchObject(
      published({ new_in_2031: true }),
    );
  });

  test.each<[string[], string, string]>([
    [["--status", "Done"], "", "update.target_status must be"],
    [["--decision", "=PAY-8"], "", 'A decision is ID or ID=ISSUE, not "=PAY-8".'],
    [["--blocking-decision", "D-1="], "", 'A decision is ID or ID=ISSUE, not "D-1=".'],
    [["--state", "x"], "", "--state is given twice."],
    [["--update-json", "-"], "{}", "--update-json and --mission-id cannot be used together."],
  ])("%j exits 2, and nothing is sent", async (more, stdin, told) => {
    const { code, out, err } = await person.run([...ARGS, ...more], { stdin });
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(told);
    expect(person.stubs.requests).toEqual([]);
  });

  test.each<[string, string]>([
    ["{", "The JSON of the update is invalid"],
    ["{}", "update.mission_id is missing"],
    [
      '{"mission_id":"M-1","mission_state":"x","decision_references":[{"id":""}]}',
      "update.decision_references[0].id must not be empty",
    ],
    ['{"mission_id":"M-1","mission_state":"x","state":"y"}', "update.state is not known"],
  ])("an update of %p is refused by the place of what is wrong", async (stdin, told) => {
    const args = ["mission", "publish", "--issue", "PAY-7", "--update-json", "-"];
    const { code, err } = await person.run(args, { stdin });
    expect(code).toBe(2);
    expect(err).toContain(told);
  });
});

describe.each<[string[], string, object]>([
  [["mission", "seed", "--issue", "PAY-7"], SEED, seed("PAY-7")],
  [["mission", "publish", "--issue", "PAY-7", "--mission-id", "M-1", "--state", "x"], PUBLISH, published()],
])("tracker %j", (args, target, answer) => {
  test("an older config is upgraded, or the upgrade is reported where that is wanted", async () => {
    person.config = LEGACY;
    const upgraded = () => Response.json({ ...answer, ...UPGRADE });
    person.stubs.on("POST", target, upgraded()).on("POST", target, upgraded());
    const { out } = await person.run([...args, "--json"], { env: { TRACKER_NO_UPGRADE: "1" } });
    expect(JSON.parse(out).pending_binding_upgrade).toEqual(UPGRADE);
    expect(person.config).toBe(LEGACY);
    expect((await person.run(args)).code).toBe(0);
    expect(person.config).toContain("binding_ref: srm_2");
  });

  test("a terminal shows that it goes on, a pipe shows nothing", async () => {
    person.stubs.on("POST", target, Response.json(answer)).on("POST", target, Response.json(answer));
    const { err } = await person.run(args, { terminalColumns: 60 });
    expect(err).toMatch(/^\r(Reading|Publishing)… *\r *\r$/);
    expect((await person.run(args)).err).toBe("");
  });

  test("a binding that is served no longer is stale", async () => {
    person.stubs.on("POST", target, Response.json(errorBody("binding_not_found"), { status: 404 }));
    const { code, err } = await person.run([...args, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(err).error.code).toBe("stale_binding");
  });
});

test("Ctrl-C during a publish tells that it may be run again", async () => {
  let press = (): void => {};
  person.stubs.on("POST", PUBLISH, () => {
    press();
    return Response.json(published());
  });
  const args = ["mission", "publish", "--issue", "PAY-7", "--mission-id", "M-1", "--state", "x"];
  const { code, err } = await person.run(args, {
    onStop: (stop) => {
      if (stop !== null) press = stop;
    },
  });
  expect(code).toBe(130);
  expect(err).toContain("the same update twice changes nothing");
});

test("Ctrl-C while a longer publish is waited for names the command that waits again", async () => {
  const id = "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11";
  let press = (): void => {};
  person.stubs
    .on("POST", PUBLISH, Response.json({ operation_id: id, status: "pending" }, { status: 202 }))
    .on("GET", `/api/v1/tracker/operations/${id}/`, () => {
      press();
      return new Promise<Response>(() => {});
    });
  const args = ["mission", "publish", "--issue", "PAY-7", "--mission-id", "M-1", "--state", "x"];
  const { code, err } = await person.run(args, {
    onStop: (stop) => {
      if (stop !== null) press = stop;
    },
  });
  expect(code).toBe(130);
  expect(err).toContain(`It continues. Wait for it again: tracker sync wait ${id}`);
});

test.each<[string[], string]>([
  [["seed"], "--issue is missing."],
  [["publish", "--issue", "PAY-7"], "--mission-id is missing."],
  [["publish", "--issue", "PAY-7", "--mission-id", "M-1"], "--state is missing."],
])("tracker mission %j exits 2", async (args, told) => {
  const { code, err } = await person.run(["mission", ...args]);
  expect(code).toBe(2);
  expect(err).toContain(told);
});
