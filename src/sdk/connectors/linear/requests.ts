/** GraphQL requests to Linear with parsed answers and typed failures. */
import * as v from "valibot";
import { ConnectorRequestError, type FailureClass, IssuePayloadContractError } from "../../errors.ts";
import { type Transport, TransportError, type TransportResponse } from "../../http/transport.ts";
import { parsePayload } from "../shared/arguments.ts";
import { secondsUntil } from "../shared/limits.ts";

const text = v.fallback(v.optional(v.string()), undefined);

/** Sent with HTTP 200 as well as 4xx: https://linear.app/developers/graphql */
const GraphQlError = v.object({
  message: v.string(),
  extensions: v.fallback(
    v.optional(
      v.object({
        code: text,
        /** The code in words, or less exact: `ratelimited`. */
        type: text,
        userPresentableMessage: text,
        statusCode: v.fallback(v.optional(v.number()), undefined),
      }),
    ),
    undefined,
  ),
});
type GraphQlError = v.InferOutput<typeof GraphQlError>;

const Failed = v.object({ errors: v.pipe(v.array(GraphQlError), v.nonEmpty()) });

/** Codes and types in lower case with single spaces. */
const FAILURE_CLASSES: ReadonlyMap<string, FailureClass> = new Map([
  ["ratelimited", "rate_limited"],
  ["authentication error", "auth"],
  ["forbidden", "permission"],
  ["feature not accessible", "permission"],
  ["usage limit exceeded", "permission"],
  ["internal server error", "transient"],
  ["internal error", "transient"],
  ["lock timeout", "transient"],
  ["bootstrap error", "transient"],
  ["network error", "transient"],
  ["graphql validation failed", "contract"],
  ["graphql parse failed", "contract"],
]);

export class LinearRequests {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Sends a document and returns its data.
   *
   * @throws ConnectorRequestError when Linear refuses: `not_found` for a missing or invisible entity,
   * `conflict` for an id that is taken
   * @throws IssuePayloadContractError naming the path when the answer has the wrong shape
   */
  async request<S extends v.GenericSchema>(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    data: S,
  ): Promise<v.InferOutput<S>> {
    const response = await this.#send(document, variables);
    const failed = v.safeParse(Failed, response.body);
    if (failed.success) throw failure(failed.output.errors, response, undefined);
    return parsePayload("linear", v.object({ data }), response.body, "answer").data;
  }

  /** A refusal with a 4xx status explains itself in its body, like one with 200. */
  async #send(query: string, variables: Readonly<Record<string, unknown>>): Promise<TransportResponse> {
    try {
      return await this.#transport.send({
        method: "POST",
        path: "/graphql",
        body: { json: { query, variables } },
      });
    } catch (error) {
      if (!(error instanceof TransportError) || error.response === null) throw error;
      const failed = v.safeParse(Failed, error.response.body);
      if (failed.success && error.failureClass !== "contract") {
        throw failure(failed.output.errors, error.response, error);
      }
      if (error.failureClass !== "rate_limited") throw error;
      throw new ConnectorRequestError(error.message, {
        provider: "linear",
        failureClass: "rate_limited",
        retryAfterSeconds: retryAfter(error.response, error),
        cause: error,
      });
    }
  }
}

/** The result of `work`; null when Linear does not find the entity. */
export async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (isFailure(error, "not_found")) return null;
    throw error;
  }
}

export function isFailure(error: unknown, failureClass: FailureClass): boolean {
  return error instanceof ConnectorRequestError && error.failureClass === failureClass;
}

function failure(
  errors: readonly GraphQlError[],
  response: TransportResponse,
  cause: TransportError | undefined,
): ConnectorRequestError {
  const failures = errors.map((error) => ({ error, failureClass: failureClassOf(error, cause) }));
  // A field's failure may come with a general one, which takes precedence.
  const found = failures.find(({ failureClass }) => failureClass !== "invalid") ?? failures[0];
  const failureClass = found?.failureClass ?? "contract";
  const message = found?.error.extensions?.userPresentableMessage ?? found?.error.message ?? "";
  return new ConnectorRequestError(`Linear: ${redacted(message)}`, {
    provider: "linear",
    failureClass,
    retryAfterSeconds: failureClass === "rate_limited" ? retryAfter(response, cause) : null,
    cause,
  });
}

