import { escapeText, padEnd } from "../../shared/text.ts";
import type { Style } from "./style.ts";

interface DrawnCheck {
  readonly name: string;
  readonly outcome: "ok" | "failed" | "skipped";
  readonly message: string;
  readonly hint: string | null;
}

/** Draws one line per check, and the hint under a failed one. */
export function renderChecks(checks: readonly DrawnCheck[], { colors }: Style): string {
  const nameWidth = Math.max(0, ...checks.map(({ name }) => name.length));
  const paint = { ok: colors.green, failed: colors.red, skipped: colors.dim };
  return checks
    .map(({ name, outcome, message, hint }) => {
      const line = `${paint[outcome](padEnd(outcome, 7))}  ${padEnd(name, nameWidth)}  ${escapeText(message)}\n`;
      return hint === null ? line : `${line}${" ".repeat(nameWidth + 11)}${escapeText(hint)}\n`;
    })
    .join("");
}
