/**
 * Nango's proxy on loopback: it really forwards, with the credential of a
 * connection, and answers the way Nango does.
 *
 * The interface: https://nango.dev/docs/reference/backend/http-api/proxy/get
 * Its own limits: https://nango.dev/docs/reference/backend/http-api/rate-limits
 * Its own refusals, the headers that pass, what is repeated and what a redirect takes along
 * (github.com/NangoHQ/nango): packages/server/lib/controllers/proxy/allProxy.ts,
 * packages/shared/lib/utils/error.ts, packages/shared/lib/services/proxy/retry.ts
 */
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "./server.ts";

/** A provider as it is set up in Nango. */
export interface NangoIntegration {
  readonly providerConfigKey: string;
  /** The provider's API with its path, such as `https://api.github.com`. */
  readonly baseUrl: string;
  /** The connections that people have authorized. */
  readonly connections: readonly NangoConnection[];
}

/** A credential that Nango keeps. */
interface NangoConnection {
  readonly connectionId: string;
  /** The headers that carry it to the provider; most have `authorization`, `gitlab-pat` has `private-token`. */
  readonly credential: Readonly<Record<string, string>>;
}

/**
 * Which headers of the provider's answer come through.
 *
 * - `sized`: of a success a few that are listed, of a refusal all: what Nango
 *   does with an answer that tells its length.
 * - `chunked`: all of them: what it does with one that comes in chunks.
 * - `type`: the content type alone, which is the worst that can be.
 */
export type PassedHeaders = "sized" | "chunked" | "type";

/** What a {@link NangoSimulator} is made of. */
export interface NangoOptions {
  readonly secretKey: string;
  /** Default `sized`. */
  readonly passes?: PassedHeaders;
}

/** What Nango itself refuses requests for. */
export type NangoRefusal =
  /** Its own limit of requests, for so many seconds. */
  | { readonly kind: "rate_limit"; readonly seconds: number }
  /** The plan is used up. */
  | { readonly kind: "plan" }
  /** The token ran out and could not be renewed. */
  | { readonly kind: "expired" }
  /** A renewal has just failed, and is not tried again yet. */
  | { readonly kind: "backoff" };

/** A request on its way to the provider. */
interface Outbound {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string | null;
}

const PASSED_OF_SUCCESS = ["content-type", "mcp-session-id", "x-request-id", "x-correlation-id"];
const MOST_REDIRECTS = 21;

/** Nango, in front of simulated providers. */
export class NangoSimulator extends Simulator {
  /** While set, every request is refused for this, and none is forwarded. */
  refusing: NangoRefusal | null = null;
  /** While set, answers do not come: nothing is done, or all of it is and the answer is lost. */
  silence: "before" | "after" | null = null;
  readonly #secretKey: string;
  readonly #passes: PassedHeaders;
  readonly #integrations = new Map<string, NangoIntegration>();

  constructor({ secretKey, passes = "sized" }: NangoOptions) {
    super();
    this.#secretKey = secretKey;
    this.#passes = passes;
  }

  integrate(integration: NangoIntegration): void {
    this.#integrations.set(integration.providerConfigKey, integration);
  }

  /** Somebody deletes every integration. */
  forget(): void {
    this.#integrations.clear();
  }

