/**
 * Linear, through its GraphQL API (https://linear.app/developers/graphql).
 * The resource is a team.
 */
import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { LinearApi } from "./api.ts";
import { LinearDiscovery } from "./discovery.ts";

export const linear: HostedModule<"linear"> = {
  connect: (params, transport) => new ProviderConnector(new LinearApi(params, transport)),
  discover: (transport, baseUrl) => new LinearDiscovery(transport, baseUrl),
};
