import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { sql } from "kysely";
import { MappingStore } from "../../src/host/database/mapping-store.ts";
import { openSqlite } from "../../src/host/database/sqlite.ts";
import { CORE_FIELDS, type CoreField, identityOf } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { StoreError } from "../../src/sdk/stores/serial.ts";
import { openSqliteStore } from "../../src/sdk/stores/sqlite.ts";
import type {
  ConflictRecord,
  IssueRecord,
  IssueStore,
  StoreTransaction,
} from "../../src/sdk/stores/store.ts";
import { writeOldStore } from "../helpers/old-issue-store.ts";
import {
  baseWith,
  checkpointAt,
  draft,
  fieldsWith,
  issue,
  LATER,
  NOON,
  page,
  recordIn,
  refTo,
} from "../helpers/store-fixture.ts";

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
const put = (...records: readonly IssueRecord[]) => run((transaction) => transaction.put(records));
const get = (key: string) => recordIn(store, key);
const keysOf = (records: Iterable<{ readonly key: string }>) => Array.from(records, ({ key }) => key);

const CONFLICT: ConflictRecord = {
  id: "c1",
  key: "linear-1",
  field: "title",
  base: "Old",
  local: "Ours",
  remote: { nested: ["theirs", null] },
  resolution: null,
};

const editsOf = (key: string, fields: readonly CoreField[], changedAt = NOON) =>
  fields.map((field) => ({ key, field, changedAt }));

/** All that a store tells about itself. */
async function contentOf(transaction: StoreTransaction) {
  const records = await transaction.list(null, 1_000);
  const refs = records.flatMap(({ ref }) => (ref === null ? [] : identityOf(ref)));
  const dirtyKeys = await transaction.dirtyKeys(0, 1_000);
  return {
    records,
    byRef: [...(await transaction.findByRefs(refs))].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    dirtyKeys,
    dirtyFields: await Promise.all(keysOf(dirtyKeys).map((key) => transaction.dirtyFields([key]))),
    intents: await transaction.intents(),
    conflicts: await transaction.openConflicts(),
    checkpoint: await transaction.checkpoint("main"),
  };
}

/** Some of everything. */
async function fill(transaction: StoreTransaction): Promise<void> {
  await transaction.put([issue("1"), issue("2"), draft("local:1")]);
  await transaction.markDirty(editsOf("linear-1", ["title", "body"]));
  await transaction.putIntent({ key: "local:1", idempotencyKey: "create local:1" });
  await transaction.putConflicts([CONFLICT]);
  await transaction.putCheckpoint("main", checkpointAt(1));
}

/** A change of everything that `fill` made. */
async function upset(transaction: StoreTransaction): Promise<void> {
  await transaction.put([issue("1", { ref: refTo("1b"), deletedAt: LATER }), issue("3")]);
  await transaction.remove("linear-2");
  await transaction.markDirty(editsOf("linear-1", ["title"], LATER));
  await transaction.markDirty(editsOf("linear-3", ["title"], LATER));
  await transaction.clearDirty([{ key: "linear-1", field: "body", sequence: 1_000 }]);
  await transaction.removeIntent("local:1");
  await transaction.putIntent({ key: "linear-3", idempotencyKey: "create linear-3" });
  await transaction.putConflicts([{ ...CONFLICT, resolution: "external" }]);
  await transaction.putConflicts([{ ...CONFLICT, id: "c2" }]);
  await transaction.putCheckpoint("main", checkpointAt(2));
}

/** A mapping's share of the control plane's database, next to another mapping's with the same issues. */
async function mappingStore(): Promise<IssueStore> {
  const database = await openSqlite(join(folder, "host.db"));
  await sql`pragma foreign_keys = off`.execute(database);
  const other = new MappingStore(database, "srm_other");
  await other.transaction(async (transaction) => {
    await transaction.put([issue("1"), issue("9")]);
    await transaction.markDirty(editsOf("linear-1", ["title"]));
    await transaction.putIntent({ key: "linear-9", idempotencyKey: "other" });
    await transaction.putConflicts([CONFLICT]);
    await transaction.putCheckpoint("main", checkpointAt(9));
  });
  const own = new MappingStore(database, "srm_own");
  return {
    transaction: (work) => own.transaction(work),
    close: () => own.close().then(() => database.destroy()),
  };
}

