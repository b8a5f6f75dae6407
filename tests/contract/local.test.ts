/** Work on a tracker on this machine, over a stand-in for its program. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IssueQuery, MissionUpdate } from "../../src/client.ts";
import { parseProjectConfig } from "../../src/config.ts";
import { LocalTrackers, parseCredentials } from "../../src/local.ts";
import type { Project } from "../../src/project.ts";
import type { PushItem } from "../../src/protocol.ts";
import type { Folders } from "../../src/settings.ts";
import { SimulatedBeads } from "../helpers/subjects/beads.ts";

let beads: SimulatedBeads;
let folders: Folders;
let trackers: LocalTrackers;

beforeEach(() => {
  beads = new SimulatedBeads();
  const home = join(beads.folder, "home");
  folders = { config: join(home, "config"), state: join(home, "state"), legacy: join(home, "legacy") };
  trackers = new LocalTrackers({
    context: {
      env: beads.environment,
      nature: { now: Date.now, sleep: async () => {}, random: () => 0.5 },
    },
    folders,
    lockPath: join(folders.state, "edit.lock"),
  });
  mkdirSync(folders.state, { recursive: true });
});
afterEach(() => beads[Symbol.dispose]());

const BINDING = { provider: "beads", workspace: "payments", credentials: {} } as const;

function project(config = "tracker:\n  provider: beads\n  workspace: payments\n"): Project {
  const root = beads.folder;
  const configPath = join(root, ".kittify", "config.yaml");
  return { root, configPath, exists: true, config: parseProjectConfig(config) };
}

/** The tracker of a bound project, its results without what surrounds them. */
async function bound(config?: string) {
  trackers.remember(project(config), BINDING);
  const tracker = await trackers.open(project(config));
  const plain = async <T>(answer: Promise<{ readonly result: T }>): Promise<T> => (await answer).result;
  return {
    tracker,
    pull: () => plain(tracker.pull({ limit: 100 })),
    push: (items: readonly PushItem[] | null) => plain(tracker.push(items, {})),
    run: () => plain(tracker.run({ limit: 100 }, {})),
    status: () => plain(tracker.status()),
    tickets: async () => (await plain(tracker.tickets(10))).tickets,
    search: async (query: IssueQuery) => (await plain(tracker.searchTickets(query, 10))).candidates,
    seed: (issue: string, id: string) => plain(tracker.seedMission(issue, id)),
    publish: (issue: string, update: MissionUpdate) => plain(tracker.publishMission(issue, update)),
    mappings: () => plain(tracker.mappings()),
  };
}

test("a binding is checked by asking the program", async () => {
  await trackers.check(project(), BINDING);
  const missing = { ...BINDING, credentials: { command: "no-such-program" } };
  await expect(trackers.check(project(), missing)).rejects.toThrow(/no-such-program/);
});

test("a config alone binds nothing: programs run where somebody wanted them to", async () => {
  beads.install("bd", 'touch "$HOME/ran"');
  await expect(trackers.open(project())).rejects.toMatchObject({
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
  await expect(trackers.open(project())).rejects.toMatchObject({ code: "not_bound_here" });
});

test("a file of bindings that cannot be read is told, and not overwritten", async () => {
  mkdirSync(folders.config, { recursive: true });
  writeFileSync(trackers.path, "[1, 2");
  expect(() => trackers.remember(project(), BINDING)).toThrow(trackers.path);
  expect(readFileSync(trackers.path, "utf8")).toBe("[1, 2");
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
    await expect(tracker.pull()).rejects.toThrow();
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
    await expect(bound(owned("mine"))).rejects.toThrow("tracker.doctrine: mode");
  });
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
    mission_id: "m-7",
    mission_state: "implementing",
    target_status: "in_progress" as const,
    summary: "Half way",
    mission_url: null,
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
