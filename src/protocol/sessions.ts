import * as v from "valibot";
import { filled, nullable, nullableText, text } from "./schema.ts";

export const Team = v.object({
  id: v.union([text, v.number()]),
  name: nullableText,
  slug: text,
  role: nullableText,
  is_private_teamspace: v.nullish(v.boolean(), false),
});
export type Team = v.InferOutput<typeof Team>;

export const MeResponse = v.object({
  user_id: v.union([text, v.number()]),
  email: nullableText,
  name: nullableText,
  teams: v.array(Team),
});
export type MeResponse = v.InferOutput<typeof MeResponse>;

/** `POST /oauth/token` with `grant_type=refresh_token`. */
export const TokenResponse = v.object({
  access_token: filled,
  refresh_token: nullableText,
  expires_in: nullable(v.number()),
});
export type TokenResponse = v.InferOutput<typeof TokenResponse>;

/** `POST /api/v1/token/refresh/`, of older hosts. */
export const LegacyTokenResponse = v.object({
  access: filled,
  refresh: nullableText,
  team_slug: nullableText,
});
export type LegacyTokenResponse = v.InferOutput<typeof LegacyTokenResponse>;

export const HealthResponse = v.object({
  status: text,
  version: nullableText,
  database: nullableText,
  /** Extensions of the contract that this control plane has. */
  features: v.nullish(v.array(text), []),
});
export type HealthResponse = v.InferOutput<typeof HealthResponse>;
