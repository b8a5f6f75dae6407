import type { Connection } from "../../../../protocol.ts";
import { TrackerError } from "../../../../shared/errors.ts";
import { defineAction } from "../../../argv.ts";
import { confirm } from "../../../ask.ts";
import { HINTS } from "../../../hints.ts";
import { type Invocation, print, withService } from "../../../invocation.ts";
import { renderConnectionTitle } from "../../../render/connections.ts";
import { CONNECTION_ID } from "./connection-argument.ts";

export const removeCommand = defineAction({
  description: "Remove a connection and its credential; mappings stay",
  args: {
    id: CONNECTION_ID,
    yes: { type: "boolean", description: "Remove it without asking" },
  },
  run: async (invocation, { id, yes }) => {
    const removed = await withService(invocation, async (service) => {
      const connection = await service.connections.find(id);
      if (!yes && !(await mayRemove(invocation, connection))) return null;
      await service.connections.remove(connection);
      return connection;
    });
    if (removed === null) {
      invocation.log.info("Remove canceled");
      return;
    }
    await print(
      invocation,
      { removed: removed.connection_id },
      () => `Removed ${renderConnectionTitle(removed)}\nIts mappings stay.\n`,
    );
  },
});

async function mayRemove({ io }: Invocation, connection: Connection): Promise<boolean> {
  if (!io.canPrompt) {
    throw new TrackerError("confirmation_required", "Removing a connection deletes its credential.", {
      hint: HINTS.confirmRemoval(connection.connection_id),
    });
  }
  io.stderr.write(
    `${renderConnectionTitle(connection)}\nIts credential will be deleted; its mappings stay.\n`,
  );
  return confirm(io, "Remove it?");
}
