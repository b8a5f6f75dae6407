/** What goes wrong between the connector and GitLab, and what becomes of it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import { gitlab } from "../../src/sdk/connectors/gitlab/index.ts";
import { IssueNotFoundError, IssuePayloadContractError } from "../../src/sdk/errors.ts";
import { BLANK, type CanonicalIssue, type IssueFields } from "../../src/sdk/model.ts";
import { failureOf } from "../helpers/failure.ts";
import {
  bothPlans,
  connectTo,
  directly,
  OTHER,
  PROJECT,
  READONLY,
  refTo,
  to,
} from "../helpers/subjects/gitlab.ts";
import { GitLabSimulator } from "../simulators/gitlab/index.ts";
import type { SimulatedAnswer } from "../simulators/server.ts";

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

async function listed(limit = 1000): Promise<readonly string[]> {
  const titles: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: Awaited<ReturnType<TrackerConnector["listIssues"]>> = await connector.listIssues({
      limit,
      ...(cursor !== undefined && { cursor }),
    });
    titles.push(...page.items.map(({ title }) => title));
    cursor = page.nextCursor;
  }
  return titles;
}

describe("listing", () => {
  test("misses and doubles nobody when an issue of the page before changes in between", async () => {
    for (let count = 0; count < 120; count += 1) {
      simulator.tick();
      simulator.addIssue(PROJECT, { title: String(count) });
    }
    const happens = () => {
      simulator.tick();
      simulator.editIssue(PROJECT, 1, { title: "0, edited" });
    };
    simulator.fail({ kind: "meanwhile", phase: "after", happens }, to("GET", "/issues"));
    const titles = await listed();
    expect(titles).toEqual([...Array.from({ length: 120 }, (_, count) => String(count)), "0, edited"]);
  });

  test.each([1000, 30])("reads more issues of one instant than a page holds, %p at a time", async (limit) => {
    const all = Array.from({ length: 230 }, (_, count) => String(count));
    for (const title of all) simulator.addIssue(PROJECT, { title });
    expect(await listed(limit)).toEqual(all);
  });

  test("leaves out an issue that is deleted before its links are read", async () => {
    simulator.addIssue(PROJECT, { title: "gone" });
    simulator.addIssue(PROJECT, { title: "here" });
    const happens = () => simulator.removeIssue(PROJECT, 1);
    simulator.fail({ kind: "meanwhile", phase: "after", happens }, to("GET", "/issues"));
    expect(await listed()).toEqual(["here"]);
  });
});

describe("issues and projects that went", () => {
  test("a moved issue stays, closed; its new self belongs to the other project", async () => {
    const { ref } = await create();
    expect(simulator.moveIssue(PROJECT, 1, OTHER)).toBe(1);
    expect(await connector.getIssue(ref)).toMatchObject({
      status: "done",
      ref,
      raw: { moved_to_id: expect.any(Number) },
    });
    expect(await connectTo(simulator, OTHER).getIssue(refTo(1, OTHER))).toMatchObject({ status: "todo" });
  });

  test("a deleted issue is not found", async () => {
    const { ref } = await create();
    simulator.removeIssue(PROJECT, 1);
    expect(await failureOf(() => connector.getIssue(ref))).toBeInstanceOf(IssueNotFoundError);
  });

  test("an issue that a payload says is another project's is not found", async () => {
    const { ref } = await create();
    const distort = (answer: SimulatedAnswer) => ({
      ...answer,
      body: { ...bodyOf(answer), project_id: OTHER },
    });
    simulator.fail({ kind: "distort", distort }, to("GET", "/issues/1"));
    expect(await failureOf(() => connector.getIssue(ref))).toBeInstanceOf(IssueNotFoundError);
  });

  const losses: readonly (readonly [string, string, () => void])[] = [
    ["is deleted", "not_found", () => simulator.removeProject(PROJECT)],
    ["is not visible any more", "not_found", () => simulator.changeProject(PROJECT, { access: null })],
    ["has issues disabled", "permission", () => simulator.changeProject(PROJECT, { issues: "disabled" })],
  ];
  test.each(losses)(
    "a project that %s is not the deletion of its issues",
    async (_, failureClass, happens) => {
      const { ref } = await create();
      happens();
      for (const call of [
        () => connector.getIssue(ref),
        () => connector.updateIssue(ref, { title: "New" }, key()),
        () => connector.findIssue("#1"),
        () => connector.listComments(ref),
      ]) {
        const error = await failureOf(call);
        expect(error).not.toBeInstanceOf(IssueNotFoundError);
        expect(error).toMatchObject({ failureClass, message: expect.stringContaining(`project ${PROJECT}`) });
      }
    },
  );

  test("a renamed project keeps its issues", async () => {
    const { ref } = await create();
    simulator.changeProject(PROJECT, { path: "billing", name: "Billing" });
    expect(await connector.getIssue(ref)).toMatchObject({
      ref: { url: `${simulator.origin}/acme/billing/-/issues/1` },
    });
  });
});

describe("limits", () => {
  const NOW = "Sun, 01 Mar 2026 09:00:00 GMT";
  const reset = String(Date.parse(NOW) / 1000 + 42);
  const text = { "content-type": "text/plain" };
  const answers: readonly (readonly [string, Omit<SimulatedAnswer, "status">, number | null])[] = [
    [
      "how long",
      { headers: { ...text, "retry-after": "30", "ratelimit-reset": reset }, body: "Retry later\n" },
      30,
    ],
    ["until when", { headers: { ...text, date: NOW, "ratelimit-reset": reset }, body: "Retry later\n" }, 42],
    [
      "nothing",
      { body: { message: { error: "This endpoint has been requested too many times. Try again later." } } },
      null,
    ],
  ];
  test.each(answers)("that tell %s", async (_, answer, retryAfterSeconds) => {
    const { ref } = await create();
    simulator.fail({ kind: "answer", status: 429, ...answer });
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({
      failureClass: "rate_limited",
      retryable: true,
      retryAfterSeconds,
    });
  });
});

describe("credentials", () => {
  const as = (token: string) =>
    gitlab.connect(
      { projectId: String(PROJECT) },
      openTransport("gitlab", { kind: "token", token, baseUrl: simulator.origin }),
    );

  test("that are not known are refused", async () => {
    const error = await failureOf(() => as("glpat-wrong").getIssue(refTo(1)));
    expect(error).toMatchObject({ failureClass: "auth", retryable: false });
    expect(String(error)).not.toContain("glpat-wrong");
  });

  test("that only read cannot write", async () => {
    const { ref } = await create();
    const reader = as(READONLY);
    expect(await reader.getIssue(ref)).toMatchObject({ title: "Refund twice" });
    const update = () => reader.updateIssue(ref, { title: "New" }, key());
    expect(await failureOf(update)).toMatchObject({ failureClass: "permission" });
    expect(await failureOf(() => create({}, reader))).toMatchObject({ failureClass: "permission" });
  });

  test("do not follow a redirect", async () => {
    const { ref } = await create();
    const elsewhere = await new GitLabSimulator().start();
    try {
      const headers = { location: `${elsewhere.origin}/api/v4/projects/7/issues/1` };
      for (const status of [301, 302, 307, 308]) {
        simulator.fail({ kind: "answer", status, headers });
        expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({ failureClass: "contract" });
      }
      expect(elsewhere.requests).toEqual([]);
    } finally {
      await elsewhere.stop();
    }
  });
});

describe("malformed payloads", () => {
  const broken: readonly (readonly [string, string, Readonly<Record<string, unknown>>])[] = [
    ["no title", "issue.title", { title: undefined }],
    ["an empty title", "issue.title", { title: "" }],
    ["a title that is null", "issue.title", { title: null }],
    ["a state that nobody knows", "issue.state", { state: "reopened" }],
    ["a type that is none", "issue.issue_type", { issue_type: 7 }],
    ["no description at all", "issue.description", { description: undefined }],
    ["a number that is text", "issue.iid", { iid: "1" }],
    ["labels that are objects", "issue.labels.0", { labels: [{ name: "bug" }] }],
    ["labels that are text", "issue.labels", { labels: "bug" }],
    ["an assignee without a name", "issue.assignees.0.username", { assignees: [{ id: 11 }] }],
    ["no assignees", "issue.assignees", { assignees: null }],
    ["a time that is none", "issue.updated_at", { updated_at: "yesterday" }],
    ["no address", "issue.web_url", { web_url: null }],
  ];
  test.each(broken)("%s", async (_, fieldPath, change) => {
    const { ref } = await create();
    const distort = (answer: SimulatedAnswer) => ({ ...answer, body: { ...bodyOf(answer), ...change } });
    simulator.fail({ kind: "distort", distort }, to("GET", "/issues/1"));
    const error = await failureOf(() => connector.getIssue(ref));
    expect(error).toBeInstanceOf(IssuePayloadContractError);
    expect(error).toMatchObject({ fieldPath, failureClass: "contract", retryable: false });
  });

  const bodies: readonly (readonly [string, unknown])[] = [
    ["a list", []],
    ["null", "null"],
    ["a web page", "<!DOCTYPE html><title>Sign in</title>"],
    ["half of it", '{"iid": 1, "tit'],
  ];
  test.each(bodies)("an issue that is %s", async (_, body) => {
    const { ref } = await create();
    simulator.fail({ kind: "answer", status: 200, body }, to("GET", "/issues/1"));
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({ failureClass: "contract" });
  });

  test("one row of a listing", async () => {
    await create();
    await create();
    const distort = ({ body, ...answer }: SimulatedAnswer) => {
      const [first, second] = v.parse(v.array(v.record(v.string(), v.unknown())), body);
      return { ...answer, body: [first, { ...second, project_id: OTHER }] };
    };
    simulator.fail({ kind: "distort", distort }, to("GET", "/issues"));
    expect(await failureOf(() => connector.listIssues({}))).toMatchObject({
      fieldPath: "issues.1.project_id",
    });
  });

  test("a type of link", async () => {
    const { ref } = await create();
    const body = [{ iid: 2, project_id: 7, issue_link_id: 5, web_url: "x", link_type: "duplicates" }];
    simulator.fail({ kind: "answer", status: 200, body }, to("GET", "/links"));
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({ fieldPath: "links.0.link_type" });
  });

  test("a note", async () => {
    const { ref } = await create();
    simulator.fail({ kind: "answer", status: 200, body: [{ id: 1, body: null }] }, to("GET", "/notes"));
    expect(await failureOf(() => connector.listComments(ref))).toMatchObject({ fieldPath: "notes.0.body" });
  });
});

test("an issue is found by all that people call it, and by nothing else", async () => {
  const issue = await create();
  const web = `${simulator.origin}/acme/payments-api`;
  for (const name of [
    "#1",
    "1",
    "acme/payments-api#1",
    "Acme/Payments-API#1",
    `${web}/-/issues/1`,
    `${web}/issues/1`,
    `${web}/-/work_items/1#note_4`,
  ]) {
    expect(await connector.findIssue(name)).toEqual(issue);
  }
  for (const name of ["PAY-1", "#0", "#2", "!1", "acme/web#1", `${simulator.origin}/acme/web/-/issues/1`]) {
    expect(await connector.findIssue(name)).toBeNull();
  }
});

test("a project is named by its number", () => {
  const connect = () => gitlab.connect({ projectId: "acme/payments-api" }, directly(simulator));
  expect(connect).toThrow("params.projectId");
});

function bodyOf({ body }: SimulatedAnswer): Record<string, unknown> {
  return v.parse(v.record(v.string(), v.unknown()), body);
}
