import type { TrackerConnector } from "../../../src/sdk/connector.ts";
import { openTransport } from "../../../src/sdk/connectors/credentials.ts";
import { createHostedConnector } from "../../../src/sdk/connectors/hosted.ts";
import type { Transport } from "../../../src/sdk/http/transport.ts";
import type { CanonicalIssue, Page } from "../../../src/sdk/model.ts";
import { GitHubSimulator } from "../../simulators/github/index.ts";
import { type ConnectorSubject, SAMPLE } from "../connector-contract.ts";

/** A connector to an empty repository on a simulated GitHub, over the transport that `open` gives. */
export async function githubSubject(
  open: (simulator: GitHubSimulator) => Transport,
): Promise<ConnectorSubject> {
  const simulator = await new GitHubSimulator({
    workspaces: [
      {
        login: "acme",
        issueTypes: ["Bug", "Feature", "Task"],
        repositories: [{ name: "payments-api", people: ["ada", "grace"] }],
      },
    ],
  }).start();
  const repository = "acme/payments-api";
  return {
    connector: await githubConnector(simulator, repository, open(simulator)),
    sample: { ...SAMPLE, issueType: "bug" },
    changed: { labels: ["api"], issueType: "story", priority: 4, customFields: { effort: 3 } },
    people: ["ada", "grace"],
    absent: { system: "github", workspace: repository, id: "404" },
    from: null,
    keyOf: ({ id }) => `#${id}`,
    events: "refused",
    requests: () => simulator.requests.length,
    tick: () => simulator.tick(),
    edit: async ({ id }, patch) => simulator.editIssue(repository, Number(id), patch),
    remove: async ({ id }) => simulator.deleteIssue(repository, Number(id)),
    close: () => simulator.stop(),
  };
}

/** A connector to `owner/repo` on a simulator. */
export function githubConnector(
  simulator: GitHubSimulator,
  repository: string,
  transport: Transport = directly(simulator),
): Promise<TrackerConnector> {
  const [owner = "", repo = ""] = repository.split("/");
  return createHostedConnector({
    provider: "github",
    params: { owner, repo, baseUrl: simulator.origin },
    transport,
  });
}

/** Every issue, in the order of the listing. */
export async function everyIssue(
  connector: TrackerConnector,
  limit = 50,
): Promise<readonly CanonicalIssue[]> {
  const issues: CanonicalIssue[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<CanonicalIssue> = await connector.listIssues({
      limit,
      ...(cursor !== null && { cursor }),
    });
    issues.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return issues;
}

/** Straight to the simulator, with its token. */
export function directly(simulator: GitHubSimulator): Transport {
  return openTransport("github", { kind: "token", token: simulator.token, baseUrl: simulator.origin });
}
