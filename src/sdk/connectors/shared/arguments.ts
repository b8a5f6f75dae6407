/** Parses the arguments of a connector's caller and a provider's answers. */

import * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import {
  ConnectorRequestError,
  DiscoveryContractError,
  IssuePayloadContractError,
  ScopeViolationError,
} from "../../errors.ts";
import { TextAnswer } from "../../http/transport.ts";
import { type ExternalRef, Instant, IssuePatch, problemOf } from "../../model.ts";

/** No connector has filters yet; unknown ones are refused. */
export const ListQuery = v.object({
  updatedSince: v.optional(Instant),
  until: v.optional(Instant),
  cursor: v.optional(v.string()),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 50),
  filters: v.optional(v.strictObject({})),
});

export const SearchQuery = v.object({
  text: v.optional(v.pipe(v.string(), v.trim())),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 20),
});

/** Status and links have methods of their own. */
export const UpdatePatch = v.omit(IssuePatch, ["status", "links"]);

export const ReadableText = v.pipe(
  v.string(),
  v.check((text) => text.trim() !== "", "must not be empty"),
);

/** @throws ConnectorRequestError (`invalid`) naming the path of what is wrong */
export function parseArgument<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  return parseOr(
    schema,
    value,
    name,
    (path, problem) =>
      new ConnectorRequestError(`${path}: ${problem}`, { provider, failureClass: "invalid" }),
  );
}

/**
 * Parses a provider's answer.
 *
 * @param name The answer's content, such as `issue`; the path in the error starts with it
 * @throws IssuePayloadContractError naming the path of what is missing or wrong
 */
export function parsePayload<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  return parseReceived(provider, schema, value, name, IssuePayloadContractError);
}

/**
 * Parses a provider's answer to discovery, as {@link parsePayload} does.
 *
 * @throws DiscoveryContractError naming the path of what is missing or wrong
 */
export function parseDiscovered<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  return parseReceived(provider, schema, value, name, DiscoveryContractError);
}

function parseReceived<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
  Failure: typeof IssuePayloadContractError | typeof DiscoveryContractError,
): v.InferOutput<S> {
  if (value instanceof TextAnswer) throw new Failure(provider, name, noApi(provider, value));
  return parseOr(schema, value, name, (path, problem) => new Failure(provider, path, problem));
}

/** A text answer does not come from the provider's API; the message omits the text. */
function noApi(provider: string, { host, type }: TextAnswer): string {
  return `${host} answered with ${type ?? "something"}, not JSON: that is not the API of ${providerName(provider)}`;
}

/** @throws the error that `failure` makes of path and problem */
function parseOr<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  name: string,
  failure: (path: string, problem: string) => Error,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = [name, v.getDotPath(issue)].filter((part) => part !== null).join(".");
  throw failure(path, problemOf(issue));
}

/** @throws ScopeViolationError when `ref` is not an issue of this resource */
export function assertScope(
  { provider, workspace }: { readonly provider: string; readonly workspace: string },
  ref: ExternalRef,
): void {
  if (ref.system === provider && ref.workspace === workspace) return;
  throw new ScopeViolationError(
    provider,
    `Issue ${ref.id} of ${ref.system} ${ref.workspace} is outside of ${providerName(provider)} ${workspace}.`,
  );
}
