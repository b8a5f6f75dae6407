import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Gives issues the tables of the SDK's SQLite store: a mapping is a scope, and the journal has its own counter. */
export const storeScopes: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    for (const table of ["issues", "intents", "conflicts", "checkpoints"]) {
      await schema.alterTable(table).renameColumn("binding_ref", "scope").execute();
    }
    await schema.createIndex("conflicts_of_issue").on("conflicts").columns(["scope", "key"]).execute();

    await schema.alterTable("journal").renameTo("old_journal").execute();
    await schema.dropIndex("journal_in_order").execute();
    await schema
      .createTable("journal")
      .addColumn("sequence", "integer", (column) => column.primaryKey().autoIncrement())
      .addColumn("scope", "text", (column) => column.notNull().references("mappings.binding_ref"))
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("field", "text", (column) => column.notNull())
      .addColumn("changed_at", "text", (column) => column.notNull())
      .addUniqueConstraint("journal_key", ["scope", "key", "field"])
      .execute();
    await schema.createIndex("journal_in_order").on("journal").columns(["scope", "sequence"]).execute();
    await sql`
      insert into journal (scope, key, field, changed_at)
      select binding_ref, key, field, changed_at from old_journal order by sequence
    `.execute(database);
    await schema.dropTable("old_journal").execute();
    await schema.alterTable("sync_states").dropColumn("sequence").execute();
  },
};
