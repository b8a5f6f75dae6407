import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "tracker-identity-"));
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

test("processes that reserve at the same time agree", async () => {
  const script = `
    import { UuidReservations } from ${JSON.stringify(join(import.meta.dir, "../../src/config/identity.ts"))};
    const reservations = new UuidReservations(${JSON.stringify(state)}, ${JSON.stringify(join(state, "edit.lock"))});
    process.stdout.write("ready\\n");
    for await (const _ of console) break;
    const held = [];
    for (let n = 0; n < 100; n++) held.push(reservations.reserve("/project/" + n, crypto.randomUUID()));
    process.stdout.write(held.join(",") + "\\n");`;
  const processes = Array.from({ length: 3 }, () =>
    Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" }),
  );
  const readers = processes.map(({ stdout }) => lines(stdout));
  for (const reader of readers) expect((await reader.next()).value).toBe("ready");
  for (const { stdin } of processes) {
    stdin.write("go\n");
    stdin.end();
  }
  const held = await Promise.all(readers.map(async (reader) => (await reader.next()).value ?? ""));
  expect(held[0]?.split(",")).toHaveLength(100);
  expect(new Set(held).size).toBe(1);
});

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    const parts = (text + decoder.decode(chunk, { stream: true })).split("\n");
    text = parts.pop() ?? "";
    yield* parts;
  }
}
