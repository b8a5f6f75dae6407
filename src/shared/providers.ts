import { TrackerError } from "./errors.ts";
import { nearest } from "./text.ts";

/** Providers reached through a control plane, sorted. */
export const HOSTED_PROVIDERS = ["github", "gitlab", "jira", "linear"] as const;
/** Providers reached through a program on this machine, sorted. */
export const LOCAL_PROVIDERS = ["beads", "fp"] as const;

export type HostedProvider = (typeof HOSTED_PROVIDERS)[number];
export type LocalProvider = (typeof LOCAL_PROVIDERS)[number];
export type Provider = HostedProvider | LocalProvider;

const REMOVED: ReadonlySet<string> = new Set(["azure_devops", "azure-devops", "azure"]);

class UnsupportedProviderError extends TrackerError {
  constructor(message: string, nearest: string | null) {
    super("unsupported_provider", message, { details: { nearest } });
  }
}

export function isHosted(provider: string): provider is HostedProvider {
  return HOSTED_PROVIDERS.some((known) => known === provider);
}

export function isLocal(provider: string): provider is LocalProvider {
  return LOCAL_PROVIDERS.some((known) => known === provider);
}

export function isRemoved(provider: string): boolean {
  return REMOVED.has(provider.toLowerCase());
}

const PROVIDER_NAMES: Readonly<Record<Provider, string>> = {
  github: "GitHub",
  gitlab: "GitLab",
  jira: "Jira",
  linear: "Linear",
  beads: "beads",
  fp: "fp",
};

/** Returns a provider's name as its owner writes it; an unknown provider keeps its own. */
export function providerName(provider: string): string {
  return isHosted(provider) || isLocal(provider) ? PROVIDER_NAMES[provider] : provider;
}

/**
 * Parses a provider's name.
 *
 * @throws UnsupportedProviderError when it is removed or unknown
 */
export function parseProvider(name: string): Provider {
  const provider = name.toLowerCase();
  if (isHosted(provider) || isLocal(provider)) return provider;
  if (isRemoved(provider)) throw new UnsupportedProviderError("Azure DevOps is no longer supported.", null);
  throw new UnsupportedProviderError(
    `Unknown provider "${name}".`,
    nearest(provider, [...HOSTED_PROVIDERS, ...LOCAL_PROVIDERS]),
  );
}
