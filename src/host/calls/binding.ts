import type { BindResolveRequest, BindResolveResponse } from "../../protocol.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { hostedProvider } from "../check.ts";
import { requireConnections } from "../connections/connections.ts";
import type { CandidateTokens } from "../inventory/candidate-token.ts";
import { certainMatch, rankCandidates } from "../inventory/resolution.ts";
import { freeResources, freeResourcesAt, listResources, takenResourceAt } from "../inventory/resources.ts";
import { confirmMapping, mappingsOf, validateMapping } from "../mappings/mappings.ts";
import type { Handlers } from "./handler.ts";

export const bindingCalls = {
  resources: async ({ scope, inventory, tokens }, query) => {
    const provider = hostedProvider(query.provider);
    const connections = await requireConnections(scope, provider);
    if (query.refresh === "1") {
      await inventory.refreshNow(scope, connections);
    } else {
      for (const connection of connections) inventory.refreshBehind(scope, connection);
    }
    const { q = null, limit = null, cursor = null } = query;
    const { resources, next_cursor } = await listResources(scope, tokens, { provider, q, limit, cursor });
    const [{ id: installation_id }] = connections;
    return { resources, installation_id, provider, ...(limit !== null && { next_cursor }) };
  },

  bindResolve: async ({ scope, inventory, tokens }, { provider: name, project_identity }) => {
    const provider = hostedProvider(name);
    for (const connection of await requireConnections(scope, provider)) {
      inventory.refreshBehind(scope, connection);
    }
    return resolve(scope, tokens, provider, project_identity);
  },

  bindConfirm: async ({ scope, tokens }, { provider: name, candidate_token, project_identity }) => {
    const provider = hostedProvider(name);
    const resourceId = tokens.redeem(candidate_token, { teamId: scope.teamId, provider });
    return confirmMapping(scope, { provider, resourceId, identity: project_identity });
  },

  bindValidate: async ({ scope }, { provider, binding_ref, project_identity }) =>
    validateMapping(scope, hostedProvider(provider), binding_ref, project_identity),
} satisfies Partial<Handlers>;

/** Rules 1 to 3 by indexed queries; only without certainty is the inventory read. */
async function resolve(
  scope: TeamScope,
  tokens: CandidateTokens,
  provider: HostedProvider,
  identity: BindResolveRequest["project_identity"],
): Promise<BindResolveResponse> {
  const issue = (resourceId: string) => tokens.issue({ teamId: scope.teamId, provider, resourceId });
  const nothing: BindResolveResponse = {
    match_type: "none",
    candidate_token: null,
    binding_ref: null,
    display_label: null,
    project_slug: null,
    provider_context: null,
    candidates: [],
  };
  const mappings = await mappingsOf(scope, provider, identity);
  const atPath =
    identity.repo_slug === null ? [] : await freeResourcesAt(scope, provider, identity.repo_slug);
  const certain = certainMatch(identity, mappings, atPath);
  if (certain !== null && "mapping" in certain) {
    const { mapping } = certain;
    // A confirm is not needed, but lets a project known by its slug alone get its uuid.
    const confirmable = mapping.projectUuid === null ? mapping.resourceId : null;
    return {
      ...nothing,
      match_type: "exact",
      candidate_token: confirmable === null ? null : issue(confirmable),
      binding_ref: mapping.bindingRef,
      display_label: mapping.label,
      project_slug: mapping.projectSlug,
      provider_context: mapping.context,
    };
  }
  if (certain !== null) {
    const { resource } = certain;
    return {
      ...nothing,
      match_type: "exact",
      candidate_token: issue(resource.id),
      display_label: resource.label,
      provider_context: resource.context,
    };
  }
  const taken =
    identity.repo_slug === null ? null : await takenResourceAt(scope, provider, identity.repo_slug);
  const uncertain = { ...nothing, ...(taken !== null && { taken }) };
  const candidates = rankCandidates(identity, mappings, await freeResources(scope, provider));
  if (candidates.length === 0) return uncertain;
  return {
    ...uncertain,
    match_type: "candidates",
    candidates: candidates.map(({ resource, confidence, reason }, index) => ({
      candidate_token: issue(resource.id),
      display_label: resource.label,
      confidence,
      match_reason: reason,
      sort_position: index,
    })),
  };
}
