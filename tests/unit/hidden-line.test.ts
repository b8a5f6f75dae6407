import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InterruptedError } from "../../src/shared/errors.ts";
import { readKeys } from "../../src/shared/hidden-line.ts";

describe("keys", () => {
  test.each<[string, string, string | null, string]>([
    ["Enter", "abc\r", "abc", ""],
    ["a new line, as pasted", "abc\n", "abc", ""],
    ["both", "abc\r\nnext", "abc", "next"],
    ["two lines", "abc\n\n", "abc", "\n"],
    ["Backspace", "abx\x7fc\r", "abc", ""],
    ["the other Backspace", "abx\bc\r", "abc", ""],
    ["Backspace where nothing is left", "\x7f\x7fabc\r", "abc", ""],
    ["Backspace after a character of two units", "ab😀\x7fc\r", "abc", ""],
    ["Ctrl-U", "wrong\x15abc\r", "abc", ""],
    ["Ctrl-W", "wrong\x17abc\r", "abc", ""],
    ["arrows and function keys", "a\x1b[Ab\x1b[1;5Cc\x1bOP\r", "abc", ""],
    ["a bracketed paste", "\x1b[200~abc\x1b[201~\r", "abc", ""],
    ["a bracketed paste with its Enter in it", "\x1b[200~abc\r\x1b[201~\r", "abc", "\x1b[201~\r"],
    ["a lone Escape", "abc\x1b\r", "abc", ""],
    ["other control characters", "a\x01b\x1ac\x1c\u0085\t\r", "abc", ""],
    ["nothing", "\r", "", ""],
    ["Ctrl-D before anything", "\x04", null, ""],
    ["Ctrl-D after everything was taken back", "a\x7f\x04", null, ""],
    ["Ctrl-D after something", "abc\x04", "abc", ""],
  ])("%s", (_name, keys, text, rest) => {
    expect(readKeys(keys)).toEqual({ text, rest });
  });

  test.each(["", "abc", "abc\x1b", "\x1b[20", "\x1b[200~abc"])("%j is not finished", (keys) => {
    expect(readKeys(keys)).toBeNull();
  });

  test.each(["\x03", "abc\x03", "\x1b\x03", "\x1b[200~abc\x03def\r"])("%j interrupts", (keys) => {
    expect(() => readKeys(keys)).toThrow(InterruptedError);
  });

  test("what follows the line cannot interrupt it", () => {
    expect(readKeys("abc\r\x03")).toEqual({ text: "abc", rest: "\x03" });
  });

  test("any printable text arrives as it was typed", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map(String.fromCodePoint) }),
        (text) => {
          expect(readKeys(`${text}\r`)?.text).toBe(text);
        },
      ),
    );
  });
});
