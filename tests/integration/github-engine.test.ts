/** The engine keeps a store and a GitHub repository the same. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import { BLANK, type IssueFields } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { recordIn } from "../helpers/store-fixture.ts";
import { githubConnector } from "../helpers/subjects/github.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import type { SimulatedRequest } from "../simulators/server.ts";

const NAME = "acme/payments-api";
const DRAFT: IssueFields = {
  ...BLANK,
  title: "Refund twice",
  body: "Two\n\nparagraphs",
  status: "done",
  issueType: "bug",
  labels: ["payments"],
  assignees: ["ada"],
};

let simulator: GitHubSimulator;
let store: MemoryIssueStore;
let waits: number[];

beforeEach(async () => {
  simulator = await new GitHubSimulator({
    workspaces: [
      {
        login: "acme",
        issueTypes: ["Bug", "Task"],
        repositories: [{ name: "payments-api", people: ["ada"] }],
      },
    ],
  }).start();
  // Keys of creates tell the time of this machine.
  simulator.setClock(Date.now());
  store = new MemoryIssueStore();
  waits = [];
});
afterEach(() => simulator.stop());

/** An engine in a process of its own. */
async function newEngine(): Promise<SyncEngine> {
  return new SyncEngine({
    connector: await githubConnector(simulator, NAME),
    store,
    policy: { mode: "split_ownership" },
    now: () => new Date(simulator.now()),
    sleep: async (milliseconds) => {
      waits.push(milliseconds);
    },
    random: () => 0.5,
  });
}

async function sync(engine: SyncEngine) {
  simulator.tick(60_000);
  const before = simulator.requests.length;
  const { errors, stats } = await collect(engine.sync());
  const writes = simulator.requests.slice(before).filter(({ method }) => method !== "GET");
  return {
    errors,
    stats,
    writes: writes.map(({ method, path }) => `${method} ${path.replace(/^.*payments-api/, "")}`),
  };
}

const recordOf = (key: string) => recordIn(store, key);
const isCreate = ({ method, path }: SimulatedRequest) => method === "POST" && path.endsWith("/issues");

test("what is filed here is edited there, and here again; then nothing is left to do", async () => {
  const engine = await newEngine();
  await engine.create("mine", DRAFT);
  expect(await sync(engine)).toMatchObject({ errors: [], writes: ["POST /issues", "PATCH /issues/1"] });
  expect(await sync(engine)).toMatchObject({ errors: [], writes: [] });
  expect(simulator.issue(NAME, 1)).toMatchObject({
    title: "Refund twice",
    state: "closed",
    labels: ["payments"],
  });

  simulator.tick();
  simulator.editIssue(NAME, 1, { title: "Refund thrice", body: "Two\r\n\r\nparagraphs, edited" });
  simulator.labelIssue(NAME, 1, "urgent");
  expect(await sync(engine)).toMatchObject({ errors: [], writes: [] });
  expect((await recordOf("mine"))?.fields).toMatchObject({
    title: "Refund thrice",
    body: "Two\r\n\r\nparagraphs, edited",
    labels: ["payments", "urgent"],
    status: "done",
  });

  simulator.tick();
  await engine.edit("mine", { status: "todo", labels: ["urgent"], assignees: [] });
  expect(await sync(engine)).toMatchObject({
    errors: [],
    writes: ["DELETE /issues/1/labels/payments", "DELETE /issues/1/assignees", "PATCH /issues/1"],
  });
  expect(simulator.issue(NAME, 1)).toMatchObject({ state: "open", labels: ["urgent"] });
  expect(await sync(engine)).toMatchObject({ errors: [], writes: [] });
});

test("an issue is made once when GitHub's answer to its create is lost", async () => {
  const engine = await newEngine();
  await engine.create("mine", DRAFT);
  simulator.fail({ kind: "lost_response" }, isCreate);
  expect(await sync(engine)).toMatchObject({ writes: ["POST /issues"] });
  expect(simulator.countIssues(NAME)).toBe(1);
  expect(waits).toHaveLength(1);
  expect(await recordOf("mine")).toMatchObject({ ref: { key: "#1" }, fields: DRAFT });
  // What a create takes more than one request for is written by the next run.
  expect(await sync(engine)).toMatchObject({ errors: [], writes: ["PATCH /issues/1"] });
  expect(simulator.issue(NAME, 1)).toMatchObject({ state: "closed" });
  expect(await sync(engine)).toMatchObject({ errors: [], writes: [] });
});

test("an issue is made once when the process dies before the answer", async () => {
  const dying = await newEngine();
  await dying.create("mine", DRAFT);
  const dead = async () => {
    throw new Error("the process died");
  };
  simulator.fail(
    { kind: "meanwhile", phase: "after", happens: () => Object.assign(store, { transaction: dead }) },
    isCreate,
  );
  const { transaction } = store;
  await expect(collect(dying.push())).rejects.toThrow("died");
  Object.assign(store, { transaction });
  // Meanwhile the issue is listed among others.
  for (let at = 0; at < 150; at += 1) simulator.addIssue(NAME, { title: `theirs ${at}` });
  const next = await newEngine();
  await sync(next);
  expect(simulator.countIssues(NAME)).toBe(151);
  expect(await recordOf("mine")).toMatchObject({ ref: { key: "#1" } });
  await sync(next);
  expect(await sync(next)).toMatchObject({ errors: [], writes: [] });
});

test("a secondary limit is waited out for a minute, and the write is made once", async () => {
  const engine = await newEngine();
  await engine.create("mine", DRAFT);
  const message = "You have exceeded a secondary rate limit.";
  simulator.fail({ kind: "answer", status: 403, body: { message } }, isCreate);
  expect(await sync(engine)).toMatchObject({ errors: [] });
  expect(waits).toEqual([60_000]);
  expect(simulator.countIssues(NAME)).toBe(1);
});

test("a repository that was renamed takes no issue away", async () => {
  simulator.addIssue(NAME, { title: "Theirs" });
  const engine = await newEngine();
  await sync(engine);
  simulator.renameRepository(NAME, "payments");
  const { errors } = await collect(engine.pull({ full: true }));
  expect(errors).toMatchObject([{ message: expect.stringContaining("Refresh the connection") }]);
  const records = await recordIn(store, `github:${encodeURIComponent(NAME)}:1`);
  expect(records).toMatchObject({ deletedAt: null });
});

test("an issue that was deleted or transferred is taken away, and only that one", async () => {
  for (const title of ["One", "Two", "Three"]) simulator.addIssue(NAME, { title });
  const engine = await newEngine();
  await sync(engine);
  simulator.deleteIssue(NAME, 1);
  expect(await collect(engine.pull({ full: true }))).toMatchObject({ errors: [] });
  const deleted = await Promise.all(
    [1, 2, 3].map(
      async (number) => (await recordOf(`github:${encodeURIComponent(NAME)}:${number}`))?.deletedAt,
    ),
  );
  expect(deleted.map((instant) => instant !== null)).toEqual([true, false, false]);
});
