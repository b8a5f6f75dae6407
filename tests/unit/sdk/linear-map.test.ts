import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import {
  canonicalComment,
  canonicalIssue,
  identifierFrom,
  idOf,
  type NativeIssue,
  type NativeState,
  plainInput,
  relationInput,
  relationsOf,
  statusOf,
} from "../../../src/sdk/connectors/linear/map.ts";
import { CanonicalIssue, type LinkType } from "../../../src/sdk/model.ts";

const state = (type: NativeState["type"], name: string): NativeState => ({
  id: `${type} ${name}`,
  name,
  type,
});

describe("workflow states", () => {
  test.each([
    ["triage", "Triage", "todo"],
    ["backlog", "Blocked ideas", "todo"],
    ["unstarted", "Todo", "todo"],
    ["started", "In Progress", "in_progress"],
    ["started", "Preview", "in_progress"],
    ["started", "In Review", "in_review"],
    ["started", "Code-review", "in_review"],
    ["started", "REVIEWING", "in_review"],
    ["started", "Blocked", "blocked"],
    ["started", "Review blocked", "blocked"],
    ["started", "Unblocked", "in_progress"],
    ["completed", "Reviewed", "done"],
    ["canceled", "Won't do", "canceled"],
    ["duplicate", "Duplicate", "canceled"],
  ] as const)("%s %p is %s", (type, name, status) => {
    expect(statusOf(state(type, name), undefined)).toBe(status);
  });

  test("mean what was chosen for them, whatever they are", () => {
    const qa = state("completed", "QA");
    expect(statusOf(qa, { in_review: qa.id })).toBe("in_review");
    expect(statusOf(qa, { in_review: "another" })).toBe("done");
  });
});

