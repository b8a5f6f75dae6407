import * as v from "valibot";
import { filled, instant, natural, nullable, nullableText, text } from "./schema.ts";

/** The credential that a provider is connected with. It is stored encrypted and never returned. */
export const ConnectRequest = v.variant("kind", [
  v.object({ provider: filled, kind: v.literal("demo") }),
  v.object({
    provider: filled,
    kind: v.literal("token"),
    token: filled,
    /** Address of the provider; required for Jira, and for self-hosted GitHub and GitLab. */
    base_url: nullableText,
    email: nullableText,
  }),
  v.object({
    provider: filled,
    kind: v.literal("nango"),
    connection_id: filled,
    provider_config_key: filled,
    secret_key: filled,
    base_url: nullableText,
  }),
]);
export type ConnectRequest = v.InferOutput<typeof ConnectRequest>;

export const Connection = v.object({
  connection_id: text,
  provider: text,
  kind: text,
  /** Address of the provider where it is not the default one. */
  base_url: nullableText,
  status: v.picklist(["connected", "degraded", "revoked"]),
  account_label: text,
  resource_count: natural,
  last_refreshed_at: nullable(instant),
  error: nullableText,
});
export type Connection = v.InferOutput<typeof Connection>;

export const ConnectionsResponse = v.object({ connections: v.array(Connection) });
export type ConnectionsResponse = v.InferOutput<typeof ConnectionsResponse>;
