import { expect, test } from "bun:test";
import fc from "fast-check";
import { parse } from "yaml";
import { type ConfigEdit, type ConfigValue, type SectionEdit, spliceConfig } from "../../src/config.ts";

const RUNS = 200;

const KNOWN = {
  project: ["uuid", "slug", "node_id", "repo_slug"],
  tracker: ["provider", "binding_ref", "project_slug", "display_label", "provider_context", "workspace"],
} as const;
type Section = keyof typeof KNOWN;

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/).filter((text) => !["null", "n", "y"].includes(text));
const text = fc
  .oneof(
    word,
    fc.string({ maxLength: 12 }),
    fc.string({ unit: "grapheme", maxLength: 8 }),
    fc.constantFrom("0123", "a: b", "#", "yes"),
  )
  .filter((value) => !/^(?:~|null|Null|NULL|)$/.test(value) && value.trim() !== "");

/** One value of a key as YAML writes it, for the line `key: …`. Later lines are indented relative to the key. */
const scalar = fc.oneof(
  word,
  word.map((value) => `'${value} it''s # no comment'`),
  word.map((value) => `"${value}: \\t\\u00e9 # no comment"`),
  fc.constantFrom("0123", "1e5", "yes", "2026-01-02", "null", "~", "''"),
);
const simple = fc.oneof(
  { weight: 4, arbitrary: scalar.map((value) => [value]) },
  word.map((value) => ["|", `    ${value}`, "", "    # no comment"]),
  word.map((value) => [">-", `    ${value}`, `    ${value}`]),
  word.map((value) => [`"${value}`, `  ${value}"`]),
  word.map((value) => [`!!str ${value}`]),
);
const nested = fc.oneof(
  fc.tuple(word, word).map(([key, value]) => [`{${key}: ${value}, list: [1, {a: b}]}`]),
  fc
    .tuple(word, simple)
    .map(([key, [first = "", ...rest]]) => [
      "",
      `  ${key}: ${first}`,
      ...rest.map((line) => (line === "" ? "" : `  ${line}`)),
    ]),
  fc.array(word, { minLength: 1, maxLength: 3 }).map((items) => ["", ...items.map((item) => `  - ${item}`)]),
);

/** `%` stands for the number of a comment, so that every comment is unique. */
const trailing = fc.constantFrom("", "", " # c%");
const above = fc.constantFrom<string[]>([], [], [], ["# c%"], [""], ["", "# c% it's: {"], ["  # c%"]);

interface Pair {
  readonly key: string;
  readonly above: readonly string[];
  readonly value: readonly string[];
  readonly trailing: string;
}

const pairOf = (key: fc.Arbitrary<string>, value: fc.Arbitrary<string[]>): fc.Arbitrary<Pair> =>
  fc.record({ key, above, value, trailing });

function pairLines({ key, above: before, value, trailing: comment }: Pair): string[] {
  const [first = "", ...rest] = value;
  const canCarry = !first.startsWith('"') || first.endsWith('"');
  const head = `${key}:${first === "" ? "" : ` ${first}`}${canCarry ? comment : ""}`;
  return [...before, head, ...rest];
}

const context = fc.uniqueArray(word, { minLength: 1, maxLength: 3 }).chain((keys) =>
  fc
    .tuple(
      fc.constantFrom("block", "flow"),
      ...keys.map((key) =>
        pairOf(
          fc.constant(key),
          scalar.map((value) => [value]),
        ),
      ),
    )
    .map(([style, ...pairs]) =>
      style === "flow"
        ? [`{${pairs.map(({ key, value }) => `${key}: ${value[0]}`).join(", ")}}`]
        : ["", ...pairs.flatMap(pairLines).map((line) => (line === "" ? "" : `  ${line}`))],
    ),
);

const sectionBody = (name: Section): fc.Arbitrary<Pair[]> =>
  fc
    .tuple(
      fc.subarray([...KNOWN[name]]),
      fc.uniqueArray(
        word.map((key) => `x${key}`),
        { maxLength: 3 },
      ),
    )
    .chain(([known, unknown]) =>
      fc.tuple(
        ...known.map((key) => pairOf(fc.constant(key), key === "provider_context" ? context : simple)),
        ...unknown.map((key) => pairOf(fc.constant(key), fc.oneof(simple, nested))),
      ),
    )
    .chain((pairs) => fc.shuffledSubarray(pairs, { minLength: pairs.length }));

