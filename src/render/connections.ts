import type { Connection } from "../protocol.ts";
import { count, escapeText } from "../shared/text.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** Draws one connection in a sentence, and what it leads to next. */
export function renderConnection(connection: Connection, { colors }: Style): string {
  const { provider, account_label, resource_count, error } = connection;
  const label = escapeText(`${provider}: ${account_label}, ${count(resource_count, "resource")}`);
  if (error !== null) return `${colors.red("Degraded")} ${label}\n${escapeText(error)}\n`;
  return `${colors.green("Connected")} ${label}\nNext: tracker bind --provider ${escapeText(provider)}\n`;
}

/** Draws connections as a table. */
export function renderConnections(connections: readonly Connection[], style: Style): string {
  if (connections.length === 0) return "Nothing is connected.\nNext: tracker host connect <provider>\n";
  const rows = connections.map((connection) => [
    { text: connection.provider },
    { text: connection.account_label },
    { text: connection.status },
    { text: String(connection.resource_count) },
    { text: connection.last_refreshed_at ?? "never" },
    { text: connection.connection_id },
  ]);
  return renderTable(["Provider", "Account", "Status", "Resources", "Refreshed", "Id"], rows, style);
}
