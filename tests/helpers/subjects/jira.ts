/** A simulated Jira project, for the connector contract. */
import type { TrackerConnector } from "../../../src/sdk/connector.ts";
import { openTransport } from "../../../src/sdk/connectors/credentials.ts";
import { jira } from "../../../src/sdk/connectors/jira/index.ts";
import type { JiraParams } from "../../../src/sdk/connectors/params.ts";
import type { Transport } from "../../../src/sdk/http/transport.ts";
import type { ExternalRef } from "../../../src/sdk/model.ts";
import { JiraSimulator } from "../../simulators/jira/index.ts";
import { type ConnectorSubject, SAMPLE } from "../connector-contract.ts";

/** The project of {@link jiraSubject}. */
export const PROJECT = "10001";

/** A subject over a fresh simulator, reached by the transport that `open` gives. */
export async function jiraSubject(open: (simulator: JiraSimulator) => Transport): Promise<ConnectorSubject> {
  // Only in team-managed projects an issue can be the child of one of its own kind.
  const project = { id: PROJECT, key: "PAY", name: "Payments API", style: "next-gen" } as const;
  const sites = [{ cloudId: "f4a1c7d2-8b35-4e60-9d1f-27c0e5b8a364", name: "acme", projects: [project] }];
  const simulator = await new JiraSimulator({ sites }).start();
  const connector = jira.connect({ baseUrl: simulator.origin, projectId: PROJECT }, open(simulator));
  return {
    connector,
    sample: { ...SAMPLE, issueType: "bug", priority: 2 },
    changed: { labels: ["api"], issueType: "story", priority: 4, customFields: { effort: 3 } },
    people: ["5b10-ada", "5b10-grace"],
    absent: { system: "jira", workspace: PROJECT, id: "404404", key: "PAY-404" },
    from: null,
    keyOf: ({ id, key }) => key ?? id,
    events: "refused",
    requests: () => simulator.requests.length,
    tick: () => simulator.tick(),
    edit: async ({ id }, { title }) =>
      simulator.site.edit(id, { ...(title !== undefined && { summary: title }) }),
    remove: async ({ id }) => simulator.site.remove(id),
    close: () => simulator.stop(),
  };
}

/** Straight to the simulated site, with an API token. */
export function directly({ email, token, origin }: JiraSimulator): Transport {
  return openTransport("jira", { kind: "token", email, token, baseUrl: origin });
}

/** To the simulated API gateway, with an OAuth token. */
export function throughGateway({ oauthToken, origin }: JiraSimulator): Transport {
  return openTransport("jira", { kind: "token", token: oauthToken, baseUrl: origin });
}

/** A connector to a project of the simulated site. */
export function connectTo(simulator: JiraSimulator, params: Partial<JiraParams> = {}): TrackerConnector {
  return jira.connect({ baseUrl: simulator.origin, projectId: PROJECT, ...params }, directly(simulator));
}

/** The reference of an issue. */
export function refTo(id: string, workspace = PROJECT): ExternalRef {
  return { system: "jira", workspace, id };
}
