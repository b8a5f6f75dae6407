/**
 * The bound of a pull's answer. What was taken in is not given again unasked, so
 * an answer that nobody can read would lose it: a page that is too large is asked
 * for in parts, before it is taken in, and a pull ends while there is room for
 * one more.
 */
import type { NormalizedIssue } from "../protocol.ts";
import type { CanonicalIssue } from "../sdk/model.ts";
import { wireIssue } from "./envelope.ts";

/** The issues that a pull gives: as many as fit into its answer. */
export class BoundedAnswer {
  readonly #most: number;
  readonly #issues = new Map<string, NormalizedIssue>();
  #bytes = 0;

  /** @param most What they may come to as JSON, in bytes */
  constructor(most: number) {
    this.#most = most;
  }

  get items(): NormalizedIssue[] {
    return [...this.#issues.values()];
  }

  get isEmpty(): boolean {
    return this.#issues.size === 0;
  }

  /** Reports whether the next page might not fit. */
  get isFull(): boolean {
    return this.#bytes > pageBytes(this.#most);
  }

  /** Adds an issue, or puts it in the place of what it was before; false when it does not fit. */
  add(key: string, issue: NormalizedIssue): boolean {
    const before = this.#issues.get(key);
    const bytes = this.#bytes + bytesOf(issue) - (before === undefined ? 0 : bytesOf(before));
    if (bytes > this.#most) return false;
    this.#issues.set(key, issue);
    this.#bytes = bytes;
    return true;
  }
}

/**
 * Reports whether a page is small enough for a {@link BoundedAnswer} to hold two of its size.
 *
 * @param most What the issues of an answer may come to as JSON, in bytes
 */
export function isSmallPage(page: readonly CanonicalIssue[], most: number): boolean {
  const bytes = page.reduce((sum, issue) => sum + bytesOf(wireIssue(issue.ref, issue, issue)), 0);
  return bytes <= pageBytes(most);
}

function pageBytes(most: number): number {
  return most / 2;
}

/** The size of an issue in an answer, with the comma behind it. */
function bytesOf(issue: NormalizedIssue): number {
  return Buffer.byteLength(JSON.stringify(issue)) + 1;
}
