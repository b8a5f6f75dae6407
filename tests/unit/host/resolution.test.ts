import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { lastSegment, matchKey } from "../../../src/host/inventory/matching.ts";
import {
  certainMatch,
  type FreeResource,
  type KnownMapping,
  LOW_CANDIDATES,
  rankCandidates,
} from "../../../src/host/inventory/resolution.ts";
import type { ProjectIdentity } from "../../../src/protocol.ts";
import { fold } from "../../../src/shared/text.ts";

const IDENTITY = { uuid: "u1", slug: "payments-api", node_id: "n", repo_slug: "acme/payments-api" };

/** `key` with a slash is a repository's path, otherwise a tracker's short key. */
function free(label: string, key = "", id = label): FreeResource {
  const path = key.includes("/") ? key : null;
  return {
    id,
    stableRef: `ref:${id}`,
    label,
    sortKey: fold(label),
    nameKey: matchKey(path === null ? label : lastSegment(path)),
    displayKey: matchKey(key),
    pathKey: path === null ? null : path.toLowerCase(),
  };
}

function mapping(facts: Partial<KnownMapping> = {}): KnownMapping {
  return {
    bindingRef: "srm_1",
    resourceRef: "ref:Bound",
    projectUuid: "u1",
    projectSlug: "payments-api",
    state: "active",
    ...facts,
  };
}

describe("certain", () => {
  const repository = free("acme/payments-api", "acme/payments-api");
  const cases: [string, KnownMapping[], FreeResource[], "mapping" | "resource" | null][] = [
    ["an active mapping of the uuid", [mapping()], [], "mapping"],
    ["it goes before the repository's path", [mapping()], [repository], "mapping"],
    ["a mapping by slug without a uuid", [mapping({ projectUuid: null })], [], "mapping"],
    ["a mapping of the slug under another uuid is not ours", [mapping({ projectUuid: "u2" })], [], null],
    [
      "two mappings by slug without uuids",
      [mapping({ projectUuid: null }), mapping({ projectUuid: null, bindingRef: "srm_2" })],
      [],
      null,
    ],
    ["the only free resource at the path", [], [repository], "resource"],
    ["two resources at the path", [], [repository, { ...repository, id: "2" }], null],
    [
      "a disabled mapping keeps the path from binding by itself",
      [mapping({ state: "disabled" })],
      [repository],
      null,
    ],
    ["a deleted mapping does not", [mapping({ state: "deleted" })], [repository], "resource"],
    ["nothing", [], [], null],
  ];
  test.each(cases)("%s", (_, mappings, atPath, expected) => {
    const match = certainMatch(IDENTITY, mappings, atPath);
    expect(match === null ? null : "mapping" in match ? "mapping" : "resource").toBe(expected);
  });
});

