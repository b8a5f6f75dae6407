/** Labels that make a choice hard: near-duplicates, long and wide names, hidden direction marks. */
import { providerName } from "../../shared/providers.ts";
import type { DiscoveredResource, DiscoveredWorkspace } from "../discovery.ts";
import { ConnectorConfigError } from "../errors.ts";
import { MemoryDiscovery, type MemoryWorkspace } from "./discovery.ts";

/** Exactly 120 characters. */
const LONG_NAME =
  "Customer-facing order, billing and refund reconciliation for the European and Asia-Pacific regions (migrated after 2019)";

/**
 * The demo resources of a provider, in pages of five.
 *
 * @throws ConnectorConfigError when the provider has none
 */
export function demoDiscovery(provider: string): MemoryDiscovery {
  const describe = DEMO.get(provider);
  if (describe === undefined)
    throw new ConnectorConfigError(provider, `There is no demo data for ${providerName(provider)}.`);
  return new MemoryDiscovery({ provider, workspaces: describe(), pageSize: 5 });
}

const DEMO: ReadonlyMap<string, () => readonly MemoryWorkspace[]> = new Map(
  Object.entries({ linear: linearDemo, jira: jiraDemo, github: githubDemo, gitlab: gitlabDemo }),
);

function linearDemo(): readonly MemoryWorkspace[] {
  const organization = (id: string, name: string, urlKey: string): DiscoveredWorkspace => ({
    id,
    display: name,
    kind: "organization",
    provider: "linear",
    providerContext: {
      url_key: urlKey,
      workspace_handle: urlKey,
      workspace_url: `https://linear.app/${urlKey}`,
    },
  });
  const team = (
    workspace: DiscoveredWorkspace,
    id: string,
    key: string,
    name: string,
  ): DiscoveredResource => ({
    stableRef: id,
    displayName: name,
    kind: "team",
    provider: "linear",
    workspaceId: workspace.id,
    connectorParams: { teamId: id, workspace: workspace.providerContext.workspace_handle },
    routingMetadata: {
      team_id: id,
      team_key: key,
      team_name: name,
      display_key: key,
      resource_url: `${workspace.providerContext.workspace_url}/team/${key}`,
    },
  });
  const acme = organization("6f1c2d7e-58a4-4b0e-9c63-0d8f3a1b7e25", "Acme Corp", "acme");
  const labs = organization("b27d90f4-3c15-4e8a-a6d2-7f40c9e51b38", "Acme Labs", "acme-labs");
  return [
    {
      workspace: acme,
      resources: [
        team(acme, "0a4b8f62-91d7-4c3e-8b5a-2e6f70d1c943", "PAY", "Payments API"),
        team(acme, "1c7e35a9-0f82-4d6b-b914-8a53e2f7d061", "PAYS", "Payments"),
        team(acme, "27f0d8b4-6a13-4e95-a2c8-f14b9d3075e6", "PPL", "Payment Platform"),
        team(acme, "d40b7c28-95e3-4f16-8ad7-31c6e0f9b254", "PGW", "Payments Gateway"),
        team(acme, "3e91a6c5-d824-47fb-9063-b5c27e8f14da", "BE", "Backend API"),
        team(acme, "48d2f7b0-1e95-4a36-8c7d-60f3ab92e51c", "BEL", "Backend API (legacy)"),
        team(acme, "5b63e0c9-f471-4d28-b8a5-93d1c7046fe2", "BE2", "Backend-API"),
        team(acme, "69f8a1d3-2c07-4be4-95b1-d7e05c3f82a6", "WEB", "Web Storefront"),
        team(acme, "7d05c9e2-b3f6-4871-a64e-1f82d90b57c3", "MOB", "Mobile 📱 Apps"),
        team(acme, "84b7e3f1-50ad-4c92-8e36-a9c1f2d60b75", "PJP", "決済プラットフォーム(東京)"),
      ],
    },
    {
      workspace: labs,
      resources: [
        team(labs, "93c6d0a8-e71f-4b53-b2d9-4e80f7a5c162", "RES", "Research"),
        team(labs, "a5f2b9e4-8d30-4716-9ca7-c35e61d8f0b2", "ML", "Machine Learning Café"),
        team(labs, "b81e4d7c-6f95-4a02-a3e8-0d9b27c5f643", "REC", LONG_NAME),
      ],
    },
  ];
}

