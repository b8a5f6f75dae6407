/** Checks values of a request. */
import * as v from "valibot";
import { problemOf } from "../protocol.ts";
import { HostError } from "./errors.ts";

/**
 * A value of a request in the shape of `schema`.
 *
 * @param root name of the value as a whole
 * @throws HostError `invalid_request` with a problem per path
 */
export function check<S extends v.GenericSchema>(schema: S, value: unknown, root: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const details: Record<string, string> = {};
  for (const issue of result.issues) {
    const path = v.getDotPath(issue) ?? root;
    details[path] ??= problemOf(issue);
  }
  throw invalidRequest(details);
}

/** An `invalid_request` with a problem per path. */
export function invalidRequest(details: Readonly<Record<string, string>>): HostError {
  const problems = Object.entries(details).map(([path, problem]) => `${path}: ${problem}`);
  return new HostError("invalid_request", `The request is not valid. ${problems.join("; ")}.`, { details });
}
