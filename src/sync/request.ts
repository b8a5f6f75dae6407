import * as v from "valibot";
import { TrackerSdkError } from "../sdk/errors.ts";
import { problemOf } from "../sdk/model.ts";

/** A request that no sync can carry out; nothing was sent to the provider. */
export class SyncRequestError extends TrackerSdkError {
  /** The part of the request, for example `patch.title`. */
  readonly path: string;
  readonly problem: string;

  constructor(provider: string, path: string, problem: string) {
    super(`${path}: ${problem}`, { provider, failureClass: "invalid" });
    this.path = path;
    this.problem = problem;
  }
}

/**
 * Parses a part of a request.
 *
 * @param name The part's name, for example `patch`
 * @throws SyncRequestError naming the path of what is wrong
 */
export function parsePart<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  throw new SyncRequestError(provider, path === null ? name : `${name}.${path}`, problemOf(issue));
}
