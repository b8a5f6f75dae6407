import { defineAction } from "../argv.ts";
import { print, withService } from "../invocation.ts";
import { renderChecks } from "../render/checks.ts";

/** `tracker doctor`: exits 1 when a check failed. */
export const doctorCommand = defineAction({
  description: "Check everything a command needs",
  run: async (invocation) => {
    const checks = await withService(invocation, (service) => service.doctor());
    await print(invocation, { checks }, (_, style) => renderChecks(checks, style));
    return checks.some(({ outcome }) => outcome === "failed") ? 1 : 0;
  },
});
