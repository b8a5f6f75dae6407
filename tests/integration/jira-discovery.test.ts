/** What can be bound in Jira: on one site, and on all sites behind Atlassian's API gateway. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createCloudClient } from "jira.js";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import { createDiscoverySource, createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { connectorParamsToHostedParams } from "../../src/sdk/connectors/params.ts";
import {
  type DiscoveredResource,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "../../src/sdk/discovery.ts";
import { DiscoveryContractError } from "../../src/sdk/errors.ts";
import type { Transport } from "../../src/sdk/http/transport.ts";
import { BLANK } from "../../src/sdk/model.ts";
import { failureOf } from "../helpers/failure.ts";
import { directly, throughGateway } from "../helpers/subjects/jira.ts";
import { JiraSimulator, type ProjectSeed } from "../simulators/jira/index.ts";

let simulator: JiraSimulator;

const named = (id: string, key: string, more: Partial<ProjectSeed> = {}): ProjectSeed => ({
  id,
  key,
  name: `Project ${key}`,
  ...more,
});

beforeEach(async () => {
  const many = Array.from({ length: 120 }, (_, index) => named(String(20_000 + index), `P${1000 + index}`));
  const projects = [
    ...many,
    named("1", "OLD", { state: "archived" }),
    named("2", "BIN", { state: "deleted" }),
    named("3", "TOP", { access: "none" }),
    named("4", "VIEW", { access: "read" }),
  ];
  const sites = [
    { cloudId: "cloud-acme", name: "acme", projects },
    { cloudId: "cloud-labs", name: "labs", projects: [named("1", "LAB")] },
  ];
  simulator = await new JiraSimulator({ sites }).start();
});
afterEach(() => simulator.stop());

const onSite = () =>
  createDiscoverySource({
    provider: "jira",
    transport: directly(simulator),
    baseUrl: `${simulator.origin}/`,
  });
const onGateway = () => createDiscoverySource({ provider: "jira", transport: throughGateway(simulator) });

async function resourcesOf(source: DiscoverySource, index = 0) {
  const workspace = (await discoverWorkspaces(source)).items[index];
  if (workspace === undefined) throw new Error("no workspace was found");
  const resources: DiscoveredResource[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const page: Awaited<ReturnType<typeof discoverResources>> = await discoverResources(
      source,
      workspace,
      cursor,
    );
    resources.push(...page.items);
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== null);
  return { workspace, resources, pages };
}

/** A create and a read through nothing but what discovery gave. */
async function used(resource: DiscoveredResource, transport: Transport) {
  const params = connectorParamsToHostedParams("jira", resource.connectorParams);
  const connector = await createHostedConnector({ provider: "jira", params, transport });
  const { ref } = await connector.createIssue({ ...BLANK, title: "First" }, { idempotencyKey: "first" });
  expect((await connector.listIssues({})).items.map(({ title }) => title)).toEqual(["First"]);
  return ref;
}

