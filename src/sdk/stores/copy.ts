import { MemoryIssueStore } from "./memory.ts";
import type { IssueStore, StoreTransaction } from "./store.ts";

const PAGE = 500;

/** Copies a store's sync state and one checkpoint to memory; changes of the copy do not reach `store`. */
export async function copyToMemory(store: IssueStore, checkpoint: string): Promise<MemoryIssueStore> {
  const copy = new MemoryIssueStore();
  await copy.transaction((target) =>
    store.transaction(async (source) => {
      for await (const page of pages(source)) {
        await target.put(page);
        await target.putConflicts(await source.openConflicts(page.map(({ key }) => key)));
      }
      for (const intent of await source.intents()) await target.putIntent(intent);
      for (let after = 0; ; ) {
        const dirty = await source.dirtyKeys(after, PAGE);
        await target.markDirty(await source.dirtyFields(dirty.map(({ key }) => key)));
        after = dirty.at(-1)?.sequence ?? after;
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
