/** Work on a tracker on this machine, over a stand-in for its program. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IssueSearchQuery, MissionUpdate } from "../../src/client.ts";
import type { Project } from "../../src/config/project.ts";
import type { Folders } from "../../src/config/settings.ts";
import { parseProjectConfig } from "../../src/config.ts";
import type { PushItem } from "../../src/protocol.ts";
import { StoreError } from "../../src/sdk/stores/serial.ts";
import { withFailureCodes } from "../../src/service/bindings/on-device-failures.ts";
import { OnDevicePrograms, parseCredentials } from "../../src/service/bindings/on-device-programs.ts";
import { failureOf } from "../helpers/failure.ts";
import { SimulatedBeads } from "../helpers/subjects/beads.ts";

let beads: SimulatedBeads;
let folders: Folders;
let trackers: OnDevicePrograms;
let timing: { now: () => number; sleep: () => Promise<void>; random: () => number };

beforeEach(() => {
  beads = new SimulatedBeads();
  timing = { now: Date.now, sleep: async () => {}, random: () => 0.5 };
  const home = join(beads.folder, "home");
  folders = { config: join(home, "config"), state: join(home, "state"), legacy: join(home, "legacy") };
  trackers = new OnDevicePrograms({
    context: { env: beads.environment, timing: { ...timing, sleep: () => timing.sleep() } },
    folders,
    lockPath: join(folders.state, "edit.lock"),
  });
  mkdirSync(folders.state, { recursive: true });
});
afterEach(() => beads[Symbol.dispose]());

/** What the stand-in for `bd` does. */
const SCRIPT = `exec "${process.execPath}" "${join(import.meta.dir, "..", "simulators", "beads.ts")}" "$@"`;
const MANUAL = [
  "tracker:",
  "  provider: beads",
  "  workspace: payments",
  "  doctrine:",
  "    mode: split_ownership",
  "  conflict_strategy: manual_review",
  "",
].join("\n");
const UPDATE: MissionUpdate = {
  mission_id: "m-7",
  mission_state: "implementing",
  target_status: "in_progress",
  summary: "Half way",
  mission_url: null,
  decision_references: [],
};
const BINDING = { provider: "beads", workspace: "payments", credentials: {} } as const;

function project(config = "tracker:\n  provider: beads\n  workspace: payments\n"): Project {
  const root = beads.folder;
  const configPath = join(root, ".kittify", "config.yaml");
  return { root, configPath, repository: null, source: "file" as const, config: parseProjectConfig(config) };
}

/** The tracker of a bound project. */
async function bound(config?: string) {
  trackers.remember(project(config), BINDING);
  const tracker = await trackers.open(project(config));
  return {
    tracker,
    pull: () => tracker.pull({ limit: 100 }),
    push: (items: readonly PushItem[] | null) => tracker.push(items, {}),
    run: () => tracker.run({ limit: 100 }, {}),
    status: () => tracker.status(),
    tickets: async () => (await tracker.tickets(10)).tickets,
    search: async (query: IssueSearchQuery) => (await tracker.searchTickets(query, 10)).candidates,
    seed: (issue: string, id: string) => tracker.seedMission(issue, id),
    publish: (issue: string, update: MissionUpdate) => tracker.publishMission(issue, update),
    mappings: () => tracker.mappings(),
  };
}

test("a binding is checked by asking the program", async () => {
  await trackers.check(project(), BINDING);
  const missing = { ...BINDING, credentials: { command: "no-such-program" } };
  await expect(trackers.check(project(), missing)).rejects.toThrow(/no-such-program/);
});

test("a config alone binds nothing: programs run where somebody wanted them to", async () => {
  beads.install("bd", 'touch "$HOME/ran"');
  expect(await failureOf(trackers.open(project()))).toMatchObject({
    code: "not_bound_here",
    hint: expect.stringContaining("tracker bind --provider beads --workspace payments"),
  });
  expect(() => statSync(join(beads.folder, "ran"))).toThrow();
});

