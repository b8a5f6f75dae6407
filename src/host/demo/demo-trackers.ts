import type { TrackerConnector } from "../../sdk/connector.ts";
import { MemoryRemote } from "../../sdk/testing/remote.ts";
import { MemoryTracker } from "../../sdk/testing/tracker.ts";

interface DemoResource {
  readonly connectionId: string;
  readonly provider: string;
  readonly resourceRef: string;
  readonly prefix: string;
  readonly label: string;
}

/**
 * The trackers of demo connections. Each starts with the same three issues, and keeps changes until the process ends.
 */
export class DemoTrackers {
  readonly #now: () => number;
  readonly #remotes = new Map<string, MemoryRemote>();

  /** @param now the time of writes, in milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  open(resource: DemoResource): TrackerConnector {
    const key = JSON.stringify([resource.connectionId, resource.resourceRef]);
    const remote = this.#remotes.get(key) ?? this.#seeded(resource);
    this.#remotes.set(key, remote);
    return new MemoryTracker({ remote });
  }

  #seeded({ provider, prefix, label }: DemoResource): MemoryRemote {
    const filed = ["2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z", "2026-01-05T12:00:00Z"].map(Date.parse);
    const now = () => filed.shift() ?? this.#now();
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
    return remote;
  }
}
