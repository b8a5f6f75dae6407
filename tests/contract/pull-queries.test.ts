/** A page of a pull takes as many queries of the store as one issue. */
import { expect, test } from "bun:test";
import { SyncEngine } from "../../src/sdk/engine.ts";
import { type IssuePatch, identityOf } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import type { IssueStore, StoreTransaction } from "../../src/sdk/stores/store.ts";
import { MemoryRemote } from "../../src/sdk/testing/remote.ts";
import { MemoryTracker } from "../../src/sdk/testing/tracker.ts";
import { ResourceSync } from "../../src/sync/resource-sync.ts";

const POLICY = { mode: "split_ownership", strategy: "manual_review" } as const;

/** A store that notes the queries that reach it. */
function countingStore(store: IssueStore): { readonly store: IssueStore; readonly queries: string[] } {
  const queries: string[] = [];
  const counting = (transaction: StoreTransaction): StoreTransaction =>
    new Proxy(transaction, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...values: readonly unknown[]) => {
          queries.push(String(name));
          return Reflect.apply(member, target, values);
        };
      },
    });
  return {
    queries,
    store: {
      transaction: (work) => store.transaction((transaction) => work(counting(transaction))),
      close: () => store.close(),
    },
  };
}

/** The edits before the pull; null for none, and for issues that are new. */
type Edits = Readonly<Record<"local" | "remote", IssuePatch | null>>;

/** The queries of a pull, one page long, of so many issues: new ones, known ones, and ones that both sides changed. */
async function queriesOfPull(count: number, { local, remote }: Edits) {
  let now = Date.parse("2026-03-01T09:00:00Z");
  const far = new MemoryRemote({ now: () => now });
  const { store, queries } = countingStore(new MemoryIssueStore());
  const options = {
    connector: new MemoryTracker({ remote: far }),
    store,
    policy: POLICY,
    now: () => new Date(now),
  };
  const pull = () => {
    now += 60_000;
    return new ResourceSync(options).pull({ limit: 100, cursor: null });
  };
  const refs = Array.from({ length: count }, (_, index) => far.add({ title: `Issue ${index}` }).ref);
  if (remote !== null) {
    await pull();
    for (const ref of refs) {
      if (local !== null) await new SyncEngine(options).edit(identityOf(ref), local);
      far.edit(ref, remote);
    }
    now += 600_000;
  }
  queries.length = 0;
  const { summary } = await pull();
  expect(summary.failed).toBe(0);
  return queries;
}

const CASES: readonly (readonly [string, Edits])[] = [
  ["new", { local: null, remote: null }],
  ["known and unchanged", { local: null, remote: {} }],
  ["changed remotely", { local: null, remote: { title: "Theirs", labels: ["red"] } }],
  ["edited locally", { local: { title: "Mine" }, remote: { body: "Theirs" } }],
  ["in conflict", { local: { title: "Mine" }, remote: { title: "Theirs" } }],
];

test.each(CASES)("whatever its issues are: %s", async (_, edits) => {
  const one = await queriesOfPull(1, edits);
  // The checkpoints and intents, one read of the page and of what is pending, one write of each kind.
  expect(one.length).toBe(13);
  expect(await queriesOfPull(60, edits)).toEqual(one);
});
