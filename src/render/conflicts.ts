import type { Conflict } from "../protocol.ts";
import { escapeText } from "../shared/text.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** Draws conflicts as a table, and how one is decided. */
export function renderConflicts(conflicts: readonly Conflict[], style: Style): string {
  const [first] = conflicts;
  if (first === undefined) return "No conflict waits for a decision.\n";
  const rows = conflicts.map(({ id, issue, field, local, remote }) => [
    { text: issue.key ?? issue.id, paint: style.colors.bold },
    { text: issue.title },
    { text: field },
    { text: valueText(local) },
    { text: valueText(remote) },
    { text: id, isWhole: true },
  ]);
  const table = renderTable(["Issue", "Title", "Field", "Local", "External", "Id"], rows, style);
  return `${table}Decide one: tracker sync resolve <id> --take local|external\n`;
}

/** Draws a conflict that was decided. */
export function renderDecision(
  { issue, field, local, remote }: Conflict,
  take: "local" | "external",
): string {
  const name = escapeText(`${issue.key ?? issue.id} ${field}`);
  const value = escapeText(valueText(take === "local" ? local : remote));
  const next = take === "local" ? "Next: tracker sync run\n" : "";
  return `Decided: ${name} is ${value} (${take})\n${next}`;
}

/** A field's value as people read it. */
function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "none" : JSON.stringify(value);
}