/** The lines of one section. */
const section = (name: Section): fc.Arbitrary<string[]> =>
  fc
    .oneof(
      {
        weight: 6,
        arbitrary: fc.tuple(sectionBody(name), fc.constantFrom("  ", "    ", " "), trailing, above),
      },
      { weight: 1, arbitrary: fc.tuple(fc.constant<Pair[]>([]), fc.constant("  "), trailing, above) },
    )
    .map(([pairs, indent, comment, after]) => [
      `${name}:${comment}`,
      ...pairs.flatMap(pairLines).map((line) => (line === "" ? "" : indent + line)),
      ...after.map((line) => (line === "" ? "" : indent + line)),
    ]);

const flowSection = (name: Section): fc.Arbitrary<string[]> =>
  fc
    .tuple(
      fc.subarray([...KNOWN[name]]),
      fc.uniqueArray(
        word.map((key) => `x${key}`),
        { maxLength: 2 },
      ),
    )
    .chain(([known, unknown]) =>
      fc.shuffledSubarray([...known, ...unknown], { minLength: known.length + unknown.length }),
    )
    .chain((keys) => fc.tuple(trailing, ...keys.map((key) => fc.tuple(fc.constant(key), scalar))))
    .map(([comment, ...pairs]) => {
      const body = pairs.map(
        ([key, value]) => `${key}: ${key === "provider_context" ? `{a: ${value}}` : value}`,
      );
      return [`${name}: {${body.join(", ")}}${comment}`];
    });

const others = fc.array(
  fc
    .tuple(above, fc.oneof(simple, nested), trailing, fc.nat({ max: 2 }))
    .map(([before, value, comment, extra]) => ({ before, value, comment, extra })),
  { maxLength: 4 },
);

interface Chunk {
  readonly section: boolean;
  readonly lines: readonly string[];
}

const config = fc
  .record({
    others,
    project: fc.option(fc.oneof({ weight: 3, arbitrary: section("project") }, flowSection("project"))),
    tracker: fc.option(fc.oneof({ weight: 3, arbitrary: section("tracker") }, flowSection("tracker"))),
    seed: fc.array(fc.nat(100), { minLength: 6, maxLength: 6 }),
    crlf: fc.boolean(),
    mark: fc.boolean(),
    start: fc.boolean(),
    finalNewline: fc.boolean(),
  })
  .map((parts) => {
    const chunks: (Chunk & { rank: number })[] = parts.others.map(
      ({ before, value, comment, extra }, index) => {
        const anchors = ["", "&anchor ", ""][extra] ?? "";
        const [first = "", ...rest] = value;
        const lines = pairLines({
          key: `other${index}`,
          above: before,
          value: [first, ...rest],
          trailing: comment,
        });
        const tail =
          anchors === "" ? [] : [`anchored${index}: &a${index} {k: v}`, `alias${index}: *a${index}`];
        return { section: false, lines: [...lines, ...tail], rank: parts.seed[index] ?? 0 };
      },
    );
    if (parts.project !== null)
      chunks.push({ section: true, lines: parts.project, rank: parts.seed[4] ?? 0 });
    if (parts.tracker !== null)
      chunks.push({ section: true, lines: parts.tracker, rank: parts.seed[5] ?? 0 });
    chunks.sort((left, right) => left.rank - right.rank);
    let comments = 0;
    const eol = parts.crlf ? "\r\n" : "\n";
    const texts = chunks.map(({ section: isSection, lines }) => ({
      isSection,
      text: lines.map((line) => line.replace("c%", () => `c${comments++}.`) + eol).join(""),
    }));
    const prefix = (parts.mark ? "\ufeff" : "") + (parts.start ? `---${eol}` : "");
    let whole = prefix + texts.map((chunk) => chunk.text).join("");
    const last = chunks.at(-1)?.lines.at(-1) ?? "";
    const isOpen = !parts.finalNewline && last !== "" && /^[^|>]*$/.test(chunks.at(-1)?.lines.join("") ?? "");
    if (isOpen) whole = whole.slice(0, -eol.length);
    const outside: string[] = [prefix];
    for (const { isSection, text: chunk } of texts) {
      if (isSection) outside.push("");
      else outside[outside.length - 1] += chunk;
    }
    if (isOpen) outside[outside.length - 1] = (outside.at(-1) ?? "").slice(0, -eol.length);
    return { whole, outside: outside.filter((chunk) => chunk !== ""), comments };
  });

