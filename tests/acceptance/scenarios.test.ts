/** The scenarios of a binding's life, request by request, against a scripted control plane. */
import { describe, expect, test } from "bun:test";
import { errorOf, resultOf } from "../helpers/binary.ts";
import { Scratch } from "../helpers/scratch.ts";
import { errorAnswer, ScriptedControlPlane } from "../helpers/scripted-control-plane.ts";

const UUID = "3f2a8c1e-5b7d-4e90-a1c2-9d8e7f6a5b4c";
const IDENTITY = {
  uuid: UUID,
  slug: "payments-api",
  node_id: "0123456789ab",
  repo_slug: "acme/payments-api",
  repo_host: "github.com",
};
const PROJECT = `project:\n  uuid: ${UUID}\n  slug: payments-api\n  node_id: "0123456789ab"\n`;
const BOUND = `${PROJECT}tracker:\n  provider: linear\n  binding_ref: srm_OLD\n  display_label: Old Team (OLD)\n`;
const LEGACY = `# hand-written\n${PROJECT}tracker:\n  provider: linear\n  project_slug: my-project # keep me\n  house_rule: tabs\n`;

const NEW_IDENTITY = {
  uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-5/),
  slug: "payments-api",
  node_id: expect.stringMatching(/^[0-9a-f]{12}$/),
  repo_slug: "acme/payments-api",
  repo_host: "github.com",
};
const CONTEXT = { team_name: "Payments", workspace_name: "Acme Corp" };
const EXACT = {
  match_type: "exact",
  candidate_token: null,
  binding_ref: "srm_EXACT",
  display_label: "Payments (PAY)",
  project_slug: "payments-api",
  provider_context: CONTEXT,
  candidates: [],
};
const CONFIDENT = { ...EXACT, binding_ref: null, candidate_token: "cand_sure" };
const CANDIDATES = {
  ...EXACT,
  match_type: "candidates",
  binding_ref: null,
  display_label: null,
  project_slug: null,
  provider_context: null,
  candidates: [
    candidate(0, "Payments (PAY)", "high"),
    candidate(1, "Payment Platform (PPL)", "medium"),
    candidate(2, "Backend API (BE)", "low"),
  ],
};
const NONE = { ...CANDIDATES, match_type: "none", candidates: [] };
const CONFIRMED = {
  binding_ref: "srm_NEW",
  display_label: "Payment Platform (PPL)",
  provider: "linear",
  provider_context: CONTEXT,
  bound_at: "2026-05-06T07:08:09Z",
  project_slug: "payments-api",
};
const PROJECT_STATUS = {
  provider: "linear",
  connected: true,
  configured: true,
  binding_ref: "srm_OLD",
  display_label: "Old Team (OLD)",
  provider_context: CONTEXT,
  identity_path: {
    type: "installation",
    installation_id: "inst_1",
    user_link_id: null,
    provider: "linear",
    provider_account_id: "acct_1",
  },
  sync_state: "idle",
  last_synced_at: "2026-05-06T07:08:09Z",
  issue_count: 42,
  open_conflicts: 0,
  last_error: null,
};

function candidate(position: number, label: string, confidence: string): object {
  return {
    candidate_token: `cand_${position}`,
    display_label: label,
    confidence,
    match_reason: `reason ${position}`,
    sort_position: position,
  };
}

const resolveBody = (identity: object): object => ({ provider: "linear", project_identity: identity });
/** The resolution of a project whose config has a binding already. */
const knownBody = (identity: object, binding_ref: string, provider_context = {}): object => ({
  ...resolveBody(identity),
  known: { binding_ref, provider_context },
});
const LIST = "resources/?provider=linear&limit=500";
const listed = (...labels: string[]): object => ({
  resources: labels.map((label, index) => resource(`res_${index}`, label, null)),
  installation_id: "inst_1",
  provider: "linear",
});

/** The list of the candidates' resources, with one that is not a candidate. */
const RANKED = listed("Backend API (BE)", "Payment Platform (PPL)", "Payments (PAY)", "Zebra (ZEB)");
/** Prompts are plain lines. */
const PLAIN = { TRACKER_ACCESSIBLE: "1" };

