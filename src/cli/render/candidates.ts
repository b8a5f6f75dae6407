import type { Choice } from "../../shared/errors.ts";
import { escapeText } from "../../shared/text.ts";
import type { Style } from "./style.ts";

export function renderCandidates(candidates: readonly Choice[], style: Style): string {
  const width = String(Math.max(0, ...candidates.map(({ number }) => number))).length;
  return candidates
    .map(({ number, display_label, confidence, match_reason }) => {
      const label = `${String(number).padStart(width)}. ${escapeText(display_label)}`;
      if (confidence === null || match_reason === null) return `${label}\n`;
      const reason = `${" ".repeat(width + 2)}${escapeText(`${confidence}: ${match_reason}`)}`;
      return `${label}\n${style.colors.dim(reason)}\n`;
    })
    .join("");
}
