/** What is written to GitLab, and what GitLab makes of it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { gitlab } from "../../src/sdk/connectors/gitlab/index.ts";
import { IssueNotFoundError } from "../../src/sdk/errors.ts";
import type { Transport } from "../../src/sdk/http/transport.ts";
import { BLANK, type CanonicalIssue, type IssueFields } from "../../src/sdk/model.ts";
import { failureOf } from "../helpers/failure.ts";
import {
  bothPlans,
  connectTo,
  directly,
  FREE,
  OTHER,
  PROJECT,
  refTo,
  to,
} from "../helpers/subjects/gitlab.ts";
import type { GitLabSimulator } from "../simulators/gitlab/index.ts";
import type { SimulatedAnswer, SimulatedRequest } from "../simulators/server.ts";

let simulator: GitLabSimulator;
let connector: TrackerConnector;
let keys = 0;

beforeEach(async () => {
  simulator = await bothPlans();
  connector = connectTo(simulator);
});
afterEach(() => simulator.stop());

function key() {
  keys += 1;
  return { idempotencyKey: `key-${keys}` };
}

function create(fields: Partial<IssueFields> = {}, on = connector): Promise<CanonicalIssue> {
  return on.createIssue({ ...BLANK, title: "Refund twice", ...fields }, key());
}

describe("creating", () => {
  test("looks for the issue of a key no further back than the key is old", async () => {
    simulator.setClock(Date.now());
    const idempotencyKey = Bun.randomUUIDv7();
    expect(await connector.findCreated(idempotencyKey)).toBeNull();
    const since = Date.parse(simulator.requests.at(-1)?.query.get("created_after") ?? "");
    expect(simulator.now() - since).toBeLessThan(25 * 60 * 60_000);
    const { ref } = await connector.createIssue({ ...BLANK, title: "Once" }, { idempotencyKey });
    expect((await connector.findCreated(idempotencyKey))?.ref).toEqual(ref);
  });

  test("the key finds the issue that it made, and not a copy of it", async () => {
    const idempotencyKey = "mine";
    const { ref } = await connector.createIssue({ ...BLANK, title: "Original" }, { idempotencyKey });
    const { description } = simulator.issueOf(PROJECT, 1);
    simulator.addIssue(PROJECT, { title: "Clone", description });
    expect((await connector.findCreated(idempotencyKey))?.ref).toEqual(ref);
  });

  test("an unknown assignee is refused by name, and nothing is created", async () => {
    expect(await failureOf(() => create({ assignees: ["ada", "nobody"] }))).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("nobody"),
    });
    expect(simulator.issuesOf(PROJECT)).toEqual([]);
  });

  test("a label that GitLab would take for two is refused", async () => {
    const error = await failureOf(() => create({ labels: ["fast, cheap"] }));
    expect(error).toMatchObject({ failureClass: "invalid", message: expect.stringContaining("fast, cheap") });
    expect(simulator.issuesOf(PROJECT)).toEqual([]);
  });

  test("a title that GitLab refuses is told", async () => {
    const error = await failureOf(() => create({ title: "long".repeat(100) }));
    expect(error).toMatchObject({ failureClass: "invalid", retryable: false });
  });
});

describe("what GitLab does not take is told", () => {
  test("labels of a guest", async () => {
    const { ref } = await create();
    simulator.changeProject(PROJECT, { access: 10 });
    expect(await failureOf(() => connector.updateIssue(ref, { labels: ["x"] }, key()))).toMatchObject({
      failureClass: "permission",
      message: expect.stringContaining("labels"),
    });
  });

  test("a second assignee on the free plan", async () => {
    const free = connectTo(simulator, FREE);
    const { ref } = await create({}, free);
    const assignees = ["ada", "grace"];
    expect(await failureOf(() => free.updateIssue(ref, { assignees }, key()))).toMatchObject({
      failureClass: "permission",
      message: expect.stringContaining("assignees"),
    });
    expect(await free.updateIssue(ref, { assignees: ["grace"] }, key())).toMatchObject({
      assignees: ["grace"],
    });
  });

  test("labels of one scope that come together, on an update and on a create", async () => {
    const { ref } = await create({ labels: ["api"] });
    const labels = ["api", "prio::a", "prio::b"];
    const refused = { failureClass: "invalid", message: expect.stringContaining("drop prio::a") };
    expect(await failureOf(() => connector.updateIssue(ref, { labels }, key()))).toMatchObject(refused);
    expect(await failureOf(() => create({ labels }))).toMatchObject(refused);
  });

  test("a label replaces its sibling, which is no loss; on the free plan both stay", async () => {
    const { ref } = await create({ labels: ["prio::low", "api"] });
    const both = ["api", "prio::low", "prio::high"];
    expect(await connector.updateIssue(ref, { labels: both }, key())).toMatchObject({
      labels: ["api", "prio::high"],
    });
    const free = connectTo(simulator, FREE);
    const { ref: own } = await create({}, free);
    const labels = ["prio::high", "prio::low"];
    expect(await free.updateIssue(own, { labels }, key())).toMatchObject({ labels });
  });

  test("lines of a body and of a comment that GitLab carries out instead", async () => {
    const { ref } = await create({ body: "Text" });
    const refused = { failureClass: "invalid", message: expect.stringContaining("quick actions") };
    const update = () => connector.updateIssue(ref, { body: "Text\n/label ~x\nmore" }, key());
    expect(await failureOf(update)).toMatchObject(refused);
    expect(await failureOf(() => connector.addComment(ref, "/close", key()))).toMatchObject(refused);
    expect(await connector.addComment(ref, "/etc/hosts is wrong  \n", key())).toMatchObject({
      body: "/etc/hosts is wrong  \n",
    });
  });
});

test("a title alone does not touch the body, and people's labels of meanwhile stay", async () => {
  const { ref } = await create({ body: "Text", labels: ["old"] });
  const happens = () => simulator.editIssue(PROJECT, 1, { labels: ["old", "theirs"] });
  simulator.fail({ kind: "meanwhile", phase: "before", happens }, to("PUT", "/issues/1"));
  expect(await connector.updateIssue(ref, { title: "New", labels: ["mine"] }, key())).toMatchObject({
    labels: ["mine", "theirs"],
  });
  expect(simulator.requests.find(({ method }) => method === "PUT")?.body).toEqual({
    title: "New",
    add_labels: "mine",
    remove_labels: "old",
  });
});

test("an assignee whom somebody has added since the issue was read stays", async () => {
  const current = await create();
  simulator.editIssue(PROJECT, 1, { assignees: [12] });
  const options = { ...key(), current };
  expect(await connector.updateIssue(current.ref, { assignees: ["ada"] }, options)).toMatchObject({
    assignees: ["ada", "grace"],
  });
});

describe("links", () => {
  let [a, b]: readonly [CanonicalIssue["ref"], CanonicalIssue["ref"]] = [refTo(1), refTo(2)];
  beforeEach(async () => {
    a = (await create()).ref;
    b = (await create()).ref;
  });

  test("that block are refused on the free plan, and related ones are not", async () => {
    const free = connectTo(simulator, FREE);
    const [one, other] = [(await create({}, free)).ref, (await create({}, free)).ref];
    for (const type of ["blocks", "blocked_by"] as const) {
      expect(await failureOf(() => free.upsertLink(one, { type, target: other }))).toMatchObject({
        capability: "linkTypes",
        message: expect.stringContaining("Premium"),
      });
    }
    await free.upsertLink(one, { type: "relates_to", target: other });
    expect((await free.getIssue(one)).links).toMatchObject([{ type: "relates_to" }]);
  });

  test("are made on servers that show `is_blocked_by` and do not take it", async () => {
    const body = { error: "link_type does not have a valid value" };
    const isInverse = ({ body }: SimulatedRequest) => /is_blocked_by/.test(JSON.stringify(body));
    simulator.fail({ kind: "answer", status: 400, body }, isInverse);
    await connector.upsertLink(a, { type: "blocked_by", target: b });
    expect((await connector.getIssue(a)).links).toMatchObject([{ type: "blocked_by", target: refTo(2) }]);
    expect((await connector.getIssue(b)).links).toMatchObject([{ type: "blocks", target: refTo(1) }]);
  });

  test("are there although GitLab answered that something was not found", async () => {
    const distort = () => ({ status: 404, body: { message: "404 Not found" } });
    simulator.fail({ kind: "distort", distort }, to("POST", "/links"));
    await connector.upsertLink(a, { type: "blocked_by", target: b });
    expect((await connector.getIssue(a)).links).toMatchObject([{ type: "blocked_by", target: refTo(2) }]);
  });

  test("are refused in words when GitLab answers 404 and has made none", async () => {
    const refusal = { kind: "answer", status: 404, body: { message: "No matching issue found." } } as const;
    simulator.fail(refusal, to("POST", "/links"));
    expect(await failureOf(() => connector.upsertLink(a, { type: "blocks", target: b }))).toMatchObject({
      capability: "linkTypes",
    });
    const gone = { type: "relates_to", target: refTo(404) } as const;
    expect(await failureOf(() => connector.upsertLink(a, gone))).toBeInstanceOf(IssueNotFoundError);
  });

  test("take the place of no other", async () => {
    await connector.upsertLink(a, { type: "relates_to", target: b });
    const blocks = { type: "blocks", target: b } as const;
    expect(await failureOf(() => connector.upsertLink(a, blocks))).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("#1 relates_to #2"),
    });
    await connector.removeLink(a, { type: "relates_to", target: b });
    await connector.upsertLink(a, blocks);
    expect((await connector.getIssue(b)).links).toMatchObject([{ type: "blocked_by", target: refTo(1) }]);
  });

  test("to other projects are read as theirs", async () => {
    simulator.addIssue(OTHER, { title: "Elsewhere" });
    simulator.addLink([PROJECT, 1], [OTHER, 1], "blocks");
    expect((await connector.getIssue(a)).links).toEqual([
      {
        type: "blocks",
        target: {
          ...refTo(1, OTHER),
          key: "#1",
          url: `${simulator.origin}/acme/platform/web/-/issues/1`,
        },
      },
    ]);
  });

  test("that somebody removes at the same time are removed", async () => {
    const link = { type: "blocks", target: b } as const;
    await connector.upsertLink(a, link);
    const isRemoval = ({ method }: SimulatedRequest) => method === "DELETE";
    simulator.fail({ kind: "distort", distort: () => ({ status: 404, body: {} }) }, isRemoval);
    await connector.removeLink(a, link);
    expect((await connector.getIssue(a)).links).toEqual([]);
  });
});

describe("comments", () => {
  test("are the notes of people, internal ones too, over pages, with and without headers", async () => {
    const { ref } = await create();
    const said = Array.from({ length: 150 }, (_, count) => `comment ${count}`);
    for (const [count, body] of said.entries()) {
      simulator.addNote(PROJECT, 1, body, { internal: count % 2 === 0 });
      simulator.addNote(PROJECT, 1, `changed the due date for the ${count}th time`, { system: true });
    }
    for (const on of [
      connector,
      gitlab.connect({ projectId: String(PROJECT) }, headless(directly(simulator))),
    ]) {
      const heard: string[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page: Awaited<ReturnType<TrackerConnector["listComments"]>> = await on.listComments(
          ref,
          cursor,
        );
        heard.push(...page.items.map(({ body }) => body));
        cursor = page.nextCursor;
      }
      expect(heard).toEqual(said);
    }
  });

  test("are read on where a page is short of those that the credential may not see", async () => {
    const { ref } = await create();
    for (let count = 0; count < 120; count++) simulator.addNote(PROJECT, 1, `comment ${count}`);
    const distort = ({ status, body }: SimulatedAnswer) => ({
      status,
      body: v.parse(v.array(v.unknown()), body).slice(1),
    });
    simulator.fail({ kind: "distort", distort }, to("GET", "/notes"));
    const on = gitlab.connect({ projectId: String(PROJECT) }, headless(directly(simulator)));
    const first = await on.listComments(ref);
    expect(first.items).toHaveLength(99);
    const { items } = await on.listComments(ref, first.nextCursor ?? "");
    expect(items.map(({ body }) => body)).toContain("comment 119");
  });

  test("are written once, even when the answer was lost", async () => {
    const { ref } = await create();
    const options = key();
    simulator.fail({ kind: "lost_response" }, to("POST", "/notes"));
    const error = await failureOf(() => connector.addComment(ref, "Once", options));
    expect(error).toMatchObject({ failureClass: "transient", processed: "maybe" });
    await connector.addComment(ref, "Once", options);
    expect(simulator.issueOf(PROJECT, 1).notes).toHaveLength(1);
  });
});

/** A proxy that lets no header pass. */
function headless(transport: Transport): Transport {
  return { send: async (request) => ({ ...(await transport.send(request)), headers: new Headers() }) };
}
