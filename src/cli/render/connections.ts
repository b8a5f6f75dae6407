import type { Connection } from "../../protocol.ts";
import { providerName } from "../../shared/providers.ts";
import { count, escapeText, timeAgo } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** The escaped provider, account and resources. */
export function renderConnectionTitle({ provider, account_label, resource_count }: Connection): string {
  return escapeText(`${providerName(provider)}: ${account_label}, ${count(resource_count, "resource")}`);
}

export function renderConnection(connection: Connection, { colors }: Style): string {
  const { connection_id, status, resource_count, error } = connection;
  const title = renderConnectionTitle(connection);
  if (status !== "connected") {
    const state = `${status.charAt(0).toUpperCase()}${status.slice(1)}`;
    return [
      `${colors.red(state)} ${title}\n`,
      error === null ? "" : `${escapeText(error)}\n`,
      `${escapeText(HINTS.refreshConnection(connection_id))}\n`,
      `${escapeText(HINTS.connectAgain(connection.provider))}\n`,
    ].join("");
  }
  const next =
    resource_count === 0
      ? "Its credential can see no resource to bind. Check its permissions.\n"
      : `${escapeText(HINTS.afterConnect(connection.provider))}\n`;
  return `${colors.green("Connected")} ${title}\n${next}`;
}

/**
 * Shows addresses when one is not the provider's default.
 *
 * @param now milliseconds since the epoch
 */
export function renderConnections(connections: readonly Connection[], now: number, style: Style): string {
  if (connections.length === 0) return `No provider is connected.\n${HINTS.noConnections}\n`;
  const columns: readonly (readonly [title: string, cell: (connection: Connection) => string])[] = [
    ["Provider", ({ provider }) => provider],
    ["Account", ({ account_label }) => account_label],
    ...(connections.every(({ base_url }) => base_url === null)
      ? []
      : [["Address", ({ base_url }: Connection) => base_url ?? ""] as const]),
    ["Resources", ({ resource_count }) => String(resource_count)],
    ["State", ({ status, error }) => (error === null ? status : `${status}: ${error}`)],
    ["Refreshed", ({ last_refreshed_at: at }) => (at === null ? "never" : timeAgo(at, now))],
    ["Id", ({ connection_id }) => connection_id],
  ];
  return renderTable(
    columns.map(([title]) => title),
    connections.map((connection) =>
      columns.map(([title, cell]) => ({ text: cell(connection), isWhole: title === "Id" })),
    ),
    style,
  );
}
