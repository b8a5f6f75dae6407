/** The host and the real connectors, over the providers' own protocols: connect, bind, and work without the inventory. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { Connection, IssueSearchResponse, ListTicketsResponse } from "../../src/protocol.ts";
import { list, STRANGER, TestHost } from "../helpers/host-fixture.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import { GitLabSimulator } from "../simulators/gitlab/index.ts";
import { JiraSimulator } from "../simulators/jira/index.ts";
import { LinearSimulator } from "../simulators/linear/index.ts";
import { NangoSimulator } from "../simulators/nango.ts";
import type { Simulator } from "../simulators/server.ts";

/** A provider with two resources, each with an issue about refunds. */
interface Case {
  readonly provider: string;
  readonly simulator: Simulator;
  /** What a token connection is made with. */
  readonly credential: { readonly token: string; readonly base_url: string; readonly email?: string };
  readonly authorization: string;
  /** How Nango reaches it. */
  readonly nango: { readonly baseUrl: string; readonly authorization: string };
  /** What is bound. */
  readonly label: string;
  readonly kind: string;
  readonly key: string;
  /** The key of the other resource's issue, as it is called from anywhere. */
  readonly foreignKey: string;
  readonly title: string;
}

async function github(): Promise<Case> {
  const workspaces = [{ login: "acme", repositories: [{ name: "payments-api" }, { name: "web" }] }];
  const simulator = await new GitHubSimulator({ workspaces }).start();
  simulator.addIssue("acme/web", { title: "refunds on the web" });
  const number = simulator.addIssue("acme/payments-api", { title: "refunds are booked twice" });
  const { token, origin } = simulator;
  return {
    provider: "github",
    simulator,
    credential: { token, base_url: origin },
    authorization: `Bearer ${token}`,
    nango: { baseUrl: `${origin}/api/v3`, authorization: `Bearer ${token}` },
    label: "acme/payments-api",
    kind: "repository",
    key: `#${number}`,
    foreignKey: "acme/web#1",
    title: "refunds are booked twice",
  };
}

async function gitlab(): Promise<Case> {
  const projects = [
    { id: 7, path: "payments-api", name: "Payments API" },
    { id: 8, path: "web", name: "Web" },
  ];
  const simulator = await new GitLabSimulator({
    workspaces: [{ id: 70, path: "acme", name: "Acme", projects }],
  }).start();
  simulator.addIssue(8, { title: "refunds on the web" });
  const iid = simulator.addIssue(7, { title: "refunds are booked twice" });
  const { token, origin } = simulator;
  return {
    provider: "gitlab",
    simulator,
    credential: { token, base_url: origin },
    authorization: `Bearer ${token}`,
    nango: { baseUrl: origin, authorization: `Bearer ${token}` },
    label: "Acme / Payments API (acme/payments-api)",
    kind: "project",
    key: `#${iid}`,
    foreignKey: "acme/web#1",
    title: "refunds are booked twice",
  };
}

const LINEAR_TEAM = { id: "7e3f6a52-4f0b-4f5c-9a0c-6d1d8f2b9c11", key: "PAY", name: "Payments API" };
const LINEAR_OTHER = { id: "9b1c7a52-4f0b-4f5c-9a0c-6d1d8f2b9c12", key: "WEB", name: "Web" };
const LABS = { id: "b27d90f4-3c15-4e8a-a6d2-7f40c9e51b38", name: "Labs", urlKey: "labs" };

async function linear(): Promise<Case> {
  const simulator = await new LinearSimulator({
    workspaces: [
      {
        id: "6f1c2d7e-58a4-4b0e-9c63-0d8f3a1b7e25",
        name: "Acme",
        urlKey: "acme",
        teams: [LINEAR_TEAM, LINEAR_OTHER],
      },
      { ...LABS, token: "lin_api_labs", teams: [{ key: "RES", name: "Research" }] },
    ],
  }).start();
  simulator.store().addIssue(LINEAR_OTHER.id, { title: "refunds on the web" });
  simulator.store().addIssue(LINEAR_TEAM.id, { title: "refunds are booked twice" });
  const { token, origin } = simulator;
  return {
    provider: "linear",
    simulator,
    credential: { token, base_url: origin },
    authorization: token,
    nango: { baseUrl: origin, authorization: token },
    label: "Payments API (PAY)",
    kind: "team",
    key: "PAY-1",
    foreignKey: "WEB-1",
    title: "refunds are booked twice",
  };
}

