/** Checks the subjects of commits against docs/style.md. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");

/** The last commit before the rules. */
const BASE = "7dfba7b92b1fcb6323a7f9cbfb5523d2f15eb56f";
const MAX_SUBJECT_LENGTH = 72;
const SUBJECT =
  /^(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([\w-]+\))?!?: (?<verb>[a-z][a-z-]*) \S.*[^.]$/;
/** Verbs in the imperative that look like another form. */
const VERBS = new Set(["address", "bring", "compress", "embed", "focus", "need", "pass", "process", "speed"]);
const NO_VERBS = new Set(["a", "an", "the", "one", "no", "what", "how", "which", "when", "more", "fewer"]);

function isImperative(word: string): boolean {
  return VERBS.has(word) || !(NO_VERBS.has(word) || /(?:ed|ing|s)$/.test(word));
}

function git(...args: readonly string[]): { readonly success: boolean; readonly output: string } {
  const program = Bun.which("git");
  if (program === null) return { success: false, output: "" };
  const { success, stdout } = Bun.spawnSync([program, "-C", ROOT, ...args], { stderr: "ignore" });
  return { success, output: stdout.toString() };
}

/** Subjects since {@link BASE}; null in a folder whose history does not reach it. */
function subjects(): readonly string[] | null {
  if (!git("merge-base", "--is-ancestor", BASE, "HEAD").success) return null;
  return git("log", "--no-merges", "--format=%s", `${BASE}..HEAD`).output.split("\n").filter(Boolean);
}

function problemOf(subject: string): string | null {
  if (subject.length > MAX_SUBJECT_LENGTH) return `longer than ${MAX_SUBJECT_LENGTH} characters: ${subject}`;
  const verb = SUBJECT.exec(subject)?.groups?.verb;
  if (verb === undefined) return `not "type(scope): verb …": ${subject}`;
  return isImperative(verb) ? null : `not imperative: ${subject}`;
}

const found = subjects();

const title = "conventional, imperative subjects of commits";

if (found === null) test.skip(`${title} (the history here does not reach ${BASE})`, () => {});
else {
  test(title, () => {
    expect(found.flatMap((subject) => problemOf(subject) ?? [])).toEqual([]);
  });
}

test.each([
  ["feat(bind): bind resources that resolution did not rank", null],
  ["refactor(sdk)!: pass the read issue to the connector", null],
  ["feat: Add a command", 'not "type(scope): verb …": feat: Add a command'],
  ["add a command", 'not "type(scope): verb …": add a command'],
  ["fix: refuse a command.", 'not "type(scope): verb …": fix: refuse a command.'],
  ["fix: refused a command", "not imperative: fix: refused a command"],
  ["test: the wire may reach the model", "not imperative: test: the wire may reach the model"],
])("subject %p", (subject, problem) => expect(problemOf(subject)).toBe(problem));
