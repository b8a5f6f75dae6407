import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  count,
  displayWidth,
  escapeText,
  fold,
  nearest,
  padEnd,
  shellWord,
  timeAgo,
  toJson,
  toJsonLine,
  truncate,
} from "../../src/shared/text.ts";

const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.constantFrom("\ud800", "\udfff", "\x1b", "\u202e", "決", "e\u0301", "👩‍👩‍👧‍👦"),
  ),
});

describe("timeAgo", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  test.each([
    ["2026-03-01T12:00:00Z", "just now"],
    ["2026-03-01T11:59:01Z", "just now"],
    ["2026-03-01T11:59:00Z", "1 minute ago"],
    ["2026-03-01T11:00:01Z", "59 minutes ago"],
    ["2026-03-01T11:00:00Z", "1 hour ago"],
    ["2026-02-28T12:00:01Z", "23 hours ago"],
    ["2026-02-28T12:00:00Z", "1 day ago"],
    ["2026-01-30T12:00:01Z", "29 days ago"],
    ["2026-01-30T12:00:00Z", "2026-01-30"],
    ["2026-03-01T13:30:00+01:00", "just now"],
    ["2030-01-01T00:00:00Z", "just now"],
    ["soon", "soon"],
    ["", ""],
  ])("%s is %s", (instant, told) => {
    expect(timeAgo(instant, now)).toBe(told);
  });
});

describe("escapeText", () => {
  test.each([
    ["plain, wide 決済, combining e\u0301, emoji 📱", "plain, wide 決済, combining e\u0301, emoji 📱"],
    ["\x1b[2J", "\\u001b[2J"],
    ["a\tb\r\n", "a\\u0009b\\u000d\\u000a"],
    ["\x7f\x85\u009b", "\\u007f\\u0085\\u009b"],
    ["\u061c\u200e\u200f\u202e\u2066", "\\u061c\\u200e\\u200f\\u202e\\u2066"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["a\ud800b\udc00", "a\\ud800b\\udc00"],
  ])("%j becomes %j", (text, escaped) => {
    expect(escapeText(text)).toBe(escaped);
  });

  test("done twice is done once", () => {
    fc.assert(fc.property(anyText, (text) => expect(escapeText(escapeText(text))).toBe(escapeText(text))));
  });
});

describe("toJson", () => {
  test("is the same value, without a raw control character, and ends in a newline", () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, fc.oneof(anyText, fc.integer(), fc.constant(null))), (value) => {
        const text = toJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(
          /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/,
        );
        expect(text).toEndWith("\n");
      }),
    );
  });

  test("keeps the order of keys, two spaces deep", () => {
    expect(toJson({ b: 1, a: ["\u202e"] })).toBe('{\n  "b": 1,\n  "a": [\n    "\\u202e"\n  ]\n}\n');
  });
});

describe("truncate", () => {
  test.each([
    ["Payments", 8, "…", "Payments"],
    ["Payments", 7, "…", "Paymen…"],
    ["Payments", 7, "...", "Paym..."],
    ["決済プラット", 7, "…", "決済プ…"],
    ["決済プラット", 6, "…", "決済…"],
    ["e\u0301e\u0301e\u0301", 2, "…", "e\u0301…"],
    ["👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3, "…", "👩‍👩‍👧‍👦…"],
    ["Payments", 1, "…", "…"],
    ["Payments", 2, "...", ".."],
    ["Payments", 0, "...", ""],
  ])("%s to %d columns with %s", (text, width, ellipsis, expected) => {
    expect(truncate(text, width, ellipsis)).toBe(expected);
  });

  test("never exceeds the width, and never splits a character", () => {
    const shown = anyText.map(escapeText);
    fc.assert(
      fc.property(shown, fc.nat({ max: 40 }), fc.constantFrom("…", "..."), (text, width, ellipsis) => {
        const cut = truncate(text, width, ellipsis);
        expect(displayWidth(cut)).toBeLessThanOrEqual(width);
        expect(cut.isWellFormed()).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

test("padEnd pads by columns, not by characters", () => {
  expect(padEnd("決済", 6)).toBe("決済  ");
  expect(padEnd("e\u0301", 3)).toBe("e\u0301  ");
  expect(padEnd("longer", 3)).toBe("longer");
});

test("fold compares names whatever their case and marks", () => {
  expect(fold("Café ÉLAN")).toBe(fold("cafe\u0301 e\u0301lan"));
  expect(fold("Payments")).toBe("payments");
});

test("count knows the plural", () => {
  expect([0, 1, 2].map((amount) => count(amount, "resource"))).toEqual([
    "0 resources",
    "1 resource",
    "2 resources",
  ]);
});

test.each([
  ["statsu", "status"],
  ["bnd", "bind"],
  ["discoverr", "discover"],
  ["completely-different", null],
  ["", null],
])("the command nearest to %j is %j", (word, expected) => {
  expect(nearest(word, ["bind", "discover", "status", "providers"])).toBe(expected);
});

test.each([
  ["srm_01HX", "srm_01HX"],
  ["a/b-c.d=1", "a/b-c.d=1"],
  ["my issues.ndjson", "'my issues.ndjson'"],
  ["-rf", "'-rf'"],
  ["", "''"],
  ["it's $(x)", "'it'\\''s $(x)'"],
])("%p as a word of a shell is %p", (text, word) => {
  expect(shellWord(text)).toBe(word);
});

test("a line of JSON is one line that a terminal can show", () => {
  const value = { text: "\u001b[2J\n\u2028\u202e", wide: "決済" };
  const line = toJsonLine(value);
  expect(line.indexOf("\n")).toBe(line.length - 1);
  expect(line).not.toMatch(/[\u001b\u2028\u202e]/);
  expect(JSON.parse(line)).toEqual(value);
});
