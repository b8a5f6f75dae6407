import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TrackerError } from "../shared/errors.ts";
import type { Fetch } from "../shared/network.ts";
import { HOSTED_PROVIDERS } from "../shared/providers.ts";
import { type Principal, tokenAuthenticate } from "./access/authentication.ts";
import { hostKey, localOwner, vaultKeyFile } from "./access/installation.ts";
import { TeamScope } from "./access/team-scope.ts";
import { createToken } from "./access/tokens.ts";
import { createHost, createServices, type Host, type ProviderDependencies } from "./app.ts";
import type { Database } from "./database/schema.ts";
import { openSqlite } from "./database/sqlite.ts";
import { describeFailure, type HostLog } from "./log.ts";

const IDLE_TIMEOUT_S = 30;
/** The interval between searches for operations whose process died, in milliseconds. */
const RESUME_INTERVAL_MS = 5_000;
/** The time in which requests in flight must finish after `stop`, in milliseconds. */
const STOP_TIMEOUT_MS = 8_000;
/** The additional time for work that outlives its response, in milliseconds. */
const BACKGROUND_TIMEOUT_MS = 1_000;

type Storage = { readonly databasePath: string } | { readonly demo: true };

export type ServerOptions = Storage & {
  /** Address to listen on; 127.0.0.1 when not given. */
  readonly hostname?: string;
  readonly port: number;
  /** The address at which clients reach this server, where it differs from the one it listens on. */
  readonly publicUrl?: string;
  /** Value of `TRACKER_VAULT_KEY`; without it the key is in a file next to the database. */
  readonly vaultKey?: string | undefined;
  /** Allows provider addresses in the server's own network. Default false. */
  readonly allowPrivateNetwork?: boolean;
  readonly providerFetch?: Fetch;
  readonly log: HostLog;
  readonly now: () => number;
  readonly version: string;
};

interface Server {
  /** Origin without a final slash. */
  readonly url: string;
  /** The owner's token of a new database, else null. Only its hash is stored. */
  readonly ownerToken: string | null;
  /** Refuses new requests, finishes the running ones, closes the database; within 10 seconds. */
  stop(): Promise<void>;
}

export class ListenError extends TrackerError {
  constructor(address: string, cause: unknown) {
    const inUse = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    super(inUse ? "port_in_use" : "listen_failed", `The control plane cannot listen on ${address}.`, {
      cause,
    });
  }
}

/**
 * Starts a control plane on a socket.
 *
 * @throws ListenError when the address is in use or not allowed
 * @throws DatabaseError, MigrationError when the database cannot be used
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { hostname = "127.0.0.1", port, log, now, version } = options;
  const storage = await openStorage(options);
  const { database } = storage;
  try {
    const owner = await localOwner(database, now);
    const ownerToken = await firstToken(database, owner, now);
    if ("demo" in options) await connectDemo(database, owner, options);
    const host = createHost({
      database,
      authenticate: tokenAuthenticate(database),
      hostKey: await hostKey(database),
      ...(await providersOf(options, storage)),
      now,
      version,
      log,
    });
    const socket = listen(host, hostname, port, log);
    const resume = () =>
      host
        .resume()
        .catch((error: unknown) =>
          log({ level: "error", message: "operations not resumed", error: describeFailure(error) }),
        );
    const resuming = setInterval(resume, RESUME_INTERVAL_MS);
    void resume();
    return {
      url: options.publicUrl?.replace(/\/+$/, "") ?? socket.origin,
      ownerToken,
      stop: async () => {
        clearInterval(resuming);
        await socket.close();
        await host.stop(BACKGROUND_TIMEOUT_MS);
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function providersOf(options: ServerOptions, { path }: OpenStorage): Promise<ProviderDependencies> {
  const { vaultKey, providerFetch, allowPrivateNetwork = false } = options;
  const { publicOnly } = await import("./connections/network.ts");
  return {
    vaultKey,
    vaultKeyFile: vaultKeyFile(path),
    ...(providerFetch !== undefined && { providerFetch }),
    ...(!allowPrivateNetwork && { reach: publicOnly() }),
  };
}

interface OpenStorage {
  readonly database: Database;
  readonly path: string;
  close(): Promise<void>;
}

async function openStorage(storage: Storage): Promise<OpenStorage> {
  if ("databasePath" in storage) {
    const path = storage.databasePath;
    const database = await openSqlite(path);
    return { database, path, close: () => database.destroy() };
  }
  const folder = await mkdtemp(join(tmpdir(), "tracker-demo-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, "tracker.db");
    const database = await openSqlite(path);
    const close = () => database.destroy().finally(remove);
    return { database, path, close };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function firstToken(database: Database, owner: Principal, now: () => number): Promise<string | null> {
  const known = await database
    .selectFrom("tokens")
    .select("id")
    .where("team_id", "=", owner.team.id)
    .limit(1)
    .executeTakeFirst();
  if (known !== undefined) return null;
  return createToken(database, {
    teamId: owner.team.id,
    userId: owner.user.id,
    name: "First start",
    now: now(),
  });
}

async function connectDemo(database: Database, owner: Principal, { log, now }: ServerOptions): Promise<void> {
  const scope = new TeamScope(database, owner, now);
  const services = createServices({ database, log, now });
  const { connect } = await import("./connections/connect.ts");
  for (const provider of HOSTED_PROVIDERS) await connect(scope, services, provider, null);
}

interface Socket {
  readonly origin: string;
  /** Resolves when every answer has been sent, or after {@link STOP_TIMEOUT_MS}. */
  close(): Promise<void>;
}

function listen(host: Host, hostname: string, port: number, log: HostLog): Socket {
  const server = bind();
  return {
    origin: server.url.origin,
    close: async () => {
      const drained = server.stop();
      const deadline = Promise.withResolvers<void>();
      const timer = setTimeout(deadline.resolve, STOP_TIMEOUT_MS);
      await Promise.race([drained, deadline.promise]);
      clearTimeout(timer);
      await server.stop(true);
    },
  };

  function bind() {
    try {
      return Bun.serve({
        hostname,
        port,
        development: false,
        // Off by itself only in development: without it a second server would share the port unnoticed.
        reusePort: false,
        idleTimeout: IDLE_TIMEOUT_S,
        fetch: host.fetch,
        error: (error) => {
          log({ level: "error", message: "request failed", error: describeFailure(error) });
          return new Response(null, { status: 500 });
        },
      });
    } catch (error) {
      throw new ListenError(`${hostname}:${port}`, error);
    }
  }
}
