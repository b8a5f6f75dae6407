import type { TrackerService } from "../service.ts";
import { TrackerError, UsageError } from "../shared/errors.ts";
import {
  HOSTED_PROVIDERS,
  type HostedProvider,
  type Provider,
  parseProvider,
  providerName,
} from "../shared/providers.ts";
import type { ArgumentDefs, Arguments } from "./argv.ts";
import { askVisibly } from "./ask.ts";
import type { Invocation } from "./invocation.ts";

export const PROVIDER_ARGS = {
  name: { type: "positional", description: "Provider; without it, the one that the project suggests" },
  provider: { type: "string", valueHint: "NAME", description: "The provider, as a flag" },
} as const satisfies ArgumentDefs;

/**
 * Null without a provider on the command line.
 *
 * @throws UsageError when argument and flag differ
 */
export function namedProvider({ name, provider }: Arguments<typeof PROVIDER_ARGS>): Provider | null {
  const [first, ...others] = [name, provider].flatMap((given) => given ?? []).map(parseProvider);
  if (others.some((other) => other !== first)) {
    throw new UsageError(`The providers ${name} and ${provider} cannot be used together.`);
  }
  return first ?? null;
}

/**
 * Returns the only provider that the project suggests, else the person's choice; null when they cancel.
 *
 * @throws TrackerError `provider_required` where no prompt is possible
 */
export async function suggestedProvider(
  { io }: Invocation,
  service: TrackerService,
): Promise<HostedProvider | null> {
  const providers = await service.suggestProviders();
  const [first, ...others] = providers;
  if (first !== undefined && others.length === 0) return first;
  if (!io.canPrompt) {
    const message =
      providers.length > 0
        ? `The control plane is connected to ${providers.map(providerName).join(", ")}.`
        : "No provider is connected, and the remote's host names none.";
    throw new TrackerError("provider_required", message, { details: { providers } });
  }
  const options = providers.length > 0 ? providers : HOSTED_PROVIDERS;
  const hostedNamed = (text: string) => options.find((option) => option === text.toLowerCase());
  const answer = await askVisibly(io, {
    question: `Provider (${options.join(", ")}): `,
    problemOf: (text) => (hostedNamed(text) === undefined ? `Enter one of ${options.join(", ")}.` : null),
  });
  return answer === null ? null : (hostedNamed(answer) ?? null);
}
