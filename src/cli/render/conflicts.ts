import type { Conflict } from "../../protocol.ts";
import { escapeText } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import type { Style } from "./style.ts";
import { fitFact, renderFacts, renderTable } from "./table.ts";

/** Width of the names of facts and of the gap after them. */
const FACTS_WIDTH = "External  ".length;

/** In a terminal conflicts are blocks, because both values need room. */
export function renderConflicts(conflicts: readonly Conflict[], style: Style): string {
  if (conflicts.length === 0) return "No conflict waits for a decision.\n";
  const drawn = style.isTerminal
    ? conflicts.map((conflict) => `${renderBlock(conflict, style)}\n`).join("")
    : renderRows(conflicts, style);
  return `${drawn}${HINTS.resolveConflict}\n`;
}

function renderRows(conflicts: readonly Conflict[], style: Style): string {
  const rows = conflicts.map(({ id, issue, field, local, remote }) => [
    { text: issue.key ?? issue.id },
    { text: issue.title },
    { text: field },
    { text: valueText(local) },
    { text: valueText(remote) },
    { text: id },
  ]);
  return renderTable(["Issue", "Title", "Field", "Local", "External", "Id"], rows, style);
}

function renderBlock({ id, issue, field, local, remote }: Conflict, style: Style): string {
  const title = `${issue.key ?? issue.id} ${field}: ${issue.title}`;
  const facts = renderFacts(
    [
      ["Local", fitFact(valueText(local), FACTS_WIDTH, style)],
      ["External", fitFact(valueText(remote), FACTS_WIDTH, style)],
      ["Id", id],
    ],
    style,
  );
  return `${style.colors.bold(fitFact(title, 0, style))}\n${facts}`;
}

export function renderDecision(
  { issue, field, local, remote }: Conflict,
  take: "local" | "external",
): string {
  const name = escapeText(`${issue.key ?? issue.id} ${field}`);
  const value = escapeText(valueText(take === "local" ? local : remote));
  const next = take === "local" ? `${HINTS.afterLocalDecision}\n` : "";
  return `Decided: ${name} is ${value} (${take})\n${next}`;
}

function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "none" : JSON.stringify(value);
}
