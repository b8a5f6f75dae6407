/** The GitHub connector when things go wrong: at GitHub, on the way, or because somebody else was faster. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import {
  CapabilityNotSupportedError,
  ConnectorRequestError,
  IssueNotFoundError,
  IssuePayloadContractError,
} from "../../src/sdk/errors.ts";
import { BLANK, type CanonicalIssue, type ExternalRef, type IssuePatch } from "../../src/sdk/model.ts";
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
    workspaces: [
      {
        login: "acme",
        issueTypes: ["Bug", "Feature", "Task"],
        repositories: [{ name: "payments-api", people: ["ada", "grace"] }, { name: "web" }],
      },
      { login: "octavia", type: "User", repositories: [{ name: "dotfiles" }] },
    ],
  }).start();
  connector = await githubConnector(simulator, NAME);
});
afterEach(() => simulator.stop());

const refOf = (number: number): ExternalRef => ({ system: "github", workspace: NAME, id: String(number) });

const isList = ({ method, path }: SimulatedRequest) => method === "GET" && path.endsWith("/issues");

describe("a limit", () => {
  const SECONDARY = { message: "You have exceeded a secondary rate limit. Please wait a few minutes." };
  const PRIMARY = { message: "API rate limit exceeded for user ID 1." };
  const reset = String(Date.parse("2026-03-01T09:05:00Z") / 1000);
  const date = "Sun, 01 Mar 2026 09:00:00 GMT";

  test.each([
    ["primary, 403", 403, { date, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset }, PRIMARY, 300],
    ["primary, 429", 429, { date, "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset }, PRIMARY, 300],
    [
      "primary, over already",
      403,
      { date: "Sun, 01 Mar 2026 10:00:00 GMT", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset },
      PRIMARY,
      1,
    ],
    ["primary, without an end", 403, { "x-ratelimit-remaining": "0" }, PRIMARY, 60],
    ["primary, headers dropped", 403, {}, PRIMARY, 60],
    ["secondary, 403", 403, { "x-ratelimit-remaining": "4999" }, SECONDARY, 60],
    ["secondary, 403 with a short wait", 403, { "retry-after": "5" }, SECONDARY, 60],
    ["secondary, 403 with a long wait", 403, { "retry-after": "120" }, SECONDARY, 120],
    ["secondary, 429", 429, { "x-ratelimit-remaining": "12" }, SECONDARY, 60],
    ["secondary, 429 with a long wait", 429, { "retry-after": "90" }, SECONDARY, 90],
    ["secondary, 403 with nothing but a wait", 403, { "retry-after": "5" }, { message: "Forbidden" }, 60],
    ["abuse", 403, {}, { message: "You have triggered an abuse detection mechanism." }, 60],
    ["unexplained, 429", 429, {}, "Too many requests", 60],
  ] as const)("is waited for: %s", async (_, status, headers, body, retryAfterSeconds) => {
    simulator.fail({ kind: "answer", status, headers, body });
    expect(await failureOf(() => connector.listIssues({}))).toMatchObject({
      provider: "github",
      failureClass: "rate_limited",
      retryable: true,
      retryAfterSeconds,
      processed: "no",
    });
    expect(simulator.requests).toHaveLength(1);
  });
});

describe("a credential", () => {
  test.each([
    [401, "Bad credentials", "auth"],
    [403, "Resource not accessible by personal access token", "permission"],
    [403, "Resource protected by organization SAML enforcement.", "permission"],
    [500, "Server Error", "transient"],
    [502, "Bad Gateway", "transient"],
  ] as const)("or server that is refused with %d tells why: %s", async (status, message, failureClass) => {
    simulator.addIssue(NAME, { title: "There" });
    simulator.fail({ kind: "answer", status, body: { message } });
    const error = await failureOf(() => connector.getIssue(refOf(1)));
    expect(error).toBeInstanceOf(ConnectorRequestError);
    expect(error).toMatchObject({ failureClass, message: expect.stringContaining(message) });
  });

  test("that is wrong is told as that, and not shown", async () => {
    const transport = openTransport("github", {
      kind: "token",
      token: "ghp_wrong",
      baseUrl: simulator.origin,
    });
    const error = await failureOf(async () =>
      (await githubConnector(simulator, NAME, transport)).getIssue(refOf(1)),
    );
    expect(error).toMatchObject({ failureClass: "auth" });
    expect(String(error)).not.toContain("ghp_wrong");
  });

  test("without push access: what GitHub drops in silence is told", async () => {
    simulator.setAccess(NAME, "pull");
    const { ref } = await connector.createIssue({ ...BLANK, title: "Mine" }, KEY);
    const dropped: readonly (readonly [IssuePatch, string])[] = [
      [{ assignees: ["ada"] }, "assignees"],
      [{ issueType: "bug" }, "issueType"],
    ];
    for (const [patch, field] of dropped) {
      const error = await failureOf(() => connector.updateIssue(ref, patch, KEY));
      expect(error).toMatchObject({ failureClass: "permission", message: expect.stringContaining(field) });
    }
    const labeled = await failureOf(() => connector.updateIssue(ref, { labels: ["bug"] }, KEY));
    expect(labeled).toMatchObject({ failureClass: "permission" });
    expect(await connector.updateIssue(ref, { title: "Still mine" }, KEY)).toMatchObject({
      title: "Still mine",
    });
  });
});

describe("what is not there to be chosen", () => {
  const create = (fields: Partial<typeof BLANK> = {}) =>
    connector.createIssue({ ...BLANK, title: "New", ...fields }, KEY);

  test("a label is made; labels and users are spelled as GitHub spells them", async () => {
    simulator.addIssue(NAME, { title: "Other", labels: ["Bug"] });
    const { ref } = await create({ labels: ["brand new"] });
    const spelled: readonly (readonly [IssuePatch, string])[] = [
      [{ labels: ["bug"] }, 'GitHub spells the label "bug" as "Bug".'],
      [{ assignees: ["ADA"] }, 'GitHub spells the user "ADA" as "ada".'],
    ];
    for (const [patch, message] of spelled) {
      const error = await failureOf(() => connector.updateIssue(ref, patch, KEY));
      expect(error).toMatchObject({ failureClass: "invalid", message });
    }
  });

  test("a user is named, and keeps nothing else from being written", async () => {
    const { ref } = await create();
    const parent = refOf(simulator.addIssue(NAME, { title: "Parent" }));
    const patch = { title: "Newer", assignees: ["ada", "nobody"], labels: ["api"], parent };
    const error = await failureOf(() => connector.updateIssue(ref, patch, KEY));
    expect(error).toMatchObject({ failureClass: "invalid", message: expect.stringContaining('"nobody"') });
    expect(await connector.getIssue(ref)).toMatchObject({
      title: "Newer",
      assignees: ["ada"],
      labels: ["api"],
      parent,
    });
  });

  test("a user keeps an issue from being created", async () => {
    const error = await failureOf(() => create({ assignees: ["nobody"] }));
    expect(error).toMatchObject({ failureClass: "invalid", message: expect.stringContaining('"nobody"') });
    expect(simulator.countIssues(NAME)).toBe(0);
  });

  test("an issue type that was switched off is not there", async () => {
    simulator.disableIssueType("acme", "Feature");
    const error = await failureOf(() => create({ issueType: "story" }));
    expect(error).toMatchObject({ message: `${NAME} has no issue type for story, only Bug, Task.` });
  });

  test("an issue type is refused with what there is, and the issue lacks nothing else", async () => {
    const error = await failureOf(() => create({ issueType: "epic", labels: ["api"], status: "todo" }));
    expect(error).toBeInstanceOf(CapabilityNotSupportedError);
    expect(error).toMatchObject({
      capability: "issueType",
      message: `${NAME} has no issue type for epic, only Bug, Feature, Task.`,
    });
    expect(await connector.findCreated(KEY.idempotencyKey)).toMatchObject({
      issueType: "task",
      labels: ["api"],
    });
  });

  test.each(["repositories", "organizations"] as const)(
    "a repository of nobody with issue types has none: of %s",
    async (of) => {
      simulator.issueTypesOf = of;
      const dotfiles = await githubConnector(simulator, "octavia/dotfiles");
      const { ref } = await dotfiles.createIssue({ ...BLANK, title: "x" }, KEY);
      const error = await failureOf(() => dotfiles.updateIssue(ref, { title: "y", issueType: "bug" }, KEY));
      expect(error).toMatchObject({
        capability: "issueType",
        message: expect.stringContaining("no issue types"),
      });
      expect(await dotfiles.getIssue(ref)).toMatchObject({ title: "y" });
    },
  );

  test("a refusal that repeats a credential is told without it", async () => {
    const { ref } = await create();
    const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    const body = {
      message: "Validation Failed",
      errors: [{ field: "title", code: "custom", message: token }],
    };
    simulator.fail({ kind: "answer", status: 422, body }, ({ method }) => method === "PATCH");
    const error = await failureOf(() => connector.updateIssue(ref, { title: "x" }, KEY));
    expect(error).toMatchObject({
      failureClass: "invalid",
      message: expect.stringContaining("title: custom: ***"),
    });
    expect(String(error)).not.toContain(token);
  });

  test("a text that is too long is refused in GitHub's words", async () => {
    const { ref } = await create();
    const error = await failureOf(() => connector.updateIssue(ref, { body: "x".repeat(65_537) }, KEY));
    expect(error).toMatchObject({ failureClass: "invalid", message: expect.stringContaining("is too long") });
  });

  test("a parent is not found, and cannot be its own grandchild", async () => {
    const { ref } = await create();
    const missing = await failureOf(() => connector.updateIssue(ref, { parent: refOf(404) }, KEY));
    expect(missing).toBeInstanceOf(IssueNotFoundError);
    const child = simulator.addIssue(NAME, { title: "Child" });
    simulator.nestIssue(`${NAME}#${child}`, `${NAME}#${ref.id}`);
    const loop = await failureOf(() => connector.updateIssue(ref, { parent: refOf(child) }, KEY));
    expect(loop).toMatchObject({ failureClass: "invalid" });
  });
});

/** Nango's proxy can follow redirects. */
describe.each(["manual", "follow"] as const)("over a transport with redirects: %s", (redirect) => {
  beforeEach(async () => {
    for (const title of ["One", "Two"]) simulator.addIssue(NAME, { title });
    simulator.addComment(NAME, 1, "Hello");
    const transport = openTransport(
      "github",
      { kind: "token", token: simulator.token, baseUrl: simulator.origin },
      { fetch: (request) => fetch(request, { redirect }) },
    );
    connector = await githubConnector(simulator, NAME, transport);
  });

  const callsOn = (ref: ExternalRef) => [
    () => connector.getIssue(ref),
    () => connector.updateIssue(ref, { title: "x" }, KEY),
    () => connector.listComments(ref),
    () => connector.addComment(ref, "x", KEY),
  ];

  test.each([
    ["deleted", () => simulator.deleteIssue(NAME, 1)],
    ["transferred", () => simulator.transferIssue(NAME, 1, "acme/web")],
    [
      "transferred out of sight",
      () => {
        simulator.transferIssue(NAME, 1, "acme/web");
        simulator.setAccess("acme/web", "none");
      },
    ],
  ] as const)("an issue that was %s is not found", async (_, happen) => {
    happen();
    for (const call of callsOn(refOf(1))) expect(await failureOf(call)).toBeInstanceOf(IssueNotFoundError);
    expect(await connector.findIssue("#1")).toBeNull();
    expect((await everyIssue(connector)).map(({ title }) => title)).toEqual(["Two"]);
  });

  test.each([
    ["deleted", () => simulator.deleteRepository(NAME), "not_found", "does not exist"],
    ["hidden", () => simulator.setAccess(NAME, "none"), "not_found", "cannot see it"],
    ["renamed", () => simulator.renameRepository(NAME, "payments"), "not_found", "Refresh the connection"],
    ["closed to issues", () => simulator.switchIssuesOff(NAME), "permission", "has issues disabled"],
  ] as const)(
    "a repository that was %s does not look like issues that were deleted",
    async (_, happen, failureClass, message) => {
      happen();
      for (const call of [
        ...callsOn(refOf(1)),
        () => connector.listIssues({}),
        () => connector.searchIssues({}),
        () => connector.searchIssues({ text: "one" }),
        () => connector.findIssue("#1"),
        () => connector.createIssue({ ...BLANK, title: "x" }, KEY),
      ]) {
        const error = await failureOf(call);
        expect(error).not.toBeInstanceOf(IssueNotFoundError);
        expect(error).toBeInstanceOf(ConnectorRequestError);
        expect(error).toMatchObject({ failureClass, message: expect.stringContaining(message) });
      }
    },
  );
});

