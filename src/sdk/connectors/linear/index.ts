/** Linear's teams, through its GraphQL API (https://linear.app/developers/graphql). */
import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { TimedTransport } from "../shared/timed-transport.ts";
import { LinearApi } from "./api.ts";
import { LinearDiscovery } from "./discovery.ts";

export const linear: HostedModule<"linear"> = {
  connect: (params, transport) => {
    const timed = new TimedTransport(transport);
    return new ProviderConnector(new LinearApi(params, timed), timed);
  },
  discover: (transport, baseUrl) => new LinearDiscovery(transport, baseUrl),
};
