import { defineAction } from "../../argv.ts";
import { print, withService } from "../../invocation.ts";
import { renderMappings } from "../../render/mappings.ts";

export const addCommand = defineAction({
  description: "Add a mapping (on-device providers; `bind` adds those of hosted providers)",
  args: {
    "wp-id": { type: "string", valueHint: "ID", description: "Work package that the issue is for" },
    "external-id": { type: "string", valueHint: "ID", description: "ID of the issue" },
    "external-key": { type: "string", valueHint: "KEY", description: "Key of the issue, such as PAY-7" },
    "external-url": { type: "string", valueHint: "URL", description: "Address of the issue" },
  },
  run: async (invocation, args) => {
    const mapping = await withService(invocation, async (service) =>
      (await service.boundTracker()).addMapping({
        wpId: args["wp-id"] ?? null,
        externalId: args["external-id"] ?? null,
        externalKey: args["external-key"] ?? null,
        externalUrl: args["external-url"] ?? null,
      }),
    );
    const payload = { mappings: [mapping], pending_binding_upgrade: invocation.upgrade.pending };
    await print(invocation, payload, ({ mappings }, style) => renderMappings(mappings, style));
  },
});