test("issues that the credential may not read do not look deleted", async () => {
  simulator.addIssue(NAME, { title: "One" });
  const missing = { kind: "answer", status: 404, body: { message: "Not Found" } } as const;
  simulator.fail(missing, ({ path }) => path.endsWith("/issues/1"));
  simulator.fail(missing, isList);
  expect(await failureOf(() => connector.getIssue(refOf(1)))).toMatchObject({
    failureClass: "permission",
    message: expect.stringContaining("read its issues"),
  });
});

test("a redirect to another host is not followed: nothing is sent there", async () => {
  const elsewhere = await new GitHubSimulator({ workspaces: [] }).start();
  for (const call of [
    () => connector.listIssues({}),
    () => connector.getIssue(refOf(1)),
    () => connector.createIssue({ ...BLANK, title: "x" }, { idempotencyKey: "other" }),
  ]) {
    simulator.fail({
      kind: "answer",
      status: 307,
      headers: { location: `${elsewhere.origin}/api/v3/repos` },
    });
    expect(await failureOf(call)).toMatchObject({
      name: "TransportError",
      failureClass: "contract",
      message: expect.stringContaining(elsewhere.origin),
    });
  }
  expect(simulator.pendingFaults).toBe(0);
  expect(elsewhere.requests).toHaveLength(0);
  await elsewhere.stop();
});

