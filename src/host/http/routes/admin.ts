import type { Context } from "hono";
import type { Hono } from "hono/quick";
import { ConnectRequest, MappingUpdate } from "../../../protocol.ts";
import { Doctrine } from "../../../sync/doctrine.ts";
import { check } from "../../check.ts";
import type { ConnectTools } from "../../connections/connect.ts";
import {
  listConnections,
  refreshConnection,
  removeConnection,
  testConnection,
} from "../../connections/connections.ts";
import { HostError } from "../../errors.ts";
import type { Inventory } from "../../inventory/inventory.ts";
import type { Operations, Outcome } from "../../jobs/operations.ts";
import { deleteMapping, toWire } from "../../mappings/mappings.ts";
import { hostedProvider, readBody } from "../request.ts";
import type { HostEnvironment } from "./environment.ts";

const ADMIN_PATH = "/api/v1/admin";

/** What administration works with. */
export interface AdminRoutes extends ConnectTools {
  readonly inventory: Inventory;
  readonly operations: Operations;
}

/** Administration, for owners of the team. */
export function addAdminRoutes(app: Hono<HostEnvironment>, tools: AdminRoutes): void {
  const { inventory, operations, sources } = tools;
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
    const [{ connect }, { credentialOf }] = await Promise.all([
      import("../../connections/connect.ts"),
      import("../../connections/credentials.ts"),
    ]);
    const credential = credentialOf(provider, request);
    const scope = c.get("scope");
    const facts = { kind: "connect", subject: provider };
    const outcome = await operations.run(scope, facts, (progress) =>
      connect(scope, tools, provider, credential, progress),
    );
    return answer(c, outcome);
  });

  app.post(`${ADMIN_PATH}/connections/:id/test`, async (c) =>
    c.json(await testConnection(c.get("scope"), sources, c.req.param("id"))),
  );

  app.post(`${ADMIN_PATH}/connections/:id/refresh`, async (c) => {
    const scope = c.get("scope");
    const id = c.req.param("id");
    const outcome = await operations.run(scope, { kind: "refresh", subject: id }, (progress) =>
      refreshConnection(scope, inventory, id, progress),
    );
    return answer(c, outcome);
  });

  app.delete(`${ADMIN_PATH}/connections/:id`, async (c) => {
    await removeConnection(c.get("scope"), c.req.param("id"));
    return c.body(null, 204);
  });

  app.patch(`${ADMIN_PATH}/mappings/:ref`, async (c) => {
    const { doctrine, connector_settings } = await readBody(c.req.raw, MappingUpdate);
    const { changeMapping } = await import("../../mappings/change.ts");
    const mapping = await changeMapping(c.get("scope"), c.req.param("ref"), {
      ...(doctrine !== undefined && { doctrine: check(Doctrine, doctrine, "doctrine") }),
      ...(connector_settings !== undefined && { settings: connector_settings }),
    });
    const { doctrine: decided, settings } = mapping;
    return c.json({ ...toWire(mapping), doctrine: decided, connector_settings: settings });
  });

  app.delete(`${ADMIN_PATH}/mappings/:ref`, async (c) => {
    await deleteMapping(c.get("scope"), c.req.param("ref"));
    return c.body(null, 204);
  });
}

function answer(c: Context<HostEnvironment>, outcome: Outcome<object>) {
  return "result" in outcome ? c.json(outcome.result) : c.json(outcome.operation, 202);
}
