import type { Egress } from "../../config.ts";
import { TrackerError } from "../../shared/errors.ts";

/**
 * Makes sure that issue data may be sent to and fetched from a hosted provider.
 *
 * @throws TrackerError `egress_refused` when the project's config does not permit it
 */
export function requireEgress(egress: Egress): void {
  if (egress === "permitted") return;
  const problem =
    egress === "refused"
      ? "`tracker.egress` in .kittify/config.yaml is `refused`"
      : "`tracker.egress` in .kittify/config.yaml is neither `permitted` nor `refused`";
  throw new TrackerError("egress_refused", `${problem}: no issue data leaves this machine.`, {
    details: { key: "tracker.egress", value: egress },
  });
}
