/** Resolution of a project against the database; the decisions are in `inventory/resolution.ts`. */
import type {
  BindResolveRequest,
  BindResolveResponse,
  KnownBinding,
  ProjectIdentity,
} from "../../protocol.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { requireConnections } from "../connections/connections.ts";
import type { Sources } from "../connections/sources.ts";
import type { CandidateTokens } from "../inventory/candidate-token.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { exactMatch, rankCandidates } from "../inventory/resolution.ts";
import {
  type ResolvableResource,
  rankableResources,
  resourceById,
  resourcesAt,
  resourcesNamed,
} from "../inventory/resources.ts";
import { type MappingView, mappingsOf, projectUuidOf } from "../mappings/mappings.ts";
import { deriveBindingRef } from "../mappings/reference.ts";

interface ResolveServices {
  readonly scope: TeamScope;
  readonly sources: Sources;
  readonly inventory: Inventory;
  readonly tokens: CandidateTokens;
}

/**
 * Resolves a project to its mapping, one certain resource, or candidates. Only candidates need the inventory;
 * certainty costs indexed queries.
 *
 * @throws HostError `no_installation` when the provider is not connected
 */
export async function resolveProject(
  services: ResolveServices,
  provider: HostedProvider,
  { project_identity: identity, known }: Omit<BindResolveRequest, "provider">,
): Promise<BindResolveResponse> {
  const { scope, sources, inventory, tokens } = services;
  const connections = await requireConnections(scope, sources, provider);
  const issue = (resourceId: string) => tokens.issue({ teamId: scope.teamId, provider, resourceId });
  const mappings = await mappingsOf(scope, provider, identity);
  const mapped = exactMatch(identity, { mappings, known: null, atPath: [] });
  const own = mapped !== null && "mapping" in mapped ? mapped.mapping : null;
  // A reference that was never made here is from another clone, and newer than the mapping.
  const isForeign = known && !mappings.some(({ bindingRef }) => bindingRef === known.binding_ref);
  if (own !== null && !isForeign) return mappedAnswer(own, issue);
  const recorded = known ? await knownResource(services, provider, identity, known) : null;
  if (own !== null) {
    const reference = recorded === null ? null : await derivedRef(scope, provider, identity, recorded);
    if (reference === null || reference !== known?.binding_ref) return mappedAnswer(own, issue);
  }
  // A resource that the config names needs no inventory; all later steps do.
  if (recorded === null) await inventory.refreshForAnswer(scope, connections);
  const { repo_slug: path } = identity;
  const atPath = recorded !== null || path === null ? [] : await resourcesAt(scope, provider, path);
  const certain = exactMatch(identity, { mappings: own === null ? mappings : [], known: recorded, atPath });
  if (certain !== null && "resource" in certain) {
    const { resource } = certain;
    return {
      ...NOTHING,
      match_type: "exact",
      candidate_token: issue(resource.id),
      display_label: resource.label,
      provider_context: resource.context,
      derived_binding_ref: await derivedRef(scope, provider, identity, resource),
    };
  }
  const resources = await rankableResources(scope, provider, identity.uuid);
  const candidates = rankCandidates(identity, mappings, resources);
  return {
    ...NOTHING,
    match_type: candidates.length === 0 ? "none" : "candidates",
    candidates: candidates.map(({ resource, confidence, reason }, index) => ({
      candidate_token: issue(resource.id),
      display_label: resource.label,
      confidence,
      match_reason: reason,
      sort_position: index,
    })),
  };
}

const NOTHING: BindResolveResponse = {
  match_type: "none",
  candidate_token: null,
  binding_ref: null,
  display_label: null,
  project_slug: null,
  provider_context: null,
  candidates: [],
};

function mappedAnswer(mapping: MappingView, issue: (resourceId: string) => string): BindResolveResponse {
  return {
    ...NOTHING,
    match_type: "exact",
    candidate_token: mapping.resourceId === null ? null : issue(mapping.resourceId),
    binding_ref: mapping.bindingRef,
    display_label: mapping.label,
    project_slug: mapping.projectSlug,
    provider_context: mapping.context,
  };
}

async function derivedRef(
  scope: TeamScope,
  provider: HostedProvider,
  identity: ProjectIdentity,
  { stableRef }: ResolvableResource,
): Promise<string> {
  return deriveBindingRef({
    teamSlug: scope.principal.team.slug,
    provider,
    resourceRef: stableRef,
    projectUuid: await projectUuidOf(scope, identity),
  });
}

/**
 * The visible resource that a config names. Where the inventory lacks it, as in the first use of a clone, the
 * providers are asked for that one resource.
 */
async function knownResource(
  { scope, sources, inventory }: ResolveServices,
  provider: HostedProvider,
  identity: ProjectIdentity,
  { binding_ref, provider_context }: KnownBinding,
): Promise<ResolvableResource | null> {
  const { display_key: displayKey, resource_url: resourceUrl = null } = provider_context ?? {};
  if (displayKey === undefined) return null;
  const isMeant = ({ context }: ResolvableResource) =>
    resourceUrl === null || context.resource_url?.toLowerCase() === resourceUrl.toLowerCase();
  let found = (await resourcesNamed(scope, provider, displayKey)).filter(isMeant);
  if (found.length === 0) {
    const connections = await requireConnections(scope, sources, provider);
    const ids = await inventory.find(scope, connections, { displayKey, resourceUrl });
    const rows = await Promise.all(ids.map((id) => resourceById(scope, provider, id)));
    found = rows.filter((row) => row !== null);
  }
  for (const resource of found) {
    if ((await derivedRef(scope, provider, identity, resource)) === binding_ref) return resource;
  }
  const [resource, ...others] = found;
  return resource !== undefined && others.length === 0 ? resource : null;
}
