/** Maps beads' issues: https://github.com/gastownhall/beads/blob/main/internal/types/types.go */
import * as v from "valibot";
import { linkIdentity } from "../../engine/merge.ts";
import { CapabilityNotSupportedError, IssuePayloadContractError } from "../../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalIssueType,
  type CanonicalLink,
  CanonicalStatus,
  type ExternalRef,
  Instant,
  JsonValue,
} from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { readMark } from "../shared/marker.ts";
import { firstLine, readJson } from "../shared/program.ts";

export const BEADS = "beads";

/** The metadata key of the mark of the create that made an issue. */
export const MARK_KEY = "tracker_create";

const Dependency = v.object({ issue_id: v.string(), depends_on_id: v.string(), type: v.string() });
/** `issue_id` depends on `depends_on_id`. */
type Dependency = v.InferOutput<typeof Dependency>;

const NativeComment = v.object({
  id: v.union([v.string(), v.number()]),
  author: v.optional(v.string(), ""),
  text: v.string(),
  created_at: Instant,
});

/** One line of an export; bd omits empty fields. */
const Record = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  title: v.pipe(v.string(), v.nonEmpty()),
  description: v.optional(v.string(), ""),
  status: v.string(),
  priority: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4)),
  issue_type: v.string(),
  assignee: v.optional(v.string(), ""),
  labels: v.optional(v.nullable(v.array(v.string()))),
  dependencies: v.optional(v.nullable(v.array(Dependency))),
  comments: v.optional(v.nullable(v.array(NativeComment))),
  metadata: v.optional(JsonValue),
  created_at: Instant,
  updated_at: Instant,
});
type Record = v.InferOutput<typeof Record>;

export interface BeadsIssue {
  readonly record: Record;
  readonly raw: JsonValue;
}

const INTERNAL_KINDS: ReadonlySet<string> = new Set("agent event gate message molecule rig role".split(" "));
const Kind = v.object({
  _type: v.optional(v.string(), "issue"),
  status: v.optional(v.string()),
  issue_type: v.optional(v.string()),
});

/**
 * The issues of an export, without other records and without the tombstones that releases before 1.0 write.
 *
 * @throws IssuePayloadContractError naming line and field
 */
export function readExport(text: string): readonly BeadsIssue[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const name = `export.${index + 1}`;
    const raw = parsePayload(BEADS, JsonValue, readJson(BEADS, line, name), name);
    const { _type, status, issue_type = "" } = parsePayload(BEADS, Kind, raw, name);
    if (_type !== "issue" || status === "tombstone" || INTERNAL_KINDS.has(issue_type)) return [];
    return [{ record: parsePayload(BEADS, Record, raw, name), raw }];
  });
}

/** A deferred issue is still to be done; `hooked` and `pinned` ones are in progress. */
const STATUSES = new Map<string, CanonicalStatus>([
  ["open", "todo"],
  ["deferred", "todo"],
  ["in_progress", "in_progress"],
  ["hooked", "in_progress"],
  ["pinned", "in_progress"],
  ["blocked", "blocked"],
  ["closed", "done"],
]);
/** The categories of a project's own statuses: `bd help statuses`. */
const CATEGORIES = new Map<string, CanonicalStatus>([
  ["active", "todo"],
  ["wip", "in_progress"],
  ["frozen", "todo"],
  ["done", "done"],
]);

/** Categories of a project's own statuses, by name. */
export type CustomStatuses = ReadonlyMap<string, string>;

/** Reports whether reading the issue needs the project's own statuses. */
export function hasCustomStatus({ record: { status } }: BeadsIssue): boolean {
  return !STATUSES.has(status) && !v.is(CanonicalStatus, status);
}

function statusOf({ id, status }: Record, custom: CustomStatuses): CanonicalStatus {
  const known = STATUSES.get(status) ?? CATEGORIES.get(custom.get(status) ?? "");
  if (known !== undefined) return known;
  if (v.is(CanonicalStatus, status)) return status;
  const advice = `set one of the categories ${[...CATEGORIES.keys()].join(", ")} in status.custom`;
  throw new IssuePayloadContractError(BEADS, `${id}.status`, `${firstLine(status)} is unknown; ${advice}`);
}

/** The statuses that this connector sets; closing belongs to people. */
export const SETTABLE_STATUS = {
  todo: "open",
  in_progress: "in_progress",
  blocked: "blocked",
} as const satisfies Partial<{ [S in CanonicalStatus]: string }>;

const NATIVE_TYPE: { readonly [T in CanonicalIssueType]: string | null } = {
  epic: "epic",
  story: "feature",
  task: "task",
  bug: "bug",
  chore: "chore",
  subtask: null,
};
const TYPES = new Map<string, CanonicalIssueType>([
  ["epic", "epic"],
  ["feature", "story"],
  ["story", "story"],
  ["bug", "bug"],
  ["chore", "chore"],
]);

/** Decisions, spikes, milestones and a project's own types are tasks in the model. */
function typeOf({ issue_type }: Record): CanonicalIssueType {
  return TYPES.get(issue_type) ?? "task";
}

