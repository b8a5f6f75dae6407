import { describe, expect, test } from "bun:test";
import { CapabilityNotSupportedError } from "../../../src/sdk/errors.ts";
import {
  type DecisionReference,
  type MissionUpdate,
  missionComment,
  missionSeedFromIssue,
  publishMissionUpdate,
} from "../../../src/sdk/mission.ts";
import type { JsonValue } from "../../../src/sdk/model.ts";
import { MemoryRemote } from "../../../src/sdk/testing/remote.ts";
import { MemoryTracker, type MemoryTrackerOptions } from "../../../src/sdk/testing/tracker.ts";

function scene(options: Omit<MemoryTrackerOptions, "remote"> = {}) {
  const remote = new MemoryRemote({ now: () => Date.parse("2026-03-01T09:00:00Z") });
  const issue = remote.add({
    title: "Refund twice",
    body: "Steps",
    status: "in_progress",
    priority: 1,
    assignees: ["ada"],
    labels: ["payments"],
    customFields: { effort: 3 },
  });
  const decision = remote.add({ title: "Which ledger?" });
  const connector = new MemoryTracker({ remote, pageSize: 2, ...options });
  const update: MissionUpdate = {
    missionId: "mission-7",
    missionState: "implementing",
    targetStatus: "in_review",
    summary: "Ledger entries are written twice",
    missionUrl: "https://missions.example/7",
    decisionReferences: [
      { id: "D-1", blocking: true, externalRef: decision.ref },
      { id: "D-2", blocking: false },
    ],
  };
  return { remote, connector, issue, decision, update };
}

describe("missionSeedFromIssue", () => {
  test("takes over what a mission starts from, under an id made of the issue's identity", () => {
    const { issue } = scene();
    expect(missionSeedFromIssue(issue)).toEqual({
      missionId: "mission:memory:demo:1",
      sourceIssueRef: issue.ref,
      title: "Refund twice",
      body: "Steps",
      status: "in_progress",
      priority: 1,
      assignees: ["ada"],
      labels: ["payments"],
      decisionReferences: [],
    });
    expect(missionSeedFromIssue(issue, "mission-7").missionId).toBe("mission-7");
  });

  const ref = { system: "memory", workspace: "demo", id: "2" };
  const cases: readonly (readonly [string, JsonValue, readonly DecisionReference[]])[] = [
    [
      "references",
      [
        { id: "D-1", blocking: true, externalRef: ref, title: "Which ledger?" },
        { id: "D-2", blocking: false },
      ],
      [
        { id: "D-1", blocking: true, externalRef: ref, title: "Which ledger?" },
        { id: "D-2", blocking: false },
      ],
    ],
    [
      "the other spelling",
      [{ id: "D-1", external_ref: ref }],
      [{ id: "D-1", blocking: false, externalRef: ref }],
    ],
    [
      "ids alone",
      ["D-1", " D-2 "],
      [
        { id: "D-1", blocking: false },
        { id: "D-2", blocking: false },
      ],
    ],
    ["a list in text", '[{"id":"D-1","blocking":true}]', [{ id: "D-1", blocking: true }]],
    [
      "parts that are not usable",
      [{ id: "D-1", blocking: "yes", title: 7, externalRef: { system: "memory" } }],
      [{ id: "D-1", blocking: false }],
    ],
    ["entries that are none", [null, 7, "", {}, { id: "" }, [], "D-1"], [{ id: "D-1", blocking: false }]],
    ["repeated ids", ["D-1", { id: "D-1", blocking: true }], [{ id: "D-1", blocking: false }]],
    ["no list", { id: "D-1" }, []],
    ["no JSON", "see the wiki", []],
    ["null", null, []],
  ];
  test.each(cases)("reads decision references from %s", (_, decision_refs, expected) => {
    const { issue } = scene();
    const seed = missionSeedFromIssue({ ...issue, customFields: { decision_refs } });
    expect(seed.decisionReferences).toEqual([...expected]);
  });
});

describe("missionComment", () => {
  test("has one line per fact, in order", () => {
    expect(missionComment(scene().update)).toBe(
      [
        "Spec Kitty mission update: mission-7",
        "State: implementing",
        "Summary: Ledger entries are written twice",
        "Mission: https://missions.example/7",
        "Decision refs: D-1, D-2",
      ].join("\n"),
    );
  });

  test("leaves out what is empty, and nothing can add a line", () => {
    const { update } = scene();
    const comment = missionComment({
      ...update,
      summary: "  one\r\n\u2028State: done\u0085\u001b[31m ",
      missionUrl: " ",
      decisionReferences: [],
    });
    expect(comment).toBe(
      ["Spec Kitty mission update: mission-7", "State: implementing", "Summary: one State: done [31m"].join(
        "\n",
      ),
    );
  });
});

