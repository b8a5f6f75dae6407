/** The git repository around a folder: its root and its remotes. No program that it configures is run. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { ProjectError } from "./errors.ts";
import type { Environment } from "./io.ts";
import { runWithin } from "./program.ts";

const GIT_LIMIT_MS = 5_000;

/**
 * Variables that bind a process to one repository, as `git rev-parse --local-env-vars` lists them. A git hook passes
 * on those of its own repository.
 */
const LOCAL_VARIABLES = [
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_CONFIG",
  "GIT_CONFIG_COUNT",
  "GIT_CONFIG_PARAMETERS",
  "GIT_DIR",
  "GIT_GRAFT_FILE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_OBJECT_DIRECTORY",
  "GIT_PREFIX",
  "GIT_REPLACE_REF_BASE",
  "GIT_SHALLOW_FILE",
  "GIT_WORK_TREE",
] as const;

/** A repository around a folder. Only a work tree can hold a project. */
export interface Repository {
  readonly kind: "work-tree" | "bare" | "jj";
  /** Absolute path: the top folder of the work tree, or the bare repository itself. */
  readonly root: string;
}

/** A remote with the user's `insteadOf` rules applied. */
interface Remote {
  readonly name: string;
  readonly url: string;
}

export function* foldersUpwards(start: string): Generator<string> {
  for (let folder = start; ; folder = dirname(folder)) {
    yield folder;
    if (dirname(folder) === folder) return;
  }
}

/** Returns the repository around `start`, or null. Runs nothing. */
export function findRepository(start: string): Repository | null {
  for (const root of foldersUpwards(start)) {
    if (existsSync(join(root, ".git"))) return { kind: "work-tree", root };
    if (existsSync(join(root, ".jj"))) return { kind: "jj", root };
    if (isBare(root)) return { kind: "bare", root };
  }
  return null;
}

/** Reports whether git recognizes the folder as a bare repository. */
function isBare(folder: string): boolean {
  return ["HEAD", "objects", "refs"].every((name) => existsSync(join(folder, name)));
}

/** Absolute path of the user's git, never one inside the repository at `root`; null when there is none. */
export function findGit(root: string, env: Environment): string | null {
  return findProgram("git", root, env);
}

/**
 * Returns the absolute path of a program on the PATH, or null. Folders inside
 * the repository around `folder` and relative entries do not count: a clone
 * must not choose which program runs.
 */
export function findProgram(name: string, folder: string, env: Environment): string | null {
  return Bun.which(name, { PATH: trustedPath(folder, env) });
}

/** Returns the PATH without relative entries and without folders inside the repository around `folder`. */
export function trustedPath(folder: string, env: Environment): string {
  const entries = (env.PATH ?? "").split(delimiter);
  return entries.filter((entry) => isAbsolute(entry) && !isInRepository(entry, folder)).join(delimiter);
}

export function isInRepository(path: string, folder: string): boolean {
  const repository = findRepository(folder)?.root ?? folder;
  return isWithin(path, repository) || isWithin(withoutLinks(path), withoutLinks(repository));
}

function isWithin(path: string, folder: string): boolean {
  const steps = relative(folder, path);
  return steps !== ".." && !steps.startsWith(`..${sep}`) && !isAbsolute(steps);
}

function withoutLinks(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

/**
 * Returns the remotes of the repository at `root`, in git's order.
 *
 * @throws ProjectError `git_missing`, `git_unsafe_folder`, `git_config_invalid`, `git_timeout` or `git_failed`
 */
export async function readRemotes(
  root: string,
  env: Environment,
  limitMs: number = GIT_LIMIT_MS,
): Promise<readonly Remote[]> {
  const output = await runGit(root, env, ["remote", "--verbose"], limitMs);
  return output.split("\n").flatMap((line) => {
    const [, name, url] = /^(\S+)\t(.+) \(fetch\)(?: \[[^\]]*\])?$/.exec(line) ?? [];
    return name === undefined || url === undefined ? [] : [{ name, url }];
  });
}

