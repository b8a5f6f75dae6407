import type { ConfigChange, ConfiguredBinding } from "../../../service.ts";
import { TrackerError } from "../../../shared/errors.ts";
import type { Io } from "../../../shared/io.ts";
import type { Log } from "../../../shared/log.ts";
import { confirm } from "../../ask.ts";
import { renderReplacement } from "../../render/binding.ts";

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

/** Tells what became of the project's config beside its new binding, or would become of it. */
export function tellChange(
  log: Log,
  { replaced, configPath, isNewProject }: ConfigChange,
  dryRun: boolean,
): void {
  if (replaced !== null) log.info(`${dryRun ? "Would replace" : "Replaced"} ${renderReplacement(replaced)}.`);
  if (isNewProject && !dryRun) log.info(`Created ${configPath}`);
}