describe.each([
  ["memory", async () => new MemoryIssueStore()],
  ["SQLite", async () => openSqliteStore(path())],
  ["control plane", mappingStore],
])("%s store", (_name, open) => {
  beforeEach(async () => {
    store = await open();
  });

  describe("records", () => {
    test("come back as they were put", async () => {
      const agreed = issue("1");
      const edited = issue("2", { fields: fieldsWith({ title: "Edited here", body: null, priority: null }) });
      const bare = issue("3", {
        base: baseWith(fieldsWith(), { raw: null, revision: null }),
        deletedAt: LATER,
      });
      const odd = { ...draft("local:1"), fields: fieldsWith({ title: "\u0000\ud800 'x\"", parent: null }) };
      await put(agreed, edited, bare, odd);
      for (const record of [agreed, edited, bare, odd]) expect(await get(record.key)).toEqual(record);
      expect(await get("linear-9")).toBeNull();
    });

    test("are replaced whole", async () => {
      await put(issue("1"));
      const changed = issue("1", { fields: fieldsWith({ labels: [] }), base: null, deletedAt: LATER });
      await put(changed);
      expect(await get("linear-1")).toEqual(changed);
    });

    test("keep their base when the local side moves, and the other way round", async () => {
      const agreed = issue("1");
      const local = { ...agreed, fields: fieldsWith({ title: "Local" }) };
      await put(agreed);
      await put(local);
      expect(await get(agreed.key)).toEqual(local);
      const settled = { ...local, base: baseWith(local.fields, { updatedAt: LATER, revision: "r2" }) };
      await put(settled);
      expect(await get(agreed.key)).toEqual(settled);
    });

    test("are not changed through what was put or read", async () => {
      const record = issue("1");
      await put(record);
      record.fields.labels.push("after put");
      (await get("linear-1"))?.fields.labels.push("after get");
      expect((await get("linear-1"))?.fields.labels).toEqual(["billing", "q2"]);
    });

    test("are found by the identities of their references", async () => {
      await put(issue("1"), issue("2"), draft("local:1"));
      const asked = ["1", "2", "3"].map((id) => identityOf(refTo(id)));
      const found = await run((transaction) => transaction.findByRefs(asked));
      expect([...found.keys()].toSorted()).toEqual(asked.slice(0, 2));
      expect(found.get(asked[0] ?? "")).toEqual(issue("1"));
      expect((await run((transaction) => transaction.findByRefs([]))).size).toBe(0);
    });

    test("are read by many keys at once, in key order", async () => {
      await put(...page(1), issue("1"));
      const asked = ["linear-1-499", "linear-9", "linear-1", "linear-1-000", "linear-1"];
      const found = await run((transaction) => transaction.records(asked));
      expect(keysOf(found)).toEqual(["linear-1", "linear-1-000", "linear-1-499"]);
      const all = page(1).map(({ key }) => key);
      expect(keysOf(await run((transaction) => transaction.records(all)))).toEqual(all);
      expect(await run((transaction) => transaction.records([]))).toEqual([]);
    });

    test("are found by a thousand references at once", async () => {
      const records = [...page(1), ...page(2)];
      await put(...records);
      const identities = records.flatMap(({ ref }) => (ref === null ? [] : identityOf(ref)));
      const found = await run((transaction) => transaction.findByRefs(identities));
      expect(found.size).toBe(1_000);
    });

    test("are found by their new reference only, once it changed", async () => {
      await put({ ...draft("local:1"), ref: refTo("1") });
      await put({ ...draft("local:1"), ref: refTo("2") });
      const found = await run((transaction) =>
        transaction.findByRefs(["1", "2"].map((id) => identityOf(refTo(id)))),
      );
      expect([...found.keys()]).toEqual([identityOf(refTo("2"))]);
    });

    test("have no reference that another one has", async () => {
      await put(issue("1"));
      const thief = { ...draft("local:1"), ref: refTo("1") };
      await expect(put(thief)).rejects.toThrow(StoreError);
      expect(await get("local:1")).toBeNull();
      await run(async (transaction) => {
        await transaction.remove("linear-1");
        await transaction.put([thief]);
      });
      expect(await get("local:1")).toEqual(thief);
    });

    test("are listed in key order, page by page", async () => {
      await put(issue("3"), issue("1"), draft("local:1"), issue("2"));
      const list = (afterKey: string | null, limit: number) =>
        run(async (transaction) => keysOf(await transaction.list(afterKey, limit)));
      expect(await list(null, 2)).toEqual(["linear-1", "linear-2"]);
      expect(await list("linear-2", 2)).toEqual(["linear-3", "local:1"]);
      expect(await list("linear-2x", 1)).toEqual(["linear-3"]);
      expect(await list("local:1", 2)).toEqual([]);
    });

    test("leave nothing behind when they are removed", async () => {
      await put(issue("1"), issue("2"));
      await run(async (transaction) => {
        for (const key of ["linear-1", "linear-2"]) {
          await transaction.markDirty(editsOf(key, ["title"]));
          await transaction.putIntent({ key, idempotencyKey: `create ${key}` });
          await transaction.putConflicts([{ ...CONFLICT, id: `conflict of ${key}`, key }]);
        }
        await transaction.remove("linear-1");
        await transaction.remove("linear-9");
      });
      const { records, byRef, dirtyKeys, intents, conflicts } = await run(contentOf);
      expect([records, byRef.map(([, record]) => record), dirtyKeys, intents, conflicts].map(keysOf)).toEqual(
        Array.from({ length: 5 }, () => ["linear-2"]),
      );
    });

    test("that were tombstoned can be revived", async () => {
      await put(issue("1", { deletedAt: NOON }));
      await put(issue("1"));
      expect((await get("linear-1"))?.deletedAt).toBeNull();
    });
  });

  describe("journal", () => {
    const mark = (key: string, ...fields: (typeof CORE_FIELDS)[number][]) =>
      run((transaction) => transaction.markDirty(editsOf(key, fields)));
    const dirty = (key: string) => run((transaction) => transaction.dirtyFields([key]));
    const fieldsOfJournal = async (key: string) => (await dirty(key)).map(({ field }) => field);
    const sequenceOf = async (key: string, name: string) =>
      (await dirty(key)).find(({ field }) => field === name)?.sequence ?? Number.NaN;

    test("holds the edits of an issue in the order in which they were made", async () => {
      await mark("a", "title", "body");
      await mark("b", "title");
      await run((transaction) => transaction.markDirty(editsOf("a", ["status"], LATER)));
      const edits = await dirty("a");
      expect(edits.map(({ key, field, changedAt }) => [key, field, changedAt])).toEqual([
        ["a", "title", NOON],
        ["a", "body", NOON],
        ["a", "status", LATER],
      ]);
      const sequences = edits.map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.toSorted((x, y) => x - y));
      expect(await dirty("c")).toEqual([]);
    });

    test("is read for many issues at once, in the order of their edits", async () => {
      await mark("b", "title");
      await mark("a", "title");
      await mark("c", "title");
      await mark("b", "body");
      const edits = await run((transaction) => transaction.dirtyFields(["a", "d", "b"]));
      expect(edits.map(({ key, field }) => [key, field])).toEqual([
        ["b", "title"],
        ["a", "title"],
        ["b", "body"],
      ]);
      expect(await run((transaction) => transaction.dirtyFields([]))).toEqual([]);
      await run((transaction) => transaction.clearDirty(edits));
      expect(keysOf(await run((transaction) => transaction.dirtyKeys(0, 9)))).toEqual(["c"]);
    });

    test("puts a second edit of a field at the end", async () => {
      await mark("a", "title", "body");
      await run((transaction) => transaction.markDirty(editsOf("a", ["title"], LATER)));
      expect((await dirty("a")).map(({ field, changedAt }) => [field, changedAt])).toEqual([
        ["body", NOON],
        ["title", LATER],
      ]);
    });

    test("lists dirty keys by their first edit, page by page", async () => {
      await mark("c", "title", "body");
      await mark("a", "title");
      await mark("b", "title");
      await mark("c", "title");
      await mark("a", "title");
      const list = (afterSequence: number, limit: number) =>
        run((transaction) => transaction.dirtyKeys(afterSequence, limit));
      const all = await list(0, 9);
      expect(keysOf(all)).toEqual(["c", "b", "a"]);
      expect(all[0]?.sequence).toBe(await sequenceOf("c", "body"));
      expect(keysOf(await list(0, 2))).toEqual(["c", "b"]);
      expect(keysOf(await list(all[1]?.sequence ?? 0, 2))).toEqual(["a"]);
      expect(await list(all[2]?.sequence ?? 0, 2)).toEqual([]);
    });

    test("keeps an edit that is newer than what was pushed", async () => {
      await mark("a", "title", "body");
      const pushed = await sequenceOf("a", "title");
      await mark("a", "title");
      await run((transaction) => transaction.clearDirty([{ key: "a", field: "title", sequence: pushed }]));
      expect(await fieldsOfJournal("a")).toEqual(["body", "title"]);
    });

    test("forgets exactly the field that was pushed", async () => {
      await mark("a", "title", "body");
      await mark("b", "title");
      const pushed = await sequenceOf("a", "title");
      await run((transaction) => transaction.clearDirty([{ key: "a", field: "title", sequence: pushed }]));
      expect(await fieldsOfJournal("a")).toEqual(["body"]);
      expect(await fieldsOfJournal("b")).toEqual(["title"]);
    });

    test("never gives a sequence twice, not even after it was empty", async () => {
      await mark("a", "title");
      const first = await sequenceOf("a", "title");
      await run((transaction) => transaction.clearDirty([{ key: "a", field: "title", sequence: first }]));
      expect(await run((transaction) => transaction.dirtyKeys(0, 9))).toEqual([]);
      await mark("a", "title");
      expect(await sequenceOf("a", "title")).toBeGreaterThan(first);
    });
  });

  test("intents are replaced, listed in key order and removed", async () => {
    const intents = [
      { key: "b", idempotencyKey: "create b" },
      { key: "a", idempotencyKey: "create a" },
      { key: "b", idempotencyKey: "create b again" },
    ];
    await run(async (transaction) => {
      for (const intent of intents) await transaction.putIntent(intent);
    });
    expect(await run((transaction) => transaction.intents())).toEqual(intents.slice(1));
    expect(await run((transaction) => transaction.intent("a"))).toEqual({
      key: "a",
      idempotencyKey: "create a",
    });
    await run((transaction) => transaction.removeIntent("a"));
    expect(await run((transaction) => transaction.intent("a"))).toBeNull();
    expect(keysOf(await run((transaction) => transaction.intents()))).toEqual(["b"]);
  });

  test("a conflict with the same id is replaced, and a decided one is not open", async () => {
    const other = { ...CONFLICT, id: "c0", key: "linear-2", base: null, local: false, remote: 0 };
    const again = { ...CONFLICT, local: "Ours, again" };
    await run(async (transaction) => {
      await transaction.putConflicts([CONFLICT, other]);
      await transaction.putConflicts([again]);
    });
    expect(await run((transaction) => transaction.openConflicts())).toEqual([other, again]);
    expect(await run((transaction) => transaction.openConflicts(["linear-1"]))).toEqual([again]);
    expect(await run((transaction) => transaction.openConflicts(["linear-9"]))).toEqual([]);
    expect(
      await run((transaction) => transaction.openConflicts(["linear-9", "linear-2", "linear-1"])),
    ).toEqual([other, again]);
    expect(await run((transaction) => transaction.openConflicts([]))).toEqual([]);

    const decided: ConflictRecord = { ...again, resolution: "local" };
    await run((transaction) => transaction.putConflicts([decided]));
    expect(await run((transaction) => transaction.openConflicts())).toEqual([other]);
    expect(await run((transaction) => transaction.conflict("c1"))).toEqual(decided);
    expect(await run((transaction) => transaction.conflict("c9"))).toBeNull();
  });

  test("checkpoints come back by name, and begin before everything", async () => {
    const begin = { updatedSince: null, window: null };
    expect(await run((transaction) => transaction.checkpoint("main"))).toEqual(begin);
    await run((transaction) => transaction.putCheckpoint("main", checkpointAt(1)));
    await run((transaction) => transaction.putCheckpoint("main", checkpointAt(2)));
    expect(await run((transaction) => transaction.checkpoint("main"))).toEqual(checkpointAt(2));
    expect(await run((transaction) => transaction.checkpoint("other"))).toEqual(begin);
  });

  describe("a transaction", () => {
    test("that throws leaves everything as it was", async () => {
      await run(fill);
      const before = await run(contentOf);
      const failure = new Error("provider gone");
      const failed = run(async (transaction) => {
        await upset(transaction);
        expect(await contentOf(transaction)).not.toEqual(before);
        throw failure;
      });
      await expect(failed).rejects.toBe(failure);
      expect(await run(contentOf)).toEqual(before);

      await run(upset);
      expect(keysOf((await run(contentOf)).records)).toEqual(["linear-1", "linear-3", "local:1"]);
    });

    test("sees what it wrote", async () => {
      const seen = await run(async (transaction) => {
        await transaction.put([issue("1")]);
        return transaction.findByRefs([identityOf(refTo("1"))]);
      });
      expect(keysOf(seen.values())).toEqual(["linear-1"]);
    });

    test("waits for the one before it, even when that one fails", async () => {
      const gate = Promise.withResolvers<void>();
      const order: string[] = [];
      const first = run(async (transaction) => {
        order.push("first begins");
        await transaction.put([issue("1")]);
        await gate.promise;
        order.push("first ends");
        throw new Error("first failed");
      });
      const second = run(async (transaction) => {
        order.push("second begins");
        return transaction.records(["linear-1"]);
      });
      gate.resolve();
      await expect(first).rejects.toThrow("first failed");
      expect(await second).toEqual([]);
      expect(order).toEqual(["first begins", "first ends", "second begins"]);
    });

    test("loses no update among a hundred at once", async () => {
      await put(draft("a"));
      const increment = () =>
        run(async (transaction) => {
          const [record = draft("a")] = await transaction.records(["a"]);
          const count = Number(record.fields.customFields.count ?? 0) + 1;
          await Promise.resolve();
          await transaction.put([{ ...record, fields: fieldsWith({ customFields: { count } }) }]);
        });
      await Promise.all(Array.from({ length: 100 }, increment));
      expect((await get("a"))?.fields.customFields).toEqual({ count: 100 });
    });

    test("cannot be used after its end", async () => {
      const leaked = await run(async (transaction) => transaction);
      await expect(leaked.put([issue("1")])).rejects.toThrow(StoreError);
      expect(await get("linear-1")).toBeNull();
    });

    test("that runs is finished before the store closes, and none begins afterwards", async () => {
      const gate = Promise.withResolvers<void>();
      const last = run(async (transaction) => {
        await gate.promise;
        await transaction.put([issue("1")]);
        return transaction.records(["linear-1"]);
      });
      const closed = store.close();
      await expect(get("linear-1")).rejects.toThrow(StoreError);
      gate.resolve();
      expect(await last).toEqual([issue("1")]);
      await closed;
    });
  });
});

