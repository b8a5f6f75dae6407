import { describe, expect, test } from "bun:test";
import { renderFacts, renderTable } from "../../../src/cli/render/table.ts";
import { displayWidth } from "../../../src/shared/text.ts";
import { style, terminal } from "./style.ts";

const HEADER = ["#", "Resource", "Workspace", "Status"];
const ROWS = [
  ["1", "Payments API (PAY)", "Acme Corp", "○ available"],
  ["2", "Customer-facing order, billing and refund reconciliation (REC)", "Acme Labs", "● bound"],
  ["-", "決済プラットフォーム(東京) (PJP)", "Acme Corp", "○ available"],
  ["10", "Mobile 📱 Apps 👩‍👩‍👧‍👦 (MOB)", "Cafe\u0301", "○ available"],
].map((row) => row.map((text) => ({ text })));

const draw = (columns: number): string => `\n${renderTable(HEADER, ROWS, terminal(columns))}`;
const widths = (drawn: string): number[] => drawn.trimEnd().split("\n").map(displayWidth);

describe("in a terminal", () => {
  test("a wide one shows everything, in columns", () => {
    expect(draw(120)).toMatchInlineSnapshot(`
      "
      #   Resource                                                        Workspace  Status
      1   Payments API (PAY)                                              Acme Corp  ○ available
      2   Customer-facing order, billing and refund reconciliation (REC)  Acme Labs  ● bound
      -   決済プラットフォーム(東京) (PJP)                                Acme Corp  ○ available
      10  Mobile 📱 Apps 👩‍👩‍👧‍👦 (MOB)                                         Café       ○ available
      "
    `);
  });

  test("a narrower one cuts the widest column", () => {
    expect(draw(80)).toMatchInlineSnapshot(`
      "
      #   Resource                                              Workspace  Status
      1   Payments API (PAY)                                    Acme Corp  ○ available
      2   Customer-facing order, billing and refund reconcili…  Acme Labs  ● bound
      -   決済プラットフォーム(東京) (PJP)                      Acme Corp  ○ available
      10  Mobile 📱 Apps 👩‍👩‍👧‍👦 (MOB)                               Café       ○ available
      "
    `);
  });

  test("a narrow one cuts where it must", () => {
    expect(draw(40)).toMatchInlineSnapshot(`
      "
      #   Resource      Workspace  Status
      1   Payments AP…  Acme Corp  ○ available
      2   Customer-fa…  Acme Labs  ● bound
      -   決済プラッ…   Acme Corp  ○ available
      10  Mobile 📱 A…  Café       ○ available
      "
    `);
  });

  test.each([20, 30, 40, 60, 80, 100, 120])("no row is wider than %d columns", (columns) => {
    const drawn = renderTable(HEADER, ROWS, terminal(columns));
    for (const width of widths(drawn)) expect(width).toBeLessThanOrEqual(columns);
  });

  test("text for other commands is cut last", () => {
    const row = [{ text: "abc ".repeat(9) }, { text: "a name" }, { text: "0123456789abcdef", isWhole: true }];
    const at = (columns: number): string => renderTable(["Title", "Name", "Id"], [row], terminal(columns));
    expect(at(40)).toContain("  0123456789abcdef\n");
    expect(at(32)).toContain("  0123456789abcdef\n");
    for (const columns of [10, 20, 24, 32, 40]) {
      for (const width of widths(at(columns))) expect(width).toBeLessThanOrEqual(columns);
    }
  });

  test("six long columns fit into 40", () => {
    const row = Array.from({ length: 6 }, () => ({ text: "abcdefghijklmnopqrstuvwxyz" }));
    const header = ["One", "Two", "Three", "Four", "Five", "Six"];
    const drawn = renderTable(header, [row], terminal(40));
    for (const width of widths(drawn)) expect(width).toBeLessThanOrEqual(40);
    expect(drawn).toContain("a");
  });

  test("without a UTF-8 locale the cut is shown in ASCII, and still fits", () => {
    const ascii = style({ columns: 40, env: { NO_COLOR: "1", LANG: "C" } });
    const rows = [[{ text: "1" }, { text: "A very long label that cannot be shown as a whole (LONG)" }]];
    expect(`\n${renderTable(["#", "Resource"], rows, ascii)}`).toMatchInlineSnapshot(`
      "
      #  Resource
      1  A very long label that cannot be s...
      "
    `);
  });

  test("colors are around what is shown and take no room", () => {
    const paint = (text: string): string => `<${text}>`;
    const colored = style({ columns: 40 });
    const drawn = renderTable(["A", "B"], [[{ text: "x", paint }, { text: "y" }]], colored);
    expect(drawn).toBe("\x1b[1mA\x1b[22m  \x1b[1mB\x1b[22m\n<x>  y\n");
  });

  test("what could move the cursor or reorder the text is spelled out", () => {
    const rows = [[{ text: "a\x1b[2Jb\r\n\t\u009b31m\u202e" }, { text: "c" }]];
    expect(`\n${renderTable(["A", "B"], rows, terminal(80))}`).toMatchInlineSnapshot(`
      "
      A                                             B
      a\\u001b[2Jb\\u000d\\u000a\\u0009\\u009b31m\\u202e  c
      "
    `);
  });
});

describe("in a pipe", () => {
  test("cells are whole and separated by tabs", () => {
    expect(`\n${renderTable(HEADER, ROWS, style())}`).toMatchInlineSnapshot(`
      "
      #	Resource	Workspace	Status
      1	Payments API (PAY)	Acme Corp	○ available
      2	Customer-facing order, billing and refund reconciliation (REC)	Acme Labs	● bound
      -	決済プラットフォーム(東京) (PJP)	Acme Corp	○ available
      10	Mobile 📱 Apps 👩‍👩‍👧‍👦 (MOB)	Café	○ available
      "
    `);
  });

  test("a cell cannot pretend to be two", () => {
    const drawn = renderTable(["A", "B"], [[{ text: "a\tb" }, { text: "c\nd" }]], style());
    expect(drawn).toBe("A\tB\na\\u0009b\tc\\u000ad\n");
  });
});

test("facts are aligned, and those without a value left out", () => {
  const facts = [
    ["Resource", "Payments\x07 (PAY)"],
    ["Issues", 0],
    ["Last synced", null],
    ["Reference", undefined],
    ["Sync", ""],
  ] as const;
  expect(renderFacts(facts, style())).toBe("Resource  Payments\\u0007 (PAY)\nIssues    0\n");
  expect(renderFacts([], style())).toBe("");
});
