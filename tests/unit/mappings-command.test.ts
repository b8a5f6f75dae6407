/** `tracker host mappings update`, in memory: what is sent, and how the answer is shown. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CommandLine } from "../helpers/command-line.ts";

const TARGET = "/api/v1/admin/mappings/srm_1/";
const MAPPING = {
  binding_ref: "srm_1",
  display_label: "Payments (PAY)",
  provider: "jira",
  status: "active",
  doctrine: { mode: "external_authoritative", field_owners: {} },
  connector_settings: {},
};

let person: CommandLine;
beforeEach(() => {
  person = new CommandLine();
});
afterEach(() => {
  person[Symbol.dispose]();
  person.stubs.verify();
});

const update = (...flags: string[]) => person.run(["host", "mappings", "update", "srm_1", ...flags]);

describe("tracker host mappings update", () => {
  test("decides owners, settings, or both", async () => {
    const doctrine = {
      mode: "split_ownership",
      field_owners: { title: "local" },
      conflict_strategy: "manual_review",
    };
    const owners = ["--doctrine-mode", "split_ownership", "--field-owner", "title=local"];
    const strategy = ["--conflict-strategy", "manual_review"];
    const settings = [
      ["--setting", "missionFieldId=customfield_10042"],
      ["--setting=statusNameMap.in_review=Peer = review"],
      ["--setting", "statusNameMap.done="],
      ["--setting", "defaultIssueType="],
    ].flat();
    const connector_settings = {
      missionFieldId: "customfield_10042",
      defaultIssueType: null,
      statusNameMap: { in_review: "Peer = review", done: null },
    };
    for (const [flags, body] of [
      [[...owners, ...strategy], { doctrine }],
      [settings, { connector_settings }],
      [[...owners, ...strategy, ...settings], { doctrine, connector_settings }],
    ] as const) {
      person.stubs.on("PATCH", TARGET, Response.json(MAPPING));
      expect(await update(...flags)).toMatchObject({ code: 0 });
      expect(person.sent().at(-1)).toEqual(body);
    }
  });

  test("shows what holds now", async () => {
    const doctrine = {
      mode: "split_ownership",
      field_owners: { title: "local" },
      conflict_strategy: "manual_review",
    };
    const connector_settings = { missionFieldId: "\u001b[2J", statusNameMap: { done: "Shipped" } };
    person.stubs.on("PATCH", TARGET, Response.json({ ...MAPPING, doctrine, connector_settings }));
    const { out } = await update("--setting", "missionFieldId=x");
    expect(out).toBe(
      'Payments (PAY): split_ownership, title: local, conflicts: manual_review, missionFieldId: \\u001b[2J, statusNameMap: {"done":"Shipped"}\n',
    );
  });

  test.each([
    [[], "--doctrine-mode or --setting is missing."],
    [["--field-owner", "title=local"], "--doctrine-mode"],
    [["--conflict-strategy", "manual_review"], "--conflict-strategy"],
    [["--setting", "missionFieldId"], '--setting takes name=value, not "missionFieldId"'],
    [["--setting", "=x"], "--setting takes name=value"],
  ])("refuses %j, and sends nothing", async (flags, told) => {
    const { code, err } = await update(...flags);
    expect(code).toBe(2);
    expect(err).toContain(told);
    expect(person.stubs.requests).toEqual([]);
  });
});
