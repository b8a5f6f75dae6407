/**
 * Limits the size of a pull's answer. Merged issues are not sent again unasked, so an answer too large to be
 * read would lose them: a page that is too large is requested in parts before it is merged, and a pull ends
 * while there is room for one more page.
 */
import type { NormalizedIssue } from "../protocol.ts";
import type { CanonicalIssue } from "../sdk/model.ts";
import { wireIssue } from "./envelope.ts";

/** The issues in the answer to a pull, as many as fit. */
export class BoundedAnswer {
  readonly #maxBytes: number;
  readonly #issues = new Map<string, { readonly issue: NormalizedIssue; readonly bytes: number }>();
  #bytes = 0;

  /** @param maxBytes The limit of the issues as JSON */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get items(): NormalizedIssue[] {
    return [...this.#issues.values()].map(({ issue }) => issue);
  }

  get isEmpty(): boolean {
    return this.#issues.size === 0;
  }

  /** Reports whether the next page might not fit. */
  get isFull(): boolean {
    return this.#bytes > pageBytes(this.#maxBytes);
  }

  /** Adds an issue, or replaces its earlier state; false when it does not fit. */
  add(key: string, issue: NormalizedIssue): boolean {
    const bytes = bytesOf(issue);
    const sum = this.#bytes + bytes - (this.#issues.get(key)?.bytes ?? 0);
    if (sum > this.#maxBytes) return false;
    this.#issues.set(key, { issue, bytes });
    this.#bytes = sum;
    return true;
  }
}

/** @param maxBytes The limit of an answer's issues as JSON; an answer has room for two pages */
export function isSmallPage(page: readonly CanonicalIssue[], maxBytes: number): boolean {
  const bytes = page.reduce((sum, issue) => sum + bytesOf(wireIssue(issue.ref, issue, issue)), 0);
  return bytes <= pageBytes(maxBytes);
}

function pageBytes(maxBytes: number): number {
  return maxBytes / 2;
}

/** The size of an issue in an answer, with its comma. */
function bytesOf(issue: NormalizedIssue): number {
  return jsonBytes(issue) + 1;
}

/** The size as JSON, in bytes, without serializing: the answer is serialized once, when it is sent. */
export function jsonBytes(value: unknown): number {
  if (typeof value === "string") return textBytes(value);
  if (typeof value !== "object" || value === null) return String(value).length;
  const isList = Array.isArray(value);
  let bytes = 2;
  let count = 0;
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined && !isList) continue;
    bytes += (isList ? 0 : textBytes(name) + 1) + jsonBytes(member ?? null);
    count += 1;
  }
  return bytes + Math.max(0, count - 1);
}

/** Characters that JSON escapes: quotes, backslashes, control characters and unpaired surrogates. */
const ESCAPED = /["\\\p{Cc}\p{Cs}]/gu;
const SHORT_ESCAPES = '"\\\b\f\n\r\t';

function textBytes(text: string): number {
  let bytes = Buffer.byteLength(text) + 2;
  for (const [character] of text.matchAll(ESCAPED)) {
    if (SHORT_ESCAPES.includes(character)) bytes += 1;
    else if (character < " ") bytes += 5;
    // An unpaired surrogate counts as three bytes and is written as six.
    else if (character >= "\ud800") bytes += 3;
  }
  return bytes;
}
