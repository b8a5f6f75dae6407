import { toJson } from "../../../shared/text.ts";
import { defineAction } from "../../argv.ts";
import { payloadOf, print, withService } from "../../invocation.ts";
import { withJob } from "../../job.ts";
import { openDestination } from "../../output.ts";
import { renderSeed } from "../../render/mission.ts";
import { ISSUE } from "./issue-argument.ts";

export const seedCommand = defineAction({
  description: "Read the seed of a mission about an issue",
  args: {
    issue: ISSUE,
    "mission-id": { type: "string", valueHint: "ID", description: "Derived from the issue by default" },
    out: {
      type: "string",
      valueHint: "FILE",
      description: "Write the mission's seed as JSON to FILE, or with - to standard output",
    },
  },
  run: async (invocation, { issue, "mission-id": missionId, out }) => {
    const destination = out === undefined ? null : openDestination(invocation, out);
    try {
      const answer = await withService(invocation, async (service) => {
        const tracker = await service.boundTracker();
        const activity = { title: "Reading", noun: "issue", fromStart: true } as const;
        return withJob(invocation, activity, () => tracker.seedMission(issue, missionId ?? null));
      });
      const { binding_ref: _, display_label: _label, provider_context: _context, ...seed } = answer;
      destination?.file.append(toJson(seed));
      destination?.file.finish();
      if (destination?.path === null) return;
      const path = destination?.path;
      const payload: Readonly<Record<string, unknown>> = payloadOf(invocation, answer);
      await print(invocation, path === undefined ? payload : { ...payload, out: path }, (_payload, style) =>
        renderSeed(answer, style, path),
      );
    } finally {
      destination?.file.discard();
    }
  },
});
