import { expect, test } from "bun:test";
import * as sdk from "../../../src/sdk/index.ts";
import { MemoryRemote, MemoryTracker } from "../../../src/sdk/testing/index.ts";

test("what missions keep in custom fields has its names in the public surface", () => {
  expect([sdk.MISSION_FIELD, sdk.DECISIONS_FIELD]).toEqual(["spec_kitty_mission", "decision_refs"]);
});

test("what each kind of run takes can be named", async () => {
  const pull: sdk.PullOptions = { full: true };
  const push: sdk.PushOptions = { key: "local-1" };
  const sync: sdk.SyncOptions = { pullFirst: false };
  const engine = new sdk.SyncEngine({
    connector: new MemoryTracker({ remote: new MemoryRemote({ now: Date.now }) }),
    store: new sdk.MemoryIssueStore(),
  });
  for (const run of [engine.pull(pull), engine.push(push), engine.sync(sync)]) {
    expect((await sdk.collect(run)).errors).toEqual([]);
  }
});
