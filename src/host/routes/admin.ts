import type { Hono } from "hono/quick";
import { ConnectRequest } from "../../protocol.ts";
import {
  connect,
  listConnections,
  refreshConnection,
  removeConnection,
  testConnection,
} from "../connections.ts";
import { HostError } from "../errors.ts";
import type { Inventory, OpenSource } from "../inventory.ts";
import { deleteMapping } from "../mappings.ts";
import { hostedProvider, readBody } from "../request.ts";
import type { HostEnvironment } from "./environment.ts";

const ADMIN_PATH = "/api/v1/admin";

/** Administration, for owners of the team. */
export function addAdminRoutes(
  app: Hono<HostEnvironment>,
  { inventory, openSource }: { readonly inventory: Inventory; readonly openSource: OpenSource },
): void {
  app.use(`${ADMIN_PATH}/*`, async (c, next) => {
    const { role, team } = c.get("scope").principal;
    if (role !== "owner") {
      throw new HostError("forbidden", `Only an owner of team "${team.slug}" may do this.`);
    }
    await next();
  });

  app.get(`${ADMIN_PATH}/connections`, async (c) =>
    c.json({ connections: await listConnections(c.get("scope")) }),
  );

  app.post(`${ADMIN_PATH}/connections`, async (c) => {
    const request = await readBody(c.req.raw, ConnectRequest);
    const provider = hostedProvider(request.provider);
    return c.json(await connect(c.get("scope"), inventory, { ...request, provider }));
  });

  app.post(`${ADMIN_PATH}/connections/:id/test`, async (c) =>
    c.json(await testConnection(c.get("scope"), openSource, c.req.param("id"))),
  );

  app.post(`${ADMIN_PATH}/connections/:id/refresh`, async (c) =>
    c.json(await refreshConnection(c.get("scope"), inventory, c.req.param("id"))),
  );

  app.delete(`${ADMIN_PATH}/connections/:id`, async (c) => {
    await removeConnection(c.get("scope"), c.req.param("id"));
    return c.body(null, 204);
  });

  app.delete(`${ADMIN_PATH}/mappings/:ref`, async (c) => {
    await deleteMapping(c.get("scope"), c.req.param("ref"));
    return c.body(null, 204);
  });
}
