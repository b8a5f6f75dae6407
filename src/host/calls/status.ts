import type { HostedProvider } from "../../shared/providers.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { hostedProvider } from "../check.ts";
import { connectionsTo } from "../connections/connections.ts";
import { identityPathOf, lastSyncs, syncStateOf } from "../jobs/sync-state.ts";
import {
  listMappings,
  type MappingView,
  routeToMapping,
  routingKey,
  upgradeOf,
} from "../mappings/mappings.ts";
import type { Handlers } from "./handler.ts";

export const statusCalls = {
  /** Also answers `installationStatus`, the same request without a routing key. */
  status: async ({ scope }, query) => {
    const provider = hostedProvider(query.provider);
    const key = routingKey(query);
    if (key === null) return installationStatus(scope, provider);
    return projectStatus(scope, await routeToMapping(scope, provider, key));
  },
} satisfies Partial<Handlers>;

async function installationStatus(scope: TeamScope, provider: HostedProvider) {
  const connections = await connectionsTo(scope, provider);
  const mappings = await listMappings(scope, provider);
  const synced = await lastSyncs(scope);
  return {
    provider,
    connected: connections.some(({ status }) => status !== "revoked"),
    resource_count: connections.reduce((sum, connection) => sum + connection.resource_count, 0),
    bindings: mappings.map((mapping) => ({
      binding_ref: mapping.bindingRef,
      project_slug: mapping.projectSlug,
      display_label: mapping.label,
      status: mapping.state === "active" && mapping.problem !== null ? "error" : mapping.state,
      bound_at: mapping.boundAt,
      last_synced_at: synced.get(mapping.bindingRef) ?? null,
    })),
  };
}

async function projectStatus(scope: TeamScope, mapping: MappingView) {
  return {
    provider: mapping.provider,
    connected: mapping.connected,
    configured: true,
    ...upgradeOf(mapping),
    identity_path: identityPathOf(mapping),
    ...(await syncStateOf(scope, mapping)),
  };
}
