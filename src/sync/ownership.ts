/** Field ownership in the words of the wire and of project configs. Pure. */
import * as v from "valibot";
import { ConflictStrategy, FieldOwner, OwnershipMode, type OwnershipPolicy } from "../sdk/engine/policy.ts";
import type { CoreField } from "../sdk/model.ts";

const SDK_FIELDS = {
  title: "title",
  body: "body",
  status: "status",
  issue_type: "issueType",
  priority: "priority",
  assignees: "assignees",
  labels: "labels",
  parent: "parent",
  links: "links",
  custom_fields: "customFields",
} as const satisfies Record<string, CoreField>;

const FieldName = v.picklist([
  "title",
  "body",
  "status",
  "issue_type",
  "priority",
  "assignees",
  "labels",
  "parent",
  "links",
  "custom_fields",
]);

/** The ownership of a binding; by default the provider is the authority. */
export const Ownership = v.object({
  mode: v.optional(OwnershipMode, "external_authoritative"),
  field_owners: v.optional(v.record(FieldName, FieldOwner), {}),
  /** Decides a shared field that both sides changed; the engine's default when absent. */
  conflict_strategy: v.exactOptional(ConflictStrategy),
});
export type Ownership = v.InferOutput<typeof Ownership>;

/**
 * Under `external_authoritative` a push is written unless the provider changed the field since the last
 * agreement.
 */
export function ownershipPolicy({
  mode,
  field_owners,
  conflict_strategy: strategy,
}: Ownership): v.InferInput<typeof OwnershipPolicy> {
  if (mode === "external_authoritative") return { mode: "split_ownership", strategy: "external_wins" };
  const owners: Partial<Record<CoreField, FieldOwner>> = {};
  for (const name of FieldName.options) {
    const owner = field_owners[name];
    if (owner !== undefined) owners[SDK_FIELDS[name]] = owner;
  }
  return { mode, fieldOwners: owners, ...(strategy !== undefined && { strategy }) };
}

export function wireField(field: CoreField): string {
  return FieldName.options.find((name) => SDK_FIELDS[name] === field) ?? field;
}
