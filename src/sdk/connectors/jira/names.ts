/** The meaning of Jira's names: each site names its statuses, issue types, priorities and links itself. */
import { type CanonicalIssueType, CanonicalStatus, type LinkType } from "../../model.ts";

/** A project's status names by their meaning. */
export type StatusNames = Readonly<Partial<Record<CanonicalStatus, string | undefined>>>;

interface NamedStatus {
  readonly name: string;
  /** `new`, `indeterminate` or `done`; `undefined` is a category too. */
  readonly statusCategory: { readonly key: string };
}

/** The meaning of a status; null when neither its name nor its category is known. */
export function meaningOfStatus(
  { name, statusCategory }: NamedStatus,
  names: StatusNames,
): CanonicalStatus | null {
  const mapped = CanonicalStatus.options.find((status) => isNamed(names[status], name));
  if (mapped !== undefined) return mapped;
  switch (statusCategory.key) {
    case "new":
      return "todo";
    case "indeterminate":
      return /review/i.test(name) ? "in_review" : /\bblock/i.test(name) ? "blocked" : "in_progress";
    case "done":
      return /cancel|won['’]?t|reject|declin|duplicate|invalid/i.test(name) ? "canceled" : "done";
    default:
      return null;
  }
}

export function isNamed(one: string | undefined, other: string): boolean {
  return one?.trim().toLowerCase() === other.trim().toLowerCase();
}

interface NamedType {
  readonly name: string;
  readonly subtask: boolean;
  /** -1 for subtasks, 0 for the usual types, 1 for epics, more for the levels above. */
  readonly hierarchyLevel?: number | undefined;
}

export function meaningOfType({ name, subtask, hierarchyLevel = 0 }: NamedType): CanonicalIssueType {
  if (subtask || hierarchyLevel < 0) return "subtask";
  if (hierarchyLevel > 0 || isNamed("epic", name)) return "epic";
  if (/\b(story|feature)\b/i.test(name)) return "story";
  if (/\b(bug|defect)\b/i.test(name)) return "bug";
  return /\b(chore|maintenance)\b/i.test(name) ? "chore" : "task";
}

/** Names of types by their meaning, the most common first. */
export const TYPE_NAMES: Readonly<Record<CanonicalIssueType, readonly string[]>> = {
  epic: ["Epic"],
  story: ["Story"],
  task: ["Task"],
  bug: ["Bug"],
  chore: ["Chore"],
  subtask: ["Subtask", "Sub-task"],
};

const PRIORITY_NAMES: Readonly<Record<number, readonly string[]>> = {
  1: ["Highest", "Urgent", "Critical", "Blocker"],
  2: ["High", "Major"],
  3: ["Medium", "Normal"],
  4: ["Low", "Lowest", "Minor", "Trivial"],
};

export function rankOfPriority(name: string): number | null {
  const found = Object.entries(PRIORITY_NAMES).find(([, names]) =>
    names.some((known) => isNamed(known, name)),
  );
  return found === undefined ? null : Number(found[0]);
}

/** The first existing one of the common names; the first item when none exists. */
export function mostCommon<T extends { readonly name: string }>(
  things: readonly T[],
  names: readonly string[],
): T | undefined {
  const usual = names.flatMap((name) => things.filter((thing) => isNamed(name, thing.name)));
  return usual[0] ?? things[0];
}

export function priorityFor<T extends { readonly name: string }>(
  priorities: readonly T[],
  rank: number,
): T | undefined {
  const fitting = priorities.filter(({ name }) => rankOfPriority(name) === rank);
  return mostCommon(fitting, PRIORITY_NAMES[rank] ?? []);
}

export function meaningOfLink(description: string): LinkType | null {
  switch (description.trim().toLowerCase()) {
    case "blocks":
      return "blocks";
    case "is blocked by":
    case "blocked by":
      return "blocked_by";
    case "relates to":
      return "relates_to";
    case "duplicates":
      return "duplicates";
    default:
      return null;
  }
}
