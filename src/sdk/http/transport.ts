/**
 * The way of a connector to its provider: straight to the API with a token, or
 * through Nango's proxy, which keeps the token. A transport sends a request
 * once. It never repeats one: the engine does, and it alone knows what is safe.
 */
import { type Fetch, isLoopback } from "../../shared/network.ts";
import { ConnectorRequestError, type FailureClass, type FailureFacts } from "../errors.ts";

/** One request to a provider's API. */
export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Percent-encoded path below the API's base URL, with its leading slash. */
  readonly path: string;
  /** A member that is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
}

/** A JSON value, or text of some other type. */
export type RequestBody =
  | { readonly json: unknown }
  | { readonly text: string; readonly contentType: string };

/** The answer of a provider. */
export interface TransportResponse {
  readonly status: number;
  /** A proxy may drop any of them: use them when they are there, work without them. */
  readonly headers: Headers;
  /** The JSON value; null when there is none; what is no JSON is a {@link TextAnswer}, of a refusal the text. */
  readonly body: unknown;
}

/** A successful answer that is no JSON: of an API that answers with text, or of no API at all. */
export class TextAnswer {
  readonly text: string;
  /** Its media type; null when the answer does not say. */
  readonly type: string | null;
  /** Host and port that were asked. */
  readonly host: string;

  constructor({ text, type, host }: Pick<TextAnswer, "text" | "type" | "host">) {
    this.text = text;
    this.type = type;
    this.host = host;
  }
}

/** A way to a provider's API. */
export interface Transport {
  /**
   * Sends a request and returns its answer when that is a success (2xx).
   *
   * @throws TransportError for every other answer, and when there is none
   * @throws ConnectorConfigError when the path leads out of the API; nothing was sent
   */
  send(request: TransportRequest): Promise<TransportResponse>;
}

/** A request that did not succeed. Its message never contains a credential. */
export class TransportError extends ConnectorRequestError {
  /** The answer of the provider; null without a (readable) one, and for a proxy's own refusal. */
  readonly response: TransportResponse | null;
  /** `no`: the provider certainly did not carry the request out. */
  readonly processed: "no" | "maybe";

  constructor(
    message: string,
    facts: FailureFacts & {
      readonly processed: "no" | "maybe";
      readonly response?: TransportResponse;
    },
  ) {
    super(message, facts);
    this.processed = facts.processed;
    this.response = facts.response ?? null;
  }

  /** The same failure, as somebody tells it who knows the provider better. */
  reclassified(better: {
    readonly message?: string;
    readonly failureClass?: FailureClass;
    readonly retryAfterSeconds?: number | null;
  }): TransportError {
    const { provider, failureClass, retryAfterSeconds, processed, response } = this;
    const { message = this.message, ...facts } = better;
    return new TransportError(message, {
      provider,
      failureClass,
      retryAfterSeconds,
      ...facts,
      processed,
      ...(response !== null && { response }),
      cause: this,
    });
  }
}

/** The options of every transport. */
export interface TransportOptions {
  /** The provider's name in references, such as `github`; errors name it. */
  readonly provider: string;
  /** Default: the runtime's own; certificates are always verified. */
  readonly fetch?: Fetch;
  /** From the first byte sent to the last byte read, in ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Size of an answer's body after decompression, in bytes. Default 10 MiB. */
  readonly maxBodyBytes?: number;
  /** Epoch in ms; what `Retry-After` dates are measured against. Default `Date.now`. */
  readonly now?: () => number;
}

/** The reason for which a URL cannot be the base of an API; null when it can. */
export function baseUrlProblem(text: string): string | null {
  if (!URL.canParse(text)) return "is not a URL";
  const url = new URL(text);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) {
    return "must be https; http is allowed for this machine only";
  }
  if (url.username !== "" || url.password !== "") return "must not contain a credential";
  if (url.search !== "" || url.hash !== "") return "must not have a query or a fragment";
  return null;
}
