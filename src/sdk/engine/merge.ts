/** The three-way merge of one issue by field: last agreed value (base), local and remote one. Pure. */
import { createHash } from "node:crypto";
import type { Capabilities } from "../capabilities.ts";
import {
  BLANK,
  type CanonicalIssue,
  type CanonicalLink,
  CORE_FIELDS,
  type CoreField,
  canonicalJson,
  type ExternalRef,
  type IssueFields,
  type IssuePatch,
  identityOf,
  type JsonValue,
} from "../model.ts";
import { type ConflictRecord, fieldsOf } from "../stores/store.ts";
import { type OwnershipPolicy, ownerOf } from "./policy.ts";

export type RemoteSide = IssueFields & Pick<CanonicalIssue, "updatedAt" | "fieldTimes">;

export interface MergeInput {
  readonly policy: OwnershipPolicy;
  /** With one assignee, assignees are one value and not a set. */
  readonly capabilities: Pick<Capabilities, "multiAssignee">;
  /** Null at the first merge. */
  readonly base: IssueFields | null;
  readonly local: IssueFields;
  readonly remote: RemoteSide;
  readonly dirty: ReadonlyMap<CoreField, string>;
  /** Fields that wait for a decision; they stay as they are on both sides. */
  readonly frozen: ReadonlySet<CoreField>;
}

/** A conflict about shared `customFields` has objects with one member as values, or empty ones. */
export type FieldConflict = Omit<ConflictRecord, "id" | "key">;

export interface Merge {
  readonly fields: IssueFields;
  /** The values that both sides agree on from now on. */
  readonly base: IssueFields;
  /** Fields whose local value is to be written remotely. */
  readonly push: readonly CoreField[];
  readonly conflicts: readonly FieldConflict[];
}

/** Merges one issue. Deterministic; merging the result again changes nothing. */
export function mergeIssue(input: MergeInput): Merge {
  const { policy, base, local, remote, frozen } = input;
  const fields = { ...local };
  const agreed = fieldsOf(remote);
  const push: CoreField[] = [];
  const conflicts: FieldConflict[] = [];
  for (const field of CORE_FIELDS) {
    const owner = ownerOf(policy, field);
    const isFrozen = frozen.has(field);
    if (owner === "external" && !isFrozen) copyField(field, remote, fields);
    const isShared = owner === "shared" && !isFrozen;
    const found = isFrozen
      ? []
      : owner === "shared"
        ? mergeShared(field, input, fields)
        : overruledChanges(field, owner, input);
    // Of two equal values the provider's is kept, so that its order and spelling settle.
    if (isShared && sameField(field, fields, remote)) copyField(field, remote, fields);
    conflicts.push(...found);
    if (isFrozen || found.some(({ resolution }) => resolution === null)) {
      copyField(field, base ?? remote, agreed);
    } else if (!sameField(field, fields, remote)) {
      push.push(field);
    }
  }
  return { fields, base: agreed, push, conflicts };
}

/** Compares a field: sets in any order, references by identity, texts without what trackers change. */
export function sameField(field: CoreField, one: IssueFields, other: IssueFields): boolean {
  return one[field] === other[field] || comparable(field, one) === comparable(field, other);
}

export function copyField<K extends CoreField>(field: K, source: IssueFields, target: IssueFields): void {
  target[field] = source[field];
}

/** The id of a conflict, the same on every machine. */
export function conflictId(identity: string, { field, base, local, remote }: FieldConflict): string {
  return createHash("sha256")
    .update(canonicalJson([identity, field, base, local, remote]))
    .digest("hex")
    .slice(0, 32);
}

/** The change of the other side to a field that one side owns and both changed. */
function overruledChanges(
  field: CoreField,
  owner: "external" | "local",
  input: MergeInput,
): readonly FieldConflict[] {
  const { base, local, remote } = input;
  if (base === null || sameField(field, local, remote)) return [];
  if (sameField(field, local, base) || sameField(field, remote, base)) return [];
  return [{ field, base: base[field], local: local[field], remote: remote[field], resolution: owner }];
}

function mergeShared(field: CoreField, input: MergeInput, fields: IssueFields): readonly FieldConflict[] {
  const { base, local, remote } = input;
  if (sameField(field, local, remote)) return [];
  switch (field) {
    case "labels":
      fields.labels = mergeSet(base?.labels ?? [], local.labels, remote.labels, (label) => label);
      return [];
    case "links":
      fields.links = mergeSet(base?.links ?? [], local.links, remote.links, linkIdentity);
      return [];
    case "customFields":
      return mergeMembers(input, fields);
    case "assignees":
      if (!input.capabilities.multiAssignee) break;
      fields.assignees = mergeSet(base?.assignees ?? [], local.assignees, remote.assignees, (name) => name);
      return [];
  }
  if (base !== null && sameField(field, remote, base)) return [];
  if (base !== null && sameField(field, local, base)) {
    copyField(field, remote, fields);
    return [];
  }
  const resolution = decide(input, field, comparable(field, local), comparable(field, remote));
  if (resolution === "external") copyField(field, remote, fields);
  return [{ field, base: base?.[field] ?? null, local: local[field], remote: remote[field], resolution }];
}

