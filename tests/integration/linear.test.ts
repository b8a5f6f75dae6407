/** The Linear connector keeps the contract, and means the same by an issue as Linear's own SDK. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LinearClient, LinearDocument } from "@linear/sdk";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { linear } from "../../src/sdk/connectors/linear/index.ts";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import { BLANK, type ExternalRef, identityOf } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { describeConnector } from "../helpers/connector-contract.ts";
import { recordIn } from "../helpers/store-fixture.ts";
import { ACME, directly, linearSubject, TEAM_ID } from "../helpers/subjects/linear.ts";
import { LinearSimulator } from "../simulators/linear/index.ts";
import type { SimulatedRequest } from "../simulators/server.ts";

describeConnector("linear", () => linearSubject(directly));

let simulator: LinearSimulator;
let connector: TrackerConnector;
let client: LinearClient;
let keys = 0;
const key = () => ({ idempotencyKey: `key-${++keys}` });

beforeEach(async () => {
  simulator = await new LinearSimulator({ workspaces: [ACME] }).start();
  connector = linear.connect({ teamId: TEAM_ID }, directly(simulator));
  client = new LinearClient({ apiKey: simulator.token, apiUrl: `${simulator.origin}/graphql` });
});
afterEach(() => simulator.stop());

const refOf = (id: string, key: string, workspace = TEAM_ID): ExternalRef => ({
  system: "linear",
  workspace,
  id,
  key,
  url: `https://linear.app/acme/issue/${key}`,
});

/** What Linear's SDK creates, by its id. */
async function createdBySdk(input: LinearDocument.IssueCreateInput): Promise<string> {
  const { issueId } = await client.createIssue(input);
  if (issueId === undefined) throw new Error("nothing was created");
  return issueId;
}

const create = (title: string) => createdBySdk({ teamId: TEAM_ID, title });

/** Ids of what people choose by name. */
async function idsByName() {
  const team = await client.team(TEAM_ID);
  const [states, labels, users] = await Promise.all([team.states(), client.issueLabels(), client.users()]);
  const idIn = (nodes: readonly { readonly id: string; readonly name: string }[], name: string) => {
    const node = nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`there is no ${name}`);
    return node.id;
  };
  return {
    state: (name: string) => idIn(states.nodes, name),
    label: (name: string) => idIn(labels.nodes, name),
    user: (name: string) => idIn(users.nodes, name),
  };
}