const id = fc.uuid();
const filled = fc.string({ minLength: 1 });
const end = fc.record({
  id,
  identifier: fc.integer({ min: 1 }).map((number) => `ENG-${number}`),
  url: fc.constant("https://linear.app/acme/issue/ENG-1/words-of-the-title"),
  team: fc.record({ id }),
});
const instant = fc
  .date({ min: new Date("2020-01-01"), max: new Date("2030-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString());
const native: fc.Arbitrary<NativeIssue> = fc.record({
  id,
  identifier: fc.constant("ENG-7"),
  url: fc.constant("https://linear.app/acme/issue/ENG-7/words-of-the-title"),
  title: filled,
  description: fc.option(fc.string()),
  priority: fc.constantFrom(0, 1, 2, 3, 4),
  createdAt: instant,
  updatedAt: instant,
  archivedAt: fc.option(instant),
  trashed: fc.constant(null),
  team: fc.record({ id }),
  state: fc.record({
    id,
    name: fc.string(),
    type: fc.constantFrom("triage", "backlog", "unstarted", "started", "completed", "canceled", "duplicate"),
  }),
  assignee: fc.option(fc.record({ id, displayName: filled })),
  parent: fc.option(end),
  labels: fc.record({ nodes: fc.array(fc.record({ id, name: filled })) }),
  relations: fc.record({
    nodes: fc.array(
      fc.record({
        id,
        type: fc.constantFrom("blocks", "duplicate", "related", "similar"),
        relatedIssue: end,
      }),
    ),
  }),
  inverseRelations: fc.record({
    nodes: fc.array(
      fc.record({ id, type: fc.constantFrom("blocks", "duplicate", "related", "similar"), issue: end }),
    ),
  }),
});

describe("an issue", () => {
  test("is one of the model, whatever Linear has in it", () => {
    fc.assert(
      fc.property(native, (issue) => {
        const canonical = canonicalIssue(issue, undefined);
        expect(v.parse(CanonicalIssue, canonical)).toEqual(canonical);
        expect(canonical.raw).toEqual(issue);
      }),
    );
  });

  test("loses nothing on the way to the model and back", () => {
    fc.assert(
      fc.property(native, (issue) => {
        const { title, body, priority, parent, labels, assignees, ref, links } = canonicalIssue(
          issue,
          undefined,
        );
        expect(plainInput({ title, body, priority, parent })).toEqual({
          title: issue.title,
          description: issue.description ?? "",
          priority: issue.priority,
          parentId: issue.parent?.id ?? null,
        });
        expect(new Set(labels)).toEqual(new Set(issue.labels.nodes.map(({ name }) => name)));
        expect(assignees).toEqual(issue.assignee === null ? [] : [issue.assignee.displayName]);
        const written = links.map((link) => JSON.stringify(relationInput(ref.id, link)));
        const { relations, inverseRelations } = issue;
        const related = [
          ...relations.nodes.map(({ type, relatedIssue }) => [type, issue.id, relatedIssue.id] as const),
          ...inverseRelations.nodes
            .filter(({ type }) => type !== "duplicate")
            // A symmetric relation is written from either end.
            .map(({ type, issue: other }) =>
              type === "related"
                ? ([type, issue.id, other.id] as const)
                : ([type, other.id, issue.id] as const),
            ),
        ].filter(([type]) => type !== "similar");
        const read = related.map(([type, issueId, relatedIssueId]) =>
          JSON.stringify({ issueId, relatedIssueId, type }),
        );
        expect(new Set(written)).toEqual(new Set(read));
      }),
    );
  });

  test("without a priority, body or assignee has none", () => {
    const [issue] = fc.sample(native, { numRuns: 1, seed: 7 });
    if (issue === undefined) throw new Error("no issue");
    const empty = { ...issue, priority: 0, description: "", assignee: null } as const;
    expect(canonicalIssue(empty, undefined)).toMatchObject({
      priority: null,
      body: null,
      assignees: [],
      ref: { key: "ENG-7", url: "https://linear.app/acme/issue/ENG-7" },
    });
  });

  test.each(["parent_of", "child_of"] satisfies readonly LinkType[])("is not related by %s", (type) => {
    const target = { system: "linear", workspace: "t", id: "1" };
    expect(() => relationInput("2", { type, target })).toThrow(type);
  });

  test("keeps the id of each relation, of links that are there twice too", () => {
    const other = { id: "b", identifier: "ENG-2", url: "", team: { id: "t" } };
    const relations = relationsOf({
      relations: { nodes: [{ id: "1", type: "related", relatedIssue: other }] },
      inverseRelations: { nodes: [{ id: "2", type: "related", issue: other }] },
    });
    expect(relations.map((relation) => relation.id)).toEqual(["1", "2"]);
  });
});

test("a comment is its user's, somebody's outside, a bot's, or nobody's", () => {
  const said = { id: "1", body: "Hello", createdAt: "2026-03-01T09:00:00.000Z" };
  const none = { user: null, externalUser: null, botActor: null };
  const [ada, eve] = [{ displayName: "ada" }, { displayName: "eve" }];
  const authors = [
    { ...none, user: ada, botActor: { name: "CI" } },
    { ...none, externalUser: eve },
    { ...none, botActor: { name: "CI" } },
    { ...none, botActor: { name: null } },
    none,
  ].map((who) => canonicalComment({ ...said, ...who }).author);
  expect(authors).toEqual(["ada", "eve", "CI", null, null]);
});

describe("the id of what is created", () => {
  const V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  test("is a UUID of version 4, the same for the same key", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.string(), (scope, key) => {
        expect(idOf(scope, key)).toMatch(V4);
        expect(idOf(scope, key)).toBe(idOf([...scope], key));
      }),
    );
  });

  test("is another one for another key, kind or place", () => {
    const ids = [
      idOf(["issue", "t"], "a"),
      idOf(["issue", "t"], "b"),
      idOf(["issue", "u"], "a"),
      idOf(["comment", "t"], "a"),
      idOf(["issue"], "ta"),
      idOf(["issue", "t", "a"], ""),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("never changes between releases: creates may be under way", () => {
    expect(idOf(["issue", "team"], "key")).toBe("2289eae2-c8f9-4388-8e7d-19b20fee6436");
  });
});

test.each([
  ["eng-7", { id: "ENG-7", organization: null }],
  ["A1B-12", { id: "A1B-12", organization: null }],
  ["https://linear.app/acme/issue/ENG-7/refund-twice", { id: "ENG-7", organization: "acme" }],
  ["https://linear.app/acme/issue/eng-7", { id: "ENG-7", organization: "acme" }],
  ["https://linear.app/acme/issue/ENG-7x", null],
  ["https://linear.app/acme/team/ENG", null],
  [
    "6F1C2D7E-58A4-4B0E-9C63-0D8F3A1B7E25",
    { id: "6f1c2d7e-58a4-4b0e-9c63-0d8f3a1b7e25", organization: null },
  ],
  ["ENG-", null],
  ["ENG 7", null],
])("%p asks for %p", (key, asked) => {
  expect(identifierFrom(key)).toEqual(asked);
});
