import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Dated,
  type PageRequest,
  type ProviderPage,
  readWindow,
} from "../../../src/sdk/connectors/shared/window.ts";
import { ConnectorRequestError } from "../../../src/sdk/errors.ts";
import type { JsonValue } from "../../../src/sdk/model.ts";

const START = Date.parse("2026-03-01T09:00:00Z");
const instant = (milliseconds: number): string => new Date(milliseconds).toISOString();
const roundDown = (milliseconds: number, step: number): number => Math.floor(milliseconds / step) * step;

/** Something that happens at the provider between two pages. */
type Happening =
  | { readonly kind: "edit" | "delete"; readonly who: number }
  | { readonly kind: "create" }
  | { readonly kind: "tick"; readonly milliseconds: number };

interface World {
  readonly pageSize: number;
  /** Granularity of the instants that the provider shows, in ms. */
  readonly clockMs: number;
  /** Granularity of the instants that the provider's filter knows, a multiple of the clock's. */
  readonly filterMs: number;
  /** Whether there is something that is no issue among them. */
  readonly others: "none" | "some";
}

/** A provider with numbered pages, which drift. */
class PagedProvider {
  readonly items = new Map<string, { updatedAt: string; isIssue: boolean }>();
  readonly #world: World;
  #now = START;
  #ids = 0;
  reads = 0;

  constructor(world: World) {
    this.#world = world;
  }

  happen(happening: Happening): void {
    const ids = [...this.items.keys()];
    switch (happening.kind) {
      case "tick":
        this.#now += happening.milliseconds;
        return;
      case "create":
        this.#ids += 1;
        // Ids are not in the order of creation, so that a newcomer can land on any page of its instant.
        this.#put(`${(this.#ids * 7) % 10}${this.#ids}`, this.#world.others === "none" || this.#ids % 3 > 0);
        return;
      default: {
        const id = ids[happening.who % Math.max(1, ids.length)];
        const item = id === undefined ? undefined : this.items.get(id);
        if (id === undefined || item === undefined) return;
        if (happening.kind === "delete") this.items.delete(id);
        else this.#put(id, item.isIssue);
      }
    }
  }

  #put(id: string, isIssue: boolean): void {
    this.items.set(id, { updatedAt: instant(roundDown(this.#now, this.#world.clockMs)), isIssue });
  }

  page({ since, next }: PageRequest): ProviderPage<Dated> {
    this.reads += 1;
    const { pageSize, filterMs } = this.#world;
    const from = since === null ? "" : instant(roundDown(Date.parse(since), filterMs));
    const all = [...this.items]
      .map(([id, item]) => ({ id, ...item }))
      .filter(({ updatedAt }) => updatedAt >= from)
      .sort((a, b) => (`${a.updatedAt}${a.id}` < `${b.updatedAt}${b.id}` ? -1 : 1));
    const number = Number(next ?? 1);
    const page = all.slice((number - 1) * pageSize, number * pageSize);
    return {
      rows: page.filter(({ isIssue }) => isIssue).map(({ id, updatedAt }) => ({ id, updatedAt })),
      others: page.filter(({ isIssue }) => !isIssue),
      next: all.length > number * pageSize ? String(number + 1) : null,
    };
  }
}

interface Listing {
  readonly since: string | null;
  readonly until: string | null;
  readonly limit: number;
}

/** Reads a window to its end; `between` happens before each page is read. */
async function readAll(
  provider: PagedProvider,
  { since, until, limit }: Listing,
  between: () => void,
): Promise<readonly (readonly Dated[])[]> {
  const portions: (readonly Dated[])[] = [];
  let place: JsonValue = null;
  for (;;) {
    const portion = await readWindow({ provider: "test", since, until, limit, place }, async (request) => {
      if (provider.reads > 3000) throw new Error("the listing does not end");
      between();
      return provider.page(request);
    }).catch((error: unknown) => {
      if (error instanceof ConnectorRequestError && error.retryable) return null;
      throw error;
    });
    if (portion === null) continue;
    portions.push(portion.rows);
    if (portion.next === null) return portions;
    // A cursor is text on its way to the next call.
    place = JSON.parse(JSON.stringify(portion.next));
  }
}

const tick = fc.record({
  kind: fc.constant("tick" as const),
  milliseconds: fc.constantFrom(1, 10, 400, 1000, 3000),
});
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("edit" as const), who: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), who: fc.nat(50) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("create" as const) }) },
  { weight: 1, arbitrary: tick },
);
const world: fc.Arbitrary<World> = fc
  .record({
    pageSize: fc.integer({ min: 1, max: 6 }),
    clockMs: fc.constantFrom(1, 1000),
    coarseness: fc.constantFrom(1, 1, 5),
    others: fc.constantFrom("none" as const, "some" as const),
  })
  .map(({ coarseness, ...rest }) => ({ ...rest, filterMs: rest.clockMs * coarseness }));

