/** The credential that connects a provider: checked per provider, and in the shape that is stored. */
import * as v from "valibot";
import type { ConnectRequest } from "../../protocol.ts";
import { ProviderCredential } from "../../sdk/connectors/credentials.ts";
import { baseUrlProblem } from "../../sdk/http/transport.ts";
import { jsonText } from "../../shared/json.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import { invalidRequest } from "../check.ts";
import { VaultError } from "../errors.ts";

/** Addresses that mean the default one, which is not named then: one account must not look like two. */
const DEFAULT_ADDRESSES: Readonly<Record<HostedProvider | "nango", readonly string[]>> = {
  github: ["https://github.com", "https://api.github.com"],
  gitlab: ["https://gitlab.com"],
  jira: [],
  linear: ["https://linear.app", "https://api.linear.app"],
  nango: ["https://api.nango.dev"],
};

/**
 * Atlassian's gateway accepts tokens without an owner; a site accepts API tokens, which need their owner's email
 * address.
 */
export const ATLASSIAN_GATEWAY = "https://api.atlassian.com";

/**
 * The credential in a request; null for demo data.
 *
 * @throws HostError `invalid_request` naming the field
 */
export function credentialOf(provider: HostedProvider, request: ConnectRequest): ProviderCredential | null {
  switch (request.kind) {
    case "demo":
      return null;
    case "token":
      return tokenCredential(provider, request);
    case "nango": {
      const { connection_id, provider_config_key, secret_key } = request;
      demandHeaderText({ connection_id, provider_config_key, secret_key });
      return {
        kind: "nango",
        connectionId: connection_id,
        providerConfigKey: provider_config_key,
        secretKey: secret_key,
        ...optional("baseUrl", normalAddress("nango", request.base_url)),
      };
    }
  }
}

function tokenCredential(
  provider: HostedProvider,
  { token, base_url, email }: Extract<ConnectRequest, { kind: "token" }>,
): ProviderCredential {
  demandHeaderText({ token });
  const baseUrl = normalAddress(provider, base_url);
  if (provider === "jira") {
    if (baseUrl === null) {
      throw invalidRequest({ base_url: "is required for jira, such as https://acme.atlassian.net" });
    }
    if (isUnset(email) && new URL(baseUrl).origin !== ATLASSIAN_GATEWAY) {
      throw invalidRequest({ email: "is required for jira: the account that the API token belongs to" });
    }
  } else if (!isUnset(email)) {
    throw invalidRequest({ email: `is for jira only; ${provider} needs the token alone` });
  }
  return {
    kind: "token",
    token,
    ...optional("baseUrl", baseUrl),
    ...optional("email", isUnset(email) ? null : email),
  };
}

/** An address in its canonical form: lower case host, no final slash; null for the default one. */
function normalAddress(owner: HostedProvider | "nango", given: string | null): string | null {
  if (isUnset(given)) return null;
  const problem = baseUrlProblem(given);
  if (problem !== null) throw invalidRequest({ base_url: problem });
  const url = new URL(given).href.replace(/\/+$/, "");
  const address = owner === "github" ? githubSite(url) : url;
  return DEFAULT_ADDRESSES[owner].includes(address) ? null : address;
}

/** The address that people use of a GitHub whose API is named: below it, or in GitHub's cloud on a host of its own. */
function githubSite(address: string): string {
  return address.replace(/\/api\/v3$/, "").replace(/^https:\/\/api\.([^./]+\.ghe\.com)$/, "https://$1");
}

function demandHeaderText(fields: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (!/^[\x21-\x7e]+$/.test(value)) {
      throw invalidRequest({ [name]: "must be ASCII without spaces and line ends" });
    }
  }
}

function isUnset(text: string | null): text is null {
  return text === null || text.trim() === "";
}

function optional<K extends string>(name: K, value: string | null) {
  return value === null ? {} : { [name]: value };
}

/**
 * Reads a credential as it was sealed.
 *
 * @throws VaultError when it is none that this version knows; without a cause, which could show it
 */
export function parseCredential(text: string): ProviderCredential {
  const parsed = v.safeParse(jsonText(ProviderCredential), text);
  if (parsed.success) return parsed.output;
  throw new VaultError(
    "vault_secret_damaged",
    "This version cannot read a stored credential.",
    "Run the newer tracker that stored it, or connect again.",
  );
}

/**
 * The address of the provider, for discovery; undefined where the credential
 * does not say: Nango's own address says nothing of it, and Atlassian's gateway
 * leads to many sites.
 */
export function discoveryAddressOf(credential: ProviderCredential): string | undefined {
  return credential.kind === "token" && credential.baseUrl !== ATLASSIAN_GATEWAY
    ? credential.baseUrl
    : undefined;
}

/**
 * The key that distinguishes a connection from others of its provider and kind:
 * the account and the site of its token, or the connection of Nango.
 *
 * @param account Asks the provider for the id of the account
 */
export async function targetOf(
  credential: ProviderCredential | null,
  account: () => Promise<string>,
): Promise<string> {
  if (credential === null) return "demo";
  const { baseUrl = "" } = credential;
  return credential.kind === "token"
    ? `${baseUrl}#${await account()}`
    : `${baseUrl}#${credential.providerConfigKey}/${credential.connectionId}`;
}
