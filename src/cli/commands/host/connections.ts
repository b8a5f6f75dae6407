import { defineCommand } from "citty";
import type { Connection } from "../../../service.ts";
import { TrackerError } from "../../../shared/errors.ts";
import { confirm } from "../../ask.ts";
import { type Invocation, print, required, withService } from "../../invocation.ts";
import { DISCOVERY, withProgress } from "../../progress.ts";
import { renderConnection, renderConnections, renderConnectionTitle } from "../../render/connections.ts";

const ID = {
  type: "positional",
  required: false,
  description: "Id of the connection, or its provider where that is connected only once",
} as const;

/** `tracker host connections` */
export function connectionsCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "connections", description: "Look at and manage connected providers" },
    subCommands: {
      list: () => listCommand(invocation),
      test: () => testCommand(invocation),
      refresh: () => refreshCommand(invocation),
      remove: () => removeCommand(invocation),
    },
  });
}

function listCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "list", description: "List connected providers" },
    run: async () => {
      const connections = await withService(invocation, (service) => service.connections.list());
      const now = invocation.context.nature.now();
      await print(invocation, { connections }, (_, style) => renderConnections(connections, now, style));
    },
  });
}

function testCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "test", description: "Ask the provider whether the connection works" },
    args: { id: ID },
    run: async ({ args }) => {
      const name = nameOf("test", args.id);
      return show(invocation, await withService(invocation, (service) => service.connections.test(name)));
    },
  });
}

function refreshCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "refresh", description: "Discover the provider's resources anew" },
    args: { id: ID },
    run: async ({ args }) => {
      const name = nameOf("refresh", args.id);
      const connection = await withService(invocation, (service) =>
        withProgress(invocation, DISCOVERY, (onProgress) => service.connections.refresh(name, onProgress)),
      );
      return show(invocation, connection);
    },
  });
}

function removeCommand(invocation: Invocation) {
  const args = {
    id: ID,
    yes: { type: "boolean", description: "Remove it without asking" },
  } as const;
  return defineCommand({
    meta: { name: "remove", description: "Remove a connection and its credential; mappings stay" },
    args,
    run: async ({ args }) => {
      const name = nameOf("remove", args.id);
      const removed = await withService(invocation, async (service) => {
        const connection = await service.connections.find(name);
        if (args.yes !== true && !(await mayRemove(invocation, connection))) return null;
        await service.connections.remove(connection);
        return connection;
      });
      if (removed === null) {
        invocation.log.info("Remove cancelled");
        return;
      }
      await print(
        invocation,
        { removed: removed.connection_id },
        () => `Removed ${renderConnectionTitle(removed)}\nIts mappings stay.\n`,
      );
    },
  });
}

/** Asks before a credential is lost. */
async function mayRemove({ io }: Invocation, connection: Connection): Promise<boolean> {
  if (!io.canPrompt) {
    throw new TrackerError("confirmation_required", "Removing a connection forgets its credential.", {
      hint: `Say that you mean it: tracker host connections remove ${connection.connection_id} --yes`,
    });
  }
  io.stderr.write(
    `${renderConnectionTitle(connection)}\nIts credential will be forgotten; its mappings stay.\n`,
  );
  return confirm(io, "Remove it?");
}

/** Exits with 1 when the connection does not work. */
async function show(invocation: Invocation, connection: Connection): Promise<number> {
  await print(invocation, connection, (_, style) => renderConnection(connection, style));
  return connection.status === "connected" ? 0 : 1;
}

function nameOf(action: "test" | "refresh" | "remove", id: string | undefined): string {
  return required(
    "The connection id",
    id,
    `tracker host connections ${action} <id> (see \`tracker host connections list\`)`,
  );
}
