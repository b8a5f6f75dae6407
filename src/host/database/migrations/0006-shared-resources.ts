import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * Lets projects share a resource and identifies a project by its repository as well. References of existing mappings
 * do not change.
 */
export const sharedResources: Migration = {
  async up(database: Kysely<unknown>) {
    const { schema } = database;
    await schema.alterTable("projects").addColumn("repo_host", "text").execute();
    await schema.alterTable("projects").addColumn("repo_slug", "text").execute();
    await schema
      .createIndex("projects_by_repository")
      .on("projects")
      .columns(["team_id", "repo_host", "repo_slug"])
      .execute();
    await schema.dropIndex("mappings_one_per_resource").execute();
    await schema
      .createIndex("mappings_of_resource")
      .on("mappings")
      .columns(["team_id", "provider", "resource_ref"])
      .where(sql.ref("deleted_at"), "is", null)
      .execute();
  },
};
