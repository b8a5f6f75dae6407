/** Resolution over real names: does the right project come first, and is a certain match ever wrong? */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { matchKey } from "../../../src/host/inventory/matching.ts";
import {
  exactMatch,
  type InventoryResource,
  rankCandidates,
} from "../../../src/host/inventory/resolution.ts";
import { fold } from "../../../src/shared/text.ts";

const [FIRST_GOAL, FIRST_THREE_GOAL] = [0.95, 0.98];

interface Pair {
  readonly organization: string;
  readonly repository: string | null;
  readonly resource: InventoryResource;
}

const pairs: Pair[] = readFileSync(join(import.meta.dir, "../../fixtures/public-projects.tsv"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [organization = "", repository = "", name = "", key = ""] = line.split("\t");
    const label = `${name} (${key})`;
    const resource: InventoryResource = {
      id: key,
      stableRef: key,
      label,
      sortKey: fold(label),
      nameKey: matchKey(name),
      displayKey: matchKey(key),
      pathKey: null,
      webHost: null,
      boundTo: [],
    };
    return { organization, repository: repository === "-" ? null : repository, resource };
  });

test("the right project is first for 95 of 100 repositories, among three for 98, and never certainly wrong", () => {
  const byOrganization = Map.groupBy(pairs, ({ organization }) => organization);
  let [repositories, first, firstThree] = [0, 0, 0];
  const wrongCertain: string[] = [];
  for (const [organization, own] of byOrganization) {
    const inventory = own.map(({ resource }) => resource);
    for (const { repository, resource } of own) {
      if (repository === null) continue;
      const identity = {
        uuid: crypto.randomUUID(),
        slug: repository.toLowerCase(),
        repo_slug: `${organization}/${repository}`,
        repo_host: "github.com",
      };
      const certain = exactMatch(identity, { mappings: [], known: null, atPath: [] });
      if (certain !== null) wrongCertain.push(repository);
      const position = rankCandidates(identity, [], inventory).findIndex(
        (candidate) => candidate.resource === resource,
      );
      repositories += 1;
      if (position === 0) first += 1;
      if (position >= 0 && position < 3) firstThree += 1;
    }
  }
  expect(repositories).toBeGreaterThan(200);
  expect(first / repositories).toBeGreaterThanOrEqual(FIRST_GOAL);
  expect(firstThree / repositories).toBeGreaterThanOrEqual(FIRST_THREE_GOAL);
  expect(wrongCertain).toEqual([]);
});
