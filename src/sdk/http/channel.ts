/** One exchange with one origin, bounded in time and size, its failures typed. The transports share it. */

import { parseJson } from "../../shared/json.ts";
import { ConnectorConfigError, type FailureClass } from "../errors.ts";
import {
  baseUrlProblem,
  type Fetch,
  plainFetch,
  type RequestBody,
  TextAnswer,
  TransportError,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from "./transport.ts";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Names the party that refused, and the kind of the failure. */
type Classify = (response: TransportResponse) => {
  readonly speaker: string;
  readonly failureClass: FailureClass;
};

/** The way to one base URL. */
export class Channel {
  readonly #provider: string;
  readonly #base: URL;
  readonly #secrets: readonly string[];
  readonly #classify: Classify;
  readonly #fetch: Fetch;
  readonly #timeoutMs: number;
  readonly #maxBodyBytes: number;
  readonly #now: () => number;

  constructor(options: TransportOptions, baseUrl: string, secrets: readonly string[], classify: Classify) {
    this.#provider = options.provider;
    const problem = baseUrlProblem(baseUrl);
    if (problem !== null)
      throw new ConnectorConfigError(options.provider, `${options.provider}: baseUrl ${problem}.`);
    this.#base = new URL(baseUrl);
    this.#secrets = secrets;
    this.#classify = classify;
    this.#fetch = options.fetch ?? plainFetch;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#maxBodyBytes = options.maxBodyBytes ?? 10 * 1024 * 1024;
    this.#now = options.now ?? Date.now;
  }

  /** Sends `request` to `path` below the base URL. */
  async exchange(request: TransportRequest, path: string, headers: Headers): Promise<TransportResponse> {
    const url = this.#urlOf(path, request.query ?? {});
    const label = `${request.method} ${request.path}`;
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(
        new Request(url.href, {
          method: request.method,
          headers,
          redirect: "manual",
          signal: AbortSignal.timeout(this.#timeoutMs),
          body: request.body === undefined ? null : textOf(request.body),
        }),
      );
      text = await readText(response, this.#maxBodyBytes);
    } catch (error) {
      throw this.#noAnswer(label, error);
    }
    const { status, headers: answered } = response;
    // What is told of a refusal may be cut: a credential that it echoes goes before.
    const told = response.ok ? text : this.#withoutSecrets(text);
    const type = answered.get("content-type");
    const { kind, body } = parseBody(type, told);
    if (!response.ok) throw this.#refusal(label, { status, headers: answered, body });
    if (kind === "broken") {
      throw this.#failure(`${this.#provider} answered ${label} with broken JSON.`, {
        failureClass: "contract",
        processed: "maybe",
      });
    }
    if (kind === "json") return { status, headers: answered, body };
    const answer = new TextAnswer({ text: told, type: typeNameOf(type), host: this.#base.host });
    return { status, headers: answered, body: answer };
  }

  /** Percent-encoding is the caller's: a path that a URL parser would change leads somewhere else. */
  #urlOf(path: string, query: NonNullable<TransportRequest["query"]>): URL {
    const full = this.#base.pathname.replace(/\/$/, "") + path;
    const text = this.#base.origin + full;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (!path.startsWith("/") || url?.origin !== this.#base.origin || url.pathname !== full) {
      throw new ConnectorConfigError(
        this.#provider,
        `${this.#provider}: "${path}" is not a path of the API.`,
      );
    }
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.append(name, String(value));
    }
    return url;
  }

  #refusal(label: string, response: TransportResponse): TransportError {
    const { status, headers } = response;
    if (REDIRECTS.has(status)) {
      return this.#failure(
        `${this.#provider} redirects ${label}${targetOf(headers)}; redirects are refused.`,
        {
          failureClass: "contract",
          processed: "maybe",
          response,
        },
      );
    }
    const { speaker, failureClass } = this.#classify(response);
    return this.#failure(`${speaker} answered ${status} to ${label}${problemOf(response.body)}`, {
      failureClass,
      processed: status >= 500 || status === 408 ? "maybe" : "no",
      retryAfterSeconds: retryAfterSeconds(headers.get("retry-after"), this.#now()),
      response,
    });
  }

  #noAnswer(label: string, error: unknown): TransportError {
    if (error instanceof BodyTooLargeError) {
      return this.#failure(
        `${this.#provider} answered ${label} with more than ${this.#maxBodyBytes} bytes.`,
        { failureClass: "contract", processed: "maybe" },
      );
    }
    const names = namesOf(error);
    if (/TimeoutError/.test(names)) {
      const seconds = this.#timeoutMs / 1000;
      return this.#failure(`${this.#provider} did not answer ${label} within ${seconds} s.`, {
        failureClass: "transient",
        processed: "maybe",
        cause: error,
      });
    }
    const [reason, failureClass, processed] = /ECONNREFUSED|ConnectionRefused/.test(names)
      ? (["the connection was refused", "transient", "no"] as const)
      : /CERT|SSL|TLS/i.test(names)
        ? (["its certificate cannot be trusted", "invalid", "no"] as const)
        : /ENOTFOUND|DNS/i.test(names)
          ? (["its name cannot be resolved", "transient", "no"] as const)
          : (["the connection broke", "transient", "maybe"] as const);
    return this.#failure(`Cannot reach ${this.#provider} at ${this.#base.host} for ${label}: ${reason}.`, {
      failureClass,
      processed,
      cause: error,
    });
  }

  #failure(
    message: string,
    facts: Omit<ConstructorParameters<typeof TransportError>[1], "provider">,
  ): TransportError {
    return new TransportError(this.#withoutSecrets(message), { ...facts, provider: this.#provider });
  }

  #withoutSecrets(text: string): string {
    return this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
  }
}

