import { expect, test } from "bun:test";
import fc from "fast-check";
import { MemoryRemote } from "../../../src/sdk/testing/remote.ts";
import { BoundedAnswer, isSmallPage, jsonBytes } from "../../../src/sync/bounded-answer.ts";
import { wireIssue } from "../../../src/sync/envelope.ts";

function longIssue() {
  const remote = new MemoryRemote({ now: () => Date.parse("2026-03-01T09:00:00Z") });
  return remote.add({ title: "Long", body: "x".repeat(1000) });
}

test("an answer has room for what takes the place of something else", () => {
  const issue = longIssue();
  const wire = wireIssue(issue.ref, issue, issue);
  const answer = new BoundedAnswer(2000);
  for (let time = 0; time < 5; time++) expect(answer.add("1", wire)).toBe(true);
  expect(answer.items).toEqual([wire]);
  expect(answer.add("2", wire)).toBe(false);
});

test("of a small page there is room for two", () => {
  const issue = longIssue();
  const bytes = JSON.stringify(wireIssue(issue.ref, issue, issue)).length + 1;
  expect(isSmallPage([issue], bytes * 2)).toBe(true);
  expect(isSmallPage([issue], bytes * 2 - 1)).toBe(false);
  expect(isSmallPage([issue, issue], bytes * 2)).toBe(false);
});

test("a value is as large as its JSON", () => {
  const text = fc.string({ unit: "binary" });
  const odd = fc.string({
    unit: fc.constantFrom('"', "\\", "\n", "\u0001", "\u007f", "\u0085", "\ud800", "\udc00", "é", "😀"),
  });
  const value = fc.oneof(
    fc.jsonValue({ noUnicodeString: false }),
    text,
    odd,
    fc.dictionary(odd, fc.option(odd)),
  );
  fc.assert(
    fc.property(value, (json) => {
      expect(jsonBytes(json)).toBe(Buffer.byteLength(JSON.stringify(json)));
    }),
    { numRuns: 500 },
  );
  expect(jsonBytes({ a: undefined, b: [undefined, 1] })).toBe('{"b":[null,1]}'.length);
});