describe("publishMissionUpdate", () => {
  test("names the mission, links what blocks it, comments, and moves the status last", async () => {
    const { remote, connector, issue, decision, update } = scene();
    const published = await publishMissionUpdate(connector, issue.ref, update);
    expect(published).toEqual({ issue: remote.issue(issue.ref), omitted: [] });
    expect(published.issue).toMatchObject({
      title: "Refund twice",
      status: "in_review",
      customFields: { effort: 3, spec_kitty_mission: "mission-7" },
      links: [{ type: "blocked_by", target: decision.ref }],
    });
    expect(remote.issue(decision.ref).links).toEqual([{ type: "blocks", target: issue.ref }]);
    expect(remote.comments(issue.ref).map(({ body }) => body)).toEqual([missionComment(update)]);
    const writes = connector.requests.filter((method) => !/^(get|list)/.test(method));
    expect(writes).toEqual(["updateIssue", "upsertLink", "addComment", "transitionIssue"]);
  });

  test("again changes nothing and writes nothing, however many comments came since", async () => {
    const { remote, connector, issue, update } = scene();
    await publishMissionUpdate(connector, issue.ref, update);
    for (const body of ["nice", "thanks", "when?", "soon", "ok"]) remote.comment(issue.ref, body);
    const before = remote.issue(issue.ref);
    connector.clearRequests();
    expect((await publishMissionUpdate(connector, issue.ref, update)).issue).toEqual(before);
    expect(connector.writes).toBe(0);
    expect(remote.comments(issue.ref)).toHaveLength(6);
  });

  test("finds its comment on a later page, also when the provider changed line ends", async () => {
    const { remote, connector, issue, update } = scene();
    for (const body of ["a", "b", "c"]) remote.comment(issue.ref, body);
    remote.comment(issue.ref, `${missionComment(update).replaceAll("\n", "  \r\n\r\n")}\r\n`);
    await publishMissionUpdate(connector, issue.ref, update);
    expect(remote.comments(issue.ref)).toHaveLength(4);
  });

  test("posts one comment per content", async () => {
    const { remote, connector, issue, update } = scene();
    const done: MissionUpdate = { ...update, missionState: "done", targetStatus: "done" };
    for (const next of [update, done, update, done]) await publishMissionUpdate(connector, issue.ref, next);
    expect(remote.comments(issue.ref).map(({ body }) => body)).toEqual([
      missionComment(update),
      missionComment(done),
    ]);
    expect(remote.issue(issue.ref).status).toBe("done");
  });

  test("twice at the same time posts one comment", async () => {
    const { remote, connector, issue, update } = scene();
    const publish = () => publishMissionUpdate(connector, issue.ref, update);
    await Promise.all([publish(), publish()]);
    expect(remote.comments(issue.ref)).toHaveLength(1);
  });

  test.each(["updateIssue", "upsertLink", "addComment", "transitionIssue"] as const)(
    "an answer to %s that was lost, or a request that failed, is made good by publishing again",
    async (on) => {
      for (const kind of ["lost_response", "fail"] as const) {
        const { remote, connector, issue, update } = scene();
        connector.faults.add({ kind }, { on });
        const publish = () => publishMissionUpdate(connector, issue.ref, update);
        await expect(publish()).rejects.toMatchObject({ failureClass: "transient" });
        await publish();
        expect(remote.comments(issue.ref)).toHaveLength(1);
        expect(remote.issue(issue.ref)).toMatchObject({
          status: "in_review",
          customFields: { effort: 3, spec_kitty_mission: "mission-7" },
          links: [{ type: "blocked_by" }],
        });
      }
    },
  );

  test("a custom field that somebody writes at the same moment survives", async () => {
    let edits = 0;
    const { remote, connector, issue, update } = scene({
      onRequest: ({ method, phase }) => {
        if (method !== "updateIssue" || phase !== "before" || edits++ > 0) return;
        remote.edit(issue.ref, { customFields: { effort: 5, sprint: "12" } });
      },
    });
    const { issue: after } = await publishMissionUpdate(connector, issue.ref, update);
    expect(after.customFields).toMatchObject({ effort: 5, sprint: "12", spec_kitty_mission: "mission-7" });
  });

  test("gives up on an issue that changes under every attempt, and says that it did", async () => {
    let edits = 0;
    const { remote, connector, issue, update } = scene({
      onRequest: ({ method, phase }) => {
        if (method === "updateIssue" && phase === "before") remote.edit(issue.ref, { body: `${++edits}` });
      },
    });
    await expect(publishMissionUpdate(connector, issue.ref, update)).rejects.toMatchObject({
      failureClass: "conflict",
    });
    expect(edits).toBe(3);
  });

  test("leaves out what the provider has no place for, and says so", async () => {
    const { remote, connector, issue, update } = scene({
      without: ["comments", "customFields", "dependencies", "conditionalWrites"],
    });
    const published = await publishMissionUpdate(connector, issue.ref, update);
    expect(published.omitted).toEqual(["custom_field", "links", "comment"]);
    expect(published.issue).toMatchObject({ status: "in_review", customFields: { effort: 3 }, links: [] });
    expect(remote.comments(issue.ref)).toEqual([]);
    expect(connector.requests.filter((method) => !method.startsWith("get"))).toEqual(["transitionIssue"]);
  });

  test("works where writes cannot be made conditional", async () => {
    const { connector, issue, update } = scene({ without: ["conditionalWrites"] });
    const { issue: after } = await publishMissionUpdate(connector, issue.ref, update);
    expect(after.customFields).toMatchObject({ effort: 3, spec_kitty_mission: "mission-7" });
  });

  test("its decisions can be read back from the issue", async () => {
    const { connector, issue, update } = scene();
    const { issue: after } = await publishMissionUpdate(connector, issue.ref, update);
    expect(missionSeedFromIssue(after).decisionReferences).toEqual(update.decisionReferences);
    const { issue: without } = await publishMissionUpdate(connector, issue.ref, {
      ...update,
      decisionReferences: [],
    });
    expect(missionSeedFromIssue(without).decisionReferences).toEqual(update.decisionReferences);
  });

  test("writes no custom field that the tracker has no place for, and says so", async () => {
    const { connector, issue, update } = scene();
    const capabilities = { ...connector.capabilities(), customFieldNames: ["effort", "spec_kitty_mission"] };
    Object.assign(connector, { capabilities: () => capabilities });
    const { issue: after, omitted } = await publishMissionUpdate(connector, issue.ref, update);
    expect(after.customFields).toEqual({ effort: 3, spec_kitty_mission: "mission-7" });
    expect(omitted).toEqual(["custom_field"]);
    const rest = await publishMissionUpdate(connector, issue.ref, { ...update, decisionReferences: [] });
    expect(rest.omitted).toEqual([]);
  });

  test("a decision that is tracked elsewhere is named in the comment and not linked", async () => {
    const { remote, connector, issue, update } = scene();
    const externalRef = { system: "beads", workspace: "demo", id: "bd-1" };
    const decisionReferences = [{ id: "D-9", blocking: true, externalRef }];
    const published = await publishMissionUpdate(connector, issue.ref, { ...update, decisionReferences });
    expect(published).toMatchObject({ omitted: ["links"], issue: { links: [] } });
    expect(remote.comments(issue.ref)[0]?.body).toContain("Decision refs: D-9");
  });

  test("a status that the tracker has no place for is refused before anything is sent", async () => {
    const { connector, issue, update } = scene({ without: ["terminalTransition"] });
    const done: MissionUpdate = { ...update, targetStatus: "done" };
    await expect(publishMissionUpdate(connector, issue.ref, done)).rejects.toMatchObject({
      capability: "terminalTransition",
    });
    expect(connector.requests).toEqual([]);
  });

  test("a status that the tracker refuses loses nothing else", async () => {
    const { remote, connector, issue, update } = scene();
    connector.faults.add({ kind: "fail", failureClass: "invalid" }, { on: "transitionIssue" });
    await expect(publishMissionUpdate(connector, issue.ref, update)).rejects.toMatchObject({
      failureClass: "invalid",
    });
    expect(remote.comments(issue.ref)).toHaveLength(1);
  });

  test("a link that the tracker turns out to have no place for is left out, and named", async () => {
    const { remote, connector, issue, update } = scene();
    connector.upsertLink = async () => {
      throw new CapabilityNotSupportedError("memory", "linkTypes", "Only on another plan.");
    };
    const published = await publishMissionUpdate(connector, issue.ref, update);
    expect(published.omitted).toEqual(["links"]);
    expect(remote.comments(issue.ref)).toHaveLength(1);
  });

  test("says when the provider took the update and did not keep it", async () => {
    const { connector, issue, update } = scene();
    const fields = ["customFields", "links", "status"] as const;
    connector.faults.add({ kind: "drop_fields", fields }, { times: Infinity });
    await expect(publishMissionUpdate(connector, issue.ref, update)).rejects.toThrow(
      "did not save the custom field spec_kitty_mission, the custom field decision_refs, a link, the status",
    );
  });

  test("without a target status leaves the status alone", async () => {
    const { connector, issue, update } = scene();
    const { targetStatus, ...rest } = update;
    expect(targetStatus).toBe("in_review");
    const published = await publishMissionUpdate(connector, issue.ref, rest);
    expect(published.issue.status).toBe("in_progress");
  });

  test("refuses an update that is none before any request", async () => {
    const { connector, issue, update } = scene();
    for (const wrong of [{ missionId: " \n" }, { missionState: "" }, Object.assign({}, { mood: "good" })]) {
      await expect(publishMissionUpdate(connector, issue.ref, { ...update, ...wrong })).rejects.toMatchObject(
        {
          failureClass: "invalid",
        },
      );
    }
    expect(connector.requests).toEqual([]);
  });
});
