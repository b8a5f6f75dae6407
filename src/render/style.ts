import { createColors } from "picocolors";
import type { Io, Output } from "../shared/io.ts";

/** What a drawing needs to know of where it will be shown. */
export interface Style {
  readonly colors: ReturnType<typeof createColors>;
  /** Columns; infinite when nothing has to fit. */
  readonly width: number;
  readonly isTerminal: boolean;
  readonly glyphs: { readonly bound: string; readonly available: string; readonly ellipsis: string };
}

const UNICODE = { bound: "●", available: "○", ellipsis: "…" };
const ASCII = { bound: "*", available: "-", ellipsis: "..." };

/** The style of one of `io`'s outputs. */
export function styleOf(io: Io, output: Output): Style {
  return {
    colors: createColors(output.color),
    width: output.columns,
    isTerminal: output.isTerminal,
    glyphs: io.unicode ? UNICODE : ASCII,
  };
}
