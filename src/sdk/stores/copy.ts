/** A copy of a store in memory, to try things on. */

import { MemoryIssueStore } from "./memory.ts";
import type { IssueStore, StoreTransaction } from "./store.ts";

const PAGE = 500;

/**
 * Copies what a sync works on: issues, local edits, begun creates, open
 * conflicts and one checkpoint. Nothing that happens to the copy reaches `store`.
 */
export async function copyToMemory(store: IssueStore, checkpoint: string): Promise<MemoryIssueStore> {
  const copy = new MemoryIssueStore();
  await copy.transaction((target) =>
    store.transaction(async (source) => {
      for await (const page of pages(source)) {
        await target.put(page);
        for (const { key } of page) {
          for (const conflict of await source.openConflicts(key)) await target.putConflict(conflict);
        }
      }
      for (const intent of await source.intents()) await target.putIntent(intent);
      for (let after = 0; ; ) {
        const dirty = await source.dirtyKeys(after, PAGE);
        for (const { key, sequence } of dirty) {
          after = sequence;
          for (const { field, changedAt } of await source.dirtyFields(key)) {
            await target.markDirty(key, [field], changedAt);
          }
        }
        if (dirty.length < PAGE) break;
      }
      await target.putCheckpoint(checkpoint, await source.checkpoint(checkpoint));
    }),
  );
  return copy;
}

async function* pages(source: StoreTransaction) {
  for (let after: string | null = null; ; ) {
    const from: string | null = after;
    const page = await source.list(from, PAGE);
    yield page;
    after = page.at(-1)?.key ?? null;
    if (page.length < PAGE) return;
  }
}