function resource(token: string, label: string, ref: string | null): object {
  return {
    candidate_token: token,
    display_label: label,
    provider: "linear",
    provider_context: { workspace_name: "Acme Corp" },
    binding_ref: ref,
    bound_project_slug: ref === null ? null : "another-project",
    bound_at: ref === null ? null : "2026-01-02T03:04:05Z",
  };
}
const confirmBody = (token: string, identity: object): object => ({
  provider: "linear",
  candidate_token: token,
  project_identity: identity,
});
const validateBody = (ref: string, identity: object): object => ({
  provider: "linear",
  binding_ref: ref,
  project_identity: identity,
});

describe("a bind that needs no choice", () => {
  test("takes an existing mapping without confirming it", async () => {
    using plane = new ScriptedControlPlane().post("bind-resolve/", resolveBody(NEW_IDENTITY), EXACT);
    using place = new Scratch({ env: plane.env });
    const outcome = await place.run(["bind", "--provider", "linear", "--json"]);
    expect(resultOf(outcome)).toEqual({
      provider: "linear",
      binding_ref: "srm_EXACT",
      display_label: "Payments (PAY)",
      provider_context: CONTEXT,
      bound_at: null,
      replaced: null,
      dry_run: false,
    });
    plane.verify();
    const config = Bun.YAML.parse(place.config() ?? "");
    expect(config).toMatchObject({
      project: { uuid: NEW_IDENTITY.uuid, slug: "payments-api", node_id: NEW_IDENTITY.node_id },
      tracker: {
        provider: "linear",
        binding_ref: "srm_EXACT",
        display_label: "Payments (PAY)",
        provider_context: CONTEXT,
        project_slug: "payments-api",
      },
    });
    expect(place.config()).not.toContain("repo_slug");
  });

  test("confirms a certain match that has no mapping yet", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CONFIDENT)
      .post("bind-confirm/", confirmBody("cand_sure", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const outcome = await place.run(["bind", "--provider", "linear"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain("Payment Platform (PPL)");
    expect(outcome.stdout).toContain("linear");
    expect(outcome.stdout).toContain("srm_NEW");
    plane.verify();
    expect(place.config()).toStartWith(PROJECT);
    expect(place.config()).toContain("binding_ref: srm_NEW");
  });

  test("gives way to a number that was selected", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), EXACT)
      .get(LIST, listed("Backend API (BE)", "Payment Platform (PPL)"))
      .post("bind-confirm/", confirmBody("res_1", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const outcome = await place.run(["bind", "--provider", "linear", "--select", "2"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain("Payment Platform (PPL)");
    expect(place.config()).toContain("srm_NEW");
    plane.verify();
  });
});

describe("a choice among several", () => {
  test("is made by number in a terminal", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: { ...plane.env, ...PLAIN }, config: PROJECT });
    const terminal = place.open(["bind", "--provider", "linear"]);
    await terminal.waitFor("Backend API (BE)");
    terminal.typeLine("2");
    expect(await terminal.exit()).toBe(0);
    expect(terminal.text).toContain("srm_NEW");
    plane.verify();
    expect(place.config()).toContain("srm_NEW");
  });

  test("is made by --select on pipes", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const outcome = await place.run(["bind", "--provider", "linear", "--select", "2", "--json"]);
    expect(resultOf(outcome)).toEqual({
      provider: "linear",
      binding_ref: "srm_NEW",
      display_label: "Payment Platform (PPL)",
      provider_context: CONTEXT,
      bound_at: "2026-05-06T07:08:09Z",
      replaced: null,
      dry_run: false,
    });
    plane.verify();
  });

  test("is made by --select beyond the candidates", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("res_3", IDENTITY), { ...CONFIRMED, display_label: "Zebra (ZEB)" });
    using place = new Scratch({ env: plane.env, config: PROJECT });
    expect(await place.run(["bind", "--provider", "linear", "--select", "4"])).toMatchObject({ code: 0 });
    plane.verify();
  });

  test.each([
    ["the whole label", "Backend API (BE)"],
    ["the display key", "BE"],
    ["the name in small letters", "backend api"],
    ["a part of the label", "end ap"],
  ])("is made by --match with %s, without ranking anything", async (_what, text) => {
    const query = new URLSearchParams({ q: text });
    using plane = new ScriptedControlPlane()
      .get(`${LIST}&${query}`, listed("Backend API (BE)"))
      .post("bind-confirm/", confirmBody("res_0", IDENTITY), {
        ...CONFIRMED,
        display_label: "Backend API (BE)",
      });
    using place = new Scratch({ env: plane.env, config: PROJECT });
    expect(await place.run(["bind", "--provider", "linear", "--match", text])).toMatchObject({ code: 0 });
    plane.verify();
  });

  test.each([
    ["nothing is selected", []],
    ["the number is out of range", ["--select", "5"]],
    ["prompts are turned off", ["--no-input"]],
  ])("is demanded when %s, with the numbered choices", async (_when, flags) => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const human = await place.run(["bind", "--provider", "linear", ...flags]);
    expect(human.code).toBe(1);
    expect(human.stdout).toBe("");
    expect(human.stderr).toMatch(
      /1\W+Payments \(PAY\).*2\W+Payment Platform \(PPL\).*3\W+Backend API \(BE\)/s,
    );
    expect(human.stderr).toContain("--select NUMBER or --match TEXT");
    expect(human.stderr).toContain("tracker discover --provider linear");
    const error = errorOf(await place.run(["bind", "--provider", "linear", ...flags, "--json"]));
    expect(error.code).toBe("selection_required");
    expect(error.choices?.slice(0, 3)).toMatchObject([{ number: 1 }, { number: 2 }, { number: 3 }]);
    plane.verify();
    expect(place.config()).toBe(PROJECT);
  });
});

