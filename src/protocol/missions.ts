import * as v from "valibot";
import { CanonicalStatus } from "../sdk/model.ts";
import { ExternalRef, IssueName, NormalizedIssue } from "./issues.ts";
import { routed, upgrade } from "./routing.ts";
import { filled, nullable, nullableText, text } from "./schema.ts";

export const MissionSeedRequest = v.object({ ...routed, issue: IssueName, mission_id: nullableText });
export type MissionSeedRequest = v.InferOutput<typeof MissionSeedRequest>;

export const DecisionReference = v.looseObject({
  id: filled,
  blocking: v.nullish(v.boolean(), false),
  title: nullableText,
  external_ref: nullable(ExternalRef),
});

export const MissionSeedResponse = v.looseObject({
  mission_id: filled,
  source_issue_ref: ExternalRef,
  title: text,
  body: nullableText,
  status: CanonicalStatus,
  priority: nullable(v.number()),
  assignees: v.array(text),
  labels: v.array(text),
  decision_references: v.array(DecisionReference),
  ...upgrade,
});
export type MissionSeedResponse = v.InferOutput<typeof MissionSeedResponse>;

export const MissionPublishRequest = v.object({
  ...routed,
  issue: IssueName,
  update: v.object({
    mission_id: filled,
    mission_state: filled,
    target_status: nullable(CanonicalStatus),
    summary: nullableText,
    mission_url: nullableText,
    decision_references: v.nullish(v.array(DecisionReference), []),
  }),
});
export type MissionPublishRequest = v.InferOutput<typeof MissionPublishRequest>;

/** The updated issue, and the parts of the update that the provider has no field for. */
export const MissionPublishResponse = v.looseObject({
  ...NormalizedIssue.entries,
  omitted: v.nullish(v.array(text), []),
  ...upgrade,
});
export type MissionPublishResponse = v.InferOutput<typeof MissionPublishResponse>;
