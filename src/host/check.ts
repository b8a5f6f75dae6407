import * as v from "valibot";
import { problemOf } from "../protocol.ts";
import {
  HOSTED_PROVIDERS,
  type HostedProvider,
  isHosted,
  isLocal,
  isRemoved,
  providerName,
} from "../shared/providers.ts";
import { HostError } from "./errors.ts";

/**
 * Parses a value of a request.
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

export function invalidRequest(details: Readonly<Record<string, string>>): HostError {
  const problems = Object.entries(details).map(([path, problem]) => `${path}: ${problem}`);
  return new HostError("invalid_request", `The request is not valid. ${problems.join("; ")}.`, { details });
}

export function hostedProvider(name: string): HostedProvider {
  const provider = name.toLowerCase();
  if (isHosted(provider)) return provider;
  const instead = `Use one of ${HOSTED_PROVIDERS.join(", ")}.`;
  if (isRemoved(provider)) throw unsupported(`Azure DevOps is no longer supported. ${instead}`);
  if (isLocal(provider)) {
    throw unsupported(
      `${providerName(provider)} is an on-device provider and is never reached through a control plane.`,
    );
  }
  throw unsupported(`"${name}" is not a provider of this control plane. ${instead}`);
}

function unsupported(message: string): HostError {
  return new HostError("unsupported_provider", message);
}
