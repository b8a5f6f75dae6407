/** The tickets of demo connections: the same few in every resource, so that everything can be tried offline. */
import type { TrackerConnector } from "../../sdk/connector.ts";
import { MemoryRemote } from "../../sdk/testing/remote.ts";
import { MemoryTracker } from "../../sdk/testing/tracker.ts";

/** Which demo resource it is. */
export interface DemoResource {
  readonly provider: string;
  /** What its tickets' keys start with. */
  readonly prefix: string;
  readonly label: string;
}

/** A tracker with demo tickets; what is written to it is gone with it. */
export function demoTracker({ provider, prefix, label }: DemoResource): TrackerConnector {
  let clock = Date.parse("2026-01-05T09:00:00Z");
  const now = () => {
    clock += 3_600_000;
    return clock;
  };
  const remote = new MemoryRemote({ system: provider, workspace: prefix, now });
  remote.add({
    title: "Refunds are booked twice when the customer retries",
    body: `Seen twice this week in ${label}. The second request comes before the first is settled.`,
    status: "in_progress",
    issueType: "bug",
    priority: 1,
    assignees: ["ada"],
    labels: ["billing"],
  });
  remote.add({
    title: "Show the exchange rate on invoices",
    body: "Customers ask support which rate was used.",
    issueType: "story",
    priority: 3,
    assignees: ["grace"],
  });
  remote.add({
    title: "Upgrade the TLS library",
    status: "done",
    issueType: "chore",
    labels: ["security"],
  });
  return new MemoryTracker({ remote });
}
