import { defineCommand } from "citty";
import { type Invocation, positiveInteger, print, required, withService } from "../invocation.ts";
import { renderBindsByItself, renderIsBound, renderResources, resourcesToJson } from "../render/resources.ts";

/** `tracker discover` */
export function discoverCommand(invocation: Invocation) {
  const args = {
    provider: { type: "string", valueHint: "NAME", description: "Hosted provider" },
    filter: { type: "string", valueHint: "TEXT", description: "Only resources with this in their label" },
    limit: { type: "string", valueHint: "N", description: "At most this many resources" },
  } as const;
  return defineCommand({
    meta: { name: "discover", description: "List the resources that a project can be bound to" },
    args,
    run: async ({ args }) => {
      const provider = required("--provider", args.provider, "tracker discover --provider linear");
      await discover(invocation, {
        provider,
        filter: args.filter,
        limit: positiveInteger("limit", args.limit),
      });
    },
  });
}

interface DiscoverOptions {
  readonly provider: string;
  readonly filter: string | undefined;
  readonly limit: number | undefined;
}

async function discover(invocation: Invocation, { provider, filter, limit }: DiscoverOptions): Promise<void> {
  const { log } = invocation;
  const discovery = await withService(invocation, (service) => service.discover(provider));
  const needle = filter?.toLowerCase() ?? "";
  const matching = discovery.resources.filter(({ resource }) =>
    resource.display_label.toLowerCase().includes(needle),
  );
  const shown = matching.slice(0, limit);
  if (discovery.resolutionError !== null) {
    log.warn(`The numbers for \`tracker bind --select\` are missing: ${discovery.resolutionError.message}`);
  }
  if (invocation.globals.json) {
    await print(invocation, resourcesToJson(shown), () => "");
    return;
  }
  if (shown.length === 0) {
    log.info(filter === undefined ? `${provider} has no resources.` : `Nothing matches "${filter}".`);
    return;
  }
  await print(invocation, shown, renderResources);
  if (shown.length < matching.length) log.info(`${matching.length - shown.length} more are not shown.`);
  const { bindsByItself, isBound } = discovery;
  if (bindsByItself === null) return;
  const { label } = bindsByItself;
  log.info(isBound ? renderIsBound(label) : renderBindsByItself(provider, label));
}
