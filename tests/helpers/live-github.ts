import { Octokit } from "@octokit/rest";
import { createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { type ConnectorSubject, SAMPLE } from "./connector-contract.ts";
import { byHand, countingTransport, type LiveSettings, ticking, twoOf, untouchedFrom } from "./live.ts";

/**
 * Subjects over a scratch repository on GitHub. The token has to be its
 * administrator's, because issues are deleted; two people have to be assignable.
 */
export function liveGitHub(settings: LiveSettings<"github">): () => Promise<ConnectorSubject> {
  const { token, url } = settings;
  const [owner = "", repo = ""] = settings.companions.REPOSITORY.split("/");
  const octokit = new Octokit({ auth: token, ...(url !== undefined && { baseUrl: `${url}/api/v3` }) });
  const tick = ticking(settings);
  let facts: Promise<{ readonly people: readonly string[]; readonly types: readonly string[] }> | null = null;

  async function learn() {
    const people = settings.people ?? (await assignable());
    // People have no issue types, organizations may.
    const types = await octokit.rest.orgs.listIssueTypes({ org: owner }).then(
      ({ data }) => data.flatMap((type) => (type === null ? [] : [type.name])),
      () => [],
    );
    return { people, types };
  }

  async function assignable(): Promise<readonly string[]> {
    const { data } = await octokit.rest.issues.listAssignees({ owner, repo, per_page: 100 });
    return data.map(({ login }) => login);
  }

  return async () => {
    facts ??= byHand(settings, learn);
    const { people, types } = await facts;
    const baseUrl = url === undefined ? {} : { baseUrl: url };
    const { transport, sent } = countingTransport("github", { token, ...baseUrl });
    const params = { owner, repo, ...baseUrl };
    const connector = await createHostedConnector({ provider: "github", params, transport });
    return {
      connector,
      sample: { ...SAMPLE, issueType: types.includes("Bug") ? "bug" : "task" },
      changed: {
        labels: ["api"],
        issueType: types.includes("Feature") ? "story" : "task",
        priority: 4,
        customFields: { effort: 3 },
      },
      people: twoOf(people, connector),
      absent: { system: "github", workspace: connector.workspace, id: "999999999" },
      from: await untouchedFrom(connector, tick, 1000),
      keyOf: ({ id }) => `#${id}`,
      events: "refused",
      requests: sent,
      tick,
      edit: ({ id }, patch) =>
        byHand(settings, async () => {
          await octokit.rest.issues.update({ owner, repo, issue_number: Number(id), ...patch });
        }),
      remove: ({ id }) =>
        byHand(settings, async () => {
          const { data } = await octokit.rest.issues.get({ owner, repo, issue_number: Number(id) });
          await octokit.graphql(
            "mutation ($id: ID!) { deleteIssue(input: { issueId: $id }) { clientMutationId } }",
            { id: data.node_id },
          );
        }),
      close: async () => {},
    };
  };
}
