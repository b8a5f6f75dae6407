/** The Linear connector when things go wrong: at Linear, on the way, or because somebody else was faster. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import { linear } from "../../src/sdk/connectors/linear/index.ts";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import {
  CapabilityNotSupportedError,
  ConnectorRequestError,
  IssueNotFoundError,
} from "../../src/sdk/errors.ts";
import type { Transport } from "../../src/sdk/http/transport.ts";
import {
  BLANK,
  type CanonicalIssue,
  type ExternalRef,
  type IssuePatch,
  type Page,
} from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { failureOf } from "../helpers/failure.ts";
import { ACME, directly, TEAM_ID } from "../helpers/subjects/linear.ts";
import { changed } from "../simulators/linear/changed.ts";
import { type Limit, LinearSimulator } from "../simulators/linear/index.ts";
import type { LinearStore } from "../simulators/linear/store.ts";
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "../simulators/server.ts";

const KEY = { idempotencyKey: "key" };

let simulator: LinearSimulator;
let store: LinearStore;
let connector: TrackerConnector;

beforeEach(async () => {
  simulator = await new LinearSimulator({ workspaces: [ACME] }).start();
  store = simulator.store();
  connector = linear.connect({ teamId: TEAM_ID }, directly(simulator));
});
afterEach(() => simulator.stop());

const refOf = (id: string): ExternalRef => ({ system: "linear", workspace: TEAM_ID, id });
const file = (title: string) => refOf(store.addIssue(TEAM_ID, { title }).id);

/** Whether a request is the one of that name. */
const asks =
  (operation: string) =>
  ({ body }: SimulatedRequest) =>
    JSON.stringify(body).includes(`${operation}(`);

async function listed(limit = 50, between: () => void = () => {}): Promise<readonly CanonicalIssue[]> {
  const issues: CanonicalIssue[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<CanonicalIssue> = await connector.listIssues({
      limit,
      ...(cursor !== null && { cursor }),
    });
    issues.push(...page.items);
    cursor = page.nextCursor;
    between();
  } while (cursor !== null);
  return issues;
}

describe("a long list", () => {
  const fill = (count: number, step: number) =>
    Array.from({ length: count }, (_, at) => {
      simulator.tick(step);
      return file(`issue ${at}`).id;
    });

  test.each([1000, 0])(
    "is read whole and once, oldest change first, with %p ms between changes",
    async (step) => {
      const ids = fill(130, step);
      for (const limit of [40, 1000]) {
        const issues = await listed(limit);
        expect(issues.map(({ ref }) => ref.id).toSorted()).toEqual(ids.toSorted());
        const instants = issues.map(({ updatedAt }) => updatedAt);
        expect(instants).toEqual(instants.toSorted());
      }
    },
  );

  test("is asked for as a closed window of changes, oldest first, the archive too", async () => {
    const window = { updatedSince: "2026-03-01T09:00:00.000Z", until: "2026-03-01T10:00:00.000Z" };
    await connector.listIssues(window);
    expect(simulator.requests.at(-1)?.body).toMatchObject({
      query: expect.stringContaining("orderBy: updatedAt, includeArchived: true"),
      variables: {
        filter: { updatedAt: { gte: window.updatedSince, lt: window.until }, team: { id: { eq: TEAM_ID } } },
        last: 50,
      },
    });
  });

  test("misses nobody and doubles nobody when issues change between pages", async () => {
    const ids = fill(130, 1000);
    const before = simulator.now();
    let at = 0;
    const seen: string[] = [];
    const issues = await listed(10, () => {
      simulator.tick();
      // One that was read, one that was not.
      for (const id of [ids[at], ids[ids.length - 1 - at]])
        if (id !== undefined) store.edit(id, { priority: 1 });
      at += 1;
    });
    for (const { ref, updatedAt } of issues) seen.push(`${ref.id} ${updatedAt}`);
    expect(new Set(issues.map(({ ref }) => ref.id))).toEqual(new Set(ids));
    expect(new Set(seen).size).toBe(seen.length);
    const unchanged = issues.filter(({ updatedAt }) => Date.parse(updatedAt) <= before);
    expect(new Set(unchanged.map(({ ref }) => ref.id)).size).toBe(unchanged.length);
  });

  test("goes on past pages of what is in the trash", async () => {
    const ids = fill(130, 1000);
    for (const id of ids.slice(5)) {
      simulator.tick();
      store.trash(id);
    }
    expect((await listed()).map(({ ref }) => ref.id)).toEqual(ids.slice(0, 5));
    // 50 a page, each from where the one before ended.
    expect(simulator.requests).toHaveLength(3);
    expect((await connector.searchIssues({ limit: 100 })).map(({ ref }) => ref.id)).toEqual(
      ids.slice(0, 5).toReversed(),
    );
  });

  test("is refused when Linear gives it in another order", async () => {
    fill(3, 1000);
    simulator.fail({ kind: "distort", distort: (answer) => changed(answer, "issues.nodes", reversed) });
    expect(await failureOf(() => listed())).toMatchObject({ failureClass: "contract" });
  });
});

