import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  conflictId,
  type FieldConflict,
  type MergeInput,
  mergeIssue,
} from "../../../src/sdk/engine/merge.ts";
import type { ConflictStrategy, FieldOwner, OwnershipPolicy } from "../../../src/sdk/engine/policy.ts";
import type { CoreField, IssueFields } from "../../../src/sdk/model.ts";

const BLANK: IssueFields = {
  title: "Title",
  body: null,
  status: "todo",
  issueType: "task",
  priority: null,
  assignees: [],
  labels: [],
  parent: null,
  links: [],
  customFields: {},
};

const T1 = "2026-01-01T00:00:01.000Z";
const T2 = "2026-01-01T00:00:02.000Z";
const T3 = "2026-01-01T00:00:03.000Z";

interface Setting {
  readonly owner?: FieldOwner;
  readonly strategy?: ConflictStrategy;
  /** When the local edit was made; the remote change is of T2. */
  readonly edited?: string;
  readonly multiAssignee?: boolean;
  readonly frozen?: readonly CoreField[];
}

/** A merge in which the sides differ in `field` only; `base` is undefined on first contact. */
function inputOf<K extends CoreField>(
  field: K,
  base: IssueFields[K] | undefined,
  local: IssueFields[K],
  remote: IssueFields[K],
  setting: Setting,
): MergeInput {
  const policy: OwnershipPolicy = {
    mode: "split_ownership",
    fieldOwners: { [field]: setting.owner ?? "shared" },
    strategy: setting.strategy ?? "newer_timestamp",
    strictManualReview: false,
  };
  return {
    policy,
    capabilities: { multiAssignee: setting.multiAssignee ?? true },
    base: base === undefined ? null : { ...BLANK, [field]: base },
    local: { ...BLANK, [field]: local },
    remote: { ...BLANK, [field]: remote, updatedAt: T2 },
    dirty: new Map(setting.edited === undefined ? [] : [[field, setting.edited]]),
    frozen: new Set(setting.frozen ?? []),
  };
}

function mergeOne<K extends CoreField>(
  field: K,
  ...rest: Parameters<typeof inputOf<K>> extends [K, ...infer R] ? R : never
) {
  const merge = mergeIssue(inputOf(field, ...rest));
  return { ...merge, value: merge.fields[field], agreed: merge.base[field] };
}

/**
 * One value with one owner. `-` is a side that has not met the other yet.
 * `decided` is the resolution of a recorded conflict, `open` one that waits.
 */
const SCALARS = `
owner    | base | local | remote | strategy        | edited | → local | agreed | pushed | decided
external | old  | old   | old    | newer_timestamp | -      | old     | old    | no     | -
external | old  | mine  | old    | newer_timestamp | T3     | old     | old    | no     | -
external | old  | old   | theirs | newer_timestamp | -      | theirs  | theirs | no     | -
external | old  | mine  | theirs | local_wins      | T3     | theirs  | theirs | no     | external
external | old  | mine  | theirs | manual_review   | T3     | theirs  | theirs | no     | external
external | -    | mine  | theirs | local_wins      | T3     | theirs  | theirs | no     | -
local    | old  | old   | old    | newer_timestamp | -      | old     | old    | no     | -
local    | old  | mine  | old    | newer_timestamp | T1     | mine    | old    | yes    | -
local    | old  | old   | theirs | newer_timestamp | -      | old     | theirs | yes    | -
local    | old  | mine  | theirs | external_wins   | T1     | mine    | theirs | yes    | local
local    | old  | mine  | theirs | manual_review   | T1     | mine    | theirs | yes    | local
local    | -    | mine  | theirs | external_wins   | T1     | mine    | theirs | yes    | -
shared   | old  | old   | old    | newer_timestamp | -      | old     | old    | no     | -
shared   | old  | same  | same   | manual_review   | T3     | same    | same   | no     | -
shared   | old  | mine  | old    | external_wins   | T1     | mine    | old    | yes    | -
shared   | old  | old   | theirs | local_wins      | -      | theirs  | theirs | no     | -
shared   | old  | mine  | theirs | external_wins   | T3     | theirs  | theirs | no     | external
shared   | old  | mine  | theirs | local_wins      | T1     | mine    | theirs | yes    | local
shared   | old  | mine  | theirs | newer_timestamp | T1     | theirs  | theirs | no     | external
shared   | old  | mine  | theirs | newer_timestamp | T3     | mine    | theirs | yes    | local
shared   | old  | mine  | theirs | newer_timestamp | T2     | theirs  | theirs | no     | external
shared   | old  | zebra | theirs | newer_timestamp | T2     | zebra   | theirs | yes    | local
shared   | old  | mine  | theirs | newer_timestamp | -      | theirs  | theirs | no     | external
shared   | old  | zebra | theirs | newer_timestamp | -      | zebra   | theirs | yes    | local
shared   | old  | mine  | theirs | manual_review   | T3     | mine    | old    | no     | open
shared   | -    | same  | same   | manual_review   | -      | same    | same   | no     | -
shared   | -    | mine  | theirs | external_wins   | T3     | theirs  | theirs | no     | external
shared   | -    | mine  | theirs | local_wins      | T1     | mine    | theirs | yes    | local
shared   | -    | mine  | theirs | newer_timestamp | T3     | mine    | theirs | yes    | local
shared   | -    | mine  | theirs | manual_review   | T3     | mine    | theirs | no     | open
`;

