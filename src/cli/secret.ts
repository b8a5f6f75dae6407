import { UsageError } from "../shared/errors.ts";
import type { Environment, Io } from "../shared/io.ts";
import { tokenProblem } from "../shared/token.ts";
import type { ArgumentDefs, Arguments } from "./argv.ts";
import { ask } from "./ask.ts";
import type { SecretGuide } from "./commands/host/token-guide.ts";
import { HINTS } from "./hints.ts";
import type { Invocation } from "./invocation.ts";

/** A secret never is an argument, which every process could read. */
export const SECRET_ARGS = {
  "token-stdin": { type: "boolean", description: "Read the token from standard input" },
  "from-env": {
    type: "string",
    valueHint: "NAME",
    description: "Read the token from this environment variable",
  },
} as const satisfies ArgumentDefs;

/** The values of {@link SECRET_ARGS}. */
export type SecretFlags = Arguments<typeof SECRET_ARGS>;

/**
 * Called before the first prompt.
 *
 * @throws UsageError for flags that provide no secret
 */
export function checkSecretFlags(
  { io, context }: Invocation,
  { "token-stdin": isPiped, "from-env": variable }: SecretFlags,
): void {
  if (isPiped && variable !== undefined) {
    throw new UsageError("--token-stdin and --from-env cannot be used together.");
  }
  if (variable !== undefined) secretFromEnv(context.env, variable);
  else if (!isPiped && !io.canPrompt) {
    throw new UsageError("The token is missing, and there is no terminal to prompt for it.", {
      hint: HINTS.tokenFlags,
    });
  }
}

/**
 * The secret from the source that the flags name, else from a prompt; null when the person cancels.
 *
 * @throws UsageError when there is none
 * @throws InterruptedError on Ctrl-C
 */
export async function readSecret(
  { io, context }: Invocation,
  flags: SecretFlags,
  guide: SecretGuide,
): Promise<string | null> {
  if (flags["from-env"] !== undefined) return secretFromEnv(context.env, flags["from-env"]);
  if (!io.stdin.isTerminal) return secretFromPipe(io, HINTS.pipeSecret);
  return askForSecret(io, guide);
}

/** @throws UsageError unless the whole input is one secret */
export async function secretFromPipe({ stdin }: Io, hint: string): Promise<string> {
  const text = await stdin.readAll();
  const problem = tokenProblem(text);
  if (problem === null) return text.trim();
  throw new UsageError(`Standard input ${problem}.`, { hint });
}

/** Prompts without showing the input; null when the person cancels. */
export function askForSecret({ stdin, stderr }: Io, { name, lines }: SecretGuide): Promise<string | null> {
  return stdin.withoutEcho((readLine) => {
    for (const line of lines) stderr.write(`${line}\n`);
    const readAnswer = async (): Promise<string | null> => {
      try {
        return await readLine();
      } finally {
        // Enter was not echoed.
        stderr.write("\n");
      }
    };
    return ask(stderr, readAnswer, { question: `${name} (not shown): `, problemOf });
  });
}

/** No error repeats the flag's value: it may be the secret itself. */
function secretFromEnv(env: Environment, variable: string): string {
  const value: unknown = env[variable];
  const text = typeof value === "string" ? value : "";
  const problem = text === "" ? "is not set" : tokenProblem(text);
  if (problem === null) return text.trim();
  throw new UsageError(`The environment variable that --from-env names ${problem}.`, {
    hint: HINTS.tokenVariable,
  });
}

function problemOf(text: string): string | null {
  if (text === "") return "Nothing was entered. Ctrl-D cancels.";
  const problem = tokenProblem(text);
  return problem === null ? null : `The input ${problem}.`;
}
