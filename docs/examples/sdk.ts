import {
  collect,
  connectorParamsToHostedParams,
  discoverResources,
  discoverWorkspaces,
  identityOf,
  MemoryIssueStore,
  type Page,
  SyncEngine,
} from "tracker/sdk";
import { demoDiscovery, MemoryRemote, MemoryTracker } from "tracker/sdk/testing";

// A tracker in memory, with two issues in it.
const tracker = new MemoryRemote({ now: Date.now });
const { ref } = tracker.add({ title: "Login fails in Safari", labels: ["web"] });
tracker.add({ title: "Rotate the signing keys", issueType: "chore" });

// The status is the tracker's; everything else may be edited on both sides.
const engine = new SyncEngine({
  connector: new MemoryTracker({ remote: tracker }),
  store: new MemoryIssueStore(),
  policy: { mode: "split_ownership", fieldOwners: { status: "external" } },
});

// Every outcome is an event.
for await (const event of engine.pull()) {
  if (event.kind === "created") console.log(`pulled ${event.key}`);
}

// The first issue is renamed and labeled here, while another user labels and starts it in the tracker.
await engine.edit(identityOf(ref), { title: "Login fails in Safari 18", labels: ["web", "auth"] });
tracker.edit(ref, { labels: ["web", "urgent"], status: "in_progress" });

// One push writes the local edit and overwrites nothing of the other user's.
const { stats, conflicts } = await collect(engine.push());
console.log(`pushed ${stats.updated.remote}, conflicts ${conflicts.length}`);
const { title, labels, status } = tracker.issue(ref);
console.log(`${title} [${labels.toSorted().join(" ")}] ${status}`);

// A second run has nothing left to write.
const again = await collect(engine.sync());
console.log(`pushed ${again.stats.updated.remote}`);

// Discovery: what a project can be bound to. The demo data stands in for Linear.
const source = demoDiscovery("linear");
for await (const workspace of pages((cursor) => discoverWorkspaces(source, cursor))) {
  const found: string[] = [];
  for await (const resource of pages((cursor) => discoverResources(source, workspace, cursor))) {
    const { teamId } = connectorParamsToHostedParams("linear", resource.connectorParams);
    found.push(`${resource.routingMetadata.display_key} ${teamId.slice(0, 4)}`);
  }
  console.log(`${workspace.display}: ${found.join(", ")}`);
}

/** The items of all pages. */
async function* pages<T>(read: (cursor: string | null) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | null = null;
  do {
    const { items, nextCursor } = await read(cursor);
    yield* items;
    cursor = nextCursor;
  } while (cursor !== null);
}
