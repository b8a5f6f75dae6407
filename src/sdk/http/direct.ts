import { providerName } from "../../shared/providers.ts";
import { httpFailureClass } from "./answer.ts";
import { Channel, contentTypeOf, requireHeaderValue } from "./channel.ts";
import type { Transport, TransportOptions, TransportRequest, TransportResponse } from "./transport.ts";

export interface DirectOptions extends TransportOptions {
  /** Such as `https://api.github.com`; its path precedes every request's path. */
  readonly baseUrl: string;
  /** Value of the `Authorization` header, with its scheme. */
  readonly authorization: string;
}

/** Sends the credential to the base URL's origin only; refuses redirects, and http except to this machine. */
export class DirectTransport implements Transport {
  readonly #channel: Channel;
  readonly #authorization: string;

  /** @throws ConnectorConfigError when the base URL or the credential cannot be used */
  constructor(options: DirectOptions) {
    const { provider, baseUrl, authorization } = options;
    requireHeaderValue(provider, "authorization", authorization);
    this.#authorization = authorization;
    this.#channel = new Channel(options, baseUrl, secretsOf(authorization), (response) => ({
      speaker: providerName(provider),
      failureClass: httpFailureClass(response),
    }));
  }

  send(request: TransportRequest): Promise<TransportResponse> {
    const headers = new Headers({ accept: "application/json", "user-agent": "tracker-sdk" });
    if (request.body !== undefined) headers.set("content-type", contentTypeOf(request.body));
    for (const [name, value] of Object.entries(request.headers ?? {})) headers.set(name, value);
    headers.set("authorization", this.#authorization);
    return this.#channel.send(request, request.path, headers);
  }
}

/** The parts of an authorization that an answer could echo. */
function secretsOf(authorization: string): readonly string[] {
  const [first = "", second] = authorization.split(" ");
  if (second === undefined) return [first];
  if (first.toLowerCase() !== "basic") return [second];
  const pair = Buffer.from(second, "base64").toString();
  return [second, pair.slice(pair.indexOf(":") + 1)].filter((secret) => secret !== "");
}
