import { type Style, styleOf } from "../../../src/render/style.ts";
import { memoryIo } from "../../../src/shared/io.ts";

/** The style of a pipe, or of a terminal of `columns`. */
export function style({ columns, env = {} }: { columns?: number; env?: Record<string, string> } = {}): Style {
  const io = memoryIo({ ...(columns === undefined ? {} : { terminalColumns: columns }), env });
  return styleOf(io, io.stdout);
}

/** A terminal without color. */
export function terminal(columns: number): Style {
  return style({ columns, env: { NO_COLOR: "1" } });
}
