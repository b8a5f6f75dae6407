/** Maps Linear's issues and comments to the model. Pure. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { linkIdentity } from "../../engine/merge.ts";
import { CapabilityNotSupportedError } from "../../errors.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  CanonicalStatus,
  type ExternalRef,
  Instant,
  type IssuePatch,
  type LinkType,
  NonEmpty,
} from "../../model.ts";
import type { LinearParams } from "../params.ts";
import { Backward, connection } from "./requests.ts";

const Entity = v.object({ id: NonEmpty });

const LinkEnd = v.object({ id: NonEmpty, identifier: NonEmpty, url: v.string(), team: Entity });
type LinkEnd = v.InferOutput<typeof LinkEnd>;

/** Linear's kinds of workflow states: https://linear.app/developers/graphql */
const StateType = v.picklist([
  "triage",
  "backlog",
  "unstarted",
  "started",
  "completed",
  "canceled",
  "duplicate",
]);

export const NativeState = v.object({ id: NonEmpty, name: v.string(), type: StateType });
export type NativeState = v.InferOutput<typeof NativeState>;

export const NativeLabel = v.object({ id: NonEmpty, name: NonEmpty });
/** A relation, from the issue that describes it. */
export const NativeRelation = v.object({ id: NonEmpty, type: v.string(), relatedIssue: LinkEnd });
/** A relation, from its other end. */
export const NativeInverseRelation = v.object({ id: NonEmpty, type: v.string(), issue: LinkEnd });

const fields = {
  id: NonEmpty,
  identifier: NonEmpty,
  url: v.string(),
  title: NonEmpty,
  description: v.nullable(v.string()),
  priority: v.picklist([0, 1, 2, 3, 4]),
  createdAt: Instant,
  updatedAt: Instant,
  archivedAt: v.nullable(Instant),
  trashed: v.nullable(v.boolean()),
  team: Entity,
  state: NativeState,
  assignee: v.nullable(v.object({ id: NonEmpty, displayName: NonEmpty })),
  parent: v.nullable(LinkEnd),
};

/** An issue with the first few nodes of its connections. */
export const IssueNode = v.object({
  ...fields,
  labels: connection(NativeLabel),
  relations: connection(NativeRelation),
  inverseRelations: connection(NativeInverseRelation),
});
export type IssueNode = v.InferOutput<typeof IssueNode>;

export const NativeIssue = v.object({
  ...fields,
  labels: v.object({ nodes: v.array(NativeLabel) }),
  relations: v.object({ nodes: v.array(NativeRelation) }),
  inverseRelations: v.object({ nodes: v.array(NativeInverseRelation) }),
});
export type NativeIssue = v.InferOutput<typeof NativeIssue>;

const DisplayNamed = v.nullable(v.object({ displayName: v.string() }));

export const NativeComment = v.object({
  id: NonEmpty,
  body: v.string(),
  createdAt: Instant,
  user: DisplayNamed,
  externalUser: DisplayNamed,
  botActor: v.nullable(v.object({ name: v.nullable(v.string()) })),
});
export type NativeComment = v.InferOutput<typeof NativeComment>;

export const CommentedIssue = v.object({
  id: NonEmpty,
  trashed: v.nullable(v.boolean()),
  team: Entity,
  comments: v.object({ nodes: v.array(NativeComment), pageInfo: Backward }),
});

/** Workflow states for statuses, where the team's default is not wanted. */
export type StateChoices = LinearParams["statusToStateId"];

export function statusOf({ id, name, type }: NativeState, choices: StateChoices): CanonicalStatus {
  const chosen = CanonicalStatus.options.find((status) => choices?.[status] === id);
  if (chosen !== undefined) return chosen;
  switch (type) {
    case "triage":
    case "backlog":
    case "unstarted":
      return "todo";
    case "started":
      if (/\bblock/i.test(name)) return "blocked";
      return /\breview/i.test(name) ? "in_review" : "in_progress";
    case "completed":
      return "done";
    case "canceled":
    case "duplicate":
      return "canceled";
  }
}

/** Linear has one kind of issue, a task, and no times of single fields. Priority 0, the initial one, is none. */
export function canonicalIssue(native: NativeIssue, choices: StateChoices): CanonicalIssue {
  return {
    ref: refOf(native),
    title: native.title,
    body: bodyOf(native),
    status: statusOf(native.state, choices),
    issueType: "task",
    priority: native.priority === 0 ? null : native.priority,
    assignees: native.assignee === null ? [] : [native.assignee.displayName],
    labels: [...new Set(native.labels.nodes.map(({ name }) => name))],
    parent: native.parent === null ? null : refOf(native.parent),
    links: [...new Map(relationsOf(native).map(({ link }) => [linkIdentity(link), link])).values()],
    customFields: {},
    createdAt: native.createdAt,
    updatedAt: native.updatedAt,
    revision: null,
    raw: native,
  };
}

