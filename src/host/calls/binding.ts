import { hostedProvider } from "../check.ts";
import { requireConnections } from "../connections/connections.ts";
import { listResources } from "../inventory/resources.ts";
import { confirmMapping, validateMapping } from "../mappings/mappings.ts";
import type { Handlers } from "./handler.ts";
import { resolveProject } from "./resolve.ts";

export const bindingCalls = {
  resources: async ({ scope, sources, inventory, tokens }, query) => {
    const provider = hostedProvider(query.provider);
    const connections = await requireConnections(scope, sources, provider);
    if (query.refresh === "1") await inventory.refreshNow(scope, connections);
    else await inventory.refreshForAnswer(scope, connections);
    const { q = null, limit = null, cursor = null } = query;
    const { resources, next_cursor } = await listResources(scope, tokens, { provider, q, limit, cursor });
    const [{ id: installation_id }] = connections;
    return { resources, installation_id, provider, ...(limit !== null && { next_cursor }) };
  },

  bindResolve: (services, { provider, ...request }) =>
    resolveProject(services, hostedProvider(provider), request),

  bindConfirm: async ({ scope, tokens }, { provider: name, candidate_token, project_identity }) => {
    const provider = hostedProvider(name);
    const resourceId = tokens.redeem(candidate_token, { teamId: scope.teamId, provider });
    return confirmMapping(scope, { provider, resourceId, identity: project_identity });
  },

  bindValidate: async ({ scope }, { provider, binding_ref, project_identity }) =>
    validateMapping(scope, hostedProvider(provider), binding_ref, project_identity),
} satisfies Partial<Handlers>;
