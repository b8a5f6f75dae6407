import { defineAction } from "../../argv.ts";
import { print, withService } from "../../invocation.ts";
import { renderMappings } from "../../render/mappings.ts";

export const listCommand = defineAction({
  description: "List mappings: this project's, or a provider's",
  args: {
    provider: { type: "string", valueHint: "NAME", description: "All mappings of this provider" },
  },
  run: async (invocation, { provider }) => {
    const { log } = invocation;
    const mappings = await withService(invocation, async (service) =>
      (await service.tracker(provider)).mappings(),
    );
    const payload = { mappings, pending_binding_upgrade: invocation.upgrade.pending };
    if (mappings.length === 0) log.info("There are no mappings.");
    await print(invocation, payload, (_, style) => renderMappings(mappings, style));
  },
});
