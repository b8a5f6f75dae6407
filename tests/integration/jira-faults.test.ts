/** What goes wrong with Jira, and what becomes of it here. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import * as v from "valibot";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import { jira } from "../../src/sdk/connectors/jira/index.ts";
import { IssueNotFoundError } from "../../src/sdk/errors.ts";
import { BLANK, type CanonicalIssue, type IssueFields, type IssuePatch } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { ResourceSync } from "../../src/sync/resource-sync.ts";
import { failureOf } from "../helpers/failure.ts";
import { connectTo, PROJECT, refTo } from "../helpers/subjects/jira.ts";
import { JiraSimulator, type JiraSimulatorOptions } from "../simulators/jira/index.ts";
import type { Fields } from "../simulators/jira/site.ts";
import type { SimulatedAnswer, SimulatedRequest } from "../simulators/server.ts";

let simulator: JiraSimulator;
let connector: TrackerConnector;
let keys = 0;

async function start(options: JiraSimulatorOptions = {}): Promise<void> {
  const projects = [
    { id: PROJECT, key: "PAY", name: "Payments API" },
    { id: "10002", key: "OPS", name: "Operations" },
  ];
  const sites = [{ cloudId: "cloud-1", name: "acme", projects }];
  simulator = await new JiraSimulator({ sites, ...options }).start();
  connector = connectTo(simulator);
}

beforeEach(() => start());
afterEach(() => simulator.stop());

const key = () => ({ idempotencyKey: `key-${++keys}` });
const create = (fields: Partial<IssueFields> = {}): Promise<CanonicalIssue> =>
  connector.createIssue({ ...BLANK, title: "Refund twice", ...fields }, key());

const project = () => {
  const found = simulator.site.project("PAY");
  if (found === null) throw new Error("no project");
  return found;
};
const isSearch = ({ path }: SimulatedRequest) => path.endsWith("/search/jql");

/** Titles page by page; `between` runs after each page. */
async function titles(
  limit: number,
  until: string | null,
  between: (page: number) => void,
): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = null;
  for (let page = 0; page === 0 || cursor !== null; page++) {
    const listed: Awaited<ReturnType<TrackerConnector["listIssues"]>> = await connector.listIssues({
      limit,
      ...(until !== null && { until }),
      ...(cursor !== null && { cursor }),
    });
    found.push(...listed.items.map(({ title }) => title));
    cursor = listed.nextCursor;
    between(page);
  }
  return found;
}

describe("listing", () => {
  const fill = (count: number, step: number) => {
    for (let index = 0; index < count; index++) {
      simulator.site.add("PAY", { summary: `issue ${index}` });
      simulator.tick(step);
    }
  };
  const all = (count: number) => Array.from({ length: count }, (_, index) => `issue ${index}`);
  const now = () => new Date(simulator.now()).toISOString();

  test.each([0, 1, 20_000])(
    "misses and doubles nothing while issues change between pages (%p ms apart)",
    async (step) => {
      fill(9, step);
      simulator.tick();
      const until = now();
      simulator.tick();
      const found = await titles(2, until, (page) => {
        if (page < 3) simulator.site.edit(`PAY-${page * 2 + 1}`, { labels: [`edited-${page}`] });
        simulator.tick();
      });
      // PAY-1 was read before it changed, PAY-3 and PAY-5 too; nothing else moved.
      expect(found).toEqual(all(9));
    },
  );

  test.each([1, 1000, 60_000])("holds when JQL compares dates in steps of %p ms", async (precision) => {
    await simulator.stop();
    await start({ precision });
    fill(7, 9_777);
    const at = (index: number) => new Date(simulator.site.known(`PAY-${index + 1}`).updated).toISOString();
    const window = await connector.listIssues({ updatedSince: at(2), until: at(5) });
    expect(window.items.map(({ title }) => title).toSorted()).toEqual(["issue 2", "issue 3", "issue 4"]);
    expect((await titles(2, now(), () => {})).toSorted()).toEqual(all(7));
  });

  test.each(["as_is", "as_indexed"] as const)(
    "loses nothing while the index is behind, with rows %s",
    async (staleRows) => {
      fill(6, 60_000);
      simulator.staleRows = staleRows;
      await titles(10, now(), () => {});
      simulator.indexLag = 120_000;
      // Stands at the first place of the index, and shows an instant that is later than all others.
      simulator.site.edit("PAY-1", { summary: "issue 0, edited" });
      simulator.tick();
      const first = await titles(2, now(), () => {});
      simulator.tick(180_000);
      const later = await titles(2, now(), () => {});
      for (const title of all(6).slice(1)) expect([...first, ...later]).toContain(title);
      expect(later).toContain("issue 0, edited");
    },
  );

  test("starts its window again when Jira has forgotten the place", async () => {
    fill(4, 1000);
    const { nextCursor } = await connector.listIssues({ limit: 2 });
    simulator.fail(
      { kind: "answer", status: 400, body: { errorMessages: ["The token has expired."], errors: {} } },
      isSearch,
    );
    const { items } = await connector.listIssues({ limit: 10, cursor: nextCursor ?? "" });
    expect(items.map(({ title }) => title)).toEqual(all(4));
  });

  test("leaves out what the index has here and what was moved elsewhere", async () => {
    fill(2, 1000);
    simulator.indexLag = 60_000;
    simulator.tick(60_000);
    simulator.site.move("PAY-1", "OPS");
    expect(await titles(10, null, () => {})).toEqual(["issue 1"]);
  });

  test("does not follow a page that leads back to itself", async () => {
    fill(4, 1000);
    const { nextCursor } = await connector.listIssues({ limit: 2 });
    const distort = (answer: SimulatedAnswer): SimulatedAnswer => {
      const sent = v.parse(v.object({ nextPageToken: v.string() }), simulator.requests.at(-1)?.body);
      return { ...answer, body: { ...v.parse(v.looseObject({}), answer.body), ...sent, isLast: false } };
    };
    simulator.fail({ kind: "distort", distort }, isSearch);
    expect(await failureOf(() => connector.listIssues({ limit: 2, cursor: nextCursor ?? "" }))).toMatchObject(
      {
        failureClass: "contract",
        fieldPath: "search.nextPageToken",
      },
    );
  });
});