describe("what Linear's SDK writes", () => {
  test("is read with every field, the same from every side", async () => {
    const ids = await idsByName();
    const [parent, blocker, blocked, original] = [
      await create("Parent"),
      await create("Blocker"),
      await create("Blocked"),
      await create("Original"),
    ];
    simulator.tick();
    const id = await createdBySdk({
      teamId: TEAM_ID,
      title: "Refund twice",
      description: "# Steps\n\n1. pay",
      priority: 1,
      parentId: parent,
      assigneeId: ids.user("grace"),
      labelIds: [ids.label("payments"), ids.label("Bug")],
    });
    const { Blocks, Duplicate, Related } = LinearDocument.IssueRelationType;
    await client.createIssueRelation({ issueId: blocker, relatedIssueId: id, type: Blocks });
    await client.createIssueRelation({ issueId: id, relatedIssueId: blocked, type: Blocks });
    await client.createIssueRelation({ issueId: blocked, relatedIssueId: id, type: Related });
    await client.createIssueRelation({ issueId: id, relatedIssueId: original, type: Duplicate });
    simulator.tick();
    await client.updateIssue(id, { stateId: ids.state("In Review") });

    const issue = await connector.getIssue(refOf(id, "ENG-5"));
    const { raw, labels, links, ...rest } = issue;
    expect(rest).toEqual({
      ref: refOf(id, "ENG-5"),
      title: "Refund twice",
      body: "# Steps\n\n1. pay",
      status: "in_review",
      issueType: "task",
      priority: 1,
      assignees: ["grace"],
      parent: refOf(parent, "ENG-1"),
      customFields: {},
      createdAt: "2026-03-01T09:00:01.000Z",
      updatedAt: "2026-03-01T09:00:02.000Z",
      revision: null,
    });
    expect(labels.toSorted()).toEqual(["Bug", "payments"]);
    expect(links.map(({ type, target }) => `${type} ${target.key}`).toSorted()).toEqual([
      "blocked_by ENG-2",
      "blocks ENG-3",
      "duplicates ENG-4",
      "relates_to ENG-3",
    ]);
    expect(raw).toMatchObject({ id, identifier: "ENG-5", state: { name: "In Review", type: "started" } });
    expect((await connector.getIssue(refOf(original, "ENG-4"))).links).toEqual([]);

    const { items } = await connector.listIssues({});
    expect(items.find(({ ref }) => ref.id === id)).toEqual(issue);
    expect(await connector.searchIssues({ text: "refund" })).toEqual([issue]);
    expect(await connector.searchIssues({ limit: 1 })).toEqual([issue]);
    const names = ["ENG-5", "eng-5", id, id.toUpperCase(), issue.ref.url, `${issue.ref.url}/refund-twice`];
    for (const name of names) expect(await connector.findIssue(name ?? "")).toEqual(issue);
  });

  test("follows as it changes: title, body, labels, assignee, parent, state, comments, the archive", async () => {
    const ids = await idsByName();
    const parentId = await create("Parent");
    const id = await createdBySdk({
      teamId: TEAM_ID,
      title: "Old",
      description: "Text",
      parentId,
      assigneeId: ids.user("ada"),
      labelIds: [ids.label("payments")],
    });
    await client.updateIssue(id, {
      title: "New",
      description: "",
      priority: 4,
      parentId: null,
      assigneeId: null,
      addedLabelIds: [ids.label("api")],
      removedLabelIds: [ids.label("payments")],
      stateId: ids.state("Done"),
    });
    await client.createComment({ issueId: id, body: "Looks **good**." });
    await client.archiveIssue(id);
    const issue = await connector.getIssue(refOf(id, "ENG-2"));
    expect(issue).toMatchObject({
      title: "New",
      body: null,
      status: "done",
      priority: 4,
      assignees: [],
      labels: ["api"],
      parent: null,
    });
    expect((await connector.listIssues({})).items).toContainEqual(issue);
    simulator.store().comment(id, "Deployed.", { bot: "CI" });
    const { items } = await connector.listComments(issue.ref);
    expect(items).toMatchObject([
      { body: "Looks **good**.", author: "ada" },
      { body: "Deployed.", author: "CI" },
    ]);
  });

  test("leads to other teams where it does", async () => {
    const store = simulator.store();
    const { id: elsewhere, teamId } = store.addIssue(store.team("OPS").id, { title: "Rack" });
    const { id } = store.addIssue(TEAM_ID, { title: "Child", parentId: elsewhere });
    store.relate(elsewhere, id, "blocks");
    const rack = refOf(elsewhere, "OPS-1", teamId);
    const issue = await connector.getIssue(refOf(id, "ENG-1"));
    expect(issue).toMatchObject({ parent: rack, links: [{ type: "blocked_by", target: rack }] });
    expect(await connector.updateIssue(issue.ref, { parent: null }, key())).toMatchObject({ parent: null });
  });
});

