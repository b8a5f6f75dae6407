import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, relative, sep } from "node:path";
import type { Environment } from "./io.ts";

/** The nearest folder at or above `start` that holds an entry called `name`, or null. */
export function findUpwards(start: string, name: string): string | null {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder;
    if (dirname(folder) === folder) return null;
  }
}

/** The root of the work tree around `start`, or null outside a repository. Runs nothing. */
export function findGitRoot(start: string): string | null {
  return findUpwards(start, ".git");
}

/** Absolute path of the user's git, never one that the repository around `root` brings; null when there is none. */
export function findGit(root: string, env: Environment): string | null {
  const repository = withoutLinks(findGitRoot(root) ?? root);
  const outside = (folder: string): boolean => {
    const path = relative(repository, withoutLinks(folder));
    return path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path);
  };
  const trusted = (env.PATH ?? "").split(delimiter).filter((folder) => isAbsolute(folder) && outside(folder));
  return Bun.which("git", { PATH: trusted.join(delimiter) });
}

function withoutLinks(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

/**
 * The URL of the `origin` remote with the user's `insteadOf` rules applied, or
 * null when there is no git, no repository or no such remote. Read-only, and
 * nothing that the repository configures is run.
 */
export async function readOriginUrl(root: string, env: Environment): Promise<string | null> {
  const git = findGit(root, env);
  if (git === null) return null;
  const safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
  const child = Bun.spawn([git, ...safe, "-C", root, "remote", "get-url", "origin"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: 5_000,
    env: { ...env, GIT_TERMINAL_PROMPT: "0", GIT_OPTIONAL_LOCKS: "0" },
  });
  const [url, exitCode] = await Promise.all([child.stdout.text(), child.exited]);
  return exitCode === 0 && url.trim() !== "" ? url.trim() : null;
}
