import * as v from "valibot";
import type { ErrorEnvelope } from "../protocol.ts";
import { isHosted } from "../shared/providers.ts";
import { count, shellWord } from "../shared/text.ts";

/** Returns the next step after an error that names no command itself. */
export function hintFor(
  code: string,
  { provider, user_action_required, message, details, retry_after_seconds }: ErrorEnvelope,
): string | undefined {
  const named = provider !== null && isHosted(provider) ? provider : "<provider>";
  switch (code) {
    case "no_installation":
      // Where a connection was there before, the message says so, and the command with it.
      if (message?.includes("tracker host connect") === true) return undefined;
      return `Connect it first: tracker host connect ${named}, or in the control plane's dashboard.`;
    case "provider_rejected":
      return rejectionHint(named, details);
    case "invalid_request":
      return v.is(SeveralBound, details)
        ? `Run it in the project that you mean, without --provider. See which there are: tracker status --all --provider ${named}`
        : undefined;
    case "team_mismatch":
      return "Name a team that you belong to: TRACKER_TEAM=<slug>. `tracker auth status` lists them.";
    case "binding_not_found":
    case "mapping_disabled":
    case "project_mismatch":
      return `Bind the project: tracker bind --provider ${named} --yes (what is bound: tracker status --all)`;
    case "already_bound":
      return "Choose another resource, or ask for the other project to be unbound.";
    case "rate_limited":
      return retry_after_seconds === null
        ? "Wait a moment and try again."
        : `Try again in ${durationText(retry_after_seconds)}.`;
    case "payload_too_large":
      return "Nothing was done. Send it in several parts.";
    case "internal":
      return "The control plane's log tells more; that of the embedded one is shown with --verbose.";
    case "issue_not_found":
      return "Look for it: tracker issues search --query TEXT";
    case "conflict_not_found":
      return "See which are open: tracker sync conflicts";
    case "sync_in_progress":
      return v.is(AtWork, details)
        ? `Wait for it: tracker sync wait ${shellWord(details.operation_id)}`
        : "See how the sync stands: tracker status";
    case "operation_not_found":
      return "See how the sync stands: tracker status";
    default:
      return user_action_required ? "This needs an action in the control plane's dashboard." : undefined;
  }
}

function durationText(seconds: number): string {
  return seconds <= 90 ? count(Math.ceil(seconds), "second") : count(Math.ceil(seconds / 60), "minute");
}

/** The operation that works on a binding; control planes may omit it. */
export const AtWork = v.object({ operation_id: v.string() });

/** The details of a call that names no binding where several are possible. */
const SeveralBound = v.object({ project_slugs: v.pipe(v.array(v.string()), v.minLength(2)) });

/** The reason of a provider's refusal; older control planes omit it. */
const Refusal = v.object({ failure_class: v.string() });

/** The hint after a provider's refusal: a command can repair access, but few other refusals. */
function rejectionHint(provider: string, details: unknown): string | undefined {
  const again = `connect again: tracker host connect ${provider}`;
  if (!v.is(Refusal, details)) {
    return `If access is the problem, check the token, what it may do, and the address; then ${again}`;
  }
  switch (details.failure_class) {
    case "auth":
    case "permission":
      return `Check the token and what it may do, then ${again} (with the same --base-url and --email, where you gave them)`;
    case "contract":
      return `If the address is wrong, ${again} --base-url URL`;
    default:
      return undefined;
  }
}
