/**
 * One exchange with a control plane: authenticated, retried where that is safe,
 * bounded in time and size, its failures turned into typed errors.
 */
import { createFetch } from "ofetch";
import * as v from "valibot";
import { ErrorEnvelope } from "../protocol.ts";
import type { Fetch, Nature } from "../shared/context.ts";
import { type ErrorFacts, NotAuthenticatedError, TrackerError } from "../shared/errors.ts";
import { parseJson } from "../shared/json.ts";
import { isHosted } from "../shared/providers.ts";
import { count, escapeText, shellWord } from "../shared/text.ts";

const MAX_ATTEMPTS = 3;
const BACKOFF_MS = 200;
/** The longest that a `Retry-After` is waited for, in seconds. */
const MAX_RETRY_AFTER_S = 60;
/** How long to wait after a 429 that does not say, in seconds. */
const DEFAULT_RETRY_AFTER_S = 5;
/** The most that a message quotes of an answer, in characters. */
const MAX_QUOTED = 200;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const RETRIED_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Bounds of one request. */
export interface Limits {
  /** From the first byte sent to the last byte read, in ms. */
  readonly requestMs: number;
  /** Size of an answer's body after decompression, in bytes. */
  readonly bodyBytes: number;
}

export const DEFAULT_LIMITS: Limits = { requestMs: 30_000, bodyBytes: 10 * 1024 * 1024 };

/** What a {@link ControlPlaneError} carries beside its message. */
interface ControlPlaneErrorFacts extends ErrorFacts {
  readonly status?: number | null | undefined;
  readonly category?: string | null;
  readonly userActionRequired?: boolean;
  readonly retryAfterSeconds?: number | null;
  readonly mayBeDone?: boolean;
}

/** A control plane refused a request, or answered what it must not. */
export class ControlPlaneError extends TrackerError {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  readonly category: string | null;
  readonly userActionRequired: boolean;
  readonly retryAfterSeconds: number | null;
  /** Nobody knows whether what was asked for was done: the request may have arrived, and no answer did. */
  readonly mayBeDone: boolean;

  constructor(code: string, message: string, facts: ControlPlaneErrorFacts = {}) {
    super(code, message, facts);
    this.status = facts.status ?? null;
    this.category = facts.category ?? null;
    this.userActionRequired = facts.userActionRequired ?? false;
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null;
    this.mayBeDone = facts.mayBeDone ?? false;
  }

  /** The same error, of which more is known. */
  with(facts: Pick<ControlPlaneErrorFacts, "hint" | "details" | "mayBeDone">): ControlPlaneError {
    const { code, message, hint, requestId, choices, ...rest } = this;
    return new ControlPlaneError(code, message, {
      ...rest,
      hint: hint ?? undefined,
      requestId: requestId ?? undefined,
      ...(choices !== null && { choices }),
      cause: this.cause,
      ...facts,
    });
  }
}

/** Whether sending a request again can do harm. */
type Repeatability =
  /** A read, or a write with an Idempotency-Key. */
  | "safe"
  /** A read that has the provider asked each time: only when the control plane says when to come back, or as below. */
  | "costly"
  /** Only when it is certain that the first one was not processed. */
  | "unsafe";

/** One request. */
export interface Exchange {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Absolute path on the control plane. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly repeat: Repeatability;
}

/** What {@link HttpChannel} depends on. */
export interface ChannelOptions {
  /** Base address; its path, if any, is put before every request's path. */
  readonly url: URL;
  /** How errors call the control plane, such as `https://tracker.example.com`. */
  readonly name: string;
  readonly fetch: Fetch;
  readonly nature: Nature;
  readonly userAgent: string;
  readonly limits?: Limits;
  /** Told about every attempt; never about headers or bodies. */
  readonly trace?: (line: string) => void;
}

type Attempt =
  | { readonly kind: "answer"; readonly response: Response; readonly body: string }
  | { readonly kind: "failure"; readonly error: ControlPlaneError; readonly processed: "no" | "maybe" };

/** Sends exchanges to one control plane. */
export class HttpChannel {
  readonly name: string;
  readonly #options: ChannelOptions;
  readonly #limits: Limits;
  readonly #fetch: ReturnType<typeof createFetch>;

  constructor(options: ChannelOptions) {
    this.name = options.name;
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    const send = (input: string | URL | Request, init?: RequestInit): Promise<Response> =>
      options.fetch(
        input instanceof Request ? new Request(input, init) : new Request(input.toString(), init),
      );
    this.#fetch = createFetch({ fetch: Object.assign(send, { preconnect: () => {} }) });
  }