describe("a lost answer", () => {
  test("to a create leaves one issue, which the engine finds", async () => {
    const engine = new SyncEngine({
      connector,
      store: new MemoryIssueStore(),
      policy: { mode: "split_ownership" },
      sleep: async () => {},
    });
    await engine.create("local-1", { ...BLANK, title: "Once", priority: 2 });
    simulator.fail({ kind: "lost_response" }, asks("issueCreate"));
    expect(await collect(engine.push())).toMatchObject({ errors: [], stats: { created: { remote: 1 } } });
    expect([...store.issues.values()].map(({ title }) => title)).toEqual(["Once"]);
    expect(simulator.requests.filter(asks("issueCreate"))).toHaveLength(1);
  });

  test.each([
    ["in the trash", (id: string) => store.trash(id)],
    ["in another team", (id: string) => store.move(id, "OPS")],
  ])("to a create whose issue is %s since keeps no later sync from going well", async (_, lose) => {
    const issues = new MemoryIssueStore();
    const engine = new SyncEngine({ connector, store: issues });
    await engine.create("local-1", { ...BLANK, title: "Once" });
    await issues.transaction((transaction) => transaction.putIntent({ key: "local-1", ...KEY }));
    lose((await connector.createIssue({ ...BLANK, title: "Once" }, KEY)).ref.id);
    for (let count = 0; count < 2; count += 1) {
      expect(await collect(engine.sync())).toMatchObject({ errors: [], stats: { created: { remote: 0 } } });
    }
    expect(await failureOf(() => connector.createIssue({ ...BLANK, title: "Once" }, KEY))).toBeInstanceOf(
      IssueNotFoundError,
    );
    expect(store.issues.size).toBe(1);
  });

  test("to a comment leaves one comment", async () => {
    const ref = file("Talk");
    simulator.fail({ kind: "lost_response" }, asks("commentCreate"));
    expect(await failureOf(() => connector.addComment(ref, "Hello", KEY))).toMatchObject({ retryable: true });
    const comment = await connector.addComment(ref, "Hello", KEY);
    expect((await connector.listComments(ref)).items).toEqual([comment]);
  });

  test.each(["IssueId", "IssueComments"])(
    "is made up for by the id, even if %s does not tell yet",
    async (lagging) => {
      const ref = file("Talk");
      const create = () => connector.createIssue({ ...BLANK, title: "Once" }, KEY);
      const comment = () => connector.addComment(ref, "Hello", KEY);
      const [issue, said] = [await create(), await comment()];
      simulator.fail(
        {
          kind: "distort",
          distort: (answer) =>
            lagging === "IssueId" ? absent : changed(answer, "issue.comments.nodes", () => []),
        },
        asks(lagging),
      );
      expect(await create()).toEqual(issue);
      expect(await comment()).toEqual(said);
      expect(store.comments.size).toBe(1);
    },
  );
});