describe("an answer to a write", () => {
  const isChange = ({ method }: SimulatedRequest) => method === "PATCH";
  const rename = (title: string, current: CanonicalIssue) =>
    connector.updateIssue(current.ref, { title }, { ...KEY, current });

  test("that does not show the parent is no news of it", async () => {
    const parent = simulator.addIssue(NAME, { title: "Parent" });
    const child = simulator.addIssue(NAME, { title: "Child" });
    simulator.nestIssue(`${NAME}#${child}`, `${NAME}#${parent}`);
    const distort = ({ body, ...answer }: SimulatedAnswer) => {
      const { parent_issue_url, ...issue } = Object(body);
      return { ...answer, body: issue };
    };
    simulator.fail({ kind: "distort", distort }, isChange);
    const renamed = await rename("Renamed", await connector.getIssue(refOf(child)));
    expect(renamed).toMatchObject({ title: "Renamed", parent: refOf(parent) });
  });

  test("that shows another number of links has them read again", async () => {
    const number = simulator.addIssue(NAME, { title: "Blocked" });
    const blocker = simulator.addIssue(NAME, { title: "Blocker" });
    const current = await connector.getIssue(refOf(number));
    simulator.blockIssue(`${NAME}#${blocker}`, `${NAME}#${number}`);
    expect((await rename("Renamed", current)).links).toMatchObject([
      { type: "blocked_by", target: refOf(blocker) },
    ]);
  });
});

