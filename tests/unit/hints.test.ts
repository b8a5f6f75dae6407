/** Every command that a hint or a page names exists, with its flags. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readCommandLine } from "../../src/cli/argv.ts";
import { hintOf } from "../../src/cli/hints.ts";
import { COMMAND_TREE } from "../../src/cli.ts";
import { TrackerError } from "../../src/shared/errors.ts";
import { resolve } from "../../src/shared/lazy.ts";

const ROOT = join(import.meta.dir, "..", "..");
const HINTS = "src/cli/hints.ts";

/** Comments, which are skipped, and the two kinds of texts. */
const TEXT = /\/\*[\s\S]*?\*\/|\/\/.*|"((?:\\.|[^"\\\n])*)"|`((?:\\.|\$\{[^}]*\}|[^`\\])*)`/g;

/** All texts of a source file, with `VALUE` in place of what is interpolated. */
function textsOf(file: string): string[] {
  return [...readFileSync(join(ROOT, file), "utf8").matchAll(TEXT)].flatMap(([, plain, template]) => {
    const text = plain ?? template;
    return text === undefined ? [] : [text.replace(/\$\{[^}]*\}/g, "VALUE").replace(/\\(.)/g, "$1")];
  });
}

/** The commands in a text: those between backticks, and one that is the rest of it. */
function commandsOf(text: string): string[] {
  const quoted = [...text.matchAll(/`(tracker [^`]*)`/g)].map(([, command = ""]) => command);
  const [rest] = /(?<=^|: |; )tracker [a-z].*$/s.exec(text.replace(/`[^`]*`/g, "")) ?? [];
  return rest === undefined ? quoted : [...quoted, rest];
}

/** The command lines of a page: in code spans and in blocks of shell code. */
function commandsOfPage(page: string): string[] {
  const blocks = [...page.matchAll(/^```(?:sh|bash|console|text)?\n([\s\S]*?)^```/gm)].flatMap(
    ([, code = ""]) => code.replaceAll("\\\n", " ").split("\n"),
  );
  const spans = [...page.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`(tracker [^`]*)`/g)];
  return [...blocks, ...spans.map(([, code = ""]) => code)].flatMap((line) => {
    const [command] = /(?<=^|[|$;] |&& )tracker [a-z][^#]*/.exec(line.trim()) ?? [];
    return command === undefined ? [] : [command];
  });
}

/** The words of a command line, as a shell would read them, without `[optional]` ones. A redirection ends it. */
function wordsOf(command: string): string[] {
  const [own = ""] = command.replace(/ \[[^\]]*\]| <command>/g, "").split(/ [<>|&]+ | \d?>/);
  return [...own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, bare]) =>
    (single ?? double ?? bare ?? "").replace(/[,;.]$/, ""),
  );
}

async function problemOf(command: string): Promise<string | null> {
  const [, ...argv] = wordsOf(command);
  const line = await readCommandLine(COMMAND_TREE, argv);
  // Prose may name a group, or a command without its arguments.
  const message = line.problem?.message ?? null;
  return message?.endsWith(" is missing.") === true ? null : message;
}

const hinted = textsOf(HINTS).flatMap(commandsOf);

test("hints name commands", () => {
  expect(hinted.length).toBeGreaterThan(40);
});

test.each([...new Set(hinted)])("%s", async (command) => {
  expect(await problemOf(command)).toBeNull();
});

describe.each([
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
])("%s", (file) => {
  const commands = new Set(commandsOfPage(readFileSync(join(ROOT, file), "utf8")));
  test("names only commands that exist", async () => {
    for (const command of commands)
      expect({ command, problem: await problemOf(command) }).toEqual({ command, problem: null });
  });
});

/** Names of the commands at the top. */
const NOUNS = Object.keys((await resolve(COMMAND_TREE.subCommands)) ?? {}).join("|");

test("no other source names a command to run", () => {
  const commandText = new RegExp(`(?:^|[\\s\`:;(])tracker (?:${NOUNS})\\b`);
  const named = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: ROOT })].flatMap((file) =>
    file.replaceAll("\\", "/") === HINTS
      ? []
      : textsOf(file)
          .filter((text) => commandText.test(text))
          .map((text) => `${file}: ${text}`),
  );
  expect(named).toEqual([]);
});

test("a code that all objects inherit has no hint", () => {
  expect(hintOf(new TrackerError("constructor", "Refused."))).toBeNull();
});

test("a lost operation names the command that waits, with or without another hint", () => {
  const facts = { unfinished: "operation", details: { operation_id: "op" } } as const;
  expect(hintOf(new TrackerError("unknown", "Lost.", facts))).toBe("Wait for it again: tracker sync wait op");
  expect(hintOf(new TrackerError("host_timeout", "Lost.", facts))).toEndWith(
    "`tracker doctor`. Wait for it again: tracker sync wait op",
  );
});
