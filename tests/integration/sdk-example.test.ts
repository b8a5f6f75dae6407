import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const DOCS = join(import.meta.dir, "..", "..", "docs");
const EXAMPLE = join(DOCS, "examples", "sdk.ts");

/** The first block of that language in docs/sdk.md. */
function block(language: string): string {
  const text = readFileSync(join(DOCS, "sdk.md"), "utf8");
  const [, code] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "ms").exec(text) ?? [];
  if (code === undefined) throw new Error(`docs/sdk.md has no ${language} block`);
  return code;
}

test("the example in docs/sdk.md is the file docs/examples/sdk.ts", () => {
  expect(block("ts")).toBe(readFileSync(EXAMPLE, "utf8"));
});

test("the example runs, and prints what docs/sdk.md says", async () => {
  const example = Bun.spawn([process.execPath, EXAMPLE], { cwd: DOCS, stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([example.stdout.text(), example.stderr.text()]);
  expect({ errors, code: await example.exited }).toEqual({ errors: "", code: 0 });
  expect(output).toBe(block("text"));
  expect(output.split("\n")).toContain("Login fails in Safari 18 [auth urgent web] in_progress");
  expect(output).toContain("\npushed 1, conflicts 0\n");
  expect(output).toContain("\npushed 0\n");
});
