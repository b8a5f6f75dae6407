import type { TrackerService } from "../../../service.ts";
import { TrackerError } from "../../../shared/errors.ts";
import { escapeText } from "../../../shared/text.ts";
import type { ArgumentDefs } from "../../argv.ts";
import { confirm } from "../../ask.ts";
import type { Invocation } from "../../invocation.ts";

export const CONSENT_ARGS = {
  yes: {
    type: "boolean",
    description: "Accept the config's resource without asking, although the git remote does not name it",
  },
} as const satisfies ArgumentDefs;

/**
 * Runs `write`; asks once before the first write to a binding from another clone whose resource the remote does
 * not name.
 *
 * @param write begins anew after consent; nothing was sent before
 * @throws TrackerError `untrusted_binding` where no prompt is possible, or the answer is no
 */
export async function withConsent<T>(
  { io }: Pick<Invocation, "io">,
  service: Pick<TrackerService, "trustBinding">,
  yes: boolean,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof TrackerError) || error.code !== "untrusted_binding") throw error;
    if (!yes) {
      if (!io.canPrompt) throw error;
      io.stderr.write(`${escapeText(error.message)}\n`);
      if (!(await confirm(io, "Write to it from this folder?"))) throw error;
    }
    await service.trustBinding();
    return write();
  }
}
