import { ConnectorConfigError } from "../../errors.ts";
import type { HostedModule } from "../../registry.ts";

export const jira: HostedModule<"jira"> = {
  connect: () => {
    throw new ConnectorConfigError("jira", "in the making");
  },
  discover: () => {
    throw new ConnectorConfigError("jira", "in the making");
  },
};
