import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";
import { parseRouting, qualifiedRef } from "../json.ts";

/** Connections with credentials, several of one kind next to each other, and operations. */
export const providerConnections: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;

    await schema.alterTable("connections").addColumn("base_url", "text").execute();
    await schema.alterTable("connections").addColumn("secret", "text").execute();
    // Earlier versions had demo data only.
    await schema
      .alterTable("connections")
      .addColumn("target", "text", (column) => column.notNull().defaultTo("demo"))
      .execute();
    await schema.dropIndex("connections_of_team").execute();
    await schema
      .createIndex("connections_by_target")
      .on("connections")
      .columns(["team_id", "provider", "kind", "target"])
      .unique()
      .execute();

    await schema
      .createTable("operations")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("done", "integer", (column) => column.notNull())
      .addColumn("total", "integer")
      .addColumn("result", "text")
      .addColumn("error", "text")
      .addColumn("lease_expires_at", "text")
      .addColumn("created_at", "text", (column) => column.notNull())
      .addColumn("updated_at", "text", (column) => column.notNull())
      .execute();
    await schema
      .createIndex("operations_by_age")
      .on("operations")
      .columns(["team_id", "created_at"])
      .execute();

    await qualifyRefs(database, "resources", "id", "stable_ref");
    await qualifyRefs(database, "mappings", "binding_ref", "resource_ref");
  },
};

async function qualifyRefs(
  database: Kysely<unknown>,
  table: "resources" | "mappings",
  key: "id" | "binding_ref",
  column: "stable_ref" | "resource_ref",
): Promise<void> {
  const { rows } = await sql<{ key: string; ref: string; routing: string }>`
    select ${sql.ref(key)} as key, ${sql.ref(column)} as ref, routing_metadata as routing from ${sql.table(table)}
  `.execute(database);
  for (const { key: id, ref, routing } of rows) {
    const qualified = qualifiedRef(parseRouting(routing).connector_params, ref);
    if (qualified === ref) continue;
    await sql`
      update ${sql.table(table)} set ${sql.ref(column)} = ${qualified} where ${sql.ref(key)} = ${id}
    `.execute(database);
  }
}
