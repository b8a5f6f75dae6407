/** The canonical issue has no vendor field; the provider's payload stays in `raw`. */
import * as v from "valibot";

/** Text of at least one character. */
export const NonEmpty = v.pipe(v.string(), v.nonEmpty("must not be empty"));

export const CanonicalStatus = v.picklist([
  "todo",
  "in_progress",
  "in_review",
  "blocked",
  "done",
  "canceled",
]);
export type CanonicalStatus = v.InferOutput<typeof CanonicalStatus>;

export const CanonicalIssueType = v.picklist(["epic", "story", "task", "bug", "chore", "subtask"]);
export type CanonicalIssueType = v.InferOutput<typeof CanonicalIssueType>;

export const LinkType = v.picklist([
  "blocks",
  "blocked_by",
  "relates_to",
  "duplicates",
  "parent_of",
  "child_of",
]);
export type LinkType = v.InferOutput<typeof LinkType>;

/** An instant in UTC, ISO 8601 with milliseconds, so that text order is time order. */
export const Instant = v.pipe(
  v.string(),
  v.check((text) => !Number.isNaN(Date.parse(text)), "must be an ISO 8601 instant"),
  v.transform((text) => new Date(text).toISOString()),
);

/** The address of an issue: tracker, workspace and id. */
export const ExternalRef = v.object({
  system: NonEmpty,
  workspace: NonEmpty,
  id: NonEmpty,
  /** The name that people use, such as `PAY-7`. */
  key: v.exactOptional(v.string()),
  url: v.exactOptional(v.string()),
});
export type ExternalRef = v.InferOutput<typeof ExternalRef>;

/** The stable part of a reference: `system:workspace:id`. */
export function identityOf({ system, workspace, id }: ExternalRef): string {
  return [system, workspace, id].map(encodeURIComponent).join(":");
}

export const CanonicalLink = v.object({ type: LinkType, target: ExternalRef });
export type CanonicalLink = v.InferOutput<typeof CanonicalLink>;

/** 0 unset, 1 urgent … 4 low. */
export const Priority = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4));

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export const JsonValue: v.GenericSchema<JsonValue> = v.lazy(() =>
  v.union([
    v.null(),
    v.boolean(),
    v.number(),
    v.string(),
    v.array(JsonValue),
    v.record(v.string(), JsonValue),
  ]),
);

export const IssueFields = v.object({
  title: NonEmpty,
  body: v.nullable(v.string()),
  status: CanonicalStatus,
  issueType: CanonicalIssueType,
  priority: v.nullable(Priority),
  assignees: v.array(NonEmpty),
  labels: v.array(NonEmpty),
  parent: v.nullable(ExternalRef),
  links: v.array(CanonicalLink),
  customFields: v.record(v.string(), JsonValue),
});
export type IssueFields = v.InferOutput<typeof IssueFields>;

/** Empty fields; an issue also needs a title. */
export const BLANK: IssueFields = {
  title: "",
  body: null,
  status: "todo",
  issueType: "task",
  priority: null,
  assignees: [],
  labels: [],
  parent: null,
  links: [],
  customFields: {},
};

export const CanonicalIssue = v.object({
  ref: ExternalRef,
  ...IssueFields.entries,
  createdAt: Instant,
  updatedAt: Instant,
  /** Changes with every change of the issue; null where the provider has no revisions. */
  revision: v.nullable(v.string()),
  /** Change times of single fields, where the provider reports them. */
  fieldTimes: v.exactOptional(v.record(v.string(), Instant)),
  raw: JsonValue,
});
export type CanonicalIssue = v.InferOutput<typeof CanonicalIssue>;

export const CORE_FIELDS = [
  "title",
  "body",
  "status",
  "issueType",
  "priority",
  "assignees",
  "labels",
  "parent",
  "links",
  "customFields",
] as const satisfies readonly (keyof IssueFields)[];
export type CoreField = (typeof CORE_FIELDS)[number];

/** New values of the fields that change; unknown keys are refused. */
export const IssuePatch = v.strictObject({
  title: v.exactOptional(IssueFields.entries.title),
  body: v.exactOptional(IssueFields.entries.body),
  status: v.exactOptional(IssueFields.entries.status),
  issueType: v.exactOptional(IssueFields.entries.issueType),
  priority: v.exactOptional(IssueFields.entries.priority),
  assignees: v.exactOptional(IssueFields.entries.assignees),
  labels: v.exactOptional(IssueFields.entries.labels),
  parent: v.exactOptional(IssueFields.entries.parent),
  links: v.exactOptional(IssueFields.entries.links),
  customFields: v.exactOptional(IssueFields.entries.customFields),
});
export type IssuePatch = v.InferOutput<typeof IssuePatch>;

export const CanonicalComment = v.object({
  id: NonEmpty,
  body: v.string(),
  author: v.nullable(v.string()),
  createdAt: Instant,
});
export type CanonicalComment = v.InferOutput<typeof CanonicalComment>;

/** A change of an issue, as webhooks and event lists report it. */
export const TrackerEvent = v.object({
  id: NonEmpty,
  type: v.picklist(["created", "updated", "deleted", "commented"]),
  ref: ExternalRef,
  occurredAt: Instant,
});
export type TrackerEvent = v.InferOutput<typeof TrackerEvent>;

/** One page of a listing; `nextCursor` is null on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** JSON with sorted keys, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Follows a path: `is missing`, `is not known`, `must be "a", "b" or "c", not "d"`. */
export function problemOf({ received, expected, message, type }: v.BaseIssue<unknown>): string {
  if (received === "undefined") return "is missing";
  // A schema's own message is more precise than its types.
  if (!message.startsWith("Invalid ")) return message;
  if (type === "strict_object" && expected === "never") return "is not known";
  return expected === null ? message : `must be ${alternatives(expected)}, not ${received}`;
}

/** `("a" | "b" | "c")`, as schemas write it, in words. */
function alternatives(expected: string): string {
  const members = expected.replace(/^\((.*)\)$/s, "$1").split(" | ");
  return members.length === 1 ? expected : `${members.slice(0, -1).join(", ")} or ${members.at(-1)}`;
}
