/** Counts in an issue store, in a process of its own, for a test that runs several at once. */
import { openSqliteStore } from "../../src/sdk/stores/sqlite.ts";
import { draft, fieldsWith } from "../helpers/store-fixture.ts";

const [path = "", increments = ""] = process.argv.slice(2);
const store = openSqliteStore(path);
for (let done = 0; done < Number(increments); done++) {
  await store.transaction(async (transaction) => {
    const [record = draft("counter")] = await transaction.records(["counter"]);
    const count = Number(record.fields.customFields.count ?? 0) + 1;
    await transaction.put([{ ...record, fields: fieldsWith({ customFields: { count } }) }]);
  });
}
await store.close();
