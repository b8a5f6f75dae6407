import { parsePushItems } from "../../../service/input.ts";
import { defineAction } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { readInput } from "../../input.ts";
import { withService } from "../../invocation.ts";
import { withJob } from "../../job.ts";
import { CONSENT_ARGS, withConsent } from "./consent.ts";
import { showSync } from "./show-sync.ts";

export const pushCommand = defineAction({
  description: "Write changes to issues of the tracker",
  args: {
    "items-json": {
      type: "string",
      valueHint: "FILE|-",
      description: "Changes to write: a JSON array of items; required for hosted providers",
    },
    ...CONSENT_ARGS,
  },
  run: async (invocation, args) => {
    const file = args["items-json"];
    const items = file === undefined ? null : parsePushItems(await readInput(invocation, "items-json", file));
    const answer = await withService(invocation, async (service) => {
      const tracker = await service.boundTracker();
      const activity = { title: "Pushing", noun: "item", whenInterrupted: HINTS.pushInterrupted };
      return withConsent(invocation, service, args.yes, () =>
        withJob(invocation, activity, (listener) => tracker.push(items, listener)),
      );
    });
    return showSync(invocation, { kind: "push", result: answer });
  },
});
