import { SQLiteError } from "bun:sqlite";
import { ERROR_STATUS, type ErrorCode, type ErrorEnvelope } from "../protocol.ts";
import { TrackerSdkError } from "../sdk/errors.ts";
import { TransportError } from "../sdk/http/transport.ts";
import { StoreError } from "../sdk/stores/serial.ts";
import { TrackerError } from "../shared/errors.ts";
import { networkFailureOf } from "../shared/network/failure.ts";
import { failureCode } from "../sync/failure.ts";
import { SyncRequestError } from "../sync/request.ts";

interface HostErrorFacts {
  readonly provider?: string | undefined;
  readonly details?: unknown;
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

const RETRYABLE_CODES: ReadonlySet<ErrorCode> = new Set([
  "idempotency_in_flight",
  "sync_in_progress",
  "rate_limited",
  "internal",
  "provider_unavailable",
]);

const USER_ACTION: ReadonlySet<ErrorCode> = new Set([
  "unsupported_provider",
  "unauthorized",
  "session_expired",
  "no_installation",
  "team_mismatch",
  "forbidden",
  "binding_not_found",
  "already_bound",
  "mapping_disabled",
  "project_mismatch",
]);

export class HostError extends TrackerError {
  override readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, facts: HostErrorFacts = {}) {
    super(code, message, { ...facts, retryable: RETRYABLE_CODES.has(code) });
    this.code = code;
  }

  get status(): (typeof ERROR_STATUS)[ErrorCode] {
    return ERROR_STATUS[this.code];
  }
}

type VaultErrorCode =
  | "vault_key_invalid"
  | "vault_key_missing"
  | "vault_key_unsafe"
  | "vault_key_unknown"
  | "vault_secret_damaged";

/** The vault cannot be used. The message names the missing key, and never a key or a secret. */
export class VaultError extends TrackerError {
  constructor(code: VaultErrorCode, problem: string, remedy: string, cause?: unknown) {
    super(code, `${problem} ${remedy}`, { cause });
  }
}

/** The answer for a failure whose reason only the log may contain. */
export function unexpectedFailure(subject: string): HostError {
  return new HostError("internal", `The control plane failed (${subject}). Its log has the reason.`);
}

/** The response to a provider's refusal or failure; `code` replaces the usual code. */
function providerFailure(
  error: TrackerSdkError,
  code: ErrorCode = error.retryable ? "provider_unavailable" : "provider_rejected",
): HostError {
  return new HostError(code, error.message, {
    provider: error.provider,
    cause: error,
    // The details of an invalid request are its problems by path.
    ...(code !== "invalid_request" && {
      details: { failure_class: error.failureClass, ...networkDetails(error) },
    }),
    ...(error.retryAfterSeconds !== null && { retryAfterSeconds: error.retryAfterSeconds }),
  });
}

/** The network failure behind an error; empty when the provider has answered. */
function networkDetails(error: TrackerSdkError): { readonly network?: object } {
  if (!(error instanceof TransportError) || error.response !== null || error.cause === undefined) return {};
  const { failure, code } = networkFailureOf(error.cause);
  return { network: { reason: failure.reason, code, remedy: failure.remedy } };
}

/**
 * Runs work on a binding and translates the SDK's errors.
 *
 * @throws HostError `rate_limited`, `issue_not_found`, `invalid_request`, `provider_unavailable`, `provider_rejected`
 * for the SDK's errors; other errors unchanged
 */
export async function withHostErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TrackerSdkError && !(error instanceof StoreError) ? workFailure(error) : error;
  }
}

function workFailure(error: TrackerSdkError): HostError {
  const code = failureCode(error);
  if (!(error instanceof SyncRequestError)) return providerFailure(error, code);
  const { message, path, problem, provider } = error;
  return new HostError(code, message, { provider, details: { [path]: problem } });
}

/** The answer for a failure that callers may see; null for one that only operators may see. */
export function asHostError(error: unknown): HostError | null {
  if (error instanceof HostError) return error;
  if (error instanceof StoreError) return null;
  if (error instanceof TrackerSdkError) return providerFailure(error);
  if (error instanceof SQLiteError && error.code === "SQLITE_FULL") {
    return new HostError("internal", "The control plane cannot write its database: the disk is full.", {
      cause: error,
    });
  }
  if (error instanceof VaultError) {
    return new HostError("vault_unavailable", error.message, {
      details: { reason: error.code },
      cause: error,
    });
  }
  return null;
}

/**
 * The error envelope, with both spellings of the code. Spec Kitty clients from 3.2.7 on recognize a stale binding or
 * an expired candidate by `error_category` and read `error_code` only where that is empty. So `error_category`
 * repeats the code, and only `category` is generic.
 */
export function errorEnvelope(error: HostError): ErrorEnvelope {
  const category = categoryOf(error.code);
  return {
    code: error.code,
    error_code: error.code,
    category,
    error_category: error.code,
    http_status: error.status,
    message: error.message,
    retryable: error.retryable,
    user_action_required: USER_ACTION.has(error.code),
    source: error.cause instanceof TrackerSdkError ? "provider" : "saas",
    retry_after_seconds: error.retryAfterSeconds,
    provider: error.provider,
    details: error.details,
  };
}

function categoryOf(code: ErrorCode): string {
  switch (ERROR_STATUS[code]) {
    case 400:
    case 405:
    case 413:
    case 422:
      return "validation";
    case 401:
      return "authentication";
    case 403:
      return "authorization";
    case 404:
      return "not_found";
    case 409:
      return "conflict";
    case 429:
      return "rate_limit";
    case 500:
      return "internal";
    case 502:
    case 503:
      return code === "vault_unavailable" ? "internal" : "provider";
  }
}