describe("ranked", () => {
  const rank = (
    resources: FreeResource[],
    mappings: KnownMapping[] = [],
    identity: ProjectIdentity = IDENTITY,
  ) =>
    rankCandidates(identity, mappings, resources).map(
      ({ resource, confidence, reason }) => `${confidence} | ${resource.label} | ${reason}`,
    );

  test("one of each kind, with its reason", () => {
    const resources = [
      free("Website", "WEB"),
      free("Payments APIs (beta)", "PAB"),
      free("Payments", "PMT"),
      free("API payments", "AP"),
      free("Payments API (legacy)", "PAYL"),
      free("PAYMENTS_API", "PAY"),
      free("Money", "payments-api"),
      free("payments-api mirror", "Acme/Payments-API"),
      free("Past", "X"),
    ];
    const mappings = [mapping({ resourceRef: "ref:Past", projectUuid: "old", state: "deleted" })];
    expect(rank(resources, mappings)).toEqual([
      'high | Money | Key of "Money" equals the repository name "payments-api"',
      'high | Past | Was bound to project "payments-api" before',
      "high | payments-api mirror | Repository origin is acme/payments-api",
      'high | PAYMENTS_API | Name "PAYMENTS_API" equals the repository name "payments-api"',
      'medium | API payments | Name "API payments" has the words of the repository name "payments-api"',
      'medium | Payments | Name "Payments" overlaps with the repository name "payments-api"',
      'medium | Payments API (legacy) | Name "Payments API (legacy)" overlaps with the repository name "payments-api"',
      'low | Payments APIs (beta) | Name "Payments APIs (beta)" resembles the repository name "payments-api" (60 %)',
    ]);
  });

  test("slug and repository name both count", () => {
    const identity = { ...IDENTITY, slug: "checkout", repo_slug: "acme/shop" };
    expect(rank([free("Checkout"), free("Shop"), free("Other")], [], identity)).toEqual([
      'high | Checkout | Name "Checkout" equals the project slug "checkout"',
      'high | Shop | Name "Shop" equals the repository name "shop"',
    ]);
  });

  test("a part of a word is no match on a word boundary", () => {
    const identity = { ...IDENTITY, slug: "pay", repo_slug: "acme/pay" };
    expect(rank([free("Payroll"), free("Pay desk")], [], identity)).toEqual([
      'medium | Pay desk | Name "Pay desk" overlaps with the repository name "pay"',
    ]);
  });

  test("a disabled mapping is offered with that reason", () => {
    const [first] = rank([free("Bound"), free("Payments API")], [mapping({ state: "disabled" })]);
    expect(first).toBe(
      "high | Bound | Bound to this project as srm_1, which is disabled; choosing it enables it again",
    );
  });

  test("names without letters or digits match nothing", () => {
    const identity = { ...IDENTITY, slug: "---", repo_slug: null };
    expect(rank([free("📱"), free("!!!")], [], identity)).toEqual([
      "low | !!! | Nothing matches the project's name; this resource is free",
      "low | 📱 | Nothing matches the project's name; this resource is free",
    ]);
  });

  test("when nothing resembles, all are offered up to the cap, each naming how many are left out", () => {
    const resources = Array.from({ length: LOW_CANDIDATES + 37 }, (_, n) =>
      free(`zz ${String(n).padStart(3, "0")}`),
    );
    const ranked = rank(resources);
    expect(ranked).toHaveLength(LOW_CANDIDATES);
    expect(ranked[0]).toBe(
      "low | zz 000 | Nothing matches the project's name; this resource is free (37 more are not listed)",
    );
  });

  test("more low ones than the cap: the most alike stay", () => {
    const alike = Array.from({ length: LOW_CANDIDATES }, (_, n) => free("payment apis", "", `a${n}`));
    const lessAlike = Array.from({ length: 10 }, (_, n) => free("payments ape-house", "", `b${n}`));
    const ranked = rankCandidates(IDENTITY, [], [...lessAlike, ...alike]);
    expect(ranked).toHaveLength(LOW_CANDIDATES);
    expect(ranked.every(({ resource }) => resource.label === "payment apis")).toBe(true);
    expect(ranked[0]?.reason).toContain("10 more are not listed");
  });

  test("the order is the same whatever order the resources come in", () => {
    const names = fc.constantFrom(
      "Payments API",
      "payments-api",
      "Payments",
      "API",
      "zebra",
      "Éclair",
      "😀",
      "決済",
      "Pay",
    );
    const resources = fc
      .array(names, { minLength: 1, maxLength: 20 })
      .map((labels) => labels.map((label, index) => free(label, "", `id-${index}`)));
    const shuffled = resources.chain((all) =>
      fc.record({ all: fc.constant(all), other: fc.shuffledSubarray(all, { minLength: all.length }) }),
    );
    fc.assert(
      fc.property(shuffled, ({ all, other }) => {
        expect(rankCandidates(IDENTITY, [], other)).toEqual(rankCandidates(IDENTITY, [], all));
      }),
    );
  });
});
