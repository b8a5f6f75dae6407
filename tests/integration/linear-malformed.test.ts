/** Answers that Linear never gives, or gives after it has changed: the connector says where they are wrong, and guesses nothing. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { linear } from "../../src/sdk/connectors/linear/index.ts";
import { IssuePayloadContractError } from "../../src/sdk/errors.ts";
import type { ExternalRef } from "../../src/sdk/model.ts";
import { failureOf } from "../helpers/failure.ts";
import { ACME, directly, TEAM_ID } from "../helpers/subjects/linear.ts";
import { changed } from "../simulators/linear/changed.ts";
import { LinearSimulator } from "../simulators/linear/index.ts";

const KEY = { idempotencyKey: "key" };

let simulator: LinearSimulator;
let connector: TrackerConnector;

beforeEach(async () => {
  simulator = await new LinearSimulator({ workspaces: [ACME] }).start();
  connector = linear.connect({ teamId: TEAM_ID }, directly(simulator));
});
afterEach(() => simulator.stop());

function file(title: string): ExternalRef {
  const { id } = simulator.store().addIssue(TEAM_ID, { title });
  return { system: "linear", workspace: TEAM_ID, id };
}

describe("a malformed answer", () => {
  const at = "answer.data.issue";
  const issues: readonly (readonly [string, unknown, string])[] = [
    ["", null, at],
    ["", [], `${at}.id`],
    ["", "an issue", at],
    ["id", 7, `${at}.id`],
    ["title", null, `${at}.title`],
    ["title", "", `${at}.title`],
    ["identifier", undefined, `${at}.identifier`],
    ["description", undefined, `${at}.description`],
    ["priority", 5, `${at}.priority`],
    ["priority", 1.5, `${at}.priority`],
    ["priority", null, `${at}.priority`],
    ["state", null, `${at}.state`],
    ["state.type", "paused", `${at}.state.type`],
    ["team.id", null, `${at}.team.id`],
    ["updatedAt", "yesterday", `${at}.updatedAt`],
    ["createdAt", undefined, `${at}.createdAt`],
    ["assignee", { id: "1" }, `${at}.assignee.displayName`],
    ["labels", [], `${at}.labels.nodes`],
    ["labels.nodes", [{ name: "x" }], `${at}.labels.nodes.0.id`],
    ["labels.pageInfo", { hasNextPage: true, endCursor: null }, "pageInfo.endCursor"],
    ["relations.nodes", { 0: {} }, `${at}.relations.nodes`],
    ["inverseRelations", undefined, `${at}.inverseRelations`],
    ["parent", { id: "1", identifier: "ENG-9", url: "u" }, `${at}.parent.team`],
  ];
  test.each(issues)("is refused where it is wrong: %s %p", async (path, value, fieldPath) => {
    const ref = file("Whole");
    simulator.fail({
      kind: "distort",
      distort: (answer) => changed(answer, ["issue", path].filter(Boolean).join("."), () => value),
    });
    const error = await failureOf(() => connector.getIssue(ref));
    expect(error).toBeInstanceOf(IssuePayloadContractError);
    expect(error).toMatchObject({ failureClass: "contract", fieldPath });
  });

  test.each([
    ["HTML", "<html></html>", "text/html"],
    ["nothing", undefined, "application/json"],
    ["a list", [], "application/json"],
    ["no data", {}, "application/json"],
    ["null for data", { data: null }, "application/json"],
    ["errors that are none", { data: {}, errors: "many" }, "application/json"],
    ["broken JSON", '{"data": {', "application/json"],
  ])("is refused when it is %s", async (_, body, type) => {
    simulator.fail({ kind: "answer", status: 200, headers: { "content-type": type }, body });
    expect(await failureOf(() => connector.listIssues({}))).toMatchObject({ failureClass: "contract" });
  });

  test("of lists, comments, names, states and writes is refused too", async () => {
    const ref = file("Whole");
    simulator.store().comment(ref.id, "Hello", { bot: "CI" });
    const cases: readonly (readonly [string, () => Promise<unknown>, string, unknown])[] = [
      ["Issues", () => connector.listIssues({}), "issues.nodes.0.title", 7],
      [
        "Issues",
        () => connector.listIssues({}),
        "issues.pageInfo",
        { hasPreviousPage: true, startCursor: null },
      ],
      ["Issues", () => connector.searchIssues({}), "issues.pageInfo", null],
      ["IssueComments", () => connector.listComments(ref), "issue.comments.nodes.0.body", null],
      [
        "Labels",
        () => connector.updateIssue(ref, { labels: ["api"] }, KEY),
        "issueLabels.nodes.0.isGroup",
        "no",
      ],
      ["Users", () => connector.updateIssue(ref, { assignees: ["ada"] }, KEY), "users.nodes", null],
      ["TeamStates", () => connector.transitionIssue(ref, "done", KEY), "team.states.nodes.0.type", 1],
      ["UpdateIssue", () => connector.updateIssue(ref, { title: "x" }, KEY), "issueUpdate.success", false],
      ["CreateComment", () => connector.addComment(ref, "x", KEY), "commentCreate.comment", null],
    ];
    for (const [operation, call, path, value] of cases) {
      simulator.fail(
        { kind: "distort", distort: (answer) => changed(answer, path, () => value) },
        ({ body }) => JSON.stringify(body).includes(`${operation}(`),
      );
      expect(await failureOf(call)).toMatchObject({ failureClass: "contract" });
    }
    expect(simulator.pendingFaults).toBe(0);
  });

  test("is refused when it leads to itself again, for it would never end", async () => {
    const ref = file("Whole");
    const again = { hasNextPage: true, endCursor: "IDA" };
    const distort = (path: string) =>
      simulator.fail({ kind: "distort", distort: (answer) => changed(answer, path, () => again) });
    distort("issue.labels.pageInfo");
    distort("issue.page.pageInfo");
    expect(await failureOf(() => connector.getIssue(ref))).toMatchObject({
      failureClass: "contract",
      fieldPath: "pageInfo.endCursor",
    });
  });
});
