import { resolve } from "node:path";
import { type OutputFile, openOutputFile } from "../shared/atomic-file.ts";
import { UsageError } from "../shared/errors.ts";
import type { Invocation } from "./invocation.ts";

interface Destination {
  readonly file: OutputFile;
  /** Null for standard output, whose summary then goes to standard error. */
  readonly path: string | null;
}

/**
 * Opens a file, or standard output for `-`.
 *
 * @throws UsageError when `--json` writes to standard output too
 * @throws TrackerError `file_unwritable` when it cannot be written
 */
export function openDestination({ io, globals, context }: Invocation, out: string): Destination {
  if (out !== "-") {
    const path = resolve(context.cwd, out);
    return { file: openOutputFile(path), path };
  }
  if (globals.json) throw new UsageError("--out - and --json both write to standard output.");
  const file = { append: (text: string) => io.stdout.write(text), finish: () => {}, discard: () => {} };
  return { file, path: null };
}
