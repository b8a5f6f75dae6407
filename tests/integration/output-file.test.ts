import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOutputFile } from "../../src/shared/atomic-file.ts";

test("a named pipe is written as the content arrives, and stays one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tracker-output-"));
  try {
    const pipe = join(folder, "pipe");
    Bun.spawnSync(["mkfifo", pipe]);
    for (const text of ["first\n", "second\n"]) {
      const reader = Bun.spawn(["cat", pipe], { stdout: "pipe" });
      const output = openOutputFile(pipe);
      output.append(text);
      output.finish();
      expect(await reader.stdout.text()).toBe(text);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
