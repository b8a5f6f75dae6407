import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import {
  canonicalIssue,
  issueTypeOf,
  readIssue,
  stateOf,
  typeNameFor,
} from "../../../src/sdk/connectors/github/map.ts";
import { markOf, withMark } from "../../../src/sdk/connectors/shared/marker.ts";
import { CanonicalIssue, CanonicalIssueType } from "../../../src/sdk/model.ts";

const NAME = "Acme/payments.api";
const text = fc.string({ unit: "grapheme", minLength: 1 });
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const second = fc
  .integer({ min: 0, max: 4_000_000_000 })
  .map((seconds) => new Date(seconds * 1000).toISOString());

/** Payloads of issues, as GitHub's documentation describes them, with members that the model does not know. */
const payload = fc.record({
  id: fc.integer({ min: 1 }),
  number: fc.integer({ min: 1 }),
  repository_url: fc.constantFrom(
    "https://api.github.com/repos/Acme/payments.api",
    "https://github.acme.test/api/v3/repos/acme/PAYMENTS.api",
  ),
  html_url: fc.constant("https://github.com/acme/payments.api/issues/7"),
  title: text,
  body: fc.option(fc.string({ unit: "grapheme" })),
  state: fc.constantFrom("open", "closed"),
  state_reason: fc.constantFrom(null, "completed", "reopened", "not_planned", "duplicate"),
  labels: fc.uniqueArray(
    text.map((label) => ({ id: 1, name: label })),
    { selector: (label) => label.name },
  ),
  assignees: fc.uniqueArray(
    name.map((login) => ({ login, id: 1 })),
    { selector: ({ login }) => login },
  ),
  type: fc.option(text.map((typeName) => ({ id: 1, name: typeName }))),
  created_at: second,
  updated_at: second,
  parent_issue_url: fc.option(
    fc
      .tuple(name, name, fc.integer({ min: 1 }))
      .map(([owner, repo, number]) => `https://api.github.com/repos/${owner}/${repo}/issues/${number}`),
  ),
  issue_dependencies_summary: fc.constant({ total_blocked_by: 0, total_blocking: 0 }),
  reactions: fc.dictionary(fc.stringMatching(/^[a-z+-]{1,8}$/), fc.integer()),
});

function read(value: unknown): CanonicalIssue {
  const issue = readIssue(value, "issue");
  if (issue === null) throw new Error("this is a pull request");
  return canonicalIssue(issue, NAME, []);
}

