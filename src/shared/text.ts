/**
 * Characters that can move the cursor, restyle the screen, or reorder visible text: C0, DEL, C1, line separators,
 * bidi controls, lone surrogates.
 */
const UNSAFE_CHARACTERS =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const escapeUnit = (unit: string): string => `\\u${(unit.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;

export function escapeText(text: string): string {
  return text.replace(UNSAFE_CHARACTERS, escapeUnit);
}

/**
 * Pretty JSON (two spaces, final newline) whose strings carry no raw control or
 * bidi character, so that it is safe on a terminal and still the same JSON value.
 */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(UNSAFE_CHARACTERS, (unit) => (unit === "\n" ? unit : escapeUnit(unit)))}\n`;
}

/** The same on one line, for files with one value per line. */
export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value).replace(UNSAFE_CHARACTERS, escapeUnit)}\n`;
}

/** Text as one word of a shell command. */
export function shellWord(text: string): string {
  return /^[\w@%+:,./][\w@%+:,./=-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Columns that `text` occupies on a terminal (wide characters count two, combining ones none). */
export function displayWidth(text: string): number {
  return Bun.stringWidth(text);
}

/** Cuts `text` to at most `width` columns; a cut text ends in `ellipsis`, as far as that fits. */
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

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** Lower case without diacritics, for the comparison of names. */
export function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().normalize("NFC");
}

export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString("en-US")} ${noun}${amount === 1 ? "" : "s"}`;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * The time since an instant, such as "3 hours ago", or its date when that is a month or more. Text that is no instant
 * is returned unchanged.
 *
 * @param now milliseconds since the epoch
 */
export function timeAgo(instant: string, now: number): string {
  const then = Date.parse(instant);
  if (Number.isNaN(then)) return instant;
  const passed = now - then;
  if (passed < MINUTE_MS) return "just now";
  if (passed < HOUR_MS) return `${count(Math.floor(passed / MINUTE_MS), "minute")} ago`;
  if (passed < DAY_MS) return `${count(Math.floor(passed / HOUR_MS), "hour")} ago`;
  if (passed < 30 * DAY_MS) return `${count(Math.floor(passed / DAY_MS), "day")} ago`;
  return new Date(then).toISOString().slice(0, 10);
}

/** The known word closest to a mistyped one; null when none is close. */
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
