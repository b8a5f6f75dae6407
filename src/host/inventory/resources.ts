/** Reads of the inventory: the list of bindable resources, and the resources that resolution compares. */
import { sql } from "kysely";
import * as v from "valibot";
import type { BindableResource, ProviderContext } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import { fold } from "../../shared/text.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { parseContext } from "../database/json.ts";
import { HostError } from "../errors.ts";
import type { CandidateTokens } from "./candidate-token.ts";
import { matchKey, pathKey } from "./matching.ts";
import type { InventoryResource } from "./resolution.ts";

/** The limit of resources with one path or key: one per server, usually one in all. */
const MAX_AT_PATH = 20;

interface ResourcesQuery {
  readonly provider: HostedProvider;
  readonly q: string | null;
  readonly limit: number | null;
  readonly cursor: string | null;
}

function visible(scope: TeamScope, provider: HostedProvider) {
  return scope
    .resources()
    .where("resources.provider", "=", provider)
    .where("resources.hidden_at", "is", null);
}

async function bindingsOf(scope: TeamScope, provider: HostedProvider, stableRefs: readonly string[] | null) {
  let query = scope
    .mappings()
    .innerJoin("projects", "projects.id", "mappings.project_id")
    .select([
      "mappings.resource_ref",
      "mappings.binding_ref",
      "mappings.created_at as bound_at",
      "projects.slug as project_slug",
      "projects.uuid as project_uuid",
    ])
    .where("mappings.provider", "=", provider)
    .where("mappings.status", "=", "active")
    .where("mappings.deleted_at", "is", null)
    .orderBy("mappings.created_at")
    .orderBy("mappings.project_id");
  if (stableRefs !== null) query = query.where("mappings.resource_ref", "in", stableRefs);
  return Map.groupBy(await query.execute(), ({ resource_ref }) => resource_ref);
}

/**
 * A page of the inventory in display order, with the bindings of each resource.
 *
 * @throws HostError `invalid_request` when the cursor is invalid
 */
export async function listResources(
  scope: TeamScope,
  tokens: CandidateTokens,
  { provider, q, limit, cursor }: ResourcesQuery,
): Promise<{ resources: BindableResource[]; next_cursor: string | null }> {
  let query = visible(scope, provider)
    .select([
      "resources.id",
      "resources.stable_ref",
      "resources.sort_key",
      "resources.display_label",
      "resources.provider_context",
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
  // One row more than the limit shows that another page exists.
  if (limit !== null) query = query.limit(limit + 1);
  const rows = await query.execute();
  const page = limit === null ? rows : rows.slice(0, limit);
  const last = rows.length > page.length ? page.at(-1) : undefined;
  const bindings = await bindingsOf(
    scope,
    provider,
    limit === null ? null : page.map(({ stable_ref }) => stable_ref),
  );
  return {
    resources: page.map((row) => {
      const own = bindings.get(row.stable_ref) ?? [];
      const [oldest] = own;
      return {
        candidate_token: tokens.issue({ teamId: scope.teamId, provider, resourceId: row.id }),
        display_label: row.display_label,
        provider,
        provider_context: parseContext(row.provider_context),
        binding_ref: oldest?.binding_ref ?? null,
        bound_project_slug: oldest?.project_slug ?? null,
        bound_at: oldest?.bound_at ?? null,
        bindings: own.map(({ binding_ref, project_slug, bound_at }) => ({
          binding_ref,
          project_slug,
          bound_at,
        })),
      };
    }),
    next_cursor: last === undefined ? null : makeCursor([last.sort_key, last.display_label, last.id]),
  };
}

const ResourceCursor = v.strictTuple([v.string(), v.string(), v.string()]);
type ResourceCursor = v.InferOutput<typeof ResourceCursor>;

function makeCursor(cursor: ResourceCursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function parseCursor(text: string): ResourceCursor {
  try {
    return v.parse(ResourceCursor, parseJson(Buffer.from(text, "base64url").toString("utf8")));
  } catch (cause) {
    const details = { cursor: "is not a next_cursor of this host" };
    throw new HostError("invalid_request", `cursor: ${details.cursor}`, { details, cause });
  }
}

export interface ResolvableResource extends InventoryResource {
  readonly context: ProviderContext;
}

export async function resourcesAt(
  scope: TeamScope,
  provider: HostedProvider,
  path: string,
): Promise<ResolvableResource[]> {
  return toResolvable(
    await selected(scope, provider)
      .where("resources.path_key", "=", pathKey(path))
      .limit(MAX_AT_PATH)
      .execute(),
  );
}

export async function resourcesNamed(
  scope: TeamScope,
  provider: HostedProvider,
  displayKey: string,
): Promise<ResolvableResource[]> {
  const rows = await selected(scope, provider)
    .where(({ eb, or }) =>
      or([
        eb("resources.path_key", "=", pathKey(displayKey)),
        eb("resources.display_key", "=", matchKey(displayKey)),
      ]),
    )
    .limit(MAX_AT_PATH)
    .execute();
  return toResolvable(rows);
}

export async function resourceById(
  scope: TeamScope,
  provider: HostedProvider,
  id: string,
): Promise<ResolvableResource | null> {
  const rows = await selected(scope, provider).where("resources.id", "=", id).execute();
  return toResolvable(rows)[0] ?? null;
}

/** All resources of a provider, each with the projects bound to it except the given one. */
export async function rankableResources(
  scope: TeamScope,
  provider: HostedProvider,
  projectUuid: string,
): Promise<ResolvableResource[]> {
  const resources = toResolvable(await selected(scope, provider).execute());
  const bindings = await bindingsOf(scope, provider, null);
  return resources.map((resource) => {
    const others = (bindings.get(resource.stableRef) ?? []).filter(
      ({ project_uuid }) => project_uuid !== projectUuid,
    );
    return { ...resource, boundTo: others.map(({ project_slug }) => project_slug) };
  });
}

function selected(scope: TeamScope, provider: HostedProvider) {
  return visible(scope, provider).select([
    "resources.id",
    "resources.stable_ref",
    "resources.display_label",
    "resources.sort_key",
    "resources.name_key",
    "resources.display_key",
    "resources.path_key",
    "resources.provider_context",
  ]);
}

type SelectedRow = Awaited<ReturnType<ReturnType<typeof selected>["execute"]>>[number];

function toResolvable(rows: readonly SelectedRow[]): ResolvableResource[] {
  return rows.map((row) => {
    const context = parseContext(row.provider_context);
    return {
      id: row.id,
      stableRef: row.stable_ref,
      label: row.display_label,
      sortKey: row.sort_key,
      nameKey: row.name_key,
      displayKey: row.display_key,
      pathKey: row.path_key,
      webHost: hostOf(context.resource_url),
      boundTo: [],
      context,
    };
  });
}

function hostOf(url: string | undefined): string | null {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname.toLowerCase() : null;
}
