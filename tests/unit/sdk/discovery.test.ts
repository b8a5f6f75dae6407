import { describe, expect, test } from "bun:test";
import { type DiscoverySource, discoverResources, discoverWorkspaces } from "../../../src/sdk/discovery.ts";
import { DiscoveryContractError } from "../../../src/sdk/errors.ts";

const WORKSPACE = {
  id: "w1",
  display: "Acme",
  kind: "organization",
  provider: "linear",
  providerContext: { url_key: "acme" },
};
const RESOURCE = {
  stableRef: "r1",
  displayName: "Payments",
  kind: "team",
  provider: "linear",
  workspaceId: "w1",
  connectorParams: { teamId: "r1" },
  routingMetadata: { team_key: "PAY" },
};

function source(answer: unknown): DiscoverySource {
  return {
    provider: "linear",
    account: async () => "ada",
    listWorkspaces: async () => answer,
    findResource: async () => null,
    listResources: async () => answer,
  };
}
const page = (...items: unknown[]) => ({ items, nextCursor: null });

test("what is valid passes through, native keys included", async () => {
  const workspaces = await discoverWorkspaces(source({ items: [WORKSPACE], nextCursor: "2" }));
  expect(workspaces).toEqual({ items: [WORKSPACE], nextCursor: "2" });
  const resource = {
    ...RESOURCE,
    routingMetadata: { team_key: "PAY", nested: { a: [1] }, display_key: "PAY" },
  };
  expect<unknown>(await discoverResources(source(page(resource)), WORKSPACE)).toEqual(page(resource));
});

test("the cursor is handed to the source", async () => {
  const asked: (string | null)[] = [];
  const listing: DiscoverySource = {
    provider: "linear",
    account: async () => "ada",
    listWorkspaces: async (cursor) => {
      asked.push(cursor);
      return page();
    },
    findResource: async () => null,
    listResources: async (_, cursor) => {
      asked.push(cursor);
      return page();
    },
  };
  await discoverWorkspaces(listing);
  await discoverWorkspaces(listing, "w2");
  await discoverResources(listing, WORKSPACE, "r2");
  expect(asked).toEqual([null, "w2", "r2"]);
});

describe("a broken answer is refused by the path of the field", () => {
  test.each<[string, unknown, string]>([
    ["no object", "oops", "(answer)"],
    ["no items", { nextCursor: null }, "items"],
    ["no cursor", { items: [] }, "nextCursor"],
    ["an empty cursor", { items: [], nextCursor: "" }, "nextCursor"],
    ["no label", page({ ...WORKSPACE, display: undefined }), "items[0].display"],
    ["an empty id", page(WORKSPACE, { ...WORKSPACE, id: "" }), "items[1].id"],
    ["a number as id", page({ ...WORKSPACE, id: 7 }), "items[0].id"],
    ["another provider", page({ ...WORKSPACE, provider: "jira" }), "items[0].provider"],
    [
      "a null handle",
      page({ ...WORKSPACE, providerContext: { workspace_handle: null } }),
      "items[0].providerContext.workspace_handle",
    ],
    [
      "a number as URL",
      page({ ...WORKSPACE, providerContext: { workspace_url: 1 } }),
      "items[0].providerContext.workspace_url",
    ],
    ["no context", page({ ...WORKSPACE, providerContext: null }), "items[0].providerContext"],
  ])("workspaces: %s", async (_, answer, fieldPath) => {
    const failure = await discoverWorkspaces(source(answer)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DiscoveryContractError);
    expect(failure).toMatchObject({
      provider: "linear",
      failureClass: "contract",
      retryable: false,
      fieldPath,
    });
  });

  test.each<[string, unknown, string]>([
    ["no stable reference", page({ ...RESOURCE, stableRef: undefined }), "items[0].stableRef"],
    ["an empty name", page({ ...RESOURCE, displayName: "" }), "items[0].displayName"],
    ["another workspace", page({ ...RESOURCE, workspaceId: "w2" }), "items[0].workspaceId"],
    ["another provider", page({ ...RESOURCE, provider: "github" }), "items[0].provider"],
    ["no parameters", page({ ...RESOURCE, connectorParams: "x" }), "items[0].connectorParams"],
    [
      "an empty display key",
      page({ ...RESOURCE, routingMetadata: { display_key: "" } }),
      "items[0].routingMetadata.display_key",
    ],
    [
      "an object as URL",
      page({ ...RESOURCE, routingMetadata: { resource_url: {} } }),
      "items[0].routingMetadata.resource_url",
    ],
  ])("resources: %s", async (_, answer, fieldPath) => {
    const failure = await discoverResources(source(answer), WORKSPACE).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DiscoveryContractError);
    expect(failure).toMatchObject({ fieldPath });
  });
});
