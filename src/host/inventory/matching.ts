import { fold } from "../../shared/text.ts";

/**
 * The form in which names are compared: folded words joined by `-`, so that
 * `Payments API`, `payments_api` and `payments-api` are the same name. Empty
 * for text without letters and digits.
 */
export function matchKey(text: string): string {
  return wordsKey(fold(text));
}

/** Words whose symbols tell them apart: `C#` is not `C`. */
const SYMBOLS: readonly (readonly [RegExp, string])[] = [
  [/\bc\+\+/g, "cpp"],
  [/\bc#/g, "csharp"],
  [/\bf#/g, "fsharp"],
  [/(?<![\p{L}\p{N}])\.net\b/gu, "dotnet"],
];

/** The {@link matchKey} of text that is folded already. */
export function wordsKey(folded: string): string {
  const spelled = /[+#.]/.test(folded)
    ? SYMBOLS.reduce((text, [symbol, word]) => text.replace(symbol, word), folded)
    : folded;
  return (spelled.match(/[\p{L}\p{N}]+/gu) ?? []).join("-");
}

/** The form in which full paths (`owner/repo`) are compared. */
export function pathKey(path: string): string {
  return path.toLowerCase();
}

/** The last step of a path: `api` of `acme/platform/api`. */
export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** One match key holds the other as whole words in a row. */
export function containsWords(a: string, b: string): boolean {
  const [long, short] = a.length < b.length ? [b, a] : [a, b];
  return long.includes(short) && `-${long}-`.includes(`-${short}-`);
}

/** The words of two match keys are the same, in whatever order. */
export function sharesAllWords(a: string, b: string): boolean {
  const sorted = (key: string) => key.split("-").sort().join("-");
  return a.length === b.length && sorted(a) === sorted(b);
}

const SPACE = 0x20;

/** The three-letter pieces of a match key, word starts and ends included; each as one number. */
export function trigrams(key: string): number[] {
  const padded = `  ${key.replaceAll("-", "   ")} `;
  const pieces: number[] = [];
  let first = SPACE;
  let second = SPACE;
  for (let index = 2; index < padded.length; index++) {
    const third = padded.charCodeAt(index);
    // Two spaces at the end belong to the gap between words.
    if (second !== SPACE || third !== SPACE) pieces.push((first * 0x10000 + second) * 0x10000 + third);
    first = second;
    second = third;
  }
  return pieces;
}

/**
 * The similarity of a name to another one, given by its pieces: the share of
 * distinct trigrams that both have, from 0 to 1. Anything below `atLeast`
 * counts as 0, which most names are without a closer look.
 */
export function similarity(pieces: ReadonlySet<number>, key: string, atLeast: number): number {
  const own = trigrams(key);
  let hits = 0;
  for (const piece of own) if (pieces.has(piece)) hits++;
  if (hits < atLeast * pieces.size) return 0;
  const distinct = new Set(own);
  let shared = 0;
  for (const piece of distinct) if (pieces.has(piece)) shared++;
  const likeness = shared / (pieces.size + distinct.size - shared);
  return likeness >= atLeast ? likeness : 0;
}

/** Unicode code point order, which is also how the database sorts text. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = weight(a.charCodeAt(index)) - weight(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others, though their own numbers are not the highest. */
function weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
