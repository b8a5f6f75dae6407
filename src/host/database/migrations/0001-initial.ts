import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

export const initial: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;

    await schema
      .createTable("settings")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "text", (column) => column.notNull())
      .execute();

    await schema
      .createTable("teams")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("slug", "text", (column) => column.notNull().unique())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("created_at", "text", (column) => column.notNull())
      .execute();

    await schema
      .createTable("users")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("email", "text")
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("created_at", "text", (column) => column.notNull())
      .execute();

    await schema
      .createTable("memberships")
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("user_id", "text", (column) => column.notNull().references("users.id"))
      .addColumn("role", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("memberships_key", ["team_id", "user_id"])
      .execute();

    await schema
      .createTable("tokens")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("user_id", "text", (column) => column.notNull().references("users.id"))
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("hash", "text", (column) => column.notNull().unique())
      .addColumn("created_at", "text", (column) => column.notNull())
      .addColumn("revoked_at", "text")
      .execute();

    await schema
      .createTable("connections")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("provider", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("account_label", "text", (column) => column.notNull())
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("error", "text")
      .addColumn("resource_count", "integer", (column) => column.notNull())
      .addColumn("last_refreshed_at", "text")
      .addColumn("created_at", "text", (column) => column.notNull())
      .addColumn("updated_at", "text", (column) => column.notNull())
      .addColumn("removed_at", "text")
      .execute();
    await schema
      .createIndex("connections_of_team")
      .on("connections")
      .columns(["team_id", "provider", "kind"])
      .unique()
      .execute();

    await schema
      .createTable("workspaces")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("connection_id", "text", (column) => column.notNull().references("connections.id"))
      .addColumn("stable_ref", "text", (column) => column.notNull())
      .addColumn("display", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("provider_context", "text", (column) => column.notNull())
      .addColumn("updated_at", "text", (column) => column.notNull())
      .addUniqueConstraint("workspaces_stable_ref", ["connection_id", "stable_ref"])
      .execute();

    await schema
      .createTable("resources")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("provider", "text", (column) => column.notNull())
      .addColumn("connection_id", "text", (column) => column.notNull().references("connections.id"))
      .addColumn("workspace_id", "text", (column) => column.notNull().references("workspaces.id"))
      .addColumn("stable_ref", "text", (column) => column.notNull())
      .addColumn("display_label", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("provider_context", "text", (column) => column.notNull())
      .addColumn("routing_metadata", "text", (column) => column.notNull())
      .addColumn("sort_key", "text", (column) => column.notNull())
      .addColumn("name_key", "text", (column) => column.notNull())
      .addColumn("display_key", "text", (column) => column.notNull())
      .addColumn("path_key", "text")
      .addColumn("updated_at", "text", (column) => column.notNull())
      .addColumn("hidden_at", "text")
      .addUniqueConstraint("resources_stable_ref", ["connection_id", "stable_ref"])
      .execute();
    const visible = sql.ref("hidden_at");
    await schema
      .createIndex("resources_in_display_order")
      .on("resources")
      .columns(["team_id", "provider", "sort_key", "display_label", "id"])
      .where(visible, "is", null)
      .execute();
    for (const key of ["name_key", "display_key", "path_key"] as const) {
      await schema
        .createIndex(`resources_by_${key}`)
        .on("resources")
        .columns(["team_id", "provider", key])
        .where(visible, "is", null)
        .execute();
    }

    await schema
      .createTable("projects")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("uuid", "text")
      .addColumn("slug", "text", (column) => column.notNull())
      .addColumn("created_at", "text", (column) => column.notNull())
      .addColumn("updated_at", "text", (column) => column.notNull())
      .addUniqueConstraint("projects_uuid", ["team_id", "uuid"])
      .execute();
    await schema.createIndex("projects_by_slug").on("projects").columns(["team_id", "slug"]).execute();

    await schema
      .createTable("mappings")
      .addColumn("binding_ref", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("provider", "text", (column) => column.notNull())
      .addColumn("connection_id", "text", (column) => column.notNull().references("connections.id"))
      .addColumn("project_id", "text", (column) => column.notNull().references("projects.id"))
      .addColumn("resource_ref", "text", (column) => column.notNull())
      .addColumn("display_label", "text", (column) => column.notNull())
      .addColumn("provider_context", "text", (column) => column.notNull())
      .addColumn("routing_metadata", "text", (column) => column.notNull())
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("deleted_at", "text")
      .addColumn("created_at", "text", (column) => column.notNull())
      .addColumn("created_by", "text", (column) => column.notNull().references("users.id"))
      .addColumn("updated_at", "text", (column) => column.notNull())
      .execute();
    for (const [name, column] of [
      ["mappings_one_per_resource", "resource_ref"],
      ["mappings_one_per_project", "project_id"],
    ] as const) {
      await schema
        .createIndex(name)
        .on("mappings")
        .columns(["team_id", "provider", column])
        .unique()
        .where(sql.ref("status"), "=", sql.lit("active"))
        .where(sql.ref("deleted_at"), "is", null)
        .execute();
    }
    await schema
      .createIndex("mappings_of_project")
      .on("mappings")
      .columns(["project_id", "provider"])
      .execute();

    await schema
      .createTable("idempotency")
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("fingerprint", "text", (column) => column.notNull())
      .addColumn("answer", "text", (column) => column.notNull())
      .addColumn("created_at", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("idempotency_key", ["team_id", "key"])
      .execute();
    await schema.createIndex("idempotency_by_age").on("idempotency").column("created_at").execute();

    await schema
      .createTable("audit")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("team_id", "text", (column) => column.notNull().references("teams.id"))
      .addColumn("user_id", "text", (column) => column.notNull().references("users.id"))
      .addColumn("action", "text", (column) => column.notNull())
      .addColumn("subject", "text", (column) => column.notNull())
      .addColumn("details", "text", (column) => column.notNull())
      .addColumn("at", "text", (column) => column.notNull())
      .execute();
  },
};
