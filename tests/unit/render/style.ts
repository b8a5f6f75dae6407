import { createColors } from "picocolors";
import type { Style } from "../../../src/cli/render/style.ts";
import { styleOf } from "../../../src/cli/render/style.ts";
import { memoryIo } from "../../../src/shared/io.ts";

const [unicode, ascii] = await Promise.all(
  ["C.UTF-8", "C"].map(async (LANG) => {
    const io = memoryIo({ env: { LANG } });
    return (await styleOf(io, io.stdout)).glyphs;
  }),
);

/** The style of a pipe, or of a terminal of `columns`. */
export function style({ columns, env = {} }: { columns?: number; env?: Record<string, string> } = {}): Style {
  const io = memoryIo({ ...(columns === undefined ? {} : { terminalColumns: columns }), env });
  const glyphs = io.unicode ? unicode : ascii;
  if (glyphs === undefined) throw new Error("no glyphs");
  const { color, columns: width, isTerminal } = io.stdout;
  return { colors: createColors(color), width, isTerminal, glyphs };
}

/** A terminal without color. */
export function terminal(columns: number): Style {
  return style({ columns, env: { NO_COLOR: "1" } });
}
