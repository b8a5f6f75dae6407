/** beads and fp, as a person drives them: no control plane is involved. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import * as v from "valibot";
import { ConflictsResponse, PushResult } from "../../src/protocol.ts";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";
import { BEADS_FILE } from "../simulators/beads.ts";

const SIMULATORS = join(import.meta.dir, "..", "simulators");

let place: Scratch;
let bin: string;

beforeEach(() => {
  place = new Scratch();
  bin = join(place.root, "bin");
  mkdirSync(bin);
});
afterEach(() => place[Symbol.dispose]());

const env = () => ({ PATH: [bin, process.env.PATH ?? ""].join(delimiter) });
const run = (args: readonly string[], stdin = "") => place.run(args, { env: env(), stdin });

/** Puts a shell script on PATH. */
function install(name: string, script: string): void {
  const path = join(bin, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** Puts a stand-in for `bd` on PATH, and an empty tracker into the repository. */
function installBeads(): void {
  install("bd", `exec "${process.execPath}" "${join(SIMULATORS, "beads.ts")}" "$@"`);
  const store = {
    prefix: "pay",
    now: Date.parse("2026-03-01T09:00:00Z"),
    created: 0,
    statuses: {},
    issues: [],
  };
  place.write(BEADS_FILE, JSON.stringify(store));
}

const BIND = ["bind", "--provider", "beads", "--workspace", "payments"];

describe("beads", () => {
  beforeEach(installBeads);

  test("from bind to unbind", async () => {
    const bound = await run(BIND);
    expect(bound).toMatchObject({ code: 0 });
    expect(bound.stdout).toBe("Bound to payments\nProvider  beads\nNext: tracker sync pull --all\n");
    expect(place.config()).toContain("tracker:\n  provider: beads\n  workspace: payments\n");
    // Nothing has asked for a control plane.
    expect(existsSync(join(place.home, ".local", "state", "tracker", "host.db"))).toBe(false);

    const items = JSON.stringify([
      { ref: {}, action: "create", patch: { title: "Refund twice", labels: ["web"] } },
      { ref: {}, action: "create", patch: { title: "Rotate keys" } },
    ]);
    const pushed = resultOf(await run(["sync", "push", "--items-json", "-", "--json"], items));
    expect(pushed).toMatchObject({ status: "ok", items: [{ outcome: "applied" }, { outcome: "applied" }] });
    expect((await run(["issues", "list"])).stdout).toContain("Refund twice");
    expect((await run(["issues", "search", "--query", "refund"])).stdout).not.toContain("Rotate");
    expect(await run(["sync", "run"])).toMatchObject({ code: 0 });
    const again = resultOf(await run(["sync", "run", "--json"]));
    expect(again).toMatchObject({ pull: { items: [] }, push: { items: [] } });

    const status = await run(["status"]);
    expect(status.stdout).toMatch(/^Resource +payments\nProvider +beads\n/);
    expect(status.stdout).toMatch(/^Issues +2$/m);
    expect((await run(["status", "--offline"])).stdout).toContain("payments");

    expect(await run(["map", "add", "--wp-id", "WP01", "--external-id", "pay-1"])).toMatchObject({ code: 0 });
    expect(resultOf(await run(["map", "list", "--json"]))).toMatchObject({
      mappings: [{ wp_id: "WP01", external_id: "pay-1" }],
    });
    const url = "https://issues.example/pay-2";
    const added = await run([
      ...["map", "add", "--wp-id", "WP02", "--external-id", "id-2"],
      ...["--external-key", "pay-2", "--external-url", url],
    ]);
    expect(added.stdout).toBe(`Work package\tIssue\tAddress\tResource\nWP02\tpay-2\t${url}\tpayments\n`);
    expect((await run(["map", "list"])).stdout).toContain("WP01\tpay-1\t\tpayments\n");
    const waited = errorOf(await run(["sync", "wait", "6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11", "--json"]));
    expect(waited).toMatchObject({ code: "local_provider", hint: expect.stringContaining("tracker status") });
    expect(existsSync(join(place.home, ".local", "state", "tracker", "host.db"))).toBe(false);

    expect((await run(["unbind"])).stdout).toBe("Unbound from payments (beads)\n");
    expect(errorOf(await run(["status", "--json"]))).toMatchObject({ code: "not_bound" });
  });

  test("ownership and how the program is run: the one in the repository, the other with the person", async () => {
    const command = join(bin, "bd");
    const outcome = await run([
      ...BIND,
      "--doctrine-mode",
      "split_ownership",
      "--field-owner",
      "title=local",
      "--field-owner",
      "status=external",
      "--credential",
      `command=${command}`,
    ]);
    expect(outcome).toMatchObject({ code: 0 });
    expect(place.config()).toContain(
      "  ownership:\n    mode: split_ownership\n    field_owners:\n      title: local\n      status: external\n",
    );
    expect(place.config()).not.toContain(command);
    const kept = readFileSync(join(place.home, ".config", "tracker", "local-trackers.json"), "utf8");
    expect(kept).toContain(command);
  });

  test("bound again, the program is run as before but for what is said anew", async () => {
    renameSync(join(bin, "bd"), join(bin, "beads"));
    const command = join(bin, "beads");
    expect(await run([...BIND, "--credential", `command=${command}`])).toMatchObject({ code: 0 });
    expect(await run([...BIND, "--doctrine-mode", "split_ownership"])).toMatchObject({ code: 0 });
    expect(await run([...BIND, "--credential", `cwd=${place.repository}`])).toMatchObject({ code: 0 });
    expect(await run(["sync", "pull"])).toMatchObject({ code: 0 });
    const kept = readFileSync(join(place.home, ".config", "tracker", "local-trackers.json"), "utf8");
    expect(Object.values(JSON.parse(kept))).toEqual([{ command, cwd: place.repository }]);
  });

  test("two runs at once write an issue once", async () => {
    await run(BIND);
    const simulator = `exec "${process.execPath}" "${join(SIMULATORS, "beads.ts")}" "$@"`;
    const creating = 'if [ "$2" = create ]; then';
    install("bd", `${creating} echo "Error: database is locked" >&2; exit 1; fi\n${simulator}`);
    const items = JSON.stringify([{ ref: {}, action: "create", patch: { title: "Refund twice" } }]);
    const pushed = await run(["sync", "push", "--items-json", "-", "--json"], items);
    expect(JSON.parse(pushed.stdout)).toMatchObject({ items: [{ outcome: "failed" }] });

    install("bd", `${creating} sleep 0.4; fi\n${simulator}`);
    const runs = await Promise.all([1, 2].map(() => run(["sync", "run", "--json"])));
    expect(JSON.parse(place.read(BEADS_FILE)).issues).toMatchObject([{ title: "Refund twice" }]);
    // Where the first takes longer than the second waits, the second is told.
    for (const outcome of runs.filter(({ code }) => code !== 0)) {
      expect(errorOf(outcome)).toMatchObject({ code: "sync_in_progress", retryable: true });
    }
    expect(runs.map(({ code }) => code)).toContain(0);
    expect(await run(["sync", "run"])).toMatchObject({ code: 0 });
  });

  test("a pull shows how far it is, and names the tracker", async () => {
    await run(BIND);
    const items = [1, 2].map((n) => ({ ref: {}, action: "create", patch: { title: `Issue ${n}` } }));
    await run(["sync", "push", "--items-json", "-"], JSON.stringify(items));
    const pulled = await run(["sync", "pull", "--full"]);
    expect(pulled.stderr).toBe("Pulling… 2 issues\n");
    expect(pulled.stdout).toStartWith("Pulled from beads\n");
    expect((await run(["sync", "run"])).stdout).toStartWith("Synchronized with beads\n");
    expect((await run(["sync", "run", "--dry-run"])).stdout).toContain("(beads)");
    expect(resultOf(await run(["sync", "pull", "--json"]))).toMatchObject({
      provider: "beads",
      identity_path: null,
    });
  });

  test.each([
    [["run", "--limit", "5"]],
    [["pull", "--limit", "5"]],
    [["pull", "--limit=5", "--out", "issues.ndjson"]],
  ])("a limit is refused where everything is read: sync %p", async (args) => {
    await run(BIND);
    const outcome = await run(["sync", ...args, "--json"]);
    expect(outcome.code).toBe(2);
    expect(errorOf(outcome).message).toBe(
      "--limit is for hosted providers: beads returns all issues at once.",
    );
    expect(existsSync(join(place.repository, "issues.ndjson"))).toBe(false);
  });

  test.each([
    [["--doctrine-mode", "mine"], '--doctrine-mode must be "external_authoritative", '],
    [
      ["--doctrine-mode", "split_ownership", "--field-owner", "colour=local"],
      '--field-owner must be "title", ',
    ],
    [["--field-owner", "title=local"], "--field-owner needs --doctrine-mode split_ownership."],
    [["--doctrine-mode", "external_authoritative", "--field-owner", "title=local"], "--field-owner needs"],
    [["--conflict-strategy", "manual_review"], "--conflict-strategy"],
    [["--doctrine-mode", "split_ownership", "--conflict-strategy", "dice"], "--conflict-strategy"],
    [["--field-owner", "title"], "--field-owner"],
    [["--credential", "token=x"], "--credential"],
    [["--select", "1"], "--select"],
    [["--bind-ref", "srm_1"], "--bind-ref"],
  ])("refuses %p, and writes nothing", async (flags, named) => {
    const outcome = await run([...BIND, ...flags, "--json"]);
    expect(outcome.code).toBe(2);
    expect(errorOf(outcome).message).toContain(named);
    expect(place.config()).toBeNull();
  });

  test("a dry run shows what it would write", async () => {
    const outcome = await run([...BIND, "--dry-run"]);
    expect(outcome.stdout).toContain("+   workspace: payments");
    expect(place.config()).toBeNull();
  });

  test("doctor asks the program", async () => {
    await run(BIND);
    expect((await run(["doctor"])).stdout).toContain("payments (beads) answers\n");
    install("bd", "exit 3");
    const broken = await run(["doctor"]);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(/^failed +binding /m);
    rmSync(join(bin, "bd"));
    const missing = await run(["doctor"]);
    expect(missing.stdout).toMatch(/^failed +binding .*the program bd was not found/m);
    expect(missing.stdout).toContain("--credential command=PATH");
  });

  test("an issue that is not there: where to look for it", async () => {
    await run(BIND);
    const error = errorOf(await run(["mission", "seed", "--issue", "pay-404", "--json"]));
    expect(error).toMatchObject({ code: "issue_not_found" });
    expect(error.hint).toContain("tracker issues search");
  });

  test("replaces a binding only when it is told to", async () => {
    await run(BIND);
    const other = ["bind", "--provider", "beads", "--workspace", "other"];
    expect(errorOf(await run([...other, "--json"]))).toMatchObject({ code: "already_bound_here" });
    expect((await run([...other, "--yes"])).stderr).toContain("Replaced payments (beads)");
    expect(place.config()).toContain("workspace: other");
  });

  test("a field that both sides changed waits for a decision where that is wanted", async () => {
    await run([...BIND, "--doctrine-mode", "split_ownership", "--conflict-strategy", "manual_review"]);
    const push = async (item: unknown) => {
      const { stdout } = await run(["sync", "push", "--items-json", "-", "--json"], JSON.stringify([item]));
      return v.parse(PushResult, JSON.parse(stdout)).items[0];
    };
    const made = await push({ ref: {}, action: "create", patch: { title: "Old" } });
    const { remote_ref } = v.parse(v.object({ remote_ref: v.object({ id: v.string() }) }), made);
    const issue = remote_ref.id;
    const bd = (...args: string[]) => Bun.spawn([join(bin, "bd"), ...args], { cwd: place.repository }).exited;
    expect(await bd("update", issue, "--title", "Theirs")).toBe(0);
    const edit = { ref: { id: issue }, action: "update", patch: { title: "Ours" } };
    expect(await push(edit)).toMatchObject({ outcome: "conflict" });

    const status = await run(["status"]);
    expect(status.stdout).toContain(`1 open: ${issue} title\n`);
    expect(status.stdout).toMatch(/^Next +tracker sync conflicts$/m);
    const { conflicts } = v.parse(ConflictsResponse, resultOf(await run(["sync", "conflicts", "--json"])));
    expect(conflicts).toMatchObject([{ field: "title", local: "Ours", remote: "Theirs", resolution: null }]);
    // Until then neither side gives way, however often it is tried.
    expect(await run(["sync", "run"])).toMatchObject({ code: 1 });
    expect((await run(["issues", "list"])).stdout).toContain("Theirs");

    const id = conflicts[0]?.id ?? "";
    expect(await run(["sync", "resolve", id, "--take", "local"])).toMatchObject({ code: 0 });
    expect(await run(["sync", "run"])).toMatchObject({ code: 0 });
    expect((await run(["issues", "list"])).stdout).toContain("Ours");
    expect((await run(["sync", "conflicts"])).stdout).toBe("No conflict waits for a decision.\n");
  });

  test("closing belongs to the person: rejected, exit 1", async () => {
    await run(BIND);
    const create = [{ ref: {}, action: "create", patch: { title: "Work" } }];
    const made = resultOf(await run(["sync", "push", "--items-json", "-", "--json"], JSON.stringify(create)));
    const id = /"id": "([^"]+)"/.exec(JSON.stringify(made, null, 1))?.[1] ?? "";
    const close = [{ ref: { id }, action: "transition", target_status: "done" }];
    const outcome = await run(["sync", "push", "--items-json", "-", "--json"], JSON.stringify(close));
    expect(outcome.code).toBe(1);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ status: "error", items: [{ outcome: "rejected" }] });
  });

  test("what only a control plane has says so", async () => {
    await run(BIND);
    for (const args of [
      ["discover", "--provider", "beads"],
      ["host", "connect", "beads", "--demo"],
    ]) {
      const outcome = await run([...args, "--json"]);
      expect(outcome.code).not.toBe(0);
      expect(errorOf(outcome).message).toContain("beads");
    }
  });
});

