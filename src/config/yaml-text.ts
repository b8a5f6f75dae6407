import { stringify } from "yaml";
import { invalidConfig } from "./document.ts";

/** Characters that some YAML reader refuses raw, or that an editor may break a line at. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/;

/** JSON is YAML too; unprintable characters are escaped. */
export function quote(text: string): string {
  if (!text.isWellFormed()) throw invalidConfig("a new value is not well-formed text.");
  const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).replace(new RegExp(UNPRINTABLE, "g"), escapeUnit);
}

/** Most names and labels: no YAML reader takes them for anything else. This test spares a slower one. */
const WORDS = /^(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z](?:[\w()./ -]*[\w)])?$/i;

/**
 * A text for one line of a block mapping, quoted when any YAML reader, even an older one, could take the bare
 * text for another value.
 */
export function renderScalar(value: string | null): string {
  if (value === null) return "null";
  if (WORDS.test(value)) return value;
  const isSpecial = value === "=" || value === "<<" || UNPRINTABLE.test(value) || !value.isWellFormed();
  if (isSpecial) return quote(value);
  const style = { compat: "yaml-1.1", lineWidth: 0, blockQuote: false, singleQuote: false } as const;
  return stringify(value, style).replace(/\n$/, "");
}

export function renderKey(key: string): string {
  return /^[\w.-]+$/.test(key) ? renderScalar(key) : quote(key);
}
