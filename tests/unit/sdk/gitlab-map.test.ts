/** GitLab's issues in the canonical model: nothing is lost that the model carries. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import {
  canonicalComment,
  canonicalIssue,
  displacedLabels,
  NativeNote,
  parseIssueKey,
  readIssue,
  readLinks,
  setChanges,
} from "../../../src/sdk/connectors/gitlab/map.ts";
import { withMark } from "../../../src/sdk/connectors/shared/marker.ts";
import { CanonicalIssue } from "../../../src/sdk/model.ts";

const PAYLOAD = {
  id: 84,
  iid: 14,
  project_id: 4,
  title: "Issues with auth",
  description: "Why?",
  state: "opened",
  issue_type: "issue",
  labels: ["bug"],
  assignees: [{ id: 9, username: "lennie", name: "Lennie" }],
  created_at: "2016-01-07T12:44:33.959Z",
  updated_at: "2016-01-07T14:46:01.410+01:00",
  closed_at: null,
  web_url: "https://gitlab.example/my-group/my-project/-/issues/14",
  subscribed: false,
  weight: null,
};

const read = (change: object = {}) => canonicalIssue(readIssue({ ...PAYLOAD, ...change }), []);

test("every field is where it belongs", () => {
  const { subscribed: _, ...raw } = PAYLOAD;
  expect(read()).toEqual({
    ref: { system: "gitlab", workspace: "4", id: "14", key: "#14", url: PAYLOAD.web_url },
    title: "Issues with auth",
    body: "Why?",
    status: "todo",
    issueType: "task",
    priority: null,
    assignees: ["lennie"],
    labels: ["bug"],
    parent: null,
    links: [],
    customFields: {},
    createdAt: "2016-01-07T12:44:33.959Z",
    updatedAt: "2016-01-07T13:46:01.410Z",
    revision: null,
    raw,
  });
});

test("whatever GitLab holds is carried, and raw is as it came", () => {
  const text = fc.string({ minLength: 1, unit: "grapheme" });
  const changes = fc.record({
    title: text,
    description: fc.option(fc.string({ unit: "grapheme" })),
    state: fc.constantFrom("opened", "closed"),
    labels: fc.uniqueArray(text),
    assignees: fc.uniqueArray(fc.record({ id: fc.integer({ min: 1 }), username: text })),
    weight: fc.jsonValue(),
  });
  fc.assert(
    fc.property(changes, (change) => {
      const issue = read(change);
      expect(v.parse(CanonicalIssue, issue)).toEqual(issue);
      expect(issue).toMatchObject({
        title: change.title,
        body: change.description,
        status: change.state === "closed" ? "done" : "todo",
        labels: change.labels,
        assignees: change.assignees.map(({ username }) => username).sort(),
      });
      expect(issue.raw).toMatchObject({ title: change.title, assignees: change.assignees });
    }),
  );
});

test("the mark of a create is not in the body", () => {
  const mark = "0".repeat(32);
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (body) => {
      expect(read({ description: withMark(body, mark) }).body).toBe(body);
    }),
  );
  expect(read({ description: withMark(null, mark) }).body).toBeNull();
  expect(read({ description: "" }).body).toBe("");
  expect(read({ description: null }).body).toBeNull();
});

test.each([
  ["issue", "task"],
  ["incident", "bug"],
  ["test_case", "chore"],
  ["requirement", "story"],
  ["task", "subtask"],
  ["ticket", "task"],
  ["epic", "epic"],
  ["objective", "task"],
  ["spaceship", "task"],
  [null, "task"],
] as const)("the type %s is a %s", (issue_type, issueType) => {
  expect(read({ issue_type })).toMatchObject({ issueType });
});

test("an issue of a server that has no types is a task", () => {
  const { issue_type: _, ...payload } = PAYLOAD;
  expect(canonicalIssue(readIssue(payload), []).issueType).toBe("task");
});

test("a closed issue tells since when", () => {
  const closed_at = "2016-01-08T12:00:00.000Z";
  expect(read({ state: "closed", closed_at })).toMatchObject({
    status: "done",
    fieldTimes: { status: closed_at },
  });
  expect(read({ state: "opened", closed_at })).not.toHaveProperty("fieldTimes");
});

test("links are seen from the issue that was asked; what has no project is left out", () => {
  const link = { iid: 2, project_id: 5, web_url: "https://gitlab.example/x/-/issues/2", issue_link_id: 8 };
  const target = { system: "gitlab", workspace: "5", id: "2", key: "#2", url: link.web_url };
  const types = ["blocks", "is_blocked_by", "relates_to"].map((link_type) => ({ ...link, link_type }));
  expect(readLinks([...types, { ...link, project_id: null, link_type: "relates_to" }])).toEqual([
    { id: 8, link: { type: "blocks", target } },
    { id: 8, link: { type: "blocked_by", target } },
    { id: 8, link: { type: "relates_to", target } },
  ]);
});

test("a note is a comment; its author may be gone", () => {
  const note = { id: 305, body: "Text", author: null, created_at: "2013-10-02T09:56:03Z", system: false };
  expect(canonicalComment(v.parse(NativeNote, note))).toEqual({
    id: "305",
    body: "Text",
    author: null,
    createdAt: "2013-10-02T09:56:03.000Z",
  });
});

test("what was added and removed leads from the one set to the other", () => {
  const set = fc.uniqueArray(fc.string({ maxLength: 2 }));
  fc.assert(
    fc.property(set, set, (before, after) => {
      const { added, removed } = setChanges(before, after);
      const there = new Set(before).difference(new Set(removed)).union(new Set(added));
      expect(there).toEqual(new Set(after));
      expect(new Set(added).isDisjointFrom(new Set(before))).toBe(true);
    }),
  );
});

describe("labels of one scope", () => {
  test.each([
    [["a::b", "a::c"], ["a::c"], ["a::b"]],
    [["a::b", "a::c"], ["a::b", "a::c"], []],
    [["a::b::x", "a::b"], ["a::b::x", "a::b"], []],
    [["a::b::x", "a::b::y", "plain"], ["a::b::y"], ["a::b::x"]],
    [["a::b::x", "a::c"], [], []],
    [["a::b"], [], []],
  ])("of %p, %p kept, displaced are %p", (added, kept, displaced) => {
    expect(displacedLabels(added, kept)).toEqual(displaced);
  });
});

describe("a key", () => {
  test.each([
    ["12", null, "12"],
    ["#12", null, "12"],
    ["acme/payments#12", "acme/payments", "12"],
    ["https://gitlab.example/acme/web/-/issues/12", "https://gitlab.example/acme/web", "12"],
    [
      "https://gitlab.example/acme/issues/-/work_items/12?x=1#note_3",
      "https://gitlab.example/acme/issues",
      "12",
    ],
    ["https://gitlab.example/root/acme/web/issues/12/", "https://gitlab.example/root/acme/web", "12"],
  ])("%s is an issue of %p", (key, project, id) => {
    expect(parseIssueKey(key)).toEqual({ project, id });
  });

  test.each([
    "",
    "PAY-7",
    "!12",
    "0",
    "#012",
    "1.5",
    "twelve",
    "https://gitlab.example/acme/web/-/merge_requests/1",
  ])("%s is none", (key) => {
    expect(parseIssueKey(key)).toBeNull();
  });
});
