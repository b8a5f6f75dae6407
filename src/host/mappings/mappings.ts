import * as v from "valibot";
import {
  type BindConfirmResponse,
  type BindValidateResponse,
  ConnectorSettings,
  type Mapping,
  type ProjectIdentity,
  type ProviderContext,
  type RoutingKey,
} from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";
import { type HostedProvider, isHosted, providerName } from "../../shared/providers.ts";
import { Ownership } from "../../sync/ownership.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { parseContext, parseRouting, plainRef, type RoutingMetadata } from "../database/json.ts";
import { HostError } from "../errors.ts";
import { isSameProject, isSameRepository, type KnownMapping } from "../inventory/resolution.ts";
import { deriveBindingRef } from "./reference.ts";

export interface MappingView extends KnownMapping {
  readonly provider: string;
  readonly connectionId: string;
  readonly projectId: string;
  readonly label: string;
  readonly context: ProviderContext;
  readonly routing: RoutingMetadata;
  readonly ownership: Ownership;
  readonly settings: ConnectorSettings;
  readonly boundAt: string;
  readonly connected: boolean;
  /** Id of the inventory row; null when the resource is no longer visible. */
  readonly resourceId: string | null;
  /** The reason why no sync is possible; null when one is. */
  readonly problem: string | null;
}

function rows(scope: TeamScope, provider: HostedProvider) {
  return scope
    .mappings()
    .innerJoin("projects", "projects.id", "mappings.project_id")
    .innerJoin("connections", "connections.id", "mappings.connection_id")
    .leftJoin("resources", (join) =>
      join
        .onRef("resources.connection_id", "=", "mappings.connection_id")
        .onRef("resources.stable_ref", "=", "mappings.resource_ref")
        .on("resources.hidden_at", "is", null),
    )
    .select([
      "mappings.binding_ref",
      "mappings.provider",
      "mappings.connection_id",
      "mappings.project_id",
      "mappings.resource_ref",
      "mappings.display_label",
      "mappings.provider_context",
      "mappings.routing_metadata",
      "mappings.ownership",
      "mappings.connector_settings",
      "mappings.status",
      "mappings.deleted_at",
      "mappings.created_at",
      "projects.uuid as project_uuid",
      "projects.slug as project_slug",
      "projects.repo_host",
      "projects.repo_slug",
      "connections.status as connection_status",
      "connections.removed_at as connection_removed_at",
      "connections.error as connection_error",
      "resources.id as resource_id",
    ])
    .where("mappings.provider", "=", provider)
    .orderBy("mappings.created_at")
    .orderBy("mappings.project_id");
}

type MappingRow = Awaited<ReturnType<ReturnType<typeof rows>["execute"]>>[number];

function toView(row: MappingRow): MappingView {
  return {
    bindingRef: row.binding_ref,
    provider: row.provider,
    connectionId: row.connection_id,
    projectId: row.project_id,
    resourceRef: row.resource_ref,
    projectUuid: row.project_uuid,
    projectSlug: row.project_slug,
    repoHost: row.repo_host,
    repoSlug: row.repo_slug,
    state: row.deleted_at === null ? row.status : "deleted",
    label: row.display_label,
    context: parseContext(row.provider_context),
    routing: parseRouting(row.routing_metadata),
    ownership: v.parse(Ownership, parseJson(row.ownership ?? "{}")),
    settings: v.parse(ConnectorSettings, parseJson(row.connector_settings ?? "{}")),
    boundAt: row.created_at,
    connected: row.connection_removed_at === null && row.connection_status !== "revoked",
    resourceId: row.resource_id,
    problem: syncProblem(row),
  };
}

function syncProblem(row: MappingRow): string | null {
  if (row.connection_removed_at !== null) return `The connection to ${row.provider} was removed.`;
  if (row.connection_error !== null) return row.connection_error;
  if (row.resource_id === null) return `"${row.display_label}" is no longer visible to the connection.`;
  return null;
}

