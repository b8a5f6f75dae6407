import type { Io, Output } from "../../shared/io.ts";

type Paint = (text: string) => string;

/** The abilities of the terminal or file that shows a drawing. */
export interface Style {
  readonly colors: { readonly bold: Paint; readonly dim: Paint; readonly red: Paint; readonly green: Paint };
  /** Columns; infinite when nothing has to fit. */
  readonly width: number;
  readonly isTerminal: boolean;
  readonly glyphs: { readonly bound: string; readonly available: string; readonly ellipsis: string };
}

const plain: Paint = (text) => text;
const PLAIN: Style["colors"] = { bold: plain, dim: plain, red: plain, green: plain };
const UNICODE = { bound: "●", available: "○", ellipsis: "…" };
const ASCII = { bound: "*", available: "-", ellipsis: "..." };

/** The style of one of `io`'s outputs. Colors are loaded only where they are shown: loading them takes a while. */
export async function styleOf(io: Io, output: Output): Promise<Style> {
  return {
    colors: output.color ? (await import("picocolors")).createColors(true) : PLAIN,
    width: output.columns,
    isTerminal: output.isTerminal,
    glyphs: io.unicode ? UNICODE : ASCII,
  };
}
