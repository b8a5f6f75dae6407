import { providerName } from "../../shared/providers.ts";
import type { FailureClass } from "../errors.ts";
import { httpFailureClass, memberOf } from "./answer.ts";
import { Channel, contentTypeOf, requireHeaderValue } from "./channel.ts";
import {
  type Transport,
  TransportError,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from "./transport.ts";

/** The connection of a Nango environment that holds the provider's credential. */
export interface NangoConnectionContext {
  readonly connectionId: string;
  readonly providerConfigKey: string;
  readonly secretKey: string;
  /** Default `https://api.nango.dev`. */
  readonly baseUrl?: string;
}

export interface NangoOptions extends TransportOptions {
  readonly context: NangoConnectionContext;
}

/**
 * Sends requests through Nango's proxy, whose paths are those below the provider's base URL in Nango's
 * catalog: `https://api.github.com`, `https://gitlab.com`, `https://api.linear.app`; for Jira
 * `https://api.atlassian.com` after an OAuth login (`jira`, paths start with `/ex/jira/<cloud id>`), and the
 * site for an API token (`jira-basic`).
 *
 * This class handles four traits of the proxy: on request it repeats requests, writes too; it follows
 * redirects with the credential unless told not to; its own refusals look like the provider's, so that a
 * deleted integration would read as a missing issue; and it drops most headers of an answer but adds its own
 * `X-RateLimit-*`, which say nothing about the provider. One remains: on a redirect to another host it sends
 * `gitlab-pat`'s `private-token` along; `gitlab` is safe.
 *
 * https://nango.dev/docs/reference/backend/http-api/proxy/get
 * https://nango.dev/docs/reference/backend/http-api/rate-limits
 * https://github.com/NangoHQ/nango/blob/master/packages/providers/providers.yaml
 * https://github.com/NangoHQ/nango/blob/master/packages/server/lib/controllers/proxy/allProxy.ts
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
      isNangoRefusal(response)
        ? { speaker: `${providerName(provider)} through Nango`, failureClass: nangoFailureClassOf(response) }
        : { speaker: providerName(provider), failureClass: httpFailureClass(response) },
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
    return this.#channel.send(request, `/proxy${request.path}`, headers).catch(rethrowForConnector);
  }
}

/** Nango's own refusals carry an object with a code under `error`; the providers' do not. */
function isNangoRefusal({ body }: TransportResponse): boolean {
  const error = memberOf(body, "error");
  return typeof memberOf(error, "code") === "string";
}

/** Connectors read an answer as their provider's, so Nango's own answer is dropped and its class kept. */
function rethrowForConnector(error: unknown): never {
  if (!(error instanceof TransportError) || error.response === null || !isNangoRefusal(error.response))
    throw error;
  const { message, provider, failureClass, retryAfterSeconds, processed } = error;
  throw new TransportError(message, { provider, failureClass, retryAfterSeconds, processed });
}

/** Nango's own refusals say nothing about the requested issue. */
function nangoFailureClassOf({ status, body }: TransportResponse): FailureClass {
  if (status === 429) return "rate_limited";
  // Renewing the credential failed; Nango tries again half a minute later.
  const isBackingOff = memberOf(memberOf(body, "error"), "code") === "connection_refresh_backoff";
  if (status >= 500 || isBackingOff) return "transient";
  // 402 is a used-up plan. Other refusals concern an unusable key, integration or connection.
  return status === 402 || status === 403 ? "permission" : "auth";
}
