import type { Database, Role } from "../database/schema.ts";
import { hashToken } from "./tokens.ts";

export interface Principal {
  readonly user: { readonly id: string; readonly email: string | null; readonly name: string };
  readonly team: { readonly id: string; readonly slug: string; readonly name: string };
  readonly role: Role;
}

/** Finds the caller of a request; null for an unknown one. */
export type Authenticate = (request: Request) => Promise<Principal | null>;

/** Authenticates HTTP requests with `Authorization: Bearer trk_…`. */
export function tokenAuthenticate(database: Database): Authenticate {
  return async (request) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    if (token === undefined) return null;
    const row = await members(database)
      .innerJoin("tokens", (join) =>
        join
          .onRef("tokens.team_id", "=", "memberships.team_id")
          .onRef("tokens.user_id", "=", "memberships.user_id"),
      )
      .where("tokens.hash", "=", hashToken(token))
      .where("tokens.revoked_at", "is", null)
      .executeTakeFirst();
    return row === undefined ? null : principalOf(row);
  };
}

export async function findPrincipal(
  database: Database,
  teamId: string,
  userId: string,
): Promise<Principal | null> {
  const row = await members(database)
    .where("memberships.team_id", "=", teamId)
    .where("memberships.user_id", "=", userId)
    .executeTakeFirst();
  return row === undefined ? null : principalOf(row);
}

/** Authenticates requests in this process: the caller is always the local owner. */
export function ownerAuthenticate(owner: Principal): Authenticate {
  return async () => owner;
}

export function members(database: Database) {
  return database
    .selectFrom("memberships")
    .innerJoin("users", "users.id", "memberships.user_id")
    .innerJoin("teams", "teams.id", "memberships.team_id")
    .select([
      "users.id as user_id",
      "users.email",
      "users.name as user_name",
      "teams.id as team_id",
      "teams.slug as team_slug",
      "teams.name as team_name",
      "memberships.role",
    ]);
}

export function principalOf(
  row: Awaited<ReturnType<ReturnType<typeof members>["execute"]>>[number],
): Principal {
  return {
    user: { id: row.user_id, email: row.email, name: row.user_name },
    team: { id: row.team_id, slug: row.team_slug, name: row.team_name },
    role: row.role,
  };
}
