/** The SQLite store among processes: one that is killed, and several that write at once. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../../src/sdk/stores/sqlite.ts";
import type { IssueStore, StoreTransaction } from "../../src/sdk/stores/store.ts";
import { checkpointAt, page, recordIn } from "../helpers/store-fixture.ts";

let folder: string;
let store: IssueStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tracker-stores-"));
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const path = () => join(folder, "state", "issues.db");
const run = <T>(work: (transaction: StoreTransaction) => Promise<T>) => store.transaction(work);

test("holds a committed page after kill -9, and nothing of the next one", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "store-writer.ts"), path()], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("second page not committed\n");
  child.kill("SIGKILL");
  await child.exited;

  store = openSqliteStore(path());
  expect(await run((transaction) => transaction.list(null, 2_000))).toEqual(page(1));
  expect(await run((transaction) => transaction.checkpoint("main"))).toEqual(checkpointAt(1));
});

test("loses no update among processes that open and change it at once", async () => {
  const children = Array.from({ length: 3 }, () =>
    Bun.spawn([process.execPath, join(import.meta.dir, "store-counter.ts"), path(), "20"], {
      stderr: "inherit",
    }),
  );
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0]);
  store = openSqliteStore(path());
  expect((await recordIn(store, "counter"))?.fields.customFields).toEqual({ count: 60 });
});
