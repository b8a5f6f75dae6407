import * as v from "valibot";
import { ProviderContext, upgrade } from "./routing.ts";
import { instant, nullable, nullableText, text } from "./schema.ts";

export const Mapping = v.looseObject({
  binding_ref: nullableText,
  provider: nullableText,
  project_slug: nullableText,
  project_uuid: nullableText,
  display_label: nullableText,
  provider_context: nullable(ProviderContext),
  status: nullableText,
  bound_at: nullable(instant),
  wp_id: nullableText,
  external_id: nullableText,
  external_key: nullableText,
  external_url: nullableText,
});
export type Mapping = v.InferOutput<typeof Mapping>;

export const MappingsResponse = v.object({ mappings: v.array(Mapping), ...upgrade });
export type MappingsResponse = v.InferOutput<typeof MappingsResponse>;

const MappingOwnership = v.object({
  mode: text,
  field_owners: v.nullish(v.record(v.string(), v.string()), {}),
  conflict_strategy: v.exactOptional(v.string()),
});

export const ConnectorSettings = v.record(v.string(), v.unknown());
export type ConnectorSettings = v.InferOutput<typeof ConnectorSettings>;

export const MappingUpdate = v.object({
  doctrine: v.exactOptional(MappingOwnership),
  /** Merged into the current settings: null removes one (RFC 7396). */
  connector_settings: v.exactOptional(ConnectorSettings),
});
export type MappingUpdate = v.InferOutput<typeof MappingUpdate>;

export const UpdatedMapping = v.looseObject({
  ...Mapping.entries,
  doctrine: MappingOwnership,
  /** Hosts without settings omit the field. */
  connector_settings: v.optional(ConnectorSettings, {}),
});
export type UpdatedMapping = v.InferOutput<typeof UpdatedMapping>;
