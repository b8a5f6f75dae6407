/** What a database of the first version holds is there in this one. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import * as v from "valibot";
import { initial } from "../../src/host/database/migrations/0001-initial.ts";
import { connectSqlite } from "../../src/host/database/sqlite.ts";
import { openEmbeddedHost } from "../../src/host/index.ts";
import { demoDiscovery } from "../../src/sdk/testing/demo-discovery.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tracker-migration-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A database as the first version left it: Jira's demo data connected, one project bound. */
async function firstVersion(path: string): Promise<void> {
  const database = connectSqlite(path);
  const provider = { getMigrations: async () => ({ "0001-initial": initial }) };
  expect((await new Migrator({ db: database, provider }).migrateToLatest()).error).toBeUndefined();
  const source = demoDiscovery("jira");
  const [workspace] = (await source.listWorkspaces(null)).items;
  if (workspace === undefined) throw new Error("The demo data has no workspace.");
  const [resource] = (await source.listResources(workspace, null)).items;
  if (resource === undefined) throw new Error("The demo data has no resource.");
  const routing = JSON.stringify({
    connector_params: resource.connectorParams,
    resource: { kind: resource.kind, metadata: resource.routingMetadata },
    workspace: { id: workspace.id, display: workspace.display, kind: workspace.kind, context: {} },
  });
  const at = "2026-03-01T12:00:00.000Z";
  for (const statement of [
    sql`insert into teams values ('t', 'local', 'Local', ${at})`,
    sql`insert into users values ('u', null, 'Local owner', ${at})`,
    sql`insert into memberships values ('t', 'u', 'owner')`,
    sql`insert into connections values ('c', 't', 'jira', 'demo', 'acme', 'connected', null, 1, ${at}, ${at}, ${at}, null)`,
    sql`insert into workspaces values ('w', 't', 'c', ${workspace.id}, 'acme', 'site', '{}', ${at})`,
    sql`insert into resources values ('r', 't', 'jira', 'c', 'w', ${resource.stableRef}, 'Payments API (PAY)', 'project', '{}', ${routing}, 'payments api (pay)', 'payments-api', 'pay', null, ${at}, null)`,
    sql`insert into projects values ('p', 't', 'uuid', 'payments', ${at}, ${at})`,
    sql`insert into mappings values ('srm_1', 't', 'jira', 'c', 'p', ${resource.stableRef}, 'Payments API (PAY)', '{}', ${routing}, 'active', null, ${at}, 'u', ${at})`,
  ]) {
    await statement.execute(database);
  }
  await database.destroy();
}

test("its connection, its inventory and its binding go on as they were", async () => {
  const databasePath = join(folder, "tracker.db");
  await firstVersion(databasePath);
  const host = await openEmbeddedHost({ log: () => {}, databasePath, now: Date.now, version: "0" });
  const call = async (method: string, path: string, body?: unknown) => {
    const request = new Request(`http://embedded/api/v1/${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const parsed: unknown = await (await host.fetch(request)).json();
    return parsed;
  };
  try {
    const connected = await call("POST", "admin/connections/", { provider: "jira", kind: "demo" });
    expect(connected).toMatchObject({ connection_id: "c", base_url: null, resource_count: 12 });
    const Resources = v.object({
      resources: v.array(v.object({ display_label: v.string(), binding_ref: v.nullable(v.string()) })),
    });
    const { resources } = v.parse(Resources, await call("GET", "tracker/resources/?provider=jira"));
    expect(resources).toHaveLength(12);
    expect(resources.filter(({ binding_ref }) => binding_ref !== null)).toEqual([
      { display_label: "Payments API (PAY)", binding_ref: "srm_1" },
    ]);
    expect(await call("GET", "tracker/mappings/?provider=jira")).toMatchObject({
      mappings: [{ binding_ref: "srm_1", external_id: "10001", external_key: "PAY" }],
    });
    const status = await call("GET", "tracker/status/?provider=jira&binding_ref=srm_1");
    expect(status).toMatchObject({ connected: true, last_error: null });
  } finally {
    await host.close();
  }
});
