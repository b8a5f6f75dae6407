import type { ConnectRequest } from "../protocol.ts";
import type { TrackerService } from "../service.ts";
import { TrackerError } from "../shared/errors.ts";
import { type HostedProvider, providerName } from "../shared/providers.ts";
import { confirm } from "./ask.ts";
import { readTokenRequest } from "./commands/host/connect.ts";
import type { Invocation } from "./invocation.ts";
import { DISCOVERY, withProgress } from "./progress.ts";

/**
 * Runs `work`. When it fails in a terminal because no connection exists, offers to connect the provider and runs
 * `work` again.
 */
export async function withConnection<T>(
  invocation: Invocation,
  service: TrackerService,
  provider: HostedProvider,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isUnconnected = error instanceof TrackerError && error.code === "no_installation";
    if (!isUnconnected || !invocation.io.canPrompt) throw error;
    const request = await askForRequest(invocation, service, provider);
    if (request === null) throw error;
    const { account_label } = await withProgress(invocation, DISCOVERY, (onProgress) =>
      service.connections.connect(request, onProgress),
    );
    invocation.log.info(`Connected ${providerName(provider)} as ${account_label}.`);
    return work();
  }
}

/** Null when the person declines. No token is used before they agree. */
async function askForRequest(
  invocation: Invocation,
  service: TrackerService,
  provider: HostedProvider,
): Promise<ConnectRequest | null> {
  const { io } = invocation;
  io.stderr.write(`${providerName(provider)} is not connected.\n`);
  const token = provider === "github" ? await service.githubCliToken() : null;
  if (token !== null && (await confirm(io, "Connect it with the token of the GitHub CLI (gh)?"))) {
    return { provider, kind: "token", token, base_url: null, email: null };
  }
  const question = token === null ? "Connect it now?" : "Connect it with another token?";
  return (await confirm(io, question)) ? readTokenRequest(invocation, service, provider) : null;
}
