import { defineCommand } from "citty";
import { type Invocation, print, withService } from "../invocation.ts";
import { renderChecks } from "../render/checks.ts";

/** `tracker doctor`: exits 1 when a check failed. */
export function doctorCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "doctor", description: "Check everything a command needs" },
    run: async () => {
      const checks = await withService(invocation, (service) => service.doctor());
      await print(invocation, { checks }, (_, style) => renderChecks(checks, style));
      return checks.some(({ outcome }) => outcome === "failed") ? 1 : 0;
    },
  });
}
