import * as v from "valibot";
import { upgrade } from "./routing.ts";
import { filled, instant, natural, nullable, nullableText, openObject, text } from "./schema.ts";
import { IdentityPath } from "./sync.ts";

export const Installation = v.object({
  installation_id: text,
  provider: text,
  status: v.picklist(["connected", "degraded", "revoked"]),
  account_label: text,
  resource_count: natural,
  bound_count: natural,
  last_refreshed_at: nullable(instant),
  error: nullableText,
});
export type Installation = v.InferOutput<typeof Installation>;

export const InstallationsRequest = v.object({ provider: v.optional(filled) });
export const InstallationsResponse = v.object({ installations: v.array(Installation) });
export type InstallationsResponse = v.InferOutput<typeof InstallationsResponse>;

export const ProjectStatus = openObject({
  provider: nullableText,
  connected: nullable(v.boolean()),
  configured: nullable(v.boolean()),
  ...upgrade,
  identity_path: nullable(IdentityPath),
  sync_state: nullableText,
  last_synced_at: nullable(instant),
  issue_count: nullable(natural),
  open_conflicts: nullable(natural),
  last_error: nullableText,
  /** The job that is running on the binding or was interrupted; an extension. */
  operation_id: v.optional(v.nullable(text)),
});
export type ProjectStatus = v.InferOutput<typeof ProjectStatus>;

export const BindingSummary = v.looseObject({
  binding_ref: text,
  project_slug: nullableText,
  display_label: nullableText,
  status: nullableText,
  bound_at: nullable(instant),
  last_synced_at: nullable(instant),
});

export const InstallationStatusRequest = v.object({ provider: filled });
export const InstallationStatus = openObject({
  provider: nullableText,
  connected: nullable(v.boolean()),
  resource_count: nullable(natural),
  bindings: v.nullish(v.array(BindingSummary), []),
});
export type InstallationStatus = v.InferOutput<typeof InstallationStatus>;
