import { createCloudClient } from "jira.js";
import { createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { type ConnectorSubject, SAMPLE } from "./connector-contract.ts";
import { byHand, countingTransport, type LiveSettings, ticking, twoOf, untouchedFrom } from "./live.ts";

/**
 * Subjects over a scratch project on Jira Cloud: a team-managed one, because
 * only there an issue can be the child of one of its own kind. Its issues have
 * priorities, its types are Task, Bug and Story, and its workflow leads from
 * everywhere to everywhere; statuses that it does not have fail their tests.
 */
export function liveJira(settings: LiveSettings<"jira">): () => Promise<ConnectorSubject> {
  const { token } = settings;
  const { EMAIL: email, SITE: site, PROJECT: projectKey } = settings.companions;
  const jira = createCloudClient({ host: site, auth: { type: "basic", email, apiToken: token } });
  const tick = ticking(settings);
  let people: Promise<readonly string[]> | null = null;

  async function assignable(): Promise<readonly string[]> {
    const found = await jira.userSearch.findAssignableUsers({ project: projectKey });
    return found.flatMap(({ accountId }) => (accountId === undefined ? [] : [accountId]));
  }

  return async () => {
    people ??= byHand(settings, async () => settings.people ?? (await assignable()));
    const known = await people;
    const { transport, sent } = countingTransport("jira", { token, email, baseUrl: site });
    const params = { baseUrl: site, projectKey };
    const connector = await createHostedConnector({ provider: "jira", params, transport });
    return {
      connector,
      sample: { ...SAMPLE, issueType: "bug", priority: 2 },
      changed: { labels: ["api"], issueType: "story", priority: 4, customFields: { effort: 3 } },
      people: twoOf(known, connector),
      absent: {
        system: "jira",
        workspace: connector.workspace,
        id: "999999999",
        key: `${projectKey}-999999`,
      },
      from: await untouchedFrom(connector, tick, 1),
      keyOf: ({ id, key }) => key ?? id,
      events: "refused",
      requests: sent,
      tick,
      edit: ({ id }, { title }) =>
        byHand(settings, () => jira.issues.editIssue({ issueIdOrKey: id, fields: { summary: title } })),
      remove: ({ id }) => byHand(settings, () => jira.issues.deleteIssue({ issueIdOrKey: id })),
      close: async () => {},
    };
  };
}
