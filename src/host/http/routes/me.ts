import type { Hono } from "hono/quick";
import type { MeResponse } from "../../../protocol.ts";
import type { HostEnvironment } from "./environment.ts";

/** `GET /api/v1/me`: who the caller is, and the team that the credential is for. */
export function addMeRoute(app: Hono<HostEnvironment>): void {
  app.get("/api/v1/me", (c) => {
    const { user, team, role } = c.get("scope").principal;
    return c.json({
      user_id: user.id,
      email: user.email,
      name: user.name,
      teams: [{ ...team, role, is_private_teamspace: false }],
    } satisfies MeResponse);
  });
}
