import { defineAction } from "../../argv.ts";
import { print, withService } from "../../invocation.ts";
import { renderMappings } from "../../render/mappings.ts";

/** `tracker map list` */
export const listCommand = defineAction({
  description: "List mappings: this project's, or a provider's",
  args: {
    provider: { type: "string", valueHint: "NAME", description: "All mappings of this provider" },
  },
  run: async (invocation, { provider }) => {
    const { log } = invocation;
    const { result, pendingUpgrade } = await withService(invocation, async (service) =>
      (await service.tracker(provider)).mappings(),
    );
    const payload = { mappings: result, pending_binding_upgrade: pendingUpgrade };
    if (result.length === 0) log.info("There are no mappings.");
    await print(invocation, payload, ({ mappings }, style) => renderMappings(mappings, style));
  },
});
