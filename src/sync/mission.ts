/** Missions in the wire's words. Pure. */
import type * as v from "valibot";
import type { MissionPublishRequest, MissionSeedResponse } from "../protocol.ts";
import type { MissionSeed, MissionUpdate } from "../sdk/mission.ts";
import { wireRef } from "./envelope.ts";

export function wireSeed(seed: MissionSeed): v.InferInput<typeof MissionSeedResponse> {
  const { missionId, sourceIssueRef, title, body, status, priority, assignees, labels } = seed;
  return {
    mission_id: missionId,
    source_issue_ref: wireRef(sourceIssueRef),
    title,
    body,
    status,
    priority,
    assignees: [...assignees],
    labels: [...labels],
    decision_references: seed.decisionReferences.map(({ id, blocking, title = null, externalRef }) => ({
      id,
      blocking,
      title,
      external_ref: externalRef === undefined ? null : wireRef(externalRef),
    })),
  };
}

export function missionUpdateOf(update: MissionPublishRequest["update"]): MissionUpdate {
  const { mission_id, mission_state, target_status, summary, mission_url, decision_references } = update;
  return {
    missionId: mission_id,
    missionState: mission_state,
    ...(target_status !== null && { targetStatus: target_status }),
    ...(summary !== null && { summary }),
    ...(mission_url !== null && { missionUrl: mission_url }),
    decisionReferences: decision_references.map(({ id, blocking, title, external_ref }) => ({
      id,
      blocking,
      ...(title !== null && { title }),
      ...(external_ref !== null && { externalRef: sdkRef(external_ref) }),
    })),
  };
}

function sdkRef({ system, workspace, id, key, url }: Parameters<typeof wireRef>[0]) {
  return { system, workspace, id, ...(key && { key }), ...(url && { url }) };
}
