import { ConnectorConfigError } from "../../errors.ts";
import type { HostedModule } from "../../registry.ts";

export const github: HostedModule<"github"> = {
  connect: () => {
    throw new ConnectorConfigError("github", "in the making");
  },
  discover: () => {
    throw new ConnectorConfigError("github", "in the making");
  },
};
