/**
 * Reading a window of change in order, while it changes.
 *
 * Numbered pages drift: an issue that changes while page 1 is read moves to the
 * end, and the first one of page 2 slips onto page 1, unseen. So every page is
 * asked for anew from the last instant that was seen, and what was seen at that
 * instant is passed over. Only within one instant, which more issues may share
 * than fit onto a page, the provider's own next pages are used; and before
 * anything later is taken, they are read again, until they stand still.
 */

import * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import { ConnectorRequestError } from "../../errors.ts";
import { Instant, type JsonValue } from "../../model.ts";
import { parsePlace } from "./cursor.ts";

/** An issue of a page as far as its place in the order goes. */
export interface Dated {
  readonly id: string;
  /** Instant of its last change: ISO 8601 in UTC with milliseconds. */
  readonly updatedAt: string;
}

/** One page as the provider gives it: oldest change first, from `since` on. */
export interface ProviderPage<T extends Dated> {
  readonly rows: readonly T[];
  /** The provider's name of the next page of the same query; null when this is the last. */
  readonly next: string | null;
  /**
   * Entries of the page that are no rows, such as pull requests: they lead past a
   * page without rows, and their moves make pages drift too.
   */
  readonly others?: readonly Dated[] | undefined;
}

/** The request for a page. */
export interface PageRequest {
  /** First instant of the page, inclusive; null for the first there is. */
  readonly since: string | null;
  /** `next` of the page before; null for the first page. */
  readonly next: string | null;
}

/** The position of a listing. */
const Place = v.nullable(
  v.strictObject({ since: Instant, /** Ids given at `since`. */ seen: v.array(v.string()) }),
);

interface WindowQuery {
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
  const place = parsePlace(query.provider, Place, query.place);
  let since = place?.since ?? query.since;
  let seen = new Set(place?.seen);
  const rows: T[] = [];
  for (;;) {
    const [from, known, wanted] = [since, seen, query.limit - rows.length];
    const part: WindowPart<T> = await readPart(query, from, read, (found) => {
      return found.filter(({ id, updatedAt }) => updatedAt === from && !known.has(id)).length >= wanted;
    });
    for (const [index, row] of part.rows.entries()) {
      if (query.until !== null && row.updatedAt >= query.until) return { rows, next: null };
      if (since !== null && row.updatedAt < since) continue;
      if (row.updatedAt === since && seen.has(row.id)) continue;
      if (row.updatedAt !== since) seen = new Set();
      since = row.updatedAt;
      seen.add(row.id);
      rows.push(row);
      if (rows.length < query.limit) continue;
      const isDone = part.isLast && index === part.rows.length - 1;
      return { rows, next: isDone ? null : { since, seen: [...seen] } };
    }
    const { isLast, reached } = part;
    if (isLast || reached === null) return { rows, next: null };
    if (query.until !== null && reached >= query.until) return { rows, next: null };
    if (isLater(reached, since)) {
      since = reached;
      seen = new Set();
    }
  }
}

/** The rows from an instant on, without a gap. */
interface WindowPart<T extends Dated> {
  readonly rows: readonly T[];
  readonly isLast: boolean;
  /** Everything in it, the rows too. */
  readonly entries: readonly Dated[];
  /** Instant of the last thing in it; null when there is none. */
  readonly reached: string | null;
}

/** The number of readings of an instant before it is left to a later attempt. */
const MAX_PASSES = 10;

/**
 * The first page from `since` on; and where that does not lead past `since`,
 * pages after it until one does, or until `isEnough`.
 *
 * Such pages are taken together, so they must not have drifted: the next pass
 * has to find at `since` what this one found. An issue that slips to an earlier
 * page does so because another one left, and that one would be missed.
 */
async function readPart<T extends Dated>(
  { provider }: WindowQuery,
  since: string | null,
  read: (request: PageRequest) => Promise<ProviderPage<T>>,
  isEnough: (rows: readonly T[]) => boolean,
): Promise<WindowPart<T>> {
  let before: WindowPart<T> | null = null;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const rows: T[] = [];
    const entries: Dated[] = [];
    let reached: string | null = null;
    let next: string | null = null;
    let pages = 0;
    do {
      if (pages > 0 && isEnough(rows)) return { rows, entries, isLast: false, reached };
      const { others = [], ...page }: ProviderPage<T> = await read({ since, next });
      // What changed between being sorted and being read would lead past what stands behind it.
      if (!isInOrder(page.rows) || !isInOrder(others)) throw keepsChangingError(provider, since);
      pages += 1;
      rows.push(...page.rows);
      for (const thing of [...page.rows, ...others]) {
        entries.push(thing);
        if (isLater(thing.updatedAt, reached)) reached = thing.updatedAt;
      }
      next = page.next;
    } while (next !== null && !isLater(reached, since));
    const part: WindowPart<T> = { rows, entries, isLast: next === null, reached };
    if (pages === 1) return part;
    if (before !== null && foundAt(since, before.entries) === foundAt(since, entries)) return before;
    before = part;
  }
  throw keepsChangingError(provider, since);
}

function keepsChangingError(provider: string, since: string | null): ConnectorRequestError {
  const which = since === null ? "issues" : `issues changed since ${since}`;
  return new ConnectorRequestError(
    `${providerName(provider)}: the ${which} changed during every attempt to list them.`,
    {
      provider,
      failureClass: "transient",
    },
  );
}

function isInOrder(entries: readonly Dated[]): boolean {
  return entries.every(({ updatedAt }, index) => updatedAt >= (entries[index - 1]?.updatedAt ?? ""));
}

/** Equal text for the same issues, in whatever order. */
function foundAt(since: string | null, entries: readonly Dated[]): string {
  const found = entries.filter(({ updatedAt }) => !isLater(updatedAt, since));
  return JSON.stringify(found.map(({ id, updatedAt }) => `${updatedAt} ${id}`).sort());
}

function isLater(instant: string | null, since: string | null): boolean {
  return instant !== null && (since === null || instant > since);
}
