import * as v from "valibot";
import { type Call, ErrorEnvelope } from "../protocol.ts";
import { type ErrorFacts, NotAuthenticatedError, TrackerError } from "../shared/errors.ts";
import { jsonText, parseJson } from "../shared/json.ts";
import type { Answer, Limits, NoAnswerError } from "../shared/network/fetch-once.ts";
import { retryAfterSeconds } from "../shared/network/retry-after.ts";
import { isHosted } from "../shared/providers.ts";
import { escapeText } from "../shared/text.ts";

const MAX_QUOTED = 200;

interface ControlPlaneErrorFacts extends ErrorFacts {
  readonly status?: number | null | undefined;
  readonly category?: string | null;
  readonly mayBeDone?: boolean;
}

export class ControlPlaneError extends TrackerError {
  readonly status: number | null;
  readonly category: string | null;
  /** The request may have been carried out: it may have arrived, and no answer came back. */
  readonly mayBeDone: boolean;

  constructor(code: string, message: string, facts: ControlPlaneErrorFacts = {}) {
    super(code, message, facts);
    this.status = facts.status ?? null;
    this.category = facts.category ?? null;
    this.mayBeDone = facts.mayBeDone ?? false;
  }

  with(
    facts: Pick<ControlPlaneErrorFacts, "details" | "mayBeDone" | "provider" | "unfinished">,
  ): ControlPlaneError {
    const { code, message, hint: _, requestId, choices, unfinished, ...rest } = this;
    return new ControlPlaneError(code, message, {
      ...rest,
      unfinished: unfinished ?? undefined,
      requestId: requestId ?? undefined,
      ...(choices !== null && { choices }),
      cause: this.cause,
      ...facts,
    });
  }
}

/** The error of a request that got no answer; `name` is the control plane's. */
export function noAnswerError(
  name: string,
  { reason, processed, remedy, code, message, cause }: NoAnswerError,
  { bodyBytes }: Limits,
): ControlPlaneError {
  const mayBeDone = processed === "maybe";
  if (reason === "too_large") {
    const problem = `${name} answered with more than ${bodyBytes / 1024 / 1024} MB.`;
    return new ControlPlaneError("response_too_large", problem, { mayBeDone });
  }
  const details = { network: { reason, code, remedy } };
  const facts = { retryable: true, mayBeDone, details, cause };
  return reason === "timeout"
    ? new ControlPlaneError("host_timeout", `${name} did not answer in time.`, facts)
    : new ControlPlaneError("host_unreachable", `Cannot reach ${name}: ${message}.`, facts);
}

export function redirectError(name: string, { status, headers }: Answer): ControlPlaneError {
  const location = headers.get("location") ?? "an unnamed address";
  return new ControlPlaneError(
    "redirect_refused",
    `${name} redirects to ${escapeText(location)}, and tracker follows no redirect.`,
    {
      status,
      // "See other" follows a request that was carried out; the other redirects come instead of it.
      mayBeDone: status === 303,
    },
  );
}

/**
 * Parses a successful answer.
 *
 * @throws ControlPlaneError `invalid_response` when it does not have the shape of `schema`
 */
