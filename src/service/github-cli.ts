import type { Context } from "../shared/context.ts";
import { findProgram } from "../shared/git.ts";
import { tokenProblem } from "../shared/token.ts";

const TIME_LIMIT_MS = 3_000;

/**
 * Returns the token that `gh` stores for github.com; null without one. The program is neither taken from the
 * repository around `folder` nor run in it.
 *
 * @see https://cli.github.com/manual/gh_auth_token
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
