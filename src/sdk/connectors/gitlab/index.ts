import { ConnectorConfigError } from "../../errors.ts";
import type { HostedModule } from "../../registry.ts";

export const gitlab: HostedModule<"gitlab"> = {
  connect: () => {
    throw new ConnectorConfigError("gitlab", "in the making");
  },
  discover: () => {
    throw new ConnectorConfigError("gitlab", "in the making");
  },
};
