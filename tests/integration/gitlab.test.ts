/** GitLab: the connector contract, the official SDK as a second opinion, and the engine over both. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Gitlab } from "@gitbeaker/rest";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { gitlab } from "../../src/sdk/connectors/gitlab/index.ts";
import { discoverResources, discoverWorkspaces } from "../../src/sdk/discovery.ts";
import { collect, type SyncEngine, type SyncResult } from "../../src/sdk/engine.ts";
import { BLANK, type CanonicalIssue, type IssueFields } from "../../src/sdk/model.ts";
import type { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { describeConnector } from "../helpers/connector-contract.ts";
import { simulatedEngine } from "../helpers/simulated-engine.ts";
import { recordIn } from "../helpers/store-fixture.ts";
import { bothPlans, connectTo, directly, gitlabSubject, PROJECT, refTo } from "../helpers/subjects/gitlab.ts";
import type { GitLabSimulator } from "../simulators/gitlab/index.ts";

describeConnector("gitlab", () => gitlabSubject(directly));

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

function create(fields: Partial<IssueFields> = {}): Promise<CanonicalIssue> {
  return connector.createIssue({ ...BLANK, title: "Refund twice", ...fields }, key());
}

describe("the official SDK as a second opinion", () => {
  let official: InstanceType<typeof Gitlab<false>>;
  beforeEach(() => {
    official = new Gitlab({ host: simulator.origin, token: simulator.token });
  });

  test("what it writes is read, field by field", async () => {
    const target = await official.Issues.create(PROJECT, "Target");
    const made = await official.Issues.create(PROJECT, "Refund twice", {
      description: "Two lines\nof text",
      labels: "payments,team::api",
      assigneeIds: [11, 12],
      issueType: "incident",
    });
    const type = { linkType: "blocks" } as const;
    await official.IssueLinks.create(PROJECT, made.iid, PROJECT, target.iid, type);
    await official.IssueNotes.create(PROJECT, made.iid, "First!");
    simulator.tick();
    const edit = { title: "Refund once", stateEvent: "close", removeLabels: "payments" } as const;
    await official.Issues.edit(PROJECT, made.iid, edit);
    const issue = await connector.getIssue(refTo(made.iid));
    expect(issue).toMatchObject({
      ref: { ...refTo(2), key: "#2", url: `${simulator.origin}/acme/payments-api/-/issues/2` },
      title: "Refund once",
      body: "Two lines\nof text",
      status: "done",
      issueType: "bug",
      priority: null,
      assignees: ["ada", "grace"],
      labels: ["team::api"],
      parent: null,
      links: [{ type: "blocks", target: refTo(1) }],
      customFields: {},
      createdAt: "2026-03-01T09:00:00.000Z",
      updatedAt: "2026-03-01T09:00:01.000Z",
      revision: null,
      fieldTimes: { status: "2026-03-01T09:00:01.000Z" },
      raw: { id: made.id, state: "closed", references: { full: "acme/payments-api#2" } },
    });
    expect((await connector.listComments(issue.ref)).items).toMatchObject([
      { body: "First!", author: "ada" },
    ]);
    expect((await connector.listIssues({})).items).toContainEqual(issue);
  });

  test("what is written is read by it", async () => {
    const { ref: target } = await create({ title: "Target" });
    const { ref } = await create({ body: "Why?", labels: ["api"] });
    const patch = { title: "Refund once", labels: ["api", "payments"], assignees: ["grace", "ada"] };
    await connector.updateIssue(ref, patch, key());
    await connector.upsertLink(ref, { type: "blocked_by", target });
    await connector.addComment(ref, "First!", key());
    await connector.transitionIssue(ref, "done", key());
    expect(await official.Issues.show(2, { projectId: PROJECT })).toMatchObject({
      title: "Refund once",
      description: expect.stringMatching(/^Why\?\n\n<!-- tracker:[0-9a-f]{32} -->$/),
      state: "closed",
      labels: ["api", "payments"],
      assignees: [{ username: "grace" }, { username: "ada" }],
    });
    expect(await official.IssueLinks.all(PROJECT, 2)).toMatchObject([{ iid: 1, link_type: "is_blocked_by" }]);
    const notes = await official.IssueNotes.all(PROJECT, 2);
    expect(notes.filter(({ system }) => !system).map(({ body }) => body)).toEqual([
      expect.stringMatching(/^First!\n\n<!-- tracker:[0-9a-f]{32} -->$/),
    ]);
    await connector.removeLink(ref, { type: "blocked_by", target });
    await connector.updateIssue(ref, { labels: [], assignees: [], body: null }, key());
    // The documented way to leave nobody.
    expect(simulator.requests.findLast(({ method }) => method === "PUT")?.body).toMatchObject({
      assignee_ids: [0],
    });
    await connector.transitionIssue(ref, "todo", key());
    const bare = { state: "opened", labels: [], assignees: [], description: null };
    expect(await official.Issues.show(2, { projectId: PROJECT })).toMatchObject(bare);
    expect(await official.IssueLinks.all(PROJECT, 2)).toEqual([]);
  });

  test("it finds the same projects", async () => {
    const source = gitlab.discover(directly(simulator), null);
    const { items } = await discoverWorkspaces(source);
    const pages = await Promise.all(items.map((workspace) => discoverResources(source, workspace)));
    const found = pages.flatMap((page) =>
      page.items.map(({ stableRef, displayName }) => [stableRef, displayName]),
    );
    const pagination = { orderBy: "id", sort: "asc", pagination: "keyset", perPage: 1 } as const;
    const projects = await official.Projects.all({ membership: true, ...pagination });
    expect(projects).toHaveLength(3);
    expect(found).toEqual(projects.map(({ id, name_with_namespace }) => [String(id), name_with_namespace]));
  });
});

describe("with the engine", () => {
  let engine: SyncEngine;
  let store: MemoryIssueStore;
  let sync: () => Promise<SyncResult>;

  beforeEach(() => {
    ({ engine, store, sync } = simulatedEngine(connector, simulator));
  });

  const writes = () => simulator.requests.filter(({ method }) => method !== "GET").length;
  const DRAFT: IssueFields = { ...BLANK, title: "Draft", body: "Text", labels: ["new"], assignees: ["ada"] };

  test("edits go both ways, and then nothing is left to write", async () => {
    await engine.create("draft", DRAFT);
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    expect(simulator.issueOf(PROJECT, 1)).toMatchObject({ title: "Draft", labels: ["new"], assignees: [11] });

    simulator.tick();
    simulator.editIssue(PROJECT, 1, { title: "Named on the web", labels: ["new", "web"] });
    await sync();
    const pulled = await recordIn(store, "draft");
    expect(pulled?.fields).toMatchObject({ title: "Named on the web", labels: ["new", "web"], body: "Text" });

    await engine.edit("draft", { status: "done", labels: ["web"], body: "Text, longer" });
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    expect(simulator.issueOf(PROJECT, 1)).toMatchObject({
      title: "Named on the web",
      state: "closed",
      labels: ["web"],
      description: "Text, longer",
    });

    const before = writes();
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    expect(writes()).toBe(before);
  });

  test("space around a title, which GitLab drops, is nothing to be written again and again", async () => {
    await engine.create("draft", { ...DRAFT, title: " Draft " });
    expect(await sync()).toMatchObject({ errors: [] });
    await engine.edit("draft", { title: " Named " });
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    expect(simulator.issueOf(PROJECT, 1)).toMatchObject({ title: "Named" });

    const before = writes();
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    expect(writes()).toBe(before);
  });

  test("a create whose answer was lost is not made again", async () => {
    await engine.create("draft", DRAFT);
    const isCreate = ({ method, path }: { method: string; path: string }) =>
      method === "POST" && path.endsWith("/issues");
    simulator.fail({ kind: "lost_response" }, isCreate);
    expect(await sync()).toMatchObject({ errors: [] });
    expect(simulator.pendingFaults).toBe(0);
    expect(simulator.requests.filter(isCreate)).toHaveLength(1);
    expect(simulator.issuesOf(PROJECT)).toMatchObject([{ title: "Draft" }]);
  });

  test("a search, which people choose from, takes one request, whatever it finds", async () => {
    for (let count = 0; count < 25; count += 1) simulator.addIssue(PROJECT, { title: `Issue ${count}` });
    expect(await connector.searchIssues({ limit: 20 })).toHaveLength(20);
    expect(await connector.searchIssues({ text: "issue 24" })).toMatchObject([{ title: "Issue 24" }]);
    expect(simulator.requests).toHaveLength(2);
  });

  test("one edited field takes as many requests in a project of many issues as in an empty one", async () => {
    for (let count = 0; count < 300; count += 1) simulator.addIssue(PROJECT, { title: `Issue ${count}` });
    await engine.create("draft", DRAFT);
    await collect(engine.push());
    const before = simulator.requests.length;
    await engine.edit("draft", { title: "Named" });
    await collect(engine.push());
    expect(simulator.requests.length - before).toBeLessThanOrEqual(10);
    expect(simulator.requests.slice(before).filter(({ path }) => path.endsWith("/issues"))).toEqual([]);
  });
});
