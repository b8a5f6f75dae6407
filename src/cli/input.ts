import { resolve } from "node:path";
import { reasonOf } from "../shared/atomic-file.ts";
import { UsageError } from "../shared/errors.ts";
import type { Invocation } from "./invocation.ts";

/**
 * Reads a file, or standard input for `-`.
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
