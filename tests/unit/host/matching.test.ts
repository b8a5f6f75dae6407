import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  compareCodePoints,
  containsWords,
  matchKey,
  sharesAllWords,
  similarity,
  trigrams,
} from "../../../src/host/inventory/matching.ts";

test.each([
  ["Payments API", "payments-api"],
  ["payments_api", "payments-api"],
  ["  Payments--API (v2) ", "payments-api-v2"],
  ["Café Ünïcode", "cafe-unicode"],
  ["決済(東京)", "決済-東京"],
  ["📱", ""],
  ["", ""],
])("the match key of %p is %p", (text, key) => {
  expect(matchKey(text)).toBe(key);
});

test("whole words, not parts of them", () => {
  expect(containsWords("payments-api", "payments")).toBe(true);
  expect(containsWords("api", "payments-api-v2")).toBe(true);
  expect(containsWords("payments", "pay")).toBe(false);
  expect(sharesAllWords("api-payments", "payments-api")).toBe(true);
  expect(sharesAllWords("api-payments", "payments-api-v2")).toBe(false);
});

describe("similarity", () => {
  const alike = (a: string, b: string) => similarity(new Set(trigrams(a)), b, 0);

  test("is 1 for the same words, 0 for nothing shared, and symmetric", () => {
    expect(alike("api-payments", "payments-api")).toBe(1);
    expect(alike("abc", "xyz")).toBe(0);
    const key = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(alike(a, b)).toBe(alike(b, a));
        expect(alike(a, b)).toBeWithin(0, 1.000001);
      }),
    );
  });

  test("below the threshold is 0, at or above it is told as it is", () => {
    const key = fc.string({ unit: fc.constantFrom(..."abc-"), minLength: 1 });
    fc.assert(
      fc.property(key, key, (a, b) => {
        const exact = alike(a, b);
        expect(similarity(new Set(trigrams(a)), b, 0.4)).toBe(exact >= 0.4 ? exact : 0);
      }),
    );
  });

  test("a typing error stays above the threshold", () => {
    expect(alike("paymnets-api", "payments-api")).toBeGreaterThanOrEqual(0.4);
  });
});

test("code point order is the order of UTF-8 bytes, as databases sort", () => {
  const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed());
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
