/** Turns the failures of an on-device provider into errors of the command line. */
import { ConnectorConfigError, TrackerSdkError } from "../../sdk/errors.ts";
import { StoreError } from "../../sdk/stores/serial.ts";
import { TrackerError } from "../../shared/errors.ts";
import { conflictCode, failureCode } from "../../sync/failure.ts";
import { SyncRequestError } from "../../sync/request.ts";

/**
 * Runs `work`; what goes wrong is told by the codes that a control plane uses,
 * in the tracker's own words.
 *
 * @throws TrackerError `program_unusable` when the tracker's program cannot be run as it is set up,
 *   `store_unusable` when the file of what was synchronized cannot be used, else as a control plane says
 */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TrackerSdkError ? failure(error, codeOf(error)) : error;
  }
}

/**
 * Runs a decision of a conflict.
 *
 * @throws TrackerError `conflict_not_found`, `conflict_decided` when it was decided otherwise; anything else as it is
 */
export async function decided<T>(decision: () => Promise<T>): Promise<T> {
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
    hint: hintFor(error, code),
    retryable: error.retryable,
    ...(error instanceof SyncRequestError && { details: { [error.path]: error.problem } }),
    cause: error,
  });
}

/** The next step after a failure, as a command. */
function hintFor(error: TrackerSdkError, code: Code): string | undefined {
  const { provider } = error;
  switch (code) {
    case "program_unusable":
      return `To say how it is run: tracker bind --provider ${provider} --workspace NAME --credential command=PATH --credential cwd=FOLDER`;
    case "store_unusable":
      if (error instanceof StoreError && error.isFull)
        return "Make room on the disk, then run the command again.";
      return "Mend it, or remove it: the next pull reads everything again, and edits that were not sent are lost.";
    case "issue_not_found":
      return "Look for it: tracker issues search --query TEXT";
    case "conflict_not_found":
      return "See which are open: tracker sync conflicts";
    case "provider_unavailable":
    case "rate_limited":
      return "Wait a moment and try again.";
    default:
      return undefined;
  }
}
