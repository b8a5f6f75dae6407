import { ConnectorConfigError } from "../../errors.ts";
import type { HostedModule } from "../../registry.ts";

export const linear: HostedModule<"linear"> = {
  connect: () => {
    throw new ConnectorConfigError("linear", "in the making");
  },
  discover: () => {
    throw new ConnectorConfigError("linear", "in the making");
  },
};
