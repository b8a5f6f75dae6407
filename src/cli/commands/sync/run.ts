import { defineAction } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { withService } from "../../invocation.ts";
import { withJob } from "../../job.ts";
import { CONSENT_ARGS, withConsent } from "./consent.ts";
import { DEFAULT_PAGE, MAX_PAGE, pageLimit } from "./page-limit.ts";
import { showSync } from "./show-sync.ts";

export const runCommand = defineAction({
  description: "Pull changes, then push edits",
  args: {
    limit: {
      type: "string",
      valueHint: "N",
      description: `Pull at most N issues, up to ${MAX_PAGE.toLocaleString("en-US")}; ${DEFAULT_PAGE} by default (hosted providers)`,
    },
    "dry-run": { type: "boolean", description: "Show the plan, and write nothing" },
    ...CONSENT_ARGS,
  },
  run: async (invocation, args) => {
    const isDry = args["dry-run"];
    const result = await withService(invocation, async (service) => {
      const tracker = await service.boundTracker();
      const limit = pageLimit(tracker, args.limit);
      const activity = isDry
        ? { title: "Planning", noun: "issue" }
        : { title: "Synchronizing", noun: "issue", whenInterrupted: HINTS.runInterrupted };
      return withConsent(invocation, service, args.yes, () =>
        withJob(invocation, activity, (listener) =>
          tracker.run({ limit, ...(isDry && { dry_run: true }) }, listener),
        ),
      );
    });
    return showSync(invocation, { kind: "run", result });
  },
});