describe("what is gone", () => {
  test("a deleted issue and one that was moved are not found", async () => {
    const [gone, moved] = [await create({ title: "gone" }), await create({ title: "moved" })];
    simulator.site.remove(gone.ref.id);
    simulator.site.move(moved.ref.id, "OPS");
    for (const { ref } of [gone, moved]) {
      expect(await failureOf(() => connector.getIssue(ref))).toBeInstanceOf(IssueNotFoundError);
      expect(await failureOf(() => connector.addComment(ref, "Hi", key()))).toBeInstanceOf(
        IssueNotFoundError,
      );
      expect(await failureOf(() => connector.listComments(ref))).toBeInstanceOf(IssueNotFoundError);
      expect(await connector.findIssue(ref.key ?? "")).toBeNull();
    }
    expect(simulator.site.known(moved.ref.id).comments).toEqual([]);
  });

  const losses: readonly (readonly [string, () => void, object])[] = [
    [
      "the project",
      () => {
        project().access = "none";
      },
      { failureClass: "not_found", message: expect.stringContaining("project 10001") },
    ],
    [
      "the project, to the trash",
      () => {
        project().state = "deleted";
      },
      { failureClass: "not_found", message: expect.stringContaining("project 10001") },
    ],
    [
      "the credential, which makes a stranger",
      () => {
        simulator.strangers = "answered";
        const { email, origin: baseUrl } = simulator;
        const transport = openTransport("jira", { kind: "token", email, token: "old", baseUrl });
        connector = jira.connect({ baseUrl, projectId: PROJECT }, transport);
      },
      { failureClass: "auth" },
    ],
  ];
  test.each(losses)("losing %s does not look like losing issues", async (_, lose, expected) => {
    const { ref } = await create();
    lose();
    const calls = [
      () => connector.getIssue(ref),
      () => connector.listIssues({}),
      () => connector.searchIssues({}),
      () => connector.findIssue("PAY-1"),
      () => connector.findCreated("key-1"),
      () => connector.listComments(ref),
      () => connector.updateIssue(ref, { title: "x" }, key()),
      () => connector.createIssue({ ...BLANK, title: "x" }, key()),
    ];
    for (const call of calls) {
      const error = await failureOf(call);
      expect(error).not.toBeInstanceOf(IssueNotFoundError);
      expect(error).toMatchObject(expected);
    }
  });

  test("an empty listing of a project that is not there any more is no empty project", async () => {
    simulator.fail({ kind: "answer", status: 200, body: { issues: [], isLast: true } }, isSearch);
    project().access = "none";
    expect(await failureOf(() => connector.listIssues({}))).toMatchObject({ failureClass: "not_found" });
  });

  test("Jira Data Center is told from Jira Cloud", async () => {
    const missing = { status: 404, body: { message: "null for uri", "status-code": 404 } } as const;
    const calls = [() => connector.getIssue(refTo("10101")), () => connector.listIssues({}), () => create()];
    for (const call of calls) {
      for (let count = 0; count < 2; count++) simulator.fail({ kind: "answer", ...missing });
      expect(await failureOf(call)).toMatchObject({
        failureClass: "invalid",
        message: expect.stringContaining("Data Center is not supported"),
      });
    }
  });

  test("a link that somebody else removed meanwhile is removed", async () => {
    const [a, b] = [await create({ title: "a" }), await create({ title: "b" })];
    const link = { type: "blocks", target: b.ref } as const;
    await connector.upsertLink(a.ref, link);
    const gone = { status: 404, body: { errorMessages: ["No issue link exists"], errors: {} } };
    simulator.fail({ kind: "distort", distort: () => gone }, ({ method }) => method === "DELETE");
    await connector.removeLink(a.ref, link);
    expect(simulator.pendingFaults).toBe(0);
    expect((await connector.getIssue(a.ref)).links).toEqual([]);
  });

  test("a link of an issue that went meanwhile is told", async () => {
    const [a, b] = [await create({ title: "a" }), await create({ title: "b" })];
    simulator.site.remove(b.ref.id);
    const link = { type: "blocks", target: b.ref } as const;
    expect(await failureOf(() => connector.upsertLink(a.ref, link))).toMatchObject({
      failureClass: "not_found",
    });
  });
});

