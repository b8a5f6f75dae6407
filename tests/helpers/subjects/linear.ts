/** Linear as a subject of the connectors' contract: a connector to one team of a simulator. */

import { openTransport } from "../../../src/sdk/connectors/credentials.ts";
import { linear } from "../../../src/sdk/connectors/linear/index.ts";
import type { Transport } from "../../../src/sdk/http/transport.ts";
import type { ExternalRef } from "../../../src/sdk/model.ts";
import { LinearSimulator, type SimulatedWorkspace, type TeamSeed } from "../../simulators/linear/index.ts";
import { type ConnectorSubject, SAMPLE } from "../connector-contract.ts";

export const TEAM_ID = "7e3f6a52-4f0b-4f5c-9a0c-6d1d8f2b9c11";

/** A team with a place for every status. */
export const TEAM: TeamSeed = {
  id: TEAM_ID,
  key: "ENG",
  name: "Engineering",
  states: [
    { name: "Backlog", type: "backlog" },
    { name: "Todo", type: "unstarted" },
    { name: "In Progress", type: "started" },
    { name: "In Review", type: "started" },
    { name: "Blocked", type: "started" },
    { name: "Done", type: "completed" },
    { name: "Canceled", type: "canceled" },
    { name: "Duplicate", type: "duplicate" },
  ],
  labels: ["payments"],
};

/** An organization with that team, another one, and labels of its own. */
export const ACME: SimulatedWorkspace = {
  id: "6f1c2d7e-58a4-4b0e-9c63-0d8f3a1b7e25",
  name: "Acme",
  urlKey: "acme",
  users: [{ displayName: "ada" }, { displayName: "grace" }],
  labels: ["api", { group: "Type", labels: ["Bug", "Feature"] }],
  teams: [TEAM, { key: "OPS", name: "Operations", labels: ["pager"] }],
};

/** A fresh simulator, its connector through the transport that `open` makes. */
export async function linearSubject(
  open: (simulator: LinearSimulator) => Transport,
): Promise<ConnectorSubject> {
  const simulator = await new LinearSimulator({ workspaces: [ACME] }).start();
  return {
    connector: linear.connect({ teamId: TEAM_ID, workspace: "acme" }, open(simulator)),
    sample: { ...SAMPLE, priority: 2 },
    changed: { labels: ["api"], issueType: "bug", priority: 4, customFields: { effort: 3 } },
    people: ["ada", "grace"],
    absent: {
      system: "linear",
      workspace: TEAM_ID,
      id: "00000000-0000-4000-8000-000000000404",
      key: "ENG-404",
    },
    from: null,
    keyOf,
    events: "refused",
    requests: () => simulator.requests.length,
    tick: () => simulator.tick(),
    edit: async ({ id }, patch) => {
      simulator.store().edit(id, patch);
    },
    remove: async ({ id }) => {
      simulator.store().trash(id);
    },
    close: () => simulator.stop(),
  };
}

/** A transport straight to the simulator, with its token. */
export function directly(simulator: LinearSimulator): Transport {
  return openTransport("linear", { kind: "token", token: simulator.token, baseUrl: simulator.origin });
}

function keyOf({ key }: ExternalRef): string {
  if (key === undefined) throw new Error("issues of Linear have identifiers");
  return key;
}
