import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { TimedTransport } from "../shared/timed-transport.ts";
import { JiraApi } from "./api.ts";
import { JiraDiscovery } from "./discovery.ts";

export const jira: HostedModule<"jira"> = {
  connect: (params, transport) => {
    const timed = new TimedTransport(transport);
    return new ProviderConnector(new JiraApi(params, timed), timed);
  },
  discover: (transport, baseUrl) => new JiraDiscovery(transport, baseUrl),
};
