import { defineAction } from "../../argv.ts";
import { withService } from "../../invocation.ts";
import { withJob } from "../../job.ts";
import { showPublished } from "../mission/publish.ts";
import { showSync } from "./show-sync.ts";

export const waitCommand = defineAction({
  description: "Wait for a push, run or `mission publish` that takes longer, and show its result",
  args: {
    id: {
      type: "positional",
      required: true,
      description: "Operation, as `sync push` or `sync run` named it",
    },
  },
  run: async (invocation, { id }) => {
    const outcome = await withService(invocation, (service) =>
      withJob(invocation, { title: "Waiting", noun: "item" }, (listener) => service.jobOutcome(id, listener)),
    );
    if (outcome.kind !== "publish") return showSync(invocation, outcome);
    await showPublished(invocation, outcome.result);
    return 0;
  },
});
