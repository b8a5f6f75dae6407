import { defineAction } from "../../../argv.ts";
import { print, withService } from "../../../invocation.ts";
import { renderConnections } from "../../../render/connections.ts";

export const listCommand = defineAction({
  description: "List connected providers",
  run: async (invocation) => {
    const connections = await withService(invocation, (service) => service.connections.list());
    const now = invocation.context.timing.now();
    await print(invocation, { connections }, (_, style) => renderConnections(connections, now, style));
  },
});