describe("an issue", () => {
  const bare = {
    id: 1,
    number: 7,
    repository_url: "https://api.github.com/repos/acme/payments.api",
    html_url: "https://github.com/acme/payments.api/issues/7",
    title: "Refund twice",
    body: null,
    state: "open",
    labels: [],
    assignees: [],
    created_at: "2026-03-01T09:00:00Z",
    updated_at: "2026-03-01T09:00:00Z",
  };

  test.each([
    ["of a server that is years behind", {}],
    ["whose author has left", { user: null, assignee: null, closed_by: null }],
    ["without type, reason and parent", { type: null, state_reason: null, parent_issue_url: null }],
  ])("%s is read", (_, more) => {
    expect(read({ ...bare, ...more })).toMatchObject({ body: null, status: "todo", issueType: "task" });
  });

  test("has labels that are words, and labels that are described", () => {
    const labels = ["bug", { name: "api", color: null, description: null }];
    expect(read({ ...bare, labels }).labels).toEqual(["bug", "api"]);
  });

  test("loses nothing that the model carries, and its payload nothing at all", () => {
    fc.assert(
      fc.property(payload, (native) => {
        const issue = read(native);
        expect(v.parse(CanonicalIssue, issue)).toEqual(issue);
        expect(issue.raw).toEqual(native);
        expect(issue).toMatchObject({
          ref: { system: "github", workspace: NAME, id: String(native.number), key: `#${native.number}` },
          title: native.title,
          body: native.body,
          labels: native.labels.map((label) => label.name),
          assignees: native.assignees.map(({ login }) => login),
          createdAt: native.created_at,
          updatedAt: native.updated_at,
        });
        expect(issue.parent === null).toBe(native.parent_issue_url === null);
        if (issue.parent !== null) {
          const path = `/${issue.parent.workspace}/issues/${issue.parent.id}`.toLowerCase();
          expect(native.parent_issue_url?.toLowerCase()).toEndWith(`/repos${path}`);
        }
      }),
    );
  });

  test("has the same status again when its state is written", () => {
    fc.assert(
      fc.property(payload, (native) => {
        const { status } = read(native);
        expect(read({ ...native, state_reason: null, ...stateOf(status) }).status).toBe(status);
      }),
    );
  });

  test("does not depend on members that only some answers have", () => {
    fc.assert(
      fc.property(payload, (native) => {
        expect(read({ ...native, closed_by: { login: "ada" } })).toEqual(read(native));
      }),
    );
  });

  test("is none when it is a pull request", () => {
    expect(readIssue({ pull_request: { url: "x" } }, "issue")).toBeNull();
  });

  test.each([
    ["open", null, "todo"],
    ["open", "reopened", "todo"],
    ["closed", null, "done"],
    ["closed", undefined, "done"],
    ["closed", "completed", "done"],
    ["closed", "not_planned", "canceled"],
    ["closed", "duplicate", "canceled"],
  ] as const)("that is %s as %p is %s", (state, state_reason, status) => {
    const [sample] = fc.sample(payload, 1);
    // As JSON has it: what is undefined is not there.
    const sent = JSON.stringify({ ...sample, state, state_reason });
    expect(read(JSON.parse(sent)).status).toBe(status);
  });
});

describe("a body", () => {
  const bodyOf = (body: string | null) => {
    const [sample] = fc.sample(payload, 1);
    return read({ ...sample, body }).body;
  };

  test("is read without the mark of its create, to the last byte", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.string(), (body, key) => {
        expect(bodyOf(withMark(body, markOf(key)))).toBe(body);
      }),
    );
    // GitHub's own editor ends lines in its own way.
    expect(bodyOf(withMark("One\nTwo", markOf("key")).replaceAll("\n", "\r\n"))).toBe("One\r\nTwo");
  });

  test("that is nothing but the mark is none", () => {
    expect(bodyOf(withMark(null, markOf("key")))).toBeNull();
    expect(bodyOf("")).toBe("");
    expect(bodyOf(null)).toBeNull();
  });

  test("without a mark is left as it is, trailing lines included", () => {
    expect(bodyOf("Text\r\n\r\n")).toBe("Text\r\n\r\n");
    expect(bodyOf("<!-- tracker:no -->")).toBe("<!-- tracker:no -->");
  });
});

describe("an issue type", () => {
  test.each([
    ["Bug", "bug"],
    ["BUG", "bug"],
    ["feature", "story"],
    ["Story", "story"],
    ["Task", "task"],
    ["Epic", "epic"],
    ["chore", "chore"],
    ["Subtask", "subtask"],
    ["Initiative", "task"],
    [undefined, "task"],
  ] as const)("called %p is a %s", (typeName, type) => {
    expect(issueTypeOf(typeName)).toBe(type);
  });

  test("that is written reads as what was meant", () => {
    const known: readonly string[] = ["Bug", "feature", "STORY", "Task", "Epic", "Chore", "Subtask", "Other"];
    const names = fc.subarray([...known]);
    fc.assert(
      fc.property(fc.constantFrom(...CanonicalIssueType.options), names, (type, offered) => {
        const written = typeNameFor(type, offered);
        const fitting = offered.filter((offer) => offer !== "Other" && issueTypeOf(offer) === type);
        if (written === null) expect(fitting).toEqual([]);
        else expect(fitting).toContain(written);
      }),
    );
  });

  test("is a story before it is a feature", () => {
    expect(typeNameFor("story", ["Feature", "Story"])).toBe("Story");
    expect(typeNameFor("story", ["Feature"])).toBe("Feature");
  });
});
