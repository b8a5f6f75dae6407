import { createFetch } from "ofetch";
import type * as v from "valibot";
import type { Timing } from "../shared/context.ts";
import {
  type Answer,
  DEFAULT_LIMITS,
  fetchOnce,
  isRedirect,
  type Limits,
  NoAnswerError,
  type Outgoing,
} from "../shared/network/fetch-once.ts";
import type { Fetch } from "../shared/network.ts";
import {
  ControlPlaneError,
  noAnswerError,
  parseAnswer,
  parseEnvelope,
  redirectError,
  refusalError,
} from "./errors.ts";

const MAX_SENDS = 3;
const BACKOFF_MS = 200;
/** The longest `Retry-After` that a request waits for, in seconds. */
const MAX_RETRY_AFTER_S = 60;
/** The wait after a 429 without a `Retry-After`, in seconds. */
const DEFAULT_RETRY_AFTER_S = 5;
const RETRIED_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

type Repeatability =
  /** A read, or a write with an Idempotency-Key. */
  | "safe"
  /** A read that asks the provider each time: repeated only after a `Retry-After`, or as below. */
  | "costly"
  /** Repeated only when the first one was certainly not processed. */
  | "unsafe";

export interface Exchange {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly repeat: Repeatability;
}

export interface ChannelOptions {
  /** Base address; its path, if any, is put before every request's path. */
  readonly url: URL;
  /** The control plane's name in errors, such as `https://tracker.example.com`. */
  readonly name: string;
  readonly fetch: Fetch;
  readonly timing: Timing;
  readonly userAgent: string;
  readonly limits?: Limits;
  /** Called for every attempt; never with headers or bodies. */
  readonly trace?: (line: string) => void;
}

export class HttpChannel {
  readonly name: string;
  readonly #options: ChannelOptions;
  readonly #limits: Limits;
  readonly #fetch: Fetch;

  constructor(options: ChannelOptions) {
    this.name = options.name;
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#fetch = ofetchOnce(options.fetch);
  }

  /**
   * Sends `exchange`, again where that is safe, and parses the answer.
   *
   * @throws ControlPlaneError when the request gets no answer, an error, or an answer that does not match `schema`
   * @throws NotAuthenticatedError on 401
   */
  async send<S extends v.GenericSchema>(exchange: Exchange, schema: S): Promise<v.InferOutput<S>> {
    const { name, timing } = this.#options;
    let mayBeDone = false;
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= MAX_SENDS;
      const answer = await this.#attempt(exchange);
      if (answer instanceof ControlPlaneError) {
        const mayRepeat = exchange.repeat === "safe" || !answer.mayBeDone;
        mayBeDone ||= answer.mayBeDone;
        if (isLast || !mayRepeat || !answer.retryable) throw answer.with({ mayBeDone });
        await this.#pause(attempt, null);
        continue;
      }
      const { status } = answer;
      if (status >= 200 && status < 300) return parseAnswer(name, answer, schema);
      const envelope = parseEnvelope(answer.text);
      // Only a control plane knows whether the request was carried out; a proxy that answers instead does not.
      mayBeDone = envelope === null && (mayBeDone || status >= 500);
      const error = refusalError(name, answer, envelope, { mayBeDone, now: timing.now() });
      const asked = error instanceof ControlPlaneError ? error.retryAfterSeconds : null;
      const mayRepeat =
        exchange.repeat === "safe" || status === 429 || (exchange.repeat === "costly" && asked !== null);
      // A limit ends at the time that it names, whatever else the answer says.
      const endsThen = status === 429 && asked !== null;
      const isFutile = (envelope?.retryable === false && !endsThen) || !RETRIED_STATUS.has(status);
      if (isLast || !mayRepeat || isFutile) throw error;
      const wait = asked ?? (status === 429 ? DEFAULT_RETRY_AFTER_S : null);
      if (wait !== null && wait > MAX_RETRY_AFTER_S) throw error;
      await this.#pause(attempt, wait);
    }
  }

  async #pause(attempt: number, seconds: number | null): Promise<void> {
    const { timing, trace } = this.#options;
    const backoff = timing.random() * BACKOFF_MS * 2 ** (attempt - 1);
    const wait = seconds === null ? backoff : seconds * 1_000;
    trace?.(`retrying in ${Math.round(wait)} ms`);
    await timing.sleep(wait);
  }

  /** Sends once; returns an error for a redirect or no answer. */
  async #attempt(exchange: Exchange): Promise<Answer | ControlPlaneError> {
    const { name, timing, trace } = this.#options;
    const request = toRequest(exchange, this.#options);
    const line = `${request.method} ${request.url.pathname}${request.url.search}`;
    const started = timing.now();
    try {
      const answer = await fetchOnce(this.#fetch, request, this.#limits);
      trace?.(`${line} ${answer.status} in ${timing.now() - started} ms`);
      return isRedirect(answer.status) ? redirectError(name, answer) : answer;
    } catch (failure) {
      if (!(failure instanceof NoAnswerError)) throw failure;
      const error = noAnswerError(name, failure, this.#limits);
      trace?.(`${line} ${error.code}`);
      return error;
    }
  }
}

function toRequest(
  { method, path, query, body, form, headers }: Exchange,
  { url: base, userAgent }: ChannelOptions,
): Outgoing {
  const url = new URL(base.pathname.replace(/\/$/, "") + path, base);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  const json = body === undefined ? null : JSON.stringify(body);
  return {
    method,
    url,
    headers: {
      accept: "application/json",
      "user-agent": userAgent,
      ...(json !== null && { "content-type": "application/json" }),
      ...headers,
    },
    body: form === undefined ? json : new URLSearchParams(form),
  };
}

/** Sends with ofetch: once, and returns every status as an answer. */
function ofetchOnce(fetch: Fetch): Fetch {
  const send = (input: string | URL | Request, init?: RequestInit): Promise<Response> =>
    fetch(input instanceof Request ? new Request(input, init) : new Request(input.toString(), init));
  const ofetch = createFetch({ fetch: Object.assign(send, { preconnect: () => {} }) });
  return (request) =>
    ofetch.raw(request, { responseType: "stream", retry: false, ignoreResponseError: true });
}
