/** The use cases against a control plane whose every answer is scripted, over real configs on disk. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProjectIdentity } from "../../src/config/identity.ts";
import { type Project, ProjectStore } from "../../src/config/project.ts";
import { parseProjectConfig } from "../../src/config.ts";
import type { BindCandidate, BindResolveResponse } from "../../src/protocol.ts";
import { type BindDialog, HostedTracker, type Selection } from "../../src/service/bind.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, STUB_URL, stubbedClient } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const RESOLVE = `${BASE}/bind-resolve/`;
const CONFIRM = `${BASE}/bind-confirm/`;
const RESOURCES = `${BASE}/resources/?provider=linear`;
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

const IDENTITY: ProjectIdentity = {
  uuid: "3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c",
  slug: "payments-api",
  nodeId: "0123456789ab",
  repoSlug: null,
  repoHost: null,
};

/** Reported upgrades of configs, each with its outcome. */
let upgrades: [outcome: string, values: unknown][] = [];
beforeEach(() => {
  upgrades = [];
});

function tracker({ upgradesConfigs = true } = {}): HostedTracker {
  const machine = {
    platform: process.platform,
    architecture: process.arch,
    homeDirectory: root,
    userId: process.getuid?.(),
    hostName: "laptop",
    userName: "ada",
  };
  const state = join(root, "..", "state");
  const projects = new ProjectStore({ env: {}, machine }, { state }, null);
  return new HostedTracker({
    client: stubbedClient(stubs),
    projects,
    clones: null,
    upgradesConfigs: async () => upgradesConfigs,
    onUpgrade: (values, outcome) => upgrades.push([outcome, values]),
    debug: (line) => debug.push(line),
  });
}

function candidate(position: number, label: string, token = `cand_${position}`): BindCandidate {
  return {
    candidate_token: token,
    display_label: label,
    confidence: "high",
    match_reason: "the names are equal",
    sort_position: position,
  };
}

const resource = (label: string, token: string) => ({
  candidate_token: token,
  display_label: label,
  provider: "linear",
});
const offered = (...candidates: BindCandidate[]): Response =>
  Response.json({ match_type: "candidates", candidates });
const refused = (code: string, status: number): Response => Response.json(errorBody(code), { status });
const confirmed = (label: string): Response =>
  Response.json({
    binding_ref: "srm_new",
    display_label: label,
    provider: "linear",
    provider_context: { team_key: "PAY" },
    bound_at: "2026-01-01T00:00:00Z",
    project_slug: "payments-api",
  });

describe("discover", () => {
  const list = (): Response =>
    Response.json({ resources: [resource("Billing (BIL)", "b"), resource("Payments (PAY)", "p")] });

  test("outside a project numbers by position and resolves nothing", async () => {
    stubs.on("GET", RESOURCES, list());
    const { resources, bindsByItself } = await tracker().discover("linear", async () => null);
    expect(resources.map(({ number }) => number)).toEqual([1, 2]);
    expect(bindsByItself).toBeNull();
  });

  test("lists without numbers when resolution fails, and says why", async () => {
    stubs.on("GET", RESOURCES, list()).on("POST", RESOLVE, refused("forbidden", 403));
    const discovery = await tracker().discover("linear", async () => IDENTITY);
    expect(discovery.resources.map(({ number }) => number)).toEqual([null, null]);
    expect(discovery.resolutionError).toMatchObject({ code: "forbidden" });
  });

  test("fails with the list, whatever the resolution says", async () => {
    stubs.on("GET", RESOURCES, refused("no_installation", 403)).on("POST", RESOLVE, offered());
    const error = await failureOf(tracker().discover("linear", async () => IDENTITY));
    expect(error).toMatchObject({ code: "no_installation" });
  });

  test("numbers as bind would", async () => {
    stubs.on("GET", RESOURCES, list()).on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)", "p")));
    const { resources } = await tracker().discover("linear", async () => IDENTITY);
    expect(resources.map(({ number }) => number)).toEqual([null, 1]);
  });

  test.each([
    ["Payments (PAY)", { label: "Payments (PAY)", bindingRef: "srm_1" }],
    [null, { label: "", bindingRef: null }],
  ])("names what bind would take by itself: %p", async (label, expected) => {
    const { bindingRef } = expected;
    const exact = {
      match_type: "exact",
      candidate_token: "p",
      display_label: label,
      binding_ref: bindingRef,
    };
    stubs.on("GET", RESOURCES, list()).on("POST", RESOLVE, Response.json(exact));
    expect((await tracker().discover("linear", async () => IDENTITY)).bindsByItself).toEqual(expected);
  });
});

