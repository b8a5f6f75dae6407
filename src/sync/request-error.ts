import { TrackerSdkError } from "../sdk/errors.ts";

/** What was asked for cannot be done, whatever the tracker says: it was not asked. */
export class SyncRequestError extends TrackerSdkError {
  /** Which part of the request, for example `patch.title`. */
  readonly path: string;
  readonly problem: string;

  constructor(provider: string, path: string, problem: string) {
    super(`${path}: ${problem}`, { provider, failureClass: "invalid" });
    this.path = path;
    this.problem = problem;
  }
}