describe("what the connector writes", () => {
  test("is read by Linear's SDK, every field of it", async () => {
    const parent = await connector.createIssue({ ...BLANK, title: "Parent" }, key());
    const blocker = await connector.createIssue({ ...BLANK, title: "Blocker" }, key());
    const other = await connector.createIssue({ ...BLANK, title: "Other" }, key());
    const { ref } = await connector.createIssue(
      {
        ...BLANK,
        title: "Refund twice",
        body: "Two\n\nparagraphs",
        status: "in_progress",
        priority: 2,
        assignees: ["grace"],
        labels: ["payments", "Bug"],
        parent: parent.ref,
        links: [
          { type: "blocked_by", target: blocker.ref },
          { type: "blocks", target: other.ref },
          { type: "relates_to", target: parent.ref },
        ],
      },
      key(),
    );
    await connector.addComment(ref, "Done twice.", key());

    const issue = await client.issue(ref.key ?? "");
    expect(issue).toMatchObject({
      id: ref.id,
      identifier: "ENG-4",
      title: "Refund twice",
      description: "Two\n\nparagraphs",
      priority: 2,
      parentId: parent.ref.id,
    });
    expect((await issue.state)?.name).toBe("In Progress");
    expect((await issue.assignee)?.displayName).toBe("grace");
    expect((await issue.labels()).nodes.map(({ name }) => name).toSorted()).toEqual(["Bug", "payments"]);
    const relations = (await issue.relations()).nodes.map(({ type, relatedIssueId }) => [
      type,
      relatedIssueId,
    ]);
    expect(relations.toSorted()).toEqual([
      ["blocks", other.ref.id],
      ["related", parent.ref.id],
    ]);
    const inverse = (await issue.inverseRelations()).nodes.map(({ type, issueId }) => [type, issueId]);
    expect(inverse).toEqual([["blocks", blocker.ref.id]]);
    expect((await issue.comments()).nodes.map(({ body }) => body)).toEqual(["Done twice."]);
  });

  test("changes only what was asked for, labels by what was added and removed", async () => {
    const { ref } = await connector.createIssue(
      { ...BLANK, title: "Old", body: "- Text", labels: ["payments"], assignees: ["ada"] },
      key(),
    );
    const ids = await idsByName();
    // Somebody adds a label between the connector's read and its write.
    simulator.fail({
      kind: "meanwhile",
      phase: "after",
      happens: () => {
        const store = simulator.store();
        store.edit(ref.id, { labelIds: [...store.issue(ref.id).labelIds, ids.label("api")] });
      },
    });
    const before = simulator.requests.length;
    const updated = await connector.updateIssue(ref, { title: "New", labels: ["Bug"] }, key());
    // Linear writes Markdown in its own way.
    expect(updated).toMatchObject({ title: "New", body: "* Text", assignees: ["ada"] });
    expect(updated.labels.toSorted()).toEqual(["Bug", "api"]);
    const writes = simulator.requests
      .slice(before)
      .filter(({ body }) => JSON.stringify(body).includes("mutation"));
    expect(writes.map(({ body }) => body)).toMatchObject([
      {
        variables: {
          id: ref.id,
          input: {
            title: "New",
            addedLabelIds: [ids.label("Bug")],
            removedLabelIds: [ids.label("payments")],
          },
        },
      },
    ]);
    expect(writes).toHaveLength(1);
    expect(JSON.stringify(writes)).not.toContain('"description"');
  });

  test("clears what is emptied: body, priority, assignee, parent", async () => {
    const parent = await connector.createIssue({ ...BLANK, title: "Parent" }, key());
    const full = { body: "Text", priority: 3, assignees: ["ada"], parent: parent.ref };
    const { ref } = await connector.createIssue({ ...BLANK, ...full, title: "Full" }, key());
    const empty = { body: null, priority: null, assignees: [], parent: null };
    expect(await connector.updateIssue(ref, empty, key())).toMatchObject(empty);
    expect(await client.issue(ref.id)).toMatchObject({ priority: 0 });
  });

  test("leaves new work where the team puts it, and moves work to where it starts", async () => {
    const { ref } = await connector.createIssue({ ...BLANK, title: "New" }, key());
    const stateName = async () => (await (await client.issue(ref.id)).state)?.name;
    expect(await stateName()).toBe("Backlog");
    await connector.transitionIssue(ref, "done", key());
    await connector.transitionIssue(ref, "todo", key());
    expect(await stateName()).toBe("Todo");
  });

  test("uses the states that were chosen, in both directions", async () => {
    const ids = await idsByName();
    const statusToStateId = { todo: ids.state("Todo"), blocked: ids.state("In Review") };
    const choosy = linear.connect({ teamId: TEAM_ID, statusToStateId }, directly(simulator));
    const { ref } = await choosy.createIssue({ ...BLANK, title: "New" }, key());
    const state = async () => (await (await client.issue(ref.id)).state)?.name;
    expect(await state()).toBe("Todo");
    expect(await choosy.transitionIssue(ref, "blocked", key())).toMatchObject({ status: "blocked" });
    expect(await state()).toBe("In Review");
    await client.updateIssue(ref.id, { stateId: ids.state("Blocked") });
    expect(await choosy.getIssue(ref)).toMatchObject({ status: "blocked" });
  });

  test("asks for the team's states once, and for links of none", async () => {
    for (const status of ["in_progress", "done", "canceled"] as const) {
      await connector.createIssue({ ...BLANK, title: status, status }, key());
    }
    const asked = simulator.requests.map(
      ({ body }) => /(query|mutation) (\w+)/.exec(JSON.stringify(body))?.[2],
    );
    expect(asked.filter((name) => name === "TeamStates")).toHaveLength(1);
    simulator.requests.length = 0;
    expect((await connector.listIssues({})).items).toHaveLength(3);
    expect(simulator.requests).toHaveLength(1);
  });
});