function jiraDemo(): readonly MemoryWorkspace[] {
  const site = (cloudId: string, handle: string, name: string): DiscoveredWorkspace => ({
    id: cloudId,
    display: name,
    kind: "site",
    provider: "jira",
    providerContext: {
      cloud_id: cloudId,
      site_url: `https://${handle}.atlassian.net`,
      workspace_handle: handle,
      workspace_url: `https://${handle}.atlassian.net`,
    },
  });
  const project = (
    workspace: DiscoveredWorkspace,
    id: string,
    key: string,
    name: string,
  ): DiscoveredResource => ({
    stableRef: id,
    displayName: name,
    kind: "project",
    provider: "jira",
    workspaceId: workspace.id,
    connectorParams: { baseUrl: workspace.providerContext.workspace_url, projectId: id, projectKey: key },
    routingMetadata: {
      project_id: id,
      project_key: key,
      cloud_id: workspace.id,
      display_key: key,
      resource_url: `${workspace.providerContext.workspace_url}/browse/${key}`,
    },
  });
  const acme = site("f4a1c7d2-8b35-4e60-9d1f-27c0e5b8a364", "acme", "acme.atlassian.net");
  const partners = site(
    "0d72e9b6-41fa-4c83-b5e7-96a3d0f1c852",
    "acme-partners",
    "acme-partners.atlassian.net",
  );
  return [
    {
      workspace: acme,
      resources: [
        project(acme, "10001", "PAY", "Payments API"),
        project(acme, "10004", "PAYMENTS", "Payments"),
        project(acme, "10017", "PLAT", "Payment Platform"),
        project(acme, "10023", "BACK", "Backend API"),
        project(acme, "10024", "BACKOLD", "Backend API (legacy)"),
        project(acme, "10052", "BAPI", "Backend-API"),
        project(acme, "10060", "OPS", "Operations & On-Call"),
        project(acme, "10071", "HR", "People / HR Requests"),
        project(acme, "10088", "I18N", "翻訳とローカライズ 🌏"),
        project(acme, "10090", "EU", LONG_NAME),
      ],
    },
    {
      workspace: partners,
      resources: [
        project(partners, "20002", "INT", "Partner Integrations"),
        project(partners, "20003", "SUP", "Support Desk \u202eksed\u202c"),
      ],
    },
  ];
}

function githubDemo(): readonly MemoryWorkspace[] {
  const owner = (id: string, login: string, kind: "organization" | "user"): DiscoveredWorkspace => ({
    id,
    display: login,
    kind,
    provider: "github",
    providerContext: {
      login,
      workspace_handle: login,
      workspace_url: `https://github.com/${login}`,
    },
  });
  const repository = (workspace: DiscoveredWorkspace, id: string, name: string): DiscoveredResource => {
    const fullName = `${workspace.display}/${name}`;
    return {
      stableRef: id,
      displayName: fullName,
      kind: "repository",
      provider: "github",
      workspaceId: workspace.id,
      connectorParams: { owner: workspace.display, repo: name },
      routingMetadata: {
        repository_id: id,
        full_name: fullName,
        display_key: fullName,
        resource_url: `https://github.com/${fullName}`,
      },
    };
  };
  const acme = owner("9152034", "acme", "organization");
  const octavia = owner("30718264", "octavia-acme", "user");
  return [
    {
      workspace: acme,
      resources: [
        repository(acme, "500100201", "payments-api"),
        repository(acme, "500100202", "payments-api-legacy"),
        repository(acme, "500100203", "payments_api_client"),
        repository(acme, "500100310", "backend-api"),
        repository(acme, "500100311", "backend.api"),
        repository(acme, "500100320", "storefront"),
        repository(acme, "500100333", "infrastructure"),
        repository(
          acme,
          "500100340",
          "customer-facing-order-billing-and-refund-reconciliation-for-the-european-region-v2",
        ),
        repository(acme, "500100351", "design-system"),
        repository(acme, "500100362", "mobile-app"),
        repository(acme, "500100377", "docs"),
      ],
    },
    {
      workspace: octavia,
      resources: [
        repository(octavia, "610044010", "dotfiles"),
        repository(octavia, "610044023", "payments-playground"),
        repository(octavia, "610044031", "backend-api"),
      ],
    },
  ];
}

function gitlabDemo(): readonly MemoryWorkspace[] {
  const group: DiscoveredWorkspace = {
    id: "7340912",
    display: "Acme",
    kind: "group",
    provider: "gitlab",
    providerContext: {
      group_id: 7340912,
      full_path: "acme",
      workspace_handle: "acme",
      workspace_url: "https://gitlab.com/acme",
    },
  };
  const project = (id: number, path: string, name: string): DiscoveredResource => ({
    stableRef: String(id),
    displayName: name,
    kind: "project",
    provider: "gitlab",
    workspaceId: group.id,
    connectorParams: { projectId: id },
    routingMetadata: {
      project_id: id,
      path_with_namespace: path,
      display_key: path,
      resource_url: `https://gitlab.com/${path}`,
    },
  });
  return [
    {
      workspace: group,
      resources: [
        project(41200115, "acme/payments-api", "Acme / Payments API"),
        project(41200116, "acme/platform/payments-api", "Acme / Platform / Payments API"),
        project(41200120, "acme/backend-api", "Acme / Backend API"),
        project(41200121, "acme/archive/backend-api", "Acme / Archive / Backend API (legacy)"),
        project(41200134, "acme/web/storefront", "Acme / Web / Storefront"),
        project(41200150, "acme/data/pipelines", "Acme / Data / Pipelines 🚰"),
        project(41200163, "acme/apac/settlement", "Acme / APAC / 決算処理"),
        project(41200170, "acme/mena/wallet", "Acme / MENA / \u2067محفظة\u2069 Wallet"),
      ],
    },
  ];
}