const JIRA_SITE = { cloudId: "f4a1c7d2-8b35-4e60-9d1f-27c0e5b8a364", name: "acme" };

async function jira(): Promise<Case> {
  const projects = [
    { id: "10001", key: "PAY", name: "Payments API" },
    { id: "10002", key: "WEB", name: "Web" },
  ];
  const simulator = await new JiraSimulator({ sites: [{ ...JIRA_SITE, projects }] }).start();
  simulator.site.add("WEB", { summary: "refunds on the web" });
  const { key } = simulator.site.add("PAY", { summary: "refunds are booked twice" });
  const { token, email, origin, oauthToken } = simulator;
  return {
    provider: "jira",
    simulator,
    credential: { token, email, base_url: origin },
    authorization: `Basic ${Buffer.from(`${email}:${token}`).toString("base64")}`,
    nango: { baseUrl: origin, authorization: `Bearer ${oauthToken}` },
    label: "Payments API (PAY)",
    kind: "project",
    key,
    foreignKey: "WEB-1",
    title: "refunds are booked twice",
  };
}

const CASES: readonly [string, () => Promise<Case>][] = [
  ["github", github],
  ["gitlab", gitlab],
  ["jira", jira],
  ["linear", linear],
];

let host: TestHost;
beforeEach(async () => {
  host = await TestHost.open([]);
});
afterEach(() => host.close());

async function connected(fields: Record<string, unknown>): Promise<Connection> {
  const { status, body } = await host.post("admin/connections/", fields);
  expect([status, body.message]).toEqual([200, undefined]);
  return v.parse(Connection, body);
}

describe.each(CASES)("%s", (_, start) => {
  let at: Case;
  beforeEach(async () => {
    at = await start();
  });
  afterEach(() => at.simulator.stop());

  const connect = () => connected({ provider: at.provider, kind: "token", ...at.credential });
  const ticketsOf = async (binding_ref: string) => {
    const { body } = await host.post("tracker/list-tickets/", { provider: at.provider, binding_ref });
    return v.parse(ListTicketsResponse, body);
  };
  const searched = async (fields: Record<string, unknown>) => {
    const { status, body } = await host.post("tracker/issue-search/", { provider: at.provider, ...fields });
    expect([status, body.message]).toEqual([200, undefined]);
    return v.parse(IssueSearchResponse, body).candidates.map(({ title }) => title);
  };
  const forgetInventory = async () => {
    await host.database.deleteFrom("resources").execute();
    await host.database.deleteFrom("workspaces").execute();
  };

  test("is connected, bound, and worked on when the inventory is gone", async () => {
    const { connection_id, base_url, resource_count } = await connect();
    expect([base_url, resource_count]).toEqual([at.simulator.origin, 2]);
    const binding_ref = await host.bind(at.provider, at.label);
    await forgetInventory();
    await host.restart();
    at.simulator.requests.length = 0;

    const { tickets, resource_type } = await ticketsOf(binding_ref);
    expect(tickets).toMatchObject([{ identifier: at.key, title: at.title, team: { name: at.label } }]);
    expect(resource_type).toBe(at.kind);
    expect(await searched({ binding_ref, query_key: at.key })).toEqual([at.title]);
    expect(await searched({ binding_ref, query_text: "refunds" })).toEqual([at.title]);
    expect(await searched({ binding_ref, query_key: at.foreignKey })).toEqual([]);
    const authorizations = at.simulator.requests.map(({ headers }) => headers.get("authorization"));
    expect(new Set(authorizations)).toEqual(new Set([at.authorization]));

    const refreshed = await host.call("POST", `admin/connections/${connection_id}/refresh/`);
    expect(refreshed.body).toMatchObject({ status: "connected", resource_count: 2 });
    const status = await host.get(`tracker/status/?provider=${at.provider}&binding_ref=${binding_ref}`);
    expect(status.body).toMatchObject({ connected: true, last_error: null });
  });

  test("that takes the token no more says so, and nothing says the token", async () => {
    const { connection_id } = await connect();
    const binding_ref = await host.bind(at.provider, at.label);
    const body = { message: `Bad credentials: ${at.credential.token}` };
    for (let count = 0; count < 8; count++) at.simulator.fail({ kind: "answer", status: 401, body });
    const answers = [
      await host.call("POST", `admin/connections/${connection_id}/test/`),
      await host.post("tracker/list-tickets/", { provider: at.provider, binding_ref }),
      await host.post("admin/connections/", { provider: at.provider, kind: "token", ...at.credential }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 502, 502]);
    expect(answers[0]?.body).toMatchObject({ status: "degraded", error: expect.any(String) });
    expect(answers[1]?.body).toMatchObject({ code: "provider_rejected", source: "provider" });
    expect(JSON.stringify(answers.map((answer) => answer.body))).not.toContain(at.credential.token);
    expect(host.log).toEqual([]);
  });

  test("is reached through Nango, which keeps the token", async () => {
    const nango = await new NangoSimulator({ secretKey: "nango-secret" }).start();
    try {
      nango.integrate({
        providerConfigKey: "ours",
        baseUrl: at.nango.baseUrl,
        connections: [{ connectionId: "c1", credential: { authorization: at.nango.authorization } }],
      });
      const request = {
        provider: at.provider,
        kind: "nango",
        connection_id: "c1",
        provider_config_key: "ours",
        secret_key: "nango-secret",
        base_url: nango.origin,
      };
      expect(await connected(request)).toMatchObject({ kind: "nango", resource_count: 2 });
      const binding_ref = await host.bind(at.provider, at.label);
      await forgetInventory();
      expect((await ticketsOf(binding_ref)).tickets).toMatchObject([{ identifier: at.key }]);
      expect(await searched({ binding_ref, query_key: at.key })).toEqual([at.title]);
    } finally {
      await nango.stop();
    }
  });
});

