import { defineAction } from "../../../argv.ts";
import { withService } from "../../../invocation.ts";
import { DISCOVERY, withProgress } from "../../../progress.ts";
import { CONNECTION_ID } from "./connection-argument.ts";
import { showConnection } from "./show-connection.ts";

export const refreshCommand = defineAction({
  description: "Discover the provider's resources again",
  args: { id: CONNECTION_ID },
  run: async (invocation, { id }) => {
    const connection = await withService(invocation, (service) =>
      withProgress(invocation, DISCOVERY, (onProgress) => service.connections.refresh(id, onProgress)),
    );
    return showConnection(invocation, connection);
  },
});