describe("on a site", () => {
  test("finds the projects that the official client finds, over pages, without those that are not live", async () => {
    const { workspace, resources, pages } = await resourcesOf(await onSite());
    const { origin } = simulator;
    expect(workspace).toEqual({
      id: "cloud-acme",
      display: new URL(origin).host,
      kind: "site",
      provider: "jira",
      providerContext: {
        cloud_id: "cloud-acme",
        site_url: origin,
        workspace_handle: "127",
        workspace_url: origin,
      },
    });
    expect(pages).toBe(3);
    expect(resources[0]).toEqual({
      stableRef: "20000",
      displayName: "Project P1000",
      kind: "project",
      provider: "jira",
      workspaceId: "cloud-acme",
      connectorParams: { baseUrl: origin, projectId: "20000", projectKey: "P1000" },
      routingMetadata: {
        project_id: "20000",
        project_key: "P1000",
        cloud_id: "cloud-acme",
        display_key: "P1000",
        resource_url: `${origin}/browse/P1000`,
      },
    });
    const auth = { type: "basic", email: simulator.email, apiToken: simulator.token } as const;
    const official = createCloudClient({ host: origin, auth, onSchemaMismatch: "throw" });
    const keys: (string | undefined)[] = [];
    for (let startAt = 0; startAt < 121; startAt += 50) {
      keys.push(...(await official.projects.searchProjects({ startAt })).values.map(({ key }) => key));
    }
    expect(resources.map(({ routingMetadata }) => routingMetadata.display_key)).toEqual(keys);
    expect(keys).toHaveLength(121);
  });

  test("what it finds is enough to connect", async () => {
    const {
      resources: [first],
    } = await resourcesOf(await onSite());
    if (first === undefined) throw new Error("nothing was found");
    expect(await used(first, directly(simulator))).toMatchObject({ workspace: "20000", key: "P1000-1" });
  });

  test("a site that does not tell its cloud id is known by its address", async () => {
    simulator.tenantInfo = "missing";
    const { workspace, resources } = await resourcesOf(await onSite());
    expect(workspace).toMatchObject({
      id: simulator.origin,
      providerContext: { site_url: simulator.origin },
    });
    expect(workspace.providerContext).not.toHaveProperty("cloud_id");
    expect(resources[0]?.routingMetadata).not.toHaveProperty("cloud_id");
  });

  test("names the account and the site", async () => {
    expect(await (await onSite()).account()).toBe(`5b10-ada ${new URL(simulator.origin).host}`);
  });

  test.each(["refused", "answered"] as const)(
    "a bad credential is told when strangers are %s",
    async (strangers) => {
      const source = await onSite();
      const { workspace } = await resourcesOf(source);
      simulator.strangers = strangers;
      const { email, origin: baseUrl } = simulator;
      const transport = openTransport("jira", { kind: "token", email, token: "wrong", baseUrl });
      const stranger = await createDiscoverySource({ provider: "jira", transport, baseUrl });
      for (const call of [
        () => stranger.account(),
        () => discoverWorkspaces(stranger),
        () => discoverResources(stranger, workspace),
      ]) {
        expect(await failureOf(call)).toMatchObject({ failureClass: "auth" });
      }
    },
  );

  test("Jira Data Center is told from Jira Cloud", async () => {
    const page = {
      kind: "answer",
      status: 404,
      headers: { "content-type": "text/html" },
      body: "<html></html>",
    } as const;
    simulator.fail(page);
    expect(await failureOf(async () => discoverWorkspaces(await onSite()))).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("Data Center"),
    });
  });

  test("projects that are not live are left out where the site lists them all the same", async () => {
    const project = (id: string, more: object) => ({ id, key: `P${id}`, name: `Project ${id}`, ...more });
    const values = [project("1", { archived: true }), project("2", { deleted: true }), project("3", {})];
    const isSearch = ({ path }: { readonly path: string }) => path.endsWith("/project/search");
    simulator.fail({ kind: "answer", status: 200, body: { values, isLast: true } }, isSearch);
    const { resources } = await resourcesOf(await onSite());
    expect(resources.map(({ stableRef }) => stableRef)).toEqual(["3"]);
  });

  test("a malformed answer is refused where it is wrong", async () => {
    const body = { values: [{ id: 10_000, key: "PAY", name: "Payments" }], isLast: true };
    const isSearch = ({ path }: { readonly path: string }) => path.endsWith("/project/search");
    simulator.fail({ kind: "answer", status: 200, body }, isSearch);
    const error = await failureOf(async () => resourcesOf(await onSite()));
    expect(error).toBeInstanceOf(DiscoveryContractError);
    expect(error).toMatchObject({ fieldPath: "projects.values.0.id" });
  });

  test("a cursor of somebody else's is refused", async () => {
    const source = await onSite();
    const { workspace } = await resourcesOf(source);
    expect(await failureOf(() => discoverResources(source, workspace, "../1"))).toMatchObject({
      failureClass: "invalid",
    });
  });
});

describe("behind the gateway", () => {
  test("finds every site with Jira once, and its projects", async () => {
    const source = await onGateway();
    const { items } = await discoverWorkspaces(source);
    expect(
      items.map(({ id, display, providerContext }) => [id, display, providerContext.workspace_url]),
    ).toEqual([
      ["cloud-acme", "acme", simulator.origin],
      ["cloud-labs", "labs", "https://labs.atlassian.net"],
    ]);
    expect(items[1]?.providerContext).toEqual({
      cloud_id: "cloud-labs",
      site_url: "https://labs.atlassian.net",
      workspace_handle: "labs",
      workspace_url: "https://labs.atlassian.net",
    });
    const { resources } = await resourcesOf(source, 1);
    expect(resources).toMatchObject([
      {
        workspaceId: "cloud-labs",
        connectorParams: {
          baseUrl: "https://labs.atlassian.net",
          projectId: "1",
          projectKey: "LAB",
          cloudId: "cloud-labs",
        },
        routingMetadata: { resource_url: "https://labs.atlassian.net/browse/LAB" },
      },
    ]);
  });

  test("what it finds is enough to connect, through the gateway too", async () => {
    const {
      resources: [lab],
    } = await resourcesOf(await onGateway(), 1);
    if (lab === undefined) throw new Error("nothing was found");
    const ref = await used(lab, throughGateway(simulator));
    expect(ref).toMatchObject({
      workspace: "1",
      key: "LAB-1",
      url: "https://labs.atlassian.net/browse/LAB-1",
    });
    const outside = simulator.requests.filter(
      ({ path }) => !path.startsWith("/ex/jira/cloud-labs/") && path !== "/oauth/token/accessible-resources",
    );
    expect(outside).toEqual([]);
  });

  test("names the account", async () => {
    expect(await (await onGateway()).account()).toBe("5b10-ada");
  });

  test("a bad token is told", async () => {
    const transport = openTransport("jira", { kind: "token", token: "wrong", baseUrl: simulator.origin });
    const source = await createDiscoverySource({ provider: "jira", transport });
    expect(await failureOf(() => discoverWorkspaces(source))).toMatchObject({ failureClass: "auth" });
  });

  test("a token that leads nowhere is told", async () => {
    simulator.fail({ kind: "answer", status: 200, body: [] });
    expect(await failureOf(async () => (await onGateway()).account())).toMatchObject({
      failureClass: "permission",
    });
  });
});
