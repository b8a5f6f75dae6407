import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { editProjectConfig, readProjectConfig } from "../../src/config.ts";
import { PendingFile, readRegularFile, replaceFile } from "../../src/shared/atomic-file.ts";
import { ConfigError } from "../../src/shared/errors.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const modeOf = (path: string): number => statSync(path).mode & 0o777;

let folder = "";
let file = "";
let lock = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tracker-file-"));
  file = join(folder, "files", "config.yaml");
  lock = join(folder, "state", "tracker", "config.lock");
  mkdirSync(join(folder, "files"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string): unknown => replaceFile(file, lock, () => bytes(text));
const entries = (): string[] => readdirSync(join(folder, "files")).sort();

function errorOf(action: () => unknown): ConfigError {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Runs `work` as somebody whom permissions bind: they do not bind root. */
function asNobody<T>(work: () => T): T {
  if (process.getuid?.() !== 0) return work();
  process.seteuid?.(65_534);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
  }
}

describe("replaceFile", () => {
  test("makes a new file, and its folder", () => {
    rmSync(join(folder, "files"), { recursive: true });
    expect(write("new")).toEqual({ before: null, after: bytes("new"), changed: true });
    expect(readFileSync(file, "utf8")).toBe("new");
    expect(modeOf(file) & 0o133).toBe(0);
    expect(modeOf(join(folder, "state"))).toBe(0o700);
  });

  test("hands over the old content and keeps the old mode", () => {
    writeFileSync(file, "old");
    chmodSync(file, 0o640);
    const { before, changed } = replaceFile(file, lock, (current) => bytes(`${Buffer.from(current ?? [])}!`));
    expect([String(Buffer.from(before ?? [])), changed]).toEqual(["old", true]);
    expect(readFileSync(file, "utf8")).toBe("old!");
    expect(modeOf(file)).toBe(0o640);
    expect(entries()).toEqual(["config.yaml"]);
  });

  test("gives the mode that is asked for, to an old file too", () => {
    writeFileSync(file, "old", { mode: 0o644 });
    replaceFile(file, lock, () => bytes("secret"), { mode: 0o600 });
    expect(modeOf(file)).toBe(0o600);
  });

  test.each([
    ["null", null],
    ["the same content", bytes("old")],
  ])("writes nothing for %s", (_name, content) => {
    writeFileSync(file, "old");
    const { ino, mtimeNs } = statSync(file, { bigint: true });
    expect(replaceFile(file, lock, () => content).changed).toBe(false);
    expect(statSync(file, { bigint: true })).toMatchObject({ ino, mtimeNs });
  });

  test("writes nothing when there is no file and nothing to write", () => {
    rmSync(join(folder, "files"), { recursive: true });
    expect(replaceFile(file, lock, () => null)).toEqual({ before: null, after: null, changed: false });
    expect(existsSync(join(folder, "files"))).toBe(false);
  });

  test("keeps a symbolic link and replaces what it leads to", () => {
    const real = join(folder, "real", "shared.yaml");
    mkdirSync(join(folder, "real"));
    writeFileSync(real, "old");
    symlinkSync("middle", file);
    symlinkSync("../real/shared.yaml", join(folder, "files", "middle"));
    write("new");
    expect(readlinkSync(file)).toBe("middle");
    expect(lstatSync(real).isFile()).toBe(true);
    expect(readFileSync(real, "utf8")).toBe("new");
    expect(readdirSync(join(folder, "real"))).toEqual(["shared.yaml"]);
  });

  test("makes the file that a dangling link leads to", () => {
    symlinkSync("other.yaml", file);
    write("new");
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, "files", "other.yaml"), "utf8")).toBe("new");
  });

  test("starts again when a program without the lock was faster", () => {
    writeFileSync(file, "0");
    const seen: string[] = [];
    replaceFile(file, lock, (current) => {
      const text = String(Buffer.from(current ?? []));
      seen.push(text);
      if (seen.length <= 3) writeFileSync(file, String(seen.length));
      return bytes(`${text}!`);
    });
    expect(seen).toEqual(["0", "1", "2", "3"]);
    expect(readFileSync(file, "utf8")).toBe("3!");
    expect(entries()).toEqual(["config.yaml"]);
  });

  test("gives up on a file that never rests, and leaves it", () => {
    let turn = 0;
    const error = errorOf(() =>
      replaceFile(file, lock, () => {
        writeFileSync(file, String(++turn));
        return bytes("never");
      }),
    );
    expect(error).toMatchObject({ code: "config_busy", retryable: true });
    expect(readFileSync(file, "utf8")).toBe(String(turn));
    expect(entries()).toEqual(["config.yaml"]);
  });

  test("clears up after a killed run, whatever its leftover is", () => {
    const leftover = join(folder, "files", ".config.yaml.tracker-tmp");
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, "untouched");
    symlinkSync(elsewhere, leftover);
    write("new");
    expect(readFileSync(elsewhere, "utf8")).toBe("untouched");
    writeFileSync(leftover, "half");
    replaceFile(file, lock, () => null);
    expect(entries()).toEqual(["config.yaml"]);
  });

  test("an error of the transformation leaves everything as it was and frees the lock", () => {
    writeFileSync(file, "old");
    const fail = (): Uint8Array => {
      throw new RangeError("no");
    };
    expect(() => replaceFile(file, lock, fail)).toThrow(RangeError);
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(write("new")).toMatchObject({ changed: true });
  });

  test("refuses a read-only file", () => {
    writeFileSync(file, "old", { mode: 0o444 });
    expect(errorOf(() => write("new"))).toMatchObject({ code: "config_unwritable" });
    expect(errorOf(() => write("new")).message).toContain("read-only");
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(entries()).toEqual(["config.yaml"]);
  });

  test("refuses a folder that takes no files", () => {
    writeFileSync(file, "old");
    chmodSync(folder, 0o777);
    chmodSync(join(folder, "files"), 0o555);
    expect(() => asNobody(() => replaceFile(file, lock, () => new Uint8Array(1)))).toThrow(
      expect.objectContaining({
        code: "config_unwritable",
        message: expect.stringContaining("permission denied"),
      }),
    );
    expect(readFileSync(file, "utf8")).toBe("old");
    chmodSync(join(folder, "files"), 0o755);
  });

  test.each([
    ["a folder", () => mkdirSync(file)],
    ["a pipe", () => Bun.spawnSync(["mkfifo", file])],
    ["a device", () => symlinkSync("/dev/zero", file)],
    ["a link to itself", () => symlinkSync("config.yaml", file)],
    [
      "a path through a file",
      () => rmSync(join(folder, "files"), { recursive: true }) ?? writeFileSync(join(folder, "files"), ""),
    ],
  ])("refuses %s", (_name, make) => {
    make();
    expect(errorOf(() => write("new")).code).toBe("config_unreadable");
    expect(errorOf(() => readRegularFile(file)).code).toBe("config_unreadable");
  });

  test("refuses a file that is too large without reading it", () => {
    writeFileSync(file, "x".repeat(2_000));
    expect(errorOf(() => replaceFile(file, lock, () => null, { maxBytes: 1_999 })).code).toBe(
      "config_too_large",
    );
    expect(errorOf(() => readRegularFile(file, 1_999)).code).toBe("config_too_large");
    expect(readRegularFile(file, 2_000)?.length).toBe(2_000);
  });

  test("refuses without a lock", () => {
    writeFileSync(join(folder, "state"), "a file where the lock's folder should be");
    expect(errorOf(() => write("new")).code).toBe("config_locked");
    expect(existsSync(file)).toBe(false);
  });
});

