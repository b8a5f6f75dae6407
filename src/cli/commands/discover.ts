import { narrowResources } from "../../discovery.ts";
import { providerName } from "../../shared/providers.ts";
import { defineAction, positiveInteger } from "../argv.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { renderBindsUnasked, renderIsBound, renderResources, resourcesToJson } from "../render/resources.ts";

/** `tracker discover` */
export const discoverCommand = defineAction({
  description: "List the resources that a project can be bound to",
  args: {
    provider: { type: "string", required: true, valueHint: "NAME", description: "Hosted provider" },
    filter: {
      type: "string",
      valueHint: "TEXT",
      description: "Only resources with this text in their label",
    },
    limit: { type: "string", valueHint: "N", description: "At most N resources" },
  },
  run: (invocation, { provider, filter, limit }) =>
    discover(invocation, { provider, filter, limit: positiveInteger("limit", limit) }),
});

interface DiscoverOptions {
  readonly provider: string;
  readonly filter: string | undefined;
  readonly limit: number | undefined;
}

async function discover(invocation: Invocation, { provider, filter, limit }: DiscoverOptions): Promise<void> {
  const { log } = invocation;
  const { rows, certain, resolutionError } = await withService(invocation, (service) =>
    service.discover(provider),
  );
  const matching = filter === undefined ? rows : narrowResources(rows, filter);
  const shown = matching.slice(0, limit);
  if (resolutionError !== null) log.warn(`No numbers for --select: ${resolutionError.message}`);
  if (invocation.globals.json) {
    await print(invocation, resourcesToJson(shown, resolutionError === null), () => "");
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
