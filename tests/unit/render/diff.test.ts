import { expect, test } from "bun:test";
import { renderDiff } from "../../../src/cli/render/diff.ts";
import { style } from "./style.ts";

test("shows what goes and what comes between what stays", () => {
  const before = "# mine\nproject:\n  slug: a\ntracker:\n  provider: github\n  house_rule: tabs\n";
  const after =
    "# mine\nproject:\n  slug: a\ntracker:\n  provider: linear\n  binding_ref: srm_1\n  house_rule: tabs\n";
  expect(`\n${renderDiff(before, after, style())}`).toMatchInlineSnapshot(`
    "
      # mine
      project:
        slug: a
      tracker:
    -   provider: github
    +   provider: linear
    +   binding_ref: srm_1
        house_rule: tabs
    "
  `);
});

test("a new file comes whole, an emptied one goes whole", () => {
  expect(renderDiff("", "a: 1\nb: 2\n", style())).toBe("+ a: 1\n+ b: 2\n");
  expect(renderDiff("a: 1\nb: 2\n", "", style())).toBe("- a: 1\n- b: 2\n");
});

test("texts that do not differ", () => {
  expect(renderDiff("a\nb\n", "a\nb\n", style())).toBe("  a\n  b\n");
  expect(renderDiff("", "", style())).toBe("");
});

test("repeated and empty lines keep their places", () => {
  expect(renderDiff("x\n\nx\n", "x\n\ny\n\nx\n", style())).toBe("  x\n  \n+ y\n+ \n  x\n");
});

test("line ends of either kind and control characters", () => {
  expect(renderDiff("a\r\n", "a\r\nb\x1b[31m\r\n", style())).toBe("  a\n+ b\\u001b[31m\n");
});

test("colors where there are colors", () => {
  expect(renderDiff("a", "b", style({ columns: 80 }))).toBe("\x1b[31m- a\x1b[39m\n\x1b[32m+ b\x1b[39m\n");
});