  /**
   * Sends `exchange`, again where that is safe, and parses the answer.
   *
   * @throws ControlPlaneError when there is no answer, an error, or not what `schema` describes
   * @throws NotAuthenticatedError on 401
   */
  async send<S extends v.GenericSchema>(exchange: Exchange, schema: S): Promise<v.InferOutput<S>> {
    let mayBeDone = false;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt(exchange);
      const isLast = attempt >= MAX_ATTEMPTS;
      if (result.kind === "failure") {
        mayBeDone ||= result.processed === "maybe";
        const mayRepeat = exchange.repeat === "safe" || result.processed === "no";
        if (isLast || !mayRepeat || !result.error.retryable) throw result.error.with({ mayBeDone });
        await this.#pause(attempt, null);
        continue;
      }
      const { response, body } = result;
      if (response.ok) return this.#parse(schema, response, body);
      const { status } = response;
      const envelope = parseEnvelope(body);
      // Whoever stands before a control plane does not know what became of a request.
      mayBeDone = envelope === null && (mayBeDone || status >= 500);
      const error = this.#errorOf(response, body, envelope, mayBeDone);
      const asked = retryAfterOf(error);
      const mayRepeat =
        exchange.repeat === "safe" || status === 429 || (exchange.repeat === "costly" && asked !== null);
      const isFutile = envelope?.retryable === false || !RETRIED_STATUS.has(status);
      if (isLast || !mayRepeat || isFutile) throw error;
      const wait = asked ?? (status === 429 ? DEFAULT_RETRY_AFTER_S : null);
      if (wait !== null && wait > MAX_RETRY_AFTER_S) throw error;
      await this.#pause(attempt, wait);
    }
  }

  /** Waits what the control plane asked for, else exponentially longer with full jitter. */
  async #pause(attempt: number, seconds: number | null): Promise<void> {
    const { nature, trace } = this.#options;
    const backoff = nature.random() * BACKOFF_MS * 2 ** (attempt - 1);
    const wait = seconds === null ? backoff : seconds * 1_000;
    trace?.(`retrying in ${Math.round(wait)} ms`);
    await nature.sleep(wait);
  }

  async #attempt(exchange: Exchange): Promise<Attempt> {
    const { url, nature, trace, userAgent } = this.#options;
    const target = new URL(url.pathname.replace(/\/$/, "") + exchange.path, url);
    for (const [name, value] of Object.entries(exchange.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const started = nature.now();
    try {
      const response = await this.#fetch.raw(target.href, {
        method: exchange.method,
        body: exchange.form === undefined ? jsonBody(exchange.body) : new URLSearchParams(exchange.form),
        headers: {
          accept: "application/json",
          "user-agent": userAgent,
          ...(exchange.body === undefined ? {} : { "content-type": "application/json" }),
          ...exchange.headers,
        },
        redirect: "manual",
        responseType: "stream",
        retry: false,
        ignoreResponseError: true,
        signal: AbortSignal.timeout(this.#limits.requestMs),
      });
      const body = await readBody(response, this.#limits.bodyBytes);
      trace?.(
        `${exchange.method} ${target.pathname}${target.search} ${response.status} in ${nature.now() - started} ms`,
      );
      if (REDIRECTS.has(response.status)) {
        // "See other" is what a request comes to; the others ask for it to be sent elsewhere.
        const processed = response.status === 303 ? "maybe" : "no";
        return { kind: "failure", processed, error: this.#redirected(response) };
      }
      return { kind: "answer", response, body };
    } catch (error) {
      const failure = this.#failureOf(error);
      trace?.(`${exchange.method} ${target.pathname}${target.search} ${failure.error.code}`);
      return failure;
    }
  }

  #redirected(response: Response): ControlPlaneError {
    const location = response.headers.get("location") ?? "an unnamed address";
    return new ControlPlaneError(
      "redirect_refused",
      `${this.name} redirects to ${escapeText(location)}; redirects are refused.`,
      { status: response.status, hint: "If that address is right, name it with --host." },
    );
  }

  #failureOf(error: unknown): Attempt & { kind: "failure" } {
    if (error instanceof BodyTooLargeError) {
      const megabytes = this.#limits.bodyBytes / 1024 / 1024;
      return {
        kind: "failure",
        processed: "maybe",
        error: new ControlPlaneError(
          "response_too_large",
          `${this.name} answered with more than ${megabytes} MB.`,
          { hint: "Is this the address of a tracker control plane? Check it with `tracker doctor`." },
        ),
      };
    }
    const names = causes(error).map(({ name, code }) => `${name} ${code}`);
    const isOneOf = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
    const facts = { retryable: true, hint: "Check the address and your network with `tracker doctor`." };
    if (isOneOf(/TimeoutError/)) {
      return {
        kind: "failure",
        processed: "maybe",
        error: new ControlPlaneError("host_timeout", `${this.name} did not answer in time.`, facts),
      };
    }
    const [reason, processed] = isOneOf(/ECONNREFUSED|ConnectionRefused/)
      ? (["the connection was refused", "no"] as const)
      : isOneOf(/CERT|SSL|TLS/i)
        ? (["its certificate cannot be trusted", "no"] as const)
        : isOneOf(/ENOTFOUND|DNS/i)
          ? (["its name cannot be resolved", "no"] as const)
          : (["the connection broke", "maybe"] as const);
    return {
      kind: "failure",
      processed,
      error: new ControlPlaneError("host_unreachable", `Cannot reach ${this.name}: ${reason}.`, {
        ...facts,
        cause: error,
      }),
    };
  }

  #parse<S extends v.GenericSchema>(schema: S, response: Response, body: string): v.InferOutput<S> {
    const requestId = response.headers.get("x-request-id") ?? undefined;
    const invalid = (problem: string): ControlPlaneError =>
      new ControlPlaneError(
        "invalid_response",
        `${this.name} answered what it should not: ${readable(problem)}.`,
        {
          status: response.status,
          requestId,
          hint: "Is this the address of a tracker control plane? Check it with `tracker doctor`.",
        },
      );
    let value: unknown;
    try {
      value = response.status === 204 ? null : parseJson(body);
    } catch {
      throw invalid("the body is not JSON");
    }
    const result = v.safeParse(schema, value);
    if (result.success) return result.output;
    const [issue] = result.issues;
    const problem = issue.received === "undefined" ? "is missing" : `is wrong (${issue.message})`;
    throw invalid(`${v.getDotPath(issue) ?? "the body"} ${problem}`);
  }

  #errorOf(
    response: Response,
    body: string,
    envelope: ErrorEnvelope | null,
    mayBeDone: boolean,
  ): TrackerError {
    const { status } = response;
    const requestId = response.headers.get("x-request-id") ?? undefined;
    const unnamed = { code: `http_${status}`, message: `HTTP ${status}${firstLine(body, response)}` };
    if (status === 401) {
      const { code, message } = envelope === null ? unnamed : nameOf(envelope, unnamed);
      return new NotAuthenticatedError(`${this.name} does not accept your credentials: ${message}`, {
        code: envelope === null ? "unauthorized" : code,
        requestId,
        hint: "Run `tracker auth login --with-token`.",
      });
    }
    const retryAfterSeconds = retryAfterHeader(response, this.#options.nature.now());
    if (envelope === null) {
      return new ControlPlaneError(unnamed.code, `${this.name} answered ${unnamed.message}`, {
        status,
        requestId,
        retryAfterSeconds,
        mayBeDone,
        hint: "Check the address and your network with `tracker doctor`.",
      });
    }
    return errorOfEnvelope(envelope, unnamed, { status, requestId, retryAfterSeconds });
  }
}

