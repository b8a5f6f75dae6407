import { providerName } from "../../../shared/providers.ts";
import { ConnectorConfigError } from "../../errors.ts";
import type { HostedModule } from "../../registry.ts";
import { ProviderConnector } from "../shared/provider-connector.ts";
import { TimedTransport } from "../shared/timed-transport.ts";
import { GitLabApi } from "./api.ts";
import { GitLabDiscovery } from "./discovery.ts";
import { GITLAB } from "./requests.ts";

/** GitLab projects: gitlab.com and servers of one's own, from GitLab 14 on. */
export const gitlab: HostedModule<"gitlab"> = {
  /** @throws ConnectorConfigError when the project is not named by its number: paths change */
  connect: ({ projectId }, transport) => {
    if (!/^[1-9]\d*$/.test(projectId)) {
      throw new ConnectorConfigError(
        GITLAB,
        `${providerName(GITLAB)}: params.projectId: must be the project's number.`,
      );
    }
    const timed = new TimedTransport(transport);
    return new ProviderConnector(new GitLabApi(projectId, timed), timed);
  },
  discover: (transport, baseUrl) => new GitLabDiscovery(transport, baseUrl),
};
