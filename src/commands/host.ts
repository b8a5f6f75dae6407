import { defineCommand } from "citty";
import { renderConnection, renderConnections } from "../render/connections.ts";
import { UsageError } from "../shared/errors.ts";
import { HOSTED_PROVIDERS } from "../shared/providers.ts";
import { escapeText, toJson } from "../shared/text.ts";
import { VERSION } from "../shared/version.ts";
import { type Invocation, print, required, withService } from "./invocation.ts";

const DEFAULT_PORT = 7411;

/** `tracker host` */
export function hostCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "host", description: "Run and administer a control plane" },
    subCommands: {
      serve: () => serveCommand(invocation),
      connect: () => connectCommand(invocation),
      connections: () => connectionsCommand(invocation),
      mappings: () => mappingsCommand(invocation),
    },
  });
}

function serveCommand(invocation: Invocation) {
  const args = {
    port: {
      type: "string",
      valueHint: "N",
      default: String(DEFAULT_PORT),
      description: "Port; 0 takes a free one",
    },
    bind: { type: "string", valueHint: "ADDRESS", default: "127.0.0.1", description: "Address to listen on" },
    database: {
      type: "string",
      valueHint: "FILE",
      description: "SQLite file; the embedded host's by default",
    },
    "public-url": { type: "string", valueHint: "URL", description: "Where clients reach it, if elsewhere" },
    demo: { type: "boolean", description: "Throw-away data with four connected providers" },
  } as const;
  return defineCommand({
    meta: { name: "serve", description: "Serve a control plane over HTTP until stopped" },
    args,
    run: async ({ args }) => {
      if (args.demo === true && args.database !== undefined) {
        throw new UsageError("--demo throws its data away; --database keeps it. Choose one.");
      }
      await serve(invocation, {
        port: portOf(args.port),
        hostname: args.bind,
        database: args.database,
        publicUrl: args["public-url"],
        demo: args.demo === true,
      });
    },
  });
}

interface ServeOptions {
  readonly port: number;
  readonly hostname: string;
  readonly database: string | undefined;
  readonly publicUrl: string | undefined;
  readonly demo: boolean;
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new UsageError(`--port takes a number from 0 to 65535, not "${text}".`);
}

/** Serves until SIGINT or SIGTERM; a second signal ends the process at once. */
async function serve(invocation: Invocation, options: ServeOptions): Promise<void> {
  const { context, io, globals, log } = invocation;
  const { startServer } = await import("../host/index.ts");
  const database =
    options.database ?? (await withService(invocation, async (service) => service.databasePath));
  const server = await startServer({
    ...(options.demo ? { demo: true } : { databasePath: database }),
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    hostname: options.hostname,
    port: options.port,
    log: (entry) => io.stderr.write(`${escapeText(JSON.stringify(entry))}\n`),
    now: context.nature.now,
    version: VERSION,
  });
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  context.onStop(stop);
  if (globals.json) {
    io.stdout.write(toJson({ url: server.url, token: server.ownerToken }));
  } else {
    io.stdout.write(`Serving on ${server.url}\n`);
    if (server.ownerToken !== null) {
      io.stdout.write(`Owner's token, shown this once: ${server.ownerToken}\n`);
      log.info(`Log in with it: tracker auth login --with-token --host ${server.url}`);
    }
    log.info("Stop with Ctrl-C.");
  }
  await stopped;
  await server.stop();
}

function connectCommand(invocation: Invocation) {
  const args = {
    provider: { type: "positional", required: false, description: HOSTED_PROVIDERS.join(", ") },
    demo: { type: "boolean", description: "Connect demo data" },
  } as const;
  return defineCommand({
    meta: { name: "connect", description: "Connect a provider to the control plane" },
    args,
    run: async ({ args }) => {
      const provider = required("The provider", args.provider, "tracker host connect linear --demo");
      if (args.demo !== true) {
        throw new UsageError(`This version connects demo data only.`, {
          hint: `tracker host connect ${provider} --demo`,
        });
      }
      const connection = await withService(invocation, (service) => service.connectDemo(provider));
      await print(invocation, connection, (_, style) => renderConnection(connection, style));
    },
  });
}

function connectionsCommand(invocation: Invocation) {
  const id = { type: "positional", required: false, description: "Connection id" } as const;
  const onConnection = (action: "test" | "refresh", description: string) => () =>
    defineCommand({
      meta: { name: action, description },
      args: { id },
      run: async ({ args }) => {
        const connectionId = connectionIdOf(action, args.id);
        const connection = await withService(invocation, (service) =>
          action === "test" ? service.testConnection(connectionId) : service.refreshConnection(connectionId),
        );
        await print(invocation, connection, (_, style) => renderConnection(connection, style));
      },
    });
  return defineCommand({
    meta: { name: "connections", description: "Look at and manage connected providers" },
    subCommands: {
      list: () =>
        defineCommand({
          meta: { name: "list", description: "List connected providers" },
          run: async () => {
            const connections = await withService(invocation, (service) => service.connections());
            await print(invocation, { connections }, (_, style) => renderConnections(connections, style));
          },
        }),
      test: onConnection("test", "Ask the provider whether the connection works"),
      refresh: onConnection("refresh", "Discover the provider's resources anew"),
      remove: () =>
        defineCommand({
          meta: { name: "remove", description: "Remove a connection; mappings stay" },
          args: { id },
          run: async ({ args }) => {
            const connectionId = connectionIdOf("remove", args.id);
            await withService(invocation, (service) => service.removeConnection(connectionId));
            await print(invocation, { removed: connectionId }, () => `Removed ${escapeText(connectionId)}\n`);
          },
        }),
    },
  });
}

function mappingsCommand(invocation: Invocation) {
  return defineCommand({
    meta: { name: "mappings", description: "Manage mappings; `tracker map list` shows them" },
    subCommands: {
      delete: () =>
        defineCommand({
          meta: { name: "delete", description: "Delete a mapping, so that its project can be bound anew" },
          args: { ref: { type: "positional", required: false, description: "Binding reference" } },
          run: async ({ args }) => {
            const bindingRef = required(
              "The binding reference",
              args.ref,
              "tracker host mappings delete srm_…",
            );
            await withService(invocation, (service) => service.deleteMapping(bindingRef));
            await print(invocation, { deleted: bindingRef }, () => `Deleted ${escapeText(bindingRef)}\n`);
          },
        }),
    },
  });
}

function connectionIdOf(action: "test" | "refresh" | "remove", id: string | undefined): string {
  return required(
    "The connection id",
    id,
    `tracker host connections ${action} <id> (see \`tracker host connections list\`)`,
  );
}
