import { defineAction } from "../../../argv.ts";
import { withService } from "../../../invocation.ts";
import { CONNECTION_ID } from "./connection-argument.ts";
import { showConnection } from "./show-connection.ts";

export const testCommand = defineAction({
  description: "Check a connection with its provider",
  args: { id: CONNECTION_ID },
  run: async (invocation, { id }) =>
    showConnection(invocation, await withService(invocation, (service) => service.connections.test(id))),
});
