import * as v from "valibot";
import { CanonicalStatus } from "../sdk/model.ts";
import { NormalizedIssue } from "./issues.ts";
import { routed, upgrade } from "./routing.ts";
import { filled, natural, nullable, nullableText, openObject, text } from "./schema.ts";

export const IdentityPath = openObject({
  type: text,
  installation_id: nullableText,
  user_link_id: nullableText,
  provider: nullableText,
  provider_account_id: nullableText,
});
export type IdentityPath = v.InferOutput<typeof IdentityPath>;

export const PushItem = v.object({
  ref: v.looseObject({}),
  action: v.picklist(["create", "update", "transition", "comment", "link"]),
  patch: v.nullish(v.record(v.string(), v.unknown())),
  target_status: v.nullish(CanonicalStatus),
  body: v.nullish(text),
  link: v.nullish(v.looseObject({})),
});
export type PushItem = v.InferOutput<typeof PushItem>;

const ResultSummary = v.object({ total: natural, succeeded: natural, failed: natural, skipped: natural });
export const ItemError = v.looseObject({
  ref: v.nullish(v.unknown(), null),
  code: text,
  message: text,
  retryable: v.nullish(v.boolean(), false),
});
export type ItemError = v.InferOutput<typeof ItemError>;

export const PushResultItem = v.looseObject({
  ref: v.unknown(),
  action: text,
  outcome: text,
  remote_ref: v.nullish(v.unknown(), null),
  version: v.nullish(v.unknown(), null),
  message: nullableText,
});
export type PushResultItem = v.InferOutput<typeof PushResultItem>;

const phase = { summary: ResultSummary, item_errors: nullable(v.array(ItemError)) };
const pullPart = { items: v.array(NormalizedIssue), has_more: v.boolean(), next_cursor: nullableText };
const pushPart = { items: v.array(PushResultItem) };
const envelope = {
  status: v.picklist(["ok", "partial", "error"]),
  summary: ResultSummary,
  identity_path: nullable(IdentityPath),
  doctrine: nullable(v.record(v.string(), v.unknown())),
  ...upgrade,
};

export const PullResult = v.looseObject({ ...envelope, ...phase, ...pullPart });
export type PullResult = v.InferOutput<typeof PullResult>;

export const PushResult = v.looseObject({ ...envelope, ...phase, ...pushPart });
export type PushResult = v.InferOutput<typeof PushResult>;

export const RunResult = v.looseObject({
  ...envelope,
  pull: v.looseObject({ ...v.partial(v.object(phase)).entries, ...v.partial(v.object(pullPart)).entries }),
  push: v.looseObject({ ...v.partial(v.object(phase)).entries, ...v.partial(v.object(pushPart)).entries }),
});
export type RunResult = v.InferOutput<typeof RunResult>;

const pullLimit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000));

export const Reread = v.picklist(["interrupted", "everything"]);
export type Reread = v.InferOutput<typeof Reread>;

export const PullRequest = v.object({
  ...routed,
  limit: v.optional(pullLimit, 100),
  /** `next_cursor` of the pull before; without one a pull continues where the last one ended. */
  cursor: nullableText,
  filters: v.nullish(v.record(v.string(), v.unknown()), {}),
  /**
   * Extension: returns unchanged issues too. Without a cursor, the pull begins where an interrupted pull began, or
   * reads everything again.
   */
  reread: v.nullish(Reread, null),
});
export type PullRequest = v.InferOutput<typeof PullRequest>;

export const PushRequest = v.object({ ...routed, items: v.pipe(v.array(PushItem), v.maxLength(10_000)) });
export type PushRequest = v.InferOutput<typeof PushRequest>;

export const RunRequest = v.object({
  ...routed,
  pull_first: v.nullish(v.boolean(), true),
  limit: v.optional(pullLimit, 100),
  /** Extension: plans the same and writes nothing. */
  dry_run: v.nullish(v.boolean(), false),
});
export type RunRequest = v.InferOutput<typeof RunRequest>;

export const Conflict = v.looseObject({
  id: filled,
  issue: v.looseObject({ id: text, key: nullableText, title: text }),
  field: text,
  base: v.unknown(),
  local: v.unknown(),
  remote: v.unknown(),
  resolution: v.nullish(v.picklist(["local", "external"]), null),
});
export type Conflict = v.InferOutput<typeof Conflict>;

export const ConflictsRequest = v.object(routed);
export type ConflictsRequest = v.InferOutput<typeof ConflictsRequest>;
export const ConflictsResponse = v.looseObject({ conflicts: v.array(Conflict), ...upgrade });
export type ConflictsResponse = v.InferOutput<typeof ConflictsResponse>;

export const ResolveConflictRequest = v.object({
  ...routed,
  id: filled,
  take: v.picklist(["local", "external"]),
});
export type ResolveConflictRequest = v.InferOutput<typeof ResolveConflictRequest>;
export const ResolveConflictResponse = v.looseObject({ ...Conflict.entries, ...upgrade });
export type ResolveConflictResponse = v.InferOutput<typeof ResolveConflictResponse>;
