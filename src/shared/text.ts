/**
 * Characters that can move the cursor, restyle the screen, or reorder what a
 * person reads: C0, DEL, C1, line separators, bidi controls, lone surrogates.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const escapeUnit = (unit: string): string => `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;

/** Makes text from outside safe to print: every unsafe character becomes `\uXXXX`. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, escapeUnit);
}

/**
 * Pretty JSON (two spaces, final newline) whose strings carry no raw control or
 * bidi character, so that it is safe on a terminal and still the same JSON value.
 */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(UNSAFE, (unit) => (unit === "\n" ? unit : escapeUnit(unit)))}\n`;
}

/** Columns that `text` occupies on a terminal (wide characters count two, combining ones none). */
export function displayWidth(text: string): number {
  return Bun.stringWidth(text);
}

/** Cuts `text` to at most `width` columns, ending in `ellipsis`, as far as that fits, when something was cut. */
export function truncate(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text;
  // Made here because it is slow to make and most runs cut nothing.
  const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const room = width - displayWidth(ellipsis);
  if (room < 0) return truncate(ellipsis, width, "");
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += displayWidth(segment);
    if (used > room) break;
    kept += segment;
  }
  return kept + ellipsis;
}

/** Pads `text` with spaces to `width` columns. */
export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** Lower case without marks: what two names are compared by. */
export function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().normalize("NFC");
}

/** `1 resource`, `2 resources`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** The known word nearest to a mistyped one, or null when none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
