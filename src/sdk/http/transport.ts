/**
 * A connector's way to its provider: directly with a token, or through Nango's proxy, which holds the token.
 * A transport sends a request once; the engine alone knows what is safe to repeat.
 */
import { type Fetch, isLoopback } from "../../shared/network.ts";
import { ConnectorRequestError, type FailureClass, type FailureFacts } from "../errors.ts";

export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Percent-encoded path below the API's base URL, with its leading slash. */
  readonly path: string;
  /** Undefined members are omitted. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
}

/** A JSON value, or text of another type. */
export type RequestBody =
  | { readonly json: unknown }
  | { readonly text: string; readonly contentType: string };

export interface TransportResponse {
  readonly status: number;
  /** A proxy may drop any of them. */
  readonly headers: Headers;
  /** Null for an empty body; a {@link TextAnswer} for a success that is not JSON; the text of a refusal. */
  readonly body: unknown;
}

/** A successful answer that is not JSON. */
export class TextAnswer {
  readonly text: string;
  /** The media type; null when the answer declares none. */
  readonly type: string | null;
  /** Host and port of the request. */
  readonly host: string;

  constructor({ text, type, host }: Pick<TextAnswer, "text" | "type" | "host">) {
    this.text = text;
    this.type = type;
    this.host = host;
  }
}

export interface Transport {
  /**
   * Sends a request and returns its answer if that is a success (2xx).
   *
   * @throws TransportError for every other answer, and when there is none
   * @throws ConnectorConfigError when the path leaves the API; nothing was sent
   */
  send(request: TransportRequest): Promise<TransportResponse>;
}

/** A request that did not succeed. Its message never contains a credential. */
export class TransportError extends ConnectorRequestError {
  /** The provider's answer; null without a readable one, and for a proxy's own refusal. */
  readonly response: TransportResponse | null;
  /** `no`: the provider certainly did not process the request. */
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

  /** The same failure with the facts that a connector knows better. */
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

export interface TransportOptions {
  /** The provider's name in references, such as `github`. */
  readonly provider: string;
  /** Default: the runtime's own. Certificates are always verified. */
  readonly fetch?: Fetch;
  /** Limit from the first byte sent to the last byte read, in ms. Default 30,000. */
  readonly timeoutMs?: number;
  /** Size of an answer's body after decompression, in bytes. Default 10 MiB. */
  readonly maxBodyBytes?: number;
  /** Epoch in ms, to which dates in `Retry-After` are compared. Default `Date.now`. */
  readonly now?: () => number;
}

/** The problem of a URL as the base of an API; null when it has none. */
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
