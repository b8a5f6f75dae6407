import type { Io, Output } from "../../shared/io.ts";

type Paint = (text: string) => string;

export interface Style {
  readonly colors: { readonly bold: Paint; readonly dim: Paint; readonly red: Paint; readonly green: Paint };
  /** Infinite when nothing has to fit. */
  readonly width: number;
  readonly isTerminal: boolean;
  readonly glyphs: { readonly bound: string; readonly available: string; readonly ellipsis: string };
}

const plain: Paint = (text) => text;
const PLAIN: Style["colors"] = { bold: plain, dim: plain, red: plain, green: plain };
const UNICODE = { bound: "●", available: "○", ellipsis: "…" };
const ASCII = { bound: "*", available: "-", ellipsis: "..." };

/** Loads colors only for an output that shows them, because loading takes a while. */
export async function styleOf(io: Io, output: Output): Promise<Style> {
  return {
    colors: output.color ? (await import("picocolors")).createColors(true) : PLAIN,
    width: output.columns,
    isTerminal: output.isTerminal,
    glyphs: io.unicode ? UNICODE : ASCII,
  };
}
