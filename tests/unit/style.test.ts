/** Checks doc comments against docs/style.md. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SOURCES = join(import.meta.dir, "..", "..", "src");

const HEADLESS = /\/\*\*\s+(?:\*\s+)?(?:What|How|Whether|Where|Who|Whose|Whom|Why|When|Which)\b/g;

/** Headless doc comments that each room still has. A number only falls. */
const HEADLESS_BUDGET: Readonly<Record<string, number>> = {
  client: 19,
  service: 50,
};

test("doc comments start with a noun phrase or a verb", () => {
  const counts: Record<string, number> = {};
  for (const path of new Bun.Glob("**/*.ts").scanSync({ cwd: SOURCES })) {
    const room = path.split(/[\\/]/)[0]?.replace(/\.ts$/, "") ?? "";
    const comments = readFileSync(join(SOURCES, path), "utf8").match(HEADLESS) ?? [];
    counts[room] = (counts[room] ?? 0) + comments.length;
  }
  const excess = Object.entries(counts).filter(([room, count]) => count > (HEADLESS_BUDGET[room] ?? 0));
  expect(Object.fromEntries(excess)).toEqual({});
});
