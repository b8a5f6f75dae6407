import { sql } from "kysely";
import type { Migration } from "kysely/migration";
import { TrackerError } from "../../../shared/errors.ts";
import type { Database } from "../schema.ts";

const MIGRATIONS: Readonly<Record<string, () => Promise<Migration>>> = {
  "0001-initial": async () => (await import("./0001-initial.ts")).initial,
  "0002-provider-connections": async () =>
    (await import("./0002-provider-connections.ts")).providerConnections,
  "0003-sync": async () => (await import("./0003-sync.ts")).sync,
  "0004-connector-settings": async () => (await import("./0004-connector-settings.ts")).connectorSettings,
  "0006-shared-resources": async () => (await import("./0006-shared-resources.ts")).sharedResources,
  "0007-store-scopes": async () => (await import("./0007-store-scopes.ts")).storeScopes,
};

class MigrationError extends TrackerError {
  constructor(problem: string, cause: unknown) {
    super(
      "database_migration",
      `${problem} If a newer tracker made it, run that one; otherwise restore the file from a backup.`,
      { cause },
    );
  }
}

/**
 * Brings the database to the newest schema. One query for a current one. Several processes may do this to a fresh
 * database at once: the migrations run in one write transaction.
 *
 * @throws MigrationError when a migration fails or a newer version made the database
 */
export async function migrate(database: Database): Promise<void> {
  const known = Object.keys(MIGRATIONS).sort();
  if ((await newestApplied(database)) === known.at(-1)) return;
  const { Migrator } = await import("kysely/migration");
  const migrator = new Migrator({
    db: database,
    provider: {
      getMigrations: async () => {
        const loaded = await Promise.all(
          Object.entries(MIGRATIONS).map(async ([name, load]) => [name, await load()] as const),
        );
        return Object.fromEntries(loaded);
      },
    },
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  throw new MigrationError(
    `The database cannot be brought to this version's schema: ${error instanceof Error ? error.message : String(error)}.`,
    error,
  );
}

async function newestApplied(database: Database): Promise<string | null> {
  try {
    const { rows } = await sql<{ name: string }>`
      select name from kysely_migration order by name desc limit 1
    `.execute(database);
    return rows[0]?.name ?? null;
  } catch (error) {
    // A fresh database lacks this table. SQLite and PostgreSQL word that differently.
    if (error instanceof Error && /no such table|does not exist/.test(error.message)) return null;
    throw error;
  }
}
