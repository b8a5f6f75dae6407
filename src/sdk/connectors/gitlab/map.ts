/**
 * Maps GitLab's issues, links and notes to the canonical model: https://docs.gitlab.com/api/issues/ Pure.
 *
 * GitLab's REST API for issues has no priorities (only boards know them), no custom fields, and no parents
 * (epics belong to groups, need a paid plan and have an API of their own).
 */
import * as v from "valibot";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalIssueType,
  type CanonicalLink,
  type CanonicalStatus,
  type ExternalRef,
  Instant,
  JsonValue,
  NonEmpty,
} from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { bodyWithoutMark, readMark } from "../shared/marker.ts";
import { GITLAB } from "./requests.ts";

export const NativeId = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const STATUS = { opened: "todo", closed: "done" } as const satisfies Record<string, CanonicalStatus>;

/** Unknown types are tasks; types are not written: https://docs.gitlab.com/user/work_items/ */
const ISSUE_TYPE: ReadonlyMap<string, CanonicalIssueType> = new Map([
  ["incident", "bug"],
  ["test_case", "chore"],
  ["requirement", "story"],
  ["task", "subtask"],
  ["epic", "epic"],
]);

/** The link types of the API, from the issue whose links are read. */
const LINK_TYPE = {
  relates_to: "relates_to",
  blocks: "blocks",
  is_blocked_by: "blocked_by",
} as const satisfies Record<string, CanonicalLink["type"]>;

const NativeUser = v.object({ id: NativeId, username: NonEmpty });

/** An issue in the API; `raw` omits what depends on the reader. */
export const NativeIssue = v.pipe(
  v.record(v.string(), JsonValue),
  // Only single reads have `subscribed`.
  v.transform(({ subscribed: _, ...raw }) => ({ ...raw, raw })),
  v.object({
    iid: NativeId,
    project_id: NativeId,
    title: NonEmpty,
    description: v.nullable(v.string()),
    state: v.picklist(["opened", "closed"]),
    issue_type: v.nullish(NonEmpty),
    labels: v.array(NonEmpty),
    assignees: v.array(NativeUser),
    created_at: Instant,
    updated_at: Instant,
    closed_at: v.nullish(Instant),
    web_url: NonEmpty,
    raw: v.record(v.string(), JsonValue),
  }),
);
export type NativeIssue = v.InferOutput<typeof NativeIssue>;

const NativeLink = v.object({
  iid: NativeId,
  /** Null for items of a group, such as epics. */
  project_id: v.nullable(NativeId),
  web_url: NonEmpty,
  issue_link_id: NativeId,
  link_type: v.picklist(["relates_to", "blocks", "is_blocked_by"]),
});

/** A comment, or with `system` a line of the issue's history. */
export const NativeNote = v.object({
  id: NativeId,
  body: v.string(),
  author: v.nullish(NativeUser),
  created_at: Instant,
  system: v.boolean(),
});
export type NativeNote = v.InferOutput<typeof NativeNote>;

export interface IdentifiedLink {
  readonly id: number;
  readonly link: CanonicalLink;
}

/** @throws IssuePayloadContractError naming the path of what is missing or wrong */
export function readIssue(payload: unknown, name = "issue"): NativeIssue {
  return parsePayload(GITLAB, NativeIssue, payload, name);
}

export function canonicalIssue(native: NativeIssue, links: readonly CanonicalLink[]): CanonicalIssue {
  return {
    ref: refOf(native, native.project_id),
    title: native.title,
    body: bodyWithoutMark(native.description),
    status: STATUS[native.state],
    issueType: ISSUE_TYPE.get(native.issue_type ?? "") ?? "task",
    priority: null,
    assignees: native.assignees.map(({ username }) => username).sort(),
    labels: native.labels,
    parent: null,
    links: [...links],
    customFields: {},
    createdAt: native.created_at,
    updatedAt: native.updated_at,
    revision: null,
    ...(native.state === "closed" && native.closed_at && { fieldTimes: { status: native.closed_at } }),
    raw: native.raw,
  };
}

/**
 * The links in the answer of `GET …/links`, without items outside of projects, which a reference cannot name.
 *
 * @throws IssuePayloadContractError naming the path of what is missing or wrong
 */
export function readLinks(payload: unknown): readonly IdentifiedLink[] {
  return parsePayload(GITLAB, v.array(NativeLink), payload, "links").flatMap((native) =>
    native.project_id === null
      ? []
      : [
          {
            id: native.issue_link_id,
            link: { type: LINK_TYPE[native.link_type], target: refOf(native, native.project_id) },
          },
        ],
  );
}

export function canonicalComment({ id, body, author, created_at }: NativeNote): CanonicalComment {
  return {
    id: String(id),
    body: readMark(body).text,
    author: author?.username ?? null,
    createdAt: created_at,
  };
}

/** The issue of `#7`, `7`, `group/project#7` or an address, with its project if given; null for other text. */
export function parseIssueKey(key: string): { readonly project: string | null; readonly id: string } | null {
  const [, project = null, id] =
    /^(https?:\/\/.+?)(?:\/-)?\/(?:issues|work_items)\/([1-9]\d{0,9})(?:[/?#].*)?$/.exec(key) ??
    /^(?:([^#\s]+)?#)?([1-9]\d{0,9})$/.exec(key) ??
    [];
  return id === undefined ? null : { project, id };
}

/** The elements added to a set, and those removed from it. */
export function setChanges(
  before: readonly string[],
  after: readonly string[],
): { readonly added: readonly string[]; readonly removed: readonly string[] } {
  return {
    added: after.filter((element) => !before.includes(element)),
    removed: before.filter((element) => !after.includes(element)),
  };
}

/** GitLab Premium keeps one label per scope: https://docs.gitlab.com/user/project/labels/#scoped-labels */
export function displacedLabels(added: readonly string[], kept: readonly string[]): readonly string[] {
  return added.filter((label) => {
    const scope = scopeOf(label);
    const hasSibling = added.some((other) => other !== label && scopeOf(other) === scope);
    return scope !== null && hasSibling && !kept.includes(label);
  });
}

/** `a::b` of `a::b::c`; null without a scope. */
function scopeOf(label: string): string | null {
  const end = label.lastIndexOf("::");
  return end === -1 ? null : label.slice(0, end);
}

function refOf({ iid, web_url }: { iid: number; web_url: string }, projectId: number): ExternalRef {
  return { system: GITLAB, workspace: String(projectId), id: String(iid), key: `#${iid}`, url: web_url };
}
