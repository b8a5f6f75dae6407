import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");
/** Largest difference between the documented and the counted figures, as a fraction. */
const TOLERANCE = 0.1;
const ROW = /^\| (One [^|]*) \| (\d+) \| (\d+) \| (\d+) \|$/gm;

function rowsOf(text: string) {
  return [...text.matchAll(ROW)].map(([, title = "", files, functions, requests]) => ({
    title,
    files: Number(files),
    functions: Number(functions),
    requests: Number(requests),
  }));
}

test("docs/architecture.md states the code behind each command (bun run docs)", () => {
  const stated = rowsOf(readFileSync(join(ROOT, "docs", "architecture.md"), "utf8"));
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "bench/trace.ts"], { cwd: ROOT });
  expect(stderr.toString()).toBe("");
  const counted = rowsOf(stdout.toString());
  expect(counted).toHaveLength(3);
  expect(stated.map(({ title, requests }) => [title, requests])).toEqual(
    counted.map(({ title, requests }) => [title, requests]),
  );
  for (const [index, { files, functions }] of counted.entries()) {
    expect(Math.abs((stated[index]?.files ?? 0) / files - 1)).toBeLessThan(TOLERANCE);
    expect(Math.abs((stated[index]?.functions ?? 0) / functions - 1)).toBeLessThan(TOLERANCE);
  }
});
