/** The wire's codes for a failure that ends a whole request. Pure. */
import { CapabilityNotSupportedError, IssueNotFoundError, type TrackerSdkError } from "../sdk/errors.ts";
import { SyncRequestError } from "./request.ts";

export function failureCode(error: TrackerSdkError) {
  // No other credential helps where the tracker lacks the feature.
  if (error instanceof SyncRequestError || error instanceof CapabilityNotSupportedError) {
    return "invalid_request";
  }
  if (error instanceof IssueNotFoundError) return "issue_not_found";
  if (error.failureClass === "rate_limited") return "rate_limited";
  return error.retryable ? "provider_unavailable" : "provider_rejected";
}

/** The code of a refused decision; null when something else failed. */
export function conflictCode({ failureClass }: TrackerSdkError) {
  if (failureClass === "not_found") return "conflict_not_found";
  return failureClass === "conflict" ? "conflict_decided" : null;
}
