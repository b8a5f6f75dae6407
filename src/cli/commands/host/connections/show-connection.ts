import type { Connection } from "../../../../protocol.ts";
import { type Invocation, print } from "../../../invocation.ts";
import { renderConnection } from "../../../render/connections.ts";

/** Prints a connection; returns exit code 1 when it does not work. */
export async function showConnection(invocation: Invocation, connection: Connection): Promise<number> {
  await print(invocation, connection, (_, style) => renderConnection(connection, style));
  return connection.status === "connected" ? 0 : 1;
}
