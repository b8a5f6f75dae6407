import type { Ticket } from "../../../protocol.ts";
import type { ArgumentDefs } from "../../argv.ts";
import { type Invocation, payloadOf, print } from "../../invocation.ts";
import { renderIssues } from "../../render/issues.ts";

/** A control plane's maximum. */
export const MAX_ISSUES = 100;

export const ISSUES_ARGS = {
  provider: {
    type: "string",
    valueHint: "NAME",
    description: "Instead of this project's resource, the only one of this provider that is bound",
  },
  limit: {
    type: "string",
    valueHint: "N",
    default: "20",
    description: `At most N issues, up to ${MAX_ISSUES}`,
  },
} as const satisfies ArgumentDefs;

/** @param nothing the message and the hint when no issue was found */
export async function showIssues(
  invocation: Invocation,
  answer: Readonly<Record<string, unknown>>,
  tickets: readonly Ticket[],
  nothing: { readonly message: string; readonly hint: string },
): Promise<void> {
  const { globals, log, context } = invocation;
  if (tickets.length === 0 && !globals.json) {
    log.info(nothing.message);
    log.info(nothing.hint);
    return;
  }
  await print(invocation, payloadOf(invocation, answer), (_, style) =>
    renderIssues(tickets, context.timing.now(), style),
  );
}
