import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { renderCliDocs } from "../../docs/generate.ts";

test("docs/cli.md is what the command tree says (bun run docs)", async () => {
  expect(readFileSync("docs/cli.md", "utf8")).toBe(await renderCliDocs());
});
