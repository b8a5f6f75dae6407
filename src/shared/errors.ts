export interface Choice {
  readonly number: number;
  readonly display_label: string;
  /** Null, as its reason, for what was not ranked. */
  readonly confidence: string | null;
  readonly match_reason: string | null;
}

export interface ErrorFacts {
  /** The next command to run. Only the command line sets it; it derives all other hints from codes. */
  readonly hint?: string | undefined;
  readonly provider?: string | null | undefined;
  readonly retryAfterSeconds?: number | null | undefined;
  readonly userActionRequired?: boolean | undefined;
  readonly unfinished?: "write" | "operation" | undefined;
  readonly retryable?: boolean | undefined;
  readonly requestId?: string | undefined;
  /** Structured facts for programs; JSON values only. */
  readonly details?: unknown;
  readonly choices?: readonly Choice[];
  readonly cause?: unknown;
}

/**
 * The base of every error that a user may see. `code` is stable and part of the `--json` contract; the message may
 * change between versions.
 */
export class TrackerError extends Error {
  readonly code: string;
  readonly hint: string | null;
  readonly provider: string | null;
  readonly retryAfterSeconds: number | null;
  readonly userActionRequired: boolean;
  readonly unfinished: "write" | "operation" | null;
  readonly retryable: boolean;
  readonly requestId: string | null;
  readonly details: unknown;
  readonly choices: readonly Choice[] | null;

  constructor(code: string, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = facts.hint ?? null;
    this.provider = facts.provider ?? null;
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null;
    this.userActionRequired = facts.userActionRequired ?? false;
    this.unfinished = facts.unfinished ?? null;
    this.retryable = facts.retryable ?? false;
    this.requestId = facts.requestId ?? null;
    this.details = facts.details ?? null;
    this.choices = facts.choices ?? null;
  }
}

/** The command line itself is wrong: nothing was done. Exit code 2. */
export class UsageError extends TrackerError {
  constructor(message: string, facts: ErrorFacts = {}) {
    super("usage", message, facts);
  }
}

/** No usable credential for the control plane. Exit code 4. */
export class NotAuthenticatedError extends TrackerError {
  constructor(message: string, facts: ErrorFacts & { readonly code?: string } = {}) {
    super(facts.code ?? "not_authenticated", message, facts);
  }
}

/** The user pressed Ctrl-C. Exit code 130. Nothing is printed unless there is a hint. */
export class InterruptedError extends TrackerError {
  constructor(hint?: string) {
    super("interrupted", "Interrupted.", { hint });
  }
}

export class ProjectError extends TrackerError {}

/** A configuration file cannot be read, understood or written; it was left as it was. */
export class ConfigError extends TrackerError {}

/** The reader of the output closed it (EPIPE), so nothing can be printed. */
export class OutputClosedError extends Error {
  override readonly name = "OutputClosedError";
}