test("how a tracker is run is kept with the person, and forgotten with the binding", async () => {
  trackers.remember(project(), { ...BINDING, credentials: { command: "bd", cwd: beads.folder } });
  expect(statSync(trackers.path).mode & 0o777).toBe(0o600);
  expect(readFileSync(trackers.path, "utf8")).toContain('"command": "bd"');
  trackers.forget(project(), BINDING);
  expect(await failureOf(trackers.open(project()))).toMatchObject({ code: "not_bound_here" });
});

test("a file of bindings that cannot be read is told, and not overwritten", async () => {
  mkdirSync(folders.config, { recursive: true });
  writeFileSync(trackers.path, "[1, 2");
  expect(() => trackers.remember(project(), BINDING)).toThrow(trackers.path);
  expect(readFileSync(trackers.path, "utf8")).toBe("[1, 2");
});

test("how a tracker is run is known until it is forgotten, for that workspace alone", () => {
  const credentials = { command: "bd", cwd: beads.folder };
  trackers.remember(project(), { ...BINDING, credentials });
  expect(trackers.known(project(), BINDING)).toEqual(credentials);
  expect(trackers.known(project(), { ...BINDING, workspace: "other" })).toEqual({});
  trackers.forget(project(), BINDING);
  expect(trackers.known(project(), BINDING)).toEqual({});
});

test("credentials are those that a program needs", () => {
  expect(parseCredentials({ command: "bd", cwd: "/work" })).toEqual({ command: "bd", cwd: "/work" });
  expect(() => parseCredentials({ token: "x" })).toThrow("command=… or cwd=…");
});

describe("sync", () => {
  test("has synchronized once a pull has reached the end", async () => {
    const tracker = await bound();
    await tracker.push([{ ref: {}, action: "create", patch: { title: "Refund twice" } }]);
    beads.install("bd", "exit 1");
    expect(await failureOf(tracker.pull())).toMatchObject({ code: "provider_rejected" });
    expect(await tracker.status()).toMatchObject({ sync_state: "never", last_synced_at: null });
  });

  test("pulls, pushes and runs; a second run writes nothing", async () => {
    const tracker = await bound();
    const created = await tracker.push([
      { ref: {}, action: "create", patch: { title: "Refund twice", labels: ["web"] } },
    ]);
    expect(created).toMatchObject({ status: "ok", items: [{ outcome: "applied" }] });
    const [{ remote_ref: ref } = { remote_ref: null }] = created.items;
    const { id } = Object(ref);
    beads.run(["bd", "update", id, "--title", "Refund thrice"]);
    beads.run(["bd", "update", id, "--add-label", "urgent"]);
    const pulled = await tracker.pull();
    expect(pulled.items).toMatchObject([{ title: "Refund thrice", labels: ["urgent", "web"] }]);
    const moved = await tracker.push([
      { ref: { id }, action: "transition", target_status: "in_progress" },
      { ref: { id }, action: "comment", body: "On it." },
    ]);
    expect(moved.items.map(({ outcome }) => outcome)).toEqual(["applied", "applied"]);
    await tracker.run();
    const again = await tracker.run();
    expect({ pulled: again.pull.items, pushed: again.push.items }).toEqual({ pulled: [], pushed: [] });
    expect(await tracker.status()).toMatchObject({ sync_state: "idle", issue_count: 1, open_conflicts: 0 });
  });

  test("an issue that a clock ahead of this one has marked is pulled, and edited like any other", async () => {
    const tracker = await bound();
    beads.change((store) => {
      store.now = Date.now() + 600_000;
    });
    beads.run(["bd", "create", "--title=Rotate keys"]);
    const [{ id } = { id: "" }] = beads.store.issues;
    expect((await tracker.pull()).items).toMatchObject([{ title: "Rotate keys" }]);
    beads.change((store) => {
      store.now = Date.now();
    });
    const pushed = await tracker.push([{ ref: { id }, action: "update", patch: { title: "Ours" } }]);
    expect(pushed).toMatchObject({ status: "ok", items: [{ outcome: "applied" }] });
    beads.run(["bd", "update", id, "--title", "Theirs"]);
    expect((await tracker.pull()).items).toMatchObject([{ title: "Theirs" }]);
    const again = await tracker.run();
    expect({ pulled: again.pull.items, pushed: again.push.items }).toEqual({ pulled: [], pushed: [] });
  });

  test("closing belongs to the person: it is rejected, and says why", async () => {
    const tracker = await bound();
    const { items } = await tracker.push([{ ref: {}, action: "create", patch: { title: "Work" } }]);
    const { id } = Object(items[0]?.remote_ref);
    const closed = await tracker.push([{ ref: { id }, action: "transition", target_status: "done" }]);
    expect(closed).toMatchObject({
      status: "error",
      items: [{ outcome: "rejected", message: expect.stringContaining("done") }],
    });
  });

  test("the config's ownership decides, and one that is none is told", async () => {
    const owned = (mode: string) =>
      `tracker:\n  provider: beads\n  workspace: payments\n  doctrine:\n    mode: ${mode}\n    field_owners: { issue_type: local }\n`;
    const tracker = await bound(owned("split_ownership"));
    expect((await tracker.pull()).doctrine).toMatchObject({
      mode: "split_ownership",
      field_owners: { issue_type: "local" },
    });
    await expect(bound(owned("mine"))).rejects.toThrow("tracker.doctrine.mode:");
  });
});