test("two Linear organizations are two connections, and each binding works with its own", async () => {
  const { simulator, credential } = await linear();
  try {
    const acme = await connected({ provider: "linear", kind: "token", ...credential });
    const labs = await connected({ provider: "linear", kind: "token", ...credential, token: "lin_api_labs" });
    expect([acme.account_label, labs.account_label]).toEqual(["Acme", "Labs"]);
    expect(labs.connection_id).not.toBe(acme.connection_id);
    const { body } = await host.get("tracker/resources/?provider=linear");
    expect(list(body.resources).map((item) => item.display_label)).toEqual([
      "Payments API (PAY)",
      "Research (RES)",
      "Web (WEB)",
    ]);
    const binding_ref = await host.bind("linear", "Research (RES)", STRANGER);
    simulator.requests.length = 0;
    const answer = await host.post("tracker/list-tickets/", { provider: "linear", binding_ref });
    expect(answer.status).toBe(200);
    const used = simulator.requests.map(({ headers }) => headers.get("authorization"));
    expect(new Set(used)).toEqual(new Set(["lin_api_labs"]));
    await host.call("DELETE", `admin/connections/${acme.connection_id}/`);
    expect((await host.post("tracker/list-tickets/", { provider: "linear", binding_ref })).status).toBe(200);
  } finally {
    await simulator.stop();
  }
});

test("projects of two Jira sites with one id are two resources of one connection", async () => {
  const project = (key: string) => ({ id: "10001", key, name: key });
  const simulator = await new JiraSimulator({
    sites: [
      { ...JIRA_SITE, projects: [project("PAY")] },
      { cloudId: "0d72e9b6-41fa-4c83-b5e7-96a3d0f1c852", name: "partners", projects: [project("INT")] },
    ],
  }).start();
  const nango = await new NangoSimulator({ secretKey: "nango-secret" }).start();
  try {
    const credential = { authorization: `Bearer ${simulator.oauthToken}` };
    const connections = [{ connectionId: "c1", credential }];
    nango.integrate({ providerConfigKey: "jira", baseUrl: simulator.origin, connections });
    const request = {
      provider: "jira",
      kind: "nango",
      connection_id: "c1",
      provider_config_key: "jira",
      secret_key: "nango-secret",
      base_url: nango.origin,
    };
    expect(await connected(request)).toMatchObject({ resource_count: 2 });
    const binding_ref = await host.bind("jira", "INT");
    const { body } = await host.get("tracker/resources/?provider=jira");
    expect(list(body.resources).map((item) => [item.display_label, item.binding_ref])).toEqual([
      ["INT", binding_ref],
      ["PAY", null],
    ]);
    simulator.requests.length = 0;
    const answer = await host.post("tracker/list-tickets/", { provider: "jira", binding_ref });
    expect([answer.status, answer.body.resource_id]).toEqual([200, "10001"]);
    expect(simulator.requests.every(({ path }) => path.startsWith("/ex/jira/0d72e9b6"))).toBe(true);
  } finally {
    await nango.stop();
    await simulator.stop();
  }
});
