import { ConnectorConfigError, TrackerSdkError } from "../../sdk/errors.ts";
import { StoreError } from "../../sdk/stores/serial.ts";
import { TrackerError } from "../../shared/errors.ts";
import { conflictCode, failureCode } from "../../sync/failure.ts";
import { SyncRequestError } from "../../sync/request.ts";

/**
 * Runs `work`. Its failures get the codes of a control plane and keep the provider's words.
 *
 * @throws TrackerError `program_unusable` when the provider's program cannot be run as configured,
 *   `store_unusable` when the issue database cannot be used, else a control plane's code
 */
export async function withFailureCodes<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TrackerSdkError ? failure(error, codeOf(error)) : error;
  }
}

/** @throws TrackerError `conflict_not_found`, or `conflict_decided` when it was decided otherwise; rethrows the rest */
export async function withConflictCodes<T>(decision: () => Promise<T>): Promise<T> {
  try {
    return await decision();
  } catch (error) {
    if (!(error instanceof TrackerSdkError)) throw error;
    const code = conflictCode(error);
    throw code === null ? error : failure(error, code);
  }
}

function codeOf(error: TrackerSdkError) {
  if (error instanceof ConnectorConfigError) return "program_unusable";
  return error instanceof StoreError && !error.retryable ? "store_unusable" : failureCode(error);
}

type Code = ReturnType<typeof codeOf> | NonNullable<ReturnType<typeof conflictCode>>;

function failure(error: TrackerSdkError, code: Code): TrackerError {
  return new TrackerError(code, error.message, {
    provider: error.provider,
    retryable: error.retryable,
    ...(error instanceof SyncRequestError && { details: { [error.path]: error.problem } }),
    ...(error instanceof StoreError && error.isFull && { details: { reason: "full" } }),
    cause: error,
  });
}