describe("one sync at a time", () => {
  const create: readonly PushItem[] = [{ ref: {}, action: "create", patch: { title: "Refund twice" } }];
  const busy = { code: "sync_in_progress", retryable: true, hint: expect.stringContaining("tracker status") };
  /** A file that `bd` waits for, and the `bd` that is on PATH until then. */
  const hold = () => {
    const gate = join(beads.folder, "gate");
    beads.install("bd", `while [ ! -e "${gate}" ]; do sleep 0.02; done\n${SCRIPT}`);
    return () => writeFileSync(gate, "");
  };

  test("another one is told, and what only reads is not refused", async () => {
    const [first, second] = [await bound(), await bound()];
    await first.push(create);
    const open = hold();
    const pulling = first.pull();
    expect(await failureOf(second.pull())).toMatchObject(busy);
    expect(await failureOf(second.run())).toMatchObject(busy);
    expect(await failureOf(second.push(create))).toMatchObject(busy);
    expect(await failureOf(second.tracker.resolveConflict("c-1", "local"))).toMatchObject(busy);
    expect(await failureOf(second.publish("pay-1", UPDATE))).toMatchObject(busy);
    expect(await second.status()).toMatchObject({ sync_state: "running", issue_count: 1 });
    expect(await second.tracker.conflicts()).toMatchObject({ conflicts: [] });
    const reads = Promise.all([second.tickets(), second.tracker.run({ limit: 100, dry_run: true }, {})]);
    open();
    await Promise.all([reads, pulling]);
    expect(await second.status()).toMatchObject({ sync_state: "idle" });
    await second.pull();
  });

  test("a short one is waited for", async () => {
    const open = hold();
    const [first, second] = [await bound(), await bound()];
    const pulling = first.pull();
    timing.sleep = async () => {
      open();
      await pulling;
    };
    expect(await second.push(create)).toMatchObject({ status: "ok" });
    expect(beads.store.issues).toHaveLength(1);
  });

  test("one that fails leaves the way free", async () => {
    const tracker = await bound();
    beads.install("bd", "exit 1");
    expect(await failureOf(tracker.pull())).toMatchObject({ code: "provider_rejected" });
    expect(await failureOf(tracker.pull())).toMatchObject({ code: "provider_rejected" });
  });
});

