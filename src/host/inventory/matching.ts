import { fold } from "../../shared/text.ts";

/**
 * The form in which names are compared: folded words joined by `-`, so that `Payments API`, `payments_api` and
 * `payments-api` are equal. Empty for text without letters and digits.
 */
export function matchKey(text: string): string {
  return wordsKey(fold(text));
}

/** Words whose symbols distinguish them: `C#` is not `C`. */
const SYMBOLS: readonly (readonly [RegExp, string])[] = [
  [/\bc\+\+/g, "cpp"],
  [/\bc#/g, "csharp"],
  [/\bf#/g, "fsharp"],
  [/(?<![\p{L}\p{N}])\.net\b/gu, "dotnet"],
];

export function wordsKey(folded: string): string {
  const spelled = /[+#.]/.test(folded)
    ? SYMBOLS.reduce((text, [symbol, word]) => text.replace(symbol, word), folded)
    : folded;
  return (spelled.match(/[\p{L}\p{N}]+/gu) ?? []).join("-");
}

export function pathKey(path: string): string {
  return path.toLowerCase();
}

/** The last segment of a path: `api` of `acme/platform/api`. */
export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function containsWords(a: string, b: string): boolean {
  const [long, short] = a.length < b.length ? [b, a] : [a, b];
  return long.includes(short) && `-${long}-`.includes(`-${short}-`);
}

/** Reports whether two match keys have the same words, in any order. */
export function sharesAllWords(a: string, b: string): boolean {
  const sorted = (key: string) => key.split("-").sort().join("-");
  return a.length === b.length && sorted(a) === sorted(b);
}

const SPACE = 0x20;

/** The trigrams of a match key, word starts and ends included; each as one number. */
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
 * The similarity of a name to another one in trigrams: the share of distinct trigrams that both have, from 0 to 1. A
 * value below `atLeast` counts as 0, which most names reach without a full comparison.
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

/** Unicode code point order, in which the database sorts text, too. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = weight(a.charCodeAt(index)) - weight(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Surrogates encode code points above all others, although their own numbers are lower. */
function weight(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
