import { renderReplacement } from "../render/binding.ts";
import type { ConfiguredBinding } from "../service.ts";
import { TrackerError } from "../shared/errors.ts";
import type { Io } from "../shared/io.ts";
import { confirm } from "./ask.ts";

/**
 * Asks before a binding is replaced.
 *
 * @param command replaces it without asking
 * @throws TrackerError `already_bound_here` where nobody can be asked
 */
export async function mayReplace(io: Io, existing: ConfiguredBinding, command: string): Promise<boolean> {
  const text = renderReplacement(existing);
  if (!io.canPrompt) {
    throw new TrackerError("already_bound_here", `This project is bound to ${text}.`, {
      hint: `Replace it: ${command}`,
    });
  }
  io.stderr.write(`This project is bound to ${text}.\n`);
  return confirm(io, "Replace it?");
}
