import { narrowResources } from "../../discovery.ts";
import { type Provider, providerName } from "../../shared/providers.ts";
import { defineAction, positiveInteger } from "../argv.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { namedProvider, PROVIDER_ARGS, suggestedProvider } from "../provider-argument.ts";
import { renderBindsUnasked, renderIsBound, renderResources, resourcesToJson } from "../render/resources.ts";

/** `tracker discover` */
export const discoverCommand = defineAction({
  description: "List the resources that a project can be bound to",
  args: {
    ...PROVIDER_ARGS,
    filter: {
      type: "string",
      valueHint: "TEXT",
      description: "Only resources with this text in their label",
    },
    limit: { type: "string", valueHint: "N", description: "At most N resources" },
  },
  run: (invocation, { filter, limit, ...provider }) =>
    discover(invocation, { named: namedProvider(provider), filter, limit: positiveInteger("limit", limit) }),
});

interface DiscoverOptions {
  /** Null when the project suggests one. */
  readonly named: Provider | null;
  readonly filter: string | undefined;
  readonly limit: number | undefined;
}

async function discover(invocation: Invocation, { named, filter, limit }: DiscoverOptions): Promise<void> {
  const { log } = invocation;
  const discovery = await withService(invocation, async (service) => {
    const provider = named ?? (await suggestedProvider(invocation, service));
    return provider === null ? null : { provider, ...(await service.discover(provider)) };
  });
  if (discovery === null) {
    log.info("Discover canceled");
    return;
  }
  const { provider, rows, certain, resolutionError } = discovery;
  const matching = filter === undefined ? rows : narrowResources(rows, filter);
  const shown = matching
    .slice(0, limit)
    .map((row) => ({ ...row, number: resolutionError === null ? row.number : null }));
  if (resolutionError !== null) log.warn(`No numbers for --select: ${resolutionError.message}`);
  if (invocation.globals.json) {
    await print(invocation, resourcesToJson(shown), () => "");
    return;
  }
  if (shown.length === 0) {
    log.info(
      filter === undefined
        ? `${providerName(provider)} has no resources.`
        : `No resource matches "${filter}".`,
    );
    return;
  }
  await print(invocation, shown, renderResources);
  if (shown.length < matching.length) log.info(`${matching.length - shown.length} more not shown.`);
  if (certain === null) return;
  log.info(certain.isBound ? renderIsBound(certain.label) : renderBindsUnasked(provider, certain.label));
}