export async function listMappings(scope: TeamScope, provider: HostedProvider): Promise<MappingView[]> {
  return (await rows(scope, provider).where("mappings.deleted_at", "is", null).execute()).map(toView);
}

/** The mappings under a project's UUID, repository or slug, tombstones included. */
export async function mappingsOf(
  scope: TeamScope,
  provider: HostedProvider,
  { uuid, slug, repo_host, repo_slug }: ProjectIdentity,
): Promise<MappingView[]> {
  const projects = scope
    .projects()
    .select("projects.id")
    .where((where) =>
      where.or([
        where("projects.uuid", "=", uuid),
        where("projects.slug", "=", slug),
        ...(repo_host && repo_slug
          ? [
              where.and([
                where("projects.repo_host", "=", repo_host),
                where("projects.repo_slug", "=", repo_slug.toLowerCase()),
              ]),
            ]
          : []),
      ]),
    );
  return (await rows(scope, provider).where("mappings.project_id", "in", projects).execute()).map(toView);
}

/** The routing key: `binding_ref` before `project_slug`; null without both. */
export function routingKey(given: {
  readonly binding_ref?: string | null | undefined;
  readonly project_slug?: string | null | undefined;
}): RoutingKey | null {
  const { binding_ref, project_slug } = given;
  if (binding_ref) return { binding_ref };
  if (project_slug) return { project_slug };
  return null;
}

/**
 * The active mapping of a routing key. A slug that several projects share leads to the oldest mapping.
 *
 * @throws HostError `binding_not_found`, `mapping_disabled`
 */
export async function routeToMapping(
  scope: TeamScope,
  provider: HostedProvider,
  key: RoutingKey,
): Promise<MappingView> {
  const all = rows(scope, provider);
  const matching =
    "binding_ref" in key
      ? all.where("mappings.binding_ref", "=", key.binding_ref)
      : all.where("projects.slug", "=", key.project_slug);
  const found = (await matching.execute()).map(toView);
  const active = found.find(({ state }) => state === "active");
  if (active !== undefined) return active;
  const subject =
    "binding_ref" in key ? `binding ${key.binding_ref}` : `binding of project "${key.project_slug}"`;
  if (found.some(({ state }) => state === "disabled")) {
    throw new HostError("mapping_disabled", `The ${subject} is disabled.`, { provider });
  }
  if (found.length === 0) {
    const message = `The ${subject} does not exist for ${providerName(provider)}.`;
    throw new HostError("binding_not_found", message, { provider });
  }
  const details = { deleted: true };
  throw new HostError("binding_not_found", `The ${subject} was deleted.`, { provider, details });
}

/**
 * The active mapping with this reference, of any provider.
 *
 * @throws HostError `binding_not_found`, `mapping_disabled`
 */
export async function mappingByRef(scope: TeamScope, bindingRef: string): Promise<MappingView> {
  const row = await scope
    .mappings()
    .select("provider")
    .where("binding_ref", "=", bindingRef)
    .executeTakeFirst();
  if (row === undefined || !isHosted(row.provider)) {
    throw new HostError("binding_not_found", `The binding ${bindingRef} does not exist.`);
  }
  return routeToMapping(scope, row.provider, { binding_ref: bindingRef });
}

/**
 * Checks that a mapping's connection was not removed.
 *
 * @throws HostError `no_installation`
 */
export function requireConnected({ connected, provider }: MappingView): void {
  if (!connected) throw removedConnection(provider);
}

export function removedConnection(provider: string): HostError {
  return new HostError("no_installation", `The connection to ${providerName(provider)} was removed.`, {
    provider,
  });
}

