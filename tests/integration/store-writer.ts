/** Writes to an issue store in a process of its own, for a test that kills it between two transactions. */
import { openSqliteStore } from "../../src/sdk/stores/sqlite.ts";
import { checkpointAt, page } from "../helpers/store-fixture.ts";

const [path = ""] = process.argv.slice(2);
const store = openSqliteStore(path);
await store.transaction(async (transaction) => {
  await transaction.put(page(1));
  await transaction.putCheckpoint("main", checkpointAt(1));
});
await store.transaction(async (transaction) => {
  await transaction.put(page(2));
  await transaction.putCheckpoint("main", checkpointAt(2));
  process.stdout.write("second page not committed\n");
  await new Promise(() => setInterval(() => {}, 1_000));
});
