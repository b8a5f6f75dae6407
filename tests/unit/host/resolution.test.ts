import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { lastSegment, matchKey } from "../../../src/host/inventory/matching.ts";
import {
  exactMatch,
  type InventoryResource,
  type KnownMapping,
  MAX_LOW_CANDIDATES,
  rankCandidates,
} from "../../../src/host/inventory/resolution.ts";
import { projectUuid } from "../../../src/shared/project-uuid.ts";
import { fold } from "../../../src/shared/text.ts";

const HOST = "github.com";
const IDENTITY = {
  uuid: projectUuid(HOST, "acme/payments-api"),
  slug: "payments-api",
  repo_slug: "acme/payments-api",
  repo_host: HOST as string | null,
};
const OLD_UUID = "3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c";

/** `key` with a slash is a repository's path, otherwise a tracker's short key. */
function resource(label: string, key = "", id = label, boundTo: readonly string[] = []): InventoryResource {
  const path = key.includes("/") ? key : null;
  return {
    id,
    stableRef: `ref:${id}`,
    label,
    sortKey: fold(label),
    nameKey: matchKey(path === null ? label : lastSegment(path)),
    displayKey: matchKey(key),
    pathKey: path === null ? null : path.toLowerCase(),
    webHost: path === null ? null : HOST,
    boundTo,
  };
}

function mapping(facts: Partial<KnownMapping> = {}): KnownMapping {
  return {
    bindingRef: "srm_1",
    resourceRef: "ref:Bound",
    projectUuid: IDENTITY.uuid,
    projectSlug: "payments-api",
    repoHost: null,
    repoSlug: null,
    state: "active",
    ...facts,
  };
}

describe("certain", () => {
  const repository = resource("acme/payments-api", "acme/payments-api");
  const renamed = resource("acme/billing", "acme/billing");
  const sameRepository = { projectUuid: OLD_UUID, repoHost: HOST, repoSlug: "Acme/Payments-API" };
  const cases: [
    name: string,
    mappings: KnownMapping[],
    atPath: InventoryResource[],
    expected: "mapping" | "resource" | null,
    known?: InventoryResource,
  ][] = [
    ["an active mapping of the uuid", [mapping()], [], "mapping"],
    ["it goes before the repository's path", [mapping()], [repository], "mapping"],
    ["it goes before the resource that the config names", [mapping()], [], "mapping", renamed],
    [
      "a mapping of the same repository under an older, random uuid",
      [mapping(sameRepository)],
      [],
      "mapping",
    ],
    [
      "not of the same path on another host",
      [mapping({ ...sameRepository, repoHost: "git.example" })],
      [],
      null,
    ],
    [
      "not of another folder of the repository, whose uuid is derived",
      [mapping({ ...sameRepository, projectUuid: projectUuid(HOST, "acme/payments-api", "web") })],
      [],
      null,
    ],
    ["a mapping by slug without a uuid", [mapping({ projectUuid: null })], [], "mapping"],
    ["a mapping of the slug under another uuid is not ours", [mapping({ projectUuid: "u2" })], [], null],
    [
      "two mappings by slug without uuids",
      [mapping({ projectUuid: null }), mapping({ projectUuid: null, bindingRef: "srm_2" })],
      [],
      null,
    ],
    ["the resource that the config names", [], [], "resource", renamed],
    ["it goes before the repository's path", [], [repository], "resource", renamed],
    ["the only resource at the path", [], [repository], "resource"],
    ["although other projects share it", [], [{ ...repository, boundTo: ["billing"] }], "resource"],
    ["two resources at the path", [], [repository, { ...repository, id: "2" }], null],
    ["the path on another host", [], [{ ...repository, webHost: "git.example" }], null],
    [
      "the one on the remote's host of two",
      [],
      [{ ...repository, id: "2", webHost: "git.example" }, repository],
      "resource",
    ],
    [
      "a disabled mapping keeps the path from binding by itself",
      [mapping({ state: "disabled" })],
      [repository],
      null,
    ],
    ["and the config's resource", [mapping({ state: "disabled" })], [], null, renamed],
    ["a deleted mapping does not", [mapping({ state: "deleted" })], [repository], "resource"],
    ["nothing", [], [], null],
  ];
  test.each(cases.map(([name, ...facts]) => ({ name, facts })))("$name", ({ facts }) => {
    const [mappings, atPath, expected, known] = facts;
    const match = exactMatch(IDENTITY, { mappings, known: known ?? null, atPath });
    expect(match === null ? null : "mapping" in match ? "mapping" : "resource").toBe(expected);
    if (match !== null && "resource" in match) expect(match.resource.label).toBe((known ?? repository).label);
  });

  test("a client that sends no host is trusted with the path", () => {
    const match = exactMatch(
      { ...IDENTITY, repo_host: null },
      { mappings: [], known: null, atPath: [repository] },
    );
    expect(match).toEqual({ resource: repository });
  });
});

