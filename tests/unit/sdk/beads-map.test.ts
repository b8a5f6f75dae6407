import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readAnswer } from "../../../src/sdk/connectors/beads/command.ts";
import {
  canonicalIssues,
  canonicalPriority,
  commentsOf,
  nativePriority,
  nativeType,
  readExport,
} from "../../../src/sdk/connectors/beads/map.ts";
import { IssuePayloadContractError } from "../../../src/sdk/errors.ts";
import { CanonicalIssueType, type IssueFields } from "../../../src/sdk/model.ts";
import { failureOf } from "../../helpers/failure.ts";

/** A line of an export with what bd never leaves out. */
const line = (membersOf: Readonly<Record<string, unknown>> = {}) => ({
  _type: "issue",
  id: "pay-1",
  title: "Refund twice",
  status: "open",
  priority: 2,
  issue_type: "task",
  created_at: "2026-03-01T10:00:00+01:00",
  updated_at: "2026-03-02T09:00:00.123456Z",
  ...membersOf,
});

const text = (...lines: readonly unknown[]) => lines.map((each) => `${JSON.stringify(each)}\n`).join("");

function read(lines: readonly unknown[], custom: Readonly<Record<string, string>> = {}) {
  return canonicalIssues(readExport(text(...lines)), "payments", new Map(Object.entries(custom)));
}

function only(membersOf: Readonly<Record<string, unknown>> = {}, custom?: Readonly<Record<string, string>>) {
  const [issue] = read([line(membersOf)], custom);
  if (issue === undefined) throw new Error("there is no issue");
  return issue;
}

test("an issue with nothing but what it must have", () => {
  expect(only()).toEqual({
    ref: { system: "beads", workspace: "payments", id: "pay-1", key: "pay-1" },
    title: "Refund twice",
    body: null,
    status: "todo",
    issueType: "task",
    priority: 3,
    assignees: [],
    labels: [],
    parent: null,
    links: [],
    customFields: {},
    createdAt: "2026-03-01T09:00:00.000Z",
    updatedAt: "2026-03-02T09:00:00.123Z",
    revision: null,
    raw: line(),
  });
});

test("an issue with everything; what the model has no place for is in raw", () => {
  const full = {
    description: "Two\nlines",
    assignee: "ada",
    labels: ["api", "payments"],
    metadata: { effort: 3, tracker_create: "0".repeat(32) },
    design: "As before",
    external_ref: "gh-9",
    dependency_count: 0,
  };
  expect(only(full)).toMatchObject({
    body: "Two\nlines",
    assignees: ["ada"],
    labels: ["api", "payments"],
    customFields: { effort: 3 },
    raw: full,
  });
});

test.each([
  ["open", "todo"],
  ["deferred", "todo"],
  ["in_progress", "in_progress"],
  ["hooked", "in_progress"],
  ["pinned", "in_progress"],
  ["blocked", "blocked"],
  ["closed", "done"],
  ["in_review", "in_review"],
  ["canceled", "canceled"],
])("status %s is %s", (native, status) => {
  expect(String(only({ status: native }).status)).toBe(status);
});

test.each([
  ["active", "todo"],
  ["wip", "in_progress"],
  ["frozen", "todo"],
  ["done", "done"],
])("a status of the project's own that is %s is %s", (category, status) => {
  expect(String(only({ status: "qa" }, { qa: category }).status)).toBe(status);
});

test("a status that nobody explained is no status", () => {
  for (const custom of [{}, { qa: "unspecified" }, { qa: "toString" }]) {
    expect(() => only({ status: "qa" }, custom)).toThrow(
      "pay-1.status: qa is unknown; set one of the categories",
    );
  }
  for (const status of ["constructor", "toString", "__proto__"]) {
    expect(() => only({ status })).toThrow(IssuePayloadContractError);
  }
});

