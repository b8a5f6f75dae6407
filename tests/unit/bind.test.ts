/** Binding, against a control plane whose every answer is scripted, over real configs on disk. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Project, ProjectStore } from "../../src/config/project.ts";
import { type Binding, parseProjectConfig } from "../../src/config.ts";
import type { NumberedResource } from "../../src/discovery.ts";
import type { BindCandidate, BindResolveResponse } from "../../src/protocol.ts";
import { type BindDialog, Binder, type BindRequest, type Selection } from "../../src/service/bind.ts";
import { failureOf } from "../helpers/failure.ts";
import { errorBody, HttpStubs, StubbedNature, stubbedClient } from "../helpers/http-stubs.ts";

const BASE = "/api/v1/tracker";
const RESOLVE = `${BASE}/bind-resolve/`;
const CONFIRM = `${BASE}/bind-confirm/`;
const VALIDATE = `${BASE}/bind-validate/`;
const RESOURCES = `${BASE}/resources/?provider=linear&limit=500`;
const BOUND = "tracker:\n  provider: linear\n  binding_ref: srm_old\n  display_label: Old (OLD)\n";

let stubs = new HttpStubs();
let root = "";
beforeEach(() => {
  stubs = new HttpStubs();
  root = join(mkdtempSync(join(tmpdir(), "tracker-bind-")), "payments-api");
  mkdirSync(join(root, ".kittify"), { recursive: true });
});
afterEach(() => {
  rmSync(join(root, ".."), { recursive: true, force: true });
  stubs.verify();
});

const configPath = (): string => join(root, ".kittify", "config.yaml");
const config = (): string => readFileSync(configPath(), "utf8");

/** The project, with `text` as its config. */
function project(text: string): Project {
  writeFileSync(configPath(), text);
  const config = parseProjectConfig(text);
  return { root, repository: null, configPath: configPath(), source: "file", config };
}

function binder(): Binder {
  const machine = {
    platform: process.platform,
    architecture: process.arch,
    homeDirectory: root,
    userId: process.getuid?.(),
    hostName: "laptop",
    userName: "ada",
  };
  const context = { env: {}, machine, timing: new StubbedNature() };
  const projects = new ProjectStore(context, { state: join(root, "..", "state") }, null);
  return new Binder({ client: stubbedClient(stubs), projects, debug: () => {} });
}

/** A person who answers as told, and remembers the questions. */
class Person implements BindDialog {
  readonly canAsk: boolean = true;
  readonly offered: string[][] = [];
  readonly replacing: Binding[] = [];
  readonly #takes: number | null;
  readonly #agrees: boolean;

  constructor({ takes = 1, agrees = true }: { takes?: number | null; agrees?: boolean } = {}) {
    this.#takes = takes;
    this.#agrees = agrees;
  }

  readonly explain: BindDialog["explain"] = null;

  async choose(rows: readonly NumberedResource[]): Promise<NumberedResource | null> {
    this.offered.push(rows.map(({ label }) => label));
    return this.#takes === null ? null : (rows[this.#takes - 1] ?? null);
  }

  async mayReplace(existing: Binding): Promise<boolean> {
    this.replacing.push(existing);
    return this.#agrees;
  }
}

/** What runs without a terminal. */
class Pipe extends Person {
  override readonly canAsk = false;
  override async mayReplace(): Promise<boolean> {
    throw new Error("nobody to ask");
  }
}