/** The failure that a status means in HTTP; connectors know the further meanings of their provider. */
export function failureClassOf({ status, headers }: TransportResponse): FailureClass {
  const isLimited = headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0";
  switch (status) {
    case 401:
      return "auth";
    case 403:
      return isLimited ? "rate_limited" : "permission";
    case 404:
    case 410:
      return "not_found";
    case 409:
    case 412:
      return "conflict";
    case 429:
      return "rate_limited";
    case 408:
    case 425:
      return "transient";
    default:
      return status >= 500 ? "transient" : "invalid";
  }
}

/** The problem that the answer names, as the end of a sentence: the first text in one of the usual places. */
function problemOf(body: unknown): string {
  const [error, message] = [memberOf(body, "error"), memberOf(body, "message")];
  const places = [
    message,
    memberOf(message, "error"),
    memberOf(error, "message"),
    error,
    firstOf(memberOf(body, "errorMessages")),
    memberOf(firstOf(memberOf(body, "errors")), "message"),
    ...problemsByField(message),
  ];
  const found = places.find((place) => typeof place === "string" && place.trim() !== "");
  return typeof found === "string" ? `: ${found.trim().replace(/\s+/g, " ").slice(0, 300)}` : ".";
}

/** `{ title: ["is too long"] }` as `title is too long`. */
function problemsByField(fields: unknown): readonly string[] {
  if (typeof fields !== "object" || fields === null) return [];
  return Object.entries(fields).flatMap(([field, problems]) => {
    const first = firstOf(problems);
    return typeof first === "string" ? [`${field} ${first}`] : [];
  });
}

export function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.getOwnPropertyDescriptor(value, name)?.value
    : undefined;
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

/** Only the origin: the rest of a redirect's target may be as good as a credential. */
function targetOf(headers: Headers): string {
  const location = headers.get("location") ?? "";
  return URL.canParse(location) ? ` to ${new URL(location).origin}` : "";
}

/** Seconds from a `Retry-After` header, which holds seconds or a date; null when it holds neither. */
function retryAfterSeconds(header: string | null, now: number): number | null {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  const date = /^[a-z]{3},/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - now) / 1000));
}

export function contentTypeOf(body: RequestBody): string {
  return "json" in body ? "application/json" : body.contentType;
}

function textOf(body: RequestBody): string {
  return "json" in body ? JSON.stringify(body.json) : body.text;
}

/** An answer's body as it was read. */
interface ParsedBody {
  /** JSON, text, or text that was declared as JSON. */
  readonly kind: "json" | "text" | "broken";
  /** The value of JSON, null of nothing; else the text. */
  readonly body: unknown;
}

function parseBody(type: string | null, text: string): ParsedBody {
  if (text === "") return { kind: "json", body: null };
  const isDeclared = isMeaningful(type);
  if (isDeclared && !/[/+]json\b/i.test(type)) return { kind: "text", body: text };
  try {
    return { kind: "json", body: parseJson(text) };
  } catch {
    return { kind: isDeclared ? "broken" : "text", body: text };
  }
}

/** A proxy that drops the type says "octet-stream". */
function isMeaningful(type: string | null): type is string {
  return type !== null && !/^application\/octet-stream\b/i.test(type);
}

/** The media type alone, safe to show; null when there is none to speak of. */
function typeNameOf(type: string | null): string | null {
  return isMeaningful(type) ? (/^[\w.+-]{1,50}\/[\w.+-]{1,50}/.exec(type.trim())?.[0] ?? null) : null;
}

class BodyTooLargeError extends Error {}

async function readText(response: Response, limit: number): Promise<string> {
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

/** The names and codes along a chain of causes. */
function namesOf(error: unknown): string {
  const names: string[] = [];
  for (let at = error; at instanceof Error && names.length < 8; at = at.cause) {
    names.push(`${at.name} ${"code" in at ? String(at.code) : ""}`);
  }
  return names.join(" ");
}

/** Refuses a value that a header cannot carry, because the error of the runtime might show it. */
export function requireHeaderValue(provider: string, name: string, value: string): void {
  if (!/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(value)) {
    throw new ConnectorConfigError(provider, `${provider}: ${name} must be text that fits into a header.`);
  }
}
