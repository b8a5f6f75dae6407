import { expect, test } from "bun:test";
import { renderCandidates } from "../../../src/cli/render/candidates.ts";
import { style } from "./style.ts";

const choice = (number: number, display_label: string, confidence: string, match_reason: string) => ({
  number,
  display_label,
  confidence,
  match_reason,
});

test("numbers, labels, and why", () => {
  const drawn = renderCandidates(
    [
      choice(1, "Payments API (PAY)", "high", "its name equals the repository's"),
      choice(2, "決済プラットフォーム (PJP)", "medium", "one word is shared"),
      choice(12, "evil\x1b]0;title\x07 (E)\u202e", "low", "tri\ngram"),
    ],
    style(),
  );
  expect(`\n${drawn}`).toMatchInlineSnapshot(`
    "
     1. Payments API (PAY)
        high: its name equals the repository's
     2. 決済プラットフォーム (PJP)
        medium: one word is shared
    12. evil\\u001b]0;title\\u0007 (E)\\u202e
        low: tri\\u000agram
    "
  `);
});

test("nothing for nothing", () => {
  expect(renderCandidates([], style())).toBe("");
});

test("the reason is dimmed where there is color", () => {
  expect(renderCandidates([choice(1, "A", "high", "why")], style({ columns: 80 }))).toBe(
    "1. A\n\x1b[2m   high: why\x1b[22m\n",
  );
});
