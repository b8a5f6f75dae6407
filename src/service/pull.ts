import type { PullResult, Reread } from "../protocol.ts";
import { TrackerError } from "../shared/errors.ts";
import type { BoundTracker } from "./bindings.ts";

/** The extent of a pull. */
export interface PullOrder {
  /** Issues a page, 1 to 10000. */
  readonly limit: number;
  /** Every page; else the first one. */
  readonly all: boolean;
  /** The issues that are pulled again although they are known; null for none. */
  readonly reread: Reread | null;
}

/** Receives the pages, and can end the pull early. */
interface PullControl {
  /**
   * Receives the issues of one page.
   *
   * @param soFar the number of issues read up to here, these included
   */
  readonly onPage: (items: PullResult["items"], soFar: number) => void;
  /** Receives the number of issues read up to here, within a page where the provider reports it. */
  readonly onProgress: (soFar: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Pulls page by page; no page is kept.
 *
 * @returns the sum of all pages, without their issues
 * @throws TrackerError `invalid_response` when there are more issues and no cursor, or the same one again
 */
export async function pullPages(
  tracker: Pick<BoundTracker, "pull">,
  { limit, all, reread }: PullOrder,
  { onPage, onProgress, signal }: PullControl,
): Promise<PullResult> {
  const seen = new Set<string>();
  let total: PullResult | null = null;
  let cursor: string | null = null;
  for (;;) {
    const before: number = total?.summary.total ?? 0;
    const page: PullResult = await tracker.pull(
      { limit, ...(cursor !== null && { cursor }), ...(reread !== null && { reread }) },
      {
        onProgress: (progress) => {
          if (!signal.aborted) onProgress(before + (progress?.done ?? 0));
        },
      },
    );
    signal.throwIfAborted();
    total = sumOf(total, { ...page, items: [] });
    onPage(page.items, total.summary.total);
    if (!all || !page.has_more) return total;
    cursor = page.next_cursor;
    if (cursor === null || seen.has(cursor)) throw noCursor();
    seen.add(cursor);
  }
}

/** The sum of two pages. */
function sumOf(sum: PullResult | null, page: PullResult): PullResult {
  if (sum === null) return page;
  const add = (name: keyof PullResult["summary"]): number => sum.summary[name] + page.summary[name];
  const errors = [...(sum.item_errors ?? []), ...(page.item_errors ?? [])];
  return {
    ...page,
    status: sum.status === page.status ? page.status : "partial",
    summary: {
      total: add("total"),
      succeeded: add("succeeded"),
      failed: add("failed"),
      skipped: add("skipped"),
    },
    identity_path: page.identity_path ?? sum.identity_path,
    doctrine: page.doctrine ?? sum.doctrine,
    item_errors: errors.length === 0 ? null : errors,
  };
}

function noCursor(): TrackerError {
  return new TrackerError(
    "invalid_response",
    "The control plane has more issues, but returned no cursor to fetch them.",
  );
}
