import { Gitlab } from "@gitbeaker/rest";
import { createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { type ConnectorSubject, SAMPLE } from "./connector-contract.ts";
import { byHand, countingTransport, type LiveSettings, ticking, twoOf, untouchedFrom } from "./live.ts";

/**
 * Subjects over a scratch project on GitLab. The token has to be of an owner,
 * because issues are deleted; several assignees and blocking links need a
 * group with a paid plan.
 */
export function liveGitLab(settings: LiveSettings<"gitlab">): () => Promise<ConnectorSubject> {
  const { token, url } = settings;
  const project = Number(settings.companions.PROJECT);
  const gitlab = new Gitlab({ token, ...(url !== undefined && { host: url }) });
  const tick = ticking(settings);
  let people: Promise<readonly string[]> | null = null;

  async function members(): Promise<readonly string[]> {
    const found = await gitlab.ProjectMembers.all(project, { includeInherited: true });
    return found.map(({ username }) => String(username));
  }

  return async () => {
    people ??= byHand(settings, async () => settings.people ?? (await members()));
    const baseUrl = url === undefined ? {} : { baseUrl: url };
    const { transport, sent } = countingTransport("gitlab", { token, ...baseUrl });
    const params = { projectId: String(project), ...baseUrl };
    const connector = await createHostedConnector({ provider: "gitlab", params, transport });
    return {
      connector,
      sample: SAMPLE,
      changed: { labels: ["api"], issueType: "bug", priority: 2, customFields: { effort: 3 } },
      people: twoOf(await people, connector),
      absent: { system: "gitlab", workspace: connector.workspace, id: "999999999", key: "#999999999" },
      from: await untouchedFrom(connector, tick, 1),
      keyOf: ({ id }) => `#${id}`,
      events: "refused",
      requests: sent,
      tick,
      edit: ({ id }, patch) =>
        byHand(settings, async () => {
          await gitlab.Issues.edit(project, Number(id), patch);
        }),
      remove: ({ id }) => byHand(settings, () => gitlab.Issues.remove(project, Number(id))),
      close: async () => {},
    };
  };
}
