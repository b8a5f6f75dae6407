import { defineAction } from "../../argv.ts";
import { payloadOf, print, withService } from "../../invocation.ts";
import { renderConflicts } from "../../render/conflicts.ts";

export const conflictsCommand = defineAction({
  description: "List fields that both sides changed and that wait for a decision",
  run: async (invocation) => {
    const answer = await withService(invocation, async (service) =>
      (await service.boundTracker()).conflicts(),
    );
    await print(invocation, payloadOf(invocation, answer), (_, style) =>
      renderConflicts(answer.conflicts, style),
    );
  },
});