function failureClassOf(
  { message, extensions }: GraphQlError,
  cause: TransportError | undefined,
): FailureClass {
  for (const name of [extensions?.code, extensions?.type]) {
    const known = FAILURE_CLASSES.get(name?.toLowerCase().replace(/[\s_]+/g, " ") ?? "");
    if (known !== undefined) return known;
  }
  // Both have the code INPUT_ERROR, as every refused input.
  if (/^entity not found\b/i.test(message)) return "not_found";
  if (/^conflict on insert\b/i.test(message)) return "conflict";
  if ((extensions?.statusCode ?? 400) >= 500) return "transient";
  return cause?.failureClass ?? "invalid";
}

/** One line without anything that looks like a key or token of Linear. */
function redacted(message: string): string {
  return message
    .replace(/\s+/g, " ")
    .replace(/\blin_\w+/g, "***")
    .slice(0, 300);
}

/**
 * Seconds until the exhausted budget is renewed; null without a header. Every answer has the resets, in epoch
 * milliseconds, and what is left of each budget: https://linear.app/developers/rate-limiting
 */
function retryAfter(response: TransportResponse, cause: TransportError | undefined): number | null {
  if (cause !== undefined && cause.retryAfterSeconds !== null) return cause.retryAfterSeconds;
  const { headers } = response;
  const budgets = ["requests", "endpoint-requests", "complexity"].flatMap((name) => {
    const reset = Number(headers.get(`x-ratelimit-${name}-reset`) ?? Number.NaN);
    const remaining = Number(headers.get(`x-ratelimit-${name}-remaining`) ?? Number.NaN);
    return Number.isFinite(reset) ? [{ seconds: secondsUntil(reset, response), remaining }] : [];
  });
  const empty = budgets.filter(({ remaining }) => remaining <= 0);
  const waits = (empty.length > 0 ? empty : budgets).map(({ seconds }) => seconds);
  return waits.length === 0 ? null : Math.max(...waits);
}

/** A page's place in its connection, forward. */
export const Forward = v.object({ hasNextPage: v.boolean(), endCursor: v.nullable(v.string()) });

/** A page of a connection that is read forward. */
export const connection = <S extends v.GenericSchema>(node: S) =>
  v.object({ nodes: v.array(node), pageInfo: Forward });

/** A page's place in its connection, backward. */
export const Backward = v.object({ hasPreviousPage: v.boolean(), startCursor: v.nullable(v.string()) });

/** The cursor to continue with; null at the end. */
export function cursorAfter(
  { hasNextPage, endCursor }: v.InferOutput<typeof Forward>,
  previousCursor: string | null,
): string | null {
  return hasNextPage ? requireCursor("endCursor", endCursor, previousCursor) : null;
}

/** The cursor to go back with; null at the start. */
export function cursorBefore(
  { hasPreviousPage, startCursor }: v.InferOutput<typeof Backward>,
  previousCursor: string | null,
): string | null {
  return hasPreviousPage ? requireCursor("startCursor", startCursor, previousCursor) : null;
}

/** A missing or repeated cursor would end the reading early, or never. */
function requireCursor(name: string, cursor: string | null, previousCursor: string | null): string {
  if (cursor !== null && cursor !== previousCursor) return cursor;
  throw new IssuePayloadContractError(
    "linear",
    `pageInfo.${name}`,
    "is missing or points to the same page again",
  );
}

/**
 * A page in Linear's order, latest first, reversed.
 *
 * Linear documents `orderBy: updatedAt` as "most recently updated resources"
 * (https://linear.app/developers/pagination); `sort`, which could reverse it, is internal. Windows are read
 * from the end of that order, so the order is verified.
 *
 * @throws IssuePayloadContractError when the page is not in that order
 */
export function oldestFirst<T>(nodes: readonly T[], instantOf: (node: T) => string, path: string): T[] {
  const reversed = nodes.toReversed();
  for (const [index, node] of reversed.entries()) {
    const next = reversed[index + 1];
    if (next !== undefined && instantOf(next) < instantOf(node)) {
      throw new IssuePayloadContractError("linear", path, "is not ordered by latest first");
    }
  }
  return reversed;
}

/** All nodes of a connection, given its first page. */
export async function everyNode<T>(
  first: { readonly nodes: readonly T[]; readonly pageInfo: v.InferOutput<typeof Forward> },
  read: (after: string) => Promise<typeof first>,
): Promise<T[]> {
  const nodes = [...first.nodes];
  let previousCursor: string | null = null;
  let next = cursorAfter(first.pageInfo, previousCursor);
  while (next !== null) {
    previousCursor = next;
    const page = await read(previousCursor);
    nodes.push(...page.nodes);
    next = cursorAfter(page.pageInfo, previousCursor);
  }
  return nodes;
}
