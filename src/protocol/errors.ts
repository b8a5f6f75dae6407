import * as v from "valibot";
import { nullable, nullableText } from "./schema.ts";

/**
 * The fields of an error answer as they are read: hosts send `code` and
 * `category`, `error_code` and `error_category`, or both spellings.
 */
export const ErrorEnvelope = v.object({
  code: nullableText,
  error_code: nullableText,
  category: nullableText,
  error_category: nullableText,
  http_status: v.nullish(v.unknown(), null),
  message: nullableText,
  /** Null when the host does not say. */
  retryable: nullable(v.boolean()),
  user_action_required: v.nullish(v.boolean(), false),
  source: nullableText,
  retry_after_seconds: nullable(v.pipe(v.number(), v.minValue(0))),
  provider: nullableText,
  details: v.nullish(v.unknown(), null),
});
export type ErrorEnvelope = v.InferOutput<typeof ErrorEnvelope>;

export const ERROR_STATUS = {
  invalid_request: 400,
  invalid_candidate_token: 400,
  legacy_flow_forbidden: 400,
  unsupported_provider: 400,
  unauthorized: 401,
  session_expired: 401,
  no_installation: 403,
  team_mismatch: 403,
  forbidden: 403,
  not_found: 404,
  binding_not_found: 404,
  connection_not_found: 404,
  operation_not_found: 404,
  issue_not_found: 404,
  conflict_not_found: 404,
  method_not_allowed: 405,
  already_bound: 409,
  mapping_disabled: 409,
  idempotency_in_flight: 409,
  sync_in_progress: 409,
  conflict_decided: 409,
  payload_too_large: 413,
  idempotency_mismatch: 422,
  project_mismatch: 422,
  rate_limited: 429,
  internal: 500,
  provider_rejected: 502,
  provider_unavailable: 503,
  vault_unavailable: 503,
} as const;
export type ErrorCode = keyof typeof ERROR_STATUS;

/** The codes that, on a call routed by `binding_ref`, mean that the binding is stale. */
export const STALE_CODES: ReadonlySet<string> = new Set([
  "binding_not_found",
  "mapping_disabled",
  "project_mismatch",
]);