test("a program that is missing: how to get it, and nothing is written", async () => {
  const outcome = await place.run([...BIND, "--json"], { env: { PATH: "/usr/bin:/bin" } });
  expect(outcome.code).toBe(1);
  expect(errorOf(outcome).message).toContain("bd");
  expect(errorOf(outcome).message).toMatch(/Install/);
  expect(errorOf(outcome).hint).toContain("--credential command=PATH");
  expect(place.config()).toBeNull();
});

test("a program that went missing: every sync leads to where its path is said", async () => {
  installBeads();
  await run(BIND);
  rmSync(join(bin, "bd"));
  for (const args of [
    ["sync", "pull"],
    ["sync", "run"],
    ["sync", "push"],
    ["issues", "list"],
  ]) {
    const error = errorOf(await run([...args, "--json"]));
    expect(error).toMatchObject({ code: "program_unusable", message: expect.stringContaining("Install") });
    expect(error.hint).toContain("--credential command=PATH");
  }
});

test("a clone whose config names a local tracker runs nothing until it is bound here", async () => {
  install("bd", `touch "${place.root}/ran"`);
  place.write(".kittify/config.yaml", "tracker:\n  provider: beads\n  workspace: payments\n");
  for (const args of [["status"], ["sync", "pull"], ["sync", "run"], ["issues", "list"], ["map", "list"]]) {
    expect(errorOf(await run([...args, "--json"]))).toMatchObject({ code: "not_bound_here" });
  }
  expect(existsSync(join(place.root, "ran"))).toBe(false);
});

test("a program that answers nonsense: no advice about connections, which it has none of", async () => {
  install("bd", 'case "$*" in *--version*) echo bd version 0.50.0;; *) echo "[]";; esac');
  expect(errorOf(await run([...BIND, "--json"]))).toMatchObject({ code: "provider_rejected", hint: null });
});
