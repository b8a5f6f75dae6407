/** Work on a binding, against a control plane whose every answer is scripted, over real configs on disk. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Project, ProjectStore } from "../../src/config/project.ts";
import { type Binding, parseProjectConfig } from "../../src/config.ts";
import { HostedBinding } from "../../src/service/bindings/hosted.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, STUB_URL, StubbedNature, stubbedClient } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const STATUS = `${BASE}/status/?provider=linear`;

let stubs = new HttpStubs();
let root = "";
let debug: string[] = [];
beforeEach(() => {
  stubs = new HttpStubs();
  debug = [];
  root = join(mkdtempSync(join(tmpdir(), "tracker-hosted-")), "payments-api");
  mkdirSync(join(root, ".kittify"), { recursive: true });
});
afterEach(() => {
  rmSync(join(root, ".."), { recursive: true, force: true });
  stubs.verify();
});

const configPath = (): string => join(root, ".kittify", "config.yaml");
const config = (): string => readFileSync(configPath(), "utf8");

/** The project, with `text` as its config. */
function project(text = ""): Project {
  writeFileSync(configPath(), text);
  return {
    root,
    repository: null,
    configPath: configPath(),
    source: "file",
    config: parseProjectConfig(text),
  };
}

/** Reported upgrades of configs, each with its outcome. */
let upgrades: [outcome: string, values: unknown][] = [];
beforeEach(() => {
  upgrades = [];
});

function binding(bound: Project, { upgradesConfigs = true } = {}): HostedBinding {
  const machine = {
    platform: process.platform,
    architecture: process.arch,
    homeDirectory: root,
    userId: process.getuid?.(),
    hostName: "laptop",
    userName: "ada",
  };
  const state = join(root, "..", "state");
  const context = { env: {}, machine, timing: new StubbedNature() };
  const projects = new ProjectStore(context, { state }, null);
  const dependencies = {
    client: stubbedClient(stubs),
    projects,
    clones: null,
    upgradesConfigs: async () => upgradesConfigs,
    onUpgrade: (values: unknown, outcome: string) => upgrades.push([outcome, values]),
    debug: (line: string) => debug.push(line),
  };
  return new HostedBinding(dependencies, bound);
}

const refused = (code: string, status: number): Response => Response.json(errorBody(code), { status });

