/** Reading the inventory: the list of bindable resources, and what resolution compares. */
import { sql } from "kysely";
import * as v from "valibot";
import type { BindableResource, ProviderContext, TakenResource } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import { fold } from "../../shared/text.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { parseContext } from "../database/json.ts";
import { HostError } from "../errors.ts";
import type { CandidateTokens } from "./candidate-token.ts";
import { matchKey, pathKey } from "./matching.ts";
import type { FreeResource } from "./resolution.ts";

/** The requested part of the inventory. */
interface ResourcesQuery {
  readonly provider: HostedProvider;
  /** Substring of label or key; null for all. */
  readonly q: string | null;
  /** Resources per page; null for all of them. */
  readonly limit: number | null;
  /** `next_cursor` of the page before. */
  readonly cursor: string | null;
}

/** Visible resources of a provider with the active mapping of each, if any. */
function visible(scope: TeamScope, provider: HostedProvider) {
  return scope
    .resources()
    .leftJoin("mappings", (join) =>
      join
        .onRef("mappings.team_id", "=", "resources.team_id")
        .onRef("mappings.provider", "=", "resources.provider")
        .onRef("mappings.resource_ref", "=", "resources.stable_ref")
        .on("mappings.status", "=", "active")
        .on("mappings.deleted_at", "is", null),
    )
    .where("resources.provider", "=", provider)
    .where("resources.hidden_at", "is", null);
}

/**
 * A page of the inventory in display order, with who bound what.
 *
 * @throws HostError `invalid_request` when the cursor is not one of ours
 */
export async function listResources(
  scope: TeamScope,
  tokens: CandidateTokens,
  { provider, q, limit, cursor }: ResourcesQuery,
): Promise<{ resources: BindableResource[]; next_cursor: string | null }> {
  let query = visible(scope, provider)
    .leftJoin("projects", "projects.id", "mappings.project_id")
    .select([
      "resources.id",
      "resources.sort_key",
      "resources.display_label",
      "resources.provider_context",
      "mappings.binding_ref",
      "mappings.created_at as bound_at",
      "projects.slug as bound_project_slug",
    ])
    .orderBy("resources.sort_key")
    .orderBy("resources.display_label")
    .orderBy("resources.id");
  if (q !== null && q !== "") {
    const label = `%${fold(q).replace(/[\\%_]/g, "\\$&")}%`;
    const key = matchKey(q);
    query = query.where(({ eb, or, ref }) =>
      or([
        sql<boolean>`${ref("resources.sort_key")} like ${label} escape '\\'`,
        ...(key === "" ? [] : [eb("resources.display_key", "like", `%${key}%`)]),
      ]),
    );
  }
  if (cursor !== null) {
    const [sortKey, label, id] = parseCursor(cursor);
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple("resources.sort_key", "resources.display_label", "resources.id"),
        ">",
        tuple(sortKey, label, id),
      ),
    );
  }
  // One more than asked for tells whether there is another page.
  if (limit !== null) query = query.limit(limit + 1);
  const rows = await query.execute();
  const page = limit === null ? rows : rows.slice(0, limit);
  const last = rows.length > page.length ? page.at(-1) : undefined;
  return {
    resources: page.map((row) => ({
      candidate_token: tokens.issue({ teamId: scope.teamId, provider, resourceId: row.id }),
      display_label: row.display_label,
      provider,
      provider_context: parseContext(row.provider_context),
      binding_ref: row.binding_ref,
      bound_project_slug: row.bound_project_slug,
      bound_at: row.bound_at,
    })),
    next_cursor: last === undefined ? null : makeCursor([last.sort_key, last.display_label, last.id]),
  };
}

const Cursor = v.strictTuple([v.string(), v.string(), v.string()]);
type Cursor = v.InferOutput<typeof Cursor>;

function makeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function parseCursor(text: string): Cursor {
  try {
    return v.parse(Cursor, parseJson(Buffer.from(text, "base64url").toString("utf8")));
  } catch (cause) {
    const details = { cursor: "is not a next_cursor of this host" };
    throw new HostError("invalid_request", `cursor: ${details.cursor}`, { details, cause });
  }
}

/** A free resource with what an exact match answers. */
interface ResolvableResource extends FreeResource {
  readonly context: ProviderContext;
}

/** Free resources whose full path equals `path`; by index, whatever the inventory's size. */
export async function freeResourcesAt(
  scope: TeamScope,
  provider: HostedProvider,
  path: string,
): Promise<ResolvableResource[]> {
  const rows = await free(scope, provider)
    .select("resources.provider_context")
    .where("resources.path_key", "=", pathKey(path))
    .limit(2)
    .execute();
  return rows.map((row) => ({ ...toFree(row), context: parseContext(row.provider_context) }));
}

/** The resource whose full path equals `path`, where another project has it. */
export async function takenResourceAt(
  scope: TeamScope,
  provider: HostedProvider,
  path: string,
): Promise<TakenResource | null> {
  const row = await visible(scope, provider)
    .innerJoin("projects", "projects.id", "mappings.project_id")
    .select(["resources.display_label", "projects.slug as project_slug", "mappings.binding_ref"])
    .where("resources.path_key", "=", pathKey(path))
    .executeTakeFirst();
  if (row === undefined || row.binding_ref === null) return null;
  const { display_label, project_slug, binding_ref } = row;
  return { display_label, project_slug, binding_ref };
}

/** All free resources of a provider, in display order. */
export async function freeResources(scope: TeamScope, provider: HostedProvider): Promise<FreeResource[]> {
  const rows = await free(scope, provider)
    .orderBy("resources.sort_key")
    .orderBy("resources.display_label")
    .orderBy("resources.id")
    .execute();
  return rows.map(toFree);
}

function free(scope: TeamScope, provider: HostedProvider) {
  return visible(scope, provider)
    .where("mappings.binding_ref", "is", null)
    .select([
      "resources.id",
      "resources.stable_ref",
      "resources.display_label",
      "resources.sort_key",
      "resources.name_key",
      "resources.display_key",
      "resources.path_key",
    ]);
}

type FreeRow = Awaited<ReturnType<ReturnType<typeof free>["execute"]>>[number];

function toFree(row: FreeRow): FreeResource {
  return {
    id: row.id,
    stableRef: row.stable_ref,
    label: row.display_label,
    sortKey: row.sort_key,
    nameKey: row.name_key,
    displayKey: row.display_key,
    pathKey: row.path_key,
  };
}