/** The remote that identifies the project: `origin`, else the only one, else `upstream`. */
export function identifyingRemote(remotes: readonly Remote[]): Remote | null {
  const named = (name: string) => remotes.find((remote) => remote.name === name);
  return named("origin") ?? (remotes.length === 1 ? remotes[0] : named("upstream")) ?? null;
}

interface IndexedFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Returns the first of `paths` that is tracked but not checked out, as in a sparse checkout; null when none is.
 * Costs a process only where the repository has a sparse checkout.
 *
 * @param paths relative to `root`, with slashes
 * @throws ProjectError as {@link readRemotes} does
 */
export async function readIndexed(
  root: string,
  paths: readonly string[],
  env: Environment,
): Promise<IndexedFile | null> {
  const folder = gitFolder(root);
  if (folder === null || !existsSync(join(folder, "info", "sparse-checkout"))) return null;
  const listed = (await runGit(root, env, ["ls-files", "-z", "--", ...paths])).split("\0");
  const path = paths.find((candidate) => listed.includes(candidate));
  return path === undefined
    ? null
    : { path, text: await runGit(root, env, ["cat-file", "blob", `:${path}`]) };
}

function gitFolder(root: string): string | null {
  const entry = join(root, ".git");
  try {
    if (statSync(entry).isDirectory()) return entry;
    const named = /^gitdir: (.+?)\s*$/.exec(readFileSync(entry, "utf8"))?.[1];
    return named === undefined ? null : resolve(root, named);
  } catch {
    return null;
  }
}

/**
 * Refuses a work tree that belongs to another user, unless git trusts it
 * (`safe.directory`). Asks git only when the owner differs.
 *
 * @throws ProjectError `git_unsafe_folder`
 */
export async function assertTrusted(
  root: string,
  userId: number | undefined,
  env: Environment,
): Promise<void> {
  if (userId === undefined || statSync(root).uid === userId) return;
  await runGit(root, env, ["rev-parse", "--git-dir"]);
}

/** Runs git in the repository at `root` and returns its output. Reads only; git searches no folder above `root`. */
async function runGit(
  root: string,
  env: Environment,
  args: readonly string[],
  limitMs: number = GIT_LIMIT_MS,
): Promise<string> {
  const git = findGit(root, env);
  if (git === null) {
    throw new ProjectError("git_missing", `${root} is a git repository, and there is no git on the PATH.`);
  }
  const safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
  const command = [git, ...safe, "-C", root, ...args];
  const ended = await runWithin({ command, env: gitEnvironment(root, env), limitMs });
  if (ended === null) {
    throw new ProjectError("git_timeout", `git did not answer within ${limitMs / 1000} s in ${root}.`, {
      retryable: true,
      details: { folder: root },
    });
  }
  if (ended.exitCode !== 0) throw gitFailure(root, ended.problem);
  return ended.output;
}

function gitEnvironment(root: string, env: Environment): Record<string, string | undefined> {
  const own: Record<string, string | undefined> = { ...env };
  for (const name of LOCAL_VARIABLES) delete own[name];
  return {
    ...own,
    GIT_CEILING_DIRECTORIES: dirname(root),
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    LC_ALL: "C",
  };
}

function gitFailure(root: string, stderr: string): ProjectError {
  const reason = /^fatal: (.+)$/m.exec(stderr)?.[1] ?? stderr.trim().split("\n")[0] ?? "";
  const details = { folder: root, git: reason };
  if (/dubious ownership/.test(reason)) {
    const message = `${root} belongs to another user, and git does not trust it.`;
    return new ProjectError("git_unsafe_folder", message, { details });
  }
  if (/^bad config/.test(reason)) {
    return new ProjectError("git_config_invalid", `git cannot read its configuration: ${reason}.`, {
      details,
    });
  }
  return new ProjectError("git_failed", `git failed in ${root}: ${reason || "no reason given"}.`, {
    details,
  });
}
