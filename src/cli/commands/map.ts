import { defineCommand } from "citty";
import { type Invocation, print, withService } from "../invocation.ts";
import { renderMappings } from "../render/mappings.ts";

/** `tracker map` */
export function mapCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "map", description: "Look at mappings between projects and resources" },
    subCommands: { list: () => listCommand(invocation), add: () => addCommand(invocation) },
  });
}

function listCommand(invocation: Invocation) {
  const args = {
    provider: { type: "string", valueHint: "NAME", description: "All mappings of this provider" },
  } as const;
  return defineCommand({
    meta: { name: "list", description: "List mappings: this project's, or a provider's" },
    args,
    run: async ({ args: { provider } }) => {
      const { log } = invocation;
      const { result, pendingUpgrade } = await withService(invocation, async (service) =>
        (await service.tracker(provider)).mappings(),
      );
      const payload = { mappings: result, pending_binding_upgrade: pendingUpgrade };
      if (result.length === 0) log.info("There are no mappings.");
      await print(invocation, payload, ({ mappings }, style) => renderMappings(mappings, style));
    },
  });
}

function addCommand(invocation: Invocation) {
  const args = {
    "wp-id": { type: "string", valueHint: "ID", description: "Work package that the issue stands for" },
    "external-id": { type: "string", valueHint: "ID", description: "Id of the issue" },
    "external-key": { type: "string", valueHint: "KEY", description: "What people call the issue" },
    "external-url": { type: "string", valueHint: "URL", description: "Address of the issue" },
  } as const;
  return defineCommand({
    meta: { name: "add", description: "Add a mapping (local providers; hosted ones get theirs by binding)" },
    args,
    run: async ({ args }) => {
      const { result, pendingUpgrade } = await withService(invocation, async (service) =>
        (await service.boundTracker()).addMapping({
          wpId: args["wp-id"] ?? null,
          externalId: args["external-id"] ?? null,
          externalKey: args["external-key"] ?? null,
          externalUrl: args["external-url"] ?? null,
        }),
      );
      const payload = { mappings: [result], pending_binding_upgrade: pendingUpgrade };
      await print(invocation, payload, ({ mappings }, style) => renderMappings(mappings, style));
    },
  });
}