test("types keep their meaning; those that the model has no word for are tasks", () => {
  const types = Object.fromEntries(
    ["bug", "feature", "story", "epic", "chore", "task", "decision", "spike", "milestone", "convoy"].map(
      (type) => [type, only({ issue_type: type }).issueType],
    ),
  );
  expect(types).toEqual({
    bug: "bug",
    feature: "story",
    story: "story",
    epic: "epic",
    chore: "chore",
    task: "task",
    decision: "task",
    spike: "task",
    milestone: "task",
    convoy: "task",
  });
  for (const type of CanonicalIssueType.options) {
    if (type === "subtask")
      expect(() => nativeType(type)).toThrow("beads does not support the type subtask.");
    else expect(only({ issue_type: nativeType(type) }).issueType).toBe(type);
  }
});

test("priorities are one to one; no priority is refused", () => {
  for (const native of [0, 1, 2, 3, 4]) expect(nativePriority(canonicalPriority(native))).toBe(native);
  for (const priority of [0, 1, 2, 3, 4]) expect(canonicalPriority(nativePriority(priority))).toBe(priority);
  expect([0, 4].map(canonicalPriority)).toEqual([1, 0]);
  expect(() => nativePriority(null)).toThrow("always has a priority");
});

describe("dependencies", () => {
  const dependency = (issue_id: string, depends_on_id: string, type: string) => ({
    issue_id,
    depends_on_id,
    type,
  });
  const linksOf = ({ links }: Pick<IssueFields, "links">) =>
    links.map(({ type, target }) => `${type} ${target.id}`);

  test("show at both ends", () => {
    const issues = read([
      line({
        id: "a",
        dependencies: [
          dependency("a", "b", "blocks"),
          dependency("a", "c", "related"),
          dependency("a", "d", "duplicates"),
          dependency("a", "e", "parent-child"),
          dependency("a", "f", "discovered-from"),
          dependency("a", "external:other:thing", "blocks"),
          dependency("a", "gone", "blocks"),
        ],
      }),
      ...["b", "c", "d", "e", "f"].map((id) => line({ id })),
    ]);
    expect(Object.fromEntries(issues.map((issue) => [issue.ref.id, linksOf(issue)]))).toEqual({
      a: ["blocked_by b", "duplicates d", "relates_to c"],
      b: ["blocks a"],
      c: ["relates_to a"],
      d: [],
      e: [],
      f: [],
    });
    expect(issues.map(({ parent }) => parent?.id ?? null)).toEqual(["e", null, null, null, null, null]);
  });

  test("that are recorded twice are one link", () => {
    const issues = read([
      line({ id: "a", dependencies: [dependency("a", "b", "relates-to")] }),
      line({ id: "b", dependencies: [dependency("b", "a", "relates-to")] }),
    ]);
    expect(issues.map(linksOf)).toEqual([["relates_to b"], ["relates_to a"]]);
  });

  test("of any kind are the same from both ends, in whatever order they come", () => {
    const ids = ["a", "b", "c", "d"] as const;
    const edge = fc.record({
      issue_id: fc.constantFrom(...ids),
      depends_on_id: fc.constantFrom(...ids),
      type: fc.constantFrom("blocks", "related", "relates-to"),
    });
    const INVERSE = new Map([
      ["blocks", "blocked_by"],
      ["blocked_by", "blocks"],
      ["relates_to", "relates_to"],
    ]);
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 8 }), (edges) => {
        const lines = (list: typeof edges) =>
          ids.map((id) => line({ id, dependencies: list.filter(({ issue_id }) => issue_id === id) }));
        const issues = read(lines(edges));
        for (const { ref, links } of issues) {
          for (const { type, target } of links) {
            const other = issues.find((issue) => issue.ref.id === target.id);
            expect(other === undefined ? [] : linksOf(other)).toContain(`${INVERSE.get(type)} ${ref.id}`);
          }
        }
        expect(read(lines(edges.toReversed())).map(linksOf)).toEqual(issues.map(linksOf));
      }),
    );
  });
});