test("a single uncertain candidate is not called several", async () => {
  const [only] = CANDIDATES.candidates;
  using plane = new ScriptedControlPlane()
    .post("bind-resolve/", resolveBody(IDENTITY), { ...CANDIDATES, candidates: [only] })
    .get(LIST, RANKED);
  using place = new Scratch({ env: plane.env, config: PROJECT });
  const outcome = await place.run(["bind", "--provider", "linear"]);
  expect(outcome.code).toBe(1);
  expect(outcome.stderr).toContain("One resource may fit this project");
  expect(outcome.stderr).toContain("--select");
});

describe("no match", () => {
  test("lists what there is, without talk of raw ids, and writes nothing", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(NEW_IDENTITY), NONE)
      .get(LIST, RANKED);
    using place = new Scratch({ env: plane.env });
    const outcome = await place.run(["bind", "--provider", "linear"]);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toContain("No resource of Linear clearly fits this project.");
    expect(outcome.stderr).toMatch(/1\W+Backend API \(BE\).*4\W+Zebra \(ZEB\)/s);
    expect(outcome.stderr).not.toMatch(/team[ _-]?id|project[ _-]?(id|key|slug)|--project-slug|--bind-ref/i);
    expect(place.config()).toBeNull();
    plane.verify();
  });

  test("among nothing says how to connect another account", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(NEW_IDENTITY), NONE)
      .get(LIST, listed());
    using place = new Scratch({ env: plane.env });
    const outcome = await place.run(["bind", "--provider", "linear", "--json"]);
    expect(errorOf(outcome)).toMatchObject({
      code: "no_candidates",
      hint: expect.stringContaining("tracker host connect linear"),
    });
    plane.verify();
  });
});

describe("--bind-ref", () => {
  test("persists a valid reference with the label that comes back", async () => {
    using plane = new ScriptedControlPlane().post("bind-validate/", validateBody("srm_GIVEN", IDENTITY), {
      valid: true,
      binding_ref: "srm_GIVEN",
      display_label: "Given Team (GIV)",
      provider: "linear",
      provider_context: CONTEXT,
    });
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const outcome = await place.run(["bind", "--provider", "linear", "--bind-ref", "srm_GIVEN", "--json"]);
    expect(resultOf(outcome)).toMatchObject({ binding_ref: "srm_GIVEN", display_label: "Given Team (GIV)" });
    plane.verify();
    expect(Bun.YAML.parse(place.config() ?? "")).toMatchObject({
      tracker: { binding_ref: "srm_GIVEN", display_label: "Given Team (GIV)", provider_context: CONTEXT },
    });
  });

  test("passes on the guidance for an invalid one and writes nothing", async () => {
    const refusal = {
      valid: false,
      binding_ref: "srm_GONE",
      reason: "mapping_deleted",
      guidance: "Ask Octavia to restore it.",
    };
    using plane = new ScriptedControlPlane()
      .post("bind-validate/", validateBody("srm_GONE", IDENTITY), refusal)
      .post("bind-validate/", validateBody("srm_GONE", IDENTITY), refusal);
    using place = new Scratch({ env: plane.env, config: BOUND });
    const human = await place.run(["bind", "--provider", "linear", "--bind-ref", "srm_GONE"]);
    expect(human).toMatchObject({ code: 1, stdout: "" });
    expect(human.stderr).toContain("Ask Octavia to restore it.");
    const error = errorOf(
      await place.run(["bind", "--provider", "linear", "--bind-ref", "srm_GONE", "--json"]),
    );
    expect(JSON.stringify(error)).toContain("Ask Octavia to restore it.");
    plane.verify();
    expect(place.config()).toBe(BOUND);
  });
});