function bodyOf({ description }: Pick<NativeIssue, "description">): string | null {
  return description === "" ? null : description;
}

interface RelationLink {
  readonly id: string;
  readonly link: CanonicalLink;
}

const OUTWARD: ReadonlyMap<string, LinkType> = new Map([
  ["blocks", "blocks"],
  ["related", "relates_to"],
  ["duplicate", "duplicates"],
]);
const INWARD: ReadonlyMap<string, LinkType> = new Map([
  ["blocks", "blocked_by"],
  ["related", "relates_to"],
]);

/** The relations that are links. `similar` is Linear's suggestion; a duplicate shows at its own end. */
export function relationsOf({
  relations,
  inverseRelations,
}: Pick<NativeIssue, "relations" | "inverseRelations">): readonly RelationLink[] {
  const link = (id: string, type: LinkType | undefined, end: LinkEnd): RelationLink[] =>
    type === undefined ? [] : [{ id, link: { type, target: refOf(end) } }];
  return [
    ...relations.nodes.flatMap(({ id, type, relatedIssue }) => link(id, OUTWARD.get(type), relatedIssue)),
    ...inverseRelations.nodes.flatMap(({ id, type, issue }) => link(id, INWARD.get(type), issue)),
  ];
}

/**
 * The input that relates two issues; the ends are swapped for inverse types, which Linear lacks.
 *
 * @throws CapabilityNotSupportedError for parents and children, which are no relations
 */
export function relationInput(id: string, { type, target }: CanonicalLink): Record<string, string> {
  switch (type) {
    case "blocks":
      return { issueId: id, relatedIssueId: target.id, type: "blocks" };
    case "blocked_by":
      return { issueId: target.id, relatedIssueId: id, type: "blocks" };
    case "relates_to":
      return { issueId: id, relatedIssueId: target.id, type: "related" };
    case "duplicates":
      return { issueId: id, relatedIssueId: target.id, type: "duplicate" };
    default:
      throw new CapabilityNotSupportedError("linear", "linkTypes", `Linear has no ${type} links.`);
  }
}

export function plainInput({ title, body, priority, parent }: IssuePatch): Record<string, unknown> {
  return {
    ...(title !== undefined && { title }),
    ...(body !== undefined && { description: body ?? "" }),
    ...(priority !== undefined && { priority: priority ?? 0 }),
    ...(parent !== undefined && { parentId: parent?.id ?? null }),
  };
}

/** An integration's comment has an external user or none. */
export function canonicalComment({
  id,
  body,
  createdAt,
  user,
  externalUser,
  botActor,
}: NativeComment): CanonicalComment {
  const author = user?.displayName ?? externalUser?.displayName ?? botActor?.name ?? null;
  return { id, body, author, createdAt };
}

/**
 * The id of an entity created under a key. Linear accepts a UUID of version 4 and refuses to create an id
 * twice, so the id serves as the idempotency key.
 *
 * @param scope The entity's kind and place: the same key makes another id elsewhere
 */
export function idOf(scope: readonly string[], idempotencyKey: string): string {
  const hex = createHash("sha256")
    .update(JSON.stringify([...scope, idempotencyKey]))
    .digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

/** A UUID, an identifier such as `ENG-7`, or an address, which names the organization; null for other text. */
export function identifierFrom(
  key: string,
): { readonly id: string; readonly organization: string | null } | null {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(key)) {
    return { id: key.toLowerCase(), organization: null };
  }
  if (/^[a-z0-9_]+-\d+$/i.test(key)) return { id: key.toUpperCase(), organization: null };
  const [organization, identifier] = addressParts(key);
  if (organization === undefined || identifier === undefined) return null;
  return { id: identifier.toUpperCase(), organization };
}

export function organizationOf(url: string): string | null {
  return addressParts(url)[0] ?? null;
}

/** Organization and identifier of an address such as `https://linear.app/acme/issue/ENG-7/refund-twice`. */
function addressParts(address: string): readonly string[] {
  if (!URL.canParse(address)) return [];
  const found = /^\/([^/]+)\/issue\/([a-z0-9_]+-\d+)(\/|$)/i.exec(new URL(address).pathname);
  return found?.slice(1, 3) ?? [];
}

/** Addresses end in words of the title, which may be omitted. */
function refOf({ team, id, identifier, url }: LinkEnd): ExternalRef {
  const lasting = url.replace(/(\/issue\/[^/]+)\/.*$/, "$1");
  return { system: "linear", workspace: team.id, id, key: identifier, url: lasting };
}