describe("limits", () => {
  const limits: readonly Limit[] = ([200, 400, 429] as const).flatMap((status) =>
    (["requests", "complexity", "endpoint-requests"] as const).map((budget) => ({
      status,
      budget,
      seconds: 41,
    })),
  );
  test.each(limits)("tell when to come back: %p", async (limit) => {
    const ref = file("Busy");
    simulator.limit(limit);
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({
      failureClass: "rate_limited",
      retryable: true,
      retryAfterSeconds: 41,
    });
    expect(await connector.getIssue(ref)).toMatchObject({ title: "Busy" });
  });

  test.each([200, 400, 429])("are known without any header: %p", async (status) => {
    const body = { errors: [{ message: "Rate limit exceeded", extensions: { code: "RATELIMITED" } }] };
    simulator.fail({ kind: "answer", status, body });
    expect(await failureOf(() => connector.searchIssues({}))).toMatchObject({
      failureClass: "rate_limited",
      retryAfterSeconds: null,
    });
  });

  test("of a proxy in between are limits too", async () => {
    simulator.fail({ kind: "answer", status: 429, headers: { "retry-after": "7" }, body: "Slow down" });
    expect(await failureOf(() => connector.searchIssues({}))).toMatchObject({
      failureClass: "rate_limited",
      retryAfterSeconds: 7,
    });
  });
});

describe("a refusal", () => {
  const cases = [
    [400, "AUTHENTICATION_ERROR", "auth"],
    [401, "AUTHENTICATION_ERROR", "auth"],
    [200, "FORBIDDEN", "permission"],
    [403, "FORBIDDEN", "permission"],
    [400, "FEATURE_NOT_ACCESSIBLE", "permission"],
    [200, "USAGE_LIMIT_EXCEEDED", "permission"],
    [200, "INPUT_ERROR", "invalid"],
    [200, "INTERNAL_SERVER_ERROR", "transient"],
    [200, "LOCK_TIMEOUT", "transient"],
    [500, "GRAPHQL_VALIDATION_FAILED", "contract"],
    [200, "SOMETHING_NEW", "invalid"],
    [503, "SOMETHING_NEW", "transient"],
  ] as const;
  test.each(cases)("with HTTP %p and %s is of the class %s", async (status, code, failureClass) => {
    const userPresentableMessage = "In words for people.";
    const data = status === 200 ? { issue: null } : undefined;
    simulator.fail({
      kind: "answer",
      status,
      body: { data, errors: [{ message: "Oh no", extensions: { code, userPresentableMessage } }] },
    });
    const error = await failureOf(() => connector.getIssue(refOf("x")));
    expect(error).toMatchObject({
      provider: "linear",
      failureClass,
      message: "Linear: In words for people.",
    });
  });

  test.each([
    ["forbidden", "permission"],
    ["internal error", "transient"],
    ["ratelimited", "rate_limited"],
  ])("is known by its type alone: %s", async (type, failureClass) => {
    simulator.fail({
      kind: "answer",
      status: 200,
      body: { errors: [{ message: "No", extensions: { type } }] },
    });
    expect(await failureOf(() => connector.findIssue("ENG-1"))).toMatchObject({ failureClass });
  });

  test("of the credential never shows it", async () => {
    const open = (token: string): Transport =>
      openTransport("linear", { kind: "token", token, baseUrl: simulator.origin });
    for (const token of ["lin_api_wrong", "oauth-wrong"]) {
      const stranger = linear.connect({ teamId: TEAM_ID }, open(token));
      const error = await failureOf(() => stranger.searchIssues({}));
      expect(error).toMatchObject({ failureClass: "auth", retryable: false });
      expect(String(error)).not.toContain(token);
    }
    const message = `The key ${simulator.token} is bad`;
    simulator.fail({ kind: "answer", status: 200, body: { errors: [{ message }] } });
    expect(String(await failureOf(() => connector.searchIssues({})))).not.toContain(simulator.token);
  });

  test("of every write leaves reading as it is", async () => {
    const ref = file("Read only");
    simulator.readOnly = true;
    const writes = [
      () => connector.createIssue({ ...BLANK, title: "New" }, KEY),
      () => connector.updateIssue(ref, { title: "New" }, KEY),
      () => connector.transitionIssue(ref, "done", KEY),
      () => connector.upsertLink(ref, { type: "blocks", target: file("Other") }),
      () => connector.addComment(ref, "Hello", KEY),
    ];
    for (const write of writes) expect(await failureOf(write)).toMatchObject({ failureClass: "permission" });
    expect(await connector.getIssue(ref)).toMatchObject({ title: "Read only" });
  });

  test("of a redirect sends nothing to the other host", async () => {
    const other = await new Stranger().start();
    for (const status of [301, 302, 307, 308]) {
      simulator.fail({ kind: "answer", status, headers: { location: `${other.origin}/graphql` } });
      expect(await failureOf(() => connector.searchIssues({}))).toMatchObject({ failureClass: "contract" });
    }
    expect(other.requests).toEqual([]);
    await other.stop();
  });
});

