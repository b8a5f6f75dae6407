/**
 * What work fails with, whether it throws or rejects.
 *
 * @throws Error when it does not fail
 */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return error;
  }
  throw new Error("It was expected to fail.");
}
