/** What can be bound in Linear: what its own SDK finds, and what a connector can be made from. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LinearClient } from "@linear/sdk";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import { createDiscoverySource, createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { linear } from "../../src/sdk/connectors/linear/index.ts";
import { connectorParamsToHostedParams } from "../../src/sdk/connectors/params.ts";
import {
  type DiscoveredResource,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "../../src/sdk/discovery.ts";
import { DiscoveryContractError } from "../../src/sdk/errors.ts";
import { BLANK } from "../../src/sdk/model.ts";
import { ACME, directly, TEAM, TEAM_ID } from "../helpers/subjects/linear.ts";
import { LinearSimulator } from "../simulators/linear/index.ts";

let simulator: LinearSimulator;
let client: LinearClient;

beforeEach(async () => {
  simulator = await new LinearSimulator({ workspaces: [ACME] }).start();
  client = new LinearClient({ apiKey: simulator.token, apiUrl: `${simulator.origin}/graphql` });
});
afterEach(() => simulator.stop());

describe("discovery", () => {
  const everything = async (source: DiscoverySource) => {
    const [workspace] = (await discoverWorkspaces(source)).items;
    if (workspace === undefined) throw new Error("no workspace was found");
    const resources: DiscoveredResource[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof discoverResources>> = await discoverResources(
        source,
        workspace,
        cursor,
      );
      resources.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    return { workspace, resources };
  };

  test("finds the organization and the teams that Linear's SDK finds, over pages", async () => {
    const store = simulator.store();
    for (let at = 0; at < 120; at++) store.addTeam({ key: `T${at}`, name: `Team ${at}` });
    const source = await createDiscoverySource({ provider: "linear", transport: directly(simulator) });
    const { workspace, resources } = await everything(source);
    const organization = await client.organization;
    expect(workspace).toEqual({
      id: organization.id,
      display: organization.name,
      kind: "organization",
      provider: "linear",
      providerContext: {
        url_key: organization.urlKey,
        workspace_handle: "acme",
        workspace_url: "https://linear.app/acme",
      },
    });
    const teams = await client.paginate(client.teams.bind(client), {});
    expect(resources.map(({ stableRef, displayName }) => [stableRef, displayName]).toSorted()).toEqual(
      teams.map(({ id, name }) => [id, name]).toSorted(),
    );
    expect(resources).toHaveLength(122);
    expect(await source.account()).toBe(`${organization.id}:${(await client.viewer).id}`);
  });

  test("leaves out teams that are archived, retired, or not to be seen", async () => {
    const store = simulator.store();
    store.addTeam({ key: "OLD", name: "Old", gone: "archived" });
    store.addTeam({ key: "RET", name: "Retired", gone: "retired" });
    store.addTeam({ key: "SEC", name: "Secret", visibility: "hidden" });
    store.addTeam({ key: "MY", name: "Mine", visibility: "private" });
    const { resources } = await everything(linear.discover(directly(simulator), null));
    expect(resources.map(({ displayName }) => displayName).toSorted()).toEqual([
      "Engineering",
      "Mine",
      "Operations",
    ]);
  });

  test("tells all that a connector needs, also where Linear is elsewhere", async () => {
    const source = await createDiscoverySource({
      provider: "linear",
      transport: directly(simulator),
      baseUrl: simulator.origin,
    });
    const { resources } = await everything(source);
    const found = resources.find(({ stableRef }) => stableRef === TEAM_ID);
    expect(found).toMatchObject({
      kind: "team",
      displayName: TEAM.name,
      connectorParams: { teamId: TEAM_ID, workspace: "acme", graphqlUrl: `${simulator.origin}/graphql` },
      routingMetadata: {
        team_id: TEAM_ID,
        team_key: "ENG",
        team_name: "Engineering",
        display_key: "ENG",
        resource_url: "https://linear.app/acme/team/ENG",
      },
    });
    const params = connectorParamsToHostedParams("linear", found?.connectorParams ?? {});
    const made = await createHostedConnector({ provider: "linear", params, transport: directly(simulator) });
    const { ref } = await made.createIssue({ ...BLANK, title: "From discovery" }, { idempotencyKey: "key" });
    expect(await client.issue(ref.id)).toMatchObject({ identifier: "ENG-1", teamId: TEAM_ID });
  });

  test("a malformed answer is refused where it is wrong", async () => {
    const source = await createDiscoverySource({ provider: "linear", transport: directly(simulator) });
    const body = { data: { viewer: { id: "u-1" }, organization: { id: "o-1", name: "Acme" } } };
    simulator.fail({ kind: "answer", status: 200, body });
    const error = await discoverWorkspaces(source).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(DiscoveryContractError);
    expect(error).toMatchObject({ fieldPath: "answer.data.organization.urlKey" });
  });

  test("shows each credential its own organization only", async () => {
    const two = new LinearSimulator({
      workspaces: [
        ACME,
        { name: "Labs", urlKey: "labs", token: "oauth-token", teams: [{ key: "RES", name: "R" }] },
      ],
    });
    await two.start();
    const source = linear.discover(
      openTransport("linear", { kind: "token", token: "oauth-token", baseUrl: two.origin }),
      null,
    );
    const { workspace, resources } = await everything(source);
    expect([workspace.display, ...resources.map(({ displayName }) => displayName)]).toEqual(["Labs", "R"]);
    const other = linear.discover(directly(two), null);
    await expect(discoverResources(other, workspace)).rejects.toMatchObject({ failureClass: "not_found" });
    expect(await source.account()).not.toBe(await other.account());
    await two.stop();
  });

  test("and connecting send nothing before they are used", async () => {
    linear.connect({ teamId: TEAM_ID }, directly(simulator));
    linear.discover(directly(simulator), null);
    expect(simulator.requests).toEqual([]);
  });
});
