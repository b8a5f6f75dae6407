/**
 * What holds for the sync engine whatever happens on both sides.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { sameField } from "../../src/sdk/engine/merge.ts";
import { collect } from "../../src/sdk/engine.ts";
import { CORE_FIELDS, canonicalJson, identityOf } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { openSqliteStore } from "../../src/sdk/stores/sqlite.ts";
import type { IssueStore } from "../../src/sdk/stores/store.ts";
import {
  CrashError,
  histories,
  interruptions,
  type Setting,
  Steps,
  settings,
  World,
} from "../helpers/history.ts";

/** Plays in a world of its own, and closes its store. */
async function inWorld<T>(
  open: () => IssueStore,
  setting: Setting,
  play: (world: World) => Promise<T>,
): Promise<T> {
  const store = open();
  try {
    return await play(new World(store, setting));
  } finally {
    await store.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), "engine-properties-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openNewFile(): IssueStore {
  files += 1;
  return openSqliteStore(join(folder, `${files}.db`));
}

const STORES = [
  { store: "memory", open: () => new MemoryIssueStore(), share: 1 },
  { store: "SQLite", open: openNewFile, share: 0.08 },
] as const;

for (const { store, open, share } of STORES) {
  const runs = (count: number) => Math.ceil(count * share);
  const property = (title: string, count: number, body: (numRuns: number) => Promise<void>) => {
    test(title, () => body(runs(count)));
  };

  describe(`whatever happens, with the ${store} store`, () => {
    property("a second sync writes nothing", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, (setting, history) =>
          inWorld(open, setting, async (world) => {
            await world.play(history);
            world.wait(600_000);
            await world.run(world.process().engine.sync());
            world.wait(600_000);
            const before = await world.storeContent();
            const { tracker, engine } = world.process();
            const events = await world.run(engine.sync());
            expect(tracker.writes).toBe(0);
            expect(await world.storeContent()).toEqual(before);
            expect(events.filter(({ kind }) => kind !== "unchanged" && kind !== "progress")).toEqual([]);
          }),
        ),
        { numRuns },
      ),
    );

    property("both sides become equal but for fields that wait for a decision", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, (setting, history) =>
          inWorld(open, setting, async (world) => {
            await world.play(history);
            await world.settle();
            await expectEqualSides(world);
          }),
        ),
        { numRuns },
      ),
    );

    property("deciding what waits makes both sides equal", 80, (numRuns) =>
      fc.assert(
        fc.asyncProperty(
          settings,
          histories,
          fc.array(fc.constantFrom("local" as const, "external" as const), { minLength: 1 }),
          (setting, history, decisions) =>
            inWorld(open, reviewed(setting), async (world) => {
              await world.play(history);
              await world.settle();
              for (let round = 0; round < 5; round += 1) {
                const conflicts = await world.store.transaction((tx) => tx.openConflicts());
                if (conflicts.length === 0) break;
                const { engine } = world.process();
                for (const [index, { id }] of conflicts.entries()) {
                  await engine.resolveConflict(id, decisions[index % decisions.length] ?? "local");
                }
                await world.settle();
              }
              expect(await world.store.transaction((tx) => tx.openConflicts())).toEqual([]);
              await expectEqualSides(world);
            }),
        ),
        { numRuns },
      ),
    );

    property("no update is lost outside of a recorded conflict", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, (setting, history) =>
          inWorld(open, shared(setting), async (world) => {
            await world.play(history);
            await world.settle();
            expect(await lostValues(world)).toEqual([]);
          }),
        ),
        { numRuns },
      ),
    );

    property("what people do while a sync runs is neither lost nor left behind", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, interruptions, (setting, history, meanwhile) =>
          inWorld(open, shared(setting), async (world) => {
            await world.play(history);
            world.wait(600_000);
            await world.run(world.process(new Steps(), meanwhile).engine.sync());
            await world.settle();
            await expectEqualSides(world);
            expect(await lostValues(world)).toEqual([]);
          }),
        ),
        { numRuns },
      ),
    );

    property("pull alters no field that is owned locally", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, (setting, history) =>
          inWorld(open, setting, async (world) => {
            await world.play(history);
            const owners: Readonly<Record<string, string>> = setting.policy.fieldOwners ?? {};
            const owned = CORE_FIELDS.filter((field) => owners[field] === "local");
            const before = await world.records();
            world.wait(600_000);
            await world.run(world.process().engine.pull({ full: true }));
            const after = new Map((await world.records()).map((record) => [record.key, record]));
            for (const { key, fields } of before) {
              for (const field of owned) expect(after.get(key)?.fields[field]).toEqual(fields[field]);
            }
          }),
        ),
        { numRuns },
      ),
    );

    property("the same history gives the same events, byte for byte", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, async (setting, history) => {
          const tell = () =>
            inWorld(open, setting, async (world) => {
              await world.play(history);
              await world.settle();
              return JSON.stringify(world.events);
            });
          expect(await tell()).toBe(await tell());
        }),
        { numRuns },
      ),
    );

    property("a rehearsal changes nothing, and comes true", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, (setting, history) =>
          inWorld(open, setting, async (world) => {
            await world.play(history);
            world.wait(600_000);
            const before = await world.storeContent();
            const { tracker, engine } = world.process();
            const plan = await collect(engine.sync({ dryRun: true }));
            expect(tracker.writes).toBe(0);
            expect(await world.storeContent()).toEqual(before);
            const { stats } = await collect(engine.sync());
            expect(plan.stats.created).toEqual(stats.created);
            expect(plan.stats.updated.remote).toBe(stats.updated.remote);
            expect(plan.stats.conflicts).toBe(stats.conflicts);
          }),
        ),
        { numRuns },
      ),
    );

    property("a run that dies at any step and is run again ends as one that lived", 10, (numRuns) =>
      fc.assert(
        fc.asyncProperty(settings, histories, async (setting, history) => {
          const steps = new Steps();
          const lived = await inWorld(open, kept(setting), async (world) => {
            await world.play(history);
            world.wait(600_000);
            await world.run(world.process(steps).engine.sync());
            world.wait(600_000);
            await world.run(world.process().engine.sync());
            return world.outcome();
          });
          for (let last = 1; last <= steps.taken; last += 1) {
            const died = await inWorld(open, kept(setting), async (world) => {
              await world.play(history);
              world.wait(600_000);
              const run = world.run(world.process(new Steps(last)).engine.sync());
              await expect(run).rejects.toBeInstanceOf(CrashError);
              world.wait(600_000);
              await world.run(world.process().engine.sync());
              return world.outcome();
            });
            expect({ last, outcome: died }).toEqual({ last, outcome: lived });
          }
        }),
        { numRuns },
      ),
    );

    property("pages that come twice or out of order change nothing", 80, (numRuns) =>
      fc.assert(
        fc.asyncProperty(
          settings,
          histories,
          fc.array(fc.constantFrom("duplicate_page" as const, "reorder_page" as const), { minLength: 1 }),
          async (setting, history, faults) => {
            const play = (misfortunes: typeof faults) =>
              inWorld(open, setting, async (world) => {
                await world.play(history);
                world.wait(600_000);
                const { tracker, engine } = world.process();
                for (const kind of misfortunes) tracker.faults.add({ kind });
                await world.run(engine.pull());
                return { outcome: await world.outcome(), records: await world.records() };
              });
            expect(await play(faults)).toEqual(await play([]));
          },
        ),
        { numRuns },
      ),
    );

    property("lost answers and failures that pass make no second issue and lose nothing", 100, (numRuns) =>
      fc.assert(
        fc.asyncProperty(
          settings,
          histories,
          fc.array(
            fc.record({
              kind: fc.constantFrom("lost_response" as const, "fail" as const),
              times: fc.integer({ min: 1, max: 4 }),
            }),
            { minLength: 1, maxLength: 6 },
          ),
          (setting, history, faults) =>
            inWorld(open, shared(setting), async (world) => {
              await world.play(history);
              world.wait(600_000);
              const { tracker, engine } = world.process();
              for (const { kind, times } of faults) tracker.faults.add({ kind }, { times });
              await world.run(engine.sync({ pullFirst: false }));
              await world.run(engine.sync());
              await world.settle();
              await expectEqualSides(world);
              expect(await lostValues(world)).toEqual([]);
              const created = world.remote.events.filter(({ type }) => type === "created").length;
              const filed = history.filter((action) => action.do === "create").length;
              expect(created).toBe(3 + filed);
            }),
        ),
        { numRuns },
      ),
    );
  });
}

