import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

export const sync: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;

    for (const [name, type] of [
      ["payload", "text"],
      ["attempts", "integer"],
      ["user_id", "text"],
      ["idempotency_key", "text"],
      ["fingerprint", "text"],
    ] as const) {
      await schema.alterTable("operations").addColumn(name, type).execute();
    }
    await schema
      .createIndex("operations_by_idempotency_key")
      .on("operations")
      .columns(["team_id", "idempotency_key"])
      .unique()
      .where(sql.ref("idempotency_key"), "is not", null)
      .execute();
    await schema
      .createIndex("operations_unfinished")
      .on("operations")
      .column("lease_expires_at")
      .where(sql.ref("lease_expires_at"), "is not", null)
      .execute();
    await schema
      .createTable("operation_items")
      .addColumn("operation_id", "text", (column) =>
        column.notNull().references("operations.id").onDelete("cascade"),
      )
      .addColumn("position", "integer", (column) => column.notNull())
      .addColumn("item", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("operation_items_key", ["operation_id", "position"])
      .execute();
    await schema.alterTable("mappings").addColumn("ownership", "text").execute();

    await schema
      .createTable("sync_states")
      .addColumn("binding_ref", "text", (column) => column.primaryKey().references("mappings.binding_ref"))
      .addColumn("sequence", "integer", (column) => column.notNull())
      .addColumn("last_synced_at", "text")
      .addColumn("last_error", "text")
      .addColumn("lease_owner", "text")
      .addColumn("lease_expires_at", "text")
      .execute();

    await schema
      .createTable("checkpoints")
      .addColumn("binding_ref", "text", (column) => column.notNull().references("mappings.binding_ref"))
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("checkpoint", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("checkpoints_key", ["binding_ref", "name"])
      .execute();

    await schema
      .createTable("issues")
      .addColumn("binding_ref", "text", (column) => column.notNull().references("mappings.binding_ref"))
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("identity", "text")
      .addColumn("ref", "text")
      .addColumn("fields", "text", (column) => column.notNull())
      .addColumn("base_fields", "text")
      .addColumn("base_raw", "text")
      .addColumn("base_revision", "text")
      .addColumn("base_created_at", "text")
      .addColumn("base_updated_at", "text")
      .addColumn("deleted_at", "text")
      .addPrimaryKeyConstraint("issues_key", ["binding_ref", "key"])
      .addUniqueConstraint("issues_identity", ["binding_ref", "identity"])
      .execute();

    await schema
      .createIndex("issues_present")
      .on("issues")
      .columns(["binding_ref", "deleted_at"])
      .where(sql.ref("deleted_at"), "is", null)
      .execute();

    await schema
      .createTable("journal")
      .addColumn("binding_ref", "text", (column) => column.notNull().references("mappings.binding_ref"))
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("field", "text", (column) => column.notNull())
      .addColumn("sequence", "integer", (column) => column.notNull())
      .addColumn("changed_at", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("journal_key", ["binding_ref", "key", "field"])
      .execute();
    await schema
      .createIndex("journal_in_order")
      .on("journal")
      .columns(["binding_ref", "sequence"])
      .unique()
      .execute();

    await schema
      .createTable("intents")
      .addColumn("binding_ref", "text", (column) => column.notNull().references("mappings.binding_ref"))
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("idempotency_key", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("intents_key", ["binding_ref", "key"])
      .execute();

    await schema
      .createTable("conflicts")
      .addColumn("binding_ref", "text", (column) => column.notNull().references("mappings.binding_ref"))
      .addColumn("id", "text", (column) => column.notNull())
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("field", "text", (column) => column.notNull())
      .addColumn("base", "text", (column) => column.notNull())
      .addColumn("local", "text", (column) => column.notNull())
      .addColumn("remote", "text", (column) => column.notNull())
      .addColumn("resolution", "text")
      .addPrimaryKeyConstraint("conflicts_key", ["binding_ref", "id"])
      .execute();
    await schema
      .createIndex("conflicts_open")
      .on("conflicts")
      .columns(["binding_ref", "key"])
      .where(sql.ref("resolution"), "is", null)
      .execute();
  },
};
