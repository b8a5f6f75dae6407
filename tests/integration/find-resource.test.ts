/** One resource by its recorded name, over all four simulators: the one that discovery finds, in few requests. */
import { afterEach, describe, expect, test } from "bun:test";
import { createDiscoverySource } from "../../src/sdk/connectors/hosted.ts";
import {
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
  type FoundResource,
  findResource,
} from "../../src/sdk/discovery.ts";
import { directly as toGitHub } from "../helpers/subjects/github.ts";
import { directly as toGitLab } from "../helpers/subjects/gitlab.ts";
import { throughGateway, directly as toJira } from "../helpers/subjects/jira.ts";
import { ACME, directly as toLinear } from "../helpers/subjects/linear.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import { GitLabSimulator } from "../simulators/gitlab/index.ts";
import { JiraSimulator } from "../simulators/jira/index.ts";
import { LinearSimulator } from "../simulators/linear/index.ts";
import type { Simulator } from "../simulators/server.ts";

interface Subject {
  readonly simulator: Simulator;
  readonly open: () => Promise<DiscoverySource>;
  readonly displayKey: string;
  /** Provider requests that one look costs. */
  readonly requests: number;
  /** Keys of resources that cannot be bound. */
  readonly unbindable: readonly string[];
}

const SUBJECTS = {
  github: async () => {
    const repositories = [
      { name: "payments-api" },
      { name: "old", archived: true },
      { name: "mirror", hasIssues: false },
      { name: "secret", access: "none" as const },
    ];
    const simulator = await new GitHubSimulator({ workspaces: [{ login: "acme", repositories }] }).start();
    return {
      simulator,
      open: () =>
        createDiscoverySource({
          provider: "github",
          transport: toGitHub(simulator),
          baseUrl: simulator.origin,
        }),
      displayKey: "acme/payments-api",
      requests: 1,
      unbindable: ["acme/old", "acme/mirror", "acme/secret", "acme/nowhere", "acme", "a/b/c", "", "../user"],
    };
  },
  gitlab: async () => {
    const projects = [
      { id: 1, path: "payments-api", name: "Payments API" },
      { id: 2, path: "old", name: "Old", archived: true },
    ];
    const workspaces = [{ id: 70, path: "Acme", name: "Acme Inc.", projects }];
    const simulator = await new GitLabSimulator({ workspaces }).start();
    return {
      simulator,
      open: () => createDiscoverySource({ provider: "gitlab", transport: toGitLab(simulator) }),
      displayKey: "Acme/payments-api",
      requests: 1,
      unbindable: ["Acme/old", "Acme/nowhere"],
    };
  },
  jira: async () => {
    const projects = [
      { id: "10001", key: "PAY", name: "Payments API" },
      { id: "10002", key: "OLD", name: "Old", state: "archived" as const },
      { id: "10003", key: "TOP", name: "Top secret", access: "none" as const },
    ];
    const simulator = await new JiraSimulator({
      sites: [{ cloudId: "cloud-acme", name: "acme", projects }],
    }).start();
    return {
      simulator,
      open: () =>
        createDiscoverySource({ provider: "jira", transport: toJira(simulator), baseUrl: simulator.origin }),
      displayKey: "PAY",
      requests: 2,
      unbindable: ["OLD", "TOP", "NOWHERE"],
    };
  },
  linear: async () => {
    const simulator = await new LinearSimulator({ workspaces: [ACME] }).start();
    return {
      simulator,
      open: () => createDiscoverySource({ provider: "linear", transport: toLinear(simulator) }),
      displayKey: "ENG",
      requests: 1,
      unbindable: ["NOWHERE", ""],
    };
  },
} satisfies Readonly<Record<string, () => Promise<Subject>>>;

let subject: Subject;
afterEach(() => subject.simulator.stop());

/** The resource as discovery lists it. */
async function discovered(source: DiscoverySource, displayKey: string): Promise<FoundResource> {
  for (const workspace of (await discoverWorkspaces(source)).items) {
    const { items } = await discoverResources(source, workspace);
    const resource = items.find(({ routingMetadata }) => routingMetadata.display_key === displayKey);
    if (resource !== undefined) return { workspace, resource };
  }
  throw new Error(`${displayKey} was not discovered`);
}

describe.each(Object.entries(SUBJECTS))("%s", (_provider, start) => {
  test("the found resource equals the discovered one, and costs the same however much there is", async () => {
    subject = await start();
    const { simulator, open, displayKey, requests } = subject;
    const expected = await discovered(await open(), displayKey);
    const before = simulator.requests.length;
    const source = await open();
    const names = { displayKey, resourceUrl: expected.resource.routingMetadata.resource_url ?? null };
    expect(await findResource(source, names)).toEqual(expected);
    expect(simulator.requests.length - before).toBe(requests);
    expect(await findResource(source, { displayKey, resourceUrl: null })).toEqual(expected);
  });

  test("a resource of another site is not found, although it has the same name", async () => {
    subject = await start();
    const { open, displayKey } = subject;
    const elsewhere = { displayKey, resourceUrl: `https://evil.example/acme/${displayKey}` };
    expect(await findResource(await open(), elsewhere)).toBeNull();
    expect(await findResource(await open(), { displayKey, resourceUrl: "no address" })).toBeNull();
  });

  test("a resource that is hidden, gone or cannot be bound is not found", async () => {
    subject = await start();
    const source = await subject.open();
    for (const displayKey of subject.unbindable) {
      expect([displayKey, await findResource(source, { displayKey, resourceUrl: null })]).toEqual([
        displayKey,
        null,
      ]);
    }
  });
});

test("github: a repository that was renamed is found under its old name, in two requests", async () => {
  const simulator = await new GitHubSimulator({
    workspaces: [{ login: "acme", repositories: [{ name: "payments-api" }] }],
  }).start();
  const open = () =>
    createDiscoverySource({ provider: "github", transport: toGitHub(simulator), baseUrl: simulator.origin });
  subject = { simulator, open, displayKey: "", requests: 2, unbindable: [] };
  simulator.renameRepository("acme/payments-api", "billing");
  const found = await findResource(await open(), { displayKey: "acme/payments-api", resourceUrl: null });
  expect(found?.resource.displayName).toBe("acme/billing");
  expect(simulator.requests).toHaveLength(2);
});

test("jira: behind the API gateway the recorded address chooses the site", async () => {
  const project = { id: "10001", key: "PAY", name: "Payments" };
  const simulator = await new JiraSimulator({
    sites: [
      { cloudId: "cloud-acme", name: "acme", projects: [project] },
      { cloudId: "cloud-labs", name: "labs", projects: [{ ...project, id: "20001" }] },
    ],
  }).start();
  const open = () => createDiscoverySource({ provider: "jira", transport: throughGateway(simulator) });
  subject = { simulator, open, displayKey: "PAY", requests: 2, unbindable: [] };
  const source = await open();
  const sites = (await discoverWorkspaces(source)).items;
  for (const site of sites) {
    const resourceUrl = `${site.providerContext.workspace_url}/browse/PAY`;
    const found = await findResource(source, { displayKey: "PAY", resourceUrl });
    expect(found?.workspace).toEqual(site);
  }
  expect(await findResource(source, { displayKey: "PAY", resourceUrl: null })).toBeNull();
});
