import type { PullResult, Reread } from "../protocol.ts";
import { TrackerError } from "../shared/errors.ts";
import type { BoundTracker } from "./bindings.ts";

export interface PullOrder {
  /** Issues per page, 1 to 10000. */
  readonly limit: number;
  /** Every page, not only the first. */
  readonly all: boolean;
  /** The issues to fetch although they did not change; null for none. */
  readonly reread: Reread | null;
}

/** Receives the pages. */
interface PullControl {
  /** @param soFar the number of issues up to this page, its own included */
  readonly onPage: (items: PullResult["items"], soFar: number) => void;
  /** Reports progress within a page, where the provider does. */
  readonly onProgress: (soFar: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Keeps no page.
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
