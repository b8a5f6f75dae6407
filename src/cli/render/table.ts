import { displayWidth, escapeText, padEnd, truncate } from "../../shared/text.ts";
import type { Style } from "./style.ts";

const GAP = "  ";
/** A column keeps this many columns of the terminal while another can be cut. */
const NARROWEST = 6;

/** A cell of untrusted text, colored after it has its final width. */
interface Cell {
  readonly text: string;
  /** Its column is cut last: other commands need the whole text. */
  readonly isWhole?: boolean;
  readonly paint?: (text: string) => string;
}

/**
 * In a terminal the table fits the width: the widest columns are cut with an ellipsis and no row wraps.
 * Elsewhere cells are whole and separated by tabs. Every cell is escaped.
 */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  style: Style,
): string {
  const head = header.map((text): Cell => ({ text, paint: style.colors.bold }));
  const lines = [head, ...rows].map((row) =>
    row.map(({ text, paint }) => ({ text: escapeText(text), paint })),
  );
  if (!style.isTerminal) {
    return lines.map((row) => `${row.map(({ text, paint }) => paint?.(text) ?? text).join("\t")}\n`).join("");
  }
  const widths = fitWidths(
    header.map((_, column) => Math.max(...lines.map((row) => displayWidth(row[column]?.text ?? "")))),
    style.width - GAP.length * (header.length - 1),
    header.map((_, column) => rows.some((row) => row[column]?.isWhole === true)),
  );
  const drawCell = (
    { text, paint }: (typeof lines)[number][number],
    column: number,
    isLast: boolean,
  ): string => {
    const width = widths[column] ?? 0;
    const cut = truncate(text, width, style.glyphs.ellipsis);
    const painted = paint?.(cut) ?? cut;
    return isLast ? painted : painted + " ".repeat(Math.max(0, width - displayWidth(cut)));
  };
  return lines
    .map(
      (row) => `${row.map((cell, column) => drawCell(cell, column, column === row.length - 1)).join(GAP)}\n`,
    )
    .join("");
}

/**
 * Narrows the widest columns until all fit into `room`: whole columns only where the others do not suffice, and
 * any below {@link NARROWEST} only as the last resort.
 */
function fitWidths(wanted: readonly number[], room: number, areWhole: readonly boolean[]): number[] {
  const kept = wanted.filter((_, column) => areWhole[column] === true);
  const others = wanted.filter((_, column) => areWhole[column] !== true);
  const narrowed = narrow(others, room - sumOf(kept), NARROWEST);
  if (sumOf(kept) + sumOf(narrowed) > room) return narrow(narrow(wanted, room, NARROWEST), room, 1);
  const widths = narrowed.values();
  return wanted.map((width, column) => (areWhole[column] === true ? width : (widths.next().value ?? width)));
}

function sumOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0);
}

function narrow(wanted: readonly number[], room: number, narrowest: number): number[] {
  const widths = [...wanted];
  let excess = sumOf(widths) - room;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= narrowest) break;
    const second = Math.max(narrowest, ...widths.filter((width) => width < widest));
    const columns = widths.flatMap((width, column) => (width === widest ? [column] : []));
    const step = Math.max(1, Math.min(widest - second, Math.ceil(excess / columns.length)));
    for (const column of columns) widths[column] = widest - step;
    excess -= step * columns.length;
  }
  return widths;
}

/** Draws aligned `name  value` lines; omits facts without a value. */
export function renderFacts(
  facts: readonly (readonly [name: string, value: string | number | null | undefined])[],
  style: Style,
): string {
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown
    .map(([name, value]) => `${style.colors.dim(padEnd(name, width))}  ${escapeText(String(value))}\n`)
    .join("");
}

/**
 * Fits a fact on one line of a terminal; elsewhere it stays whole.
 *
 * @param before columns that the line has already used
 */
export function fitFact(text: string, before: number, { isTerminal, width, glyphs }: Style): string {
  return isTerminal ? truncate(escapeText(text), width - before, glyphs.ellipsis) : text;
}