test("of an issue with many labels, links and comments none is missed", async () => {
  const store = simulator.store();
  const names = Array.from({ length: 70 }, (_, at) => `label ${at}`);
  for (const name of names) store.addLabel(name);
  const labelIds = store.labels.flatMap(({ id, name }) => (names.includes(name) ? [id] : []));
  const { id } = store.addIssue(TEAM_ID, { title: "Hub", labelIds });
  const ends = Array.from({ length: 70 }, (_, at) => store.addIssue(TEAM_ID, { title: `${at}` }).id);
  for (const end of ends) store.relate(id, end, "blocks");
  for (const end of ends) store.relate(end, id, "blocks");
  for (let at = 0; at < 120; at++) {
    simulator.tick();
    store.comment(id, `comment ${at}`, { bot: "CI" });
  }
  const ref = refOf(id, "ENG-1");
  const hub = await connector.getIssue(ref);
  expect(hub.labels.toSorted()).toEqual(names.toSorted());
  expect(
    hub.links
      .filter(({ type }) => type === "blocks")
      .map(({ target }) => target.id)
      .toSorted(),
  ).toEqual(ends.toSorted());
  expect(hub.links).toHaveLength(140);
  expect((await connector.listIssues({ limit: 1 })).items).toEqual([hub]);

  const bodies: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await connector.listComments(ref, cursor);
    bodies.push(...page.items.map(({ body }) => body));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  expect(bodies).toEqual(Array.from({ length: 120 }, (_, at) => `comment ${at}`));
});