describe("what is not there", () => {
  test("is an issue in the trash, one that is deleted, one that was moved", async () => {
    const [trashed, purged, moved] = [file("Trashed"), file("Purged"), file("Moved")];
    store.trash(trashed.id);
    store.purge(purged.id);
    store.move(moved.id, "OPS");
    for (const ref of [trashed, purged, moved, refOf("ENG-3")]) {
      expect(await failureOf(() => connector.getIssue(ref))).toBeInstanceOf(IssueNotFoundError);
      expect(await failureOf(() => connector.addComment(ref, "Hello", KEY))).toBeInstanceOf(
        IssueNotFoundError,
      );
      expect(await failureOf(() => connector.listComments(ref))).toBeInstanceOf(IssueNotFoundError);
    }
    expect(store.comments.size).toBe(0);
    // Linear takes an identifier for an id: a reference holds none, or one issue would have two.
    const { id } = file("Here");
    expect(await failureOf(() => connector.getIssue(refOf("ENG-4")))).toBeInstanceOf(IssueNotFoundError);
    expect(await connector.findIssue("ENG-4")).toMatchObject({ ref: { id } });
    store.purge(id);
    for (const key of ["ENG-1", "ENG-2", "ENG-3", "OPS-1"]) expect(await connector.findIssue(key)).toBeNull();
    expect(await listed()).toEqual([]);
  });

  test.each([
    ["archived", () => Object.assign(store.team("ENG"), { archivedAt: "2026-03-01T09:00:00.000Z" })],
    ["hidden from the credential", () => Object.assign(store.team("ENG"), { visibility: "hidden" })],
  ])("is never an issue because its team is %s", async (_, vanish) => {
    const ref = refOf("00000000-0000-4000-8000-000000000001");
    vanish();
    const calls = [
      () => connector.getIssue(ref),
      () => connector.findIssue("ENG-1"),
      () => connector.listIssues({}),
      () => connector.searchIssues({}),
      () => connector.listComments(ref),
    ];
    for (const call of calls) {
      const error = await failureOf(call);
      expect(error).not.toBeInstanceOf(IssueNotFoundError);
      expect(error).toBeInstanceOf(ConnectorRequestError);
      expect(error).toMatchObject({ failureClass: "not_found" });
      expect(String(error)).toContain(TEAM_ID);
    }
  });

  test("is found by an identifier that the team had before it was renamed", async () => {
    const ref = file("Old");
    store.renameTeam("ENG", "CORE");
    expect(await connector.findIssue("ENG-1")).toMatchObject({ ref: { id: ref.id, key: "CORE-1" } });
    expect(await connector.findIssue("core-1")).toMatchObject({ ref: { id: ref.id } });
  });

  test.each([
    "https://linear.app/other/issue/ENG-1/old",
    "https://linear.app/acme/project/old",
    "ENG",
    "ENG-1-2",
    "#1",
    "a b",
    "ENG-99",
  ])("is no issue that is called %p", async (key) => {
    file("Old");
    expect(await connector.findIssue(key)).toBeNull();
  });
});

