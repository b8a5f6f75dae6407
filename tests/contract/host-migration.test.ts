/** Databases of earlier versions keep their content in this one. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import * as v from "valibot";
import { MappingStore } from "../../src/host/database/mapping-store.ts";
import { initial } from "../../src/host/database/migrations/0001-initial.ts";
import { providerConnections } from "../../src/host/database/migrations/0002-provider-connections.ts";
import { sync } from "../../src/host/database/migrations/0003-sync.ts";
import { connectorSettings } from "../../src/host/database/migrations/0004-connector-settings.ts";
import { sharedResources } from "../../src/host/database/migrations/0006-shared-resources.ts";
import { connectSqlite, openSqlite } from "../../src/host/database/sqlite.ts";
import { openEmbeddedHost } from "../../src/host/index.ts";
import { demoDiscovery } from "../../src/sdk/testing/demo-discovery.ts";
import { checkpointAt, issue, LATER, NOON } from "../helpers/store-fixture.ts";

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

test("the issues of two mappings stay apart when they become scopes", async () => {
  const databasePath = join(folder, "tracker.db");
  await firstVersion(databasePath);
  const old = connectSqlite(databasePath);
  const before = {
    "0001-initial": initial,
    "0002-provider-connections": providerConnections,
    "0003-sync": sync,
    "0004-connector-settings": connectorSettings,
    "0006-shared-resources": sharedResources,
  };
  const provider = { getMigrations: async () => before };
  expect((await new Migrator({ db: old, provider }).migrateToLatest()).error).toBeUndefined();
  await sql`insert into projects (id, team_id, slug, created_at, updated_at) values ('q', 't', 'web', ${NOON}, ${NOON})`.execute(
    old,
  );
  await sql`
    insert into mappings (binding_ref, team_id, provider, connection_id, project_id, resource_ref, display_label,
      provider_context, routing_metadata, status, created_at, created_by, updated_at)
    select 'srm_2', team_id, provider, connection_id, 'q', '10002', display_label,
      provider_context, routing_metadata, status, created_at, created_by, updated_at
    from mappings
  `.execute(old);
  const record = issue("1");
  const [reference, fields] = [JSON.stringify(record.ref), JSON.stringify(record.fields)];
  for (const [binding, sequence] of [
    ["srm_1", 7],
    ["srm_2", 3],
  ] as const) {
    for (const statement of [
      sql`insert into sync_states (binding_ref, sequence, last_synced_at) values (${binding}, ${sequence}, ${NOON})`,
      sql`insert into checkpoints values (${binding}, 'issues', ${JSON.stringify(checkpointAt(sequence))})`,
      sql`insert into issues (binding_ref, key, identity, ref, fields, base_raw, base_revision, base_created_at, base_updated_at)
        values (${binding}, ${record.key}, 'linear:acme:1', ${reference}, ${fields}, ${JSON.stringify(record.base?.raw)}, 'r1', ${NOON}, ${NOON})`,
      sql`insert into journal values (${binding}, ${record.key}, 'title', ${sequence}, ${NOON})`,
      sql`insert into journal values (${binding}, ${record.key}, 'body', ${sequence - 1}, ${LATER})`,
      sql`insert into intents values (${binding}, 'draft', ${binding})`,
      sql`insert into conflicts values (${binding}, 'c1', ${record.key}, 'title', '"Old"', '"Ours"', '"Theirs"', null)`,
    ]) {
      await statement.execute(old);
    }
  }
  await old.destroy();

  const database = await openSqlite(databasePath);
  try {
    for (const [binding, sequence] of [
      ["srm_1", 7],
      ["srm_2", 3],
    ] as const) {
      await new MappingStore(database, binding).transaction(async (transaction) => {
        expect(await transaction.list(null, 9)).toEqual([record]);
        const edits = await transaction.dirtyFields([record.key]);
        expect(edits.map(({ field, changedAt }) => [field, changedAt])).toEqual([
          ["body", LATER],
          ["title", NOON],
        ]);
        expect(await transaction.intents()).toEqual([{ key: "draft", idempotencyKey: binding }]);
        expect(await transaction.openConflicts([record.key])).toMatchObject([{ id: "c1", remote: "Theirs" }]);
        expect(await transaction.checkpoint("issues")).toEqual(checkpointAt(sequence));
        await transaction.markDirty([{ key: "draft", field: "title", changedAt: NOON }]);
        const [latest] = await transaction.dirtyFields(["draft"]);
        expect(latest?.sequence).toBeGreaterThan(Math.max(...edits.map((edit) => edit.sequence)));
      });
    }
    const { rows } = await sql`select binding_ref, last_synced_at from sync_states order by 1`.execute(
      database,
    );
    expect(rows).toEqual(["srm_1", "srm_2"].map((binding_ref) => ({ binding_ref, last_synced_at: NOON })));
    const broken = await sql`pragma foreign_key_check`.execute(database);
    expect(broken.rows).toEqual([]);
  } finally {
    await database.destroy();
  }
});
