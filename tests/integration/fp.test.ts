/** The connector to fp over a stand-in for the program `fp`; its contract is in `contract/connectors.test.ts`. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { FpApi } from "../../src/sdk/connectors/fp/api.ts";
import { ProviderConnector } from "../../src/sdk/connectors/shared/provider-connector.ts";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import { CapabilityNotSupportedError, ConnectorConfigError } from "../../src/sdk/errors.ts";
import { BLANK, type CanonicalIssue, type IssueFields } from "../../src/sdk/model.ts";
import { createLocalConnector } from "../../src/sdk/registry.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { failureOf } from "../helpers/failure.ts";
import { countedFp, SimulatedFp } from "../helpers/subjects/fp.ts";

let scratch: SimulatedFp;
let connector: TrackerConnector;
let keys = 0;
const key = () => ({ idempotencyKey: `key-${++keys}` });
const create = (fields: Partial<IssueFields> & { readonly title: string }): Promise<CanonicalIssue> =>
  connector.createIssue({ ...BLANK, ...fields }, key());

beforeEach(() => {
  scratch = new SimulatedFp();
  connector = new ProviderConnector(new FpApi(countedFp(scratch), "payments"));
});
afterEach(() => scratch[Symbol.dispose]());

const fp = (...args: readonly string[]) => scratch.run(["fp", ...args]);

test("the catalog's connector runs the program of its params in the folder of its params", async () => {
  const { environment, folder } = scratch;
  const made = await createLocalConnector("fp", { workspace: "payments", cwd: folder }, environment);
  expect(made).toMatchObject({ provider: "fp", workspace: "payments" });
  expect((await made.listIssues({})).items).toEqual([]);
  const missing = await createLocalConnector("fp", { workspace: "p", command: "fp2" }, environment);
  expect(await failureOf(missing.listIssues({}))).toBeInstanceOf(ConnectorConfigError);
});

test.each([
  "--help",
  "-f",
  "--title=other",
  "$(touch owned) `touch owned`",
  "first\nsecond\tthird",
  "; rm -rf . > owned",
  `"a' \\`,
])("texts reach the tracker as they are: %j", async (text) => {
  const { ref } = await create({ title: text, body: text });
  expect(await connector.getIssue(ref)).toMatchObject({ title: text, body: text });
  expect((await connector.addComment(ref, text, key())).body).toBe(text);
  const changed = { title: `${text}!`, body: `${text}!` };
  expect(await connector.updateIssue(ref, changed, key())).toMatchObject(changed);
  expect(existsSync(join(scratch.folder, "owned"))).toBe(false);
});

test("texts that fp cannot be given are refused, and nothing is created", async () => {
  for (const body of ["a\0b", "x".repeat(200_000)]) {
    expect(await failureOf(create({ title: "Long", body }))).toMatchObject({ failureClass: "invalid" });
  }
  expect(scratch.store.issues).toEqual([]);
});

test("a title is changed without touching the body, and the create is still known", async () => {
  const options = key();
  const { ref } = await connector.createIssue({ ...BLANK, title: "Before", body: "Body" }, options);
  const before = scratch.store.issues.map((issue) => ({ ...issue, title: "After" }));
  await connector.updateIssue(ref, { title: "After" }, key());
  expect(scratch.store.issues).toEqual(before);
  expect((await connector.findCreated(options.idempotencyKey))?.ref).toEqual(ref);
  expect((await connector.updateIssue(ref, { body: null }, key())).body).toBeNull();
});

test("a dependency is added to those that are there, and taken from among them", async () => {
  const [a, b, c] = [
    await create({ title: "a" }),
    await create({ title: "b" }),
    await create({ title: "c" }),
  ];
  await connector.upsertLink(a.ref, { type: "blocked_by", target: b.ref });
  await connector.upsertLink(c.ref, { type: "blocks", target: a.ref });
  expect(scratch.store.issues.map(({ dependencies }) => dependencies)).toEqual([
    [b.ref.id, c.ref.id],
    [],
    [],
  ]);
  await connector.removeLink(b.ref, { type: "blocks", target: a.ref });
  expect(scratch.store.issues.map(({ dependencies }) => dependencies)).toEqual([[c.ref.id], [], []]);
});

test("what fp cannot carry is refused, and nothing is created", async () => {
  const { ref } = await create({ title: "Parent" });
  for (const fields of [
    { labels: ["api"] },
    { parent: ref },
    { issueType: "bug" },
    { customFields: { a: 1 } },
    { assignees: ["ada"] },
    { status: "done" },
  ] satisfies Partial<IssueFields>[]) {
    expect(await failureOf(create({ title: "Work", ...fields }))).toBeInstanceOf(CapabilityNotSupportedError);
  }
  expect(scratch.store.issues).toHaveLength(1);
  expect(await failureOf(connector.updateIssue(ref, { labels: ["api"] }, key()))).toBeInstanceOf(
    CapabilityNotSupportedError,
  );
});

test("issues are found by each of their names", async () => {
  const { ref } = await create({ title: "Work" });
  for (const name of [ref.id, ref.id.slice(0, 8), `PAY-${ref.id.slice(0, 8)}`, `pay-${ref.id.slice(0, 8)}`]) {
    expect((await connector.findIssue(name))?.ref).toEqual(ref);
  }
  for (const name of ["PAY-", "-", "PAY", ref.id.slice(0, 4)])
    expect(await connector.findIssue(name)).toBeNull();
});

describe("when fp", () => {
  const list = (script: string) => {
    scratch.install("fp", script);
    return failureOf(connector.listIssues({}));
  };

  test("has no project here, that is said with what to do", async () => {
    scratch.run(["rm", "-r", ".fp"]);
    const error = await failureOf(connector.listIssues({}));
    expect(error).toBeInstanceOf(ConnectorConfigError);
    expect(error).toMatchObject({
      message: `fp: .fp directory not found. Run "fp init" there, or set "cwd" to the folder of the project.`,
    });
  });

  test("refuses, its words are passed on from whichever stream they are on", async () => {
    const refused = { failureClass: "invalid", message: "fp: Invalid status: not registered" };
    expect(await list("echo 'Invalid status: not registered'; exit 1")).toMatchObject(refused);
    expect(await list("echo 'Invalid status: not registered' >&2; exit 1")).toMatchObject(refused);
    const logged = "echo 'timestamp=1 level=INFO'; echo 'Invalid status: not registered'; exit 1";
    expect(await list(logged)).toMatchObject(refused);
    expect(await list("exit 4")).toMatchObject({ message: "fp: failed with exit code 4" });
  });

  test.each([
    ["broken JSON", `echo '{"issues": ['`],
    ["nothing", "true"],
    ["lines, as old releases do", "echo '├── FP-1 [todo] [high] First'"],
  ])("prints %s, that is told and nothing is guessed", async (_, script) => {
    expect(await list(script)).toMatchObject({ failureClass: "contract" });
  });

  test("creates nothing, or says no comment, that is told", async () => {
    const { ref } = await create({ title: "Work" });
    scratch.installScript("real-fp", join(import.meta.dir, "..", "simulators", "fp.ts"));
    scratch.install("fp", `case "$*" in *create*|*add*) echo done;; *) exec real-fp "$@";; esac`);
    expect(await failureOf(create({ title: "Lost" }))).toMatchObject({
      message: "fp did not apply the new issue, and gave no reason.",
    });
    expect(await failureOf(connector.addComment(ref, "Lost", key()))).toMatchObject({
      message: "fp did not apply the comment, and gave no reason.",
    });
  });
});

describe("in an engine", () => {
  const engineOf = (store: MemoryIssueStore) =>
    new SyncEngine({
      connector,
      store,
      policy: { mode: "split_ownership" },
      now: () => new Date(scratch.store.now + 3_600_000),
      sleep: async () => {},
    });

  test("goes there and back, and a second time writes nothing", async () => {
    const engine = engineOf(new MemoryIssueStore());
    await engine.create("local-1", { ...BLANK, title: "Refund twice", body: "Steps" });
    expect((await collect(engine.push())).stats).toMatchObject({ created: { remote: 1 }, failed: 0 });
    scratch.tick();
    fp("issue", "update", "--title", "Refund once", scratch.store.issues[0]?.id ?? "");
    expect((await collect(engine.pull())).stats).toMatchObject({ updated: { local: 1 } });
    const edited = await engine.edit("local-1", { body: "Better steps", status: "in_progress" });
    expect(edited.fields).toMatchObject({ title: "Refund once" });
    expect((await collect(engine.push())).stats).toMatchObject({ updated: { remote: 1 }, failed: 0 });
    expect(scratch.store.issues).toMatchObject([{ description: "Better steps", status: "in-progress" }]);
    const before = scratch.store;
    await collect(engine.pull({ full: true }));
    await collect(engine.push());
    expect(scratch.store).toEqual(before);
  });

  test("a create whose answer was lost is one issue", async () => {
    scratch.installScript("real-fp", join(import.meta.dir, "..", "simulators", "fp.ts"));
    scratch.install(
      "fp",
      `case "$*" in *create*) real-fp "$@" > /dev/null; echo "database is locked"; exit 1;; esac; exec real-fp "$@"`,
    );
    const engine = engineOf(new MemoryIssueStore());
    await engine.create("local-1", { ...BLANK, title: "Once" });
    expect((await collect(engine.push())).stats).toMatchObject({ created: { remote: 1 }, failed: 0 });
    expect(scratch.store.issues.map(({ title }) => title)).toEqual(["Once"]);
  });
});
