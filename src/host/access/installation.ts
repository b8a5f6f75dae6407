import { randomBytes } from "node:crypto";
import { ulid } from "ulid";
import type { Database } from "../database/schema.ts";
import { members, type Principal, principalOf } from "./authentication.ts";

const HOST_KEY = "host_key";
const LOCAL_TEAM = "local";

/** The secret that candidate tokens are signed with; made when the database is new. */
export async function hostKey(database: Database): Promise<string> {
  const read = () =>
    database.selectFrom("settings").select("value").where("name", "=", HOST_KEY).executeTakeFirst();
  const known = await read();
  if (known !== undefined) return known.value;
  await database
    .insertInto("settings")
    .values({ name: HOST_KEY, value: randomBytes(32).toString("base64url") })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
  const made = await read();
  if (made === undefined) throw new Error("The host key was stored and cannot be read back.");
  return made.value;
}

/**
 * The path of the key to a database's secrets: next to the database, so that no backup of the database alone holds
 * it.
 */
export function vaultKeyFile(databasePath: string): string {
  return `${databasePath}.key`;
}

export async function hasSecrets(database: Database): Promise<boolean> {
  const found = await database
    .selectFrom("connections")
    .select("id")
    .where("secret", "is not", null)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

/** The owner of team `local`; both are made when the database is new. */
export async function localOwner(database: Database, now: () => number): Promise<Principal> {
  return (await findLocalOwner(database)) ?? (await createLocalOwner(database, now()));
}

async function findLocalOwner(database: Database): Promise<Principal | null> {
  const row = await members(database)
    .where("teams.slug", "=", LOCAL_TEAM)
    .where("memberships.role", "=", "owner")
    .orderBy("users.id")
    .executeTakeFirst();
  return row === undefined ? null : principalOf(row);
}

async function createLocalOwner(database: Database, now: number): Promise<Principal> {
  const created_at = new Date(now).toISOString();
  const team = { id: ulid(now), slug: LOCAL_TEAM, name: "Local" };
  const user = { id: ulid(now), email: null, name: "Local owner" };
  await database.transaction().execute(async (transaction) => {
    const inserted = await transaction
      .insertInto("teams")
      .values({ ...team, created_at })
      .onConflict((conflict) => conflict.column("slug").doNothing())
      .executeTakeFirstOrThrow();
    // Another process may have inserted the row first.
    if (inserted.numInsertedOrUpdatedRows === 0n) return;
    await transaction
      .insertInto("users")
      .values({ ...user, created_at })
      .execute();
    await transaction
      .insertInto("memberships")
      .values({ team_id: team.id, user_id: user.id, role: "owner" })
      .execute();
  });
  const owner = await findLocalOwner(database);
  if (owner === null) throw new Error("The local owner was stored and cannot be read back.");
  return owner;
}
