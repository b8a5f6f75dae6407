import { LinearClient } from "@linear/sdk";
import { createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { type ConnectorSubject, SAMPLE } from "./connector-contract.ts";
import { byHand, countingTransport, type LiveSettings, ticking, twoOf, untouchedFrom } from "./live.ts";

const LABELS = ["payments", "api"];
/** Workflow states that teams do not have from the start. */
const STATES = ["In Review", "Blocked"];

/** Subjects over a scratch team on Linear, which gets the labels and workflow states that are needed. */
export function liveLinear(settings: LiveSettings<"linear">): () => Promise<ConnectorSubject> {
  const { token, url } = settings;
  const teamId = settings.companions.TEAM;
  const linear = new LinearClient({
    ...(token.startsWith("lin_api_") ? { apiKey: token } : { accessToken: token }),
    ...(url !== undefined && { apiUrl: `${url}/graphql` }),
  });
  const tick = ticking(settings);
  let people: Promise<readonly string[]> | null = null;

  async function prepare(): Promise<readonly string[]> {
    const team = await linear.team(teamId);
    const states = (await team.states()).nodes.map(({ name }) => name);
    for (const name of STATES.filter((name) => !states.includes(name))) {
      await linear.createWorkflowState({ teamId, name, type: "started", color: "#f2994a" });
    }
    const labels = (await linear.issueLabels({ filter: { name: { in: LABELS } } })).nodes;
    for (const name of LABELS) {
      const isThere = labels.some((label) => label.name === name && (label.teamId ?? teamId) === teamId);
      if (!isThere) await linear.createIssueLabel({ teamId, name });
    }
    return settings.people ?? (await team.members()).nodes.map(({ displayName }) => displayName);
  }

  return async () => {
    people ??= byHand(settings, prepare);
    const known = await people;
    const { transport, sent } = countingTransport("linear", {
      token,
      ...(url !== undefined && { baseUrl: url }),
    });
    const params = { teamId, ...(url !== undefined && { graphqlUrl: `${url}/graphql` }) };
    const connector = await createHostedConnector({ provider: "linear", params, transport });
    return {
      connector,
      sample: { ...SAMPLE, priority: 2 },
      changed: { labels: ["api"], issueType: "bug", priority: 4, customFields: { effort: 3 } },
      people: twoOf(known, connector),
      absent: {
        system: "linear",
        workspace: connector.workspace,
        id: "00000000-0000-4000-8000-000000000404",
        key: "NONE-999999",
      },
      from: await untouchedFrom(connector, tick, 1),
      keyOf: ({ id, key }) => key ?? id,
      events: "refused",
      requests: sent,
      tick,
      edit: ({ id }, patch) =>
        byHand(settings, async () => {
          await linear.updateIssue(id, patch);
        }),
      remove: ({ id }) =>
        byHand(settings, async () => {
          await linear.deleteIssue(id);
        }),
      close: async () => {},
    };
  };
}