describe("bind", () => {
  /** A person who takes the first candidate and remembers what they were told. */
  class Dialog implements BindDialog {
    readonly overridden: (string | null)[] = [];
    asked = 0;
    async choose([first]: readonly BindCandidate[]): Promise<BindCandidate | null> {
      this.asked += 1;
      return first ?? null;
    }
    resolved(): void {}
    exactOverridesSelection({ display_label }: BindResolveResponse): void {
      this.overridden.push(display_label);
    }
  }

  const bind = (selection: Selection, dialog: BindDialog = new Dialog(), dryRun = false) =>
    tracker().bind(project("# mine\n"), IDENTITY, { provider: "linear", selection, dryRun }, dialog);
  const person: Selection = { by: "person" };

  test("a token that is refused once is renewed for the same resource, wherever it moved", async () => {
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)", "old"), candidate(1, "Other")));
    stubs.on("POST", CONFIRM, refused("invalid_candidate_token", 400));
    stubs.on("POST", RESOLVE, offered(candidate(0, "Other"), candidate(1, "Payments (PAY)", "new")));
    stubs.on("POST", CONFIRM, confirmed("Payments (PAY)"));
    expect((await bind(person))?.binding).toMatchObject({ bindingRef: "srm_new" });
    const tokens = stubs.requests
      .filter(({ target }) => target === CONFIRM)
      .map(({ text, headers }) => [JSON.parse(text ?? "").candidate_token, headers["idempotency-key"]]);
    expect(tokens.map(([token]) => token)).toEqual(["old", "new"]);
    expect(tokens[0]?.[1]).not.toBe(tokens[1]?.[1]);
    expect(config()).toContain("binding_ref: srm_new");
    expect(config()).toStartWith("# mine\n");
  });

  test("a token that is refused twice ends it, and nothing is written", async () => {
    for (const token of ["old", "new"]) {
      stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)", token)));
      stubs.on("POST", CONFIRM, refused("invalid_candidate_token", 400));
    }
    expect(await failureOf(bind(person))).toMatchObject({ code: "invalid_candidate_token" });
    expect(config()).toBe("# mine\n");
  });

  test("a resource that is gone meanwhile is told by its name", async () => {
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)")));
    stubs.on("POST", CONFIRM, refused("invalid_candidate_token", 400));
    stubs.on("POST", RESOLVE, offered(candidate(0, "Other")));
    const error = await failureOf(bind(person));
    expect(error).toMatchObject({ code: "candidate_gone" });
    expect(String(error)).toContain("Payments (PAY)");
    expect(config()).toBe("# mine\n");
  });

  test("a bind that is repeated after a lost answer introduces itself by the same uuid", async () => {
    const lost = () => Object.assign(new Error("reset"), { code: "ECONNRESET" });
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)"))).repeat(3, "POST", CONFIRM, lost);
    expect(await failureOf(bind(person))).toMatchObject({ code: "host_unreachable" });
    expect(config()).toBe("# mine\n");
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)")));
    stubs.on("POST", CONFIRM, confirmed("Payments (PAY)"));
    await bind(person);
    const uuids = stubs.requests
      .filter(({ target }) => target === CONFIRM)
      .map(({ text }) => JSON.parse(text ?? "").project_identity.uuid);
    expect(new Set(uuids).size).toBe(1);
    expect(config()).toContain(`uuid: ${uuids[0]}`);
  });

  test.each([
    ["number 2", { by: "number", number: 2 }, 1],
    ["another label", { by: "match", text: "Other" }, 1],
    ["number 1", { by: "number", number: 1 }, 0],
    ["its own label", { by: "match", text: "Payments (PAY)" }, 0],
    ["nothing", { by: "person" }, 0],
  ] as const)("an exact match is taken although %s was selected", async (_name, selection, told) => {
    const exact = { match_type: "exact", candidate_token: "p", display_label: "Payments (PAY)" };
    stubs.on("POST", RESOLVE, Response.json(exact)).on("POST", CONFIRM, confirmed("Payments (PAY)"));
    const dialog = new Dialog();
    await bind(selection, dialog);
    expect(dialog.overridden).toHaveLength(told);
    expect(dialog.asked).toBe(0);
  });

  test("an exact match that cannot be bound is the control plane's fault", async () => {
    stubs.on("POST", RESOLVE, Response.json({ match_type: "exact" }));
    expect(await failureOf(bind(person))).toMatchObject({ code: "invalid_response" });
  });

  test.each([
    ["a number that is not there", { by: "number", number: 3 }],
    ["a label that is not there", { by: "match", text: "Zebra" }],
    ["a label that two have", { by: "match", text: "PAY" }],
  ] as const)("%s shows what there is", async (_name, selection) => {
    stubs.on("POST", RESOLVE, offered(candidate(1, "B (PAY)"), candidate(0, "A (PAY)")));
    expect(await failureOf(bind(selection))).toMatchObject({
      code: "selection_required",
      choices: [
        { number: 1, display_label: "A (PAY)" },
        { number: 2, display_label: "B (PAY)" },
      ],
    });
  });

  test.each([{ match_type: "none" }, { match_type: "candidates", candidates: [] }])(
    "nothing that fits is told",
    async (answer) => {
      stubs.on("POST", RESOLVE, Response.json(answer));
      expect(await failureOf(bind(person))).toMatchObject({ code: "no_candidates" });
    },
  );

  test("a cancelled choice changes nothing", async () => {
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)")));
    const dialog = Object.assign(new Dialog(), { choose: async () => null });
    expect(await bind(person, dialog)).toBeNull();
    expect(config()).toBe("# mine\n");
  });

  test("a dry run confirms and writes nothing", async () => {
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)")));
    const result = await bind(person, new Dialog(), true);
    expect(result?.binding).toMatchObject({ displayLabel: "Payments (PAY)", bindingRef: null });
    expect(config()).toBe("# mine\n");
  });
});