describe("what the team does not have", () => {
  const inOps = () => linear.connect({ teamId: store.team("OPS").id }, directly(simulator));

  test("is a state for every status: what there is is told, and what comes later is used", async () => {
    const ops = inOps();
    const issue = await ops.createIssue({ ...BLANK, title: "Rack" }, KEY);
    for (const status of ["in_review", "blocked"] as const) {
      const error = await failureOf(() => ops.transitionIssue(issue.ref, status, KEY));
      expect(error).toBeInstanceOf(CapabilityNotSupportedError);
      expect(error).toMatchObject({ capability: "statuses" });
      expect(String(error)).toContain("In Progress (started), Done (completed)");
    }
    store.addState("OPS", { name: "Code review", type: "started" });
    expect(await ops.transitionIssue(issue.ref, "in_review", KEY)).toMatchObject({ status: "in_review" });
    // Issues become duplicates by a relation, never by hand.
    expect(await ops.transitionIssue(issue.ref, "canceled", KEY)).toMatchObject({
      raw: { state: { name: "Canceled" } },
    });
  });

  test("decides between states that fit: the one for new issues, else the first", async () => {
    store.addTeam({
      key: "WEB",
      name: "Web",
      states: [
        { name: "Next", type: "unstarted" },
        { name: "Ready", type: "unstarted" },
        { name: "Doing", type: "started" },
        { name: "Testing", type: "started" },
      ],
      defaultState: "Ready",
    });
    const web = linear.connect({ teamId: store.team("WEB").id }, directly(simulator));
    const { ref } = await web.createIssue({ ...BLANK, title: "Page", status: "in_progress" }, KEY);
    expect(await web.getIssue(ref)).toMatchObject({ raw: { state: { name: "Doing" } } });
    expect(await web.transitionIssue(ref, "todo", KEY)).toMatchObject({ raw: { state: { name: "Ready" } } });
  });

  test("refuses a create before anything is made", async () => {
    const fields = { ...BLANK, title: "Rack", status: "blocked" } as const;
    const error = await failureOf(() => inOps().createIssue(fields, KEY));
    expect(error).toBeInstanceOf(CapabilityNotSupportedError);
    expect(store.issues.size).toBe(0);
  });

  test("is looked up again when a state is gone", async () => {
    const ref = file("Work");
    await connector.transitionIssue(ref, "in_progress", KEY);
    const { states } = store.team("ENG");
    states.splice(
      states.findIndex(({ name }) => name === "Done"),
      1,
    );
    const { id } = store.addState("ENG", { name: "Shipped", type: "completed" });
    expect(await failureOf(() => connector.transitionIssue(ref, "done", KEY))).toMatchObject({
      failureClass: "invalid",
    });
    expect(await connector.transitionIssue(ref, "done", KEY)).toMatchObject({ raw: { state: { id } } });
  });

  test.each([
    ["a label that is not there", { labels: ["payments", "urgent"] }, '"urgent"'],
    ["a label of another team", { labels: ["pager"] }, '"pager"'],
    ["a group of labels", { labels: ["Type"] }, '"Type" is a group'],
    ["two labels of one group", { labels: ["Bug", "Feature"] }, "Only one label in a group"],
    ["somebody nobody knows", { assignees: ["nobody"] }, '"nobody"'],
    ["an e-mail address", { assignees: ["Grace@acme.example"] }, 'here "grace"'],
  ])("refuses %s", async (_, patch, words) => {
    const ref = file("Work");
    for (const write of [
      () => connector.updateIssue(ref, patch, KEY),
      () => connector.createIssue({ ...BLANK, title: "New", ...patch }, KEY),
    ]) {
      const error = await failureOf(write);
      expect(error).toMatchObject({ failureClass: "invalid", retryable: false });
      expect(String(error)).toContain(words);
    }
    expect(store.issues.size).toBe(1);
  });

  test("prefers the team's own label to one of the organization", async () => {
    store.addLabel("api", "ENG");
    const { raw } = await connector.createIssue({ ...BLANK, title: "New", labels: ["api"] }, KEY);
    const own = store.labels.find(({ name, teamId }) => name === "api" && teamId === TEAM_ID);
    expect(raw).toMatchObject({ labels: { nodes: [{ id: own?.id }] } });
  });
});

