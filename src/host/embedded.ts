import type { Environment } from "../shared/io.ts";
import type { Fetch } from "../shared/network.ts";
import { ownerAuthenticate } from "./access/authentication.ts";
import { hostKey, localOwner, vaultKeyFile } from "./access/installation.ts";
import { createHost } from "./app.ts";
import { environmentCredential } from "./connections/environment.ts";
import { openSqlite } from "./database/sqlite.ts";
import type { Log } from "./log.ts";

/** The time for which work that outlives its response may keep the process, in milliseconds. */
const CLOSE_TIMEOUT = 1_000;

interface EmbeddedOptions {
  /** Absolute path of the database file; made when missing. */
  readonly databasePath: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly version: string;
  /** Holds the credentials for providers that are not connected. */
  readonly env?: Environment;
  /** Value of `TRACKER_VAULT_KEY`; without it the key is in a file beside the database. */
  readonly vaultKey?: string | undefined;
  /** Sends requests to providers and must not follow redirects. Default: the runtime's. */
  readonly providerFetch?: Fetch;
  /** Receives unexpected failures. */
  readonly log: Log;
}

/** A control plane in this process, whose only caller is the local owner. */
export interface EmbeddedHost {
  fetch(request: Request): Promise<Response>;
  /** Ends work that runs behind the answers, after a second at the latest, and closes the database. */
  close(): Promise<void>;
}

/**
 * Opens the control plane in this process.
 *
 * @throws DatabaseError when the database cannot be opened
 * @throws MigrationError when its schema cannot be brought up to date
 */
export async function openEmbeddedHost(options: EmbeddedOptions): Promise<EmbeddedHost> {
  const { databasePath, now, version, env = {}, vaultKey, providerFetch, log } = options;
  const database = await openSqlite(databasePath);
  try {
    const host = createHost({
      database,
      authenticate: ownerAuthenticate(await localOwner(database, now)),
      hostKey: await hostKey(database),
      vaultKey,
      vaultKeyFile: vaultKeyFile(databasePath),
      ...(providerFetch !== undefined && { providerFetch }),
      environmentCredential: (provider) => environmentCredential(env, provider),
      now,
      version,
      log,
    });
    return {
      fetch: host.fetch,
      close: async () => {
        await host.stop(CLOSE_TIMEOUT);
        await database.destroy();
      },
    };
  } catch (error) {
    await database.destroy();
    throw error;
  }
}
