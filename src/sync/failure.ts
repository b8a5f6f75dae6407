/** The wire's words for a failure that ends a whole request, whoever does the work. Pure. */
import { CapabilityNotSupportedError, IssueNotFoundError, type TrackerSdkError } from "../sdk/errors.ts";
import { SyncRequestError } from "./request.ts";

/** The code of what went wrong at work on a binding. */
export function failureCode(error: TrackerSdkError) {
  // No credential helps where the tracker has no place for what was asked.
  if (error instanceof SyncRequestError || error instanceof CapabilityNotSupportedError) {
    return "invalid_request";
  }
  if (error instanceof IssueNotFoundError) return "issue_not_found";
  if (error.failureClass === "rate_limited") return "rate_limited";
  return error.retryable ? "provider_unavailable" : "provider_rejected";
}

/** The code of a decision that was refused; null when it was not the decision that failed. */
export function conflictCode({ failureClass }: TrackerSdkError) {
  if (failureClass === "not_found") return "conflict_not_found";
  return failureClass === "conflict" ? "conflict_decided" : null;
}
