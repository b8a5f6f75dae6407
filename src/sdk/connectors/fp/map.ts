/** Maps the issues of `fp issue list --format json`, with the fields of fp 0.25: https://fp.dev/docs */
import * as v from "valibot";
import { CapabilityNotSupportedError, IssuePayloadContractError } from "../../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  type CanonicalStatus,
  type ExternalRef,
  Instant,
  JsonValue,
} from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { readMark } from "../shared/marker.ts";
import { firstLine, readJson } from "../shared/program.ts";

export const FP = "fp";

const Issue = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  shortId: v.optional(v.string(), ""),
  title: v.pipe(v.string(), v.nonEmpty()),
  description: v.optional(v.nullable(v.string())),
  status: v.string(),
  priority: v.optional(v.nullable(v.string())),
  assignee: v.optional(v.nullable(v.string())),
  parent: v.optional(v.nullable(v.string())),
  dependencies: v.optional(v.nullable(v.array(v.string()))),
  properties: v.optional(v.nullable(v.record(v.string(), JsonValue))),
  createdAt: Instant,
  updatedAt: Instant,
});
type Issue = v.InferOutput<typeof Issue>;

export interface FpIssue {
  readonly issue: Issue;
  /** The description without the create's mark. */
  readonly body: string | null;
  readonly mark: string | null;
  readonly raw: JsonValue;
}

/** An issue as fp prints it without JSON: one line, under the glyphs of a tree. */
const LINE = /^[\s│├└─]*\S+ +\[[^\]]+\]( +\[[^\]]+\])? +\S/;

/** @throws IssuePayloadContractError naming the path of what is missing or wrong */
export function readIssues(output: string): readonly FpIssue[] {
  if (LINE.test(firstLine(output))) {
    const problem = "has neither bodies nor dates; fp 0.24 or newer is required: run fp update";
    throw new IssuePayloadContractError(FP, "issues", problem);
  }
  const { issues } = parsePayload(
    FP,
    v.object({ issues: v.array(JsonValue) }),
    readOutput(output, "list"),
    "list",
  );
  return issues.map((raw, index) => {
    const issue = parsePayload(FP, Issue, raw, `issues.${index}`);
    const { text, mark } = readMark(issue.description ?? "");
    return { issue, body: text === "" ? null : text, mark, raw };
  });
}

const Comments = v.object({
  comments: v.array(
    v.object({
      id: v.pipe(v.string(), v.nonEmpty()),
      content: v.string(),
      author: v.optional(v.nullable(v.string()), null),
      createdAt: Instant,
    }),
  ),
});

/** Comments, oldest first, each with its key's mark. fp prints the newest first. */
export function readComments(
  output: string,
): readonly { readonly comment: CanonicalComment; readonly mark: string | null }[] {
  const { comments } = parsePayload(FP, Comments, readOutput(output, "comments"), "list");
  return comments.toReversed().map(({ id, content, author, createdAt }) => {
    const { text, mark } = readMark(content);
    return { comment: { id, body: text, author, createdAt }, mark };
  });
}

/** fp writes log lines before its answer, and unescaped line breaks and tabs in texts. */
function readOutput(output: string, name: string): unknown {
  const start = /^\{/m.exec(output)?.index ?? 0;
  const strings = /"(?:[^"\\]|\\.)*"/gs;
  const escaped = output
    .slice(start)
    .replace(strings, (text) =>
      text.replace(/[\u0000-\u001f]/g, (control) => JSON.stringify(control).slice(1, -1)),
    );
  return readJson(FP, escaped, name);
}

/** The known statuses. A project may have others, whose meaning is unknown. */
const STATUSES = new Map<string, CanonicalStatus>([
  ["todo", "todo"],
  ["in-progress", "in_progress"],
  ["in-review", "in_review"],
  ["blocked", "blocked"],
  ["done", "done"],
  ["canceled", "canceled"],
  ["cancelled", "canceled"],
]);

/** The statuses of every project that this connector sets; closing belongs to people. */
export const SETTABLE_STATUS = {
  todo: "todo",
  in_progress: "in-progress",
} as const satisfies Partial<{ [S in CanonicalStatus]: string }>;

function statusOf({ id, status }: Issue): CanonicalStatus {
  const known = STATUSES.get(status.replaceAll("_", "-"));
  if (known !== undefined) return known;
  throw new IssuePayloadContractError(FP, `${id}.status`, `${firstLine(status)} is unknown.`);
}

/** 1 urgent to 4 low; fp has nothing for 0. */
const PRIORITIES: readonly string[] = ["critical", "high", "medium", "low"];

/** @throws CapabilityNotSupportedError for no priority, which fp cannot set */
export function nativePriority(priority: number | null): string {
  const native = priority === null ? undefined : PRIORITIES[priority - 1];
  if (native !== undefined) return native;
  const advice = `${FP} supports the priorities 1 to 4 and cannot remove a priority.`;
  throw new CapabilityNotSupportedError(FP, "priority", advice);
}

function canonicalPriority({ id, priority }: Issue): number | null {
  if (priority === undefined || priority === null || priority === "") return null;
  const index = PRIORITIES.indexOf(priority);
  if (index >= 0) return index + 1;
  throw new IssuePayloadContractError(FP, `${id}.priority`, `${firstLine(priority)} is unknown.`);
}

/** All issues in the model; an issue blocks those that depend on it. */
export function canonicalIssues(issues: readonly FpIssue[], workspace: string): readonly CanonicalIssue[] {
  const known = new Set(issues.map(({ issue }) => issue.id));
  const refTo = (id: string): ExternalRef => ({ system: FP, workspace, id, key: id });
  const blocks = new Map<string, string[]>();
  for (const { issue } of issues) {
    for (const id of issue.dependencies ?? []) blocks.set(id, [...(blocks.get(id) ?? []), issue.id]);
  }
  const links = (type: CanonicalLink["type"], ids: readonly string[]): CanonicalLink[] =>
    [...new Set(ids)]
      .filter((id) => known.has(id))
      .sort()
      .map((id) => ({ type, target: refTo(id) }));
  return issues.map(({ issue, body, raw }) => {
    const { labels = [], ...customFields } = issue.properties ?? {};
    const { parent, assignee } = issue;
    return {
      ref: refTo(issue.id),
      title: issue.title,
      body,
      status: statusOf(issue),
      issueType: "task",
      priority: canonicalPriority(issue),
      assignees: assignee ? [assignee] : [],
      labels: parsePayload(FP, Labels, labels, `${issue.id}.properties.labels`) ?? [],
      parent: parent && known.has(parent) ? refTo(parent) : null,
      links: [
        ...links("blocked_by", issue.dependencies ?? []),
        ...links("blocks", blocks.get(issue.id) ?? []),
      ],
      customFields,
      createdAt: issue.createdAt,
      updatedAt: issue.updatedAt,
      revision: null,
      raw,
    };
  });
}

const Labels = v.nullable(v.array(v.pipe(v.string(), v.nonEmpty())));