test("what is no issue is passed over: memories, machinery, tombstones and empty lines", () => {
  const others = [
    { _type: "memory", key: "k", value: "v" },
    line({ id: "pay-2", status: "tombstone" }),
    ...["gate", "message", "molecule", "event", "agent"].map((issue_type) =>
      line({ id: issue_type, issue_type }),
    ),
  ];
  expect(read(others)).toEqual([]);
  expect(readExport("\n\n")).toEqual([]);
});

test("releases that do not say what a line is are read, too", () => {
  const { _type, ...bare } = line();
  expect(read([bare])).toHaveLength(1);
});

test.each([
  ["export.1.id", line({ id: undefined })],
  ["export.1.id", line({ id: "" })],
  ["export.1.id", line({ id: 7 })],
  ["export.1.title", line({ title: null })],
  ["export.1.title", line({ title: "" })],
  ["export.1.status", line({ status: undefined })],
  ["export.1.priority", line({ priority: undefined })],
  ["export.1.priority", line({ priority: "2" })],
  ["export.1.priority", line({ priority: 5 })],
  ["export.1.issue_type", line({ issue_type: undefined })],
  ["export.1.created_at", line({ created_at: "yesterday" })],
  ["export.1.updated_at", line({ updated_at: undefined })],
  ["export.1.labels", line({ labels: "api" })],
  ["export.1.labels.1", line({ labels: ["api", {}] })],
  ["export.1.dependencies.0.type", line({ dependencies: [{ issue_id: "a", depends_on_id: "b" }] })],
  ["export.1.comments.0.text", line({ comments: [{ id: 1, created_at: "2026-03-01T09:00:00Z" }] })],
  ["export.1.description", line({ description: {} })],
  ["export.1.id", [line()]],
  ["export.1", null],
  ["export.1", "an issue"],
])("%s is named when it is not as it should be", async (path, broken) => {
  const failure = await failureOf(() => readExport(text(broken)));
  expect(failure).toBeInstanceOf(IssuePayloadContractError);
  expect(failure).toMatchObject({ fieldPath: path, failureClass: "contract" });
});

test("a line that is no JSON is named", async () => {
  const output = `${text(line())}<html>\u001b[31mno</html>\n`;
  expect(await failureOf(() => readExport(output))).toMatchObject({
    fieldPath: "export.2",
    message: "beads issue: export.2: is not JSON: <html>[31mno</html>",
  });
});

test("metadata that has no members is no custom field", () => {
  for (const metadata of ["text", 3, [1], null]) expect(only({ metadata }).customFields).toEqual({});
});

test("comments come oldest first, whatever their ids are", () => {
  const comment = (id: string | number, created_at: string, author?: string) => ({
    id,
    text: `c${id}`,
    created_at,
    author,
  });
  const comments = [
    comment(2, "2026-03-02T09:00:00Z", "ada"),
    comment("x", "2026-03-01T09:00:00Z", ""),
    comment("y", "2026-03-01T09:00:00Z"),
  ];
  const [issue] = readExport(text(line({ comments })));
  expect(issue && commentsOf(issue).map(({ comment: { id, author } }) => [id, author])).toEqual([
    ["x", null],
    ["y", null],
    ["2", "ada"],
  ]);
});

test("answers are the same however they are wrapped", () => {
  const issue = { id: "pay-1" };
  for (const answer of [
    issue,
    { schema_version: 1, data: issue },
    { schema_version: 2, data: issue, more: 1 },
  ]) {
    expect(readAnswer(JSON.stringify(answer), "create")).toEqual(issue);
  }
  for (const answer of [
    [issue],
    { schema_version: 1, data: [issue] },
    { schema_version: 1, items: [issue] },
  ]) {
    expect(readAnswer(JSON.stringify(answer), "list")).toEqual([issue]);
  }
  expect(() => readAnswer("✓ Created issue: pay-1", "create")).toThrow(
    "create: is not JSON: ✓ Created issue: pay-1",
  );
  expect(() => readAnswer("", "create")).toThrow("create: is not JSON: empty output");
});
