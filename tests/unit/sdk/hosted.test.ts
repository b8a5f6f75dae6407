import { describe, expect, test } from "bun:test";
import { createHostedConnector } from "../../../src/sdk/connectors/hosted.ts";
import {
  connectorParamsToHostedParams,
  HOSTED_PARAMS,
  isHostedProvider,
  parseParams,
} from "../../../src/sdk/connectors/params.ts";
import { discoverResources, discoverWorkspaces } from "../../../src/sdk/discovery.ts";
import { ConnectorConfigError } from "../../../src/sdk/errors.ts";
import type { Transport } from "../../../src/sdk/http/transport.ts";
import { demoDiscovery } from "../../../src/sdk/testing/demo-discovery.ts";
import type { HostedProvider } from "../../../src/shared/providers.ts";
import { providerName } from "../../../src/shared/providers.ts";

/** Nothing may be sent while a connector is made. */
const transport: Transport = {
  send: async ({ method, path }) => {
    throw new Error(`sent ${method} ${path}`);
  },
};

const parse = (provider: HostedProvider, params: unknown): unknown =>
  parseParams(provider, HOSTED_PARAMS[provider], params);

describe("params", () => {
  test.each<[HostedProvider, object, object?]>([
    ["linear", { teamId: "t1" }],
    [
      "linear",
      {
        teamId: "t1",
        workspace: "acme",
        graphqlUrl: "https://api.linear.app/graphql",
        statusToStateId: { in_review: "s1" },
      },
    ],
    ["jira", { baseUrl: "https://acme.atlassian.net", projectKey: "PAY" }],
    [
      "jira",
      { baseUrl: "https://acme.atlassian.net", projectId: 10001 },
      { baseUrl: "https://acme.atlassian.net", projectId: "10001" },
    ],
    [
      "jira",
      {
        baseUrl: "https://acme.atlassian.net",
        projectId: "10001",
        projectKey: "PAY",
        defaultIssueType: "Task",
        statusNameMap: { done: "Erledigt" },
        missionFieldId: "customfield_10042",
      },
    ],
    ["github", { owner: "acme", repo: "api" }],
    ["github", { owner: "acme", repo: "api", baseUrl: "https://ghe.example/api/v3" }],
    ["gitlab", { projectId: 7 }, { projectId: "7" }],
    ["gitlab", { projectId: "acme/api", baseUrl: "http://127.0.0.1:8080" }],
  ])("%s takes %j", (provider, params, expected = params) => {
    expect(parse(provider, params)).toEqual(expected);
  });

  test.each<[HostedProvider, unknown, string]>([
    ["linear", {}, "params.teamId"],
    ["linear", null, "params:"],
    ["linear", { teamId: "" }, "params.teamId: must not be empty"],
    ["linear", { teamId: "t", graphqlUrl: "http://evil.example" }, "params.graphqlUrl: must be https"],
    ["linear", { teamId: "t", statusToStateId: { doing: "s" } }, "params.statusToStateId.doing"],
    ["linear", { teamId: "t", statusToStateId: { done: 7 } }, "params.statusToStateId.done"],
    ["linear", { teamId: "t", owner: "acme" }, "params.owner"],
    ["jira", { projectKey: "PAY" }, "params.baseUrl"],
    [
      "jira",
      { baseUrl: "https://a.atlassian.net" },
      "params.projectId: is required unless projectKey is set",
    ],
    ["jira", { baseUrl: "acme", projectKey: "PAY" }, "params.baseUrl: is not a URL"],
    ["jira", { teamId: "t1" }, "params.baseUrl"],
    ["github", { owner: "acme" }, "params.repo"],
    ["github", { projectId: "7" }, "params.owner"],
    ["github", { owner: "acme", repo: "api", baseUrl: "https://u:p@h" }, "params.baseUrl: must not contain"],
    ["gitlab", { projectId: 1.5 }, "params.projectId: must be an id"],
    ["gitlab", { projectId: "7", repo: "api" }, "params.repo"],
  ])("%s refuses %j by its path", (provider, params, message) => {
    expect(() => parse(provider, params)).toThrow(ConnectorConfigError);
    expect(() => parse(provider, params)).toThrow(`${providerName(provider)}: ${message}`);
  });
});

