import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { TimedTransport } from "../shared/timed-transport.ts";
import { GitHubApi } from "./api.ts";
import { GitHubDiscovery } from "./discovery.ts";
import { GitHubRest } from "./rest.ts";

/** GitHub: the issues of one repository, over the REST API. */
export const github: HostedModule<"github"> = {
  connect: (params, transport) => {
    const timed = new TimedTransport(transport);
    return new ProviderConnector(new GitHubApi(params, new GitHubRest(timed)), timed);
  },
  discover: (transport, baseUrl) => new GitHubDiscovery(new GitHubRest(transport), baseUrl),
};
