import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { jsonText, parseJson } from "../../src/shared/json.ts";

/** Lists inside of lists. */
const lists = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

describe("parseJson", () => {
  test("parses any value", () => {
    expect(parseJson(' {"a": [1, null, "x"]} ')).toEqual({ a: [1, null, "x"] });
    expect(parseJson("null")).toBeNull();
  });

  test("refuses what is broken", () => {
    expect(() => parseJson("")).toThrow(SyntaxError);
    expect(() => parseJson('{"a": }')).toThrow(SyntaxError);
  });

  test("reads what is nested as deep as the deepest document of a provider, and prints it again", () => {
    expect(JSON.stringify(parseJson(lists(500)))).toBe(lists(500));
  });

  test.each([501, 200_000])("refuses what is nested %i deep", (depth) => {
    expect(() => parseJson(lists(depth))).toThrow("JSON nested too deep");
    expect(() => parseJson(`{"a": ${lists(depth)}, "b": 1}`)).toThrow("JSON nested too deep");
  });
});

test("jsonText describes a text by the JSON in it", () => {
  const Numbers = jsonText(v.array(v.number()));
  expect(v.parse(Numbers, "[1, 2]")).toEqual([1, 2]);
  for (const text of ["", "[1", '["a"]', "null", lists(501), 7]) expect(v.is(Numbers, text)).toBe(false);
});
