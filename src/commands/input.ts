import { resolve } from "node:path";
import { reasonOf } from "../shared/atomic-file.ts";
import { UsageError } from "../shared/errors.ts";
import type { Invocation } from "./invocation.ts";

/**
 * The text behind a flag that takes a file, or `-` for standard input.
 *
 * @throws UsageError when it cannot be read as UTF-8
 */
export async function readInput({ io, context }: Invocation, flag: string, path: string): Promise<string> {
  if (path === "-") return io.stdin.readAll();
  try {
    const bytes = await Bun.file(resolve(context.cwd, path)).bytes();
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    const reason = error instanceof TypeError ? "it is not UTF-8 text" : reasonOf(error);
    throw new UsageError(`--${flag}: cannot read ${path}: ${reason}.`, { cause: error });
  }
}

/** Every value of a flag that may be given more than once, in order. */
export function valuesOf(flag: string, tokens: readonly string[]): string[] {
  return tokens.flatMap((token, index) => {
    if (token === `--${flag}`) return tokens[index + 1] ?? [];
    return token.startsWith(`--${flag}=`) ? token.slice(flag.length + 3) : [];
  });
}

/** `--flag key=value`, as often as it was given. */
export function pairsOf(flag: string, tokens: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    valuesOf(flag, tokens).map((text) => {
      const [, key, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
      if (key !== undefined && value !== undefined) return [key, value] as const;
      throw new UsageError(`--${flag} takes key=value, not "${text}".`);
    }),
  );
}
