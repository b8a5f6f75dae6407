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

/** A flag as it was given. */
export interface GivenFlag<N extends string> {
  readonly flag: N;
  readonly value: string;
}

/** Every value of flags that may be given more than once, in the order of the command line. */
export function givenFlags<N extends string>(flags: readonly N[], tokens: readonly string[]): GivenFlag<N>[] {
  return tokens.flatMap((token, index) => {
    const flag = flags.find((name) => token === `--${name}` || token.startsWith(`--${name}=`));
    if (flag === undefined) return [];
    const value = token === `--${flag}` ? tokens[index + 1] : token.slice(flag.length + 3);
    return value === undefined ? [] : [{ flag, value }];
  });
}

/** Every value of a flag that may be given more than once, in order. */
export function valuesOf(flag: string, tokens: readonly string[]): string[] {
  return givenFlags([flag], tokens).map(({ value }) => value);
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