/** @throws CapabilityNotSupportedError for a subtask, for which beads has no type */
export function nativeType(type: CanonicalIssueType): string {
  const native = NATIVE_TYPE[type];
  if (native !== null) return native;
  throw new CapabilityNotSupportedError(BEADS, "issueType", `${BEADS} does not support the type ${type}.`);
}

/** Five priorities on both sides: 0 critical is 1 urgent, then 2, 3, and 4 low for 3; 4 backlog is 0 unset. */
export function nativePriority(priority: number | null): number {
  if (priority !== null) return (priority + 4) % 5;
  const advice = `an issue of ${BEADS} always has a priority; 0 puts it into the backlog.`;
  throw new CapabilityNotSupportedError(BEADS, "priority", advice);
}

export function canonicalPriority(priority: number): number {
  return (priority + 1) % 5;
}

export const LINK_DEPENDENCIES: ReadonlyMap<CanonicalLink["type"], readonly string[]> = new Map([
  ["blocks", ["blocks"]],
  ["blocked_by", ["blocks"]],
  ["relates_to", ["related", "relates-to"]],
  ["duplicates", ["duplicates"]],
]);

/** The link of a dependency at its own end and at the other; null where it does not show. */
const LINK_ENDS = new Map<string, readonly [CanonicalLink["type"], CanonicalLink["type"] | null]>([
  ["blocks", ["blocked_by", "blocks"]],
  ["related", ["relates_to", "relates_to"]],
  ["relates-to", ["relates_to", "relates_to"]],
  ["duplicates", ["duplicates", null]],
]);

/** The mark of the create that made an issue; null for an issue made elsewhere. */
export function createMark({ record: { metadata } }: BeadsIssue): string | null {
  const mark = membersOf(metadata)[MARK_KEY];
  return typeof mark === "string" ? mark : null;
}

/**
 * All issues in the model. The body is the description; design, notes and acceptance criteria stay in `raw`.
 *
 * @throws IssuePayloadContractError for an unknown status
 */
export function canonicalIssues(
  issues: readonly BeadsIssue[],
  workspace: string,
  custom: CustomStatuses,
): readonly CanonicalIssue[] {
  const byId = new Map(issues.map((issue) => [issue.record.id, issue]));
  const refTo = (id: string): ExternalRef => ({ system: BEADS, workspace, id, key: id });
  const links = new Map(issues.map(({ record }) => [record.id, new Map<string, CanonicalLink>()]));
  const addLink = (from: string, type: CanonicalLink["type"], to: string) => {
    const link = { type, target: refTo(to) };
    links.get(from)?.set(linkIdentity(link), link);
  };
  for (const { issue_id, depends_on_id, type } of issues.flatMap(dependenciesOf)) {
    const [own, other] = LINK_ENDS.get(type) ?? [null, null];
    if (!byId.has(depends_on_id)) continue;
    if (own !== null) addLink(issue_id, own, depends_on_id);
    if (other !== null) addLink(depends_on_id, other, issue_id);
  }
  return issues.map((issue) => {
    const { record, raw } = issue;
    const parent = dependenciesOf(issue).find(
      ({ type, depends_on_id }) => type === "parent-child" && byId.has(depends_on_id),
    );
    const { [MARK_KEY]: _, ...customFields } = membersOf(record.metadata);
    return {
      ref: refTo(record.id),
      title: record.title,
      body: record.description === "" ? null : record.description,
      status: statusOf(record, custom),
      issueType: typeOf(record),
      priority: canonicalPriority(record.priority),
      assignees: record.assignee === "" ? [] : [record.assignee],
      labels: record.labels ?? [],
      parent: parent === undefined ? null : refTo(parent.depends_on_id),
      links: [...(links.get(record.id) ?? [])]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([, link]) => link),
      customFields,
      createdAt: record.created_at,
      updatedAt: record.updated_at,
      revision: null,
      raw,
    };
  });
}

export function dependenciesOf({ record }: BeadsIssue): readonly Dependency[] {
  return (record.dependencies ?? []).filter(({ issue_id }) => issue_id === record.id);
}

/** The comments of an issue, oldest first, each with its key's mark. */
export function commentsOf({
  record,
}: BeadsIssue): readonly { readonly comment: CanonicalComment; readonly mark: string | null }[] {
  return (record.comments ?? [])
    .map(({ id, author, text, created_at }) => {
      const { text: body, mark } = readMark(text);
      return {
        comment: { id: String(id), body, author: author === "" ? null : author, createdAt: created_at },
        mark,
      };
    })
    .sort((one, other) =>
      one.comment.createdAt < other.comment.createdAt
        ? -1
        : one.comment.createdAt > other.comment.createdAt
          ? 1
          : 0,
    );
}

/** Metadata as custom fields. It may be any JSON, but only objects have members. */
export function membersOf(metadata: JsonValue | undefined): { readonly [name: string]: JsonValue } {
  if (Array.isArray(metadata)) return {};
  const parsed = v.safeParse(v.record(v.string(), JsonValue), metadata);
  return parsed.success ? parsed.output : {};
}
