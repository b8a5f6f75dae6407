import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import { documentOf } from "../../../src/sdk/connectors/jira/adf-markdown.ts";
import {
  customFieldsOf,
  readCustomFields,
  writtenCustomFields,
} from "../../../src/sdk/connectors/jira/custom-fields.ts";
import { canonicalIssue, NativeIssue } from "../../../src/sdk/connectors/jira/map.ts";
import {
  meaningOfLink,
  meaningOfStatus,
  meaningOfType,
  mostCommon,
  priorityFor,
  rankOfPriority,
} from "../../../src/sdk/connectors/jira/names.ts";
import { jqlText } from "../../../src/sdk/connectors/jira/project.ts";
import { wordsInJql } from "../../../src/sdk/connectors/jira/search.ts";
import { parsePayload } from "../../../src/sdk/connectors/shared/arguments.ts";
import { CanonicalIssue, identityOf } from "../../../src/sdk/model.ts";

describe("statuses", () => {
  const cases = [
    ["new", "Blocked", "todo"],
    ["new", "Ready for review", "todo"],
    ["indeterminate", "Doing", "in_progress"],
    ["indeterminate", "Code Review", "in_review"],
    ["indeterminate", "Blocked by vendor", "blocked"],
    ["indeterminate", "Unblocked", "in_progress"],
    ["done", "Closed", "done"],
    ["done", "Cancelled", "canceled"],
    ["done", "Won't Do", "canceled"],
    ["done", "Won’t fix", "canceled"],
    ["done", "WONTFIX", "canceled"],
    ["done", "Rejected", "canceled"],
    ["done", "Declined", "canceled"],
    ["done", "Duplicate", "canceled"],
    ["done", "Invalid", "canceled"],
    ["undefined", "Somewhere", null],
  ] as const;
  test.each(cases)("of category %s, named %s: %s", (category, name, status) => {
    expect(meaningOfStatus({ name, statusCategory: { key: category } }, {})).toBe(status);
  });

  test("a mapped name comes first, in whatever letters", () => {
    const status = { name: "qa ", statusCategory: { key: "undefined" } };
    expect(meaningOfStatus(status, { in_review: "QA" })).toBe("in_review");
  });
});

test("issue types", () => {
  const type = (name: string, hierarchyLevel?: number, subtask = false) =>
    meaningOfType({ name, subtask, hierarchyLevel });
  expect(type("Sub-task", -1, true)).toBe("subtask");
  expect(type("Technical task", undefined, true)).toBe("subtask");
  expect(type("Initiative", 2)).toBe("epic");
  expect(type("Epic")).toBe("epic");
  expect(type("User Story", 0)).toBe("story");
  expect(type("New Feature")).toBe("story");
  expect(type("Bug")).toBe("bug");
  expect(type("Chore")).toBe("chore");
  expect(type("Service Request")).toBe("task");
  expect(type("Debugger")).toBe("task");
});

test("priorities", () => {
  const names = ["Blocker", "Highest", "High", "Medium", "Minor", "Lowest", "Low", "P7"];
  expect(names.map(rankOfPriority)).toEqual([1, 1, 2, 3, 4, 4, 4, null]);
  const site = names.map((name) => ({ name }));
  expect([1, 2, 3, 4, 0].map((rank) => priorityFor(site, rank)?.name)).toEqual([
    "Highest",
    "High",
    "Medium",
    "Low",
    undefined,
  ]);
  expect(mostCommon([{ name: "Odd" }, { name: "bug" }], ["Bug"])).toEqual({ name: "bug" });
});

test("links read the same in whatever letters", () => {
  expect(
    ["Blocks", " is blocked by", "relates to", "duplicates", "is duplicated by", "clones"].map(meaningOfLink),
  ).toEqual(["blocks", "blocked_by", "relates_to", "duplicates", null, null]);
});

test("nothing that somebody looks for gets out of its quotes in JQL", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const words = wordsInJql(text);
      if (words !== null) expect(words).toMatch(/^"[\p{L}\p{M}\p{N} ]+"$/u);
    }),
  );
  expect(wordsInJql("a AND b")).toBe('"a and b"');
  expect(wordsInJql("?!")).toBeNull();
  expect(jqlText("10001")).toBe("10001");
  expect(jqlText('PAY" OR 1')).toBe('"PAY\\" OR 1"');
});

