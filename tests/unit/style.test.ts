/** Checks doc comments against docs/style.md. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SOURCES = join(import.meta.dir, "..", "..", "src");
const HEADLESS = /\/\*\*\s+(?:\*\s+)?(?:What|How|Whether|Where|Who|Whose|Whom|Why|When|Which)\b[^\n]*/g;

test("doc comments start with a noun phrase or a verb", () => {
  const found = [...new Bun.Glob("**/*.ts").scanSync({ cwd: SOURCES })].flatMap((path) =>
    (readFileSync(join(SOURCES, path), "utf8").match(HEADLESS) ?? []).map((comment) => `${path}: ${comment}`),
  );
  expect(found).toEqual([]);
});