/** What is known of an error answer beside its body. */
interface AnswerFacts {
  readonly status?: number;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | null;
}

/** How an error is called. */
interface ErrorName {
  readonly code: string;
  readonly message: string;
}

function nameOf({ code, error_code, message }: ErrorEnvelope, unnamed: ErrorName): ErrorName {
  return { code: code ?? error_code ?? unnamed.code, message: message || unnamed.message };
}

/**
 * The error that an envelope tells about.
 *
 * @param unnamed what it is called as far as the envelope does not say
 * @param facts what is known from elsewhere
 */
export function errorOfEnvelope(
  envelope: ErrorEnvelope,
  unnamed: ErrorName,
  facts: AnswerFacts = {},
): ControlPlaneError {
  const { code, message } = nameOf(envelope, unnamed);
  return new ControlPlaneError(code, message, {
    ...facts,
    category: envelope.category ?? envelope.error_category,
    retryable: envelope.retryable ?? false,
    userActionRequired: envelope.user_action_required,
    retryAfterSeconds: envelope.retry_after_seconds ?? facts.retryAfterSeconds ?? null,
    details: envelope.details,
    hint: hintFor(code, envelope),
  });
}

/** What a person can do about an error that names no command itself. */
function hintFor(
  code: string,
  { provider, user_action_required, message, details, retry_after_seconds }: ErrorEnvelope,
): string | undefined {
  const named = provider !== null && isHosted(provider) ? provider : "<provider>";
  switch (code) {
    case "no_installation":
      // Where a connection was there before, the message says so, and the command with it.
      if (message?.includes("tracker host connect") === true) return undefined;
      return `Connect it first: tracker host connect ${named}, or in the control plane's dashboard.`;
    case "provider_rejected":
      return rejectionHint(named, details);
    case "invalid_request":
      return v.is(SeveralBound, details)
        ? `Run it in the project that you mean, without --provider. See which there are: tracker status --all --provider ${named}`
        : undefined;
    case "team_mismatch":
      return "Name a team that you belong to: TRACKER_TEAM=<slug>. `tracker auth status` lists them.";
    case "binding_not_found":
    case "mapping_disabled":
    case "project_mismatch":
      return `Bind the project: tracker bind --provider ${named} --yes (what is bound: tracker status --all)`;
    case "already_bound":
      return "Choose another resource, or ask for the other project to be unbound.";
    case "rate_limited":
      return retry_after_seconds === null
        ? "Wait a moment and try again."
        : `Try again in ${durationText(retry_after_seconds)}.`;
    case "payload_too_large":
      return "Nothing was done. Send it in several parts.";
    case "internal":
      return "The control plane's log tells more; that of the embedded one is shown with --verbose.";
    case "issue_not_found":
      return "Look for it: tracker issues search --query TEXT";
    case "conflict_not_found":
      return "See which are open: tracker sync conflicts";
    case "sync_in_progress":
      return v.is(AtWork, details)
        ? `Wait for it: tracker sync wait ${shellWord(details.operation_id)}`
        : "See how the sync stands: tracker status";
    case "operation_not_found":
      return "See how the sync stands: tracker status";
    default:
      return user_action_required ? "This needs an action in the control plane's dashboard." : undefined;
  }
}