describe("a config from before bindings existed", () => {
  const upgraded = { ...PROJECT_STATUS, binding_ref: "srm_UP", display_label: "My Project (LIN)" };

  test("is upgraded silently by the first answer that carries a reference", async () => {
    using plane = new ScriptedControlPlane().get("status/?provider=linear&project_slug=my-project", upgraded);
    using place = new Scratch({ env: plane.env, config: LEGACY });
    const outcome = await place.run(["status", "--json"]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    plane.verify();
    const config = place.config() ?? "";
    expect(config).toContain("project_slug: my-project # keep me");
    expect(config).toContain("house_rule: tabs");
    expect(config).toStartWith("# hand-written\n");
    expect(Bun.YAML.parse(config)).toMatchObject({
      tracker: { binding_ref: "srm_UP", display_label: "My Project (LIN)", provider_context: CONTEXT },
    });
  });

  test("is upgraded by the mappings call too", async () => {
    const answer = {
      mappings: [],
      binding_ref: "srm_UP",
      display_label: "My Project (LIN)",
      provider_context: CONTEXT,
    };
    using plane = new ScriptedControlPlane().get("mappings/?provider=linear&project_slug=my-project", answer);
    using place = new Scratch({ env: plane.env, config: LEGACY });
    expect(resultOf(await place.run(["map", "list", "--json"]))).toMatchObject({ mappings: [] });
    plane.verify();
    expect(place.config()).toContain("binding_ref: srm_UP");
  });

  test("is left alone under TRACKER_NO_UPGRADE, which reports the upgrade instead", async () => {
    using plane = new ScriptedControlPlane().get("status/?provider=linear&project_slug=my-project", upgraded);
    using place = new Scratch({ env: { ...plane.env, TRACKER_NO_UPGRADE: "1" }, config: LEGACY });
    const result = resultOf(await place.run(["status", "--json"]));
    expect(result).toMatchObject({ pending_binding_upgrade: { binding_ref: "srm_UP" } });
    plane.verify();
    expect(place.config()).toBe(LEGACY);
  });

  test("stays as it is when the answer carries nothing to upgrade to", async () => {
    const { binding_ref: _ref, display_label: _label, provider_context: _context, ...bare } = PROJECT_STATUS;
    using plane = new ScriptedControlPlane().get("status/?provider=linear&project_slug=my-project", bare);
    using place = new Scratch({ env: plane.env, config: LEGACY });
    expect(await place.run(["status", "--json"])).toMatchObject({ code: 0, stderr: "" });
    plane.verify();
    expect(place.config()).toBe(LEGACY);
  });
});

describe("discover", () => {
  const resources = {
    resources: [
      resource("cand_x", "Backend API (BE)", null),
      resource("cand_y", "Old Team (OLD)", "srm_OLD"),
      resource("cand_z", "Payments (PAY)", null),
    ],
    installation_id: "inst_1",
    provider: "linear",
  };

  test("numbers resources as bind would, marks bound ones, and writes nothing", async () => {
    const resolution = {
      ...CANDIDATES,
      candidates: [candidate(0, "Payments (PAY)", "high"), candidate(1, "Backend API (BE)", "low")],
    };
    using plane = new ScriptedControlPlane()
      .get("resources/?provider=linear&limit=500", resources)
      .post("bind-resolve/", resolveBody(IDENTITY), resolution)
      .get("resources/?provider=linear&limit=500", resources)
      .post("bind-resolve/", resolveBody(IDENTITY), resolution);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const json = await place.run(["discover", "--provider", "linear", "--json"]);
    expect(resultOf(json)).toEqual([
      { number: 1, ...resource("cand_0", "Payments (PAY)", null), is_bound: false },
      { number: 2, ...resource("cand_1", "Backend API (BE)", null), is_bound: false },
      { number: 3, ...resource("cand_y", "Old Team (OLD)", "srm_OLD"), is_bound: true },
    ]);
    const human = await place.run(["discover", "--provider", "linear"]);
    expect(human.code).toBe(0);
    const rows = human.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(rows).toContainEqual(["2", "Backend API (BE)", "linear", "Acme Corp", "○ available"]);
    expect(rows).toContainEqual(["3", "Old Team (OLD)", "linear", "Acme Corp", "● bound"]);
    plane.verify();
    expect(place.config()).toBe(PROJECT);
    expect([...place.files(place.home).keys()]).toEqual([]);
  });

  test("shows the list all the same when resolution fails", async () => {
    using plane = new ScriptedControlPlane()
      .get("resources/?provider=linear&limit=500", resources)
      .post("bind-resolve/", resolveBody(IDENTITY), () => errorAnswer(400, "invalid_request"));
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const result = resultOf(await place.run(["discover", "--provider", "linear", "--json"]));
    expect(result).toMatchObject([{ candidate_token: "cand_x" }, { candidate_token: "cand_y" }, {}]);
    plane.verify();
  });

  test("says when bind would bind by itself", async () => {
    using plane = new ScriptedControlPlane()
      .get("resources/?provider=linear&limit=500", resources)
      .post("bind-resolve/", resolveBody(IDENTITY), { ...CONFIDENT, candidate_token: "cand_z" });
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const { stdout, stderr } = await place.run(["discover", "--provider", "linear"]);
    expect(stdout + stderr).toMatch(/tracker bind --provider linear/);
    plane.verify();
  });

  test("outside a repository needs neither project nor resolution", async () => {
    using plane = new ScriptedControlPlane().get("resources/?provider=linear&limit=500", resources);
    using place = new Scratch({ env: plane.env });
    const outcome = await place.run(["discover", "--provider", "linear", "--json"], { cwd: place.root });
    expect(resultOf(outcome)).toHaveLength(3);
    plane.verify();
  });

  test("an empty list is an answer; a missing connection is an error with the way out", async () => {
    using plane = new ScriptedControlPlane()
      .get("resources/?provider=linear&limit=500", { ...resources, resources: [] })
      .get("resources/?provider=linear&limit=500", () =>
        errorAnswer(403, "no_installation", { requestId: "req_42" }),
      );
    using place = new Scratch({ env: plane.env });
    const away = { cwd: place.root };
    expect(resultOf(await place.run(["discover", "--provider", "linear", "--json"], away))).toEqual([]);
    const error = errorOf(await place.run(["discover", "--provider", "linear", "--json"], away));
    expect(error).toMatchObject({ code: "no_installation", request_id: "req_42" });
    expect(error.hint).not.toBeNull();
    plane.verify();
  });
});

describe("status", () => {
  test("of this project is routed by the reference alone", async () => {
    using plane = new ScriptedControlPlane()
      .get("status/?provider=linear&binding_ref=srm_OLD", PROJECT_STATUS)
      .get("status/?provider=linear&binding_ref=srm_OLD", PROJECT_STATUS);
    using place = new Scratch({ env: plane.env, config: `${BOUND}  project_slug: legacy\n` });
    expect(resultOf(await place.run(["status", "--json"]))).toEqual(PROJECT_STATUS);
    const human = await place.run(["status"]);
    expect(human.stdout).toContain("Old Team (OLD)");
    expect(human.stdout).toContain("srm_OLD");
    plane.verify();
  });

  test("--all is the installation's", async () => {
    const installation = {
      provider: "linear",
      connected: true,
      resource_count: 12,
      bindings: [
        {
          binding_ref: "srm_OLD",
          project_slug: "payments-api",
          display_label: "Old Team (OLD)",
          status: "active",
          bound_at: "2026-05-06T07:08:09Z",
          last_synced_at: null,
        },
      ],
    };
    using plane = new ScriptedControlPlane()
      .get("status/?provider=linear", installation)
      .get("status/?provider=linear", installation);
    using place = new Scratch({ env: plane.env, config: BOUND });
    expect(resultOf(await place.run(["status", "--all", "--json"]))).toEqual(installation);
    const human = await place.run(["status", "--all"]);
    expect(human.stdout).toContain("Old Team (OLD)");
    expect(human.stdout).toContain("payments-api");
    plane.verify();
  });

  test("--check is silent and its exit code is the answer", async () => {
    using plane = new ScriptedControlPlane()
      .get("status/?provider=linear&binding_ref=srm_OLD", PROJECT_STATUS)
      .get("status/?provider=linear&binding_ref=srm_OLD", () => errorAnswer(404, "binding_not_found"));
    using place = new Scratch({ env: plane.env, config: BOUND });
    expect(await place.run(["status", "--check"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await place.run(["status", "--check"])).toMatchObject({ code: 1, stdout: "" });
    place.write(".kittify/config.yaml", PROJECT);
    expect(await place.run(["status", "--check"])).toMatchObject({ code: 1, stdout: "" });
    plane.verify();
  });

  test("--offline asks nobody", async () => {
    using plane = new ScriptedControlPlane();
    using place = new Scratch({ env: plane.env, config: BOUND });
    const outcome = await place.run(["status", "--offline"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain("Old Team (OLD)");
    expect(resultOf(await place.run(["status", "--offline", "--json"]))).toMatchObject({
      provider: "linear",
      binding_ref: "srm_OLD",
    });
    plane.verify();
  });
});

describe("a project that is bound already", () => {
  const KNOWN = knownBody(IDENTITY, "srm_OLD");

  test("is not bound to another resource without a terminal unless --yes is given", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", KNOWN, EXACT)
      .post("bind-resolve/", KNOWN, CANDIDATES);
    using place = new Scratch({ env: plane.env, config: BOUND });
    const human = await place.run(["bind", "--provider", "linear"], { stdin: "y\n" });
    expect(human).toMatchObject({ code: 1, stdout: "" });
    expect(human.stderr).toContain("Old Team (OLD)");
    expect(human.stderr).toContain("--yes");
    expect(errorOf(await place.run(["bind", "--provider", "linear", "--json"])).hint).toContain("--yes");
    plane.verify();
    expect(place.config()).toBe(BOUND);
  });

  test("is bound to the same resource again on pipes, and nothing changes", async () => {
    using plane = new ScriptedControlPlane().post("bind-resolve/", KNOWN, {
      ...EXACT,
      binding_ref: "srm_OLD",
      display_label: "Old Team (OLD)",
      project_slug: null,
      provider_context: null,
    });
    using place = new Scratch({ env: plane.env, config: BOUND });
    const outcome = await place.run(["bind", "--provider", "linear", "--json"]);
    expect(resultOf(outcome)).toMatchObject({ binding_ref: "srm_OLD", replaced: null });
    plane.verify();
    expect(place.config()).toBe(BOUND);
  });

  test.each([[["--yes", "--select", "2"]], [["--select", "2"]]])(
    "is bound anew with %p, naming what is replaced",
    async (flags) => {
      using plane = new ScriptedControlPlane()
        .post("bind-resolve/", KNOWN, CANDIDATES)
        .get(LIST, RANKED)
        .post("bind-confirm/", confirmBody("cand_1", IDENTITY), CONFIRMED);
      using place = new Scratch({ env: plane.env, config: BOUND });
      const first = await place.run(["bind", "--provider", "linear", ...flags]);
      expect(first.code).toBe(0);
      expect(first.stderr).toBe(
        "Replaced Old Team (OLD) (Linear, srm_OLD).\nCommit .kittify/config.yaml: it binds every clone.\n",
      );
      expect(place.config()).toContain("srm_NEW");
      plane.verify();
    },
  );

  test("is bound anew with --match, naming what is replaced for programs", async () => {
    using plane = new ScriptedControlPlane()
      .get(`${LIST}&q=PPL`, listed("Payment Platform (PPL)"))
      .post("bind-confirm/", confirmBody("res_0", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: plane.env, config: BOUND });
    const outcome = await place.run(["bind", "--provider", "linear", "--match", "PPL", "--json"]);
    expect(resultOf(outcome)).toMatchObject({ binding_ref: "srm_NEW", replaced: { binding_ref: "srm_OLD" } });
    plane.verify();
  });

  test("asks in a terminal, and a no changes nothing", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", KNOWN, CANDIDATES)
      .post("bind-resolve/", KNOWN, CANDIDATES);
    using place = new Scratch({ env: plane.env, config: BOUND });
    for (const answer of ["", "n"]) {
      const terminal = place.open(["bind", "--provider", "linear"]);
      await terminal.waitFor("Replace it?");
      expect(terminal.text).toContain("Old Team (OLD)");
      terminal.typeLine(answer);
      expect(await terminal.exit()).toBe(0);
      expect(terminal.text).toContain("Bind canceled");
    }
    plane.verify();
    expect(place.config()).toBe(BOUND);
  });

  test("asks in a terminal, and a yes goes on to the choice", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", KNOWN, CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: { ...plane.env, ...PLAIN }, config: BOUND });
    const terminal = place.open(["bind", "--provider", "linear"]);
    await terminal.waitFor("Replace it?");
    terminal.typeLine("y");
    await terminal.waitFor("Backend API (BE)");
    terminal.typeLine("2");
    expect(await terminal.exit()).toBe(0);
    plane.verify();
    expect(place.config()).toContain("binding_ref: srm_NEW");
  });

  test("forgets what another provider does not know, and keeps what is not ours", async () => {
    const config = `${BOUND}  workspace: w1\n  project_slug: old-slug\n  doctrine:\n    mode: split_ownership\n  house_rule: tabs\n`;
    using plane = new ScriptedControlPlane().post(
      "bind-resolve/",
      { provider: "jira", project_identity: IDENTITY },
      { ...EXACT, project_slug: null },
    );
    using place = new Scratch({ env: plane.env, config });
    expect(await place.run(["bind", "--provider", "jira", "--yes"])).toMatchObject({ code: 0 });
    plane.verify();
    expect(Bun.YAML.parse(place.config() ?? "")).toEqual({
      project: { uuid: UUID, slug: "payments-api", node_id: "0123456789ab" },
      tracker: {
        provider: "jira",
        binding_ref: "srm_EXACT",
        display_label: "Payments (PAY)",
        provider_context: CONTEXT,
        doctrine: { mode: "split_ownership" },
        house_rule: "tabs",
      },
    });
  });
});

describe("a stale binding", () => {
  test.each([
    ["binding_not_found", 404, ""],
    ["binding_not_found", 404, "  project_slug: legacy\n"],
    ["mapping_disabled", 409, ""],
    ["project_mismatch", 422, "  project_slug: legacy\n"],
  ])("%s (%d) is named with the way out, without falling back to a slug", async (code, status, extra) => {
    const config = BOUND + extra;
    using plane = new ScriptedControlPlane()
      .get("status/?provider=linear&binding_ref=srm_OLD", () => errorAnswer(status, code))
      .get("mappings/?provider=linear&binding_ref=srm_OLD", () => errorAnswer(status, code));
    using place = new Scratch({ env: plane.env, config });
    const human = await place.run(["status"]);
    expect(human).toMatchObject({ code: 1, stdout: "" });
    expect(human.stderr).toContain("srm_OLD");
    expect(human.stderr).toContain("tracker bind --provider linear");
    const error = errorOf(await place.run(["map", "list", "--json"]));
    expect(error.message).toContain("srm_OLD");
    expect(error.hint).toContain("tracker bind --provider linear");
    plane.verify();
    expect(place.config()).toBe(config);
  });
});

describe("a candidate token that the control plane no longer takes", () => {
  const expired = (): Response => errorAnswer(400, "invalid_candidate_token");
  const bind = ["bind", "--provider", "linear", "--select", "2", "--json"];
  const again = (...candidates: object[]): object => ({ ...CANDIDATES, candidates });

  test("is renewed once, for the same resource wherever it ranks now", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), expired)
      .post(
        "bind-resolve/",
        resolveBody(IDENTITY),
        again(
          { ...candidate(0, "Payment Platform (PPL)", "medium"), candidate_token: "cand_fresh" },
          candidate(1, "Payments (PAY)", "high"),
        ),
      )
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_fresh", IDENTITY), CONFIRMED);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    expect(resultOf(await place.run(bind))).toMatchObject({ binding_ref: "srm_NEW" });
    plane.verify();
    const keys = plane.requests.map(({ headers }) => headers.get("idempotency-key")).filter(Boolean);
    expect(new Set(keys).size).toBe(2);
  });

  test("fails clearly when the renewed one is refused too", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), expired)
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), expired);
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const outcome = await place.run(bind);
    expect(outcome.code).toBe(1);
    expect(errorOf(outcome).code).toBe("invalid_candidate_token");
    plane.verify();
    expect(place.config()).toBe(PROJECT);
  });

  test("fails clearly when its number now stands for something else", async () => {
    using plane = new ScriptedControlPlane()
      .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
      .get(LIST, RANKED)
      .post("bind-confirm/", confirmBody("cand_1", IDENTITY), expired)
      .post(
        "bind-resolve/",
        resolveBody(IDENTITY),
        again(candidate(0, "Payments (PAY)", "high"), candidate(1, "Backend API (BE)", "medium")),
      )
      .get(LIST, listed("Payments (PAY)", "Backend API (BE)"));
    using place = new Scratch({ env: plane.env, config: PROJECT });
    const outcome = await place.run(bind);
    expect(outcome.code).toBe(1);
    expect(errorOf(outcome).message).toContain("Payment Platform (PPL)");
    plane.verify();
    expect(place.config()).toBe(PROJECT);
  });
});