test("writes go one at a time, however many are asked for at once", async () => {
  let release = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  simulator.fail({ kind: "hold", until }, ({ method }) => method === "POST");
  const creates = ["first", "second", "third"].map((title) =>
    connector.createIssue({ ...BLANK, title }, { idempotencyKey: title }),
  );
  const posts = () => simulator.requests.filter(({ method }) => method === "POST").length;
  while (posts() === 0) await Bun.sleep(1);
  // Reads do not wait for it, and what comes back from them would have let another write go.
  for (let count = 0; count < 10; count++) await connector.listIssues({});
  expect(posts()).toBe(1);
  release();
  expect((await Promise.all(creates)).map(({ ref }) => ref.id)).toEqual(["1", "2", "3"]);
});

describe("a malformed payload", () => {
  const answerOf = (body: unknown) => ({
    status: 200,
    headers: { "content-type": typeof body === "string" ? "text/html" : "application/json" },
    body,
  });
  const cases: readonly (readonly [string, (issue: object) => unknown, string])[] = [
    ["HTML", () => "<html>Unicorn!</html>", "issue"],
    ["a list for an issue", (issue) => [issue], "issue.id"],
    ["null", () => null, "issue"],
    ["no id", ({ id, ...issue }: { id?: unknown }) => issue, "issue.id"],
    ["an id that is text", (issue) => ({ ...issue, id: "7" }), "issue.id"],
    ["a number that is none", (issue) => ({ ...issue, number: 1.5 }), "issue.number"],
    ["an empty title", (issue) => ({ ...issue, title: "" }), "issue.title"],
    ["a missing body", ({ body, ...issue }: { body?: unknown }) => issue, "issue.body"],
    ["an unknown state", (issue) => ({ ...issue, state: "merged" }), "issue.state"],
    [
      "an unknown reason",
      (issue) => ({ ...issue, state: "closed", state_reason: "bored" }),
      "issue.state_reason",
    ],
    ["labels that are an object", (issue) => ({ ...issue, labels: {} }), "issue.labels"],
    ["a label without a name", (issue) => ({ ...issue, labels: [{ id: 1 }] }), "issue.labels.0"],
    ["missing assignees", ({ assignees, ...issue }: { assignees?: unknown }) => issue, "issue.assignees"],
    [
      "an assignee without a login",
      (issue) => ({ ...issue, assignees: [{ id: 1 }] }),
      "issue.assignees.0.login",
    ],
    ["a type that is text", (issue) => ({ ...issue, type: "Bug" }), "issue.type"],
    ["a day that is none", (issue) => ({ ...issue, updated_at: "yesterday" }), "issue.updated_at"],
    [
      "no repository",
      ({ repository_url, ...issue }: { repository_url?: unknown }) => issue,
      "issue.repository_url",
    ],
    [
      "a parent that is elsewhere",
      (issue) => ({ ...issue, parent_issue_url: "/7" }),
      "issue.parent_issue_url",
    ],
    ["a page that is none", (issue) => ({ ...issue, html_url: "7" }), "issue.html_url"],
    [
      "counts that are text",
      (issue) => ({ ...issue, issue_dependencies_summary: { total_blocked_by: "1", total_blocking: 0 } }),
      "issue.issue_dependencies_summary.total_blocked_by",
    ],
  ];
  test.each(cases)("is refused where it is wrong: %s", async (_, distort, fieldPath) => {
    simulator.addIssue(NAME, { title: "Fine" });
    simulator.fail({ kind: "distort", distort: ({ body }) => answerOf(distort(Object(body))) });
    const error = await failureOf(() => connector.getIssue(refOf(1)));
    expect(error).toBeInstanceOf(IssuePayloadContractError);
    expect(error).toMatchObject({ failureClass: "contract", retryable: false, fieldPath });
  });

  test.each([
    ["an object for a list", () => ({ message: "x" }), "issues"],
    ["a row that is null", () => [null], "issues.0"],
    ["a row without a day", () => [{ number: 1 }], "issues.0.updated_at"],
    ["a row without the rest", () => [{ number: 1, updated_at: "2026-03-01T09:00:00Z" }], "issues.0.id"],
  ] as const)("of a list is refused too: %s", async (_, body, fieldPath) => {
    simulator.fail({ kind: "distort", distort: (answer) => ({ ...answer, body: body() }) });
    expect(await failureOf(() => connector.listIssues({}))).toMatchObject({
      failureClass: "contract",
      fieldPath,
    });
  });

  test("of links, comments, search and types is refused too", async () => {
    simulator.addIssue(NAME, { title: "Blocked" });
    simulator.addIssue(NAME, { title: "Blocker" });
    simulator.blockIssue(`${NAME}#2`, `${NAME}#1`);
    simulator.addComment(NAME, 1, "Hello");
    const wrong = {
      kind: "distort",
      distort: () => ({ status: 200, body: [{ name: 1, number: 1 }] }),
    } as const;
    for (const [suffix, call, fieldPath] of [
      ["/dependencies/blocked_by", () => connector.getIssue(refOf(1)), "blocked_by.0.repository_url"],
      ["/comments", () => connector.listComments(refOf(1)), "comments.0.id"],
      ["/search/issues", () => connector.searchIssues({ text: "x" }), "search.items"],
      [
        "/issue-types",
        () => connector.updateIssue(refOf(1), { issueType: "bug" }, KEY),
        "issue_types.0.name",
      ],
    ] as const) {
      simulator.fail(wrong, ({ path }) => path.endsWith(suffix));
      expect(await failureOf(call)).toMatchObject({ failureClass: "contract", fieldPath });
    }
  });
});