describe("work on a binding", () => {
  const LEGACY = "tracker:\n  provider: linear\n  project_slug: payments-api\n";
  const BY_SLUG = `${STATUS}&project_slug=payments-api`;
  const upgrade = {
    binding_ref: "srm_1",
    display_label: "Payments (PAY)",
    provider_context: { team_key: "PAY" },
  };

  test("an older config is upgraded, once", async () => {
    stubs.on("GET", BY_SLUG, Response.json({ connected: true, ...upgrade }));
    const before = project(LEGACY);
    expect((await tracker().binding(before).status()).connected).toBe(true);
    expect(upgrades).toEqual([["written", upgrade]]);
    for (const line of LEGACY.trim().split("\n")) expect(config()).toContain(line);
    expect(config()).toContain("binding_ref: srm_1");
    stubs.on("GET", `${STATUS}&binding_ref=srm_1`, Response.json({ connected: true, ...upgrade }));
    await tracker().binding(project(config())).status();
  });

  test("from then on calls go by the reference", async () => {
    const binding = tracker().binding(project(LEGACY));
    stubs.on("GET", BY_SLUG, Response.json(upgrade));
    stubs.on("GET", `${STATUS}&binding_ref=srm_1`, Response.json({ issue_count: 7 }));
    await binding.status();
    expect((await binding.status()).issue_count).toBe(7);
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
    const status = await tracker().binding(project(LEGACY)).status();
    expect(status.binding_ref).toBe("srm_1");
    expect(config()).toBe(meanwhile);
  });

  test("an upgrade that cannot be written keeps the answer and is handed back", async () => {
    stubs.on("GET", BY_SLUG, () => {
      chmodSync(configPath(), 0o444);
      return Response.json({ issue_count: 7, ...upgrade });
    });
    expect((await tracker().binding(project(LEGACY)).status()).issue_count).toBe(7);
    expect(upgrades).toEqual([["pending", upgrade]]);
    expect(config()).toBe(LEGACY);
    expect(debug.join()).toContain("could not be upgraded");
  });

  test("a config that became unreadable meanwhile keeps the answer too", async () => {
    const broken = "tracker: [";
    stubs.on("GET", BY_SLUG, () => {
      writeFileSync(configPath(), broken);
      return Response.json(upgrade);
    });
    await tracker().binding(project(LEGACY)).status();
    expect(upgrades).toEqual([["pending", upgrade]]);
    expect(config()).toBe(broken);
  });

  test("upgrades that are not wanted are handed back", async () => {
    stubs.on("GET", BY_SLUG, Response.json({ binding_ref: "srm_1" }));
    await tracker({ upgradesConfigs: false }).binding(project(LEGACY)).status();
    const values = { binding_ref: "srm_1", display_label: null, provider_context: null };
    expect(upgrades).toEqual([["pending", values]]);
    expect(config()).toBe(LEGACY);
  });

  test.each([{}, { binding_ref: null }, { binding_ref: "" }])(
    "without a reference nothing is upgraded",
    async (answer) => {
      stubs.on("GET", BY_SLUG, Response.json(answer));
      await tracker().binding(project(LEGACY)).status();
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
    expect(await failureOf(tracker().binding(project(text)).status())).toMatchObject({
      code: "stale_binding",
      details: { binding_ref: "srm_old", reason: code },
      hint: expect.stringContaining("tracker bind --provider linear"),
    });
    expect(config()).toBe(text);
  });

  test("a reference that is not known may be another control plane's, so it is told which one was asked", async () => {
    stubs.on("GET", `${STATUS}&binding_ref=srm_old`, refused("binding_not_found", 404));
    const bound = project(`${LEGACY}  binding_ref: srm_old\n`);
    const { hint } = Object(await failureOf(tracker().binding(bound).status()));
    expect(hint).toContain(STUB_URL);
    expect(hint).toContain("--host URL");
  });

  test("a slug that is not known is no stale binding", async () => {
    stubs.on("GET", BY_SLUG, refused("binding_not_found", 404));
    expect(await failureOf(tracker().binding(project(LEGACY)).status())).toMatchObject({
      code: "binding_not_found",
    });
  });

  test("another error of a call by reference stays what it is", async () => {
    stubs.on("GET", `${STATUS}&binding_ref=srm_old`, refused("team_mismatch", 403));
    const text = "tracker:\n  provider: linear\n  binding_ref: srm_old\n";
    expect(await failureOf(tracker().binding(project(text)).status())).toMatchObject({
      code: "team_mismatch",
    });
  });

  test.each(["", "tracker:\n  provider: linear\n", "tracker:\n  provider: beads\n  workspace: w\n"])(
    "without a hosted binding nothing is asked: %p",
    async (text) => {
      expect(() => tracker().binding(project(text))).toThrow("This project is not bound to a tracker.");
    },
  );

  test("mappings upgrade as well", async () => {
    const target = `${BASE}/mappings/?provider=linear&project_slug=payments-api`;
    stubs.on("GET", target, Response.json({ ...upgrade, mappings: [{ external_key: "PAY" }] }));
    expect(await tracker().binding(project(LEGACY)).mappings()).toHaveLength(1);
    expect(config()).toContain("binding_ref: srm_1");
  });

  test("all installations are asked once per provider, in order", async () => {
    const installation = (provider: string, id: string) => ({
      installation_id: id,
      provider,
      status: "connected",
      account_label: "Acme",
      resource_count: 1,
      bound_count: 0,
    });
    const installations = [
      installation("linear", "1"),
      installation("github", "2"),
      installation("linear", "3"),
    ];
    stubs.on("GET", `${BASE}/installations/`, Response.json({ installations }));
    for (const provider of ["github", "linear"]) {
      stubs.on("GET", `${BASE}/status/?provider=${provider}`, Response.json({ provider }));
    }
    const all = await tracker().allInstallations();
    expect(all.map(({ provider }) => provider)).toEqual(["github", "linear"]);
  });
});