/** Reports whether a project may use a binding reference, and the reason if it may not. */
export async function validateMapping(
  scope: TeamScope,
  provider: HostedProvider,
  bindingRef: string,
  identity: ProjectIdentity,
): Promise<BindValidateResponse> {
  const row = await rows(scope, provider).where("mappings.binding_ref", "=", bindingRef).executeTakeFirst();
  const invalid = (reason: string, guidance: string): BindValidateResponse => ({
    valid: false,
    binding_ref: bindingRef,
    reason,
    guidance,
  });
  if (row === undefined) {
    return invalid("mapping_deleted", `This team has no ${providerName(provider)} binding ${bindingRef}.`);
  }
  const mapping = toView(row);
  if (mapping.state === "deleted") {
    return invalid("mapping_deleted", `The binding to "${mapping.label}" was deleted.`);
  }
  if (!isSameProject(mapping, identity)) {
    return invalid("project_mismatch", `This binding belongs to project "${mapping.projectSlug}".`);
  }
  if (mapping.state === "disabled") {
    return invalid(
      "mapping_disabled",
      `The binding to "${mapping.label}" is disabled. An owner of the team can enable it.`,
    );
  }
  return {
    valid: true,
    binding_ref: mapping.bindingRef,
    display_label: mapping.label,
    provider: mapping.provider,
    provider_context: mapping.context,
  };
}

interface Confirmation {
  readonly provider: HostedProvider;
  readonly resourceId: string;
  readonly identity: ProjectIdentity;
}

/**
 * Binds a project to a resource; call it inside a transaction. Projects may share a resource. Confirming the same
 * pair again keeps the reference, and enables or revives the mapping; another resource replaces the project's
 * mapping.
 *
 * @throws HostError `invalid_candidate_token` when the resource is gone
 */
export async function confirmMapping(
  scope: TeamScope,
  { provider, resourceId, identity }: Confirmation,
): Promise<BindConfirmResponse> {
  const resource = await scope
    .resources()
    .select(["stable_ref", "connection_id", "display_label", "provider_context", "routing_metadata"])
    .where("id", "=", resourceId)
    .where("hidden_at", "is", null)
    .executeTakeFirst();
  if (resource === undefined) {
    throw new HostError(
      "invalid_candidate_token",
      "The chosen resource no longer exists. Resolve again and choose another one.",
      { provider },
    );
  }
  const { stable_ref: resourceRef, ...facts } = resource;
  const { projectId, projectUuid } = await claimProject(scope, identity);
  const own = (await rows(scope, provider).where("mappings.project_id", "=", projectId).execute()).map(
    toView,
  );
  const same = own.filter((mapping) => mapping.resourceRef === resourceRef);
  const kept = same.find(({ state }) => state !== "deleted") ?? same.at(-1);
  const at = scope.timestamp();
  const replaced = own.filter(
    ({ state, bindingRef }) => state !== "deleted" && bindingRef !== kept?.bindingRef,
  );
  for (const mapping of replaced) {
    await scope.updateMapping(mapping.bindingRef).set({ deleted_at: at, updated_at: at }).execute();
    await scope.audit("mapping.replaced", mapping.bindingRef, { provider, resource: mapping.resourceRef });
  }
  const { slug: teamSlug } = scope.principal.team;
  const bindingRef = kept?.bindingRef ?? deriveBindingRef({ teamSlug, provider, resourceRef, projectUuid });
  if (kept === undefined) {
    await scope
      .insertMapping({
        binding_ref: bindingRef,
        provider,
        project_id: projectId,
        resource_ref: resourceRef,
        ...facts,
        status: "active",
        deleted_at: null,
        created_at: at,
        created_by: scope.principal.user.id,
        updated_at: at,
      })
      .execute();
    await scope.audit("mapping.created", bindingRef, {
      provider,
      resource: resourceRef,
      project: identity.slug,
    });
  } else {
    await scope
      .updateMapping(bindingRef)
      .set({ ...facts, status: "active", deleted_at: null, updated_at: at })
      .execute();
    await scope.audit("mapping.confirmed", bindingRef, { provider, was: kept.state });
  }
  const before = replaced.find(({ state }) => state === "active");
  return {
    binding_ref: bindingRef,
    display_label: resource.display_label,
    provider,
    provider_context: parseContext(resource.provider_context),
    bound_at: kept?.boundAt ?? at,
    project_slug: identity.slug,
    ...(before !== undefined && { replaced_binding_ref: before.bindingRef }),
  };
}

