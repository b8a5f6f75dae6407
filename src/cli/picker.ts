/** Prompts for one resource: a searchable list in a full terminal, numbered lines elsewhere. */
import { choiceOf, type NumberedResource, narrowResources } from "../discovery.ts";
import { isOn } from "../shared/io.ts";
import { escapeText } from "../shared/text.ts";
import type { Invocation } from "./invocation.ts";
import { renderCandidates } from "./render/candidates.ts";
import { type Style, styleOf } from "./render/style.ts";

const MAX_LINES = 10;
/** Narrower terminals get numbered lines. */
const MIN_COLUMNS = 40;
const MIN_ROWS = 10;

/** Null when the person cancels. */
export async function pickResource(
  invocation: Invocation,
  rows: readonly NumberedResource[],
): Promise<NumberedResource | null> {
  return isFullTerminal(invocation) ? pickBySearch(invocation, rows) : pickByLine(invocation, rows);
}

function isFullTerminal({ io, context: { env } }: Invocation): boolean {
  const wantsPlain = env.TERM === "dumb" || isOn(env.TRACKER_ACCESSIBLE) || isOn(env.ACCESSIBLE);
  return !wantsPlain && io.unicode && io.stderr.columns >= MIN_COLUMNS && io.stderr.rows >= MIN_ROWS;
}

async function pickBySearch(
  { io }: Invocation,
  rows: readonly NumberedResource[],
): Promise<NumberedResource | null> {
  const { autocomplete, isCancel } = await import("@clack/prompts");
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  const fitting = fittingBy(rows);
  const chosen = await io.stdin.withTerminal(({ input, output }) =>
    autocomplete<number>({
      message: "Bind to",
      placeholder: `Type to search ${rows.length.toLocaleString("en-US")} resources`,
      options: rows.map((row) => ({ value: row.number, label: labelOf(row), ...hintOf(row) })),
      filter: (text, { value }) => fitting(text).has(value),
      maxItems: MAX_LINES,
      input,
      output,
    }),
  );
  return isCancel(chosen) ? null : (byNumber.get(chosen) ?? null);
}

/** Narrows once per text: clack calls a filter for every row. */
function fittingBy(rows: readonly NumberedResource[]): (text: string) => ReadonlySet<number> {
  let last: { readonly text: string; readonly numbers: ReadonlySet<number> } | null = null;
  return (text) => {
    if (last?.text !== text) {
      last = { text, numbers: new Set(narrowResources(rows, text).map(({ number }) => number)) };
    }
    return last.numbers;
  };
}

function labelOf({ label }: NumberedResource): string {
  return escapeText(label);
}

function hintOf({ candidate }: NumberedResource) {
  return candidate === null ? {} : { hint: escapeText(candidate.match_reason) };
}

/** Reads one line at a time: a number chooses a shown line, other text searches, the end of the input cancels. */
async function pickByLine(
  { io }: Invocation,
  rows: readonly NumberedResource[],
): Promise<NumberedResource | null> {
  const style = await styleOf(io, io.stderr);
  let found: readonly NumberedResource[] = rows;
  for (;;) {
    const shown = found.slice(0, MAX_LINES);
    io.stderr.write(drawLines(shown, found.length, style));
    const picked = await readPick(io, rows, shown);
    if (picked === null) return null;
    if ("row" in picked) return picked.row;
    found = picked.found;
  }
}

type Pick = { readonly row: NumberedResource } | { readonly found: readonly NumberedResource[] };

async function readPick(
  { stdin, stderr }: Invocation["io"],
  rows: readonly NumberedResource[],
  shown: readonly NumberedResource[],
): Promise<Pick | null> {
  for (;;) {
    stderr.write("Number, or text to search: ");
    const answer = await stdin.readLine();
    if (answer === null) {
      stderr.write("\n");
      return null;
    }
    const text = answer.trim();
    const row = /^\d+$/.test(text) ? shown[Number(text) - 1] : undefined;
    if (row !== undefined) return { row };
    if (text === "") {
      stderr.write("Nothing was entered. Ctrl-D cancels.\n");
      continue;
    }
    const found = narrowResources(rows, text);
    if (found.length > 0) return { found };
    const what = /^\d+$/.test(text) ? "No line has this number" : "No resource contains this text";
    stderr.write(`${what}.\n`);
  }
}

/** Numbers the shown lines; the first ones have the numbers of `--select`. */
function drawLines(shown: readonly NumberedResource[], all: number, style: Style): string {
  const lines = renderCandidates(
    shown.map((row, index) => choiceOf({ ...row, number: index + 1 })),
    style,
  );
  const rest = all - shown.length;
  return rest === 0 ? lines : `${lines}${style.colors.dim(`… ${rest.toLocaleString("en-US")} more`)}\n`;
}