/** Sets and custom fields, member by member: the members that each side has. */
const MEMBERS = `
owner    | base | local | remote | strategy        | → local | agreed | pushed
external | a    | a b   | a c    | local_wins      | a c     | a c    | no
local    | a    | a b   | a c    | external_wins   | a b     | a c    | yes
shared   | a    | a     | a      | newer_timestamp | a       | a      | no
shared   | a    | a b   | a      | external_wins   | a b     | a      | yes
shared   | a    | a     | a c    | local_wins      | a c     | a c    | no
shared   | a    | a b   | a c    | manual_review   | a b c   | a c    | yes
shared   | a b  | a     | a b c  | external_wins   | a c     | a b c  | yes
shared   | a b  | a b c | b      | local_wins      | b c     | b      | yes
shared   | a b  | a     | b      | manual_review   |         | b      | yes
shared   | a    | a b   | a b    | manual_review   | a b     | a b    | no
shared   | a b  | b     | b      | external_wins   | b       | b      | no
shared   | -    | a     | b      | external_wins   | a b     | b      | yes
shared   | -    | a     | a b    | local_wins      | a b     | a b    | no
`;

/** The one member that both sides changed, in custom fields; `∅` is a member that is not there. */
const CHANGED_MEMBERS = `
base | local | remote | strategy        | edited | → local | pushed | decided
1    | 2     | 3      | external_wins   | T3     | 3       | no     | external
1    | 2     | 3      | local_wins      | T1     | 2       | yes    | local
1    | 2     | 3      | newer_timestamp | T3     | 2       | yes    | local
1    | 2     | 3      | newer_timestamp | T1     | 3       | no     | external
1    | 2     | 3      | newer_timestamp | T2     | 3       | no     | external
1    | 2     | 3      | manual_review   | T3     | 2       | no     | open
1    | ∅     | 3      | local_wins      | T1     | ∅       | yes    | local
1    | ∅     | 3      | external_wins   | T1     | 3       | no     | external
1    | 2     | ∅      | external_wins   | T1     | ∅       | no     | external
1    | ∅     | ∅      | manual_review   | T1     | ∅       | no     | -
∅    | 2     | 3      | local_wins      | T1     | 2       | yes    | local
∅    | 2     | 2      | manual_review   | T1     | 2       | no     | -
`;

/** The rows of a table as objects of its columns. */
function rowsOf(table: string): readonly Record<string, string>[] {
  const [head = [], ...rows] = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index] ?? ""])));
}

const OWNERS: Readonly<Record<string, FieldOwner>> = {
  external: "external",
  local: "local",
  shared: "shared",
};
const STRATEGIES: Readonly<Record<string, ConflictStrategy>> = {
  external_wins: "external_wins",
  local_wins: "local_wins",
  newer_timestamp: "newer_timestamp",
  manual_review: "manual_review",
};
const TIMES: Readonly<Record<string, string>> = { T1, T2, T3 };

function settingOf(row: Record<string, string>): Setting {
  const edited = TIMES[row.edited ?? ""];
  const owner = OWNERS[row.owner ?? "shared"] ?? "shared";
  const strategy = STRATEGIES[row.strategy ?? ""];
  if (strategy === undefined) throw new Error(`no strategy in ${JSON.stringify(row)}`);
  return { owner, strategy, ...(edited === undefined ? {} : { edited }) };
}

/** How a row writes what became of the conflict, if there was one. */
function decision(conflicts: readonly FieldConflict[]): string {
  const [conflict] = conflicts;
  return conflict === undefined ? "-" : (conflict.resolution ?? "open");
}

const describeRow = (row: Record<string, string>) =>
  Object.entries(row)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

describe("one value", () => {
  for (const row of rowsOf(SCALARS)) {
    test(describeRow(row), () => {
      const { base = "", local = "", remote = "" } = row;
      const merge = mergeOne("title", base === "-" ? undefined : base, local, remote, settingOf(row));
      expect({
        "→ local": merge.value,
        agreed: merge.agreed,
        pushed: merge.push.length > 0 ? "yes" : "no",
        decided: decision(merge.conflicts),
      }).toEqual({
        "→ local": row["→ local"] ?? "",
        agreed: row.agreed ?? "",
        pushed: row.pushed ?? "",
        decided: row.decided ?? "",
      });
    });
  }
});

