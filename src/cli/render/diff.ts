import { escapeText } from "../../shared/text.ts";
import type { Style } from "./style.ts";

/** Draws the changed lines of two texts that share their beginning and end. */
export function renderDiff(before: string, after: string, style: Style): string {
  const old = lines(before);
  const fresh = lines(after);
  const kept = longestCommon(old, fresh);
  const { red, green } = style.colors;
  let drawn = "";
  let [i, j] = [0, 0];
  for (const line of [...kept, null]) {
    for (; i < old.length && old[i] !== line; i++) drawn += `${red(`- ${escapeText(old[i] ?? "")}`)}\n`;
    for (; j < fresh.length && fresh[j] !== line; j++)
      drawn += `${green(`+ ${escapeText(fresh[j] ?? "")}`)}\n`;
    if (line === null) break;
    drawn += `  ${escapeText(line)}\n`;
    i++;
    j++;
  }
  return drawn;
}

function lines(text: string): string[] {
  const all = text.split(/\r?\n/);
  if (all.at(-1) === "") all.pop();
  return all;
}

/** The longest common subsequence. */
function longestCommon(a: readonly string[], b: readonly string[]): string[] {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    const row = lengths[i];
    if (row === undefined) continue;
    for (let j = b.length - 1; j >= 0; j--) {
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const common: string[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const line = a[i];
    if (line !== undefined && line === b[j]) {
      common.push(line);
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return common;
}
