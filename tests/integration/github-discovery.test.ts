/** What the GitHub connector discovers, and that it can be worked with. */
import { afterEach, describe, expect, test } from "bun:test";
import { Octokit } from "@octokit/rest";
import { createDiscoverySource, createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { connectorParamsToHostedParams } from "../../src/sdk/connectors/params.ts";
import {
  type DiscoveredResource,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "../../src/sdk/discovery.ts";
import { DiscoveryContractError } from "../../src/sdk/errors.ts";
import { directly } from "../helpers/subjects/github.ts";
import { GitHubSimulator, type GitHubSimulatorOptions, type OwnerSeed } from "../simulators/github/index.ts";

const ACME: OwnerSeed = {
  login: "acme",
  repositories: [
    { name: "payments-api" },
    { name: "web", access: "pull" },
    { name: "old", archived: true },
    { name: "banned", disabled: true },
    { name: "mirror", hasIssues: false },
    { name: "listed", access: "listed" },
    { name: "secret", access: "none" },
  ],
};
const OCTAVIA: OwnerSeed = { login: "octavia", type: "User", repositories: [{ name: "dotfiles" }] };
const EMPTY: OwnerSeed = { login: "empty", repositories: [{ name: "gone", archived: true }] };

let simulator: GitHubSimulator;
afterEach(() => simulator.stop());

async function discover(options: GitHubSimulatorOptions, baseUrl?: "own"): Promise<DiscoverySource> {
  simulator = await new GitHubSimulator(options).start();
  return createDiscoverySource({
    provider: "github",
    transport: directly(simulator),
    ...(baseUrl === "own" && { baseUrl: simulator.origin }),
  });
}

/** Everything, as `owner: repository, repository`. */
async function everything(source: DiscoverySource): Promise<readonly DiscoveredResource[]> {
  const found: DiscoveredResource[] = [];
  const { items, nextCursor } = await discoverWorkspaces(source);
  expect(nextCursor).toBeNull();
  for (const workspace of items) found.push(...(await discoverResources(source, workspace)).items);
  return found;
}

const many = (count: number): OwnerSeed => ({
  login: "many",
  repositories: Array.from({ length: count }, (_, at) => ({ name: `repository-${at}` })),
});

describe("workspaces and resources", () => {
  test("have the shape that the rest of tracker expects", async () => {
    const source = await discover({ workspaces: [ACME] });
    const [workspace] = (await discoverWorkspaces(source)).items;
    if (workspace === undefined) throw new Error("there is no workspace");
    expect(workspace).toEqual({
      id: expect.stringMatching(/^\d+$/),
      display: "acme",
      kind: "organization",
      provider: "github",
      providerContext: {
        login: "acme",
        workspace_handle: "acme",
        workspace_url: `${simulator.origin}/acme`,
      },
    });
    const [resource] = (await discoverResources(source, workspace)).items;
    const id = resource?.stableRef;
    expect(resource).toEqual({
      stableRef: expect.stringMatching(/^\d+$/),
      displayName: "acme/payments-api",
      kind: "repository",
      provider: "github",
      workspaceId: workspace.id,
      connectorParams: { owner: "acme", repo: "payments-api" },
      routingMetadata: {
        repository_id: id,
        full_name: "acme/payments-api",
        display_key: "acme/payments-api",
        resource_url: `${simulator.origin}/acme/payments-api`,
      },
    });
  });

  test("leave out what takes no issues: archived, disabled, without issues, without access", async () => {
    const source = await discover({ workspaces: [OCTAVIA, ACME, EMPTY] });
    const { items } = await discoverWorkspaces(source);
    expect(items.map(({ display, kind }) => [display, kind])).toEqual([
      ["acme", "organization"],
      ["octavia", "user"],
    ]);
    expect((await everything(source)).map(({ displayName }) => displayName)).toEqual([
      "acme/payments-api",
      "acme/web",
      "octavia/dotfiles",
    ]);
  });

  test.each(["with", "without"])("are read from all pages, %s headers", async (headers) => {
    const source = await discover({ workspaces: [many(230), OCTAVIA] });
    if (headers === "without") {
      for (let page = 0; page < 3; page += 1) {
        simulator.fail({ kind: "distort", distort: ({ status, body }) => ({ status, body }) });
      }
    }
    expect(await everything(source)).toHaveLength(231);
    // All of them were read once, not once per owner.
    expect(simulator.requests).toHaveLength(3);
  });

  test("are those that GitHub's own SDK lists", async () => {
    const source = await discover({ workspaces: [ACME, OCTAVIA, many(120)] });
    const octokit = new Octokit({ auth: simulator.token, baseUrl: `${simulator.origin}/api/v3` });
    const all = await octokit.paginate(octokit.repos.listForAuthenticatedUser, { per_page: 50 });
    const bindable = all.filter(
      ({ archived, disabled, has_issues, permissions }) =>
        !archived && !disabled && has_issues && permissions?.pull,
    );
    expect((await everything(source)).map(({ stableRef }) => stableRef).sort()).toEqual(
      bindable.map(({ id }) => String(id)).sort(),
    );
  });

  test("are told once when one moves to another page meanwhile", async () => {
    const source = await discover({ workspaces: [many(150)] });
    simulator.fail({
      kind: "meanwhile",
      phase: "after",
      happens: () => simulator.renameRepository("many/repository-0", "zebra"),
    });
    const ids = (await everything(source)).map(({ stableRef }) => stableRef);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("are read anew by the next discovery", async () => {
    const source = await discover({ workspaces: [ACME] });
    await everything(source);
    simulator.renameRepository("acme/web", "website");
    expect((await everything(source)).map(({ displayName }) => displayName)).toEqual([
      "acme/payments-api",
      "acme/website",
    ]);
  });

  test.each(["own", undefined] as const)(
    "rebuild a connector from their params alone: baseUrl %p",
    async (baseUrl) => {
      const [resource] = await everything(await discover({ workspaces: [ACME] }, baseUrl));
      const params = connectorParamsToHostedParams("github", resource?.connectorParams ?? {});
      expect(params).toEqual({
        owner: "acme",
        repo: "payments-api",
        ...(baseUrl === "own" && { baseUrl: simulator.origin }),
      });
      const connector = await createHostedConnector({
        provider: "github",
        params,
        transport: directly(simulator),
      });
      simulator.addIssue("acme/payments-api", { title: "Found" });
      expect(await connector.findIssue("#1")).toMatchObject({ title: "Found" });
    },
  );
});

describe("the account", () => {
  test("is the user's, whichever token of theirs it is", async () => {
    const source = await discover({ workspaces: [ACME] });
    const account = await source.account();
    expect(account).toMatch(/^\d+$/);
    await simulator.stop();
    expect(await (await discover({ workspaces: [], token: "ghp_other" })).account()).toBe(account);
  });

  test("of an app's installation is that of the owner whose repositories it sees", async () => {
    const source = await discover({ workspaces: [ACME], credential: "installation" });
    const [workspace] = (await discoverWorkspaces(source)).items;
    expect(await source.account()).toBe(`installation:${workspace?.id}`);
    expect((await everything(source)).map(({ displayName }) => displayName)).toEqual([
      "acme/payments-api",
      "acme/web",
    ]);
  });

  test("of an installation without repositories is known too", async () => {
    expect(await (await discover({ workspaces: [], credential: "installation" })).account()).toBe(
      "installation",
    );
  });
});

describe("trouble", () => {
  test("a person whom the organization keeps out is told why", async () => {
    const source = await discover({ workspaces: [ACME] });
    const message = "The organization has an IP allow list enabled, and your address is not on it.";
    simulator.fail({ kind: "answer", status: 403, body: { message } });
    await expect(source.account()).rejects.toMatchObject({
      failureClass: "permission",
      message: expect.stringContaining(message),
    });
  });

  test.each([
    [401, { message: "Bad credentials" }, "auth"],
    [429, { message: "You have exceeded a secondary rate limit." }, "rate_limited"],
    [403, { message: "You have exceeded a secondary rate limit." }, "rate_limited"],
    [503, { message: "Unicorn!" }, "transient"],
  ] as const)(
    "%d is told as it is, and not taken for an installation",
    async (status, body, failureClass) => {
      const source = await discover({ workspaces: [ACME] });
      for (const ask of [() => source.account(), () => discoverWorkspaces(source)]) {
        simulator.fail({ kind: "answer", status, body });
        await expect(ask()).rejects.toMatchObject({ failureClass });
      }
      expect(simulator.requests).toHaveLength(2);
      expect((await discoverWorkspaces(source)).items).toHaveLength(1);
    },
  );

  test.each([
    [
      "a repository without an owner",
      ({ owner, ...rest }: { owner?: unknown }) => [rest],
      "repositories.0.owner",
    ],
    ["an id that is text", (row: object) => [{ ...row, id: "7" }], "repositories.0.id"],
    [
      "archived or not, who knows",
      (row: object) => [row, { ...row, archived: null }],
      "repositories.1.archived",
    ],
    ["an object for the list", (row: object) => row, "repositories"],
    ["HTML", () => "<html>", "repositories"],
  ] as const)("a malformed answer is refused where it is wrong: %s", async (_, distort, fieldPath) => {
    const source = await discover({ workspaces: [OCTAVIA] });
    simulator.fail({
      kind: "distort",
      distort: ({ status, body }) => ({
        status,
        headers: { "content-type": "application/octet-stream" },
        body: distort(Object(Array.isArray(body) ? body[0] : null)),
      }),
    });
    const error = await discoverWorkspaces(source).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(DiscoveryContractError);
    expect(error).toMatchObject({ fieldPath });
  });
});
