import type { ConflictSide } from "../../../client.ts";
import { UsageError } from "../../../shared/errors.ts";
import { defineAction } from "../../argv.ts";
import { payloadOf, print, withService } from "../../invocation.ts";
import { renderDecision } from "../../render/conflicts.ts";
import { CONSENT_ARGS, withConsent } from "./consent.ts";

export const resolveCommand = defineAction({
  description: "Decide a conflict",
  args: {
    id: { type: "positional", required: true, description: "Conflict, as `sync conflicts` lists it" },
    take: {
      type: "string",
      required: true,
      valueHint: "local|external",
      description: "Value to keep: the one edited here, or the tracker's",
    },
    ...CONSENT_ARGS,
  },
  run: async (invocation, { id, take: text, yes }) => {
    const take = sideOf(text);
    const answer = await withService(invocation, async (service) => {
      const tracker = await service.boundTracker();
      return withConsent(invocation, service, yes, () => tracker.resolveConflict(id, take));
    });
    await print(invocation, payloadOf(invocation, answer), () => renderDecision(answer, take));
  },
});

function sideOf(text: string): ConflictSide {
  if (text === "local" || text === "external") return text;
  throw new UsageError(`--take is local or external, not "${text}".`);
}
