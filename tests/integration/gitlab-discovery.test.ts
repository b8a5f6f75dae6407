/** What a GitLab account can be bound to. */
import { afterEach, describe, expect, test } from "bun:test";
import { gitlab } from "../../src/sdk/connectors/gitlab/index.ts";
import { createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { connectorParamsToHostedParams } from "../../src/sdk/connectors/params.ts";
import { type DiscoveredResource, discoverResources, discoverWorkspaces } from "../../src/sdk/discovery.ts";
import { DiscoveryContractError } from "../../src/sdk/errors.ts";
import { directly } from "../helpers/subjects/gitlab.ts";
import { GitLabSimulator } from "../simulators/gitlab/index.ts";
import type { ProjectSeed, WorkspaceSeed } from "../simulators/gitlab/store.ts";

let simulator: GitLabSimulator;
afterEach(() => simulator.stop());

const PAYMENTS: ProjectSeed = { id: 1, path: "payments-api", name: "Payments API" };
const NESTED: ProjectSeed = { id: 2, path: "platform/core/gateway", name: "Gateway" };
const ACME: WorkspaceSeed = { id: 70, path: "Acme", name: "Acme Inc.", projects: [PAYMENTS, NESTED] };
const ADA: WorkspaceSeed = {
  id: 71,
  path: "ada",
  name: "Ada Lovelace",
  kind: "user",
  projects: [{ id: 3, path: "dots", name: "Dots" }],
};

async function start(workspaces: readonly WorkspaceSeed[]) {
  simulator = await new GitLabSimulator({ workspaces }).start();
  return gitlab.discover(directly(simulator), null);
}

async function everything(workspaces: readonly WorkspaceSeed[]): Promise<readonly DiscoveredResource[]> {
  const source = await start(workspaces);
  const found: DiscoveredResource[] = [];
  for (const workspace of (await discoverWorkspaces(source)).items) {
    found.push(...(await discoverResources(source, workspace)).items);
  }
  return found;
}

test("the account is told by its number", async () => {
  expect(await (await start([])).account()).toBe("11");
});

test("workspaces are the roots of the projects' paths", async () => {
  const source = await start([ACME, ADA]);
  const { items, nextCursor } = await discoverWorkspaces(source);
  expect(nextCursor).toBeNull();
  expect(items).toEqual([
    {
      id: "70",
      display: "Acme Inc.",
      kind: "group",
      provider: "gitlab",
      providerContext: {
        group_id: 70,
        full_path: "Acme",
        workspace_handle: "Acme",
        workspace_url: `${simulator.origin}/Acme`,
      },
    },
    {
      id: "71",
      display: "Ada Lovelace",
      kind: "user",
      provider: "gitlab",
      providerContext: {
        namespace_id: 71,
        full_path: "ada",
        workspace_handle: "ada",
        workspace_url: `${simulator.origin}/ada`,
      },
    },
  ]);
});

test("resources are the projects, subgroups' too", async () => {
  const found = await everything([ACME, ADA]);
  expect(found.map(({ stableRef, workspaceId }) => [stableRef, workspaceId])).toEqual([
    ["1", "70"],
    ["2", "70"],
    ["3", "71"],
  ]);
  expect(found[1]).toEqual({
    stableRef: "2",
    displayName: "Acme Inc. / Platform / Core / Gateway",
    kind: "project",
    provider: "gitlab",
    workspaceId: "70",
    connectorParams: { projectId: 2 },
    routingMetadata: {
      project_id: 2,
      path_with_namespace: "Acme/platform/core/gateway",
      display_key: "Acme/platform/core/gateway",
      resource_url: `${simulator.origin}/Acme/platform/core/gateway`,
    },
  });
});

test("all projects are found, a hundred at a time, and read once", async () => {
  const projects = Array.from({ length: 250 }, (_, index) => ({
    id: 1000 - index,
    path: `project-${index}`,
    name: `Project ${index}`,
  }));
  const found = await everything([{ ...ACME, projects }, ADA]);
  expect(found.map(({ stableRef }) => Number(stableRef)).sort((a, b) => a - b)).toEqual([
    3,
    ...projects.map(({ id }) => id).reverse(),
  ]);
  expect(simulator.requests.map(({ query }) => query.get("id_after"))).toEqual([null, "849", "949"]);
});

describe("what cannot be bound is left out:", () => {
  const unfit: readonly (readonly [string, Partial<ProjectSeed>])[] = [
    ["archived", { archived: true }],
    ["waiting for its deletion", { deletionOn: "2026-04-03" }],
    ["without issues", { issues: "disabled" }],
    ["of which only minimal access is left", { access: 5 }],
    ["which the account is no member of", { access: null }],
  ];
  test.each(unfit)("a project that is %s", async (_, change) => {
    const projects = [PAYMENTS, { ...NESTED, ...change }];
    expect((await everything([{ ...ACME, projects }])).map(({ stableRef }) => stableRef)).toEqual(["1"]);
  });

  const told = unfit.filter(([, { access }]) => access !== null);
  test.each(told)("also by servers that do not know how to leave it out: %s", async (_, change) => {
    const source = await start([{ ...ACME, projects: [PAYMENTS, NESTED] }]);
    const { items } = await discoverWorkspaces(source);
    const { archived = false, deletionOn = null, issues = "enabled", access } = change;
    const project = {
      id: 5,
      name_with_namespace: "Acme Inc. / X",
      path_with_namespace: "Acme/x",
      web_url: "https://gitlab.example/Acme/x",
      archived,
      issues_access_level: issues,
      marked_for_deletion_on: deletionOn,
      permissions: {
        project_access: access === undefined ? null : { access_level: access },
        group_access: null,
      },
      namespace: { id: 70, name: "Acme Inc.", kind: "group", full_path: "Acme", parent_id: null },
    };
    simulator.fail({ kind: "answer", status: 200, body: [project] });
    expect((await discoverWorkspaces(source)).items).toEqual([]);
    simulator.fail({ kind: "answer", status: 200, body: [{ ...project, ...FIT }] });
    expect((await discoverWorkspaces(source)).items.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
  });

  test("also by servers that tell of issues in the older word only", async () => {
    const source = await start([{ ...ACME, projects: [PAYMENTS, NESTED] }]);
    const { items } = await discoverWorkspaces(source);
    const project = (issues_enabled: boolean) => ({
      id: 5,
      name_with_namespace: "Acme Inc. / X",
      path_with_namespace: "Acme/x",
      web_url: "https://gitlab.example/Acme/x",
      issues_enabled,
      namespace: { id: 70, name: "Acme Inc.", kind: "group", full_path: "Acme", parent_id: null },
    });
    simulator.fail({ kind: "answer", status: 200, body: [project(false)] });
    expect((await discoverWorkspaces(source)).items).toEqual([]);
    simulator.fail({ kind: "answer", status: 200, body: [project(true)] });
    expect((await discoverWorkspaces(source)).items.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
  });

  const FIT = {
    archived: false,
    issues_access_level: "private",
    marked_for_deletion_on: null,
    permissions: { project_access: null, group_access: null },
  };
});

describe("a group that the account knows only from below", () => {
  test("is asked for its number and its name", async () => {
    const source = await start([{ ...ACME, projects: [NESTED] }]);
    expect((await discoverWorkspaces(source)).items).toMatchObject([{ id: "70", display: "Acme Inc." }]);
    expect(simulator.requests.map(({ path }) => path)).toEqual(["/api/v4/projects", "/api/v4/groups/Acme"]);
  });

  test("is called by its path when it cannot be seen", async () => {
    const source = await start([{ ...ACME, visible: false, projects: [NESTED] }]);
    const { items } = await discoverWorkspaces(source);
    expect(items).toEqual([
      {
        id: "acme",
        display: "Acme",
        kind: "group",
        provider: "gitlab",
        providerContext: {
          full_path: "Acme",
          workspace_handle: "Acme",
          workspace_url: `${simulator.origin}/Acme`,
        },
      },
    ]);
    for (const workspace of items) {
      expect((await discoverResources(source, workspace)).items).toMatchObject([{ stableRef: "2" }]);
    }
  });
});

test("a connector is made from nothing but what was found", async () => {
  await start([ACME]);
  simulator.addIssue(2, { title: "Found" });
  const source = gitlab.discover(directly(simulator), simulator.origin);
  const [workspace] = (await discoverWorkspaces(source)).items;
  if (workspace === undefined) throw new Error("there is a workspace");
  const [, resource] = (await discoverResources(source, workspace)).items;
  const params = connectorParamsToHostedParams("gitlab", resource?.connectorParams ?? {});
  expect(params).toEqual({ projectId: "2", baseUrl: simulator.origin });
  const connector = await createHostedConnector({
    provider: "gitlab",
    params,
    transport: directly(simulator),
  });
  expect((await connector.listIssues({})).items).toMatchObject([{ title: "Found" }]);
});

describe("answers that break the contract", () => {
  const bodies: readonly (readonly [string, unknown, string])[] = [
    ["an object for a list", {}, "projects"],
    ["a project without a number", [{ name_with_namespace: "x" }], "projects.0.id"],
    ["a web page", "<title>Sign in</title>", "projects"],
  ];
  test.each(bodies)("%s", async (_, body, fieldPath) => {
    const source = await start([ACME]);
    const headers = { "content-type": typeof body === "string" ? "text/html" : "application/json" };
    simulator.fail({ kind: "answer", status: 200, headers, body });
    const error: unknown = await discoverWorkspaces(source).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DiscoveryContractError);
    expect(error).toMatchObject({ fieldPath });
  });

  test("a page that leads back", async () => {
    const projects = Array.from({ length: 100 }, (_, index) => ({
      id: index + 1,
      path: `p${index}`,
      name: "P",
    }));
    const source = await start([{ ...ACME, projects }]);
    const body = Array.from({ length: 100 }, () => ({
      id: 50,
      name_with_namespace: "x",
      path_with_namespace: "Acme/x",
      web_url: "x",
      namespace: { id: 70, name: "Acme", kind: "group", full_path: "Acme" },
    }));
    simulator.fail({ kind: "answer", status: 200, body }, ({ query }) => query.has("id_after"));
    await expect(discoverWorkspaces(source)).rejects.toMatchObject({ fieldPath: "projects" });
  });

  test("a refusal is told as it is", async () => {
    const source = await start([{ ...ACME, projects: [NESTED] }]);
    simulator.fail({ kind: "answer", status: 503, body: {} }, ({ path }) => path.includes("/groups/"));
    await expect(discoverWorkspaces(source)).rejects.toMatchObject({ failureClass: "transient" });
  });
});

test("a cursor is none of this listing's", async () => {
  const source = await start([ACME]);
  await expect(discoverWorkspaces(source, "2")).rejects.toMatchObject({ failureClass: "invalid" });
});
