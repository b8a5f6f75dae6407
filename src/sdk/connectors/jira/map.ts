/**
 * Maps Jira's issues and comments to the model:
 * https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
 */
import * as v from "valibot";
import { linkIdentity } from "../../engine/merge.ts";
import { IssuePayloadContractError } from "../../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  type ExternalRef,
  Instant,
  type JsonValue,
  NonEmpty,
} from "../../model.ts";
import { AdfDocument } from "./adf.ts";
import { markdownOf } from "./adf-markdown.ts";
import { type CustomField, readCustomFields } from "./custom-fields.ts";
import { meaningOfLink, meaningOfStatus, meaningOfType, rankOfPriority, type StatusNames } from "./names.ts";
import { JIRA } from "./rest.ts";

/** The only fields that are requested. */
export const ISSUE_FIELDS = [
  "summary",
  "description",
  "status",
  "issuetype",
  "priority",
  "assignee",
  "labels",
  "parent",
  "issuelinks",
  "project",
  "created",
  "updated",
] as const;

const Other = v.object({ id: NonEmpty, key: NonEmpty });

/** A link as one end shows it: it names the other end. */
const NativeLink = v.object({
  id: NonEmpty,
  type: v.object({ inward: v.string(), outward: v.string() }),
  inwardIssue: v.exactOptional(Other),
  outwardIssue: v.exactOptional(Other),
});

/** The part of an issue that shows its project. */
export const IssueLocation = v.object({
  id: NonEmpty,
  key: NonEmpty,
  fields: v.object({ project: v.object({ id: NonEmpty, key: NonEmpty }) }),
});

export const NativeStatus = v.object({ name: NonEmpty, statusCategory: v.object({ key: NonEmpty }) });

/** Jira omits fields that a project does not have (priority, labels, description, links) and an empty `parent`. */
export const NativeIssue = v.object({
  id: NonEmpty,
  key: NonEmpty,
  fields: v.objectWithRest(
    {
      summary: NonEmpty,
      description: v.nullish(AdfDocument),
      status: NativeStatus,
      issuetype: v.object({
        name: NonEmpty,
        subtask: v.boolean(),
        hierarchyLevel: v.exactOptional(v.number()),
      }),
      priority: v.nullish(v.object({ name: NonEmpty })),
      assignee: v.nullish(v.object({ accountId: NonEmpty })),
      labels: v.nullish(v.array(NonEmpty)),
      parent: v.nullish(Other),
      issuelinks: v.nullish(v.array(NativeLink)),
      project: v.object({ id: NonEmpty, key: NonEmpty }),
      created: Instant,
      updated: Instant,
    },
    v.unknown(),
  ),
});
export type NativeIssue = v.InferOutput<typeof NativeIssue>;

export const NativeComment = v.object({
  id: NonEmpty,
  author: v.nullish(v.object({ accountId: v.nullish(NonEmpty) })),
  body: AdfDocument,
  created: Instant,
  properties: v.optional(v.array(v.object({ key: v.string(), value: v.unknown() })), []),
});
export type NativeComment = v.InferOutput<typeof NativeComment>;

/** The project's facts for reading its issues. */
export interface ReadingContext {
  readonly workspace: string;
  readonly siteUrl: string;
  readonly statusNames: StatusNames;
  readonly customFields: readonly CustomField[];
}

/**
 * @param raw The payload of `native`
 * @throws IssuePayloadContractError naming the path of what the model cannot hold
 */
export function canonicalIssue(native: NativeIssue, raw: unknown, reading: ReadingContext): CanonicalIssue {
  const { fields, id, key } = native;
  const status = meaningOfStatus(fields.status, reading.statusNames);
  if (status === null) {
    const { name, statusCategory } = fields.status;
    const problem = `"${name}" has the category "${statusCategory.key}", which implies no status; map it with statusNameMap`;
    throw new IssuePayloadContractError(JIRA, "issue.fields.status.statusCategory.key", problem);
  }
  const refTo = (other: { readonly id: string; readonly key: string }): ExternalRef => ({
    system: JIRA,
    workspace: keyPrefix(other.key) === keyPrefix(key) ? reading.workspace : keyPrefix(other.key),
    ...other,
    url: `${reading.siteUrl}/browse/${other.key}`,
  });
  return {
    ref: refTo({ id, key }),
    title: fields.summary,
    body: bodyOf(fields.description ?? null),
    status,
    issueType: meaningOfType(fields.issuetype),
    priority: fields.priority ? rankOfPriority(fields.priority.name) : null,
    assignees: fields.assignee ? [fields.assignee.accountId] : [],
    labels: fields.labels ?? [],
    parent: fields.parent ? refTo(fields.parent) : null,
    links: linksOf(fields.issuelinks ?? [], refTo),
    customFields: readCustomFields(reading.customFields, fields),
    createdAt: fields.created,
    updatedAt: fields.updated,
    revision: null,
    raw: v.parse(Json, raw),
  };
}

const Json = v.custom<JsonValue>(() => true);

export function canonicalComment({ id, body, author, created }: NativeComment): CanonicalComment {
  return { id, body: markdownOf(body), author: author?.accountId ?? null, createdAt: created };
}

/** The link at this end; null for an unsupported type and for the target of a duplicate. */
export function linkOf(
  native: v.InferOutput<typeof NativeLink>,
): { readonly type: CanonicalLink["type"]; readonly other: v.InferOutput<typeof Other> } | null {
  const { type, inwardIssue, outwardIssue } = native;
  const other = outwardIssue ?? inwardIssue;
  const meaning = meaningOfLink(outwardIssue === undefined ? type.inward : type.outward);
  return other === undefined || meaning === null ? null : { type: meaning, other };
}

/** `PAY` of `PAY-7`. */
export function keyPrefix(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf("-"))) || key;
}

function bodyOf(document: AdfDocument | null): string | null {
  const text = document === null ? "" : markdownOf(document);
  return text === "" ? null : text;
}

function linksOf(
  natives: readonly v.InferOutput<typeof NativeLink>[],
  refTo: (other: v.InferOutput<typeof Other>) => ExternalRef,
): CanonicalLink[] {
  const links = natives.flatMap((native): CanonicalLink[] => {
    const link = linkOf(native);
    return link === null ? [] : [{ type: link.type, target: refTo(link.other) }];
  });
  return [...new Map(links.map((link) => [linkIdentity(link), link])).values()];
}