/**
 * Deletes a mapping, so that its project can bind another resource. A tombstone stays, with which validation explains
 * the reference.
 *
 * @throws HostError `binding_not_found`
 */
export async function deleteMapping(scope: TeamScope, bindingRef: string): Promise<void> {
  await scope.transaction(async (transaction) => {
    const at = transaction.timestamp();
    const deleted = await transaction
      .updateMapping(bindingRef)
      .set({ deleted_at: at, updated_at: at })
      .where("deleted_at", "is", null)
      .executeTakeFirst();
    if (deleted.numUpdatedRows === 0n) {
      throw new HostError("binding_not_found", `The mapping ${bindingRef} does not exist.`);
    }
    await transaction.audit("mapping.deleted", bindingRef, {});
  });
}

/**
 * The project's row, found by UUID, by repository, or by slug for a client without UUIDs; else a new one. A project
 * keeps its UUID.
 */
async function claimProject(
  scope: TeamScope,
  identity: ProjectIdentity,
): Promise<{ readonly projectId: string; readonly projectUuid: string }> {
  const { uuid, slug } = identity;
  const at = scope.timestamp();
  const known = await findProjectRow(scope, identity);
  const repository = {
    repo_host: identity.repo_host ?? known?.repo_host ?? null,
    repo_slug: identity.repo_slug?.toLowerCase() ?? known?.repo_slug ?? null,
  };
  if (known === undefined) {
    const projectId = scope.newId();
    const row = { id: projectId, uuid, slug, ...repository, created_at: at, updated_at: at };
    await scope.insertProject(row).execute();
    return { projectId, projectUuid: uuid };
  }
  const projectUuid = known.uuid ?? uuid;
  const isCurrent =
    known.uuid === projectUuid &&
    known.slug === slug &&
    known.repo_host === repository.repo_host &&
    known.repo_slug === repository.repo_slug;
  if (!isCurrent) {
    const changes = { uuid: projectUuid, slug, ...repository, updated_at: at };
    await scope.updateProject(known.id).set(changes).execute();
  }
  return { projectId: known.id, projectUuid };
}

export async function projectUuidOf(scope: TeamScope, identity: ProjectIdentity): Promise<string> {
  return (await findProjectRow(scope, identity))?.uuid ?? identity.uuid;
}

async function findProjectRow(scope: TeamScope, identity: ProjectIdentity) {
  const { uuid, slug, repo_host, repo_slug } = identity;
  const projects = () => scope.projects().select(["id", "uuid", "slug", "repo_host", "repo_slug"]);
  const byUuid = await projects().where("uuid", "=", uuid).executeTakeFirst();
  if (byUuid !== undefined) return byUuid;
  if (repo_host && repo_slug) {
    const sameRepository = await projects()
      .where("repo_host", "=", repo_host)
      .where("repo_slug", "=", repo_slug.toLowerCase())
      .execute();
    const [one, ...others] = sameRepository.filter((row) =>
      isSameRepository({ projectUuid: row.uuid, repoHost: row.repo_host, repoSlug: row.repo_slug }, identity),
    );
    if (one !== undefined && others.length === 0) return one;
  }
  return projects().where("uuid", "is", null).where("slug", "=", slug).orderBy("id").executeTakeFirst();
}

/** The config upgrade for a project that is known by its slug only. */
export function upgradeOf({ bindingRef, label, context }: MappingView) {
  return { binding_ref: bindingRef, display_label: label, provider_context: context };
}

export function toWire(mapping: MappingView): Mapping {
  return {
    binding_ref: mapping.bindingRef,
    provider: mapping.provider,
    // Spec Kitty clients read the provider under this name.
    system: mapping.provider,
    project_slug: mapping.projectSlug,
    project_uuid: mapping.projectUuid,
    display_label: mapping.label,
    provider_context: mapping.context,
    status: mapping.state,
    bound_at: mapping.boundAt,
    wp_id: null,
    external_id: plainRef(mapping.routing, mapping.resourceRef),
    external_key: mapping.context.display_key ?? null,
    external_url: mapping.context.resource_url ?? null,
  };
}