test("a resource that another project took is named with that project", async () => {
  using plane = new ScriptedControlPlane()
    .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
    .get(LIST, RANKED)
    .post("bind-confirm/", confirmBody("cand_0", IDENTITY), () =>
      errorAnswer(409, "already_bound", {
        message: "Bound to billing-service.",
        details: { project_slug: "billing-service" },
      }),
    );
  using place = new Scratch({ env: plane.env, config: PROJECT });
  const error = errorOf(await place.run(["bind", "--provider", "linear", "--select", "1", "--json"]));
  expect(error).toMatchObject({ code: "already_bound", details: { project_slug: "billing-service" } });
  plane.verify();
  expect(place.config()).toBe(PROJECT);
});

test("--dry-run resolves, shows the config diff, and changes nothing anywhere", async () => {
  using plane = new ScriptedControlPlane()
    .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
    .get(LIST, RANKED)
    .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
    .get(LIST, RANKED);
  using place = new Scratch({ env: plane.env, config: PROJECT });
  const flags = ["bind", "--provider", "linear", "--select", "2", "--dry-run"];
  const human = await place.run(flags);
  expect(human.code).toBe(0);
  expect(human.stdout + human.stderr).toContain("Payment Platform (PPL)");
  expect(human.stdout + human.stderr).toMatch(/^\+\s*provider: linear$/m);
  expect(resultOf(await place.run([...flags, "--json"]))).toMatchObject({
    provider: "linear",
    dry_run: true,
  });
  plane.verify();
  expect(place.config()).toBe(PROJECT);
});

