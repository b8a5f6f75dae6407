import { ConnectorConfigError } from "../sdk/errors.ts";
import type { OpenSource } from "./inventory.ts";

/**
 * Opens the discovery of a connection by its kind; connectors are loaded when
 * they are needed.
 *
 * @throws ConnectorConfigError when no connector serves that kind
 */
export const openSource: OpenSource = async ({ provider, kind }) => {
  if (kind !== "demo") throw new ConnectorConfigError(provider, `Nothing serves ${kind} connections.`);
  const { demoConnector } = await import("../sdk/connectors/memory/demo.ts");
  return demoConnector(provider);
};
