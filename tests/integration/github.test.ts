/** The GitHub connector keeps the contract, and means the same by an issue as GitHub's own SDK. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Octokit } from "@octokit/rest";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { BLANK, type ExternalRef } from "../../src/sdk/model.ts";
import { describeConnector } from "../helpers/connector-contract.ts";
import { directly, everyIssue, githubConnector, githubSubject } from "../helpers/subjects/github.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";

describeConnector("github", () => githubSubject(directly));

const REPOSITORY = { owner: "acme", repo: "payments-api" };
const NAME = "acme/payments-api";

let simulator: GitHubSimulator;
let connector: TrackerConnector;
let octokit: Octokit;
let keys = 0;
const key = () => ({ idempotencyKey: `key-${++keys}` });

beforeEach(async () => {
  simulator = await new GitHubSimulator({
    workspaces: [
      {
        login: "acme",
        issueTypes: ["Bug", "Feature", "Task", "Epic", "Initiative"],
        repositories: [{ name: "payments-api", people: ["ada", "grace"] }, { name: "web" }],
      },
      { login: "octavia", type: "User", repositories: [{ name: "dotfiles" }] },
    ],
  }).start();
  connector = await githubConnector(simulator, NAME);
  octokit = new Octokit({ auth: simulator.token, baseUrl: `${simulator.origin}/api/v3` });
});
afterEach(() => simulator.stop());

function refOf(number: number): ExternalRef {
  return {
    system: "github",
    workspace: NAME,
    id: String(number),
    key: `#${number}`,
    url: `${simulator.origin}/${NAME}/issues/${number}`,
  };
}

describe("what GitHub's SDK writes", () => {
  test("is read with every field, the same from every side", async () => {
    const parent = await octokit.issues.create({ ...REPOSITORY, title: "Parent" });
    const blocker = await octokit.issues.create({ ...REPOSITORY, title: "Blocker" });
    const blocked = await octokit.issues.create({ ...REPOSITORY, title: "Blocked" });
    simulator.tick();
    const { data } = await octokit.issues.create({
      ...REPOSITORY,
      title: "Refund twice",
      body: "# Steps\r\n\r\n1. pay",
      labels: ["payments", "api"],
      assignees: ["grace", "ada"],
      type: "Feature",
    });
    const issue_number = data.number;
    await octokit.issues.addSubIssue({
      ...REPOSITORY,
      issue_number: parent.data.number,
      sub_issue_id: Number(data.id),
    });
    await octokit.issues.addBlockedByDependency({
      ...REPOSITORY,
      issue_number,
      issue_id: Number(blocker.data.id),
    });
    await octokit.issues.addBlockedByDependency({
      ...REPOSITORY,
      issue_number: blocked.data.number,
      issue_id: Number(data.id),
    });
    simulator.tick();
    await octokit.issues.update({ ...REPOSITORY, issue_number, state: "closed", state_reason: "duplicate" });

    const issue = await connector.getIssue(refOf(issue_number));
    const { raw, ...rest } = issue;
    expect(rest).toEqual({
      ref: refOf(issue_number),
      title: "Refund twice",
      body: "# Steps\r\n\r\n1. pay",
      status: "canceled",
      issueType: "story",
      priority: null,
      assignees: ["grace", "ada"],
      labels: ["payments", "api"],
      parent: refOf(parent.data.number),
      links: [
        { type: "blocked_by", target: refOf(blocker.data.number) },
        { type: "blocks", target: refOf(blocked.data.number) },
      ],
      customFields: {},
      createdAt: "2026-03-01T09:00:01.000Z",
      updatedAt: "2026-03-01T09:00:02.000Z",
      revision: null,
    });
    expect(raw).toMatchObject({ id: data.id, number: issue_number, node_id: data.node_id });
    expect((await everyIssue(connector)).find(({ ref }) => ref.id === issue.ref.id)).toEqual(issue);
    expect(await connector.searchIssues({ text: "refund" })).toEqual([{ ...issue, links: [] }]);
    expect(await connector.searchIssues({ limit: 1 })).toEqual([{ ...issue, links: [] }]);
    for (const key of [
      `#${issue_number}`,
      `${issue_number}`,
      `ACME/Payments-API#${issue_number}`,
      issue.ref.url,
    ]) {
      expect(await connector.findIssue(key ?? "")).toEqual(issue);
    }
    for (const key of [
      `acme/web#${issue_number}`,
      `https://github.test/${NAME}/issues/${issue_number}`,
      "payments",
    ]) {
      expect(await connector.findIssue(key)).toBeNull();
    }
  });

  test("follows as it changes: title, body, labels, assignees, type, state, comments", async () => {
    const { data } = await octokit.issues.create({ ...REPOSITORY, title: "Old", labels: ["a", "b"] });
    const issue = { ...REPOSITORY, issue_number: data.number };
    await octokit.issues.update({ ...issue, title: "New", body: null, state: "closed", type: "Initiative" });
    await octokit.issues.removeLabel({ ...issue, name: "a" });
    await octokit.issues.addLabels({ ...issue, labels: ["c"] });
    await octokit.issues.addAssignees({ ...issue, assignees: ["ada"] });
    expect(await connector.getIssue(refOf(data.number))).toMatchObject({
      title: "New",
      body: null,
      status: "done",
      // The model has no word for an initiative; the payload keeps it.
      issueType: "task",
      labels: ["b", "c"],
      assignees: ["ada"],
      raw: { type: { name: "Initiative" } },
    });
    await octokit.issues.update({ ...issue, state: "open" });
    await octokit.issues.createComment({ ...issue, body: "Looks **good**." });
    expect(await connector.getIssue(refOf(data.number))).toMatchObject({ status: "todo" });
    const { items } = await connector.listComments(refOf(data.number));
    expect(items).toMatchObject([{ body: "Looks **good**.", author: "octavia" }]);
  });

  test("leads to other repositories where it does", async () => {
    simulator.addIssue("acme/web", { title: "Redesign" });
    const child = simulator.addIssue(NAME, { title: "Child" });
    simulator.nestIssue(`${NAME}#${child}`, "acme/web#1");
    simulator.blockIssue("acme/web#1", `${NAME}#${child}`);
    const elsewhere = {
      system: "github",
      workspace: "acme/web",
      id: "1",
      key: "acme/web#1",
      url: `${simulator.origin}/acme/web/issues/1`,
    };
    const issue = await connector.getIssue(refOf(child));
    expect(issue.parent).toEqual(elsewhere);
    expect(issue.links).toEqual([{ type: "blocked_by", target: elsewhere }]);
    expect(await connector.updateIssue(issue.ref, { parent: null }, key())).toMatchObject({ parent: null });
  });
});

describe("what the connector writes", () => {
  test("is read by GitHub's SDK, every field of it", async () => {
    const parent = await connector.createIssue({ ...BLANK, title: "Parent", issueType: "epic" }, key());
    const blocker = await connector.createIssue({ ...BLANK, title: "Blocker" }, key());
    const blocked = await connector.createIssue({ ...BLANK, title: "Blocked" }, key());
    const issue = await connector.createIssue(
      {
        ...BLANK,
        title: "Refund twice",
        body: "Two\n\nparagraphs",
        status: "canceled",
        issueType: "bug",
        labels: ["payments", "needs/triage"],
        assignees: ["ada", "grace"],
        parent: parent.ref,
        links: [
          { type: "blocked_by", target: blocker.ref },
          { type: "blocks", target: blocked.ref },
        ],
      },
      key(),
    );
    await connector.addComment(issue.ref, "Done twice.", key());

    const own = { ...REPOSITORY, issue_number: Number(issue.ref.id) };
    const { data } = await octokit.issues.get(own);
    expect(data).toMatchObject({
      title: "Refund twice",
      state: "closed",
      state_reason: "not_planned",
      type: { name: "Bug" },
      labels: [{ name: "payments" }, { name: "needs/triage" }],
      assignees: [{ login: "ada" }, { login: "grace" }],
    });
    // The mark of the create is a comment that no reader is shown.
    expect(data.body).toMatch(/^Two\n\nparagraphs\n\n<!-- tracker:[0-9a-f]{32} -->$/);
    expect((await octokit.issues.getParent(own)).data.title).toBe("Parent");
    expect((await octokit.issues.listDependenciesBlockedBy(own)).data.map(({ title }) => title)).toEqual([
      "Blocker",
    ]);
    expect((await octokit.issues.listDependenciesBlocking(own)).data.map(({ title }) => title)).toEqual([
      "Blocked",
    ]);
    const comments = await octokit.issues.listComments(own);
    expect(comments.data[0]?.body).toStartWith("Done twice.\n\n<!-- tracker:");
  });

  test("changes only what was asked for, labels and assignees by what was added and removed", async () => {
    const { ref } = await connector.createIssue(
      { ...BLANK, title: "Old", body: "Text", labels: ["keep", "drop"], assignees: ["ada"] },
      key(),
    );
    const number = Number(ref.id);
    // Somebody adds a label between the connector's read and its write.
    simulator.fail(
      { kind: "meanwhile", phase: "after", happens: () => simulator.labelIssue(NAME, number, "theirs") },
      ({ method }) => method === "GET",
    );
    const before = simulator.requests.length;
    const updated = await connector.updateIssue(
      ref,
      { title: "New", labels: ["keep", "mine"], assignees: ["grace"] },
      key(),
    );
    expect(updated).toMatchObject({
      title: "New",
      body: "Text",
      labels: ["keep", "theirs", "mine"],
      assignees: ["grace"],
    });
    const writes = simulator.requests.slice(before).filter(({ method }) => method !== "GET");
    expect(
      writes.map(({ method, path, body }) => [method, path.replace(/^.*\/issues\/\d+/, ""), body]),
    ).toEqual([
      ["PATCH", "", { title: "New" }],
      ["POST", "/labels", { labels: ["mine"] }],
      ["DELETE", "/labels/drop", null],
      ["DELETE", "/assignees", { assignees: ["ada"] }],
      ["POST", "/assignees", { assignees: ["grace"] }],
    ]);
  });

  test("takes a label off that somebody else has taken off meanwhile", async () => {
    const { ref } = await connector.createIssue({ ...BLANK, title: "Work", labels: ["a", "b"] }, key());
    simulator.fail(
      {
        kind: "meanwhile",
        phase: "before",
        happens: () => simulator.unlabelIssue(NAME, Number(ref.id), "a"),
      },
      ({ method }) => method === "DELETE",
    );
    expect(await connector.updateIssue(ref, { labels: [] }, key())).toMatchObject({ labels: [] });
  });

  test("moves from one end to the other, although GitHub ignores a reason while the state stays", async () => {
    const { ref } = await connector.createIssue({ ...BLANK, title: "Work", status: "done" }, key());
    expect(await connector.transitionIssue(ref, "canceled", key())).toMatchObject({ status: "canceled" });
    const own = { ...REPOSITORY, issue_number: Number(ref.id) };
    expect((await octokit.issues.get(own)).data).toMatchObject({
      state: "closed",
      state_reason: "not_planned",
    });
  });

  test("moves a child from one parent to another, and out again", async () => {
    const [one, other, child] = await Promise.all(
      ["One", "Other", "Child"].map((title) => connector.createIssue({ ...BLANK, title }, key())),
    );
    if (one === undefined || other === undefined || child === undefined)
      throw new Error("nothing was created");
    await connector.updateIssue(child.ref, { parent: one.ref }, key());
    await connector.updateIssue(child.ref, { parent: other.ref }, key());
    const children = async ({ id }: ExternalRef) =>
      (await octokit.issues.listSubIssues({ ...REPOSITORY, issue_number: Number(id) })).data.map(
        ({ title }) => title,
      );
    expect([await children(one.ref), await children(other.ref)]).toEqual([[], ["Child"]]);
    await connector.updateIssue(child.ref, { parent: null }, key());
    expect(await children(other.ref)).toEqual([]);
  });

  test.each(["repositories", "organizations"] as const)("asks once for the issue types of %s", async (of) => {
    simulator.issueTypesOf = of;
    for (const issueType of ["bug", "story", "epic"] as const) {
      await connector.createIssue({ ...BLANK, title: issueType, issueType }, key());
    }
    const asked = simulator.requests.flatMap(({ path }) => (path.endsWith("/issue-types") ? [path] : []));
    expect(asked).toEqual([
      "/api/v3/repos/acme/payments-api/issue-types",
      ...(of === "organizations" ? ["/api/v3/orgs/acme/issue-types"] : []),
    ]);
    expect((await everyIssue(connector)).map(({ issueType }) => issueType)).toEqual(["bug", "story", "epic"]);
  });

  test("takes the type off where the organization has none for tasks", async () => {
    const dotfiles = await githubConnector(simulator, "octavia/dotfiles");
    const { ref } = await dotfiles.createIssue({ ...BLANK, title: "Plain" }, key());
    expect(await dotfiles.getIssue(ref)).toMatchObject({ issueType: "task" });
    const typed = simulator.addIssue("octavia/dotfiles", { title: "Typed", type: "Bug" });
    const own = { ...ref, id: String(typed) };
    expect(await dotfiles.updateIssue(own, { issueType: "task" }, key())).toMatchObject({
      issueType: "task",
    });
  });
});

describe("requests", () => {
  test("are versioned, few, and only for links that are there", async () => {
    const numbers = ["a", "b", "c"].map((title) => simulator.addIssue(NAME, { title }));
    simulator.blockIssue(`${NAME}#1`, `${NAME}#2`);
    await everyIssue(connector);
    const sent = simulator.requests.map(({ path }) => path.replace("/api/v3/repos/acme/payments-api", ""));
    expect(sent).toEqual(["/issues", "/issues/1/dependencies/blocking", "/issues/2/dependencies/blocked_by"]);
    expect(numbers).toEqual([1, 2, 3]);
    for (const { headers } of simulator.requests) {
      expect(headers.get("x-github-api-version")).toBe("2022-11-28");
      expect(headers.get("accept")).toBe("application/vnd.github+json");
    }
  });

  test("are none before the connector is used", async () => {
    await githubConnector(simulator, "acme/web");
    expect(simulator.requests).toHaveLength(0);
  });

  test("keep to the repository's path, whatever it is called", async () => {
    const strange = new GitHubSimulator({
      workspaces: [{ login: "acme", repositories: [{ name: "a.b_c-d" }] }],
    });
    await strange.start();
    const { ref } = await (await githubConnector(strange, "acme/a.b_c-d")).createIssue(
      { ...BLANK, title: "x" },
      key(),
    );
    expect(ref).toMatchObject({ workspace: "acme/a.b_c-d", key: "#1" });
    await strange.stop();
  });
});
