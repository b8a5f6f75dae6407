/**
 * How much a pull gives at once. What was taken in is not given again unasked, so
 * an answer that nobody can read would lose it: pages that are too large are
 * asked for in parts, before they are taken in, and a pull ends while there is
 * room for one more.
 */
import type { NormalizedIssue } from "../protocol.ts";
import type { TrackerConnector } from "../sdk/connector.ts";
import { wireIssue } from "./envelope.ts";

/** The issues that a pull gives: as many as fit into its answer. */
export class Portion {
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

  /** Whether a page that fits might not fit any more. */
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
 * A connector that lists issues in pages of which a {@link Portion} holds at
 * least two, unless a page is a single issue.
 *
 * @param most What the issues of a portion may come to as JSON, in bytes
 */
export function inSmallPages(connector: TrackerConnector, most: number): TrackerConnector {
  let limit = Number.POSITIVE_INFINITY;
  const listIssues: TrackerConnector["listIssues"] = async (query) => {
    for (;;) {
      const asked = Math.min(query.limit ?? limit, limit);
      const page = await connector.listIssues(Number.isFinite(asked) ? { ...query, limit: asked } : query);
      const issues = page.items.map((issue) => wireIssue(issue.ref, issue, issue));
      const bytes = issues.reduce((sum, issue) => sum + bytesOf(issue), 0);
      if (bytes <= pageBytes(most) || page.items.length < 2 || asked === 1) return page;
      limit = Math.ceil(Math.min(asked, page.items.length) / 2);
    }
  };
  return new Proxy(connector, {
    get: (target, name) => {
      if (name === "listIssues") return listIssues;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function pageBytes(most: number): number {
  return most / 2;
}

/** The size of an issue in an answer, with the comma behind it. */
function bytesOf(issue: NormalizedIssue): number {
  return Buffer.byteLength(JSON.stringify(issue)) + 1;
}
