import { defineCommand } from "citty";
import { renderChecks } from "../render/checks.ts";
import { styleOf } from "../render/style.ts";
import { type Invocation, print, withService } from "./invocation.ts";

/** `tracker doctor`: exits 1 when a check failed. */
export function doctorCommand(invocation: Invocation) {
  const { io } = invocation;
  return defineCommand({
    meta: { name: "doctor", description: "Check everything a command needs" },
    run: async () => {
      const checks = await withService(invocation, (service) => service.doctor());
      print(invocation, { checks }, () => renderChecks(checks, styleOf(io, io.stdout)));
      return checks.some(({ outcome }) => outcome === "failed") ? 1 : 0;
    },
  });
}
