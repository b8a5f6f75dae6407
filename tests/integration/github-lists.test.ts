/** Reading many things from GitHub while they change: nothing is missed, nothing is told twice. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { IssueNotFoundError } from "../../src/sdk/errors.ts";
import { BLANK, type ExternalRef } from "../../src/sdk/model.ts";
import { failureOf } from "../helpers/failure.ts";
import { everyIssue, githubConnector } from "../helpers/subjects/github.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import type { SimulatedAnswer, SimulatedRequest } from "../simulators/server.ts";

const NAME = "acme/payments-api";
const KEY = { idempotencyKey: "key" };

let simulator: GitHubSimulator;
let connector: TrackerConnector;

beforeEach(async () => {
  simulator = await new GitHubSimulator({
    workspaces: [{ login: "acme", repositories: [{ name: "payments-api" }, { name: "web" }] }],
  }).start();
  connector = await githubConnector(simulator, NAME);
});
afterEach(() => simulator.stop());

const refOf = (number: number): ExternalRef => ({ system: "github", workspace: NAME, id: String(number) });

const isList = ({ method, path }: SimulatedRequest) => method === "GET" && path.endsWith("/issues");

describe("a long list", () => {
  const fill = (count: number, kind: "issue" | "pull" = "issue", step = 1000) => {
    for (let at = 0; at < count; at += 1) {
      simulator.tick(step);
      simulator.addIssue(NAME, { title: `${kind} ${at}`, kind });
    }
  };

  test.each([
    ["one per second", 1000],
    ["ten per second", 100],
    ["all in one second", 0],
  ])("is read whole, in order and once: 350 issues, %s", async (_, step) => {
    fill(350, "issue", step);
    const numbers = (await everyIssue(connector)).map(({ ref }) => Number(ref.id));
    expect(numbers).toEqual(Array.from({ length: 350 }, (_, index) => index + 1));
  });

  test("costs a request for each 90 issues", async () => {
    fill(350);
    expect(await everyIssue(connector, 100)).toHaveLength(350);
    expect(simulator.requests).toHaveLength(4);
  });

  test.each(["inclusive", "exclusive"] as const)("is whole when `since` is %s", async (sinceIs) => {
    simulator.takeSince(sinceIs);
    fill(250, "issue", 50);
    expect(await everyIssue(connector)).toHaveLength(250);
    const [, second] = await everyIssue(connector);
    const { items } = await connector.listIssues({ updatedSince: second?.updatedAt ?? "", limit: 1 });
    expect(items[0]?.updatedAt).toBe(second?.updatedAt ?? "");
  });

  test("loses nobody when issues and pull requests change between its pages", async () => {
    fill(120, "pull");
    fill(250);
    // While the first page is under way, a pull request and an issue that stand on it move to the end.
    for (const number of [5, 125, 200]) {
      simulator.fail(
        {
          kind: "meanwhile",
          phase: "after",
          happens: () => {
            simulator.tick();
            simulator.editIssue(NAME, number, { title: "changed meanwhile" });
          },
        },
        isList,
      );
    }
    const issues = await everyIssue(connector);
    const changes = issues.map(({ ref, updatedAt }) => `${ref.id} ${updatedAt}`);
    expect(new Set(changes).size).toBe(changes.length);
    expect(new Set(issues.map(({ ref }) => Number(ref.id)))).toEqual(
      new Set(Array.from({ length: 250 }, (_, index) => index + 121)),
    );
    const latest = new Map(issues.map(({ ref, title }) => [ref.id, title]));
    expect([latest.get("125"), latest.get("200")]).toEqual(["changed meanwhile", "changed meanwhile"]);
    expect(simulator.pendingFaults).toBe(0);
  });

  test("loses nobody when many issues share one second, and some of them change meanwhile", async () => {
    fill(250, "issue", 0);
    for (const number of [3, 40, 120]) {
      simulator.fail(
        {
          kind: "meanwhile",
          phase: "after",
          happens: () => {
            simulator.tick();
            simulator.editIssue(NAME, number, { title: "changed meanwhile" });
          },
        },
        isList,
      );
    }
    const issues = await everyIssue(connector);
    const changes = issues.map(({ ref, updatedAt }) => `${ref.id} ${updatedAt}`);
    expect(new Set(changes).size).toBe(changes.length);
    expect(new Set(issues.map(({ ref }) => ref.id)).size).toBe(250);
  });

  test("is whole behind a proxy that drops the headers", async () => {
    fill(250);
    for (let page = 0; page < 10; page += 1) {
      simulator.fail({ kind: "distort", distort: ({ status, body }) => ({ status, body }) }, isList);
    }
    expect(await everyIssue(connector)).toHaveLength(250);
    expect(await connector.searchIssues({ limit: 100 })).toHaveLength(100);
  });

  test("costs no more where pull requests fill its pages", async () => {
    fill(300, "pull");
    fill(1);
    expect(await everyIssue(connector)).toHaveLength(1);
    expect(simulator.requests.length).toBeLessThanOrEqual(5);
  });

  test("without words is not looked for to the first pull request", async () => {
    fill(1);
    fill(2000, "pull");
    expect(await connector.searchIssues({})).toEqual([]);
    expect(simulator.requests).toHaveLength(10);
  });

  test("ends where an empty page claims that there is more", async () => {
    const headers = { link: '<https://github.test/2>; rel="next"' };
    simulator.fail({ kind: "answer", status: 200, headers, body: [] });
    expect(await connector.listIssues({})).toEqual({ items: [], nextCursor: null });
    expect(simulator.requests).toHaveLength(1);
  });

  test("is not read in circles", async () => {
    fill(250, "pull");
    const start = Buffer.from("cursor:0").toString("base64url");
    const headers = { link: `<https://github.test/issues?after=${start}>; rel="next"` };
    const circle = {
      kind: "distort",
      distort: ({ status, body }: SimulatedAnswer) => ({ status, headers, body }),
    } as const;
    for (let page = 0; page < 3; page += 1) simulator.fail(circle, isList);
    expect(await failureOf(() => connector.searchIssues({}))).toMatchObject({ failureClass: "contract" });
    expect(simulator.requests).toHaveLength(2);
  });

  test("of changed issues has no pull requests in it, and neither has anything else", async () => {
    fill(130, "pull");
    fill(1);
    fill(130, "pull");
    expect((await connector.searchIssues({})).map(({ title }) => title)).toEqual(["issue 0"]);
    expect((await connector.searchIssues({ text: "pull" })).length).toBe(0);
    expect(await connector.findIssue("#7")).toBeNull();
    simulator.addComment(NAME, 7, "Merge it!");
    for (const call of [
      () => connector.getIssue(refOf(7)),
      () => connector.listComments(refOf(7)),
      () => connector.addComment(refOf(7), "x", KEY),
      () => connector.upsertLink(refOf(131), { type: "blocked_by", target: refOf(7) }),
    ]) {
      expect(await failureOf(call)).toBeInstanceOf(IssueNotFoundError);
    }
  });
});

describe("links", () => {
  beforeEach(() => {
    for (const title of ["Blocker", "Blocked", "Alone"]) simulator.addIssue(NAME, { title });
    simulator.blockIssue(`${NAME}#1`, `${NAME}#2`);
  });

  test("of an issue that is deleted while the list is read take nobody else away", async () => {
    simulator.fail(
      { kind: "meanwhile", phase: "after", happens: () => simulator.deleteIssue(NAME, 2) },
      isList,
    );
    expect((await everyIssue(connector)).map(({ title }) => title)).toEqual(["Blocker", "Alone"]);
  });

  test("are not asked for by a search, which people choose from", async () => {
    const titles = ["Alone", "Blocked", "Blocker"];
    expect((await connector.searchIssues({})).map(({ title }) => title).toSorted()).toEqual(titles);
    expect(simulator.requests).toHaveLength(1);
    expect(await connector.searchIssues({ text: "block" })).toMatchObject([{ links: [] }, { links: [] }]);
    expect(simulator.requests.filter(({ path }) => path.includes("/dependencies/"))).toEqual([]);
  });

  test("are asked for where a server does not announce them, until it turns out to have none", async () => {
    const without = ({ issue_dependencies_summary, ...issue }: { issue_dependencies_summary?: unknown }) =>
      issue;
    const unannounced = {
      kind: "distort",
      distort: ({ body, ...answer }: SimulatedAnswer) => ({
        ...answer,
        body: Array.isArray(body) ? body.map(without) : body,
      }),
    } as const;
    simulator.fail(unannounced, isList);
    expect((await everyIssue(connector)).map(({ links }) => links.length)).toEqual([1, 1, 0]);
    simulator.fail(unannounced, isList);
    simulator.fail({ kind: "answer", status: 404, body: { message: "Not Found" } }, ({ path }) =>
      path.includes("/dependencies/"),
    );
    const before = simulator.requests.length;
    expect((await everyIssue(connector)).map(({ links }) => links.length)).toEqual([0, 0, 0]);
    const paths = simulator.requests.slice(before).map(({ path }) => path);
    expect(paths.filter((path) => path.includes("/dependencies/"))).toHaveLength(1);
  });
});

describe("a link that somebody else", () => {
  const link = { type: "blocked_by", target: refOf(2) } as const;
  const isDependency = (wanted: string) => (request: SimulatedRequest) =>
    request.method === wanted && request.path.includes("/dependencies/");
  const answering = (status: number, message: string) =>
    ({ kind: "distort", distort: () => ({ status, body: { message } }) }) as const;
  beforeEach(() => {
    simulator.addIssue(NAME, { title: "Blocked" });
    simulator.addIssue(NAME, { title: "Blocker" });
  });

  test("made meanwhile is there", async () => {
    simulator.fail(answering(422, "An error occurred while adding the dependency"), isDependency("POST"));
    await connector.upsertLink(refOf(1), link);
    expect(simulator.pendingFaults).toBe(0);
    expect((await connector.getIssue(refOf(1))).links).toMatchObject([link]);
  });

  test("removed meanwhile is gone", async () => {
    simulator.blockIssue(`${NAME}#2`, `${NAME}#1`);
    simulator.fail(answering(404, "Not Found"), isDependency("DELETE"));
    await connector.removeLink(refOf(1), link);
    expect(simulator.pendingFaults).toBe(0);
    expect((await connector.getIssue(refOf(1))).links).toEqual([]);
  });

  test("has not touched is refused as GitHub refuses it", async () => {
    const refused = { kind: "answer", status: 404, body: { message: "Not Found" } } as const;
    simulator.fail(refused, isDependency("POST"));
    expect(await failureOf(() => connector.upsertLink(refOf(1), link))).toMatchObject({
      failureClass: "not_found",
    });
  });
});

describe("comments", () => {
  test("are read whole while some are deleted", async () => {
    const number = simulator.addIssue(NAME, { title: "Talk" });
    const ids = Array.from({ length: 250 }, (_, at) => simulator.addComment(NAME, number, `comment ${at}`));
    simulator.fail(
      {
        kind: "meanwhile",
        phase: "after",
        happens: () => {
          for (const id of ids.slice(0, 5)) simulator.deleteComment(NAME, number, id);
        },
      },
      ({ path }) => path.endsWith("/comments"),
    );
    const bodies: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await connector.listComments(refOf(number), cursor);
      bodies.push(...page.items.map(({ body }) => body));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(bodies).toEqual(Array.from({ length: 250 }, (_, at) => `comment ${at}`));
  });

  test("are written once when the answer is lost", async () => {
    const number = simulator.addIssue(NAME, { title: "Talk" });
    simulator.fail({ kind: "lost_response" }, ({ method }) => method === "POST");
    const say = () => connector.addComment(refOf(number), "Once", KEY);
    expect(await failureOf(say)).toMatchObject({ failureClass: "transient", processed: "maybe" });
    expect(await say()).toMatchObject({ body: "Once" });
    expect(simulator.issue(NAME, number).comments).toHaveLength(1);
  });
});

describe("the issue of a create", () => {
  const day = 24 * 60 * 60_000;

  test("is looked for among what is not older than its key", async () => {
    for (let number = 1; number <= 150; number += 1) simulator.addIssue(NAME, { title: `old ${number}` });
    simulator.tick(30 * day);
    for (let number = 1; number <= 150; number += 1)
      simulator.editIssue(NAME, number, { title: "still used" });
    const key = Bun.randomUUIDv7("hex", simulator.now());
    expect(await connector.findCreated(key)).toBeNull();
    expect(simulator.requests).toHaveLength(1);
  });

  test("is found behind the pages that GitHub numbers", async () => {
    const made = await connector.createIssue({ ...BLANK, title: "First" }, KEY);
    for (let at = 0; at < 1100; at += 1) {
      simulator.tick();
      simulator.addIssue(NAME, { title: `Later ${at}` });
    }
    expect((await connector.findCreated(KEY.idempotencyKey))?.ref).toEqual(made.ref);
  });

  test("is no pull request, although somebody copied its text", async () => {
    const { ref } = await connector.createIssue({ ...BLANK, title: "Mine", body: "Text" }, KEY);
    const { body } = simulator.issue(NAME, Number(ref.id));
    simulator.tick();
    simulator.addIssue(NAME, { title: "Copied", body, kind: "pull" });
    expect((await connector.findCreated(KEY.idempotencyKey))?.ref).toEqual(ref);
  });
});

describe("search", () => {
  test("takes words as words, whatever they look like", async () => {
    simulator.addIssue(NAME, { title: 'The "repo:acme/web" qualifier' });
    simulator.addIssue("acme/web", { title: "Secret" });
    expect(await connector.searchIssues({ text: "repo:acme/web secret" })).toEqual([]);
    expect(await connector.searchIssues({ text: '"repo:acme/web"' })).toHaveLength(1);
    expect(await connector.searchIssues({ text: '"\\' })).toEqual([]);
  });

  test("reads what it found several at a time, and tells it in the order of the search", async () => {
    for (let count = 1; count <= 10; count++) simulator.addIssue(NAME, { title: `Old ${count}` });
    let release = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    simulator.fail({ kind: "hold", until }, ({ path }) => path.endsWith("/issues/1"));
    const search = connector.searchIssues({ text: "old" });
    const reads = () => simulator.requests.filter(({ path }) => /\/issues\/\d+$/.test(path)).length;
    while (reads() < 8) await Bun.sleep(1);
    release();
    expect((await search).map(({ ref }) => ref.id)).toEqual([
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
      "9",
      "10",
    ]);
  });

  test("tells issues as they are, when its index lags behind", async () => {
    simulator.addIssue(NAME, { title: "Old words" });
    simulator.addIssue(NAME, { title: "Old news" });
    simulator.stopIndexing();
    simulator.editIssue(NAME, 1, { title: "New words" });
    simulator.deleteIssue(NAME, 2);
    expect((await connector.searchIssues({ text: "old" })).map(({ title }) => title)).toEqual(["New words"]);
    simulator.catchUp();
    expect(await connector.searchIssues({ text: "old" })).toEqual([]);
  });
});
