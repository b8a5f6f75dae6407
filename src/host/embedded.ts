import type { TrackerError } from "../shared/errors.ts";
import type { Environment } from "../shared/io.ts";
import type { Fetch } from "../shared/network.ts";
import { ownerAuthenticate } from "./access/authentication.ts";
import { hostKey, localOwner, vaultKeyFile } from "./access/installation.ts";
import { createHost } from "./app.ts";
import { environmentCredential } from "./connections/environment.ts";
import type { Database } from "./database/schema.ts";
import { DatabaseError, openSqlite, openSqliteCopy } from "./database/sqlite.ts";
import type { HostLog } from "./log.ts";

/** The longest time that work which outlives its response delays the end of the process, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

interface EmbeddedOptions {
  readonly databasePath: string;
  readonly now: () => number;
  readonly version: string;
  readonly env?: Environment;
  /** Value of `TRACKER_VAULT_KEY`; without it the key is in a file next to the database. */
  readonly vaultKey?: string | undefined;
  /** Sends requests to providers and must not follow redirects. Default: the runtime's. */
  readonly providerFetch?: Fetch;
  readonly log: HostLog;
}

/** A control plane in this process, whose only caller is the local owner. */
export interface EmbeddedHost {
  /** The reason why stored data ends with this process; null in the usual case. */
  readonly storageError: TrackerError | null;
  fetch(request: Request): Promise<Response>;
  /** Ends work that outlives its response, after a second at the latest, and closes the database. */
  close(): Promise<void>;
}

/**
 * Opens the control plane in this process: over a copy in memory where the
 * database cannot be written, so that reading works there too.
 *
 * @throws DatabaseError when the database cannot be opened
 * @throws MigrationError when its schema cannot be brought up to date
 */
export async function openEmbeddedHost(options: EmbeddedOptions): Promise<EmbeddedHost> {
  const { databasePath, now, version, env = {}, vaultKey, providerFetch, log } = options;
  const { database, storageError } = await openDatabase(databasePath);
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
      storageError,
      fetch: host.fetch,
      close: async () => {
        await host.stop(CLOSE_TIMEOUT_MS);
        await database.destroy();
      },
    };
  } catch (error) {
    await database.destroy();
    throw error;
  }
}

async function openDatabase(
  path: string,
): Promise<{ readonly database: Database; readonly storageError: TrackerError | null }> {
  try {
    return { database: await openSqlite(path), storageError: null };
  } catch (error) {
    if (!(error instanceof DatabaseError) || !error.isUnwritable) throw error;
    return { database: await openSqliteCopy(path), storageError: error };
  }
}