test("--explain gives the reason of every candidate", async () => {
  using plane = new ScriptedControlPlane()
    .post("bind-resolve/", resolveBody(IDENTITY), CANDIDATES)
    .get(LIST, RANKED)
    .post("bind-confirm/", confirmBody("cand_1", IDENTITY), CONFIRMED);
  using place = new Scratch({ env: plane.env, config: PROJECT });
  const { code, stderr } = await place.run(["bind", "--provider", "linear", "--select", "2", "--explain"]);
  expect(code).toBe(0);
  for (const reason of ["reason 0", "reason 1", "reason 2"]) expect(stderr).toContain(reason);
  plane.verify();
});

describe("unbind", () => {
  test("removes the binding, names it, and keeps what is not ours", async () => {
    using plane = new ScriptedControlPlane();
    using place = new Scratch({ env: plane.env, config: `${BOUND}  house_rule: tabs # ours\n` });
    const outcome = await place.run(["unbind"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toContain("Old Team (OLD)");
    expect(outcome.stdout).toContain("srm_OLD");
    expect(place.config()).toBe(`${PROJECT}tracker:\n  house_rule: tabs # ours\n`);
    expect(await place.run(["unbind"])).not.toMatchObject({ stderr: "", stdout: "" });
    expect(place.config()).toBe(`${PROJECT}tracker:\n  house_rule: tabs # ours\n`);
    plane.verify();
  });
});
