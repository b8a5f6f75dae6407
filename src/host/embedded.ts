import { createHost } from "./app.ts";
import { ownerAuthenticate } from "./authentication.ts";
import { openSqlite } from "./database/sqlite.ts";
import { hostKey, localOwner } from "./installation.ts";
import type { Log } from "./log.ts";
import { openSource } from "./sources.ts";

/** What the control plane in this process needs. */
export interface EmbeddedOptions {
  /** Absolute path of the database file; made when missing. */
  readonly databasePath: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly version: string;
  /** Where unexpected failures are told; standard error when not given. */
  readonly log?: Log;
}

/** A control plane in this process, whose only caller is the local owner. */
export interface EmbeddedHost {
  fetch(request: Request): Promise<Response>;
  /** Ends work that runs behind the answers and closes the database. */
  close(): Promise<void>;
}

/**
 * Opens the control plane in this process.
 *
 * @throws DatabaseError when the database cannot be opened
 * @throws MigrationError when its schema cannot be brought up to date
 */
export async function openEmbeddedHost(options: EmbeddedOptions): Promise<EmbeddedHost> {
  const { databasePath, now, version, log = logToStandardError } = options;
  const database = await openSqlite(databasePath);
  try {
    const host = createHost({
      database,
      authenticate: ownerAuthenticate(await localOwner(database, now)),
      hostKey: await hostKey(database),
      openSource,
      now,
      version,
      log,
    });
    return {
      fetch: host.fetch,
      close: async () => {
        await host.settled();
        await database.destroy();
      },
    };
  } catch (error) {
    await database.destroy();
    throw error;
  }
}

const logToStandardError: Log = (entry) => process.stderr.write(`${JSON.stringify(entry)}\n`);