export function parseAnswer<S extends v.GenericSchema>(
  name: string,
  { status, headers, text }: Answer,
  schema: S,
): v.InferOutput<S> {
  const invalid = (problem: string): ControlPlaneError =>
    new ControlPlaneError("invalid_response", `${name} sent an invalid response: ${readable(problem)}.`, {
      status,
      requestId: requestIdOf(headers),
    });
  let value: unknown;
  try {
    value = status === 204 ? null : parseJson(text);
  } catch {
    throw invalid("the body is not JSON");
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const problem = issue.received === "undefined" ? "is missing" : `is wrong (${issue.message})`;
  throw invalid(`${v.getDotPath(issue) ?? "the body"} ${problem}`);
}

/**
 * The error of an answer that reports no success.
 *
 * @param envelope the body, where it is an envelope
 * @param mayBeDone the request may have been carried out, where the answer has no envelope
 * @param now epoch in ms
 */
export function refusalError(
  name: string,
  { status, headers, text }: Answer,
  envelope: ErrorEnvelope | null,
  { mayBeDone, now }: { readonly mayBeDone: boolean; readonly now: number },
): TrackerError {
  const unnamed = { code: `http_${status}`, message: `HTTP ${status}${quotedLine(text, headers)}` };
  const requestId = requestIdOf(headers);
  if (status === 401) {
    const { code, message } = envelope === null ? unnamed : namedError(envelope, unnamed);
    return new NotAuthenticatedError(`${name} does not accept your credentials: ${message}`, {
      code: envelope === null ? "unauthorized" : code,
      requestId,
    });
  }
  const facts = { status, requestId, retryAfterSeconds: retryAfterSeconds(headers, now) };
  if (envelope !== null) return errorOfEnvelope(envelope, unnamed, facts);
  return new ControlPlaneError(unnamed.code, `${name} answered ${unnamed.message}`, {
    ...facts,
    mayBeDone,
  });
}

/** The codes of an answer to a path or a method that the other side does not have. */
const UNROUTED_CODES: ReadonlySet<string> = new Set([
  "http_404",
  "http_405",
  "not_found",
  "method_not_allowed",
]);

/** Returns the error of a call that only some control planes serve; other errors as they are. */
export function notOffered(
  name: string,
  { extension, caller }: Pick<Call, "extension" | "caller">,
  error: unknown,
): unknown {
  if (extension === undefined || !(error instanceof TrackerError)) return error;
  // Some control planes want a credential before they look for the path.
  const isUnrouted = caller === "anyone" && error instanceof NotAuthenticatedError;
  if (!isUnrouted && !UNROUTED_CODES.has(error.code)) return error;
  return new ControlPlaneError("not_offered", `${name} does not offer ${extension}.`, {
    requestId: error.requestId ?? undefined,
    cause: error,
  });
}

interface AnswerFacts {
  readonly status?: number;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | null;
}

interface ErrorName {
  readonly code: string;
  readonly message: string;
}

function namedError({ code, error_code, message }: ErrorEnvelope, unnamed: ErrorName): ErrorName {
  return { code: code ?? error_code ?? unnamed.code, message: message || unnamed.message };
}

/**
 * The error that an envelope describes.
 *
 * @param unnamed the code and the message where the envelope has none
 * @param facts the facts where the envelope has none
 */
export function errorOfEnvelope(
  envelope: ErrorEnvelope,
  unnamed: ErrorName,
  facts: AnswerFacts = {},
): ControlPlaneError {
  const { code, message } = namedError(envelope, unnamed);
  return new ControlPlaneError(code, message, {
    ...facts,
    category: envelope.category ?? envelope.error_category,
    retryable: envelope.retryable ?? false,
    userActionRequired: envelope.user_action_required,
    retryAfterSeconds: envelope.retry_after_seconds ?? facts.retryAfterSeconds ?? null,
    details: envelope.details,
    provider: envelope.provider !== null && isHosted(envelope.provider) ? envelope.provider : null,
  });
}

export function parseEnvelope(text: string): ErrorEnvelope | null {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return null;
  }
  const result = v.safeParse(ErrorEnvelope, value);
  if (!result.success) return null;
  const { code, error_code, message } = result.output;
  return code === null && error_code === null && message === null ? null : result.output;
}

const ErrorText = v.pipe(
  jsonText(v.object({ error: v.string() })),
  v.transform(({ error }) => error),
);

/** The first readable line of a body that is not an envelope, for `HTTP 502: Bad gateway`. */
function quotedLine(body: string, headers: Headers): string {
  const isHtml = /html/i.test(headers.get("content-type") ?? "");
  const parsed = v.safeParse(ErrorText, body);
  const plain = isHtml ? body.replace(/<[^<>]*>/g, " ") : body;
  const text = parsed.success ? parsed.output : plain;
  const line = text.split("\n").find((candidate) => candidate.trim() !== "");
  return line === undefined ? "" : `: ${readable(line.trim())}`;
}

/** A control plane's text as a message quotes it: short and escaped. */
function readable(text: string): string {
  return escapeText(text.slice(0, MAX_QUOTED));
}

function requestIdOf(headers: Headers): string | undefined {
  return headers.get("x-request-id") ?? undefined;
}