describe("what discovery finds becomes params", () => {
  test.each(["github", "gitlab", "jira", "linear"] as const)(
    "%s: every resource of the demo data",
    async (provider) => {
      const source = demoDiscovery(provider);
      let count = 0;
      for (const workspace of (await discoverWorkspaces(source)).items) {
        for (let cursor: string | null = null, isFirst = true; isFirst || cursor !== null; isFirst = false) {
          const page = await discoverResources(source, workspace, cursor);
          cursor = page.nextCursor;
          for (const { stableRef, displayName, connectorParams } of page.items) {
            count += 1;
            const params = connectorParamsToHostedParams(provider, connectorParams);
            // GitHub is addressed by name, all others by the reference that does not change.
            expect(Object.values(params)).toContain(
              provider === "github" ? displayName.split("/")[1] : stableRef,
            );
          }
        }
      }
      expect(count).toBeGreaterThan(5);
    },
  );

  test("facts that the connector does not take are left out", () => {
    expect(
      connectorParamsToHostedParams("github", {
        owner: "acme",
        repo: "api",
        repositoryId: 7,
        visibility: "private",
      }),
    ).toEqual({ owner: "acme", repo: "api" });
  });

  test("what is missing, or another provider's, is named", () => {
    expect(() => connectorParamsToHostedParams("jira", { teamId: "t1" })).toThrow(
      "Jira: connectorParams.baseUrl",
    );
    expect(() => connectorParamsToHostedParams("gitlab", { projectId: null })).toThrow(
      "GitLab: connectorParams.projectId: must be an id",
    );
  });
});

describe("createHostedConnector", () => {
  const failureOf = (made: Promise<unknown>): Promise<unknown> => made.catch((error: unknown) => error);

  test("wrong params are told before anything else", async () => {
    const failure = await failureOf(
      createHostedConnector({ provider: "linear", params: { teamId: "" }, transport }),
    );
    expect(failure).toBeInstanceOf(ConnectorConfigError);
    expect(failure).toMatchObject({
      provider: "linear",
      failureClass: "invalid",
      message: "Linear: params.teamId: must not be empty",
    });
  });

  test("a Nango context that cannot be used", async () => {
    const nangoContext = { connectionId: "c", providerConfigKey: "k", secretKey: "a\nb" };
    const failure = await failureOf(
      createHostedConnector({ provider: "gitlab", params: { projectId: "7" }, nangoContext }),
    );
    expect(failure).toMatchObject({ message: "GitLab: secretKey must be text that fits into a header." });
  });

  test("a provider that is data and not a hosted one", async () => {
    const provider: string = "constructor";
    expect(isHostedProvider(provider)).toBe(false);
    expect(() => Reflect.apply(connectorParamsToHostedParams, null, [provider, {}])).toThrow(
      '"constructor" is not a hosted provider.',
    );
    const failure = await failureOf(
      Reflect.apply(createHostedConnector, null, [{ provider, params: {}, transport }]),
    );
    expect(failure).toMatchObject({ message: '"constructor" is not a hosted provider.' });
    expect(failure).toBeInstanceOf(ConnectorConfigError);
  });

  test("makes a connector to one resource, and asks the provider nothing", async () => {
    const made = await Promise.all([
      createHostedConnector({ provider: "github", params: { owner: "acme", repo: "api" }, transport }),
      createHostedConnector({ provider: "gitlab", params: { projectId: 7 }, transport }),
      createHostedConnector({ provider: "linear", params: { teamId: "t" }, transport }),
      createHostedConnector({
        provider: "jira",
        params: { baseUrl: "https://acme.atlassian.net", projectKey: "PAY" },
        transport,
      }),
    ]);
    expect(made.map(({ provider, workspace }) => [provider, workspace])).toEqual([
      ["github", "acme/api"],
      ["gitlab", "7"],
      ["linear", "t"],
      ["jira", "PAY"],
    ]);
  });
});
