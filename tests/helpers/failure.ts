import { hintOf } from "../../src/cli/hints.ts";
import { TrackerError } from "../../src/shared/errors.ts";

/**
 * What work fails with, whether it throws or rejects; with the hint that the command line derives.
 *
 * @throws Error when it does not fail
 */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return error instanceof TrackerError ? Object.assign(error, { hint: hintOf(error) }) : error;
  }
  throw new Error("It was expected to fail.");
}
