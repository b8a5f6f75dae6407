import * as v from "valibot";
import { CanonicalIssueType, CanonicalStatus } from "../sdk/model.ts";
import { routed, upgrade } from "./routing.ts";
import { filled, instant, nullable, nullableText, text } from "./schema.ts";

export const ExternalRef = v.object({
  system: filled,
  id: filled,
  workspace: filled,
  key: nullableText,
  url: nullableText,
});
export type ExternalRef = v.InferOutput<typeof ExternalRef>;

export const NormalizedIssue = v.looseObject({
  ref: ExternalRef,
  title: text,
  body: nullableText,
  status: CanonicalStatus,
  issue_type: CanonicalIssueType,
  priority: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4)),
  assignees: v.array(text),
  labels: v.array(text),
  parent_ref: nullable(ExternalRef),
  links: v.array(v.looseObject({})),
  custom_fields: v.record(v.string(), v.unknown()),
  created_at: instant,
  updated_at: instant,
  provider_metadata: v.nullish(v.record(v.string(), v.unknown()), {}),
});
export type NormalizedIssue = v.InferOutput<typeof NormalizedIssue>;

export const IssueName = v.union([filled, v.looseObject({})]);

/** A user or a team: an object in this product, text on some hosts. */
const Named = nullable(
  v.union([text, v.looseObject({ id: v.nullish(v.union([text, v.number()]), null), name: nullableText })]),
);
export type Named = v.InferOutput<typeof Named>;

export const Ticket = v.looseObject({
  external_issue_id: text,
  /** Null where a host leaves it out. */
  identifier: nullableText,
  title: text,
  url: nullableText,
  state: v.looseObject({ name: text }),
  team: Named,
  assignee: Named,
  created_at: nullable(instant),
  updated_at: nullable(instant),
  body: nullableText,
});
export type Ticket = v.InferOutput<typeof Ticket>;

const issueLimit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100));
/** Without a binding, the provider's only mapping is used. */
export const ListTicketsRequest = v.object({ ...routed, limit: v.optional(issueLimit, 20) });
export type ListTicketsRequest = v.InferOutput<typeof ListTicketsRequest>;

export const IssueSearchRequest = v.object({
  ...routed,
  query_text: nullableText,
  /** Takes precedence over `query_text`. */
  query_key: nullableText,
  limit: v.optional(issueLimit, 20),
});
export type IssueSearchRequest = v.InferOutput<typeof IssueSearchRequest>;

const boundResource = { resource_type: text, resource_id: text, ...upgrade };
export const ListTicketsResponse = v.looseObject({ tickets: v.array(Ticket), ...boundResource });
export type ListTicketsResponse = v.InferOutput<typeof ListTicketsResponse>;
export const IssueSearchResponse = v.looseObject({ candidates: v.array(Ticket), ...boundResource });
export type IssueSearchResponse = v.InferOutput<typeof IssueSearchResponse>;
