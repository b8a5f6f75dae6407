/** Opens a transport to a provider with a token or a connection of Nango. */
import { Buffer } from "node:buffer";
import * as v from "valibot";
import type { HostedProvider } from "../../shared/providers.ts";
import { ConnectorConfigError } from "../errors.ts";
import { DirectTransport } from "../http/direct.ts";
import { NangoTransport } from "../http/nango.ts";
import { baseUrlProblem, type Transport, type TransportOptions } from "../http/transport.ts";
import { NonEmpty } from "../model.ts";
import { parseParams } from "./params.ts";

export const ProviderCredential = v.variant("kind", [
  v.strictObject({
    kind: v.literal("token"),
    token: v.pipe(NonEmpty, v.regex(/^\S+$/, "must not contain spaces or line breaks")),
    /** Address of the provider; required for Jira, and for GitHub and GitLab on servers of their own. */
    baseUrl: v.optional(NonEmpty),
    /** The account of the API token; required for Jira. */
    email: v.optional(NonEmpty),
  }),
  v.strictObject({
    kind: v.literal("nango"),
    connectionId: NonEmpty,
    providerConfigKey: NonEmpty,
    secretKey: NonEmpty,
    /** Address of Nango where it is not `https://api.nango.dev`. */
    baseUrl: v.optional(NonEmpty),
  }),
]);
export type ProviderCredential = v.InferOutput<typeof ProviderCredential>;

/**
 * The authorization header and default address of each provider:
 *
 * - GitHub: https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
 * - GitLab: https://docs.gitlab.com/api/rest/authentication/ (all access tokens work as bearer tokens)
 * - Jira: https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/
 * - Linear: https://linear.app/developers/graphql#authentication
 */
const DIRECT: {
  readonly [P in HostedProvider]: {
    readonly apiOf: (baseUrl: string | undefined) => string;
    readonly authorization: (token: string, email: string | undefined) => string;
  };
} = {
  github: {
    apiOf: (baseUrl) => githubApi(baseUrl ?? "https://api.github.com"),
    authorization: (token) => `Bearer ${token}`,
  },
  gitlab: {
    apiOf: (baseUrl) => baseUrl ?? "https://gitlab.com",
    authorization: (token) => `Bearer ${token}`,
  },
  jira: {
    apiOf: (baseUrl) => {
      if (baseUrl !== undefined) return baseUrl;
      throw new ConnectorConfigError("jira", "Jira: baseUrl: the address of the site is required.");
    },
    authorization: (token, email) =>
      email === undefined
        ? `Bearer ${token}`
        : `Basic ${Buffer.from(`${email}:${token}`).toString("base64")}`,
  },
  linear: {
    apiOf: (baseUrl) => baseUrl ?? "https://api.linear.app",
    // Personal keys have no scheme, OAuth tokens are bearer tokens.
    authorization: (token) => (token.startsWith("lin_api_") ? token : `Bearer ${token}`),
  },
};

/** @throws ConnectorConfigError when the credential cannot be used for that provider */
export function openTransport(
  provider: HostedProvider,
  credential: ProviderCredential,
  options: Omit<TransportOptions, "provider"> = {},
): Transport {
  const valid = parseParams(provider, ProviderCredential, credential, "credential");
  if (valid.kind === "nango") {
    const { kind: _, baseUrl, ...context } = valid;
    return new NangoTransport({
      ...options,
      provider,
      context: { ...context, ...(baseUrl !== undefined && { baseUrl }) },
    });
  }
  const { apiOf, authorization } = DIRECT[provider];
  return new DirectTransport({
    ...options,
    provider,
    baseUrl: apiOf(valid.baseUrl),
    authorization: authorization(valid.token, valid.email),
  });
}

/**
 * The API of the GitHub address that people know: below `/api/v3` on an Enterprise server, on a host of its
 * own for data residency (`*.ghe.com`). An API's address is used as it is.
 *
 * https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api
 * https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/feature-overview-for-github-enterprise-cloud-with-data-residency
 */
function githubApi(baseUrl: string): string {
  if (baseUrlProblem(baseUrl) !== null) return baseUrl;
  const { hostname, pathname, origin } = new URL(baseUrl);
  if (pathname !== "/" || hostname.startsWith("api.")) return baseUrl;
  return /^(github\.com|[^.]+\.ghe\.com)$/.test(hostname) ? `https://api.${hostname}` : `${origin}/api/v3`;
}
