/** The config as a file that Spec Kitty's tools share: its older spellings, its consent, and its upgrade. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { MinimalHost } from "../helpers/minimal-host.ts";
import { Scratch } from "../helpers/scratch.ts";
import { ScriptedControlPlane } from "../helpers/scripted-control-plane.ts";
import { BEADS_FILE } from "../simulators/beads.ts";

let host: MinimalHost;
let place: Scratch;
beforeEach(() => {
  host = new MinimalHost("code");
  place = new Scratch({ env: host.env });
});
afterEach(() => {
  place[Symbol.dispose]();
  host[Symbol.dispose]();
});

const BIND = ["bind", "--provider", "linear", "--select", "1"];
/** Adds a line to the `tracker:` section. */
const add = (line: string): void =>
  place.write(".kittify/config.yaml", (place.config() ?? "").replace("tracker:\n", `tracker:\n  ${line}\n`));

describe("a config with `doctrine`", () => {
  const DOCTRINE = "tracker:\n  doctrine:\n    mode: split_ownership\n";

  test("is edited in place, and its first edit reports how to migrate it", async () => {
    place.write(".kittify/config.yaml", DOCTRINE);
    const first = await place.run(BIND);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr).toContain("rename that key to `ownership`");
    expect(place.config()).toContain("  doctrine:\n    mode: split_ownership\n");
    expect(place.config()).not.toContain("ownership:");
    const second = await place.run(["unbind"]);
    expect(second).toMatchObject({ code: 0 });
    expect(second.stderr).not.toContain("doctrine");
  });

  test("is not reported where nothing is edited, nor to a program", async () => {
    place.write(".kittify/config.yaml", DOCTRINE);
    const dry = await place.run([...BIND, "--dry-run"]);
    const program = await place.run([...BIND, "--json"]);
    expect([dry.stderr, program.stderr].join()).not.toContain("rename that key");
    expect((await place.run(["unbind"])).stderr).toContain("rename that key");
  });
});

describe("`tracker.egress`", () => {
  const WITH_ISSUES = [
    ["issues", "list"],
    ["issues", "list", "--provider", "linear"],
    ["issues", "search", "--query", "x"],
    ["issues", "search", "--provider", "linear", "--query", "x"],
    ["sync", "pull"],
    ["sync", "pull", "--all"],
    ["sync", "push", "--items-json", "-"],
    ["sync", "run"],
    ["sync", "run", "--dry-run"],
    ["sync", "wait", "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11"],
    ["sync", "conflicts"],
    ["sync", "resolve", "c-1", "--take", "local"],
    ["mission", "seed", "--issue", "PAY-1"],
  ];
  const ISSUE_CALLS = /pull|push|run|list-tickets|issue-search|conflicts|missions|operations/;

  test.each(["refused", "refuse", "~"])("%s: no issue data leaves the machine", async (value) => {
    expect(await place.run(BIND)).toMatchObject({ code: 0 });
    add(`egress: ${value}`);
    for (const command of WITH_ISSUES) {
      const outcome = await place.run([...command, "--json"], { stdin: "[]" });
      expect({ command, code: outcome.code }).toEqual({ command, code: 1 });
      const error = errorOf(outcome);
      expect(error).toMatchObject({ code: "egress_refused" });
      expect(error.message).toContain("`tracker.egress`");
      expect(error.hint).toContain("egress: permitted");
    }
    expect(host.calls.filter((call) => ISSUE_CALLS.test(call))).toEqual([]);
    // What says nothing about issues goes on.
    for (const command of [["status"], ["status", "--all"], ["discover", "--provider", "linear"]]) {
      expect(await place.run(command)).toMatchObject({ code: 0 });
    }
    expect(await place.run(["unbind"])).toMatchObject({ code: 0 });
    expect(place.config()).toContain(`egress: ${value}`);
  });

  test("permitted is as if it were absent", async () => {
    expect(await place.run(BIND)).toMatchObject({ code: 0 });
    add("egress: permitted");
    expect(await place.run(["issues", "list"])).toMatchObject({ code: 0 });
  });

  test("does not concern trackers on this machine", async () => {
    place.write(".kittify/config.yaml", "tracker:\n  egress: refused\n");
    const bin = join(place.root, "bin");
    mkdirSync(bin);
    const simulator = join(import.meta.dir, "..", "simulators", "beads.ts");
    writeFileSync(join(bin, "bd"), `#!/bin/sh\nexec "${process.execPath}" "${simulator}" "$@"\n`);
    const store = { prefix: "pay", now: 0, created: 0, statuses: {}, issues: [] };
    place.write(BEADS_FILE, JSON.stringify(store));
    chmodSync(join(bin, "bd"), 0o755);
    const env = { PATH: `${bin}:${process.env.PATH}` };
    expect(await place.run(["bind", "--provider", "beads", "--workspace", "w"], { env })).toMatchObject({
      code: 0,
    });
    expect(await place.run(["issues", "list"], { env })).toMatchObject({ code: 0 });
  });
});

describe("a config that predates binding references", () => {
  const LEGACY = "tracker:\n  provider: linear\n  project_slug: payments-api\n";

  test("is only reported on where the user's config says so", async () => {
    const status = {
      provider: "linear",
      connected: true,
      configured: true,
      binding_ref: "srm_9",
      display_label: "Payments (PAY)",
    };
    using plane = new ScriptedControlPlane();
    for (const _ of [1, 2, 3, 4]) plane.get("status/?provider=linear&project_slug=payments-api", status);
    using person = new Scratch({ env: plane.env, config: LEGACY });
    const settings = join(person.home, ".config", "tracker");
    mkdirSync(settings, { recursive: true });
    writeFileSync(join(settings, "config.yaml"), "upgrade: report\n");
    const reported = await person.run(["status"]);
    expect(reported).toMatchObject({ code: 0 });
    expect(reported.stderr).toContain("To record srm_9");
    expect(resultOf(await person.run(["status", "--json"]))).toMatchObject({
      pending_binding_upgrade: { binding_ref: "srm_9" },
    });
    expect(person.config()).toBe(LEGACY);
    writeFileSync(join(settings, "config.yaml"), "upgrade: maybe\n");
    expect(errorOf(await person.run(["status", "--json"]))).toMatchObject({ code: "invalid_settings" });
    writeFileSync(join(settings, "config.yaml"), "upgrade: write\n");
    expect((await person.run(["status"])).stderr).toContain("Updated .kittify/config.yaml");
    expect(person.config()).toContain("binding_ref: srm_9");
  });
});
