/** Requests to Jira Cloud's REST API, version 3, and the meaning of its refusals. */
import * as v from "valibot";
import type { FailureClass } from "../../errors.ts";
import {
  type Transport,
  TransportError,
  type TransportRequest,
  type TransportResponse,
} from "../../http/transport.ts";
import { parsePayload } from "../shared/arguments.ts";
import { secondsUntil } from "../shared/limits.ts";

export const JIRA = "jira";

/** https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#status-codes */
const RefusalBody = v.object({
  errorMessages: v.optional(v.array(v.string()), []),
  errors: v.optional(v.record(v.string(), v.string()), {}),
});

export class JiraRest {
  readonly #transport: Transport;
  readonly #prefix: string;

  /**
   * @param cloudId The site's id for Atlassian's API gateway; null for a transport to the site:
   * https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/#authentication
   */
  constructor(transport: Transport, cloudId: string | null) {
    this.#transport = transport;
    this.#prefix = cloudId === null ? "" : `/ex/jira/${encodeURIComponent(cloudId)}`;
  }

  /** @param path Below the site, such as `/rest/api/3/myself` */
  async send<S extends v.GenericSchema>(
    schema: S,
    name: string,
    method: TransportRequest["method"],
    path: string,
    more: { readonly query?: TransportRequest["query"]; readonly json?: unknown } = {},
  ): Promise<v.InferOutput<S>> {
    const request: TransportRequest = {
      method,
      path: this.#prefix + path,
      ...(more.query && { query: more.query }),
      ...(more.json !== undefined && { body: { json: more.json } }),
    };
    return parsePayload(JIRA, schema, await sendClassified(this.#transport, request), name);
  }

  get<S extends v.GenericSchema>(
    schema: S,
    name: string,
    path: string,
    query: NonNullable<TransportRequest["query"]> = {},
  ): Promise<v.InferOutput<S>> {
    return this.send(schema, name, "GET", path, { query });
  }
}

export async function sendClassified(transport: Transport, request: TransportRequest): Promise<unknown> {
  try {
    return (await transport.send(request)).body;
  } catch (error) {
    throw error instanceof TransportError ? classified(error) : error;
  }
}

export function isMissing(error: unknown): boolean {
  return (
    error instanceof TransportError && (error.response?.status === 404 || error.response?.status === 410)
  );
}

export function isRefused(error: unknown): boolean {
  return error instanceof TransportError && error.response?.status === 400;
}

/** The failure with Jira's own message. */
function classified(error: TransportError): TransportError {
  const { response } = error;
  if (response === null) return error;
  const refusal = v.safeParse(RefusalBody, response.body);
  const fields = refusal.success ? Object.entries(refusal.output.errors) : [];
  const problems = [
    ...(refusal.success && fields.length > 0 ? refusal.output.errorMessages : []),
    ...fields.map(([field, problem]) => `${field}: ${problem}`),
  ];
  const reason = response.headers.get("ratelimit-reason");
  const message = [
    problems.length === 0
      ? error.message
      : `${error.message.replace(/[.:].*$/s, "")}: ${short(problems.join("; "))}`,
    ...(reason === null ? [] : [`(${short(reason)})`]),
  ].join(" ");
  const failureClass = failureClassOf(error, response);
  return error.reclassified({
    message,
    failureClass,
    retryAfterSeconds:
      error.retryAfterSeconds ?? (failureClass === "rate_limited" ? secondsToReset(response) : null),
  });
}

/** The gateway answers 401 both to an invalid token and to a valid one without the scope. */
function failureClassOf(error: TransportError, { status, body }: TransportResponse): FailureClass {
  const { message } = v.is(Message, body) ? body : { message: "" };
  return status === 401 && /scope/i.test(message) ? "permission" : error.failureClass;
}

const Message = v.object({ message: v.string() });

/**
 * Seconds to the end of a rate limit; null when unknown:
 * https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
 */
function secondsToReset(response: TransportResponse): number | null {
  const reset = Date.parse(response.headers.get("x-ratelimit-reset") ?? "");
  return Number.isNaN(reset) ? null : secondsUntil(reset, response);
}

function short(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 500);
}