function durationText(seconds: number): string {
  return seconds <= 90 ? count(Math.ceil(seconds), "second") : count(Math.ceil(seconds / 60), "minute");
}

/** Which operation is at a binding; control planes may not say. */
export const AtWork = v.object({ operation_id: v.string() });

/** What a control plane says when a call names no binding and several could be meant. */
const SeveralBound = v.object({ project_slugs: v.pipe(v.array(v.string()), v.minLength(2)) });

/** Why a provider refused; control planes that predate it do not say. */
const Refusal = v.object({ failure_class: v.string() });

/** What to do when a provider refuses: access can be mended from here, most other refusals cannot. */
function rejectionHint(provider: string, details: unknown): string | undefined {
  const again = `connect again: tracker host connect ${provider}`;
  if (!v.is(Refusal, details)) {
    return `If access is the problem, check the token, what it may do, and the address; then ${again}`;
  }
  switch (details.failure_class) {
    case "auth":
    case "permission":
      return `Check the token and what it may do, then ${again} (with the same --base-url and --email, where you gave them)`;
    case "contract":
      return `If the address is wrong, ${again} --base-url URL`;
    default:
      return undefined;
  }
}

function jsonBody(body: unknown): string | undefined {
  return body === undefined ? undefined : JSON.stringify(body);
}

class BodyTooLargeError extends Error {}

async function readBody(response: Response, limit: number): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > limit) throw new BodyTooLargeError();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseEnvelope(body: string): ErrorEnvelope | null {
  let value: unknown;
  try {
    value = parseJson(body);
  } catch {
    return null;
  }
  const result = v.safeParse(ErrorEnvelope, value);
  if (!result.success) return null;
  const { code, error_code, message } = result.output;
  return code === null && error_code === null && message === null ? null : result.output;
}

/** The first readable line of a body that is not an envelope, for `HTTP 502: Bad gateway`. */
function firstLine(body: string, response: Response): string {
  const text = /html/i.test(response.headers.get("content-type") ?? "")
    ? body.replace(/<[^<>]*>/g, " ")
    : body;
  const line = text.split("\n").find((candidate) => candidate.trim() !== "");
  return line === undefined ? "" : `: ${readable(line.trim())}`;
}

/** Text of a control plane's making as it goes into a message: short and escaped. */
function readable(text: string): string {
  return escapeText(text.slice(0, MAX_QUOTED));
}

/** Seconds that the control plane asked to wait, or null. */
function retryAfterOf(error: TrackerError): number | null {
  return error instanceof ControlPlaneError ? error.retryAfterSeconds : null;
}

/** The `Retry-After` header, seconds or a date, as seconds from `now`; null without a usable one. */
function retryAfterHeader(response: Response, now: number): number | null {
  const header = response.headers.get("retry-after")?.trim() ?? "";
  if (/^\d+$/.test(header)) return Number(header);
  const date = /^[a-z]{3}/i.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1_000);
}

/** The names and codes along a chain of causes. */
function causes(error: unknown): { readonly name: string; readonly code: string }[] {
  const chain: { name: string; code: string }[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) {
    chain.push({ name: at.name, code: "code" in at ? String(at.code) : "" });
  }
  return chain;
}
