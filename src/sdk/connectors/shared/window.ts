/**
 * Reads a window of changes in order while issues change.
 *
 * Numbered pages drift: an issue that changes while page 1 is read moves to the end, and the first one of
 * page 2 moves to page 1, unseen. So every page is requested from the last instant seen, and the issues seen
 * at that instant are skipped. The provider's own next pages are used only within one instant, which more
 * issues may share than fit onto a page; they are read again until two readings agree.
 */

import * as v from "valibot";
import { providerName } from "../../../shared/providers.ts";
import { ConnectorRequestError } from "../../errors.ts";
import { Instant, type JsonValue } from "../../model.ts";
import { parsePlace } from "./cursor.ts";

/** The part of an issue that determines its place in the order. */
export interface Dated {
  readonly id: string;
  /** The last change: ISO 8601 in UTC with milliseconds. */
  readonly updatedAt: string;
}

/** One page of the provider: oldest change first, from `since` on. */
export interface ProviderPage<T extends Dated> {
  readonly rows: readonly T[];
  /** The provider's name of the query's next page; null on the last one. */
  readonly next: string | null;
  /** Entries that are no rows, such as pull requests: they advance a page and make it drift too. */
  readonly others?: readonly Dated[] | undefined;
}

export interface PageRequest {
  /** Inclusive; null for the first change. */
  readonly since: string | null;
  /** `next` of the page before; null for the first page. */
  readonly next: string | null;
}

const Place = v.nullable(
  v.strictObject({ since: Instant, /** Ids given at `since`. */ seen: v.array(v.string()) }),
);

interface WindowQuery {
  readonly provider: string;
  /** Inclusive; null for the first change. Rounded down to the resolution of the provider's clock. */
  readonly since: string | null;
  /** Exclusive; null for no end. */
  readonly until: string | null;
  readonly limit: number;
  /** `next` of the listing before; null at its start. */
  readonly place: JsonValue;
}

/**
 * Up to `limit` rows, and the place to continue from; null at the window's end.
 *
 * @throws ConnectorRequestError (`invalid`) when `place` is malformed
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
    const [from, passed, missing] = [since, seen, query.limit - rows.length];
    const part: WindowPart<T> = await readPart(query, from, read, (found) => {
      return found.filter(({ id, updatedAt }) => updatedAt === from && !passed.has(id)).length >= missing;
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

interface WindowPart<T extends Dated> {
  readonly rows: readonly T[];
  readonly isLast: boolean;
  readonly entries: readonly Dated[];
  /** The last entry's instant; null without entries. */
  readonly reached: string | null;
}

/** Readings of an instant before a later attempt is left to try again. */
const MAX_PASSES = 10;

/**
 * The first page from `since` on; if it does not pass `since`, also the pages after it until one does, or
 * until `isEnough`.
 *
 * These pages belong together, so they must not have drifted: the next reading has to find the same at
 * `since`. An issue moves to an earlier page only because another one left, and that one would be missed.
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
      // A change between sorting and reading would skip the issues behind it.
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

/** Equal text for the same issues in any order. */
function foundAt(since: string | null, entries: readonly Dated[]): string {
  const found = entries.filter(({ updatedAt }) => !isLater(updatedAt, since));
  return JSON.stringify(found.map(({ id, updatedAt }) => `${updatedAt} ${id}`).sort());
}

function isLater(instant: string | null, since: string | null): boolean {
  return instant !== null && (since === null || instant > since);
}
