import { findProgram } from "../shared/git.ts";
import type { Environment } from "../shared/io.ts";
import { runWithin } from "../shared/program.ts";
import { tokenProblem } from "../shared/token.ts";

const TIME_LIMIT_MS = 3_000;

/**
 * Returns the token that `gh` stores for github.com; null without one. The program is neither taken from the
 * repository around `folder` nor run in it.
 *
 * @see https://cli.github.com/manual/gh_auth_token
 */
export async function githubCliToken(env: Environment, folder: string): Promise<string | null> {
  const program = findProgram("gh", folder, env);
  if (program === null) return null;
  const command = [program, "auth", "token", "--hostname", "github.com"];
  const ended = await runWithin({ command, env, limitMs: TIME_LIMIT_MS });
  return ended?.exitCode === 0 && tokenProblem(ended.output) === null ? ended.output.trim() : null;
}