describe("ranked", () => {
  const rank = (resources: InventoryResource[], mappings: KnownMapping[] = [], identity = IDENTITY) =>
    rankCandidates(identity, mappings, resources).map(
      ({ resource: { label }, confidence, reason }) => `${confidence} | ${label} | ${reason}`,
    );

  test("one of each kind, with its reason", () => {
    const elsewhere = { ...resource("payments-api mirror", "Acme/Payments-API"), webHost: "git.example" };
    const resources = [
      resource("Website", "WEB"),
      resource("Payments APIs (beta)", "PAB"),
      resource("Payments", "PMT"),
      resource("API payments", "AP"),
      resource("Payments API (legacy)", "PAYL"),
      resource("PAYMENTS_API", "PAY", "PAY", ["billing", "shop"]),
      resource("Money", "payments-api"),
      elsewhere,
      resource("Past", "X"),
    ];
    const mappings = [mapping({ resourceRef: "ref:Past", state: "deleted" })];
    expect(rank(resources, mappings)).toEqual([
      "high | Money | key equals the repository",
      "high | Past | bound to this project before",
      "high | payments-api mirror | same path on git.example",
      "high | PAYMENTS_API | same name as the repository; also bound to billing and 1 more",
      "medium | API payments | same words as the repository",
      "medium | Payments API (legacy) | name overlaps with the repository",
      "medium | Payments | name overlaps with the repository",
      "low | Payments APIs (beta) | 68 % alike",
    ]);
  });

  test("slug and repository name both count", () => {
    const identity = { ...IDENTITY, slug: "checkout", repo_slug: "acme/shop" };
    expect(rank([resource("Checkout"), resource("Shop"), resource("Other")], [], identity)).toEqual([
      "high | Checkout | same name as the project",
      "high | Shop | same name as the repository",
    ]);
  });

  test("among names of equal confidence the more similar one is first", () => {
    const identity = { ...IDENTITY, slug: "maven-enforcer", repo_slug: "apache/maven-enforcer" };
    const [first] = rank(
      [resource("Maven", "MNG"), resource("Maven Enforcer Plugin", "MENFORCER")],
      [],
      identity,
    );
    expect(first).toContain("Maven Enforcer Plugin");
  });

  test("a part of a word is no match on a word boundary", () => {
    const identity = { ...IDENTITY, slug: "ledger", repo_slug: "acme/ledger" };
    expect(rank([resource("Ledgerdemain"), resource("Ledger desk")], [], identity)[0]).toBe(
      "medium | Ledger desk | name overlaps with the repository",
    );
  });

  test("a disabled mapping is offered with that reason", () => {
    const [first] = rank([resource("Bound"), resource("Payments API")], [mapping({ state: "disabled" })]);
    expect(first).toBe("high | Bound | bound to this project, and disabled");
  });

  test("other projects' tombstones displace nothing", () => {
    const others = mapping({ projectUuid: OLD_UUID, resourceRef: "ref:Website", state: "deleted" });
    expect(rank([resource("Website"), resource("Payments API")], [others])).toEqual([
      "high | Payments API | same name as the repository",
    ]);
  });

  test("when nothing is alike, the first by label are offered", () => {
    const identity = { ...IDENTITY, slug: "---", repo_slug: null };
    const resources = Array.from({ length: MAX_LOW_CANDIDATES + 37 }, (_, n) =>
      resource(`zz ${String(n).padStart(3, "0")}`),
    );
    const ranked = rank(resources, [], { ...identity, repo_slug: "acme/---" });
    expect(ranked).toHaveLength(MAX_LOW_CANDIDATES);
    expect(ranked[0]).toBe("low | zz 000 | no similar name");
  });

  test("of many that are a little alike the most alike stay", () => {
    const alike = Array.from({ length: MAX_LOW_CANDIDATES }, (_, n) => resource("payment apis", "", `a${n}`));
    const lessAlike = Array.from({ length: 10 }, (_, n) => resource("payments ape-house", "", `b${n}`));
    const ranked = rankCandidates(IDENTITY, [], [...lessAlike, ...alike]);
    expect(ranked).toHaveLength(MAX_LOW_CANDIDATES);
    expect(ranked.every(({ resource: { label } }) => label === "payment apis")).toBe(true);
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
      .map((labels) => labels.map((label, index) => resource(label, "", `id-${index}`)));
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
