/** Rules for the tests themselves. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const TESTS = join(import.meta.dir, "..");

test("no test has a time limit of its own, except those over the network", () => {
  const own =
    /^\s*\}, [\d_]+\);$|^\s*(?:(?:[A-Z_]+ \* )+[\d_]+|[\d_]{4,}),\n\s*\);$|\btest\(.*, [\d_]{4,}\);$|\bsetDefaultTimeout\(/m;
  const found = [...new Bun.Glob("**/*.test.ts").scanSync({ cwd: TESTS })].filter((file) =>
    own.test(readFileSync(join(TESTS, file), "utf8")),
  );
  expect(found.filter((file) => !file.endsWith("test-files.test.ts"))).toEqual(["integration/live.test.ts"]);
});
