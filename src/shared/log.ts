import { type ConsolaInstance, createConsola } from "consola/core";
import type { Io } from "./io.ts";
import { escapeText } from "./text.ts";

export type Log = Pick<ConsolaInstance, "debug" | "info" | "warn">;

const PREFIX: Readonly<Record<string, string>> = { debug: "debug: ", warn: "Warning: " };

/** consola's levels: 0 errors only, 3 with warnings and information, 4 with every step. */
type LogLevel = 0 | 3 | 4;

/** A log that writes escaped lines to `io`'s stderr; stdout belongs to results. */
export function createLog(io: Io, level: LogLevel): Log {
  return createConsola({
    level,
    throttle: 0,
    reporters: [
      {
        log: ({ type, args }) => {
          io.stderr.write(`${PREFIX[type] ?? ""}${escapeText(args.join(" "))}\n`);
        },
      },
    ],
  });
}
