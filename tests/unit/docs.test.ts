import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderCliDocs } from "../../docs/generate.ts";

const ROOT = join(import.meta.dir, "..", "..");
const REFERENCE = "docs/cli.md";
const PROSE = [...filesOf("*.md"), ...filesOf("{docs,tests}/**/*.md")].filter((path) => path !== REFERENCE);

function filesOf(pattern: string): readonly string[] {
  const found = [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })];
  return found.map((path) => path.replaceAll("\\", "/")).toSorted();
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

test("docs/cli.md is what the command tree says (bun run docs)", async () => {
  expect(read(REFERENCE)).toBe(await renderCliDocs());
});

/** Flags by command, such as `tracker sync pull`; a group has its commands as words of their own. */
const [general = "", ...sections] = read(REFERENCE).split("\n### `");
const everywhere = new Set(["--help", "--version", ...flagsIn(general)]);
const commands = new Map(
  sections.map((section) => {
    const usage = section.slice(0, section.indexOf("`"));
    const isGroup = usage.endsWith("<command>");
    return [usage.replace(/ [<[].*/, ""), { isGroup, flags: flagsIn(section) }] as const;
  }),
);

function flagsIn(section: string): ReadonlySet<string> {
  return new Set([...section.matchAll(/^\| `(--[\w-]+)/gm)].map(([, flag = ""]) => flag));
}

/** The command lines of a text: those in blocks, and those between backticks. */
function commandLines(text: string): readonly string[] {
  const found = [...text.matchAll(/^(?:\$ )?(tracker .*)$|`(tracker [^`]*)`/gm)];
  return found.map(([, line, span]) => (line ?? span ?? "").replace(/\s+(?:#\s|\|\||<\s).*$/s, ""));
}

/** What there is not: a command, or a flag of it. */
function problemOf(line: string): string | null {
  const words = line.split(/\s+/);
  let path = "tracker";
  let rest = words.slice(1);
  for (let [word] = rest; word !== undefined && commands.has(`${path} ${word}`); [word] = rest) {
    path += ` ${word}`;
    rest = rest.slice(1);
  }
  const command = commands.get(path);
  const [next = ""] = rest;
  if (command === undefined || command.isGroup) {
    // `sync pull|push` names several, `<command>` any.
    const unknown = next.split("|").find((word) => /^\w/.test(word) && !commands.has(`${path} ${word}`));
    if (unknown !== undefined) return `${path} ${unknown}`;
  }
  const flag = rest
    .filter((word) => word.startsWith("--"))
    .map((word) => word.replace(/[=,.].*$/, ""))
    .find((word) => !everywhere.has(word) && command?.flags.has(word) !== true);
  return flag === undefined ? null : `${path} ${flag}`;
}

test.each(PROSE)("%s names no command and no flag that there is not", (path) => {
  expect(commandLines(read(path)).flatMap((line) => problemOf(line) ?? [])).toEqual([]);
});

test("what there is not is found", () => {
  const lines = commandLines(
    "Try `tracker synch`, `tracker sync pul|push`, `tracker bind --provide x`.\n\n$ tracker bind --yes # x",
  );
  expect(lines.map(problemOf)).toEqual(["tracker synch", "tracker sync pul", "tracker bind --provide", null]);
});

test.each([...PROSE, REFERENCE])("%s links to files that are there", (path) => {
  const links = [...read(path).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = ""]) => link);
  for (const link of links) expect(() => read(join(path, "..", link)), link).not.toThrow();
});

const SOURCES = filesOf("src/**/*.ts");
const SOURCE_TEXT = SOURCES.map(read).join("\n");

/** A page may name a file by its path from the root or from the page, and one of `src` by the end of its path. */
function isFile(name: string, page: string): boolean {
  const isAt = (folder: string): boolean => existsSync(join(ROOT, folder, name));
  return isAt(".") || isAt(dirname(page)) || SOURCES.some((path) => path.endsWith(`/${name}`));
}

/** The names between the backticks of a text: files of ours, and what they declare. */
function namesIn(text: string) {
  const spans = [...text.replace(/^```.*?^```/gms, "").matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span);
  return {
    files: spans.filter((span) => /^[\w/-]+(?:\.[\w-]+)*\.ts$/.test(span)),
    declared: spans
      .filter(
        (span) => /^#?[a-zA-Z]\w*(?:\.#?[a-zA-Z]\w*)*$/.test(span) && !/\.(?:ts|md|json|db)$/.test(span),
      )
      .flatMap((span) => span.split(".")),
  };
}

test.each(PROSE)("%s names files that exist", (path) => {
  expect(namesIn(read(path)).files.filter((name) => !isFile(name, path))).toEqual([]);
});

test("docs/architecture.md names what the sources declare", () => {
  const missing = namesIn(read("docs/architecture.md")).declared.filter(
    (name) => name !== "src" && !new RegExp(`(?<![\\w#])${name}\\b`).test(SOURCE_TEXT),
  );
  expect(missing).toEqual([]);
});

test("docs/decisions/README.md lists every record, in order", () => {
  const listed = [...read("docs/decisions/README.md").matchAll(/\]\((\d{4}-[\w-]+\.md)\)/g)];
  expect(listed.map(([, file]) => `docs/decisions/${file}`)).toEqual([
    ...filesOf("docs/decisions/[0-9]*.md"),
  ]);
});
