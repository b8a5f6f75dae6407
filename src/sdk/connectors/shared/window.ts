/**
 * Reading a window of change in order, while it changes.
 *
 * Numbered pages drift: an issue that changes while page 1 is read moves to the
 * end, and the first one of page 2 slips onto page 1, unseen. So every page is
 * asked for anew from the last instant that was seen, and what was seen at that
 * instant is passed over. Only within one instant, which many issues may share,
 * the provider's own next page is used.
 */
import * as v from "valibot";
import { ConnectorRequestError } from "../../errors.ts";
import type { JsonValue } from "../../model.ts";

/** An issue of a page as far as its place in the order goes. */
export interface Dated {
  readonly id: string;
  /** Instant of its last change: ISO 8601 in UTC with milliseconds. */
  readonly updatedAt: string;
}

/** One page as the provider gives it: oldest change first, from `since` on. */
export interface ProviderPage<T extends Dated> {
  readonly rows: readonly T[];
  /** How the provider calls its next page of the same question; null when this is the last. */
  readonly next: string | null;
}

/** What is asked of the provider. */
export interface PageRequest {
  /** First instant of the page, inclusive; null for the first there is. */
  readonly since: string | null;
  /** `next` of the page before; null for the first page. */
  readonly next: string | null;
}

/** Where a listing stands. */
const Place = v.nullable(
  v.strictObject({
    since: v.nullable(v.string()),
    next: v.nullable(v.string()),
    /** Ids that were given at `since` already. */
    seen: v.array(v.string()),
  }),
);

/** What is listed. */
export interface WindowQuery {
  readonly provider: string;
  /** Inclusive; null for the first there is. Rounded down to what the provider's clock shows. */
  readonly since: string | null;
  /** Exclusive; null for no end. */
  readonly until: string | null;
  readonly limit: number;
  /** `next` of the listing before, null for its start. */
  readonly place: JsonValue;
}

/**
 * Up to `limit` rows, and the place to go on from; null when the window is done.
 *
 * @throws ConnectorRequestError (`invalid`) when `place` is not one of this function's
 */
export async function readWindow<T extends Dated>(
  query: WindowQuery,
  read: (request: PageRequest) => Promise<ProviderPage<T>>,
): Promise<{ readonly rows: readonly T[]; readonly next: JsonValue | null }> {
  const place = v.safeParse(Place, query.place);
  if (!place.success) {
    throw new ConnectorRequestError("The cursor is not one of this listing.", {
      provider: query.provider,
      failureClass: "invalid",
    });
  }
  let { since, next } = place.output ?? { since: query.since, next: null };
  let seen = new Set(place.output?.seen);
  const rows: T[] = [];
  for (;;) {
    const asked = since;
    const page: ProviderPage<T> = await read({ since, next });
    for (const [index, row] of page.rows.entries()) {
      if (query.until !== null && row.updatedAt >= query.until) return { rows, next: null };
      if (since !== null && row.updatedAt < since) continue;
      if (row.updatedAt === since && seen.has(row.id)) continue;
      if (row.updatedAt !== since) seen = new Set();
      since = row.updatedAt;
      seen.add(row.id);
      rows.push(row);
      if (rows.length < query.limit) continue;
      const isLast = page.next === null && index === page.rows.length - 1;
      // Going on within one instant starts with the same page again: what was seen is passed over.
      return { rows, next: isLast ? null : { since, next: since === asked ? next : null, seen: [...seen] } };
    }
    if (page.next === null) return { rows, next: null };
    next = since === asked ? page.next : null;
  }
}
