import {
  DEFAULT_LIMITS,
  fetchOnce,
  isRedirect,
  type Limits,
  NoAnswerError,
} from "../../shared/network/fetch-once.ts";
import { retryAfterSeconds } from "../../shared/network/retry-after.ts";
import { type Fetch, plainFetch } from "../../shared/network.ts";
import { providerName } from "../../shared/providers.ts";
import { ConnectorConfigError, type FailureClass } from "../errors.ts";
import { parseBody, refusalText, typeNameOf } from "./answer.ts";
import {
  baseUrlProblem,
  type RequestBody,
  TextAnswer,
  TransportError,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from "./transport.ts";

/** The refusing party and the kind of the failure. */
type Classify = (response: TransportResponse) => {
  readonly speaker: string;
  readonly failureClass: FailureClass;
};

export class Channel {
  readonly #provider: string;
  /** The provider's name in messages. */
  readonly #name: string;
  readonly #base: URL;
  readonly #secrets: readonly string[];
  readonly #classify: Classify;
  readonly #fetch: Fetch;
  readonly #limits: Limits;
  readonly #now: () => number;

  constructor(options: TransportOptions, baseUrl: string, secrets: readonly string[], classify: Classify) {
    this.#provider = options.provider;
    this.#name = providerName(options.provider);
    const problem = baseUrlProblem(baseUrl);
    if (problem !== null)
      throw new ConnectorConfigError(options.provider, `${this.#name}: baseUrl ${problem}.`);
    this.#base = new URL(baseUrl);
    this.#secrets = secrets;
    this.#classify = classify;
    this.#fetch = options.fetch ?? plainFetch;
    this.#limits = {
      requestMs: options.timeoutMs ?? DEFAULT_LIMITS.requestMs,
      bodyBytes: options.maxBodyBytes ?? DEFAULT_LIMITS.bodyBytes,
    };
    this.#now = options.now ?? Date.now;
  }

  async send(request: TransportRequest, path: string, headers: Headers): Promise<TransportResponse> {
    const { method, body: sent } = request;
    const url = this.#urlOf(path, request.query ?? {});
    const label = `${method} ${request.path}`;
    const outgoing = { method, url, headers, body: sent === undefined ? null : textOf(sent) };
    const answer = await fetchOnce(this.#fetch, outgoing, this.#limits).catch((error: unknown) => {
      throw error instanceof NoAnswerError ? this.#noAnswer(label, error) : error;
    });
    const { status, headers: answered } = answer;
    const isSuccess = status >= 200 && status < 300;
    // A refusal may echo the credential; it is masked before a message cuts the text.
    const text = isSuccess ? answer.text : this.#withoutSecrets(answer.text);
    const type = answered.get("content-type");
    const { kind, body } = parseBody(type, text);
    if (!isSuccess) throw this.#refusal(label, { status, headers: answered, body });
    if (kind === "broken") {
      throw this.#failure(`${this.#name} answered ${label} with invalid JSON.`, {
        failureClass: "contract",
        processed: "maybe",
      });
    }
    if (kind === "json") return { status, headers: answered, body };
    const textAnswer = new TextAnswer({ text, type: typeNameOf(type), host: this.#base.host });
    return { status, headers: answered, body: textAnswer };
  }

  /** Callers percent-encode: a path that a URL parser would change is refused. */
  #urlOf(path: string, query: NonNullable<TransportRequest["query"]>): URL {
    const full = this.#base.pathname.replace(/\/$/, "") + path;
    const text = this.#base.origin + full;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (!path.startsWith("/") || url?.origin !== this.#base.origin || url.pathname !== full) {
      throw new ConnectorConfigError(this.#provider, `${this.#name}: "${path}" is not a path of the API.`);
    }
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.append(name, String(value));
    }
    return url;
  }

  #refusal(label: string, response: TransportResponse): TransportError {
    const { status, headers } = response;
    if (isRedirect(status)) {
      return this.#failure(
        `${this.#name} redirects ${label}${redirectTarget(headers)}; redirects are refused.`,
        {
          failureClass: "contract",
          processed: "maybe",
          response,
        },
      );
    }
    const { speaker, failureClass } = this.#classify(response);
    return this.#failure(`${speaker} answered ${status} to ${label}${refusalText(response.body)}`, {
      failureClass,
      processed: status >= 500 || status === 408 ? "maybe" : "no",
      retryAfterSeconds: retryAfterSeconds(headers, this.#now()),
      response,
    });
  }

  #noAnswer(label: string, { reason, processed, message, cause }: NoAnswerError): TransportError {
    switch (reason) {
      case "too_large":
        return this.#failure(
          `${this.#name} answered ${label} with more than ${this.#limits.bodyBytes} bytes.`,
          { failureClass: "contract", processed },
        );
      case "timeout": {
        const seconds = this.#limits.requestMs / 1000;
        return this.#failure(`${this.#name} did not answer ${label} within ${seconds} s.`, {
          failureClass: "transient",
          processed,
          cause,
        });
      }
      default:
        return this.#failure(`Cannot reach ${this.#name} at ${this.#base.host} for ${label}: ${message}.`, {
          failureClass: reason === "untrusted" ? "invalid" : "transient",
          processed,
          cause,
        });
    }
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

/** Only the origin, because the rest of a redirect's target may contain a credential. */
function redirectTarget(headers: Headers): string {
  const location = headers.get("location") ?? "";
  return URL.canParse(location) ? ` to ${new URL(location).origin}` : "";
}

export function contentTypeOf(body: RequestBody): string {
  return "json" in body ? "application/json" : body.contentType;
}

function textOf(body: RequestBody): string {
  return "json" in body ? JSON.stringify(body.json) : body.text;
}

/** Refuses a value that a header cannot carry, because the runtime's error might show it. */
export function requireHeaderValue(provider: string, name: string, value: string): void {
  if (!/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(value)) {
    throw new ConnectorConfigError(
      provider,
      `${providerName(provider)}: ${name} must be text that fits into a header.`,
    );
  }
}