describe("work on a binding", () => {
  const LEGACY = "tracker:\n  provider: linear\n  project_slug: payments-api\n";
  const BY_SLUG = `${STATUS}&project_slug=payments-api`;
  const upgrade = {
    binding_ref: "srm_1",
    display_label: "Payments (PAY)",
    provider_context: { team_key: "PAY" },
  };
  const UPGRADED: Binding = {
    provider: "linear",
    bindingRef: "srm_1",
    projectSlug: null,
    displayLabel: "Payments (PAY)",
    providerContext: { team_key: "PAY" },
    workspace: null,
  };

  test("an older config is upgraded, once", async () => {
    stubs.on("GET", BY_SLUG, Response.json({ connected: true, ...upgrade }));
    const before = project(LEGACY);
    expect((await binding(before).status()).connected).toBe(true);
    expect(upgrades).toEqual([["written", UPGRADED]]);
    for (const line of LEGACY.trim().split("\n")) expect(config()).toContain(line);
    expect(config()).toContain("binding_ref: srm_1");
    stubs.on("GET", `${STATUS}&binding_ref=srm_1`, Response.json({ connected: true, ...upgrade }));
    await binding(project(config())).status();
  });

  test("from then on calls go by the reference", async () => {
    const legacy = binding(project(LEGACY));
    stubs.on("GET", BY_SLUG, Response.json(upgrade));
    stubs.on("GET", `${STATUS}&binding_ref=srm_1`, Response.json({ issue_count: 7 }));
    await legacy.status();
    expect((await legacy.status()).issue_count).toBe(7);
  });

  test.each([
    ["bound anew", "tracker:\n  provider: linear\n  project_slug: payments-api\n  binding_ref: srm_other\n"],
    ["moved to another project", "tracker:\n  provider: linear\n  project_slug: billing\n"],
    ["moved to another provider", "tracker:\n  provider: jira\n  project_slug: payments-api\n"],
    ["unbound", "# nothing left\n"],
  ])("a config that was %s meanwhile is left alone", async (_name, meanwhile) => {
    stubs.on("GET", BY_SLUG, () => {
      writeFileSync(configPath(), meanwhile);
      return Response.json(upgrade);
    });
    const status = await binding(project(LEGACY)).status();
    expect(status.binding_ref).toBe("srm_1");
    expect(config()).toBe(meanwhile);
  });

  test("an upgrade that cannot be written keeps the answer and is handed back", async () => {
    stubs.on("GET", BY_SLUG, () => {
      chmodSync(configPath(), 0o444);
      return Response.json({ issue_count: 7, ...upgrade });
    });
    expect((await binding(project(LEGACY)).status()).issue_count).toBe(7);
    expect(upgrades).toEqual([["pending", UPGRADED]]);
    expect(config()).toBe(LEGACY);
    expect(debug.join()).toContain("could not be upgraded");
  });

  test("a config that became unreadable meanwhile keeps the answer too", async () => {
    const broken = "tracker: [";
    stubs.on("GET", BY_SLUG, () => {
      writeFileSync(configPath(), broken);
      return Response.json(upgrade);
    });
    await binding(project(LEGACY)).status();
    expect(upgrades).toEqual([["pending", UPGRADED]]);
    expect(config()).toBe(broken);
  });

  test("upgrades that are not wanted are handed back", async () => {
    stubs.on("GET", BY_SLUG, Response.json({ binding_ref: "srm_1" }));
    await binding(project(LEGACY), { upgradesConfigs: false }).status();
    const values = { ...UPGRADED, displayLabel: null, providerContext: null };
    expect(upgrades).toEqual([["pending", values]]);
    expect(config()).toBe(LEGACY);
  });

  test.each([{}, { binding_ref: null }, { binding_ref: "" }])(
    "without a reference nothing is upgraded",
    async (answer) => {
      stubs.on("GET", BY_SLUG, Response.json(answer));
      await binding(project(LEGACY)).status();
      expect(upgrades).toEqual([]);
      expect(config()).toBe(LEGACY);
    },
  );

  test.each([
    ["binding_not_found", 404],
    ["mapping_disabled", 409],
    ["project_mismatch", 422],
  ])("%s makes a reference stale, and the slug is not tried", async (code, status) => {
    const text = `${LEGACY}  binding_ref: srm_old\n`;
    stubs.on("GET", `${STATUS}&binding_ref=srm_old`, refused(code, status));
    expect(await failureOf(binding(project(text)).status())).toMatchObject({
      code: "stale_binding",
      details: { binding_ref: "srm_old", reason: code },
      hint: expect.stringContaining("tracker bind --provider linear"),
    });
    expect(config()).toBe(text);
  });

  test("a reference that is not known may be another control plane's, so it is told which one was asked", async () => {
    stubs.on("GET", `${STATUS}&binding_ref=srm_old`, refused("binding_not_found", 404));
    const bound = project(`${LEGACY}  binding_ref: srm_old\n`);
    const { hint } = Object(await failureOf(binding(bound).status()));
    expect(hint).toContain(STUB_URL);
    expect(hint).toContain("--host URL");
  });

  test("a slug that is not known is no stale binding", async () => {
    stubs.on("GET", BY_SLUG, refused("binding_not_found", 404));
    expect(await failureOf(binding(project(LEGACY)).status())).toMatchObject({
      code: "binding_not_found",
    });
  });

  test("another error of a call by reference stays what it is", async () => {
    stubs.on("GET", `${STATUS}&binding_ref=srm_old`, refused("team_mismatch", 403));
    const text = "tracker:\n  provider: linear\n  binding_ref: srm_old\n";
    expect(await failureOf(binding(project(text)).status())).toMatchObject({
      code: "team_mismatch",
    });
  });

  test.each(["", "tracker:\n  provider: linear\n", "tracker:\n  provider: beads\n  workspace: w\n"])(
    "without a hosted binding nothing is asked: %p",
    async (text) => {
      expect(() => binding(project(text))).toThrow("This project is not bound to a tracker.");
    },
  );

  test("mappings upgrade as well", async () => {
    const target = `${BASE}/mappings/?provider=linear&project_slug=payments-api`;
    stubs.on("GET", target, Response.json({ ...upgrade, mappings: [{ external_key: "PAY" }] }));
    expect(await binding(project(LEGACY)).mappings()).toHaveLength(1);
    expect(config()).toContain("binding_ref: srm_1");
  });
});
