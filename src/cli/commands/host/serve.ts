import { UsageError } from "../../../shared/errors.ts";
import { escapeText, toJson } from "../../../shared/text.ts";
import { VERSION } from "../../../shared/version.ts";
import { defineAction } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { type Invocation, vaultKeyOf, withService } from "../../invocation.ts";

const DEFAULT_PORT = 7411;

export const serveCommand = defineAction({
  description: "Serve a control plane over HTTP until stopped",
  args: {
    port: {
      type: "string",
      valueHint: "N",
      default: String(DEFAULT_PORT),
      description: "Port; 0 chooses a free one",
    },
    bind: { type: "string", valueHint: "ADDRESS", default: "127.0.0.1", description: "Address to listen on" },
    database: {
      type: "string",
      valueHint: "FILE",
      description: "SQLite file; the embedded control plane's by default",
    },
    "public-url": {
      type: "string",
      valueHint: "URL",
      description: "Address for clients, if it is another one",
    },
    demo: { type: "boolean", description: "Temporary data with four connected providers" },
    "allow-private-network": {
      type: "boolean",
      description: "Allow connections to addresses inside your own network",
    },
  },
  run: async (invocation, args) => {
    if (args.demo && args.database !== undefined) {
      throw new UsageError("--demo and --database cannot be used together: demo data is not kept.");
    }
    await serve(invocation, {
      port: portOf(args.port),
      hostname: args.bind,
      database: args.database,
      publicUrl: args["public-url"],
      demo: args.demo,
      allowPrivateNetwork: args["allow-private-network"],
    });
  },
});

interface ServeOptions {
  readonly port: number;
  readonly hostname: string;
  readonly database: string | undefined;
  readonly publicUrl: string | undefined;
  readonly demo: boolean;
  readonly allowPrivateNetwork: boolean;
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new UsageError(`--port takes a number from 0 to 65535, not "${text}".`);
}

/** Serves until SIGINT or SIGTERM; a second signal ends the process at once. */
async function serve(invocation: Invocation, options: ServeOptions): Promise<void> {
  const { context, io, globals, log } = invocation;
  const { startServer } = await import("../../../host/index.ts");
  const database =
    options.database ?? (await withService(invocation, async (service) => service.databasePath));
  const server = await startServer({
    ...(options.demo ? { demo: true } : { databasePath: database }),
    ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
    allowPrivateNetwork: options.allowPrivateNetwork,
    vaultKey: vaultKeyOf(context),
    providerFetch: context.fetch,
    hostname: options.hostname,
    port: options.port,
    log: (entry) => io.stderr.write(`${escapeText(JSON.stringify(entry))}\n`),
    now: context.timing.now,
    version: VERSION,
  });
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  context.onStop(stop);
  if (globals.json) {
    io.stdout.write(toJson({ url: server.url, token: server.ownerToken }));
  } else {
    io.stdout.write(`Serving on ${server.url}\n`);
    if (server.ownerToken !== null) {
      io.stdout.write(`Owner's token, shown only once: ${server.ownerToken}\n`);
      log.info(HINTS.logInTo(server.url));
    }
    log.info("Stop with Ctrl-C.");
  }
  await stopped;
  await server.stop();
}
