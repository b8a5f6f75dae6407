/** A simulated GitLab project, for the connector contract. */
import type { TrackerConnector } from "../../../src/sdk/connector.ts";
import { openTransport } from "../../../src/sdk/connectors/credentials.ts";
import { gitlab } from "../../../src/sdk/connectors/gitlab/index.ts";
import type { Transport } from "../../../src/sdk/http/transport.ts";
import type { ExternalRef } from "../../../src/sdk/model.ts";
import { GitLabSimulator } from "../../simulators/gitlab/index.ts";
import type { SimulatedRequest } from "../../simulators/server.ts";
import { type ConnectorSubject, SAMPLE } from "../connector-contract.ts";

/** The project that the simulator has by default. */
export const PROJECT = 7;

/** A subject over a fresh simulator, reached by the transport that `open` gives. */
export async function gitlabSubject(
  open: (simulator: GitLabSimulator) => Transport,
): Promise<ConnectorSubject> {
  const simulator = await new GitLabSimulator().start();
  const connector = gitlab.connect({ projectId: String(PROJECT) }, open(simulator));
  return {
    connector,
    sample: SAMPLE,
    changed: { labels: ["api"], issueType: "bug", priority: 2, customFields: { effort: 3 } },
    people: ["ada", "grace"],
    absent: { system: "gitlab", workspace: String(PROJECT), id: "404", key: "#404" },
    from: null,
    keyOf: ({ id }) => `#${id}`,
    events: "refused",
    requests: () => simulator.requests.length,
    tick: () => simulator.tick(),
    edit: async ({ id }, patch) => simulator.editIssue(PROJECT, Number(id), patch),
    remove: async ({ id }) => simulator.removeIssue(PROJECT, Number(id)),
    close: () => simulator.stop(),
  };
}

/** Straight to the simulator, with its own token. */
export function directly({ token, origin }: GitLabSimulator): Transport {
  return openTransport("gitlab", { kind: "token", token, baseUrl: origin });
}

/** A connector to a project of the simulator. */
export function connectTo(simulator: GitLabSimulator, project = PROJECT): TrackerConnector {
  return gitlab.connect({ projectId: String(project) }, directly(simulator));
}

/** The reference of an issue. */
export function refTo(iid: number, project = PROJECT): ExternalRef {
  return { system: "gitlab", workspace: String(project), id: String(iid) };
}

/** A second project of the group that {@link PROJECT} is in. */
export const OTHER = 8;
/** A project on the free plan. */
export const FREE = 9;
/** A token that may only read. */
export const READONLY = "glpat-reads";

/** A simulator with projects on a paid plan and on the free one. */
export function bothPlans(): Promise<GitLabSimulator> {
  return new GitLabSimulator({
    readonlyToken: READONLY,
    workspaces: [
      {
        id: 70,
        path: "acme",
        name: "Acme",
        projects: [
          { id: PROJECT, path: "payments-api", name: "Payments API" },
          { id: OTHER, path: "platform/web", name: "Web" },
        ],
      },
      {
        id: 71,
        path: "ada",
        name: "Ada",
        kind: "user",
        plan: "free",
        projects: [{ id: FREE, path: "dots", name: "Dots" }],
      },
    ],
  }).start();
}

/** Requests of this method whose path ends so. */
export function to(method: string, end: string): (request: SimulatedRequest) => boolean {
  return (request) => request.method === method && request.path.endsWith(end);
}