test("a body that differs in line ends, trailing space or emptiness alone is the same body", () => {
  const merge = mergeOne("body", "One\ntwo", "One\r\ntwo  \n", "One\ntwo", { edited: T3 });
  expect({ value: merge.value, push: merge.push }).toEqual({ value: "One\ntwo", push: [] });
  expect(mergeOne("body", null, "", null, { edited: T3 }).push).toEqual([]);
  expect(mergeOne("body", "One", "One two", "One", { edited: T3 }).push).toEqual(["body"]);
});

describe("members", () => {
  const words = (cell = "") => cell.split(" ").filter((word) => word !== "");
  const kinds = {
    labels: (cell?: string) => words(cell),
    links: (cell?: string) =>
      words(cell).map((id) => ({
        type: "blocks" as const,
        target: { system: "memory", workspace: "w", id },
      })),
    customFields: (cell?: string) => Object.fromEntries(words(cell).map((name) => [name, 1])),
  };
  for (const field of ["labels", "links", "customFields"] as const) {
    for (const row of rowsOf(MEMBERS)) {
      test(`${field}: ${describeRow(row)}`, () => {
        const value = kinds[field];
        const merge = mergeOne(
          field,
          row.base === "-" ? undefined : value(row.base),
          value(row.local),
          value(row.remote),
          settingOf(row),
        );
        expect(merge.value).toEqual(value(row["→ local"]));
        expect(merge.agreed).toEqual(value(row.agreed));
        expect(merge.push.length > 0 ? "yes" : "no").toBe(row.pushed ?? "");
        const isOverruled = row.owner !== "shared" && row.base !== row.local && row.base !== row.remote;
        expect(decision(merge.conflicts)).toBe(
          isOverruled && row.local !== row.remote ? `${row.owner}` : "-",
        );
      });
    }
  }

  const members = (cell?: string): IssueFields["customFields"] =>
    cell === "∅" ? { other: 1 } : { other: 1, size: Number(cell) };
  for (const row of rowsOf(CHANGED_MEMBERS)) {
    test(`a changed member of customFields: ${describeRow(row)}`, () => {
      const merge = mergeOne(
        "customFields",
        members(row.base),
        members(row.local),
        members(row.remote),
        settingOf(row),
      );
      expect(merge.value).toEqual(members(row["→ local"]));
      expect(merge.push.length > 0 ? "yes" : "no").toBe(row.pushed ?? "");
      expect(decision(merge.conflicts)).toBe(row.decided ?? "");
    });
  }
});

