import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

export const connectorSettings: Migration = {
  async up(database: Kysely<unknown>) {
    await database.schema.alterTable("mappings").addColumn("connector_settings", "text").execute();
  },
};
