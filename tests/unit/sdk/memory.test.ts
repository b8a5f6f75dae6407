import { describe, expect, test } from "bun:test";
import { discoverResources, discoverWorkspaces } from "../../../src/sdk/discovery.ts";
import { demoDiscovery } from "../../../src/sdk/testing/demo-discovery.ts";

async function everything(provider: string) {
  const source = demoDiscovery(provider);
  const resources = [];
  let requests = 0;
  const { items: workspaces } = await discoverWorkspaces(source);
  for (const workspace of workspaces) {
    for (let cursor: string | null = null; ; requests++) {
      const page = await discoverResources(source, workspace, cursor);
      resources.push(...page.items);
      cursor = page.nextCursor;
      if (cursor === null) break;
    }
  }
  return { workspaces, resources, furtherPages: requests };
}

describe.each(["linear", "jira", "github", "gitlab"])("demo %s", (provider) => {
  test("keeps the discovery contract, has several pages, and unique ids", async () => {
    const { resources, furtherPages } = await everything(provider);
    expect(resources.length).toBeWithin(6, 15);
    expect(furtherPages).toBeGreaterThan(0);
    expect(new Set(resources.map(({ stableRef }) => stableRef)).size).toBe(resources.length);
    for (const { routingMetadata } of resources) {
      expect(routingMetadata).toMatchObject({
        display_key: expect.any(String),
        resource_url: expect.any(String),
      });
    }
  });
});

test("the demo's origin is one repository on each forge", async () => {
  for (const provider of ["github", "gitlab"]) {
    const { resources } = await everything(provider);
    const keys = resources.map(({ routingMetadata }) => routingMetadata.display_key);
    expect(keys.filter((key) => key === "acme/payments-api")).toHaveLength(1);
  }
});

test("there are labels that are hard to show", async () => {
  const all = await Promise.all(["linear", "jira", "github", "gitlab"].map(everything));
  const labels = all.flatMap(({ resources }) => resources.map(({ displayName }) => displayName));
  expect(labels.some((label) => label.length === 120)).toBe(true);
  expect(labels.some((label) => /\p{Script=Han}/u.test(label))).toBe(true);
  expect(labels.some((label) => /\p{Emoji_Presentation}/u.test(label))).toBe(true);
  expect(labels.some((label) => label.includes("\u202e"))).toBe(true);
});

test("an unknown provider, workspace or cursor is refused", async () => {
  expect(() => demoDiscovery("constructor")).toThrow("no demo data");
  const source = demoDiscovery("gitlab");
  const { items } = await discoverWorkspaces(source);
  const [workspace] = items;
  if (workspace === undefined) throw new Error("the demo has no workspace");
  await expect(discoverResources(source, { ...workspace, id: "?" })).rejects.toMatchObject({
    failureClass: "not_found",
  });
  await expect(discoverResources(source, workspace, "many")).rejects.toMatchObject({
    failureClass: "invalid",
  });
  await expect(discoverResources(source, workspace, "-1")).rejects.toMatchObject({ failureClass: "invalid" });
});
