import * as v from "valibot";

/** Where an issue stands, in words that every tracker can be mapped to. */
export const CanonicalStatus = v.picklist([
  "todo",
  "in_progress",
  "in_review",
  "blocked",
  "done",
  "canceled",
]);
export type CanonicalStatus = v.InferOutput<typeof CanonicalStatus>;

/** What kind of work an issue is. */
export const CanonicalIssueType = v.picklist(["epic", "story", "task", "bug", "chore", "subtask"]);
export type CanonicalIssueType = v.InferOutput<typeof CanonicalIssueType>;
