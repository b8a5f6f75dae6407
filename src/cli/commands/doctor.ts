import { defineAction } from "../argv.ts";
import { doctorHintOf } from "../hints.ts";
import { print, withService } from "../invocation.ts";
import { renderChecks } from "../render/checks.ts";

/** `tracker doctor`: exits 1 when a check failed. */
export const doctorCommand = defineAction({
  description: "Check everything a command needs",
  run: async (invocation) => {
    const results = await withService(invocation, (service) => service.doctor());
    const checks = results.map(({ error, ...check }) => ({
      ...check,
      hint: error === null ? null : doctorHintOf(error),
    }));
    await print(invocation, { checks }, (_, style) => renderChecks(checks, style));
    return checks.some(({ outcome }) => outcome === "failed") ? 1 : 0;
  },
});