  protected async answer(request: SimulatedRequest): Promise<SimulatedAnswer> {
    const forever = new Promise<never>(() => {});
    if (this.silence === "before") return forever;
    const answer = this.#refusalOf(request) ?? (await this.#proxy(request));
    if (this.silence === "after") return forever;
    // Nango's own limit is told with every answer; the provider's takes its place where it comes through.
    return { ...answer, headers: { ...this.#ownLimit("199"), ...answer.headers } };
  }

  #ownLimit(remaining: string): Readonly<Record<string, string>> {
    return {
      "x-ratelimit-limit": "200",
      "x-ratelimit-remaining": remaining,
      "x-ratelimit-reset": String(Math.ceil(this.now() / 1000) + 60),
    };
  }

  #refusalOf({ method, path, headers }: SimulatedRequest): SimulatedAnswer | null {
    const authorization = headers.get("authorization");
    if (authorization === null) {
      return refusal(401, "missing_auth_header", "Authentication failed. The request is missing the header.");
    }
    if (authorization !== `Bearer ${this.#secretKey}`) {
      return refusal(401, "invalid_secret_key", "Authentication failed. The provided secret key is invalid.");
    }
    if (!path.startsWith("/proxy/")) return refusal(404, "not_found", `Not found: ${method} ${path}`);
    switch (this.refusing?.kind) {
      case "rate_limit":
        return {
          status: 429,
          headers: { ...this.#ownLimit("0"), "retry-after": String(this.refusing.seconds) },
          body: { error: { code: "too_many_request", method, path } },
        };
      case "plan":
        return refusal(402, "plan_limit", "Your plan limits have been reached. Please upgrade your plan.");
      case "expired":
        return refusal(
          400,
          "server_error",
          "Failed to get connection credentials: 'The external API returned an error when trying to refresh'",
        );
      case "backoff":
        return refusal(424, "connection_refresh_backoff", "A recent refresh attempt failed. Backing off.");
      default:
        return null;
    }
  }

  async #proxy(request: SimulatedRequest): Promise<SimulatedAnswer> {
    const { headers } = request;
    const problems = problemsOf(headers);
    if (problems.length > 0) {
      return { status: 400, body: { error: { code: "invalid_headers", errors: problems } } };
    }
    const integration = this.#integrations.get(headers.get("provider-config-key") ?? "");
    if (integration === undefined) {
      return refusal(404, "unknown_provider_config", "Provider config not found for the given key.");
    }
    const connection = integration.connections.find(
      ({ connectionId }) => connectionId === headers.get("connection-id"),
    );
    if (connection === undefined) return refusal(400, "server_error", "Failed to get connection");

    const repeats = Number(headers.get("retries") ?? 0);
    const repeatOn = (headers.get("retry-on") ?? "").split(",").map(Number);
    const redirects = headers.get("forward-headers-on-redirect") === "false" ? "guarded" : "forwarded";
    const outbound = outboundOf(request, integration, connection);
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#attempt(outbound, redirects);
      const isRepeated = answer.status >= 500 || [401, 429, ...repeatOn].includes(answer.status);
      if (!isRepeated || attempt >= repeats) return answer;
    }
  }

  async #attempt(outbound: Outbound, redirects: "guarded" | "forwarded"): Promise<SimulatedAnswer> {
    try {
      const response = await follow(outbound, redirects);
      return { status: response.status, ...(await this.#passed(response)) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const { method, url } = outbound;
      return { status: 500, body: { message, stack: message, code: "ERR_NETWORK", url: url.href, method } };
    }
  }

  async #passed(response: Response): Promise<Pick<SimulatedAnswer, "headers" | "body">> {
    const text = await response.text();
    if (response.status === 204) return {};
    const headers: Record<string, string> = { "content-type": "application/octet-stream" };
    const passed = { sized: response.ok ? PASSED_OF_SUCCESS : null, chunked: null, type: ["content-type"] }[
      this.#passes
    ];
    for (const [name, value] of response.headers) {
      // What belongs to the connection to the provider ends there.
      if (["connection", "keep-alive", "transfer-encoding", "content-length", "date"].includes(name))
        continue;
      if (passed === null || passed.includes(name)) headers[name] = value;
    }
    return { headers, body: text };
  }
}

function refusal(status: number, code: string, message: string): SimulatedAnswer {
  return { status, body: { error: { code, message } } };
}

/** What is wrong with the headers that are for Nango. */
function problemsOf(headers: Headers): readonly object[] {
  const checks: readonly (readonly [string, boolean])[] = [
    ["provider-config-key", headers.has("provider-config-key")],
    ["connection-id", headers.has("connection-id")],
    ["retries", !Number.isNaN(Number(headers.get("retries") ?? 0))],
    ["base-url-override", URL.canParse(headers.get("base-url-override") || "https://none.test")],
    ["retry-on", /^\d+(,\d+)*$/.test(headers.get("retry-on") ?? "0")],
    [
      "forward-headers-on-redirect",
      /^(true|false)$/.test(headers.get("forward-headers-on-redirect") ?? "true"),
    ],
  ];
  return checks
    .filter(([, isFine]) => !isFine)
    .map(([name]) => ({ code: "invalid_type", message: "Invalid input", path: [name] }));
}

function outboundOf(
  { method, path, query, headers, body }: SimulatedRequest,
  integration: NangoIntegration,
  { credential }: NangoConnection,
): Outbound {
  const base = (headers.get("base-url-override") || integration.baseUrl).replace(/\/$/, "");
  const url = new URL(`${base}${path.slice("/proxy".length)}`);
  url.search = query.toString();
  const sent = new Headers({
    accept: "application/json, text/plain, */*",
    "user-agent": "axios",
    ...credential,
  });
  const isCarried = body !== null && method !== "GET";
  if (isCarried && typeof body !== "string") sent.set("content-type", "application/json");
  for (const [name, value] of headers) {
    if (name.startsWith("nango-proxy-")) sent.set(name.slice("nango-proxy-".length), value);
  }
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method, url, headers: sent, body: isCarried ? text : null };
}

/**
 * Sends a request and follows redirects, as Nango's HTTP client does: to
 * another host without the credential, unless all headers are forwarded.
 */
async function follow(outbound: Outbound, redirects: "guarded" | "forwarded"): Promise<Response> {
  let { method, url, body } = outbound;
  const headers = new Headers(outbound.headers);
  for (let redirect = 0; redirect <= MOST_REDIRECTS; redirect++) {
    const response = await fetch(url, { method, headers, body, redirect: "manual" });
    const location = response.headers.get("location");
    if (location === null || response.status < 300 || response.status >= 400) return response;
    if (response.status === 303 || (method === "POST" && response.status < 303)) {
      method = "GET";
      body = null;
      headers.delete("content-type");
    }
    const target = new URL(location, url);
    if (redirects === "guarded" && target.host !== url.host && !target.host.endsWith(`.${url.host}`)) {
      for (const name of ["authorization", "proxy-authorization", "cookie"]) headers.delete(name);
    }
    url = target;
  }
  throw new Error("Maximum number of redirects exceeded");
}
