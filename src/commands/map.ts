import { defineCommand } from "citty";
import { renderMappings } from "../render/mappings.ts";
import { type Invocation, print, withService } from "./invocation.ts";

/** `tracker map` */
export function mapCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "map", description: "Look at mappings between projects and resources" },
    subCommands: { list: () => listCommand(invocation) },
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
      const { result, pendingUpgrade } = await withService(invocation, (service) =>
        service.mappings(provider),
      );
      const payload = { mappings: result, pending_binding_upgrade: pendingUpgrade };
      if (result.length === 0) log.info("There are no mappings.");
      await print(invocation, payload, ({ mappings }, style) => renderMappings(mappings, style));
    },
  });
}