describe("what goes wrong has the code that a control plane gives it", () => {
  test("a conflict that there is not, and one that was decided otherwise", async () => {
    const tracker = await bound(MANUAL);
    expect(await failureOf(tracker.tracker.resolveConflict("c-404", "local"))).toMatchObject({
      code: "conflict_not_found",
      hint: expect.stringContaining("tracker sync conflicts"),
    });
    const { items } = await tracker.push([{ ref: {}, action: "create", patch: { title: "Old" } }]);
    const { id } = Object(items[0]?.remote_ref);
    beads.run(["bd", "update", id, "--title", "Theirs"]);
    await tracker.push([{ ref: { id }, action: "update", patch: { title: "Ours" } }]);
    const [conflict] = (await tracker.tracker.conflicts()).conflicts;
    await tracker.tracker.resolveConflict(conflict?.id ?? "", "local");
    expect(await failureOf(tracker.tracker.resolveConflict(conflict?.id ?? "", "external"))).toMatchObject({
      code: "conflict_decided",
    });
  });

  test("a cursor that is outdated", async () => {
    const { tracker } = await bound();
    expect(await failureOf(tracker.pull({ limit: 10, cursor: "pull_old" }))).toMatchObject({
      code: "invalid_request",
      retryable: false,
      details: { cursor: expect.stringContaining("outdated") },
    });
  });

  test("an issue that is not there", async () => {
    const tracker = await bound();
    expect(await failureOf(tracker.seed("pay-404", "m-1"))).toMatchObject({ code: "issue_not_found" });
  });

  test("a tracker that is busy", async () => {
    const tracker = await bound();
    beads.install("bd", 'echo "Error: database is locked" >&2; exit 1');
    const unavailable = { code: "provider_unavailable", retryable: true };
    expect(await failureOf(tracker.pull())).toMatchObject(unavailable);
    expect(await failureOf(tracker.tickets())).toMatchObject(unavailable);
  });

  test("a program that cannot be run", async () => {
    trackers.remember(project(), { ...BINDING, credentials: { command: "no-such-program" } });
    const tracker = await trackers.open(project());
    const unusable = {
      code: "program_unusable",
      retryable: false,
      hint: expect.stringContaining("--credential command=PATH"),
    };
    expect(await failureOf(tracker.tickets(1))).toMatchObject(unusable);
    expect(await failureOf(tracker.seedMission("pay-1", null))).toMatchObject(unusable);
    expect(await failureOf(tracker.pull({ limit: 100 }))).toMatchObject(unusable);
    expect(await failureOf(tracker.run({ limit: 100 }, {}))).toMatchObject(unusable);
    expect(await failureOf(tracker.push([], {}))).toMatchObject(unusable);
  });

  test("what waits to be sent still waits when the program was missing", async () => {
    const program = beads.install("bd", SCRIPT);
    const tracker = await bound();
    beads.install(
      "bd",
      `if [ "$2" = create ]; then echo "Error: database is locked" >&2; exit 1; fi\n${SCRIPT}`,
    );
    const pushed = await tracker.push([{ ref: {}, action: "create", patch: { title: "Refund twice" } }]);
    expect(pushed.items).toMatchObject([{ outcome: "failed" }]);
    rmSync(program);
    expect(await failureOf(tracker.push(null))).toMatchObject({ code: "program_unusable" });
    beads.install("bd", SCRIPT);
    expect((await tracker.push(null)).items).toMatchObject([{ action: "create", outcome: "applied" }]);
  });

  test("a disk that is full, which is no reason to remove anything", async () => {
    const full = async () => {
      throw new StoreError("The issue store cannot be used.", { retryable: false, isFull: true });
    };
    expect(await failureOf(withFailureCodes(full))).toMatchObject({
      code: "store_unusable",
      hint: expect.stringMatching(/^Free space/),
    });
  });

  test("a file of what was synchronized that is none", async () => {
    const tracker = await bound();
    await tracker.pull();
    const folder = join(folders.state, "local");
    for (const name of readdirSync(folder).filter((name) => /\.db($|-)/.test(name))) {
      writeFileSync(join(folder, name), "not a database at all");
    }
    const unusable = { code: "store_unusable", message: expect.stringContaining(folder) };
    expect(await failureOf(tracker.status())).toMatchObject(unusable);
  });
});

