import type { SyncOutcome } from "../../../client.ts";
import type { PushResult } from "../../../protocol.ts";
import { type Invocation, payloadOf, print } from "../../invocation.ts";
import { renderSync } from "../../render/sync.ts";

/** Outcomes that need a person's attention. */
const BAD_OUTCOMES: ReadonlySet<string> = new Set(["rejected", "conflict", "failed"]);

/** Prints the result or the plan of a sync; returns the exit code. */
export async function showSync(invocation: Invocation, outcome: SyncOutcome): Promise<number> {
  const payload: Readonly<Record<string, unknown>> = outcome.result;
  await print(invocation, payloadOf(invocation, payload), (_, style) => renderSync(outcome, style));
  return syncExitCode(outcome);
}

/** Returns 1 for a partial or failed result, and for an item that needs attention. */
export function syncExitCode(outcome: SyncOutcome): number {
  const pushed = pushedItems(outcome);
  return outcome.result.status === "ok" && !pushed.some((item) => BAD_OUTCOMES.has(item.outcome)) ? 0 : 1;
}

function pushedItems(outcome: SyncOutcome): PushResult["items"] {
  if (outcome.kind === "pull") return [];
  return outcome.kind === "push" ? outcome.result.items : (outcome.result.push.items ?? []);
}
