import { type ArgsDef, defineCommand } from "citty";
import type { BoundResult, IssueQuery, Ticket } from "../../service.ts";
import { UsageError } from "../../shared/errors.ts";
import { type Invocation, limitOf, payloadOf, print, withService } from "../invocation.ts";
import { renderTickets } from "../render/tickets.ts";

/** The most issues that a control plane answers at once. */
const MAX_LIMIT = 100;

const COMMON_ARGS = {
  provider: {
    type: "string",
    valueHint: "NAME",
    description: "Instead of this project's resource, the only one of this provider that is bound",
  },
  limit: {
    type: "string",
    valueHint: "N",
    default: "20",
    description: `At most N issues, up to ${MAX_LIMIT}`,
  },
} as const satisfies ArgsDef;

/** `tracker issues` */
export function issuesCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "issues", description: "Look at the issues of the bound resource" },
    subCommands: {
      list: () => listCommand(invocation),
      search: () => searchCommand(invocation),
    },
  });
}

function listCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "list", description: "List the latest issues" },
    args: COMMON_ARGS,
    run: async ({ args: { provider, limit } }) => {
      const most = limitOf(limit, MAX_LIMIT);
      const answer = await withService(invocation, async (service) =>
        (await service.tracker(provider)).tickets(most),
      );
      await show(invocation, answer, answer.result.tickets, {
        nothing: "There are no issues.",
        next: "tracker status",
      });
    },
  });
}

function searchCommand(invocation: Invocation) {
  const args = {
    query: { type: "string", valueHint: "TEXT", description: "Issues with these words" },
    key: { type: "string", valueHint: "KEY", description: "The issue with this key, such as PAY-7" },
    ...COMMON_ARGS,
  } as const;
  return defineCommand({
    meta: { name: "search", description: "Search for issues" },
    args,
    run: async ({ args: { provider, limit, query: text, key } }) => {
      const query = queryOf(text, key);
      const most = limitOf(limit, MAX_LIMIT);
      const answer = await withService(invocation, async (service) =>
        (await service.tracker(provider)).searchTickets(query, most),
      );
      await show(invocation, answer, answer.result.candidates, {
        nothing: `Nothing matches "${text ?? key}".`,
        next: "tracker issues list",
      });
    },
  });
}

function queryOf(text: string | undefined, key: string | undefined): IssueQuery {
  if (text !== undefined && key !== undefined) {
    throw new UsageError("--query and --key cannot be used together.");
  }
  if (text !== undefined) return { query_text: text };
  if (key !== undefined) return { query_key: key };
  throw new UsageError("Nothing to search for.", {
    hint: 'For example: tracker issues search --query "login"',
  });
}

/** Prints the control plane's answer, or its issues as a table. */
async function show(
  invocation: Invocation,
  answer: BoundResult<Readonly<Record<string, unknown>>>,
  tickets: readonly Ticket[],
  { nothing, next }: { readonly nothing: string; readonly next: string },
): Promise<void> {
  const { globals, log, context } = invocation;
  if (tickets.length === 0 && !globals.json) {
    log.info(nothing);
    log.info(`Next: ${next}`);
    return;
  }
  await print(invocation, payloadOf(answer), (_, style) =>
    renderTickets(tickets, context.nature.now(), style),
  );
}
