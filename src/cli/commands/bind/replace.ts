import type { Binding } from "../../../config.ts";
import type { ConfigChange } from "../../../service/config-change.ts";
import { TrackerError } from "../../../shared/errors.ts";
import type { Io } from "../../../shared/io.ts";
import type { Log } from "../../../shared/log.ts";
import { confirm } from "../../ask.ts";
import { HINTS } from "../../hints.ts";
import { renderReplacement } from "../../render/binding.ts";

/**
 * Asks before a binding is replaced.
 *
 * @throws TrackerError `already_bound_here` with `hint` where no prompt is possible
 */
export async function mayReplace(io: Io, existing: Binding, hint: string): Promise<boolean> {
  const text = renderReplacement(existing);
  if (!io.canPrompt) {
    throw new TrackerError("already_bound_here", `This project is bound to ${text}.`, { hint });
  }
  io.stderr.write(`This project is bound to ${text}.\n`);
  return confirm(io, "Replace it?");
}

/** Reports the replaced binding and a new config file. */
export function reportChange(
  log: Log,
  { replaced, configPath, isNewProject }: ConfigChange,
  dryRun: boolean,
): void {
  if (replaced !== null) log.info(`${dryRun ? "Would replace" : "Replaced"} ${renderReplacement(replaced)}.`);
  if (dryRun) return;
  if (isNewProject) log.info(`Created ${configPath}`);
  if (isNewProject || replaced !== null) log.info(HINTS.commitConfig);
}
