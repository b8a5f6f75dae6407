/** What callers hand to a connector, parsed; and what comes back from a provider. */
import * as v from "valibot";
import {
  ConnectorRequestError,
  DiscoveryContractError,
  IssuePayloadContractError,
  ScopeViolationError,
} from "../../errors.ts";
import { type ExternalRef, Instant, IssuePatch } from "../../model.ts";
import { TextAnswer } from "../../transport.ts";

/** A listing as it is asked for. No connector knows a filter yet; unknown ones are refused. */
export const ListQuery = v.object({
  updatedSince: v.optional(Instant),
  until: v.optional(Instant),
  cursor: v.optional(v.string()),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 50),
  filters: v.optional(v.strictObject({})),
});

/** A search as it is asked for. */
export const SearchQuery = v.object({
  text: v.optional(v.pipe(v.string(), v.trim())),
  limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 20),
});

/** What `updateIssue` takes: status and links have methods of their own. */
export const UpdatePatch = v.omit(IssuePatch, ["status", "links"]);

/** Text that somebody can read. */
export const Filled = v.pipe(
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
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const { path, message } = problemIn(parsed.issues, name);
  throw new ConnectorRequestError(`${path}: ${message}`, { provider, failureClass: "invalid" });
}

/**
 * Reads what a provider answered.
 *
 * @param name What the answer is, such as `issue`; the path in the error starts with it
 * @throws IssuePayloadContractError naming the path of what is missing or wrong
 */
export function parsePayload<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  if (value instanceof TextAnswer)
    throw new IssuePayloadContractError(provider, name, noApi(provider, value));
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const { path, message } = problemIn(parsed.issues, name);
  throw new IssuePayloadContractError(provider, path, message);
}

/**
 * Reads what a provider answered to discovery.
 *
 * @param name What the answer is, such as `projects`; the path in the error starts with it
 * @throws DiscoveryContractError naming the path of what is missing or wrong
 */
export function parseDiscovered<S extends v.GenericSchema>(
  provider: string,
  schema: S,
  value: unknown,
  name: string,
): v.InferOutput<S> {
  if (value instanceof TextAnswer) throw new DiscoveryContractError(provider, name, noApi(provider, value));
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const { path, message } = problemIn(parsed.issues, name);
  throw new DiscoveryContractError(provider, path, message);
}

/** What answers with text is something else than the provider's API; the text itself is nobody's business. */
function noApi(provider: string, { host, type }: TextAnswer): string {
  return `${host} answered with ${type ?? "something"}, not JSON: that is not the API of ${provider}`;
}

function problemIn(
  [issue]: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]],
  name: string,
): { readonly path: string; readonly message: string } {
  const path = [name, v.getDotPath(issue)].filter((part) => part !== null).join(".");
  return { path, message: issue.message };
}

/** @throws ScopeViolationError when `ref` is not an issue of this resource */
export function assertScope(
  { provider, workspace }: { readonly provider: string; readonly workspace: string },
  ref: ExternalRef,
): void {
  if (ref.system === provider && ref.workspace === workspace) return;
  throw new ScopeViolationError(
    provider,
    `Issue ${ref.id} of ${ref.system} ${ref.workspace} is outside of ${provider} ${workspace}.`,
  );
}
