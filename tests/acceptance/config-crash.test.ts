import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { editProjectConfig, readProjectConfig } from "../../src/config.ts";

const KILLS = 20;
const WRITERS = 4;
const EDITS = 25;

const WRITER = join(import.meta.dir, "../helpers/config-writer.ts");
const BEFORE =
  "# kept\r\nproject:\r\n  slug: start\r\ntracker:\r\n  display_label: start # why\r\n  egress: on\r\n";
const FILLING = Array.from({ length: 100 }, (_, line) => `k${line}: ${"v".repeat(250)}\r\n`).join("");

describe("a config that is being edited", () => {
  let folder = "";
  let config = "";
  let lock = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tracker-config-"));
    config = join(folder, "config.yaml");
    lock = join(folder, "state", "config.lock");
    writeFileSync(config, BEFORE + FILLING);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const startWriter = (name: string, edits: number) =>
    Bun.spawn([process.execPath, WRITER, config, lock, name, String(edits)], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });

  /** The slug and the label that the file holds; fails when the file is anything but one complete edit. */
  const readState = (): string => {
    const { slug } = readProjectConfig(config).project;
    expect(readFileSync(config, "utf8")).toBe(BEFORE.replaceAll("start", String(slug)) + FILLING);
    return String(slug);
  };

  test("is whole whenever its writer is killed, and the next run clears up", async () => {
    const states = new Set<string>();
    for (let kill = 0; kill < KILLS; kill++) {
      const writer = startWriter(`run${kill}`, Number.POSITIVE_INFINITY);
      const started = await writer.stdout.getReader().read();
      expect(started.done).toBe(false);
      await Bun.sleep(Math.random() * 30);
      writer.kill("SIGKILL");
      await writer.exited;
      states.add(readState());
      editProjectConfig(config, lock, () => ({
        project: { slug: "next" },
        tracker: { display_label: "next" },
      }));
      expect(readState()).toBe("next");
      expect(readdirSync(folder).sort()).toEqual(["config.yaml", "state"]);
    }
    expect(states.size).toBeGreaterThan(KILLS / 4);
  });

  test("loses no edit of writers that run at the same time", async () => {
    writeFileSync(config, BEFORE);
    const names = Array.from({ length: WRITERS }, (_, writer) => `writer${writer}`);
    const exits = await Promise.all(names.map((name) => startWriter(name, EDITS).exited));
    expect(exits).toEqual(names.map(() => 0));
    const text = readFileSync(config, "utf8");
    const missing = names.flatMap((name) =>
      Array.from({ length: EDITS }, (_, edit) => `  ${name}_${edit}: ${name}-${edit}\r\n`).filter(
        (line) => text.split(line).length !== 2,
      ),
    );
    expect(missing).toEqual([]);
    expect(text.split("\r\n").length).toBe(BEFORE.split("\r\n").length + WRITERS * EDITS);
    expect(readdirSync(folder).sort()).toEqual(["config.yaml", "state"]);
  });
});
