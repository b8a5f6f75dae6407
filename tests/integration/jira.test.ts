/** Jira: the connector contract, the official client's view as a second opinion, and the engine over both. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createCloudClient } from "jira.js";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { collect, type SyncEngine, type SyncResult } from "../../src/sdk/engine.ts";
import { type MissionUpdate, missionSeedFromIssue, publishMissionUpdate } from "../../src/sdk/mission.ts";
import { BLANK, type CanonicalIssue, type IssueFields } from "../../src/sdk/model.ts";
import type { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { describeConnector } from "../helpers/connector-contract.ts";
import { failureOf } from "../helpers/failure.ts";
import { simulatedEngine } from "../helpers/simulated-engine.ts";
import { recordIn } from "../helpers/store-fixture.ts";
import { connectTo, directly, jiraSubject, PROJECT, refTo } from "../helpers/subjects/jira.ts";
import { documentWith } from "../simulators/jira/adf.ts";
import { JiraSimulator, type ProjectSeed, type Workflow } from "../simulators/jira/index.ts";

describeConnector("jira", () => jiraSubject(directly));

let simulator: JiraSimulator;
let connector: TrackerConnector;
let keys = 0;

async function start(project: Partial<ProjectSeed> = {}): Promise<void> {
  const payments = { id: PROJECT, key: "PAY", name: "Payments API", ...project };
  const other = { id: "10002", key: "OPS", name: "Operations" };
  const sites = [{ cloudId: "cloud-1", name: "acme", projects: [payments, other] }];
  simulator = await new JiraSimulator({ sites }).start();
  connector = connectTo(simulator);
}

beforeEach(() => start());
afterEach(() => simulator.stop());

async function restart(project: Partial<ProjectSeed>): Promise<void> {
  await simulator.stop();
  await start(project);
}

function key() {
  keys += 1;
  return { idempotencyKey: `key-${keys}` };
}

function create(fields: Partial<IssueFields> = {}): Promise<CanonicalIssue> {
  return connector.createIssue({ ...BLANK, title: "Refund twice", ...fields }, key());
}

const writes = () =>
  simulator.requests.filter(({ method, path }) => method !== "GET" && !path.endsWith("/search/jql"));
const lastWrite = () => writes().at(-1)?.body;

describe("the official client as a second opinion", () => {
  const official = () =>
    createCloudClient({
      host: simulator.origin,
      auth: { type: "basic", email: simulator.email, apiToken: simulator.token },
      onSchemaMismatch: "throw",
    });
  const made = async (fields: Record<string, unknown>) => {
    const { id } = await official().issues.createIssue({
      fields: { project: { key: "PAY" }, issuetype: { name: "Task" }, ...fields },
    });
    return id;
  };

  test("what it writes is read, field by field", async () => {
    const jira = official();
    const epic = await made({ summary: "Refunds", issuetype: { name: "Epic" } });
    const blocked = await made({ summary: "Blocked one" });
    const id = await made({
      summary: "Refund twice",
      issuetype: { name: "Bug" },
      description: documentWith("Two paragraphs", "of text"),
      priority: { name: "Highest" },
      labels: ["payments", "api"],
      assignee: { id: "5b10-ada" },
      parent: { id: epic },
    });
    await jira.issueLinks.linkIssues({
      type: { name: "Blocks" },
      inwardIssue: { id },
      outwardIssue: { id: blocked },
    });
    simulator.tick();
    await jira.issues.editIssue({
      issueIdOrKey: id,
      fields: { summary: "Refund once" },
      update: { labels: [{ remove: "payments" }] },
    });
    const { transitions = [] } = await jira.issues.getTransitions({ issueIdOrKey: id });
    const done = transitions.find(({ to }) => to?.name === "Done");
    await jira.issues.doTransition({ issueIdOrKey: id, transition: { id: done?.id } });
    const comment = {
      type: "doc",
      version: 1,
      content: [{ type: "paragraph", content: [{ type: "text", text: "First!" }] }],
    } as const;
    await jira.issueComments.addComment({
      issueIdOrKey: id,
      body: { ...comment, content: [...comment.content] },
    });
    await jira.issues.assignIssue({ issueIdOrKey: id, accountId: "5b10-grace" });
    const issue = await connector.getIssue(refTo(id));
    expect(issue).toMatchObject({
      ref: { ...refTo(id), key: "PAY-3", url: `${simulator.origin}/browse/PAY-3` },
      title: "Refund once",
      body: "Two paragraphs\n\nof text",
      status: "done",
      issueType: "bug",
      priority: 1,
      assignees: ["5b10-grace"],
      labels: ["api"],
      parent: { ...refTo(epic), key: "PAY-1" },
      links: [{ type: "blocks", target: { ...refTo(blocked), key: "PAY-2" } }],
      customFields: {},
      createdAt: "2026-03-01T09:00:00.000Z",
      updatedAt: "2026-03-01T09:00:01.000Z",
      revision: null,
      raw: { id, fields: { status: { name: "Done" } } },
    });
    expect((await connector.listComments(issue.ref)).items).toMatchObject([
      { body: "First!", author: "5b10-ada", createdAt: "2026-03-01T09:00:01.000Z" },
    ]);
    expect((await connector.listIssues({})).items).toContainEqual(issue);
    expect(await connector.searchIssues({ text: "refund once" })).toEqual([issue]);
    expect(await connector.findIssue("pay-3")).toEqual(issue);
  });

  test("what is written is read by it", async () => {
    const epic = await create({ title: "Refunds", issueType: "epic" });
    const other = await create({ title: "Other" });
    const { ref } = await create({
      body: "See **this**:\n\n- one\n- two",
      issueType: "story",
      priority: 4,
      labels: ["payments"],
      assignees: ["5b10-ada"],
      parent: epic.ref,
      links: [{ type: "blocked_by", target: other.ref }],
      status: "in_review",
    });
    await connector.addComment(ref, "Done *soon*.", key());
    const jira = official();
    const fields = "summary description issuetype priority labels assignee parent issuelinks status".split(
      " ",
    );
    const issue = await jira.issues.getIssue({
      issueIdOrKey: ref.id,
      fields,
      properties: ["tracker.create"],
    });
    expect(issue).toMatchObject({
      key: "PAY-3",
      fields: {
        summary: "Refund twice",
        issuetype: { name: "Story" },
        priority: { name: "Low" },
        labels: ["payments"],
        assignee: { accountId: "5b10-ada" },
        parent: { key: "PAY-1" },
        issuelinks: [{ type: { inward: "is blocked by" }, inwardIssue: { key: "PAY-2" } }],
        status: { name: "In Review" },
        description: {
          content: [
            { content: [{ text: "See " }, { text: "this", marks: [{ type: "strong" }] }, { text: ":" }] },
            { type: "bulletList" },
          ],
        },
      },
      properties: { "tracker.create": { mark: expect.stringMatching(/^[0-9a-f]{32}$/) } },
    });
    const { comments } = await jira.issueComments.getComments({ issueIdOrKey: ref.id });
    expect(comments).toMatchObject([
      { body: { content: [{ content: [{ text: "Done " }, { text: "soon" }, {}] }] } },
    ]);
  });

  test("it searches, and sees the projects, types, priorities and link types that there are", async () => {
    const jira = official();
    await create({ title: "One" });
    const found = await jira.issueSearch.searchAndReconsileIssuesUsingJqlPost({
      jql: "project = PAY ORDER BY updated ASC",
      fields: ["summary"],
    });
    expect(found).toMatchObject({ isLast: true, issues: [{ fields: { summary: "One" } }] });
    const projects = await jira.projects.searchProjects({ status: ["live"], action: "browse" });
    expect(projects.values.map(({ key }) => key)).toEqual(["OPS", "PAY"]);
    const types = await jira.issues.getCreateIssueMetaIssueTypes({ projectIdOrKey: PROJECT });
    expect(types.issueTypes?.map(({ name }) => name)).toEqual(["Epic", "Story", "Task", "Bug", "Sub-task"]);
    const { values } = await jira.issuePriorities.searchPriorities({ projectId: [PROJECT] });
    expect(values.map(({ name }) => name)).toEqual(["Highest", "High", "Medium", "Low", "Lowest"]);
    const { issueLinkTypes } = await jira.issueLinkTypes.getIssueLinkTypes();
    expect(issueLinkTypes?.map(({ name }) => name)).toContain("Duplicate");
    expect(await jira.myself.getCurrentUser()).toMatchObject({ accountId: "5b10-ada" });
  });
});

describe("writes", () => {
  test("labels go by what changes, so that somebody else's stay", async () => {
    const { ref, labels } = await create({ labels: ["mine", "old"] });
    expect(labels).toEqual(["mine", "old"]);
    simulator.fail(
      {
        kind: "meanwhile",
        phase: "after",
        happens: () => simulator.site.edit(ref.id, { labels: ["mine", "old", "theirs"] }),
      },
      ({ method, path }) => method === "GET" && path.endsWith(ref.id),
    );
    const after = await connector.updateIssue(ref, { labels: ["mine", "new"] }, key());
    expect(after.labels.toSorted()).toEqual(["mine", "new", "theirs"]);
    expect(lastWrite()).toEqual({ fields: {}, update: { labels: [{ add: "new" }, { remove: "old" }] } });
  });

  test("the body stays as it is when something else changes", async () => {
    const panel = {
      type: "panel",
      attrs: { panelType: "custom", panelColor: "#abc" },
      content: [{ type: "paragraph", content: [{ type: "text", text: "Look" }] }],
    };
    const { id } = simulator.site.add("PAY", {
      summary: "Rich",
      description: { type: "doc", version: 1, content: [panel] },
    });
    await connector.updateIssue(refTo(id), { title: "Richer" }, key());
    expect(lastWrite()).toEqual({ fields: { summary: "Richer" }, update: {} });
    const { body } = await connector.getIssue(refTo(id));
    await connector.updateIssue(refTo(id), { body: `${body}\n\nMore` }, key());
    expect(simulator.site.known(id).fields.description).toMatchObject({
      content: [panel, { type: "paragraph", content: [{ text: "More" }] }],
    });
    expect(await connector.updateIssue(refTo(id), { body: null }, key())).toMatchObject({ body: null });
  });

  test("a body that says the same in other Markdown is not written", async () => {
    const { ref } = await create({ body: "- a\n- b" });
    const count = writes().length;
    expect(await connector.updateIssue(ref, { body: "* a\n* b\n" }, key())).toMatchObject({
      body: "- a\n- b",
    });
    expect(writes().length).toBe(count);
  });

  test("an unchanged priority is not written: Lowest stays Lowest", async () => {
    const lowest = { id: "5", name: "Lowest" };
    const { id } = simulator.site.add("PAY", { summary: "Later", priority: lowest });
    expect(await connector.updateIssue(refTo(id), { title: "Much later", priority: 4 }, key())).toMatchObject(
      { priority: 4 },
    );
    expect(simulator.site.known(id).fields.priority).toEqual(lowest);
  });

  test("a priority of a name that says nothing is none, and one that is not there is refused", async () => {
    await restart({
      priorities: [
        { id: "1", name: "P-Zero" },
        { id: "2", name: "Major" },
      ],
    });
    const { id } = simulator.site.add("PAY", { summary: "a", priority: { id: "1", name: "P-Zero" } });
    expect(await connector.getIssue(refTo(id))).toMatchObject({
      priority: null,
      raw: { fields: { priority: { name: "P-Zero" } } },
    });
    expect(await connector.updateIssue(refTo(id), { priority: 2 }, key())).toMatchObject({ priority: 2 });
    const error = await failureOf(() => connector.updateIssue(refTo(id), { priority: 1 }, key()));
    expect(error).toMatchObject({ capability: "priority", message: expect.stringContaining('"Major"') });
  });

  test("types are the project's own", async () => {
    const types = [
      { id: "1", name: "Feature", subtask: false, hierarchyLevel: 0 },
      { id: "2", name: "Service request", subtask: false, hierarchyLevel: 0 },
      { id: "3", name: "Question", subtask: false, hierarchyLevel: 0 },
    ];
    await restart({ types });
    expect(await create({ issueType: "story" })).toMatchObject({ issueType: "story" });
    expect(await create()).toMatchObject({
      issueType: "task",
      raw: { fields: { issuetype: { name: "Service request" } } },
    });
    connector = connectTo(simulator, { defaultIssueType: "question" });
    expect(await create()).toMatchObject({ raw: { fields: { issuetype: { name: "Question" } } } });
    const error = await failureOf(() => create({ issueType: "bug" }));
    expect(error).toMatchObject({
      capability: "issueType",
      message: expect.stringContaining('"Feature", "Service request", "Question"'),
    });
  });

  test("types and priorities are found behind the first page of them", async () => {
    const many = Array.from({ length: 60 }, (_, index) => ({ id: String(index + 1), name: `Kind ${index}` }));
    await restart({
      types: [...many, { id: "99", name: "Bug" }].map((type) => ({
        ...type,
        subtask: false,
        hierarchyLevel: 0,
      })),
      priorities: [...many, { id: "98", name: "Low" }],
    });
    expect(await create({ issueType: "bug", priority: 4 })).toMatchObject({ issueType: "bug", priority: 4 });
  });

  test("subtasks have parents of their own project; what the hierarchy does not allow is told", async () => {
    const parent = await create({ title: "Parent" });
    const child = await create({ issueType: "subtask", parent: parent.ref });
    expect(child).toMatchObject({ issueType: "subtask", parent: parent.ref });
    const cases = [
      () => create({ issueType: "subtask" }),
      () => connector.updateIssue(child.ref, { parent: null }, key()),
      () => connector.updateIssue(parent.ref, { parent: child.ref }, key()),
    ];
    for (const call of cases) {
      expect(await failureOf(call)).toMatchObject({
        failureClass: "invalid",
        message: expect.stringMatching(/parent/),
      });
    }
    const epic = await create({ title: "Epic", issueType: "epic" });
    const moved = await connector.updateIssue(parent.ref, { parent: epic.ref }, key());
    expect(moved.parent).toEqual(epic.ref);
    expect(await connector.updateIssue(parent.ref, { parent: null }, key())).toMatchObject({ parent: null });
  });

  const refused: readonly (readonly [string, Partial<IssueFields>, RegExp])[] = [
    ["a label with spaces", { labels: ["two words"] }, /labels: .*"two words"/],
    ["somebody unknown", { assignees: ["nobody"] }, /assignee: User 'nobody' does not exist/],
    ["a title of several lines", { title: "a\nb" }, /summary: .*newline/],
    ["a title that is too long", { title: "a".repeat(256) }, /summary: .*255/],
  ];
  test.each(refused)("%s is refused, naming the field", async (_, fields, message) => {
    expect(await failureOf(() => create(fields))).toMatchObject({
      failureClass: "invalid",
      retryable: false,
      message: expect.stringMatching(message),
    });
    const { ref } = await create({ title: "Here" });
    expect(await failureOf(() => connector.updateIssue(ref, fields, key()))).toMatchObject({
      failureClass: "invalid",
      message: expect.stringMatching(message),
    });
    expect(simulator.site.issues.size).toBe(1);
  });

  test("a field that has to be given is named", async () => {
    await restart({ required: ["customfield_10077"] });
    expect(await failureOf(() => create())).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("customfield_10077"),
    });
  });

  test("a project without some fields is read and written without them", async () => {
    await restart({ hidden: ["priority", "labels", "description", "issuelinks"] });
    expect(await create()).toMatchObject({ priority: null, labels: [], body: null, links: [] });
    expect(await failureOf(() => create({ labels: ["a"] }))).toMatchObject({
      message: expect.stringContaining("labels: Field 'labels' cannot be set"),
    });
  });

  test("hostile text comes back as it was written", async () => {
    for (const body of [
      "\\*not bold\\* `code` <u>under</u>",
      "# A\n\n> quote\n\n1. x\n2. y",
      "| a | b |\n| --- | --- |\n| 1 | 2 |",
      "- [ ] open\n- [x] done",
      "```sql\n-- '\n```",
      "emoji 🎉 日本",
    ]) {
      const { ref } = await create({ body });
      expect(await connector.getIssue(ref)).toMatchObject({ body });
    }
  });
});

describe("links", () => {
  test("a duplicate shows on its own end only, and types without a meaning here stay in the payload", async () => {
    const [a, b] = [await create({ title: "a" }), await create({ title: "b" })];
    await connector.upsertLink(a.ref, { type: "duplicates", target: b.ref });
    const cloners = simulator.site.linkTypes.find(({ name }) => name === "Cloners");
    if (cloners === undefined) throw new Error("no link type");
    simulator.site.link(cloners, a.ref.id, b.ref.id);
    expect((await connector.getIssue(a.ref)).links).toEqual([{ type: "duplicates", target: b.ref }]);
    const duplicated = await connector.getIssue(b.ref);
    expect(duplicated.links).toEqual([]);
    expect(duplicated.raw).toMatchObject({
      fields: { issuelinks: [{ type: { name: "Duplicate" } }, { type: { name: "Cloners" } }] },
    });
    await connector.removeLink(a.ref, { type: "duplicates", target: b.ref });
    expect((await connector.getIssue(a.ref)).links).toEqual([]);
    expect(simulator.site.links.map(({ type }) => type.name)).toEqual(["Cloners"]);
  });

  test("types are known by how they read, whatever they are called and however they are turned", async () => {
    await simulator.stop();
    const linkTypes = [{ id: "1", name: "Dependency", inward: "Blocks", outward: "Is blocked by" }];
    const projects = [{ id: PROJECT, key: "PAY", name: "Payments" }];
    simulator = await new JiraSimulator({
      sites: [{ cloudId: "c", name: "acme", projects, linkTypes }],
    }).start();
    connector = connectTo(simulator);
    const [a, b] = [await create({ title: "a" }), await create({ title: "b" })];
    await connector.upsertLink(a.ref, { type: "blocks", target: b.ref });
    expect((await connector.getIssue(b.ref)).links).toEqual([{ type: "blocked_by", target: a.ref }]);
    const error = await failureOf(() => connector.upsertLink(a.ref, { type: "duplicates", target: b.ref }));
    expect(error).toMatchObject({
      capability: "linkTypes",
      message: expect.stringContaining('"Dependency"'),
    });
  });

  test("a link to another project's issue names that project", async () => {
    const { ref } = await create();
    const other = simulator.site.add("OPS", { summary: "Elsewhere" });
    const [blocks] = simulator.site.linkTypes;
    if (blocks === undefined) throw new Error("no link type");
    simulator.site.link(blocks, other.id, ref.id);
    expect((await connector.getIssue(ref)).links).toEqual([
      {
        type: "blocked_by",
        target: {
          system: "jira",
          workspace: "OPS",
          id: other.id,
          key: "OPS-1",
          url: `${simulator.origin}/browse/OPS-1`,
        },
      },
    ]);
  });
});

describe("statuses", () => {
  const workflow: Workflow = {
    statuses: [
      { id: "1", name: "Backlog", category: "new" },
      { id: "2", name: "Doing", category: "indeterminate" },
      { id: "3", name: "Waiting for review", category: "indeterminate" },
      { id: "4", name: "Won't do", category: "done" },
      { id: "5", name: "Shipped", category: "done" },
      { id: "6", name: "Released", category: "done" },
      { id: "7", name: "Parked", category: "undefined" },
      { id: "8", name: "In test", category: "indeterminate" },
      { id: "9", name: "In progress", category: "indeterminate" },
      { id: "10", name: "In repair", category: "indeterminate" },
    ],
    transitions: [
      { id: "11", name: "Start", from: ["Backlog"], to: "Doing" },
      { id: "21", name: "Ask", from: ["Doing"], to: "Waiting for review" },
      { id: "31", name: "Ship", from: ["Doing", "Waiting for review"], to: "Shipped" },
      { id: "41", name: "Release", from: ["Doing", "Waiting for review"], to: "Released" },
      { id: "51", name: "Reject", from: ["Backlog"], to: "Won't do", requires: "resolution" },
      { id: "61", name: "Test", from: ["Waiting for review"], to: "In test" },
      { id: "71", name: "Return", from: ["Waiting for review"], to: "In progress" },
      { id: "81", name: "Pause", from: ["In test"], to: "Doing" },
      { id: "91", name: "In progress", from: ["In test"], to: "In repair" },
    ],
  };
  beforeEach(() => restart({ workflow }));

  test("are reached by what the workflow offers, and refused with what it does not", async () => {
    const { ref, status } = await create();
    expect(status).toBe("todo");
    const error = await failureOf(() => connector.transitionIssue(ref, "done", key()));
    expect(error).toMatchObject({
      capability: "statuses",
      message: expect.stringContaining('"Start" to "Doing" (in_progress)'),
    });
    for (const next of ["in_progress", "in_review", "done"] as const) {
      expect(await connector.transitionIssue(ref, next, key())).toMatchObject({ status: next });
    }
    expect(simulator.site.known(ref.id).fields.status.name).toBe("Shipped");
    const count = writes().length;
    await connector.transitionIssue(ref, "done", key());
    expect(writes().length).toBe(count);
  });

  test.each([
    ["the status that it leads to", "Waiting for review", { in_review: "Waiting for review" }, "In progress"],
    ["its own name, where no status is called so", "In test", { in_review: "In test" }, "In repair"],
  ] as const)(
    "are reached by the transition that is called like them: by %s",
    async (_, from, statusNameMap, to) => {
      connector = connectTo(simulator, { statusNameMap });
      const { ref } = await create();
      simulator.site.setStatus(ref.id, from);
      await connector.transitionIssue(ref, "in_progress", key());
      expect(simulator.site.known(ref.id).fields.status.name).toBe(to);
    },
  );

  test("are preferred by their mapped name", async () => {
    connector = connectTo(simulator, { statusNameMap: { done: "released", blocked: "Parked" } });
    const { ref } = await create();
    await connector.transitionIssue(ref, "in_progress", key());
    await connector.transitionIssue(ref, "done", key());
    expect(simulator.site.known(ref.id).fields.status.name).toBe("Released");
    simulator.site.setStatus(ref.id, "Parked");
    expect(await connector.getIssue(ref)).toMatchObject({ status: "blocked" });
  });

  test("of no category are not guessed", async () => {
    const { ref } = await create();
    simulator.site.setStatus(ref.id, "Parked");
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({
      failureClass: "contract",
      fieldPath: "issue.fields.status.statusCategory.key",
      message: expect.stringContaining("Parked"),
    });
  });

  test("whose screen asks for a field are refused, naming it", async () => {
    const { ref } = await create();
    const error = await failureOf(() => connector.transitionIssue(ref, "canceled", key()));
    expect(error).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("resolution is required"),
    });
    expect(await connector.getIssue(ref)).toMatchObject({ status: "todo" });
  });
});

describe("finding", () => {
  test("by key, id and address of this project, and nothing else", async () => {
    const issue = await create();
    const other = simulator.site.add("OPS", { summary: "Elsewhere" });
    const { origin } = simulator;
    for (const name of [
      "PAY-1",
      "pay-1",
      issue.ref.id,
      `${origin}/browse/PAY-1`,
      `${origin}/browse/pay-1?focused=1`,
    ]) {
      expect(await connector.findIssue(name)).toEqual(issue);
    }
    for (const name of [
      "PAY-2",
      "OPS-1",
      other.id,
      "https://else.test/browse/PAY-1",
      "PAY",
      "a b",
      "../x-1",
      `${origin}/browse/OPS-1`,
    ]) {
      expect(await connector.findIssue(name)).toBeNull();
    }
  });

  test("words are looked for as words, whatever signs are among them", async () => {
    const { ref } = await create({ title: 'Say "NOT" AND (never) C:\\dir*?' });
    const ids = async (text: string) => (await connector.searchIssues({ text })).map(({ ref: { id } }) => id);
    expect(await ids('"NOT" AND (never')).toEqual([ref.id]);
    expect(await ids("C:\\dir*?")).toEqual([ref.id]);
    expect(await ids('" OR project = OPS --')).toEqual([]);
    expect(await ids("!!!")).toEqual([]);
  });

  test("a project that is known by its key only keeps its issues when the key changes", async () => {
    connector = connectTo(simulator, { projectId: undefined, projectKey: "PAY" });
    const { ref } = await create();
    expect(ref).toMatchObject({ workspace: "PAY", key: "PAY-1" });
    simulator.site.rename("PAY", "PMT");
    connector = connectTo(simulator, { projectId: undefined, projectKey: "PAY" });
    const renamed = await connector.getIssue(ref);
    expect(renamed.ref).toMatchObject({ workspace: "PAY", id: ref.id, key: "PMT-1" });
    expect((await connector.listIssues({})).items).toEqual([renamed]);
    expect(await connector.findIssue("PAY-1")).toEqual(renamed);
  });
});

describe("mission metadata", () => {
  beforeEach(() => {
    connector = connectTo(simulator, { missionFieldId: "customfield_10042" });
  });

  test("is kept in the text field that the params name", async () => {
    expect(connector.capabilities().customFields).toBe(true);
    const { ref } = await create({ customFields: { spec_kitty_mission: "mission-7" } });
    expect(simulator.site.known(ref.id).fields.custom).toEqual({ customfield_10042: "mission-7" });
    expect(await connector.getIssue(ref)).toMatchObject({
      customFields: { spec_kitty_mission: "mission-7" },
    });
    const cleared = await connector.updateIssue(ref, { customFields: {} }, key());
    expect(cleared.customFields).toEqual({});
    for (const customFields of [{ effort: 3 }, { spec_kitty_mission: 7 }]) {
      const before = writes().length;
      expect(await failureOf(() => connector.updateIssue(ref, { customFields }, key()))).toMatchObject({
        failureClass: "invalid",
        message: expect.stringMatching(/custom ?fields?/i),
      });
      expect(writes().length).toBe(before);
    }
  });

  test("has a place for decisions where the params name a field of several lines", async () => {
    const fieldId = "customfield_10043";
    await restart({ paragraphs: [fieldId] });
    connector = connectTo(simulator, { missionFieldId: "customfield_10042", decisionsFieldId: fieldId });
    const { ref } = await create();
    const blocker = await create({ title: "Which *ledger*?" });
    const decisionReferences = [
      { id: "D-1", blocking: true, title: 'Keep "_both_" [ledgers]\\', externalRef: blocker.ref },
      { id: "D-2", blocking: false },
    ];
    const update: MissionUpdate = { missionId: "mission-7", missionState: "planned", decisionReferences };
    const published = await publishMissionUpdate(connector, ref, update);
    expect(published.omitted).toEqual([]);
    expect(missionSeedFromIssue(await connector.getIssue(ref)).decisionReferences).toEqual(
      decisionReferences,
    );
    const count = writes().length;
    await publishMissionUpdate(connector, ref, update);
    expect(writes().length).toBe(count);

    const { customFields } = await connector.updateIssue(
      ref,
      { customFields: { decision_refs: "D-3" } },
      key(),
    );
    expect(customFields).toEqual({ decision_refs: "D-3" });
    simulator.site.edit(ref.id, { custom: { [fieldId]: '["D-4"]' } });
    expect(missionSeedFromIssue(await connector.getIssue(ref)).decisionReferences).toMatchObject([
      { id: "D-4" },
    ]);
    const others = { decision_refs: ["D-4"], spec_kitty_mission: "mission-8" };
    await connector.updateIssue(ref, { customFields: others }, key());
    expect(lastWrite()).toEqual({ fields: { customfield_10042: "mission-8" }, update: {} });
    expect((await connector.updateIssue(ref, { customFields: {} }, key())).customFields).toEqual({});
  });

  test("says what has no place: a decision without a field, everything without any", async () => {
    const { ref } = await create();
    const update = {
      missionId: "mission-7",
      missionState: "planned",
      decisionReferences: [{ id: "D-1", blocking: false }],
    };
    expect((await publishMissionUpdate(connector, ref, update)).omitted).toEqual(["custom_field"]);
    expect((await connector.getIssue(ref)).customFields).toEqual({ spec_kitty_mission: "mission-7" });
    expect(connectTo(simulator).capabilities()).toMatchObject({ customFields: false });
  });

  test("is published once, with status and comment", async () => {
    const { ref } = await create();
    const update = {
      missionId: "mission-7",
      missionState: "in_progress",
      targetStatus: "in_progress",
      summary: "Half of it *works*",
      missionUrl: "https://missions.test/7?a=1&b=2",
      decisionReferences: [],
    } as const;
    await publishMissionUpdate(connector, ref, { ...update, decisionReferences: [] });
    const count = writes().length;
    const { issue } = await publishMissionUpdate(connector, ref, { ...update, decisionReferences: [] });
    expect(writes().length).toBe(count);
    expect(issue).toMatchObject({ status: "in_progress", customFields: { spec_kitty_mission: "mission-7" } });
    expect((await connector.listComments(ref)).items).toHaveLength(1);
  });
});

describe("under the engine", () => {
  let engine: SyncEngine;
  let store: MemoryIssueStore;
  let sync: () => Promise<SyncResult>;

  beforeEach(() => {
    ({ engine, store, sync } = simulatedEngine(connector, simulator));
  });

  const stored = (name: string) => recordIn(store, name);
  const DRAFT: IssueFields = {
    ...BLANK,
    title: "Draft",
    body: "Some *text*",
    labels: ["new"],
    assignees: ["5b10-ada"],
    priority: 2,
  };

  test("edits go both ways, and then nothing is left to write", async () => {
    await engine.create("draft", DRAFT);
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    simulator.tick();
    simulator.site.edit("PAY-1", { summary: "Named on the web", labels: ["new", "web"] });
    await sync();
    expect((await stored("draft"))?.fields).toMatchObject({
      ...DRAFT,
      title: "Named on the web",
      labels: ["new", "web"],
    });
    await engine.edit("draft", { body: "Some **other** text", status: "in_progress" });
    await sync();
    expect(await connector.getIssue(refTo(simulator.site.known("PAY-1").id))).toMatchObject({
      title: "Named on the web",
      body: "Some **other** text",
      status: "in_progress",
    });
    const count = writes().length;
    expect(await sync()).toMatchObject({ errors: [], conflicts: [] });
    expect(writes().length).toBe(count);
  });

  const lost: readonly (readonly [string, number])[] = [
    ["at once", 0],
    ["while the index is minutes behind", 4 * 60_000],
  ];
  test.each(lost)("a create whose answer was lost is found again %s: one issue", async (_, lag) => {
    for (let index = 0; index < 3; index++) simulator.site.add("PAY", { summary: `Old ${index}` });
    simulator.tick(24 * 60 * 60_000);
    simulator.setClock(Date.now());
    simulator.indexLag = lag;
    simulator.fail(
      { kind: "lost_response" },
      ({ method, path }) => method === "POST" && path.endsWith("/issue"),
    );
    await engine.create("draft", DRAFT);
    for (let round = 0; round < 3; round++) await collect(engine.push());
    expect(
      [...simulator.site.issues.values()].filter(({ fields }) => fields.summary === "Draft"),
    ).toHaveLength(1);
    expect((await stored("draft"))?.ref?.key).toBe("PAY-4");
  });

  test.each(lost)(
    "a create that was moved before it was known is not made again: looked for %s",
    async (_, lag) => {
      simulator.site.add("PAY", { summary: "Old" });
      simulator.tick(24 * 60 * 60_000);
      simulator.indexLag = lag;
      await engine.create("draft", DRAFT);
      const options = key();
      await store.transaction((transaction) => transaction.putIntent({ key: "draft", ...options }));
      const { ref } = await connector.createIssue(DRAFT, options);
      simulator.site.move(ref.id, "OPS");
      for (let count = 0; count < 2; count++) expect(await sync()).toMatchObject({ errors: [] });
      expect(await stored("draft")).toMatchObject({ ref: null, deletedAt: expect.any(String) });
      expect(simulator.site.issues.size).toBe(2);
    },
  );

  test("a create is found below numbers that the index already has", async () => {
    simulator.indexLag = 60_000;
    const { ref } = await create({ title: "Late in the index" });
    simulator.tick(30_000);
    const indexedFirst = simulator.site.add("PAY", { summary: "Early in the index" });
    const [version] = indexedFirst.versions;
    if (version !== undefined) indexedFirst.versions.unshift({ ...version, at: 0 });
    expect(await connector.findCreated(`key-${keys}`)).toMatchObject({ ref });
  });

  test("a create is found by its number when the newest indexed issue was moved to another project", async () => {
    simulator.site.add("PAY", { summary: "Old" });
    simulator.site.add("PAY", { summary: "Moved" });
    simulator.tick(60_000);
    simulator.indexLag = 60_000;
    simulator.site.move("PAY-2", "OPS");
    const { ref } = await create({ title: "Late in the index" });
    expect(await connector.findCreated(`key-${keys}`)).toMatchObject({ ref });
  });
});
