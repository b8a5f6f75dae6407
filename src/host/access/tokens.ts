import { randomBytes } from "node:crypto";
import { ulid } from "ulid";
import type { Queries } from "../database/schema.ts";

const ACCESS_TOKEN_PREFIX = "trk_";

/** The form in which a personal access token is stored: its SHA-256, hexadecimal. */
export function hashToken(token: string): string {
  return new Bun.CryptoHasher("sha256").update(token).digest("hex");
}

interface NewToken {
  readonly teamId: string;
  readonly userId: string;
  readonly name: string;
  readonly now: number;
}

/** Makes a personal access token. The returned text is the only copy. */
export async function createToken(
  queries: Queries,
  { teamId, userId, name, now }: NewToken,
): Promise<string> {
  const token = ACCESS_TOKEN_PREFIX + randomBytes(32).toString("base64url");
  await queries
    .insertInto("tokens")
    .values({
      id: ulid(now),
      team_id: teamId,
      user_id: userId,
      name,
      hash: hashToken(token),
      created_at: new Date(now).toISOString(),
      revoked_at: null,
    })
    .execute();
  return token;
}
