import { defineAction, limitOf } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { withService } from "../../invocation.ts";
import { ISSUES_ARGS, MAX_ISSUES, showIssues } from "./show-issues.ts";

export const listCommand = defineAction({
  description: "List the latest issues",
  args: ISSUES_ARGS,
  run: async (invocation, { provider, limit }) => {
    const most = limitOf(limit, MAX_ISSUES);
    const answer = await withService(invocation, async (service) =>
      (await service.tracker(provider)).tickets(most),
    );
    await showIssues(invocation, answer, answer.tickets, {
      message: "There are no issues.",
      hint: HINTS.noIssues,
    });
  },
});
