import type { Egress } from "../../config.ts";
import { TrackerError } from "../../shared/errors.ts";

/** @throws TrackerError `egress_refused` when the config does not permit issue data to leave this machine */
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
