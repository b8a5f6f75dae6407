import { providerName } from "../shared/providers.ts";
/** The kind of a failure, which decides whether a retry can help. */
export type FailureClass =
  | "auth"
  | "permission"
  | "not_found"
  | "rate_limited"
  | "invalid"
  | "conflict"
  | "transient"
  | "contract";

const RETRYABLE: ReadonlySet<FailureClass> = new Set(["rate_limited", "transient"]);

export interface FailureFacts {
  readonly provider: string;
  readonly failureClass: FailureClass;
  /** The wait that the provider's rate limit asks for; null without one. */
  readonly retryAfterSeconds?: number | null;
  readonly cause?: unknown;
}

/** The base of every error that the SDK throws. */
export class TrackerSdkError extends Error {
  readonly provider: string;
  readonly failureClass: FailureClass;
  /** The same call may succeed later without any change. */
  readonly retryable: boolean;
  readonly retryAfterSeconds: number | null;

  constructor(message: string, facts: FailureFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.provider = facts.provider;
    this.failureClass = facts.failureClass;
    this.retryable = RETRYABLE.has(facts.failureClass);
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null;
  }
}

/** A connector cannot work with its parameters. */
export class ConnectorConfigError extends TrackerSdkError {
  constructor(provider: string, message: string) {
    super(message, { provider, failureClass: "invalid" });
  }
}

/** A provider refused a request or could not be reached. */
export class ConnectorRequestError extends TrackerSdkError {}

/** The provider reported success and did not save a field. */
export function notApplied(provider: string, field: string): ConnectorRequestError {
  return new ConnectorRequestError(`${providerName(provider)} did not apply ${field}, and gave no reason.`, {
    provider,
    failureClass: "permission",
  });
}

/** A provider's workspace or resource breaks the discovery contract. */
export class DiscoveryContractError extends TrackerSdkError {
  /** The path of the problem, for example `items[3].routingMetadata.display_key`. */
  readonly fieldPath: string;

  constructor(provider: string, fieldPath: string, problem: string) {
    super(`${providerName(provider)} discovery: ${fieldPath}: ${problem}`, {
      provider,
      failureClass: "contract",
    });
    this.fieldPath = fieldPath;
  }
}

/** The issue does not exist or is not visible to this connection. */
export class IssueNotFoundError extends TrackerSdkError {
  constructor(provider: string, id: string) {
    super(`${providerName(provider)} has no issue ${id}.`, { provider, failureClass: "not_found" });
  }
}

/** The result of a read; null for an issue that does not exist. */
export async function nullIfNotFound<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof IssueNotFoundError) return null;
    throw error;
  }
}

/** A provider's issue does not fit the model; nothing was guessed. */
export class IssuePayloadContractError extends TrackerSdkError {
  readonly fieldPath: string;

  constructor(provider: string, fieldPath: string, problem: string) {
    super(`${providerName(provider)} issue: ${fieldPath}: ${problem}`, {
      provider,
      failureClass: "contract",
    });
    this.fieldPath = fieldPath;
  }
}

/** The provider does not support a requested value; no request was made. */
export class CapabilityNotSupportedError extends TrackerSdkError {
  readonly capability: string;

  constructor(provider: string, capability: string, message: string) {
    super(message, { provider, failureClass: "invalid" });
    this.capability = capability;
  }
}

/** A reference names another resource than the connector's. */
export class ScopeViolationError extends TrackerSdkError {
  constructor(provider: string, message: string) {
    super(message, { provider, failureClass: "permission" });
  }
}

/** Conflicts stay open under strict manual review; everything else was done. */
export class SyncConflictError extends TrackerSdkError {
  readonly conflictIds: readonly string[];

  constructor(provider: string, conflictIds: readonly string[]) {
    super(`${conflictIds.length} conflict(s) wait for a decision.`, { provider, failureClass: "conflict" });
    this.conflictIds = conflictIds;
  }
}