describe("reading a window that changes meanwhile", () => {
  test("misses nobody, gives no version twice, keeps the order, and ends", async () => {
    await fc.assert(
      fc.asyncProperty(
        world,
        fc.array(happening, { maxLength: 60, size: "max" }),
        fc.array(fc.array(happening, { maxLength: 3 }), { maxLength: 25, size: "max" }),
        fc.record({
          limit: fc.integer({ min: 1, max: 8 }),
          since: fc.option(fc.nat(5000)),
          until: fc.option(fc.nat(8000)),
        }),
        async (facts, history, meanwhile, { limit, ...ends }) => {
          const provider = new PagedProvider(facts);
          for (const event of history) provider.happen(event);
          const atClock = (offset: number | null): string | null =>
            offset === null ? null : instant(roundDown(START + offset, facts.clockMs));
          const [since, until] = [atClock(ends.since), atClock(ends.until)];
          const before = new Map(provider.items);
          const events = [...meanwhile];
          const portions = await readAll(provider, { since, until, limit }, () => {
            for (const event of events.shift() ?? []) provider.happen(event);
          });

          const given = portions.flat();
          for (const portion of portions) expect(portion.length).toBeLessThanOrEqual(limit);
          const versions = given.map(({ id, updatedAt }) => `${updatedAt} ${id}`);
          expect(new Set(versions).size).toBe(versions.length);
          const instants = given.map(({ updatedAt }) => updatedAt);
          expect(instants).toEqual(instants.toSorted());
          for (const at of instants) {
            expect((since === null || at >= since) && (until === null || at < until)).toBe(true);
          }
          const ids = new Set(given.map(({ id }) => id));
          for (const [id, item] of before) {
            const now = provider.items.get(id);
            if (!item.isIssue || now === undefined) continue;
            const isUntouched = now === item;
            const isInside =
              (since === null || item.updatedAt >= since) && (until === null || item.updatedAt < until);
            if (isInside && (isUntouched || until === null)) expect(ids).toContain(id);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

/** `count` issues that changed at one instant, then one later. */
function crowded(count: number, facts: Partial<World> = {}): PagedProvider {
  const provider = new PagedProvider({
    pageSize: 3,
    clockMs: 1000,
    filterMs: 1000,
    others: "none",
    ...facts,
  });
  for (let index = 0; index < count; index++) provider.happen({ kind: "create" });
  provider.happen({ kind: "tick", milliseconds: 1000 });
  provider.happen({ kind: "create" });
  return provider;
}
const WHOLE: Listing = { since: null, until: null, limit: 50 };

describe("pages", () => {
  test("of one instant are read on, and a change between them hides nobody", async () => {
    const provider = crowded(8);
    const [first] = provider.page({ since: null, next: null }).rows;
    if (first === undefined) throw new Error("nothing is there");
    const ids = [...provider.items.keys()];
    provider.reads = 0;
    const portions = await readAll(provider, WHOLE, () => {
      // While the second page of the instant is asked for, somebody changes an issue of its first page.
      if (provider.reads === 3) provider.happen({ kind: "edit", who: ids.indexOf(first.id) });
    });
    expect(new Set(portions.flat().map(({ id }) => id))).toEqual(new Set(ids));
  });

  test("that stand still are asked for once, where an instant fits onto one", async () => {
    const provider = new PagedProvider({ pageSize: 3, clockMs: 1, filterMs: 1, others: "none" });
    for (let index = 0; index < 7; index++) {
      provider.happen({ kind: "create" });
      provider.happen({ kind: "tick", milliseconds: 1 });
    }
    await readAll(provider, WHOLE, () => {});
    // Each page but the first starts with the last issue of the one before: 3 + 2 + 2.
    expect(provider.reads).toBe(3);
  });

  test("without any issue lead on", async () => {
    const provider = new PagedProvider({ pageSize: 1, clockMs: 1000, filterMs: 1000, others: "some" });
    for (let index = 0; index < 9; index++) {
      provider.happen({ kind: "create" });
      provider.happen({ kind: "tick", milliseconds: 1000 });
    }
    const portions = await readAll(provider, WHOLE, () => {});
    expect(portions.flat()).toHaveLength(6);
  });

  test("past the end of the window are not asked for", async () => {
    const provider = new PagedProvider({ pageSize: 2, clockMs: 1000, filterMs: 1000, others: "some" });
    provider.happen({ kind: "create" });
    for (let index = 0; index < 50; index++) {
      provider.happen({ kind: "tick", milliseconds: 1000 });
      provider.happen({ kind: "create" });
    }
    expect(await readAll(provider, { ...WHOLE, until: instant(START + 1000) }, () => {})).toHaveLength(1);
    expect(provider.reads).toBeLessThanOrEqual(3);
  });

  test("that never stand still are left to a later attempt", async () => {
    const provider = crowded(8);
    const read = readWindow({ provider: "test", ...WHOLE, place: null }, async (request) => {
      const first = provider.page({ since: null, next: null }).rows[0];
      provider.items.delete(first?.id ?? "");
      provider.happen({ kind: "create" });
      provider.items.set(`0${provider.reads}`, { updatedAt: instant(START), isIssue: true });
      return provider.page(request);
    });
    await expect(read).rejects.toMatchObject({ failureClass: "transient", retryable: true });
  });
});

test("a page that is not in order is left to a later attempt: what stands behind would be missed", async () => {
  const rows = [0, 5000, 1000, 2000].map((at) => ({ id: `${at}`, updatedAt: instant(START + at) }));
  const reading = (part: Pick<ProviderPage<Dated>, "rows" | "others">) =>
    readWindow({ provider: "test", ...WHOLE, place: null }, async () => ({ ...part, next: null }));
  for (const part of [{ rows }, { rows: [], others: rows }]) {
    await expect(reading(part)).rejects.toMatchObject({ failureClass: "transient", retryable: true });
  }
  const ordered = rows.toSorted((a, b) => (a.updatedAt < b.updatedAt ? -1 : 1));
  expect((await reading({ rows: ordered })).rows).toEqual(ordered);
});

test.each<[string, JsonValue]>([
  ["text", "page 2"],
  ["a number", 7],
  ["a list", []],
  ["an empty object", {}],
  ["an instant that is none", { since: "yesterday", seen: [] }],
  ["ids that are none", { since: instant(START), seen: [1] }],
  ["a member too many", { since: instant(START), seen: [], page: 2 }],
])("a place that is %s is not one of this listing's", async (_, place) => {
  const reading = readWindow({ provider: "github", ...WHOLE, place }, async () => {
    throw new Error("asked");
  });
  await expect(reading).rejects.toMatchObject({
    provider: "github",
    failureClass: "invalid",
    retryable: false,
  });
});
