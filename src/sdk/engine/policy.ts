/** The owners of fields, and the decision when both sides changed one. */
import * as v from "valibot";
import { CORE_FIELDS, type CoreField } from "../model.ts";

export const OwnershipMode = v.picklist([
  "external_authoritative",
  "spec_kitty_authoritative",
  "split_ownership",
]);
export type OwnershipMode = v.InferOutput<typeof OwnershipMode>;

export const FieldOwner = v.picklist(["external", "local", "shared"]);
export type FieldOwner = v.InferOutput<typeof FieldOwner>;

export const ConflictStrategy = v.picklist([
  "external_wins",
  "local_wins",
  "newer_timestamp",
  "manual_review",
]);
export type ConflictStrategy = v.InferOutput<typeof ConflictStrategy>;

export const OwnershipPolicy = v.object({
  mode: v.optional(OwnershipMode, "external_authoritative"),
  /** Owners under `split_ownership`; an unnamed field is shared. */
  fieldOwners: v.optional(v.record(v.picklist(CORE_FIELDS), FieldOwner), {}),
  strategy: v.optional(ConflictStrategy, "newer_timestamp"),
  /** Ends a run that leaves conflicts open in an error, after everything else was done. */
  strictManualReview: v.optional(v.boolean(), false),
});
export type OwnershipPolicy = v.InferOutput<typeof OwnershipPolicy>;

export function ownerOf(policy: OwnershipPolicy, field: CoreField): FieldOwner {
  switch (policy.mode) {
    case "external_authoritative":
      return "external";
    case "spec_kitty_authoritative":
      return "local";
    case "split_ownership":
      return policy.fieldOwners[field] ?? "shared";
  }
}
