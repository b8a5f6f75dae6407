/** Credentials in the environment, which serve as the connection of one run and are never stored. Pure. */
import type { ProviderCredential } from "../../sdk/connectors/credentials.ts";
import { baseUrlProblem } from "../../sdk/http/transport.ts";
import type { Environment } from "../../shared/io.ts";
import { type HostedProvider, providerName } from "../../shared/providers.ts";
import { tokenProblem } from "../../shared/token.ts";
import { HostError } from "../errors.ts";
import { ATLASSIAN_GATEWAY, credentialOf } from "./credentials.ts";

/** The variables that are read for a provider; the first that is set counts. */
interface Variables {
  readonly token: readonly string[];
  /** Address of the provider, or its host name. Without one, the provider's own. */
  readonly address: readonly string[];
  readonly email?: readonly string[];
}

/**
 * The variables of each provider. The address that receives a token is in the
 * environment as well: a repository never names it.
 *
 * - GitHub: https://cli.github.com/manual/gh_help_environment and, in a job,
 *   https://docs.github.com/en/actions/reference/workflows-and-actions/variables
 * - GitLab: https://docs.gitlab.com/cli/#environment-variables and, in a job,
 *   https://docs.gitlab.com/ci/variables/predefined_variables/
 */
const VARIABLES: Readonly<Record<HostedProvider, Variables>> = {
  github: {
    token: ["TRACKER_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"],
    address: ["TRACKER_GITHUB_URL", "GH_HOST", "GITHUB_SERVER_URL", "GITHUB_API_URL"],
  },
  gitlab: {
    token: ["TRACKER_GITLAB_TOKEN", "GITLAB_TOKEN"],
    address: ["TRACKER_GITLAB_URL", "GITLAB_HOST", "CI_SERVER_URL"],
  },
  jira: {
    token: ["TRACKER_JIRA_TOKEN", "JIRA_API_TOKEN"],
    address: ["TRACKER_JIRA_URL", "JIRA_BASE_URL"],
    email: ["TRACKER_JIRA_EMAIL", "JIRA_EMAIL"],
  },
  linear: {
    token: ["TRACKER_LINEAR_TOKEN", "LINEAR_API_KEY"],
    address: ["TRACKER_LINEAR_URL"],
  },
};

/**
 * Returns the credential that the environment has for a provider; null when it has no token.
 *
 * @throws HostError `invalid_request` naming the variable that cannot be used, before anything is sent
 */
export function environmentCredential(env: Environment, provider: HostedProvider): ProviderCredential | null {
  const variables = VARIABLES[provider];
  const token = firstSet(env, variables.token);
  if (token === null) return null;
  const unusable = tokenProblem(token.value);
  if (unusable !== null) throw unusableVariable(provider, `${token.name} ${unusable}`);
  const address = firstSet(env, variables.address);
  const email = firstSet(env, variables.email ?? []);
  const baseUrl = address === null ? null : variableAddress(provider, address);
  if (provider === "jira") {
    const needsEmail = email === null && !baseUrl?.startsWith(ATLASSIAN_GATEWAY);
    const missing = baseUrl === null ? "JIRA_BASE_URL" : needsEmail ? "JIRA_EMAIL" : null;
    if (missing !== null) throw unusableVariable(provider, `${token.name} is set, and ${missing} is not`);
  }
  return credentialOf(provider, {
    kind: "token",
    provider,
    token: token.value.trim(),
    base_url: baseUrl,
    email: email === null ? null : email.value.trim(),
  });
}

interface SetVariable {
  readonly name: string;
  readonly value: string;
}

/** CI systems leave a secret that a job may not read empty. */
function firstSet(env: Environment, names: readonly string[]): SetVariable | null {
  for (const name of names) {
    const value = env[name];
    if (value !== undefined && value.trim() !== "") return { name, value };
  }
  return null;
}

/** The address in a variable that holds an address or a host name. */
function variableAddress(provider: HostedProvider, { name, value }: SetVariable): string {
  const text = value.trim();
  const address = text.includes("://") ? text : `https://${text}`;
  const problem = baseUrlProblem(address);
  // The value is not repeated: it may hold a password.
  if (problem !== null) throw unusableVariable(provider, `${name} ${problem}`);
  return address;
}

function unusableVariable(provider: HostedProvider, problem: string): HostError {
  const message = `The environment's credential for ${providerName(provider)} cannot be used: ${problem}.`;
  return new HostError("invalid_request", message, { provider });
}
