/** The connector to beads over a stand-in for the program `bd` and, where it is on PATH, over `bd`. The contract over the stand-in is in `contract/connectors.test.ts`. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { BeadsApi } from "../../src/sdk/connectors/beads/api.ts";
import { ProviderConnector } from "../../src/sdk/connectors/shared/provider-connector.ts";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import { ConnectorConfigError, IssueNotFoundError } from "../../src/sdk/errors.ts";
import { BLANK, type CanonicalIssue, type IssueFields } from "../../src/sdk/model.ts";
import { createLocalConnector } from "../../src/sdk/registry.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { describeConnector } from "../helpers/connector-contract.ts";
import { failureOf } from "../helpers/failure.ts";
import {
  type CountingProgram,
  countedBd,
  realBeadsSubject,
  SimulatedBeads,
} from "../helpers/subjects/beads.ts";

if (Bun.which("bd") === null) {
  test.skip("the contract over the real bd: it is not on PATH", () => {});
} else describeConnector("beads, over the real bd", realBeadsSubject);

let scratch: SimulatedBeads;
let program: CountingProgram;
let connector: TrackerConnector;
let keys = 0;
const key = () => ({ idempotencyKey: `key-${++keys}` });
const create = (fields: Partial<IssueFields> & { readonly title: string }): Promise<CanonicalIssue> =>
  connector.createIssue({ ...BLANK, ...fields }, key());

beforeEach(() => {
  scratch = new SimulatedBeads();
  program = countedBd(scratch);
  connector = new ProviderConnector(new BeadsApi(program, "payments"));
});
afterEach(() => scratch[Symbol.dispose]());

const bd = (...args: readonly string[]) => scratch.run(["bd", ...args]);

test("the catalog's connector runs the program of its params in the folder of its params", async () => {
  const { environment, folder } = scratch;
  const made = await createLocalConnector("beads", { workspace: "payments", cwd: folder }, environment);
  expect(made).toMatchObject({ provider: "beads", workspace: "payments" });
  expect((await made.listIssues({})).items).toEqual([]);
  const other = createLocalConnector(
    "beads",
    { workspace: "payments", command: "bd2", cwd: folder },
    environment,
  );
  expect(await failureOf(other.then((connector) => connector.listIssues({})))).toMatchObject({
    message: expect.stringContaining("the program bd2 was not found. Install it: https://"),
  });
  expect(await failureOf(createLocalConnector("beads", { workspace: "" }))).toMatchObject({
    message: "beads: params.workspace: must not be empty",
  });
});

describe("texts", () => {
  const HOSTILE = [
    "--help",
    "-f",
    "--title=other",
    "$(touch owned) `touch owned` $HOME",
    `"double" 'single' \\ back`,
    "first\nsecond\r\n\tthird",
    "; rm -rf . && echo | cat > owned",
    "@/etc/passwd",
    "-",
    "a,b,,c",
    '"a","b',
    "ä 日本 🎉 \u202e",
  ];

  test.each(HOSTILE)("reach the tracker as they are: %j", async (title) => {
    expect(await create({ title, body: title })).toMatchObject({ title, body: title });
    expect(existsSync(join(scratch.folder, "owned"))).toBe(false);
    expect(scratch.store.issues).toHaveLength(1);
  });

  test("reach it in updates, labels, custom fields and comments, too", async () => {
    const { ref } = await create({ title: "Before", body: "Before", labels: ["before"] });
    const body = HOSTILE.join("\n");
    const fields = {
      title: "--",
      body,
      customFields: Object.fromEntries(HOSTILE.map((text) => [text, text])),
    };
    const kept = await connector.updateIssue(ref, { ...fields, labels: HOSTILE }, key());
    expect(kept).toMatchObject(fields);
    expect(kept.labels).toEqual([...HOSTILE].sort());
    expect((await connector.updateIssue(ref, { customFields: {}, labels: [] }, key())).customFields).toEqual(
      {},
    );
    expect((await connector.addComment(ref, `-${body}`, key())).body).toBe(`-${body}`);
    expect(existsSync(join(scratch.folder, "owned"))).toBe(false);
  });

  test("of any kind come back from labels and bodies", async () => {
    const label = fc
      .string({ unit: fc.constantFrom("a", ",", '"', " ", "-", "=", "\\", "é", "\n") })
      .filter((text) => text !== "" && text === text.trim());
    const { ref } = await create({ title: "Labels" });
    const property = fc.asyncProperty(
      fc.uniqueArray(label, { maxLength: 3 }),
      fc
        .string({ unit: "binary", minLength: 1 })
        .filter((text) => text.isWellFormed() && !text.includes("\0")),
      async (labels, body) => {
        const kept = await connector.updateIssue(ref, { labels, body }, key());
        expect([...kept.labels].sort()).toEqual([...labels].sort());
        expect(kept.body).toBe(body);
      },
    );
    await fc.assert(property, { numRuns: 10 });
  });

  test("with a NUL character are refused, and nothing is created", async () => {
    for (const fields of [
      { title: "a\0b" },
      { title: "a", body: "a\0b" },
      { title: "a", labels: ["a\0b"] },
    ]) {
      expect(await failureOf(create(fields))).toMatchObject({ failureClass: "invalid" });
    }
    expect(scratch.store.issues).toEqual([]);
  });

  test("of a megabyte are no problem in a body and in a comment", async () => {
    const body = "long ".repeat(200_000).trim();
    const { ref } = await create({ title: "Long", body });
    expect((await connector.getIssue(ref)).body).toBe(body);
    expect((await connector.addComment(ref, body, key())).body).toBe(body);
  });
});

describe("writing", () => {
  test("creates with all fields, in one issue, under a parent and with links", async () => {
    const parent = await create({ title: "Parent", labels: ["inherited"] });
    const blocker = await create({ title: "Blocker" });
    const fields: IssueFields = {
      ...BLANK,
      title: "Child",
      body: "Body",
      status: "in_progress",
      issueType: "story",
      priority: 1,
      labels: ["own"],
      parent: parent.ref,
      links: [{ type: "blocked_by", target: blocker.ref }],
      customFields: { decision_refs: ["d1"] },
    };
    expect(await create(fields)).toMatchObject(fields);
    expect(scratch.store.issues.at(-1)).toMatchObject({
      issue_type: "feature",
      priority: 0,
      status: "in_progress",
      labels: ["own"],
      assignee: "",
    });
  });

  test("leaves what was not asked for alone", async () => {
    const { ref } = await create({ title: "Before", body: "Body", labels: ["a"], customFields: { n: 1 } });
    bd("update", ref.id, "--assignee=ada", "--type=spike");
    const before = scratch.store.issues.map((issue) => ({ ...issue, title: "After" }));
    await connector.updateIssue(ref, { title: "After" }, key());
    expect(scratch.store.issues).toEqual(before);
  });

  test("labels are added and taken away one by one, so that those of others stay", async () => {
    const { ref } = await create({ title: "Labels", labels: ["a", "b"] });
    await connector.updateIssue(ref, { labels: ["b", "c"] }, key());
    bd("update", ref.id, "--add-label=theirs");
    expect((await connector.getIssue(ref)).labels).toEqual(["b", "c", "theirs"]);
  });

  test("clears a body and takes away custom fields, and still knows what it created", async () => {
    const options = key();
    const fields = { ...BLANK, title: "Full", body: "Body", customFields: { a: 1, b: { c: [2] } } };
    const { ref } = await connector.createIssue(fields, options);
    const kept = await connector.updateIssue(ref, { body: null, customFields: { b: 3 } }, key());
    expect(kept).toMatchObject({ body: null, customFields: { b: 3 } });
    expect((await connector.updateIssue(ref, { customFields: {} }, key())).customFields).toEqual({});
    expect((await connector.findCreated(options.idempotencyKey))?.ref).toEqual(ref);
  });

  test("takes a parent away, and opens an issue again that a person closed", async () => {
    const parent = await create({ title: "Parent" });
    const { ref } = await create({ title: "Child", parent: parent.ref });
    expect((await connector.updateIssue(ref, { parent: null }, key())).parent).toBeNull();
    bd("update", ref.id, "--status=closed");
    expect((await connector.getIssue(ref)).status).toBe("done");
    expect((await connector.transitionIssue(ref, "todo", key())).status).toBe("todo");
  });

  test("refuses no priority and subtasks", async () => {
    const { ref } = await create({ title: "Work", priority: 3 });
    expect(await failureOf(connector.updateIssue(ref, { priority: null }, key()))).toMatchObject({
      capability: "priority",
    });
    expect(await failureOf(create({ title: "Part", issueType: "subtask" }))).toMatchObject({
      capability: "issueType",
    });
    expect(scratch.store.issues).toHaveLength(1);
  });

  test("does not replace a dependency of another kind", async () => {
    const [a, b] = [await create({ title: "a" }), await create({ title: "b" })];
    await connector.updateIssue(a.ref, { parent: b.ref }, key());
    const link = connector.upsertLink(a.ref, { type: "blocked_by", target: b.ref });
    expect(await failureOf(link)).toMatchObject({
      failureClass: "invalid",
      message: `bd allows one dependency from ${a.ref.id} to ${b.ref.id}, and it is already "parent-child".`,
    });
    expect((await connector.getIssue(a.ref)).parent).toEqual(b.ref);
  });

  test("a duplicate shows at its own end, and links to what is not there are refused", async () => {
    const [a, b] = [await create({ title: "a" }), await create({ title: "b" })];
    const link = { type: "duplicates", target: b.ref } as const;
    await connector.upsertLink(a.ref, link);
    expect((await connector.getIssue(a.ref)).links).toEqual([link]);
    expect((await connector.getIssue(b.ref)).links).toEqual([]);
    await connector.removeLink(a.ref, link);
    expect((await connector.getIssue(a.ref)).links).toEqual([]);
    const absent = { ...b.ref, id: "pay-absent" };
    expect(await failureOf(connector.upsertLink(a.ref, { type: "blocks", target: absent }))).toBeInstanceOf(
      IssueNotFoundError,
    );
  });
});

describe("reading", () => {
  test("asks the program once for a whole listing", async () => {
    scratch.change((store) => {
      bd("create", "--title=Template");
      const [template] = scratch.store.issues;
      if (template === undefined) throw new Error("there is no template");
      store.issues = Array.from({ length: 10_000 }, (_, n) => ({
        ...template,
        id: `pay-${n}`,
        title: `Issue ${n}`,
      }));
    });
    const before = program.runs;
    const ids = new Set<string>();
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<TrackerConnector["listIssues"]>> = await connector.listIssues({
        limit: 1000,
        ...(cursor !== null && { cursor }),
      });
      for (const { ref } of page.items) ids.add(ref.id);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(ids.size).toBe(10_000);
    expect(program.runs - before).toBe(1);
  });

  test("goes on with a listing that another process began", async () => {
    for (const title of ["a", "b", "c"]) {
      scratch.tick();
      await create({ title });
    }
    const { nextCursor } = await connector.listIssues({ limit: 2 });
    scratch.tick();
    bd("update", scratch.store.issues[0]?.id ?? "", "--title=a, later");
    const another = new ProviderConnector(new BeadsApi(countedBd(scratch), "payments"));
    const { items } = await another.listIssues({ limit: 2, cursor: nextCursor ?? "" });
    expect(items.map(({ title }) => title)).toEqual(["c", "a, later"]);
  });

  test("shows nothing that a write has overtaken", async () => {
    await create({ title: "a" });
    scratch.tick();
    const { ref: last } = await create({ title: "b" });
    const { nextCursor } = await connector.listIssues({ limit: 1 });
    await connector.updateIssue(last, { labels: ["new"] }, key());
    expect((await connector.listIssues({ limit: 1, cursor: nextCursor ?? "" })).items).toMatchObject([
      { labels: ["new"] },
    ]);
  });

  test("asks for the project's own statuses where it has to", async () => {
    await create({ title: "a" });
    const before = program.runs;
    await connector.listIssues({});
    expect(program.runs - before).toBe(1);
    scratch.change((store) => {
      store.statuses = { qa: "wip", archived: "done" };
    });
    bd("update", scratch.store.issues[0]?.id ?? "", "--status=qa");
    expect((await connector.listIssues({})).items).toMatchObject([{ status: "in_progress" }]);
    scratch.change((store) => {
      store.statuses = { qa: "" };
    });
    expect(await failureOf(connector.listIssues({}))).toMatchObject({ failureClass: "contract" });
  });
});

describe("when bd", () => {
  /** A connector over a program that behaves as the script says. */
  const over = (script: string): TrackerConnector => {
    scratch.install("bd", script);
    return connector;
  };
  const list = (script: string) => failureOf(over(script).listIssues({}));

  test("has no tracker here, that is said with what to do", async () => {
    scratch.run(["rm", "-r", ".beads"]);
    const error = await failureOf(connector.listIssues({}));
    expect(error).toBeInstanceOf(ConnectorConfigError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/^bd: no beads database found\. .*\. Run "bd init" there, or set "cwd"/),
    });
  });

  test.each([
    ["text on standard error", `echo "Error: priority must be between 0 and 4" >&2; exit 1`],
    [
      "JSON on standard output",
      `echo '{"error": "priority must be between 0 and 4", "schema_version": 1}'; exit 1`,
    ],
    [
      "JSON on standard error",
      `echo 'warning: old' >&2; echo '{"error": "priority must be between 0 and 4"}' >&2; exit 1`,
    ],
    [
      "an envelope",
      `echo '{"data":{"error":"priority must be between 0 and 4"},"schema_version":1}'; exit 1`,
    ],
  ])("refuses with %s, its words are passed on", async (_, script) => {
    expect(await list(script)).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("priority must be between 0 and 4"),
    });
  });

  test.each([
    ["database is locked", "transient", true],
    ["workspace is frozen for migration (by ada)", "transient", true],
    ["operation 'update' is not allowed in read-only mode", "permission", false],
    ["", "invalid", false],
  ])("fails with %j, it is %s", async (message, failureClass, retryable) => {
    expect(await list(`echo "Error: ${message}" >&2; exit 14`)).toMatchObject({ failureClass, retryable });
    expect(await list("exit 3")).toMatchObject({ message: "bd: failed with exit code 3" });
  });

  test.each([
    ["broken JSON", `echo '{"id": "pay-1", "title": '`],
    ["prose", "echo 'Everything is fine'"],
    ["a page", "echo '<!doctype html>'"],
    ["an issue without a title", `echo '{"id":"pay-1"}'`],
  ])("prints %s, that is told and nothing is guessed", async (_, script) => {
    expect(await list(script)).toMatchObject({
      failureClass: "contract",
      fieldPath: expect.stringContaining("export.1"),
    });
  });

  test("says that it created something, but not what, the mark tells", async () => {
    scratch.installScript("real-bd", join(import.meta.dir, "..", "simulators", "beads.ts"));
    over(`real-bd "$@" > out; code=$?; case "$*" in *create*) echo created;; *) cat out;; esac; exit $code`);
    const options = key();
    const error = await failureOf(connector.createIssue({ ...BLANK, title: "Once" }, options));
    expect(error).toMatchObject({ failureClass: "contract" });
    expect((await connector.createIssue({ ...BLANK, title: "Once" }, options)).title).toBe("Once");
    expect(scratch.store.issues).toHaveLength(1);
  });

  test("ignores a field, that is told", async () => {
    const { ref } = await create({ title: "Work", labels: ["a"] });
    scratch.installScript("real-bd", join(import.meta.dir, "..", "simulators", "beads.ts"));
    over(`case "$*" in *update*) echo '[]';; *) exec real-bd "$@";; esac`);
    expect(await failureOf(connector.updateIssue(ref, { labels: ["b"] }, key()))).toMatchObject({
      failureClass: "permission",
      message: "beads did not apply labels, and gave no reason.",
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
    const store = new MemoryIssueStore();
    const engine = engineOf(store);
    await engine.create("local-1", { ...BLANK, title: "Refund twice", body: "Steps", labels: ["api"] });
    expect((await collect(engine.push())).stats).toMatchObject({ created: { remote: 1 }, failed: 0 });
    const [issue] = scratch.store.issues;
    scratch.tick();
    bd("update", issue?.id ?? "", "--title=Refund once", "--add-label=theirs");
    expect((await collect(engine.pull({ full: true }))).stats).toMatchObject({ updated: { local: 1 } });
    const edited = await engine.edit("local-1", { body: "Better steps", status: "in_progress" });
    expect(edited.fields).toMatchObject({ title: "Refund once", labels: ["api", "theirs"] });
    expect((await collect(engine.push())).stats).toMatchObject({ updated: { remote: 1 }, failed: 0 });
    expect(scratch.store.issues).toMatchObject([{ description: "Better steps", status: "in_progress" }]);
    const before = scratch.store;
    await collect(engine.pull({ full: true }));
    await collect(engine.push());
    expect(scratch.store).toEqual(before);
  });

  test("sees labels, links and deletions that leave no date, in a full pull", async () => {
    const store = new MemoryIssueStore();
    const engine = engineOf(store);
    const [a, b, c] = [
      await create({ title: "a" }),
      await create({ title: "b" }),
      await create({ title: "c" }),
    ];
    await collect(engine.pull({ full: true }));
    scratch.change((tracker) => {
      tracker.now += 86_400_000;
    });
    bd("update", a.ref.id, "--add-label=late");
    bd("dep", "add", a.ref.id, b.ref.id);
    bd("delete", c.ref.id, "--force");
    await collect(engine.pull({ full: true }));
    const records = await store.transaction((transaction) => transaction.list(null, 10));
    const known = new Map(records.map((record) => [record.ref?.id, record]));
    expect(known.get(a.ref.id)?.fields).toMatchObject({ labels: ["late"], links: [{ type: "blocked_by" }] });
    expect(known.get(b.ref.id)?.fields).toMatchObject({ links: [{ type: "blocks" }] });
    expect(known.get(c.ref.id)?.deletedAt).not.toBeNull();
  });

  test("a create whose answer was lost is one issue", async () => {
    scratch.installScript("real-bd", join(import.meta.dir, "..", "simulators", "beads.ts"));
    scratch.install(
      "bd",
      `case "$*" in *create*) real-bd "$@" > /dev/null; echo "Error: database is locked" >&2; exit 1;; esac; exec real-bd "$@"`,
    );
    const engine = engineOf(new MemoryIssueStore());
    await engine.create("local-1", { ...BLANK, title: "Once" });
    expect((await collect(engine.push())).stats).toMatchObject({ created: { remote: 1 }, failed: 0 });
    expect(scratch.store.issues.map(({ title }) => title)).toEqual(["Once"]);
  });
});