describe("refusals", () => {
  test("of a part of a create are told of the issue that is there, and the same push makes no other", async () => {
    await simulator.stop();
    const workflow = {
      statuses: [{ id: "1", name: "Backlog", category: "new" as const }],
      transitions: [],
    };
    const projects = [{ id: PROJECT, key: "PAY", name: "Payments API", workflow }];
    await start({ sites: [{ cloudId: "cloud-1", name: "acme", projects }] });
    const sync = new ResourceSync({
      connector,
      store: new MemoryIssueStore(),
      policy: { mode: "split_ownership", strategy: "external_wins" },
      now: () => new Date(),
    });
    const items = [{ ref: {}, action: "create" as const, patch: { title: "New", status: "done" } }];
    const first = await sync.push({ key: "push-1", items });
    expect(first.items).toMatchObject([{ outcome: "rejected", remote_ref: { key: "PAY-1" } }]);
    await sync.push({ key: "push-1", items });
    expect((await connector.listIssues({})).items.map(({ title }) => title)).toEqual(["New"]);
  });

  const limited = { errorMessages: ["Rate limit exceeded."], errors: {} };
  const reset = () => new Date(simulator.now() + 90_000).toISOString();
  const cases: readonly (readonly [string, () => SimulatedAnswer, object])[] = [
    [
      "a rate limit that says how long",
      () => ({
        status: 429,
        headers: { "retry-after": "7", "ratelimit-reason": "jira-cost-based" },
        body: limited,
      }),
      {
        failureClass: "rate_limited",
        retryable: true,
        retryAfterSeconds: 7,
        message: expect.stringContaining("jira-cost-based"),
      },
    ],
    [
      "a rate limit that says until when",
      () => ({
        status: 429,
        headers: { "x-ratelimit-reset": reset(), "x-ratelimit-remaining": "0" },
        body: limited,
      }),
      { failureClass: "rate_limited", retryAfterSeconds: 90 },
    ],
    [
      "a rate limit that says nothing",
      () => ({ status: 429, body: "" }),
      { failureClass: "rate_limited", retryAfterSeconds: null },
    ],
    [
      "a rate limit with a date that is none",
      () => ({ status: 429, headers: { "x-ratelimit-reset": "soon" }, body: limited }),
      { failureClass: "rate_limited", retryAfterSeconds: null },
    ],
    [
      "a busy service",
      () => ({ status: 503, headers: { "retry-after": "5" }, body: "" }),
      { failureClass: "transient", retryable: true, retryAfterSeconds: 5 },
    ],
    [
      "a bad credential",
      () => ({
        status: 401,
        body: { errorMessages: ["Client must be authenticated to access this resource."] },
      }),
      { failureClass: "auth", retryable: false },
    ],
    [
      "a missing scope",
      () => ({ status: 401, body: { code: 401, message: "Unauthorized; scope does not match" } }),
      { failureClass: "permission" },
    ],
    [
      "a missing permission",
      () => ({ status: 403, body: { errorMessages: ["You do not have permission."], errors: {} } }),
      { failureClass: "permission", message: expect.stringContaining("You do not have permission") },
    ],
    [
      "several fields",
      () => ({
        status: 400,
        body: { errorMessages: ["Two problems"], errors: { summary: "is long", priority: "is odd" } },
      }),
      {
        failureClass: "invalid",
        message: expect.stringContaining("Two problems; summary: is long; priority: is odd"),
      },
    ],
    [
      "a conflict",
      () => ({ status: 409, body: { errorMessages: ["Being changed."], errors: {} } }),
      { failureClass: "conflict" },
    ],
    [
      "a web page",
      () => ({ status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" }),
      { failureClass: "transient" },
    ],
  ];
  test.each(cases)("%s", async (_, answer, expected) => {
    simulator.fail({ kind: "answer", ...answer() });
    const error = await failureOf(() => connector.getIssue(refTo("10101")));
    expect(error).toMatchObject({ provider: "jira", ...expected });
    expect(String(error)).not.toContain(simulator.token);
  });

  test("writing with read access is a matter of permission", async () => {
    const { ref } = await create();
    project().access = "read";
    for (const call of [() => connector.updateIssue(ref, { title: "x" }, key()), () => create()]) {
      expect(await failureOf(call)).toMatchObject({ failureClass: "permission" });
    }
    expect(await connector.getIssue(ref)).toMatchObject({ title: "Refund twice" });
  });

  const silent: readonly (readonly [keyof Fields, IssuePatch])[] = [
    ["labels", { labels: ["a"] }],
    ["assignee", { assignees: ["5b10-ada"] }],
    ["priority", { priority: 1 }],
    ["description", { body: "x" }],
    ["parent", { parent: null }],
  ];
  test.each(silent)("%s that are taken and not written are told", async (name, patch) => {
    const epic = await create({ title: "Epic", issueType: "epic" });
    const { ref } = await create({ parent: epic.ref });
    simulator.dropped.add(name);
    expect(await failureOf(() => connector.updateIssue(ref, patch, key()))).toMatchObject({
      failureClass: "permission",
      message: expect.stringContaining("did not apply"),
    });
  });

  test("a status that is taken and not written is told", async () => {
    const { ref } = await create();
    simulator.dropped.add("status");
    expect(await failureOf(() => connector.transitionIssue(ref, "done", key()))).toMatchObject({
      message: expect.stringContaining("did not apply status"),
    });
  });

  test.each([301, 302, 307, 308])(
    "a redirect (%p) to another host is not followed, and takes nothing there",
    async (status) => {
      let arrived = 0;
      const elsewhere = createServer((_, response) => {
        arrived += 1;
        response.end("{}");
      });
      await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
      const { port } = v.parse(v.object({ port: v.number() }), elsewhere.address());
      simulator.fail({ kind: "answer", status, headers: { location: `http://127.0.0.1:${port}/rest` } });
      const error = await failureOf(() => connector.getIssue(refTo("10101")));
      elsewhere.close();
      expect(error).toMatchObject({ failureClass: "contract" });
      expect(arrived).toBe(0);
    },
  );
});

describe("an issue without the fields that a project can hide", () => {
  const HIDDEN = ["description", "priority", "assignee", "labels", "parent", "issuelinks"];
  const Issue = v.looseObject({ fields: v.record(v.string(), v.unknown()) });
  const hide = (kind: "absent" | "null") => (issue: unknown) => {
    const { fields, ...rest } = v.parse(Issue, issue);
    const shown = Object.entries(fields).filter(([name]) => !HIDDEN.includes(name));
    const hidden = kind === "null" ? HIDDEN.map((name) => [name, null] as const) : [];
    return { ...rest, fields: Object.fromEntries([...shown, ...hidden]) };
  };

  test.each(["absent", "null"] as const)("is read, and listed: %s", async (kind) => {
    const { ref } = await create();
    const bare = { body: null, priority: null, assignees: [], labels: [], parent: null, links: [] };
    const changed = (change: (body: unknown) => unknown) =>
      ({
        kind: "distort",
        distort: ({ body, ...answer }: SimulatedAnswer) => ({ ...answer, body: change(body) }),
      }) as const;
    simulator.fail(changed(hide(kind)), ({ path }) => path.endsWith(ref.id));
    expect(await connector.getIssue(ref)).toMatchObject(bare);
    const Page = v.looseObject({ issues: v.array(v.unknown()) });
    simulator.fail(
      changed((body) => {
        const page = v.parse(Page, body);
        return { ...page, issues: page.issues.map(hide(kind)) };
      }),
      isSearch,
    );
    expect((await connector.listIssues({})).items).toMatchObject([bare]);
    expect(simulator.pendingFaults).toBe(0);
  });
});

describe("answers that are not what they should be", () => {
  const Payload = v.looseObject({ fields: v.record(v.string(), v.unknown()) });
  const withField = (name: string, value: unknown) => (body: unknown) => {
    const issue = v.parse(Payload, body);
    return { ...issue, fields: { ...issue.fields, [name]: value } };
  };
  const without = (name: string) => (body: unknown) => {
    const { [name]: _, ...fields } = v.parse(Payload, body).fields;
    return { ...v.parse(Payload, body), fields };
  };
  const adf = (content: unknown) => ({ type: "doc", version: 1, content });
  const cases: readonly (readonly [string, (body: unknown) => unknown, string])[] = [
    ["an array for an issue", (body) => [body], "issue.id"],
    ["nothing", () => null, "issue"],
    ["text", () => '"issue"', "issue"],
    ["no id", (body) => ({ ...v.parse(Payload, body), id: undefined }), "issue.id"],
    ["a number for an id", (body) => ({ ...v.parse(Payload, body), id: 10101 }), "issue.id"],
    ["no fields", (body) => ({ ...v.parse(Payload, body), fields: null }), "issue.fields"],
    ["no summary", without("summary"), "issue.fields.summary"],
    ["an empty summary", withField("summary", ""), "issue.fields.summary"],
    ["no status", without("status"), "issue.fields.status"],
    [
      "a status without its category",
      withField("status", { name: "To Do" }),
      "issue.fields.status.statusCategory",
    ],
    [
      "a category that nobody knows",
      withField("status", { name: "x", statusCategory: { key: "later" } }),
      "issue.fields.status.statusCategory.key",
    ],
    ["no type", without("issuetype"), "issue.fields.issuetype"],
    ["a type by its name alone", withField("issuetype", "Bug"), "issue.fields.issuetype"],
    ["labels that are no list", withField("labels", "a b"), "issue.fields.labels"],
    ["labels that are no texts", withField("labels", [1]), "issue.fields.labels.0"],
    [
      "an assignee without an account",
      withField("assignee", { displayName: "Ada" }),
      "issue.fields.assignee.accountId",
    ],
    ["a date that is none", withField("updated", "yesterday"), "issue.fields.updated"],
    ["no date", without("created"), "issue.fields.created"],
    ["a body that is text", withField("description", "plain"), "issue.fields.description"],
    [
      "a body whose content is no list",
      withField("description", adf({})),
      "issue.fields.description.content",
    ],
    [
      "a body with a node without a type",
      withField("description", adf([{ content: [] }])),
      "issue.fields.description.content.0.type",
    ],
    ["links that are no list", withField("issuelinks", {}), "issue.fields.issuelinks"],
    [
      "a link without a type",
      withField("issuelinks", [{ id: "1", outwardIssue: { id: "2", key: "PAY-2" } }]),
      "issue.fields.issuelinks.0.type",
    ],
    ["no project", without("project"), "issue.fields.project"],
    ["a parent without an id", withField("parent", { key: "PAY-1" }), "issue.fields.parent.id"],
  ];
  test.each(cases)("%s", async (_, change, fieldPath) => {
    const { ref } = await create();
    const distort = (answer: SimulatedAnswer) => ({
      ...answer,
      body: change(JSON.parse(JSON.stringify(answer.body))),
    });
    simulator.fail({ kind: "distort", distort });
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({
      failureClass: "contract",
      retryable: false,
      fieldPath,
    });
  });

  test.each([
    ["a web page", { status: 200, headers: { "content-type": "text/html" }, body: "<html></html>" }],
    ["broken JSON", { status: 200, body: '{"id": "1' }],
  ] as const)("%s", async (_, answer) => {
    simulator.fail({ kind: "answer", ...answer });
    expect(await failureOf(() => connector.getIssue(refTo("10101")))).toMatchObject({
      failureClass: "contract",
    });
  });

  test("a row of a listing is named by its place", async () => {
    await create();
    const body = { issues: [{ id: "1", key: "PAY-1" }], isLast: true };
    simulator.fail({ kind: "answer", status: 200, body }, isSearch);
    expect(await failureOf(() => connector.listIssues({}))).toMatchObject({
      fieldPath: "search.issues.0.fields",
    });
  });
});

test("transitions that came with the issue are read again when one of them is refused", async () => {
  const { ref } = await create();
  const current = await connector.getIssue(ref);
  const isOf =
    (wanted: string) =>
    ({ method, path }: SimulatedRequest) =>
      method === wanted && path.endsWith("/transitions");
  const body = { errorMessages: ["Transition id '31' is not valid for this issue."], errors: {} };
  simulator.fail({ kind: "answer", status: 400, body }, isOf("POST"));
  expect(await connector.transitionIssue(ref, "done", { ...key(), current })).toMatchObject({
    status: "done",
  });
  expect(simulator.requests.filter(isOf("GET"))).toHaveLength(1);
});