describe("what the tables leave open", () => {
  test("an undecided member freezes custom fields, the members that agree included", () => {
    const merge = mergeOne(
      "customFields",
      { a: 1, b: 1 },
      { a: 2, b: 1 },
      { a: 3, b: 3 },
      { strategy: "manual_review" },
    );
    expect(merge.value).toEqual({ a: 2, b: 1 });
    expect(merge.agreed).toEqual({ a: 1, b: 1 });
    expect(merge.push).toEqual([]);
    expect(merge.conflicts).toEqual([
      { field: "customFields", base: { a: 1 }, local: { a: 2 }, remote: { a: 3 }, resolution: null },
    ]);
  });

  test("members named like parts of every object are members like others", () => {
    const own = (value: number): IssueFields["customFields"] =>
      JSON.parse(`{"__proto__": ${value}, "toString": 1}`);
    const merge = mergeOne("customFields", own(1), own(1), own(2), {});
    expect(JSON.stringify(merge.value)).toBe('{"__proto__":2,"toString":1}');
  });

  test("a frozen field is left alone on both sides, whoever owns it", () => {
    for (const owner of ["external", "local", "shared"] as const) {
      const merge = mergeOne("title", "old", "mine", "theirs", { owner, frozen: ["title"] });
      expect([merge.value, merge.agreed, merge.push, merge.conflicts]).toEqual(["mine", "old", [], []]);
    }
  });

  test("the time of the field decides where the provider tells it, not the time of the issue", () => {
    const input = inputOf("title", "old", "mine", "theirs", { edited: T2 });
    const later = { ...input, remote: { ...input.remote, updatedAt: T1, fieldTimes: { title: T3 } } };
    expect(mergeIssue(later).fields.title).toBe("theirs");
    const earlier = { ...input, remote: { ...input.remote, updatedAt: T3, fieldTimes: { title: T1 } } };
    expect(mergeIssue(earlier).fields.title).toBe("mine");
  });

  test("assignees are a set where the provider carries several, one value where it carries one", () => {
    const several = mergeOne("assignees", ["ada"], ["bob"], ["cyd"], { multiAssignee: true });
    expect([several.value, several.conflicts.length]).toEqual([["bob", "cyd"], 0]);
    const one = mergeOne("assignees", ["ada"], ["bob"], ["cyd"], {
      multiAssignee: false,
      strategy: "local_wins",
    });
    expect([one.value, decision(one.conflicts)]).toEqual([["bob"], "local"]);
  });

  test("order, repetition and what may change about a reference make no difference", () => {
    expect(mergeOne("labels", ["a", "b"], ["b", "a", "a"], ["a", "b"], {}).push).toEqual([]);
    const target = { system: "memory", workspace: "w", id: "1" };
    const parent = mergeOne(
      "parent",
      target,
      target,
      { ...target, key: "W-1" },
      { strategy: "manual_review" },
    );
    expect([parent.push, parent.conflicts, parent.value]).toEqual([[], [], { ...target, key: "W-1" }]);
  });

  test("fields are merged independently of one another", () => {
    const input = inputOf("title", "old", "mine", "theirs", { strategy: "manual_review" });
    const merge = mergeIssue({
      ...input,
      local: { ...input.local, status: "done" },
      remote: { ...input.remote, body: "Text" },
    });
    expect(merge.fields).toEqual({ ...BLANK, title: "mine", status: "done", body: "Text" });
    expect(merge.push).toEqual(["status"]);
  });

  test("a conflict has an id of its content and its issue", () => {
    const [conflict] = mergeOne("title", "old", "mine", "theirs", {}).conflicts;
    if (conflict === undefined) throw new Error("no conflict");
    const id = conflictId("memory:w:1", conflict);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(conflictId("memory:w:1", { ...conflict, resolution: "local" })).toBe(id);
    expect(conflictId("memory:w:2", conflict)).not.toBe(id);
    expect(conflictId("memory:w:1", { ...conflict, local: "other" })).not.toBe(id);
  });
});

describe("whatever the sides are", () => {
  const word = fc.constantFrom("a", "b", "c");
  const side = fc.record({
    title: word,
    status: fc.constantFrom("todo" as const, "done" as const),
    assignees: fc.uniqueArray(word),
    labels: fc.uniqueArray(word),
    customFields: fc.dictionary(word, fc.nat(2)),
  });
  const input: fc.Arbitrary<MergeInput> = fc
    .record({
      base: fc.option(side),
      local: side,
      remote: side,
      owner: fc.constantFrom("external" as const, "local" as const, "shared" as const),
      strategy: fc.constantFrom(...Object.values(STRATEGIES)),
      dirty: fc.uniqueArray(
        fc.tuple(fc.constantFrom("title" as const, "customFields" as const), fc.constantFrom(T1, T2, T3)),
        {
          selector: ([field]) => field,
        },
      ),
      multiAssignee: fc.boolean(),
    })
    .map(({ base, local, remote, owner, strategy, dirty, multiAssignee }) => ({
      policy: {
        mode: "split_ownership",
        fieldOwners: { title: owner, labels: owner, customFields: owner },
        strategy,
        strictManualReview: false,
      },
      capabilities: { multiAssignee },
      base: base === null ? null : { ...BLANK, ...base },
      local: { ...BLANK, ...local },
      remote: { ...BLANK, ...remote, updatedAt: T2 },
      dirty: new Map(dirty),
      frozen: new Set(),
    }));

  test("merging what came out once more changes nothing and finds no conflict again", () => {
    fc.assert(
      fc.property(input, (first) => {
        const once = mergeIssue(first);
        const open = once.conflicts.filter(({ resolution }) => resolution === null);
        const frozen = new Set(open.map(({ field }) => field));
        const twice = mergeIssue({ ...first, base: once.base, local: once.fields, frozen });
        expect(twice).toEqual({ ...once, conflicts: [] });
      }),
      { numRuns: 500 },
    );
  });

  test("after what is to be pushed was written, both sides are equal but for frozen fields", () => {
    fc.assert(
      fc.property(input, (first) => {
        const { fields, push, conflicts } = mergeIssue(first);
        const written = { ...first.remote };
        for (const field of push) Object.assign(written, { [field]: fields[field] });
        const frozen = new Set(
          conflicts.filter(({ resolution }) => resolution === null).map(({ field }) => field),
        );
        const again = mergeIssue({ ...first, base: written, local: fields, remote: written, frozen });
        expect([again.push, again.conflicts, again.fields]).toEqual([[], [], fields]);
      }),
      { numRuns: 500 },
    );
  });
});
