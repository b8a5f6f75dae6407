import { defineCommand } from "citty";
import type { ConflictSide } from "../../../service.ts";
import { UsageError } from "../../../shared/errors.ts";
import { type Invocation, payloadOf, print, required, withService } from "../../invocation.ts";
import { renderConflicts, renderDecision } from "../../render/conflicts.ts";

/** `tracker sync conflicts` */
export function conflictsCommand(invocation: Invocation) {
  return defineCommand({
    meta: {
      name: "conflicts",
      description: "List fields that both sides changed and that wait for a decision",
    },
    run: async () => {
      const answer = await withService(invocation, async (service) =>
        (await service.boundTracker()).conflicts(),
      );
      await print(invocation, payloadOf(answer), (_, style) =>
        renderConflicts(answer.result.conflicts, style),
      );
    },
  });
}

/** `tracker sync resolve` */
export function resolveCommand(invocation: Invocation) {
  const args = {
    id: { type: "positional", required: false, description: "Conflict, as `sync conflicts` lists it" },
    take: {
      type: "string",
      valueHint: "local|external",
      description: "Whose value stands: the one edited here, or the tracker's",
    },
  } as const;
  return defineCommand({
    meta: { name: "resolve", description: "Decide a conflict" },
    args,
    run: async ({ args }) => {
      const example = "tracker sync resolve <id> --take local (see `tracker sync conflicts`)";
      const id = required("The conflict's id", args.id, example);
      const take = sideOf(required("--take", args.take, example));
      const answer = await withService(invocation, async (service) =>
        (await service.boundTracker()).resolveConflict(id, take),
      );
      await print(invocation, payloadOf(answer), () => renderDecision(answer.result, take));
    },
  });
}

function sideOf(text: string): ConflictSide {
  if (text === "local" || text === "external") return text;
  throw new UsageError(`--take is local or external, not "${text}".`);
}
