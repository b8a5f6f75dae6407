import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  canonicalIssues,
  nativePriority,
  readComments,
  readIssues,
} from "../../../src/sdk/connectors/fp/map.ts";
import { withMark } from "../../../src/sdk/connectors/shared/marker.ts";
import { IssuePayloadContractError } from "../../../src/sdk/errors.ts";
import { failureOf } from "../../helpers/failure.ts";

const ID = "sxflialvmviogismmsczmwrvnsdbpnrb";

const issue = (members: Readonly<Record<string, unknown>> = {}) => ({
  id: ID,
  shortId: ID.slice(0, 8),
  title: "Refund twice",
  description: "",
  status: "todo",
  priority: null,
  parent: null,
  dependencies: [],
  createdAt: "2026-03-01T09:00:00.000Z",
  updatedAt: "2026-03-02T09:00:00.000Z",
  properties: {},
  ...members,
});

const printed = (...issues: readonly unknown[]) => JSON.stringify({ issues }, null, 2);

function read(...issues: readonly unknown[]) {
  return canonicalIssues(readIssues(printed(...issues)), "payments");
}

function only(members: Readonly<Record<string, unknown>> = {}) {
  const [found] = read(issue(members));
  if (found === undefined) throw new Error("there is no issue");
  return found;
}

test("an issue with nothing but what it must have", () => {
  expect(only()).toEqual({
    ref: { system: "fp", workspace: "payments", id: ID, key: ID },
    title: "Refund twice",
    body: null,
    status: "todo",
    issueType: "task",
    priority: null,
    assignees: [],
    labels: [],
    parent: null,
    links: [],
    customFields: {},
    createdAt: "2026-03-01T09:00:00.000Z",
    updatedAt: "2026-03-02T09:00:00.000Z",
    revision: null,
    raw: issue(),
  });
});

test("an issue with everything", () => {
  const [child, parent, blocker] = read(
    issue({
      description: withMark("Two\nlines", "0".repeat(32)),
      priority: "critical",
      parent: "parent",
      dependencies: ["blocker", "elsewhere"],
      assignee: "ada",
      properties: { labels: ["api"], effort: "3" },
    }),
    issue({ id: "parent" }),
    issue({ id: "blocker" }),
  );
  expect(child).toMatchObject({
    body: "Two\nlines",
    priority: 1,
    parent: { id: "parent" },
    links: [{ type: "blocked_by", target: { id: "blocker" } }],
    assignees: ["ada"],
    labels: ["api"],
    customFields: { effort: "3" },
  });
  expect(parent?.links).toEqual([]);
  expect(blocker?.links).toEqual([
    { type: "blocks", target: { system: "fp", workspace: "payments", id: ID, key: ID } },
  ]);
});

test("an issue of a release that prints no properties", () => {
  expect(only({ properties: undefined })).toMatchObject({ labels: [], customFields: {} });
  expect(only({ properties: { labels: null } })).toMatchObject({ labels: [] });
});

test.each([
  ["todo", "todo"],
  ["in-progress", "in_progress"],
  ["in_progress", "in_progress"],
  ["in-review", "in_review"],
  ["blocked", "blocked"],
  ["done", "done"],
  ["cancelled", "canceled"],
])("status %s is %s", (native, status) => {
  expect(String(only({ status: native }).status)).toBe(status);
});

test("priorities are one to one where fp has a word; others are refused", () => {
  for (const priority of [1, 2, 3, 4])
    expect(only({ priority: nativePriority(priority) }).priority).toBe(priority);
  for (const priority of [0, null])
    expect(() => nativePriority(priority)).toThrow("fp supports the priorities 1 to 4");
});

test("texts with line breaks and tabs as they are, and log lines before the answer", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\n", "\t", '"', "\\", "{", "é", "\u0007") });
  fc.assert(
    fc.property(text, (description) => {
      const raw = printed(issue({ description })).replaceAll("\\u0007", "\u0007");
      const broken = raw.replace(/(?<!\\)((?:\\\\)*)\\n/g, "$1\n").replace(/(?<!\\)((?:\\\\)*)\\t/g, "$1\t");
      const [found] = readIssues(`timestamp=2026 level=INFO message={}\n${broken}\n`);
      expect(found?.issue.description).toBe(description);
    }),
  );
});

test.each([
  ["issues.0.id", issue({ id: "" })],
  ["issues.0.title", issue({ title: 7 })],
  ["issues.0.status", issue({ status: null })],
  ["issues.0.createdAt", issue({ createdAt: undefined })],
  ["issues.0.updatedAt", issue({ updatedAt: "soon" })],
  ["issues.0.dependencies", issue({ dependencies: "a,b" })],
  ["issues.0.properties", issue({ properties: "none" })],
  ["issues.0", "an issue"],
  [`${ID}.status`, issue({ status: "selected" })],
  [`${ID}.status`, issue({ status: "constructor" })],
  [`${ID}.priority`, issue({ priority: "P1" })],
  [`${ID}.properties.labels`, issue({ properties: { labels: "api" } })],
])("%s is named when it is not as it should be", async (path, broken) => {
  expect(await failureOf(() => read(broken))).toMatchObject({ fieldPath: path, failureClass: "contract" });
});

test.each(["", "[]", "null", '{"issues":{}}', "<html>", '{"issues":[', '"issues"'])(
  "output that is no listing is refused: %s",
  async (output) => {
    expect(await failureOf(() => readIssues(output))).toBeInstanceOf(IssuePayloadContractError);
  },
);

test("a release that prints lines only is named as what it is", () => {
  for (const output of [
    "FP-1 [todo] First\n",
    "├── FP-2 [in-progress] [high] Second\n",
    "│   └── FP-3 [done] Third\n",
  ]) {
    expect(() => readIssues(output)).toThrow("fp 0.24 or newer is required");
  }
});

test("comments come oldest first, without their marks", () => {
  const output = JSON.stringify({
    comments: [
      { id: "2", issueId: ID, author: null, content: "second", createdAt: "2026-03-02T09:00:00Z" },
      {
        id: "1",
        issueId: ID,
        author: "ada",
        content: withMark("first", "a".repeat(32)),
        createdAt: "2026-03-01T09:00:00Z",
      },
    ],
  });
  expect(readComments(output)).toEqual([
    {
      comment: { id: "1", body: "first", author: "ada", createdAt: "2026-03-01T09:00:00.000Z" },
      mark: "a".repeat(32),
    },
    { comment: { id: "2", body: "second", author: null, createdAt: "2026-03-02T09:00:00.000Z" }, mark: null },
  ]);
  expect(() => readComments('{"comments":[{"id":"1"}]}')).toThrow("list.comments.0.content");
});