test("an end that is not there is told apart from the issue", async () => {
  const ref = file("Here");
  const target = refOf("00000000-0000-4000-8000-000000000404");
  for (const write of [
    () => connector.upsertLink(ref, { type: "blocks", target }),
    () => connector.updateIssue(ref, { parent: target }, KEY),
  ]) {
    const error = await failureOf(write);
    expect(error).not.toBeInstanceOf(IssueNotFoundError);
    expect(error).toMatchObject({ failureClass: "not_found" });
  }
});

test("one label of a group takes the place of another", async () => {
  const { ref } = await connector.createIssue({ ...BLANK, title: "New", labels: ["Bug"] }, KEY);
  expect(await connector.updateIssue(ref, { labels: ["Feature"] }, KEY)).toMatchObject({
    labels: ["Feature"],
  });
});

test("a duplicate is canceled by being one, and its link goes again", async () => {
  const [ref, original] = [file("Twice"), file("Once")];
  await connector.upsertLink(ref, { type: "duplicates", target: original });
  const issue = await connector.getIssue(ref);
  expect(issue).toMatchObject({
    status: "canceled",
    links: [{ type: "duplicates", target: { id: original.id } }],
  });
  await connector.removeLink(ref, { type: "duplicates", target: original });
  expect(await connector.getIssue(ref)).toMatchObject({ links: [] });
});

test("a link that is there twice goes for good, also when somebody takes one away meanwhile", async () => {
  const [one, other] = [file("One"), file("Other")];
  const first = store.relate(one.id, other.id, "related");
  store.relate(other.id, one.id, "related");
  expect((await connector.getIssue(one)).links).toHaveLength(1);
  simulator.fail({ kind: "meanwhile", phase: "after", happens: () => store.unrelate(first.id) });
  await connector.removeLink(one, { type: "relates_to", target: other });
  expect(store.relations.size).toBe(0);
});

const droppable: readonly (readonly [string, () => IssuePatch])[] = [
  ["title", () => ({ title: "New" })],
  ["description", () => ({ body: "New" })],
  ["priority", () => ({ priority: 1 })],
  ["assigneeId", () => ({ assignees: ["ada"] })],
  ["parentId", () => ({ parent: file("Parent") })],
  ["addedLabelIds", () => ({ labels: ["api"] })],
];
test.each(droppable)("that %s was taken and dropped is told", async (member, patch) => {
  const ref = file("Old");
  simulator.ignored.add(member);
  const error = await failureOf(() => connector.updateIssue(ref, patch(), KEY));
  expect(error).toMatchObject({
    failureClass: "permission",
    message: expect.stringContaining("did not apply"),
  });
});

test("that a state was taken and dropped is told", async () => {
  const ref = file("Old");
  simulator.ignored.add("stateId");
  expect(await failureOf(() => connector.transitionIssue(ref, "done", KEY))).toMatchObject({
    failureClass: "permission",
  });
});

test("an issue that a mutation does not answer with is read", async () => {
  const ref = file("Old");
  const without = (name: string) =>
    simulator.fail(
      { kind: "distort", distort: (answer) => changed(answer, `${name}.issue`, () => null) },
      asks(name),
    );
  without("issueUpdate");
  expect(await connector.updateIssue(ref, { title: "New" }, KEY)).toMatchObject({ title: "New" });
  without("issueCreate");
  expect(await connector.createIssue({ ...BLANK, title: "Made" }, KEY)).toMatchObject({ title: "Made" });
  expect(simulator.pendingFaults).toBe(0);
});

/** A provider that answers everything, and hears what it should not. */
class Stranger extends Simulator {
  protected answer(): SimulatedAnswer {
    return { status: 200, body: { data: {} } };
  }
}

const absent: SimulatedAnswer = {
  status: 200,
  body: {
    data: null,
    errors: [{ message: "Entity not found: Issue", path: ["issue"], extensions: { code: "INPUT_ERROR" } }],
  },
};

const reversed = (nodes: unknown) => (Array.isArray(nodes) ? nodes.toReversed() : nodes);