describe("editProjectConfig", () => {
  const edit = (label: string) =>
    editProjectConfig(file, lock, () => ({ tracker: { display_label: label } }));

  test("makes the file, then changes it, then leaves it", () => {
    rmSync(join(folder, "files"), { recursive: true });
    const first = "tracker:\n  display_label: A\n";
    expect(editProjectConfig(file, lock, () => ({}))).toEqual({ before: null, after: "", changed: false });
    expect(existsSync(join(folder, "files"))).toBe(false);
    expect(edit("A")).toEqual({ before: null, after: first, changed: true });
    expect(edit("B")).toEqual({ before: first, after: first.replace("A", "B"), changed: true });
    expect(edit("B")).toMatchObject({ changed: false });
    expect(readProjectConfig(file).tracker.displayLabel).toBe("B");
  });

  test("plans again on what another program wrote meanwhile", () => {
    writeFileSync(file, "project:\n  slug: mine\n");
    const seen: (string | null)[] = [];
    editProjectConfig(file, lock, ({ project }) => {
      if (seen.push(project.slug) === 1) writeFileSync(file, "# new\nproject:\n  slug: theirs\n");
      return { tracker: { display_label: `of ${project.slug}` } };
    });
    expect(seen).toEqual(["mine", "theirs"]);
    expect(readFileSync(file, "utf8")).toBe(
      "# new\nproject:\n  slug: theirs\ntracker:\n  display_label: of theirs\n",
    );
  });

  test.each([
    ["not UTF-8", Uint8Array.of(0x61, 0x3a, 0x20, 0xff, 0x0a), "config_invalid"],
    ["not YAML", bytes("a: [\n"), "config_invalid"],
    [
      "as large as may be",
      bytes(`${`# ${"é".repeat(15_000)}\n`.repeat(8)}#${"x".repeat(256 * 1024 - 240_025)}`),
      "config_too_large",
    ],
    ["too large", bytes(`#${"x".repeat(256 * 1024)}`), "config_too_large"],
  ])("leaves a file that is %s", (_name, content, code) => {
    writeFileSync(file, content);
    expect(errorOf(() => edit("A"))).toMatchObject({ code });
    expect(Buffer.compare(readFileSync(file), content)).toBe(0);
    expect(entries()).toEqual(["config.yaml"]);
  });

  test("reading refuses what editing refuses", () => {
    writeFileSync(file, Uint8Array.of(0x61, 0x3a, 0x20, 0xff));
    expect(errorOf(() => readProjectConfig(file)).code).toBe("config_invalid");
    writeFileSync(file, `#${"x".repeat(256 * 1024)}`);
    expect(errorOf(() => readProjectConfig(file)).code).toBe("config_too_large");
  });

  test("a missing file reads as an empty one", () => {
    expect(readProjectConfig(file)).toMatchObject({ project: { uuid: null }, tracker: { provider: null } });
  });
});

describe("a file that is written piece by piece", () => {
  const place = (): string => join(folder, "files");

  test("takes its place as a whole, with the permissions of the one before", () => {
    const path = join(place(), "issues.ndjson");
    writeFileSync(path, "old\n");
    chmodSync(path, 0o600);
    const file = new PendingFile(path);
    file.append("one\n");
    file.append("two\n");
    expect(readFileSync(path, "utf8")).toBe("old\n");
    file.finish();
    file.discard();
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(entries()).toEqual(["issues.ndjson"]);
  });

  test("that is discarded leaves nothing behind", () => {
    const file = new PendingFile(join(place(), "issues.ndjson"));
    file.append("one\n");
    file.discard();
    file.discard();
    expect(entries()).toEqual([]);
    expect(() => file.append("two\n")).toThrow("Cannot write");
  });

  test("goes where a symbolic link leads, which stays one", () => {
    const link = join(place(), "link");
    symlinkSync("target.ndjson", link);
    const file = new PendingFile(link);
    file.append("one\n");
    file.finish();
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(place(), "target.ndjson"), "utf8")).toBe("one\n");
  });

  test("two at once do not get into each other", () => {
    const path = join(place(), "issues.ndjson");
    const [first, second] = [new PendingFile(path), new PendingFile(path)];
    first.append("first\n");
    second.append("second\n");
    second.finish();
    first.finish();
    expect(readFileSync(path, "utf8")).toBe("first\n");
    expect(entries()).toEqual(["issues.ndjson"]);
  });

  test.each([
    ["no folder", () => join(place(), "nowhere", "x"), "the file or folder does not exist"],
    ["a folder", () => place(), "it is a folder"],
    ["a device", () => "/dev/null", "it is not a regular file"],
    [
      "a read-only file",
      () => {
        const path = join(place(), "x");
        writeFileSync(path, "", { mode: 0o444 });
        return path;
      },
      "it is read-only",
    ],
  ])("%s is refused at once", (_name, make, reason) => {
    const path = make();
    expect(() => new PendingFile(path)).toThrow(`Cannot write ${path}: ${reason}.`);
  });
});