test("decisions come back as they were written, whatever is in them; what people write is kept as text", () => {
  const custom = customFieldsOf({ decisionsFieldId: "customfield_2" });
  const decision = fc.record({ id: fc.string(), blocking: fc.boolean(), title: fc.string() });
  fc.assert(
    fc.property(fc.array(decision), (decision_refs) => {
      expect(readCustomFields(custom, writtenCustomFields(custom, {}, { decision_refs }))).toEqual({
        decision_refs,
      });
    }),
  );
  const read = (value: unknown) => readCustomFields(custom, { customfield_2: value });
  for (const text of ["see the wiki", "{}", "[1, 2"]) expect(read(text)).toEqual({ decision_refs: text });
  for (const nothing of [undefined, null, "", " ", documentOf("")]) expect(read(nothing)).toEqual({});
  expect(() => read(7)).toThrow("issue.fields.customfield_2");
});

describe("an issue", () => {
  const reading = {
    workspace: "10001",
    siteUrl: "https://acme.test",
    statusNames: {},
    customFields: customFieldsOf({ missionFieldId: "customfield_1" }),
  };
  const native = fc.record({
    id: fc.integer({ min: 1 }).map(String),
    key: fc.constant("PAY-7"),
    fields: fc.record({
      summary: fc.string({ minLength: 1 }),
      description: fc.option(fc.string().map((text) => documentOf(text))),
      status: fc.constantFrom(
        { name: "To Do", statusCategory: { key: "new" } },
        { name: "In Review", statusCategory: { key: "indeterminate" } },
        { name: "Canceled", statusCategory: { key: "done" } },
      ),
      issuetype: fc.constantFrom(
        { name: "Bug", subtask: false, hierarchyLevel: 0 },
        { name: "Sub-task", subtask: true },
      ),
      priority: fc.option(fc.constantFrom({ name: "High" }, { name: "P1" })),
      assignee: fc.option(fc.record({ accountId: fc.string({ minLength: 1 }) })),
      labels: fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/)),
      parent: fc.option(fc.constant({ id: "1", key: "PAY-1" }), { nil: null }),
      issuelinks: fc.array(
        fc.record({
          id: fc.integer({ min: 1 }).map(String),
          type: fc.constantFrom(
            { inward: "is blocked by", outward: "blocks" },
            { inward: "is cloned by", outward: "clones" },
          ),
          outwardIssue: fc.constantFrom({ id: "2", key: "PAY-2" }, { id: "3", key: "OPS-3" }),
        }),
      ),
      project: fc.constant({ id: "10001", key: "PAY" }),
      created: fc.constant("2026-03-01T10:00:00.000+0100"),
      updated: fc.constant("2026-03-01T10:00:01.000+0100"),
      customfield_1: fc.option(fc.string()),
    }),
  });

  test("is read whole, and keeps its payload", () => {
    fc.assert(
      fc.property(native, (raw) => {
        const issue = canonicalIssue(parsePayload("jira", NativeIssue, raw, "issue"), raw, reading);
        expect(v.parse(CanonicalIssue, issue)).toEqual(issue);
        const { fields } = raw;
        expect(issue).toMatchObject({
          title: fields.summary,
          labels: fields.labels,
          createdAt: "2026-03-01T09:00:00.000Z",
          updatedAt: "2026-03-01T09:00:01.000Z",
        });
        expect(issue.assignees).toEqual(fields.assignee ? [fields.assignee.accountId] : []);
        expect<unknown>(issue.raw).toEqual(raw);
        const blocked = fields.issuelinks
          .filter(({ type }) => type.outward === "blocks")
          .map(({ outwardIssue }) => outwardIssue.id);
        expect(new Set(issue.links.map(({ target }) => target.id))).toEqual(new Set(blocked));
        expect(new Set(issue.links.map(({ target }) => identityOf(target))).size).toBe(issue.links.length);
      }),
    );
  });
});
