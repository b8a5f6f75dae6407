import type { CapabilityFlag } from "../../src/sdk/capabilities.ts";
import { MemoryRemote } from "../../src/sdk/testing/remote.ts";
import { MemoryTracker } from "../../src/sdk/testing/tracker.ts";
import { type ConnectorSubject, describeConnector, SAMPLE } from "../helpers/connector-contract.ts";
import { beadsSubject } from "../helpers/subjects/beads.ts";
import { fpSubject } from "../helpers/subjects/fp.ts";

const SWITCHES = [
  "comments",
  "hierarchy",
  "dependencies",
  "customFields",
  "multiAssignee",
  "assignment",
  "terminalTransition",
  "bulkRead",
  "conditionalWrites",
  "priority",
  "issueType",
] as const satisfies readonly CapabilityFlag[];

async function memory(without: readonly CapabilityFlag[]): Promise<ConnectorSubject> {
  let now = Date.parse("2026-03-01T09:00:00Z");
  const remote = new MemoryRemote({ now: () => now });
  const connector = new MemoryTracker({ remote, without, pageSize: 2 });
  return {
    connector,
    sample: {
      ...SAMPLE,
      issueType: without.includes("issueType") ? "task" : "bug",
      priority: without.includes("priority") ? null : 2,
    },
    changed: {
      labels: ["api"],
      issueType: "story",
      priority: 4,
      customFields: { effort: 3 },
    },
    people: ["ada", "grace"],
    absent: { system: remote.system, workspace: remote.workspace, id: "404" },
    from: null,
    keyOf: (ref) => `DEMO-${ref.id}`,
    events: "listed",
    requests: () => connector.requests.length,
    tick: () => {
      now += 1000;
    },
    edit: async (ref, patch) => {
      remote.edit(ref, patch);
    },
    remove: async (ref) => remote.remove(ref),
    close: async () => {},
  };
}

describeConnector("memory", () => memory([]));
describeConnector("memory without anything that can be switched off", () => memory(SWITCHES));
for (const capability of SWITCHES) {
  describeConnector(`memory without ${capability}`, () => memory([capability]));
}

describeConnector("beads", beadsSubject);
describeConnector("fp", fpSubject);
