/** Maps GitHub's issues to canonical ones. */
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
import { GITHUB } from "./rest.ts";

const PositiveInteger = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** `owner/repo` from a repository's address in the API. */
const RepositoryUrl = v.pipe(
  v.string(),
  v.regex(/\/repos\/[^/]+\/[^/]+$/, "must be the address of a repository"),
  v.transform((url) => url.split("/").slice(-2).join("/")),
);

/** Repository and number from an issue's address in the API. */
const IssueUrl = v.pipe(
  v.string(),
  v.regex(/\/repos\/[^/]+\/[^/]+\/issues\/[1-9]\d*$/, "must be the address of an issue"),
  v.transform((url) => {
    const [owner, repo, , number = ""] = url.split("/").slice(-4);
    return { repository: `${owner}/${repo}`, number };
  }),
);

/** An issue with a parent has `parent_issue_url`: https://docs.github.com/en/rest/issues/issues#get-an-issue */
export const NativeIssue = v.object({
  id: PositiveInteger,
  number: PositiveInteger,
  repository_url: RepositoryUrl,
  html_url: v.pipe(v.string(), v.url()),
  title: NonEmpty,
  body: v.nullable(v.string()),
  state: v.picklist(["open", "closed"]),
  state_reason: v.nullish(v.picklist(["completed", "reopened", "not_planned", "duplicate"])),
  labels: v.array(v.union([NonEmpty, v.object({ name: NonEmpty })], "must be a label")),
  assignees: v.array(v.object({ login: NonEmpty })),
  type: v.nullish(v.object({ name: NonEmpty })),
  created_at: Instant,
  updated_at: Instant,
  parent_issue_url: v.nullish(IssueUrl),
  issue_dependencies_summary: v.optional(v.object({ total_blocked_by: Count, total_blocking: Count })),
});
export type NativeIssue = v.InferOutput<typeof NativeIssue>;

export const LinkedIssue = v.pick(NativeIssue, ["number", "repository_url", "html_url"]);
export type LinkedIssue = v.InferOutput<typeof LinkedIssue>;

export interface ReadIssue {
  readonly native: NativeIssue;
  readonly raw: JsonValue;
}

/** Issue lists contain pull requests too. */
export const IsPullRequest = v.optional(
  v.pipe(
    v.unknown(),
    v.transform((found) => found !== null),
  ),
  null,
);
const Kind = v.object({ pull_request: IsPullRequest });

/**
 * Reads an issue; null for a pull request.
 *
 * @param path The value's place, such as `issue` or `issues.3`
 * @throws IssuePayloadContractError naming the path of what is missing or wrong
 */
export function readIssue(value: unknown, path: string): ReadIssue | null {
  if (parsePayload(GITHUB, Kind, value, path).pull_request) return null;
  const native = parsePayload(GITHUB, NativeIssue, value, path);
  // Only the answer for a single issue has `closed_by`; without it `raw` is the same however the issue was
  // read.
  const { closed_by, ...raw } = parsePayload(GITHUB, v.record(v.string(), JsonValue), value, path);
  return { native, raw };
}

/** The issue in a write's answer; null where it shows none. */
export function issueIn(answer: unknown): ReadIssue | null {
  return v.is(NativeIssue, answer) ? readIssue(answer, "issue") : null;
}

export function databaseId({ raw }: CanonicalIssue): number {
  return parsePayload(GITHUB, v.object({ id: PositiveInteger }), raw, "issue").id;
}

/** Repositories and logins match in any case. */
export function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** @param workspace The connector's repository, whose spelling is kept */
export function issueRef({ number, repository_url, html_url }: LinkedIssue, workspace: string): ExternalRef {
  const isOwn = isSameName(repository_url, workspace);
  return {
    system: GITHUB,
    workspace: isOwn ? workspace : repository_url,
    id: String(number),
    key: isOwn ? `#${number}` : `${repository_url}#${number}`,
    url: html_url,
  };
}

/** GitHub has no priorities and, in this API, no custom fields. */
export function canonicalIssue(
  { native, raw }: ReadIssue,
  workspace: string,
  links: readonly CanonicalLink[],
): CanonicalIssue {
  return {
    ref: issueRef(native, workspace),
    title: native.title,
    body: bodyWithoutMark(native.body),
    status: statusOf(native),
    issueType: issueTypeOf(native.type?.name),
    priority: null,
    assignees: native.assignees.map(({ login }) => login),
    labels: native.labels.map((label) => (typeof label === "string" ? label : label.name)),
    parent: parentOf(native, workspace),
    links: [...links],
    customFields: {},
    createdAt: native.created_at,
    updatedAt: native.updated_at,
    revision: null,
    raw,
  };
}

function parentOf({ parent_issue_url, html_url }: NativeIssue, workspace: string): ExternalRef | null {
  if (parent_issue_url === null || parent_issue_url === undefined) return null;
  const { repository, number } = parent_issue_url;
  return issueRef(
    {
      number: Number(number),
      repository_url: repository,
      html_url: isSameName(repository, workspace)
        ? html_url.replace(/\d+$/, number)
        : `${new URL(html_url).origin}/${repository}/issues/${number}`,
    },
    workspace,
  );
}

/** Issues closed before GitHub had reasons count as completed, as in GitHub itself. */
export function statusOf({ state, state_reason }: NativeIssue): CanonicalStatus {
  if (state === "open") return "todo";
  return state_reason === "not_planned" || state_reason === "duplicate" ? "canceled" : "done";
}

/** The state for a status; the capabilities admit no other statuses. */
export function stateOf(status: CanonicalStatus) {
  if (status === "todo") return { state: "open" } as const;
  return { state: "closed", state_reason: status === "done" ? "completed" : "not_planned" } as const;
}

/** Names of issue types with their meaning; the first name of a type is preferred. */
const TYPE_NAMES: readonly (readonly [string, CanonicalIssueType])[] = [
  ["epic", "epic"],
  ["story", "story"],
  ["feature", "story"],
  ["task", "task"],
  ["bug", "bug"],
  ["chore", "chore"],
  ["subtask", "subtask"],
];

/** The meaning of an issue type's name. Organizations choose the names: an unknown name, or none, is a task. */
export function issueTypeOf(name: string | undefined): CanonicalIssueType {
  const found = TYPE_NAMES.find(([known]) => name !== undefined && isSameName(known, name));
  return found?.[1] ?? "task";
}

export function typeNameFor(type: CanonicalIssueType, offered: readonly string[]): string | null {
  for (const [known, meant] of TYPE_NAMES) {
    const found = offered.find((name) => meant === type && isSameName(name, known));
    if (found !== undefined) return found;
  }
  return null;
}

export const NativeComment = v.object({
  id: PositiveInteger,
  body: v.string(),
  user: v.nullable(v.object({ login: NonEmpty })),
  created_at: Instant,
  html_url: v.string(),
  issue_url: IssueUrl,
});
export type NativeComment = v.InferOutput<typeof NativeComment>;

export function canonicalComment({ id, body, user, created_at }: NativeComment): CanonicalComment {
  return {
    id: String(id),
    body: readMark(body).text,
    author: user?.login ?? null,
    createdAt: created_at,
  };
}