/** Everybody may edit everything, so that every value that is given up was somebody's. */
function shared(setting: Setting): Setting {
  return { ...setting, policy: { ...setting.policy, fieldOwners: {} } };
}

/** Bodies stay as they are written: what a tracker makes of one only the run knows that sees the answer. */
function kept(setting: Setting): Setting {
  return { ...setting, bodies: "kept" };
}

function reviewed(setting: Setting): Setting {
  return { ...setting, policy: { ...setting.policy, strategy: "manual_review" } };
}

async function expectEqualSides(world: World): Promise<void> {
  const open = await world.store.transaction((transaction) => transaction.openConflicts());
  const records = (await world.records()).filter(({ deletedAt }) => deletedAt === null);
  const remote = new Map(world.remote.issues().map((issue) => [identityOf(issue.ref), issue]));
  expect(records.map(({ ref }) => (ref === null ? "unborn" : identityOf(ref))).sort()).toEqual(
    [...remote.keys()].sort(),
  );
  const different = records.flatMap(({ key, ref, fields }) => {
    const issue = ref === null ? undefined : remote.get(identityOf(ref));
    if (issue === undefined) return [`${key} is not there`];
    return CORE_FIELDS.filter((field) => !sameField(field, fields, issue))
      .filter((field) => !open.some((conflict) => conflict.key === key && conflict.field === field))
      .map((field) => `${key} ${field}: ${canonicalJson(fields[field])} ≠ ${canonicalJson(issue[field])}`);
  });
  expect(different).toEqual([]);
}

/**
 * Values that somebody wrote and that nobody can find any more: not on either
 * side, in no conflict record, not replaced by somebody who saw them, and not
 * gone with a deleted issue.
 */
async function lostValues(world: World): Promise<readonly string[]> {
  const deleted = (await world.records()).filter(({ deletedAt }) => deletedAt !== null);
  const found = [
    (await world.records()).map(({ fields }) => fields),
    world.remote.issues(),
    world.events.filter(({ kind }) => kind === "conflict"),
    deleted.map(({ base }) => base),
  ];
  const text = canonicalJson(found).replace(/"<(value \d+)>"/g, '"$1"');
  const isGone = (value: string) => !text.includes(`"${value}"`) && !world.replaced.has(value);
  return world.written.filter(({ value }) => isGone(value)).map(({ value, where }) => `${value} ${where}`);
}
