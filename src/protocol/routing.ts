import * as v from "valibot";
import { filled, nullable, nullableText, text } from "./schema.ts";

export const ProviderContext = v.record(v.string(), v.string());
export type ProviderContext = v.InferOutput<typeof ProviderContext>;

/** The identity of a project. `repo_slug` is `owner/repo`. */
export const ProjectIdentity = v.object({
  uuid: v.pipe(filled, v.maxLength(200)),
  slug: v.pipe(filled, v.maxLength(200)),
  node_id: v.pipe(filled, v.maxLength(200)),
  repo_slug: nullable(v.pipe(text, v.maxLength(500))),
  /** Web host of the remote in lower case; absent for local paths and SSH aliases. An extension. */
  repo_host: v.nullish(v.pipe(text, v.maxLength(253))),
});
export type ProjectIdentity = v.InferOutput<typeof ProjectIdentity>;

/** The routing key of a request: the stable reference, or the slug of configs that predate it. */
export type RoutingKey = { readonly binding_ref: string } | { readonly project_slug: string };

export const routed = { provider: filled, binding_ref: nullableText, project_slug: nullableText };

/** The query of a request about a binding, or about a whole provider without a routing key. */
export const RoutedQuery = v.object({
  provider: filled,
  binding_ref: v.optional(text),
  project_slug: v.optional(text),
});

/** The fields of an answer routed by `project_slug` with which the client upgrades its config. */
export const upgrade = {
  binding_ref: nullableText,
  display_label: nullableText,
  provider_context: nullable(ProviderContext),
};
