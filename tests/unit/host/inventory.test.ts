import { describe, expect, test } from "bun:test";
import { accountLabel, discoverAll } from "../../../src/host/inventory/inventory.ts";
import type { DiscoverySource } from "../../../src/sdk/discovery.ts";
import { ConnectorRequestError, DiscoveryContractError } from "../../../src/sdk/errors.ts";
import { demoDiscovery } from "../../../src/sdk/testing/demo-discovery.ts";

test("reads every page of every workspace", async () => {
  const { workspaces } = await discoverAll(demoDiscovery("github"));
  expect(workspaces.map(({ workspace, resources }) => [workspace.display, resources.length])).toEqual([
    ["acme", 11],
    ["octavia-acme", 3],
  ]);
});

test("a resource that drifts onto a second page counts once, as last seen", async () => {
  const source = demoDiscovery("gitlab");
  const drifting: DiscoverySource = {
    provider: "gitlab",
    account: async () => "demo",
    listWorkspaces: () => source.listWorkspaces(null),
    findResource: async () => null,
    listResources: async (workspace, cursor) => {
      const page = await source.listResources(workspace, null);
      const items = page.items.slice(0, 1).map((item) => ({ ...item, displayName: `page ${cursor}` }));
      return { items, nextCursor: cursor === null ? "2" : null };
    },
  };
  const [only] = (await discoverAll(drifting)).workspaces;
  expect(only?.resources.map(({ displayName }) => displayName)).toEqual(["page 2"]);
});

test("cursors that go in circles end in a contract error, not in a loop", async () => {
  const source = demoDiscovery("gitlab");
  const circling: DiscoverySource = {
    provider: "gitlab",
    account: async () => "demo",
    listWorkspaces: async (cursor) => {
      const page = await source.listWorkspaces(null);
      return { ...page, nextCursor: cursor === "a" ? "b" : "a" };
    },
    findResource: async () => null,
    listResources: (workspace) =>
      source.listResources(workspace, null).then(({ items }) => ({ items, nextCursor: null })),
  };
  const failure = await discoverAll(circling).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DiscoveryContractError);
  expect(failure).toMatchObject({ fieldPath: "nextCursor" });
});

describe("many workspaces", () => {
  const names = Array.from({ length: 9 }, (_, index) => `w${index}`);
  const many = (readResources: DiscoverySource["listResources"]): DiscoverySource => ({
    provider: "gitlab",
    account: async () => "demo",
    listWorkspaces: async () => ({
      items: names.map((id) => ({ id, display: id, kind: "group", provider: "gitlab", providerContext: {} })),
      nextCursor: null,
    }),
    findResource: async () => null,
    listResources: readResources,
  });
  const page = (workspaceId: string) => ({
    items: [1, 2].map((number) => ({
      stableRef: `${workspaceId}/${number}`,
      displayName: `${workspaceId}/${number}`,
      kind: "project",
      provider: "gitlab",
      workspaceId,
      connectorParams: {},
      routingMetadata: {},
    })),
    nextCursor: null,
  });

  test("are read in any order and told in the provider's, with the count so far", async () => {
    const told: number[] = [];
    const source = many(async ({ id }) => {
      // The later, the sooner it is answered.
      for (let turn = names.length - names.indexOf(id); turn > 0; turn--) await null;
      return page(id);
    });
    const { workspaces } = await discoverAll(source, (done) => told.push(done));
    expect(workspaces.map(({ workspace }) => workspace.id)).toEqual(names);
    expect(told).toEqual(Array.from({ length: 18 }, (_, index) => index + 1));
  });

  test("are not begun after one has failed", async () => {
    const asked: string[] = [];
    const source = many(async ({ id }) => {
      asked.push(id);
      if (id === "w1") throw new ConnectorRequestError("No.", { provider: "gitlab", failureClass: "auth" });
      await Bun.sleep(1);
      return page(id);
    });
    await expect(discoverAll(source)).rejects.toThrow("No.");
    await Bun.sleep(10);
    expect(asked).toEqual(["w0", "w1", "w2", "w3"]);
  });
});

describe("an account is called by its workspaces", () => {
  const found = (...names: string[]) => ({
    workspaces: names.map((display) => ({
      workspace: { id: display, display, kind: "k", provider: "p", providerContext: {} },
      resources: [],
    })),
  });
  test.each([
    [[], "(no workspaces)"],
    [["Acme"], "Acme"],
    [["Acme", "Labs"], "Acme, Labs"],
    [["Acme", "Labs", "Third", "Fourth"], "Acme, Labs and 2 more"],
  ])("%p: %s", (names, label) => {
    expect(accountLabel(found(...names))).toBe(label);
  });
});
