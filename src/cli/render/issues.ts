import type { Named, Ticket } from "../../protocol.ts";
import { timeAgo } from "../../shared/text.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** @param now milliseconds since the epoch */
export function renderIssues(tickets: readonly Ticket[], now: number, style: Style): string {
  const rows = tickets.map(({ external_issue_id, identifier, title, state, assignee, updated_at }) => [
    { text: identifier ?? external_issue_id, paint: style.colors.bold, isWhole: true },
    { text: title },
    { text: state.name },
    { text: nameOf(assignee) },
    { text: updated_at === null ? "" : timeAgo(updated_at, now), paint: style.colors.dim },
  ]);
  return renderTable(["Key", "Title", "Status", "Assignee", "Updated"], rows, style);
}

function nameOf(named: Named): string {
  if (named === null || typeof named === "string") return named ?? "";
  return named.name ?? String(named.id ?? "");
}