test("both stores hold the same after any history", async () => {
  const key = fc.constantFrom("linear-1", "linear-2", "linear-3", "local:1");
  const id = fc.constantFrom("1", "2", "3");
  const field = fc.constantFrom(...CORE_FIELDS);
  const step: fc.Arbitrary<(transaction: StoreTransaction) => Promise<void>> = fc.oneof(
    fc
      .record({
        key,
        ref: fc.option(id.map(refTo)),
        title: fc.string({ minLength: 1 }),
        custom: fc.jsonValue(),
      })
      .map(({ key, ref, title, custom }) => (transaction: StoreTransaction) => {
        const fields = fieldsWith({ title, customFields: JSON.parse(JSON.stringify({ custom })) });
        return transaction.put([{ ...draft(key), ref, fields, base: ref && baseWith(fieldsWith()) }]);
      }),
    key.map((key) => (transaction: StoreTransaction) => transaction.remove(key)),
    fc.tuple(key, fc.array(field, { maxLength: 4 })).map(
      ([key, fields]) =>
        (transaction: StoreTransaction) =>
          transaction.markDirty(editsOf(key, fields)),
    ),
    fc.tuple(key, field, fc.nat(20)).map(
      ([key, field, sequence]) =>
        (transaction: StoreTransaction) =>
          transaction.clearDirty([{ key, field, sequence }]),
    ),
    key.map((key) => (transaction: StoreTransaction) => transaction.putIntent({ key, idempotencyKey: key })),
    key.map((key) => (transaction: StoreTransaction) => transaction.removeIntent(key)),
    fc
      .record({ id, key, resolution: fc.constantFrom(null, "local" as const) })
      .map(
        (changes) => (transaction: StoreTransaction) =>
          transaction.putConflicts([{ ...CONFLICT, ...changes }]),
      ),
    fc
      .nat(9)
      .map(
        (pages) => (transaction: StoreTransaction) => transaction.putCheckpoint("main", checkpointAt(pages)),
      ),
    fc.constant(() => Promise.reject(new Error("work failed"))),
  );
  const history = fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 8 });

  let files = 0;
  await fc.assert(
    fc.asyncProperty(history, async (transactions) => {
      const memory = new MemoryIssueStore();
      const sqlite = openSqliteStore(join(folder, `${files++}.db`));
      const play = async (target: IssueStore) => {
        const outcomes: string[] = [];
        for (const steps of transactions) {
          await target
            .transaction(async (transaction) => {
              for (const apply of steps) await apply(transaction);
            })
            .then(
              () => outcomes.push("done"),
              (error: Error) => outcomes.push(error.message),
            );
        }
        return { outcomes, content: await target.transaction(contentOf) };
      };
      const [expected, actual] = [await play(memory), await play(sqlite)];
      await sqlite.close();
      expect(actual).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("mappings share a database and touch no row of each other", async () => {
  const database = await openSqlite(join(folder, "host.db"));
  await sql`pragma foreign_keys = off`.execute(database);
  const [one, other] = [new MappingStore(database, "srm_1"), new MappingStore(database, "srm_2")];
  store = { transaction: (work) => one.transaction(work), close: () => database.destroy() };
  for (const each of [one, other]) await each.transaction(fill);
  const before = await other.transaction(contentOf);
  expect(before.dirtyFields.flat()).toHaveLength(2);
  await one.transaction(upset);
  await one.transaction(async (transaction) => {
    for (const key of ["linear-1", "linear-3", "local:1"]) await transaction.remove(key);
  });
  await one.renameWorkspace("renamed");
  expect(await other.transaction(contentOf)).toEqual(before);
});

describe("SQLite file", () => {
  test("keeps everything when it is opened again", async () => {
    store = openSqliteStore(path());
    const sequence = await run(async (transaction) => {
      await transaction.put([issue("1"), draft("local:1")]);
      await transaction.putIntent({ key: "local:1", idempotencyKey: "create local:1" });
      await transaction.putConflicts([CONFLICT]);
      await transaction.putCheckpoint("main", checkpointAt(1));
      await transaction.markDirty(editsOf("linear-1", ["title"]));
      const [edit] = await transaction.dirtyFields(["linear-1"]);
      return edit?.sequence ?? 0;
    });
    const before = await run(contentOf);
    await store.close();
    expect(readdirSync(join(folder, "state"))).toEqual(["issues.db"]);

    store = openSqliteStore(path());
    expect(await run(contentOf)).toEqual(before);
    await run((transaction) => transaction.clearDirty([{ key: "linear-1", field: "title", sequence }]));
    await store.close();
    store = openSqliteStore(path());
    await run((transaction) => transaction.markDirty(editsOf("linear-1", ["title"], LATER)));
    const [edit] = await run((transaction) => transaction.dirtyFields(["linear-1"]));
    expect(edit?.sequence).toBeGreaterThan(sequence);
  });

  test("is readable by its owner only", () => {
    store = openSqliteStore(path());
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "state")).mode & 0o777).toBe(0o700);
  });

  test("writes the fields of an agreed issue once", async () => {
    store = openSqliteStore(path());
    const title = "only once in the file";
    const fields = fieldsWith({ title });
    await put(issue("1", { fields, base: baseWith(structuredClone(fields)) }));
    using file = new Database(path(), { readonly: true });
    const row = JSON.stringify(file.query("select * from issues").get());
    expect(row.split(title)).toHaveLength(2);
  });

  describe("of an earlier version", () => {
    const records = [
      issue("1"),
      issue("2", { fields: fieldsWith({ title: "Edited here" }) }),
      issue("3", { deletedAt: LATER }),
      draft("local:1"),
    ];
    const decided: ConflictRecord = { ...CONFLICT, id: "c2", key: "linear-2", resolution: "external" };
    const content = {
      records,
      dirty: [
        [5, "linear-2", "title", NOON],
        [7, "local:1", "title", LATER],
      ],
      lastSequence: 9,
      intents: [{ key: "local:1", idempotencyKey: "create local:1" }],
      conflicts: [CONFLICT, decided],
      checkpoints: [["main", checkpointAt(3)]],
    } as const;

    test("is read with all that it holds", async () => {
      writeOldStore(path(), 2, content);
      store = openSqliteStore(path());
      expect(await run(contentOf)).toMatchObject({
        records,
        dirtyFields: [
          [{ key: "linear-2", field: "title", sequence: 5, changedAt: NOON }],
          [{ key: "local:1", field: "title", sequence: 7, changedAt: LATER }],
        ],
        intents: content.intents,
        conflicts: [CONFLICT],
        checkpoint: checkpointAt(3),
      });
      expect(await run((transaction) => transaction.conflict("c2"))).toEqual(decided);
      await run((transaction) => transaction.markDirty(editsOf("linear-1", ["body"])));
      const [edit] = await run((transaction) => transaction.dirtyFields(["linear-1"]));
      expect(edit?.sequence).toBe(10);
      await store.close();
      store = openSqliteStore(path());
      expect((await run(contentOf)).records).toEqual(records);
    });

    test("gives no sequence again that an empty journal had given", async () => {
      writeOldStore(path(), 2, { ...content, dirty: [] });
      store = openSqliteStore(path());
      await run((transaction) => transaction.markDirty(editsOf("linear-1", ["body"])));
      const [edit] = await run((transaction) => transaction.dirtyFields(["linear-1"]));
      expect(edit?.sequence).toBe(10);
    });

    test("is pulled again, where it did not keep when issues were created", async () => {
      writeOldStore(path(), 1, content);
      store = openSqliteStore(path());
      const begin = { updatedSince: null, window: null };
      expect(await run(contentOf)).toMatchObject({ records, conflicts: [CONFLICT], checkpoint: begin });
    });

    test("loses nothing when its upgrade fails", () => {
      writeOldStore(path(), 2, content);
      const before = new Database(path());
      before.run("create table old_conflicts (id text)");
      before.close();
      expect(() => openSqliteStore(path())).toThrow(StoreError);
      using after = new Database(path());
      expect(after.query("select count(*) as count from issues").get()).toEqual({ count: records.length });
      expect(after.query("pragma user_version").get()).toEqual({ user_version: 2 });
      store = new MemoryIssueStore();
    });
  });

  test("with a row that this store did not write is an error that names the column", async () => {
    store = openSqliteStore(path());
    await put(issue("1"));
    const file = new Database(path());
    file.run(`update issues set fields = '{"title": 1}'`);
    file.close();
    await expect(get("linear-1")).rejects.toThrow(/holds a row that cannot be read: fields.title /);
  });

  test("that is no database, or newer than this code, is refused and left alone", async () => {
    store = openSqliteStore(path());
    await store.close();
    const newer = new Database(path());
    newer.run("pragma user_version = 99");
    newer.close();
    expect(() => openSqliteStore(path())).toThrow("was written by a newer version");

    const text = join(folder, "notes.txt");
    writeFileSync(text, "not a database, but long enough to be one".repeat(100));
    expect(() => openSqliteStore(text)).toThrow(StoreError);
    expect(() => openSqliteStore(folder)).toThrow(StoreError);
    expect(readdirSync(folder).toSorted()).toEqual(["notes.txt", "state"]);
  });
});