describe("the engine", () => {
  const isWrite = ({ body }: SimulatedRequest) => JSON.stringify(body).includes("mutation");

  test("brings an issue there and back again, and then has nothing to do", async () => {
    simulator.setClock(Date.now());
    const policy = { mode: "split_ownership" } as const;
    const engine = new SyncEngine({
      connector,
      store: new MemoryIssueStore(),
      policy,
      overlapMs: 0,
      now: () => new Date(simulator.now() + 1),
    });
    await engine.create("local-1", {
      ...BLANK,
      title: "Refund twice",
      body: "Text",
      status: "in_progress",
      priority: 2,
      labels: ["payments"],
      assignees: ["ada"],
    });
    expect(await collect(engine.push())).toMatchObject({ errors: [], stats: { created: { remote: 1 } } });
    const [filed] = (await client.issues()).nodes;
    if (filed === undefined) throw new Error("nothing was created");
    const ids = await idsByName();

    simulator.tick(5000);
    await client.updateIssue(filed.id, { title: "Refund once", addedLabelIds: [ids.label("api")] });
    simulator.tick(5000);
    expect(await collect(engine.pull())).toMatchObject({ errors: [], stats: { updated: { local: 1 } } });
    const record = await engine.edit("local-1", { status: "done", body: "Text, and more" });
    expect(record.fields).toMatchObject({
      title: "Refund once",
      labels: expect.arrayContaining(["api", "payments"]),
    });
    expect(await collect(engine.push())).toMatchObject({ errors: [], conflicts: [] });
    const after = await client.issue(filed.id);
    expect(after).toMatchObject({ title: "Refund once", description: "Text, and more", priority: 2 });
    expect((await after.state)?.name).toBe("Done");

    simulator.tick(5000);
    simulator.requests.length = 0;
    expect(await collect(engine.sync())).toMatchObject({ errors: [], conflicts: [] });
    expect(simulator.requests.length).toBeGreaterThan(0);
    expect(simulator.requests.filter(isWrite)).toEqual([]);
    expect(identityOf(record.ref ?? refOf("", ""))).toBe(identityOf(refOf(filed.id, "ENG-1")));
  });

  test.each([
    ["spec_kitty_authoritative", "created"],
    ["spec_kitty_authoritative", "edited"],
    ["split_ownership", "created"],
    ["split_ownership", "edited"],
  ] as const)(
    "under %s takes a body that was %s as Linear writes it, and writes it once",
    async (mode, how) => {
      simulator.setClock(Date.now());
      const store = new MemoryIssueStore();
      const now = () => new Date(simulator.now() + 1);
      const engine = new SyncEngine({ connector, store, policy: { mode }, overlapMs: 0, now });
      const body = "- one\n- _two_: https://acme.example/x";
      const kept = "* one\n* *two*: [https://acme.example/x](<https://acme.example/x>)";
      const sync = async () => {
        simulator.tick(5000);
        simulator.requests.length = 0;
        const { errors, conflicts } = await collect(engine.sync());
        return { errors, conflicts, writes: simulator.requests.filter(isWrite).length };
      };
      await engine.create("local-1", {
        ...BLANK,
        title: "Refund twice",
        body: how === "created" ? body : "Text",
      });
      expect(await sync()).toEqual({ errors: [], conflicts: [], writes: 1 });
      if (how === "edited") {
        await engine.edit("local-1", { body });
        expect(await sync()).toEqual({ errors: [], conflicts: [], writes: 1 });
      }
      const [filed] = (await client.issues()).nodes;
      expect(filed?.description).toBe(kept);
      expect(await sync()).toEqual({ errors: [], conflicts: [], writes: 0 });
      // The same text in other Markdown is no change for Linear, and no failure here.
      const same = "- one\n- <u>_two_</u>: https://acme.example/x";
      await engine.edit("local-1", { body: same, title: "Refund once" });
      expect(await sync()).toEqual({ errors: [], conflicts: [], writes: 1 });
      expect(await sync()).toEqual({ errors: [], conflicts: [], writes: 0 });
      const record = await recordIn(store, "local-1");
      expect(record?.fields).toMatchObject({ body: kept, title: "Refund once" });
    },
  );

  test("keeps an edit that was made here while the one before was written", async () => {
    simulator.setClock(Date.now());
    const store = new MemoryIssueStore();
    const policy = { mode: "spec_kitty_authoritative" } as const;
    const now = () => new Date(simulator.now() + 1);
    const engine = new SyncEngine({ connector, store, policy, overlapMs: 0, now });
    await engine.create("local-1", { ...BLANK, title: "Refund twice", body: "Text" });
    await collect(engine.sync());
    await engine.edit("local-1", { body: "- older" });
    let edited: Promise<unknown> = Promise.resolve();
    const happens = () => {
      edited = engine.edit("local-1", { body: "- newer" });
    };
    simulator.fail({ kind: "meanwhile", phase: "after", happens }, isWrite);
    simulator.tick(5000);
    await collect(engine.push());
    await edited;
    const bodyHere = async () => (await recordIn(store, "local-1"))?.fields.body;
    expect(await bodyHere()).toBe("- newer");
    simulator.tick(5000);
    expect(await collect(engine.sync())).toMatchObject({ errors: [] });
    expect(await bodyHere()).toBe("* newer");
    expect((await client.issues()).nodes.map(({ description }) => description)).toEqual(["* newer"]);
  });

  test("writes a body again when somebody changed the issue before it was read", async () => {
    simulator.setClock(Date.now());
    const store = new MemoryIssueStore();
    const policy = { mode: "spec_kitty_authoritative" } as const;
    const now = () => new Date(simulator.now() + 1);
    const engine = new SyncEngine({ connector, store, policy, overlapMs: 0, now });
    await engine.create("local-1", { ...BLANK, title: "Refund twice", body: "- ours" });
    const happens = () => {
      simulator.tick();
      const [filed] = simulator.store().issues.keys();
      simulator.store().edit(filed ?? "", { description: "theirs" });
    };
    simulator.fail({ kind: "meanwhile", phase: "after", happens }, isWrite);
    expect(await collect(engine.sync())).toMatchObject({ errors: [] });
    simulator.tick(5000);
    expect(await collect(engine.sync())).toMatchObject({ errors: [] });
    const record = await recordIn(store, "local-1");
    expect(record?.fields.body).toBe("* ours");
    expect((await client.issues()).nodes.map(({ description }) => description)).toEqual(["* ours"]);
  });

  // The answer to the write is what was agreed: an edit right after it is a later one, which the owner overrules.
  test.each([
    ["spec_kitty_authoritative", "* ours"],
    ["split_ownership", "theirs"],
  ] as const)(
    "under %s does not take somebody's edit of that moment for Linear's way of writing",
    async (mode, kept) => {
      simulator.setClock(Date.now());
      const store = new MemoryIssueStore();
      const now = () => new Date(simulator.now() + 1);
      const engine = new SyncEngine({
        connector,
        store,
        policy: { mode, strategy: "local_wins" },
        overlapMs: 0,
        now,
      });
      await engine.create("local-1", { ...BLANK, title: "Refund twice", body: "Text" });
      await collect(engine.sync());
      const [filed] = (await client.issues()).nodes;
      if (filed === undefined) throw new Error("nothing was created");
      await engine.edit("local-1", { body: "- ours" });
      simulator.tick(5000);
      const happens = () => {
        simulator.store().edit(filed.id, { description: "theirs" });
      };
      simulator.fail({ kind: "meanwhile", phase: "after", happens }, isWrite);
      await collect(engine.sync());
      simulator.tick(5000);
      await collect(engine.sync());
      const record = await recordIn(store, "local-1");
      expect(record?.fields.body).toBe(kept);
      expect((await client.issue(filed.id)).description).toBe(kept);
    },
  );
});
