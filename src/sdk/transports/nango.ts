import type { FailureClass } from "../errors.ts";
import type { Transport, TransportOptions, TransportRequest, TransportResponse } from "../transport.ts";
import { Channel, contentTypeOf, failureClassOf, memberOf, requireHeaderValue } from "./channel.ts";

/** Which connection of which Nango environment holds the provider's credential. */
export interface NangoConnectionContext {
  readonly connectionId: string;
  /** Nango's id of the integration. */
  readonly providerConfigKey: string;
  /** Secret key of the Nango environment. */
  readonly secretKey: string;
  /** Default `https://api.nango.dev`. */
  readonly baseUrl?: string;
}

/** What {@link NangoTransport} is given. */
export interface NangoOptions extends TransportOptions {
  readonly context: NangoConnectionContext;
}

/**
 * Speaks to the provider through Nango's proxy. Three habits of the proxy are
 * met here: it would repeat requests on its own, writes too, when asked to; it
 * follows redirects and takes the credential along unless told not to; and its
 * own refusals look like the provider's, so that a deleted integration would
 * read as an issue that does not exist.
 */
export class NangoTransport implements Transport {
  readonly #channel: Channel;
  readonly #context: NangoConnectionContext;

  /** @throws ConnectorConfigError when the context cannot be used */
  constructor(options: NangoOptions) {
    const { provider, context } = options;
    requireHeaderValue(provider, "connectionId", context.connectionId);
    requireHeaderValue(provider, "providerConfigKey", context.providerConfigKey);
    requireHeaderValue(provider, "secretKey", context.secretKey);
    this.#context = context;
    const baseUrl = context.baseUrl ?? "https://api.nango.dev";
    this.#channel = new Channel(options, baseUrl, [context.secretKey], (response) =>
      isNangosOwn(response)
        ? { speaker: `${provider} through Nango`, failureClass: nangoFailureClassOf(response) }
        : { speaker: provider, failureClass: failureClassOf(response) },
    );
  }

  send(request: TransportRequest): Promise<TransportResponse> {
    const { connectionId, providerConfigKey, secretKey } = this.#context;
    const headers = new Headers({
      authorization: `Bearer ${secretKey}`,
      "connection-id": connectionId,
      "provider-config-key": providerConfigKey,
      retries: "0",
      "forward-headers-on-redirect": "false",
      "nango-proxy-accept": "application/json",
    });
    if (request.body !== undefined) {
      headers.set("content-type", contentTypeOf(request.body));
      headers.set("nango-proxy-content-type", contentTypeOf(request.body));
    }
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      headers.set(`nango-proxy-${name}`, value);
    }
    return this.#channel.exchange(request, `/proxy${request.path}`, headers);
  }
}

/** Nango's own refusals carry an object with a code under `error`; none of the providers' do. */
function isNangosOwn({ body }: TransportResponse): boolean {
  const error = memberOf(body, "error");
  return typeof memberOf(error, "code") === "string";
}

/** Whatever Nango itself refuses says nothing about the issue that was asked for. */
function nangoFailureClassOf({ status }: TransportResponse): FailureClass {
  if (status === 429) return "rate_limited";
  if (status >= 500) return "transient";
  // 402 is a used-up plan. Everything else is a key, an integration or a connection that is not usable.
  return status === 402 || status === 403 ? "permission" : "auth";
}
