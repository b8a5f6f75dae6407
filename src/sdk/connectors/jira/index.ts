import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { JiraApi } from "./api.ts";
import { JiraDiscovery } from "./discovery.ts";

/** Jira Cloud. */
export const jira: HostedModule<"jira"> = {
  connect: (params, transport) => new ProviderConnector(new JiraApi(params, transport)),
  discover: (transport, baseUrl) => new JiraDiscovery(transport, baseUrl),
};