const value: fc.Arbitrary<ConfigValue | undefined> = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.constant(null),
  fc.constant(undefined),
);
const contextValue = fc.oneof(
  fc.dictionary(word, text, { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
  fc.constant(undefined),
  fc.constant(null),
);
const sectionEdit = (name: Section): fc.Arbitrary<SectionEdit> =>
  fc
    .subarray([...KNOWN[name]])
    .chain((keys) =>
      fc.tuple(
        ...keys.map((key) => fc.tuple(fc.constant(key), key === "provider_context" ? contextValue : value)),
      ),
    )
    .map((entries) => Object.fromEntries(entries));
const ownership = fc.record(
  { mode: text, field_owners: fc.dictionary(word, text, { minKeys: 1, maxKeys: 3, noNullPrototype: true }) },
  { requiredKeys: [], noNullPrototype: true },
);
const edit: fc.Arbitrary<ConfigEdit> = fc.record(
  { project: sectionEdit("project"), tracker: sectionEdit("tracker"), ownership },
  { requiredKeys: [] },
);

type Tree = Record<string, unknown>;
const isTree = (node: unknown): node is Tree =>
  typeof node === "object" && node !== null && !Array.isArray(node);
const isNothing = (node: unknown): boolean =>
  node === undefined || node === "" || node === "~" || node === "null" || node === null;

function read(yaml: string): Tree {
  const tree: unknown = parse(yaml, { schema: "failsafe", logLevel: "silent" });
  return isTree(tree) ? tree : {};
}

/** What is there, nothing and empty being the same. */
function meaning(tree: Tree): Tree {
  const plain = (node: unknown): unknown => (isNothing(node) ? null : node);
  const sectionOf = (node: unknown): Tree =>
    isTree(node) ? Object.fromEntries(Object.entries(node).map(([key, entry]) => [key, plain(entry)])) : {};
  return { ...tree, project: sectionOf(tree.project), tracker: sectionOf(tree.tracker) };
}

function intended(before: Tree, wanted: ConfigEdit): Tree {
  const tree = meaning(before);
  for (const name of ["project", "tracker"] as const) {
    const old = tree[name];
    const kept = { ...(isTree(old) ? old : {}), ...wanted[name] };
    tree[name] = Object.fromEntries(Object.entries(kept).filter(([, entry]) => entry !== undefined));
  }
  const { tracker } = tree;
  if (isTree(tracker) && Object.keys(wanted.ownership ?? {}).length > 0) {
    const isOlder = isNothing(tracker.ownership) && Object.hasOwn(tracker, "doctrine");
    const key = isOlder ? "doctrine" : "ownership";
    const old = tracker[key];
    tracker[key] = { ...(isTree(old) ? old : {}), ...wanted.ownership };
  }
  return tree;
}

test("an edit changes what it names and nothing else, in any config", () => {
  fc.assert(
    fc.property(config, edit, ({ whole, outside, comments }, wanted) => {
      const after = spliceConfig(whole, wanted);
      expect(meaning(read(after))).toEqual(intended(read(whole), wanted));
      for (let comment = 0; comment < comments; comment++) {
        expect(after.split(`# c${comment}.`).length).toBe(2);
      }
      let rest = after;
      for (const bytes of outside) {
        expect(rest).toContain(bytes);
        rest = rest.slice(rest.indexOf(bytes) + bytes.length);
      }
      expect(after.startsWith("\ufeff")).toBe(whole.startsWith("\ufeff"));
      if (whole.includes("\r\n")) expect(after.replaceAll("\r\n", "")).not.toContain("\n");
      expect(spliceConfig(after, wanted)).toBe(after);
    }),
    { numRuns: RUNS },
  );
});