test("a pull tells how far it has come, and names the tracker", async () => {
  const { tracker, push } = await bound();
  await push([1, 2, 3].map((n) => ({ ref: {}, action: "create", patch: { title: `Issue ${n}` } })));
  const told: unknown[] = [];
  const answer = await tracker.pull({ limit: 1 }, { onProgress: (progress) => told.push(progress) });
  expect(told).toEqual([{ done: 3, total: null }]);
  expect(answer).toMatchObject({ provider: "beads", identity_path: null, summary: { total: 3 } });
});

test("tickets, by words, by key, and the latest", async () => {
  const tracker = await bound();
  const { items } = await tracker.push([
    { ref: {}, action: "create", patch: { title: "The quokka escaped" } },
    { ref: {}, action: "create", patch: { title: "Nothing happened" } },
  ]);
  const { id } = Object(items[0]?.remote_ref);
  expect((await tracker.tickets()).map(({ title }) => title).toSorted()).toEqual([
    "Nothing happened",
    "The quokka escaped",
  ]);
  const found = await tracker.search({ query_text: "quokka" });
  expect(found).toMatchObject([{ identifier: id, state: { name: "todo" }, team: { name: "payments" } }]);
  expect(await tracker.search({ query_key: id })).toEqual([...found]);
});

test("missions start from an issue and report to it, once", async () => {
  const tracker = await bound();
  const { items } = await tracker.push([
    { ref: {}, action: "create", patch: { title: "Refund twice" } },
    { ref: {}, action: "create", patch: { title: "Which ledger?" } },
  ]);
  const [issue, decision] = items.map(({ remote_ref }) => Object(remote_ref).id);
  expect(await tracker.seed(issue, "m-7")).toMatchObject({
    mission_id: "m-7",
    title: "Refund twice",
  });
  const update = {
    ...UPDATE,
    decision_references: [
      {
        id: "D-1",
        blocking: true,
        title: null,
        external_ref: { system: "beads", workspace: "payments", id: decision, key: null, url: null },
      },
    ],
  };
  await tracker.publish(issue, update);
  const published = await tracker.publish(issue, update);
  expect(published).toMatchObject({
    status: "in_progress",
    links: [{ type: "blocked_by", target: { id: decision } }],
    custom_fields: { spec_kitty_mission: "m-7" },
  });
  const exported = beads.run(["bd", "export"]);
  expect(exported.split("Spec Kitty mission update: m-7")).toHaveLength(2);
});

test("work packages are mapped to issues, the last word counting", async () => {
  const { tracker, mappings } = await bound();
  expect(await mappings()).toEqual([]);
  const mapping = { wpId: "WP01", externalId: "pay-1", externalKey: null, externalUrl: null };
  await tracker.addMapping(mapping);
  await tracker.addMapping({ ...mapping, externalId: "pay-2" });
  await tracker.addMapping({ ...mapping, wpId: "WP02" });
  expect((await (await bound()).mappings()).map(({ wp_id, external_id }) => [wp_id, external_id])).toEqual([
    ["WP01", "pay-2"],
    ["WP02", "pay-1"],
  ]);
  await expect(tracker.addMapping({ ...mapping, wpId: null })).rejects.toThrow("--wp-id");
});

test("what failed for now is written by the next push without items", async () => {
  const tracker = await bound();
  expect(await tracker.push(null)).toMatchObject({ status: "ok", items: [] });
});