function bind(
  text: string,
  selection: Selection,
  dialog: BindDialog = new Person(),
  options: Partial<BindRequest> = {},
) {
  const replaces = selection.by !== "certainty";
  return binder().bind(
    project(text),
    { provider: "linear", selection, replaces, dryRun: false, ...options },
    dialog,
  );
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

const offered = (...candidates: BindCandidate[]): Response =>
  Response.json({ match_type: "candidates", candidates });
const exact = (facts: object): Response => Response.json({ match_type: "exact", candidates: [], ...facts });
const none = (): Response => Response.json({ match_type: "none", candidates: [] });
const listed = (...labels: string[]): Response =>
  Response.json({
    resources: labels.map((label) => ({
      candidate_token: `res_${label}`,
      display_label: label,
      provider: "linear",
    })),
  });
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

const certainty: Selection = { by: "certainty" };
const sentTokens = () =>
  stubs.requests
    .filter(({ target }) => target === CONFIRM)
    .map(({ text }) => JSON.parse(text ?? "").candidate_token);

describe("an explicit choice", () => {
  test.each<[string, () => Response]>([
    ["an existing binding", () => exact({ binding_ref: "srm_certain", display_label: "Payments (PAY)" })],
    ["a certain match", () => exact({ candidate_token: "sure", display_label: "Payments (PAY)" })],
    ["other candidates", () => offered(candidate(0, "Payments (PAY)"))],
    ["no match", none],
  ])("wins over %s, bound or not", async (_what, resolution) => {
    for (const text of ["# mine\n", BOUND]) {
      stubs.on("POST", RESOLVE, resolution()).on("GET", RESOURCES, listed("Payments (PAY)", "Zebra (ZEB)"));
      stubs.on("POST", CONFIRM, confirmed("Zebra (ZEB)"));
      expect((await bind(text, { by: "number", number: 2 }))?.binding.displayLabel).toBe("Zebra (ZEB)");
      stubs.on("GET", `${RESOURCES}&q=zebra`, listed("Zebra (ZEB)"));
      stubs.on("POST", CONFIRM, confirmed("Zebra (ZEB)"));
      expect((await bind(text, { by: "match", text: "zebra" }))?.binding.displayLabel).toBe("Zebra (ZEB)");
    }
    expect(sentTokens()).toEqual(Array(4).fill("res_Zebra (ZEB)"));
  });

  test("by a text is found where the control plane searches in another way", async () => {
    stubs.on("GET", `${RESOURCES}&q=zebra`, listed()).on("POST", RESOLVE, none());
    stubs.on("GET", RESOURCES, listed("Ant", "Zebra (ZEB)")).on("POST", CONFIRM, confirmed("Zebra (ZEB)"));
    const outcome = await bind("# mine\n", { by: "match", text: "zebra" });
    expect(outcome?.binding.displayLabel).toBe("Zebra (ZEB)");
  });

  test("reports the binding that it replaces, and none when it is the same", async () => {
    stubs.on("GET", `${RESOURCES}&q=zebra`, listed("Zebra")).on("POST", CONFIRM, confirmed("Zebra"));
    const changed = await bind(BOUND, { by: "match", text: "zebra" });
    expect(changed?.replaced).toMatchObject({ bindingRef: "srm_old", displayLabel: "Old (OLD)" });
    stubs.on("GET", `${RESOURCES}&q=zebra`, listed("Zebra")).on("POST", CONFIRM, confirmed("Zebra"));
    expect((await bind(config(), { by: "match", text: "zebra" }))?.replaced).toBeNull();
  });

  test("of a resource writes nothing when the control plane bound another", async () => {
    stubs.on("GET", `${RESOURCES}&q=zebra`, listed("Zebra")).on("POST", CONFIRM, confirmed("Giraffe"));
    const error = await failureOf(bind("# mine\n", { by: "match", text: "zebra" }));
    expect(error).toMatchObject({ code: "wrong_resource", details: { binding_ref: "srm_new" } });
    expect(config()).toBe("# mine\n");
  });

  test.each<[string, Selection, string[]]>([
    ["a number that is not there", { by: "number", number: 4 }, ["A (PAY)", "B (PAY)", "C"]],
    ["a text that nothing has", { by: "match", text: "Zebra" }, ["A (PAY)", "B (PAY)", "C"]],
    ["a key that two have", { by: "match", text: "pay" }, ["A (PAY)", "B (PAY)"]],
  ])("by %s is refused with what there is", async (_name, selection, choices) => {
    const all = ["A (PAY)", "B (PAY)", "C"];
    if (selection.by === "match")
      stubs.on("GET", `${RESOURCES}&q=${selection.text}`, listed(...all.slice(0, 2)));
    stubs.on("POST", RESOLVE, offered(candidate(0, "A (PAY)"))).on("GET", RESOURCES, listed(...all));
    expect(await failureOf(bind("# mine\n", selection))).toMatchObject({
      code: "selection_required",
      choices: choices.map((display_label, index) => ({ number: index + 1, display_label })),
    });
    expect(config()).toBe("# mine\n");
  });

  test.each<Selection>([{ by: "number", number: 1 }, { by: "match", text: "pay" }, certainty])(
    "among nothing is told: %p",
    async (selection) => {
      if (selection.by === "match") stubs.on("GET", `${RESOURCES}&q=pay`, listed());
      stubs.on("POST", RESOLVE, none()).on("GET", RESOURCES, listed());
      expect(await failureOf(bind("# mine\n", selection))).toMatchObject({ code: "no_candidates" });
    },
  );

  test("of a binding is checked, and its reason is passed on", async () => {
    stubs.on("POST", VALIDATE, Response.json({ valid: true, binding_ref: "srm_x", display_label: "X" }));
    expect((await bind(BOUND, { by: "reference", bindingRef: "srm_x" }))?.binding.bindingRef).toBe("srm_x");
    const refusal = { valid: false, binding_ref: "srm_y", reason: "mapping_deleted", guidance: "Ask Ada." };
    stubs.on("POST", VALIDATE, Response.json(refusal));
    const error = await failureOf(bind(BOUND, { by: "reference", bindingRef: "srm_y" }));
    expect(error).toMatchObject({ code: "invalid_binding_ref", details: { reason: "mapping_deleted" } });
    expect(String(error)).toContain("Ask Ada.");
    expect(config()).toBe(BOUND);
  });
});

describe("without a choice", () => {
  test("a certain match is taken, and nobody is asked", async () => {
    const person = new Person();
    stubs.on("POST", RESOLVE, exact({ candidate_token: "sure", display_label: "Payments (PAY)" }));
    stubs.on("POST", CONFIRM, confirmed("Payments"));
    expect((await bind("# mine\n", certainty, person))?.binding.bindingRef).toBe("srm_new");
    expect([person.offered, person.replacing]).toEqual([[], []]);
  });

  test("an existing binding is taken as it is", async () => {
    stubs.on("POST", RESOLVE, exact({ binding_ref: "srm_theirs", display_label: "Payments (PAY)" }));
    const outcome = await bind("# mine\n", certainty);
    expect(outcome).toMatchObject({ binding: { bindingRef: "srm_theirs" }, boundAt: null, replaced: null });
  });

  test.each<[string, () => Response, string[]]>([
    [
      "the candidates first",
      () => offered(candidate(1, "Zebra"), candidate(0, "Cat")),
      ["Cat", "Zebra", "Ant"],
    ],
    ["all of them when none fits", none, ["Ant", "Cat", "Zebra"]],
  ])("the person chooses among everything, %s", async (_what, resolution, order) => {
    const person = new Person({ takes: 3 });
    stubs.on("POST", RESOLVE, resolution()).on("GET", RESOURCES, listed("Ant", "Cat", "Zebra"));
    const third = order[2] ?? "";
    stubs.on("POST", CONFIRM, confirmed(third));
    expect((await bind("# mine\n", certainty, person))?.binding.displayLabel).toBe(third);
    expect(person.offered).toEqual([order]);
  });

  test("a bound project asks before a replacement, and a no changes nothing", async () => {
    const person = new Person({ agrees: false });
    stubs.on("POST", RESOLVE, exact({ binding_ref: "srm_theirs" }));
    expect(await bind(BOUND, certainty, person)).toBeNull();
    expect(person.replacing).toMatchObject([{ bindingRef: "srm_old" }]);
    expect(config()).toBe(BOUND);
    expect(JSON.parse(stubs.requests[0]?.text ?? "").known).toMatchObject({ binding_ref: "srm_old" });
  });

  test("a bound project whose resource is the certain one is offered all others", async () => {
    const person = new Person({ takes: 2 });
    stubs.on("POST", RESOLVE, exact({ binding_ref: "srm_old" })).on("GET", RESOURCES, listed("Old", "New"));
    stubs.on("POST", CONFIRM, confirmed("New"));
    expect(await bind(BOUND, certainty, person)).toMatchObject({ replaced: { bindingRef: "srm_old" } });
  });

  test("on pipes the same resource is bound again, and another one needs consent", async () => {
    stubs.on("POST", RESOLVE, exact({ binding_ref: "srm_old" }));
    expect(await bind(BOUND, certainty, new Pipe())).toMatchObject({ replaced: null });
    const before = config();
    stubs.on("POST", RESOLVE, exact({ binding_ref: "srm_other" }));
    expect(await failureOf(bind(before, certainty, new Pipe()))).toMatchObject({ message: "nobody to ask" });
    stubs.on("POST", RESOLVE, exact({ binding_ref: "srm_other" }));
    expect(await bind(before, certainty, new Pipe(), { replaces: true })).toMatchObject({
      binding: { bindingRef: "srm_other" },
    });
  });

  test.each([
    [["A"], "One resource may fit this project."],
    [["A", "B"], "Several resources may fit this project."],
    [[], "No resource of Linear clearly fits this project."],
  ])("on pipes %p is not certain", async (labels, message) => {
    stubs.on("POST", RESOLVE, offered(...labels.map((label, index) => candidate(index, label))));
    stubs.on("GET", RESOURCES, listed("A", "B", "C"));
    const error = await failureOf(bind("# mine\n", certainty, new Pipe()));
    expect(error).toMatchObject({ code: "selection_required", message });
    expect(error).toHaveProperty("choices.length", labels.length || 3);
  });

  test("a canceled choice changes nothing", async () => {
    stubs.on("POST", RESOLVE, none()).on("GET", RESOURCES, listed("A"));
    expect(await bind("# mine\n", certainty, new Person({ takes: null }))).toBeNull();
    expect(config()).toBe("# mine\n");
  });

  test("an exact match that cannot be bound is the control plane's fault", async () => {
    stubs.on("POST", RESOLVE, exact({}));
    expect(await failureOf(bind("# mine\n", certainty))).toMatchObject({ code: "invalid_response" });
  });
});

test("a dry run confirms and writes nothing, and asks for no replacement", async () => {
  const person = new Person();
  stubs.on("POST", RESOLVE, exact({ candidate_token: "sure", display_label: "Payments (PAY)" }));
  const outcome = await bind(BOUND, certainty, person, { dryRun: true });
  expect(outcome).toMatchObject({
    binding: { displayLabel: "Payments (PAY)", bindingRef: null },
    replaced: { bindingRef: "srm_old" },
    preview: { before: BOUND, after: expect.stringContaining("display_label: Payments (PAY)") },
  });
  expect(person.replacing).toEqual([]);
  expect(config()).toBe(BOUND);
});

test("reasons are given for an explicit choice too", async () => {
  const explained: BindResolveResponse[] = [];
  const person = Object.assign(new Person(), {
    explain: (resolution: BindResolveResponse) => explained.push(resolution),
  });
  stubs.on("POST", RESOLVE, offered(candidate(0, "A"))).on("GET", RESOURCES, listed("A", "B"));
  stubs.on("POST", CONFIRM, confirmed("B"));
  await bind("# mine\n", { by: "number", number: 2 }, person);
  expect(explained).toMatchObject([{ candidates: [{ display_label: "A" }] }]);
});

describe("a token that is refused", () => {
  test("is renewed once for the same resource, wherever it moved", async () => {
    stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)", "old"), candidate(1, "Other")));
    stubs.on("GET", RESOURCES, listed("Payments (PAY)", "Other"));
    stubs.on("POST", CONFIRM, refused("invalid_candidate_token", 400));
    stubs.on("POST", RESOLVE, offered(candidate(0, "Other"), candidate(1, "Payments (PAY)", "new")));
    stubs.on("GET", RESOURCES, listed("Payments (PAY)", "Other"));
    stubs.on("POST", CONFIRM, confirmed("Payments (PAY)"));
    expect((await bind("# mine\n", certainty))?.binding).toMatchObject({ bindingRef: "srm_new" });
    expect(sentTokens()).toEqual(["old", "new"]);
    const keys = stubs.requests.map(({ headers }) => headers["idempotency-key"]).filter(Boolean);
    expect(new Set(keys).size).toBe(2);
    expect(config()).toStartWith("# mine\n");
  });

  test("twice ends it, and nothing is written", async () => {
    for (const token of ["old", "new"]) {
      stubs.on("POST", RESOLVE, offered(candidate(0, "Payments (PAY)", token)));
      stubs.on("GET", RESOURCES, listed("Payments (PAY)"));
      stubs.on("POST", CONFIRM, refused("invalid_candidate_token", 400));
    }
    expect(await failureOf(bind("# mine\n", certainty))).toMatchObject({ code: "invalid_candidate_token" });
    expect(config()).toBe("# mine\n");
  });

  test("while the resource is gone is told by its name", async () => {
    for (const label of ["Payments (PAY)", "Other"]) {
      stubs.on("POST", RESOLVE, offered(candidate(0, label))).on("GET", RESOURCES, listed(label));
    }
    stubs.on("POST", CONFIRM, refused("invalid_candidate_token", 400));
    const error = await failureOf(bind("# mine\n", certainty));
    expect(error).toMatchObject({ code: "candidate_gone" });
    expect(String(error)).toContain("Payments (PAY)");
    expect(config()).toBe("# mine\n");
  });
});

test("a bind that is repeated after a lost answer introduces itself by the same uuid", async () => {
  const lost = () => Object.assign(new Error("reset"), { code: "ECONNRESET" });
  const sure = () => exact({ candidate_token: "sure", display_label: "Payments (PAY)" });
  stubs.on("POST", RESOLVE, sure()).repeat(3, "POST", CONFIRM, lost);
  expect(await failureOf(bind("# mine\n", certainty))).toMatchObject({ code: "host_unreachable" });
  expect(config()).toBe("# mine\n");
  stubs.on("POST", RESOLVE, sure()).on("POST", CONFIRM, confirmed("Payments (PAY)"));
  await bind("# mine\n", certainty);
  const uuids = stubs.requests
    .filter(({ target }) => target === CONFIRM)
    .map(({ text }) => JSON.parse(text ?? "").project_identity.uuid);
  expect(new Set(uuids).size).toBe(1);
  expect(config()).toContain(`uuid: ${uuids[0]}`);
});
