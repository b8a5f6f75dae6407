/** The GitHub CLI (`gh`) as a source of a token. */
import type { Context } from "../shared/context.ts";
import { findProgram } from "../shared/git.ts";
import { tokenProblem } from "../shared/token.ts";

/** Longest run of `gh`, in ms. */
const TIME_LIMIT_MS = 3_000;

/**
 * Returns the token that `gh` keeps for github.com; null without one. The
 * program is never taken from the repository around `folder`, nor run in it.
 * `gh auth token`: https://cli.github.com/manual/gh_auth_token
 */
export async function githubCliToken(
  { env, machine, timing }: Pick<Context, "env" | "machine" | "timing">,
  folder: string,
): Promise<string | null> {
  const program = findProgram("gh", folder, env);
  if (program === null) return null;
  const child = Bun.spawn([program, "auth", "token", "--hostname", "github.com"], {
    cwd: machine.homeDirectory ?? "/",
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: TIME_LIMIT_MS,
  });
  // A process that `gh` started may keep the pipe open.
  const late = timing.sleep(TIME_LIMIT_MS).then(() => null);
  const text = await Promise.race([child.stdout.text(), late]);
  const isUsable = text !== null && (await child.exited) === 0 && tokenProblem(text) === null;
  return isUsable ? text.trim() : null;
}