/** Base plus the additions of both sides minus their removals, sorted. */
function mergeSet<T>(
  base: readonly T[],
  local: readonly T[],
  remote: readonly T[],
  identity: (element: T) => string,
): T[] {
  const byIdentity = (elements: readonly T[]) =>
    new Map(elements.map((element) => [identity(element), element]));
  const [inBase, inLocal, inRemote] = [byIdentity(base), byIdentity(local), byIdentity(remote)];
  return [...new Map([...inLocal, ...inRemote])]
    .filter(([id]) => !inBase.has(id) || (inLocal.has(id) && inRemote.has(id)))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, element]) => element);
}

function mergeMembers(input: MergeInput, fields: IssueFields): readonly FieldConflict[] {
  const sides = [input.base?.customFields ?? {}, input.local.customFields, input.remote.customFields];
  const names = [...new Set(sides.flatMap(Object.keys))].sort();
  const merged: [string, JsonValue][] = [];
  const conflicts: FieldConflict[] = [];
  for (const name of names) {
    const [base, local, remote] = [member(sides[0], name), member(sides[1], name), member(sides[2], name)];
    const [baseText, localText, remoteText] = [
      canonicalJson(base),
      canonicalJson(local),
      canonicalJson(remote),
    ];
    let value = localText === baseText || localText === remoteText ? remote : local;
    if (localText !== baseText && remoteText !== baseText && localText !== remoteText) {
      const resolution = decide(input, "customFields", localText, remoteText);
      conflicts.push({ field: "customFields", base, local, remote, resolution });
      if (resolution === "external") value = remote;
    }
    merged.push(...Object.entries(value));
  }
  if (conflicts.every(({ resolution }) => resolution !== null)) {
    fields.customFields = Object.fromEntries(merged);
  }
  return conflicts;
}

/** An object with that member alone; empty without it. */
function member(members: IssueFields["customFields"] = {}, name: string): IssueFields["customFields"] {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  return value === undefined ? {} : { [name]: value };
}

/** The side that wins a conflict; null when a person decides. */
function decide(
  { policy, remote, dirty }: MergeInput,
  field: CoreField,
  localText: string,
  remoteText: string,
): FieldConflict["resolution"] {
  switch (policy.strategy) {
    case "external_wins":
      return "external";
    case "local_wins":
      return "local";
    case "manual_review":
      return null;
    case "newer_timestamp": {
      const localTime = dirty.get(field);
      const remoteTime = remote.fieldTimes?.[field] ?? remote.updatedAt;
      if (localTime === undefined || localTime === remoteTime) {
        return localText > remoteText ? "local" : "external";
      }
      return localTime > remoteTime ? "local" : "external";
    }
  }
}

/** Text that is equal for equal values of `field`. */
function comparable(field: CoreField, issue: IssueFields): string {
  switch (field) {
    case "labels":
    case "assignees":
      return canonicalJson([...new Set(issue[field])].sort());
    case "links":
      return canonicalJson([...new Set(issue.links.map(linkIdentity))].sort());
    case "parent":
      return canonicalJson(issue.parent === null ? null : identityOf(issue.parent));
    case "title":
      return canonicalJson(issue.title.trim());
    case "priority":
      // Both mean unset.
      return canonicalJson(issue.priority ?? 0);
    case "body":
      return canonicalJson(comparableText(issue.body));
    default:
      return canonicalJson(issue[field]);
  }
}

/** Trackers change line ends, drop trailing space and store no empty text; none of that is an edit. */
function comparableText(text: string | null): string | null {
  const lines = (text ?? "").split(/\r\n|\r|\n/).map((line) => line.trimEnd());
  return lines.join("\n").trimEnd() || null;
}

export function linkIdentity(link: {
  readonly type: CanonicalLink["type"];
  readonly target: ExternalRef;
}): string {
  return `${link.type} ${identityOf(link.target)}`;
}

export function sendablePatch(source: IssueFields, fields: readonly CoreField[]): IssuePatch {
  const patch: IssuePatch = {};
  for (const field of fields) copyIn(field, source, patch);
  return patch;
}

/** The filled-in fields of a new issue, without its title. */
export function filledPatch(fields: IssueFields): IssuePatch {
  const filled = CORE_FIELDS.filter((field) => field !== "title" && !sameField(field, fields, BLANK));
  return sendablePatch(fields, filled);
}

function copyIn<K extends CoreField>(field: K, source: IssueFields, target: IssuePatch): void {
  target[field] = source[field];
}
