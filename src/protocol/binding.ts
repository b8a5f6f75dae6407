import * as v from "valibot";
import { ProjectIdentity, ProviderContext } from "./routing.ts";
import { filled, instant, natural, nullable, nullableText, text } from "./schema.ts";

export const BindableResource = v.object({
  candidate_token: text,
  display_label: text,
  provider: text,
  provider_context: v.nullish(ProviderContext, {}),
  binding_ref: nullableText,
  bound_project_slug: nullableText,
  bound_at: nullable(instant),
  /** Every project that is bound to the resource, oldest first; an extension. The single fields describe the first. */
  bindings: v.exactOptional(
    v.array(v.object({ binding_ref: text, project_slug: nullableText, bound_at: nullable(instant) })),
  ),
});
export type BindableResource = v.InferOutput<typeof BindableResource>;

const MAX_PAGE_SIZE = 1000;

/** A query, where every value is text. */
export const ResourcesRequest = v.object({
  provider: filled,
  q: v.optional(text),
  /** Resources on a page; all of them without a limit. */
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,9}$/, "must be a whole number"),
      v.transform(Number),
      v.minValue(1, "must be at least 1"),
      v.maxValue(MAX_PAGE_SIZE, `must be at most ${MAX_PAGE_SIZE}`),
    ),
  ),
  cursor: v.optional(text),
  /** `1` waits for the providers' current resources. */
  refresh: v.optional(text),
});

export const ResourcesResponse = v.object({
  resources: v.array(BindableResource),
  installation_id: nullableText,
  provider: nullableText,
  next_cursor: nullableText,
});
export type ResourcesResponse = v.InferOutput<typeof ResourcesResponse>;

export const KnownBinding = v.object({
  binding_ref: filled,
  provider_context: v.nullish(ProviderContext, {}),
});
export type KnownBinding = v.InferOutput<typeof KnownBinding>;

export const BindResolveRequest = v.object({
  provider: filled,
  project_identity: ProjectIdentity,
  known: v.nullish(KnownBinding),
});
export type BindResolveRequest = v.InferOutput<typeof BindResolveRequest>;

export const BindCandidate = v.object({
  candidate_token: filled,
  display_label: text,
  confidence: v.picklist(["high", "medium", "low"]),
  match_reason: text,
  sort_position: natural,
});
export type BindCandidate = v.InferOutput<typeof BindCandidate>;

export const BindResolveResponse = v.object({
  match_type: v.picklist(["exact", "candidates", "none"]),
  candidate_token: nullable(filled),
  binding_ref: nullable(filled),
  display_label: nullableText,
  project_slug: nullableText,
  provider_context: nullable(ProviderContext),
  candidates: v.nullish(v.array(BindCandidate), []),
  /** The reference that results from confirming an exact match; an extension. */
  derived_binding_ref: v.exactOptional(filled),
});
export type BindResolveResponse = v.InferOutput<typeof BindResolveResponse>;

export const BindConfirmRequest = v.object({
  provider: filled,
  candidate_token: filled,
  project_identity: ProjectIdentity,
});
export type BindConfirmRequest = v.InferOutput<typeof BindConfirmRequest>;

export const BindConfirmResponse = v.object({
  binding_ref: filled,
  display_label: text,
  provider: text,
  provider_context: v.nullish(ProviderContext, {}),
  bound_at: nullable(instant),
  project_slug: nullableText,
  /** The project's previous binding, which has become a tombstone; an extension. */
  replaced_binding_ref: v.exactOptional(filled),
});
export type BindConfirmResponse = v.InferOutput<typeof BindConfirmResponse>;

export const BindValidateRequest = v.object({
  provider: filled,
  binding_ref: filled,
  project_identity: ProjectIdentity,
});
export type BindValidateRequest = v.InferOutput<typeof BindValidateRequest>;

export const BindValidateResponse = v.variant("valid", [
  v.object({
    valid: v.literal(true),
    binding_ref: filled,
    display_label: nullableText,
    provider: nullableText,
    provider_context: nullable(ProviderContext),
  }),
  v.object({
    valid: v.literal(false),
    binding_ref: nullableText,
    reason: nullableText,
    guidance: nullableText,
  }),
]);
export type BindValidateResponse = v.InferOutput<typeof BindValidateResponse>;
