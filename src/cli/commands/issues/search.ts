import type { IssueSearchQuery } from "../../../client.ts";
import { UsageError } from "../../../shared/errors.ts";
import { defineAction, limitOf } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { withService } from "../../invocation.ts";
import { ISSUES_ARGS, MAX_ISSUES, showIssues } from "./show-issues.ts";

export const searchCommand = defineAction({
  description: "Search for issues",
  args: {
    query: { type: "string", valueHint: "TEXT", description: "Issues that contain these words" },
    key: { type: "string", valueHint: "KEY", description: "The issue with this key, such as PAY-7" },
    ...ISSUES_ARGS,
  },
  run: async (invocation, { provider, limit, query: text, key }) => {
    const query = queryOf(text, key);
    const most = limitOf(limit, MAX_ISSUES);
    const answer = await withService(invocation, async (service) =>
      (await service.tracker(provider)).searchTickets(query, most),
    );
    await showIssues(invocation, answer, answer.candidates, {
      message: `No issue matches "${text ?? key}".`,
      hint: HINTS.noMatch,
    });
  },
});

function queryOf(text: string | undefined, key: string | undefined): IssueSearchQuery {
  if (text !== undefined && key !== undefined) {
    throw new UsageError("--query and --key cannot be used together.");
  }
  if (text !== undefined) return { query_text: text };
  if (key !== undefined) return { query_key: key };
  throw new UsageError("--query or --key is missing.", { hint: HINTS.example("issues search") });
}
