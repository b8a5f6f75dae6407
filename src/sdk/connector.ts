import type { Capabilities } from "./capabilities.ts";
import type {
  CanonicalComment,
  CanonicalIssue,
  CanonicalLink,
  CanonicalStatus,
  ExternalRef,
  IssueFields,
  IssuePatch,
  Page,
  TrackerEvent,
} from "./model.ts";

/** A closed window of changes, oldest change first, page by page. */
export interface IssueQuery {
  /** Changed at or after this instant. */
  readonly updatedSince?: string;
  /** Changed before this instant. */
  readonly until?: string;
  readonly cursor?: string;
  /** 1 to 1000. */
  readonly limit?: number;
  readonly filters?: Readonly<Record<string, unknown>>;
}

export interface IssueSearch {
  /** Words to search for; all issues without them. */
  readonly text?: string;
  /** 1 to 100; 20 by default. */
  readonly limit?: number;
}

export interface ReadOptions {
  /** The links as last known: returned where reading them costs a request and nothing shows a change. */
  readonly links?: readonly CanonicalLink[];
}

export interface WriteOptions {
  /** The same key is the same write, however often it is sent. */
  readonly idempotencyKey: string;
}

export interface CreateOptions extends WriteOptions {
  /** `never` skips the search for an earlier result of the key, for a caller that knows it. Default `first`. */
  readonly lookUp?: "first" | "never";
}

export interface ChangeOptions {
  /** The issue as last read. The connector then neither reads it nor parses the other arguments. */
  readonly current?: CanonicalIssue;
  /** `later` returns the requested values where the answer lacks them, instead of reading back. Default `now`. */
  readonly readBack?: "now" | "later";
}

/** An update that does not overwrite what its caller has not seen. */
export interface UpdateOptions extends WriteOptions, ChangeOptions {
  /** Refuses with a `conflict` failure when the issue is at another revision, where the provider supports that. */
  readonly expectedRevision?: string;
  /** The issue as the caller last saw it: labels and assignees are then written as changes to it. */
  readonly seen?: Pick<IssueFields, "labels" | "assignees">;
}

/**
 * A connection to one resource of one tracker.
 *
 * Every method throws a TrackerSdkError: IssueNotFoundError for an issue that does not exist,
 * CapabilityNotSupportedError (before any request) for an unsupported value, ScopeViolationError for a
 * reference to another resource, IssuePayloadContractError for an answer that the model cannot hold,
 * ConnectorRequestError otherwise.
 */
export interface TrackerConnector {
  /** Name in references and messages, such as `linear`. */
  readonly provider: string;
  readonly workspace: string;

  capabilities(): Capabilities;
  /** A body as this tracker stores it; absent where texts are stored unchanged. */
  storedBody?(body: string): string | null;
  /** Set when this tracker rewrites bodies unpredictably: a write then returns the rewritten body. */
  readonly rewritesBodies?: boolean;
  /** The tracker's time as of its last answer; null before the first one, absent where answers carry no time. */
  time?(): string | null;
  listIssues(query: IssueQuery): Promise<Page<CanonicalIssue>>;
  getIssue(ref: ExternalRef, options?: ReadOptions): Promise<CanonicalIssue>;
  /** The issue with this key, such as `PAY-7` or `#7`; null when there is none. */
  findIssue(key: string): Promise<CanonicalIssue | null>;
  /** By the provider's search; without words the latest changed first. Links may be missing. */
  searchIssues(query: IssueSearch): Promise<readonly CanonicalIssue[]>;
  /**
   * Creates an issue, or returns the one that this key created before.
   *
   * @throws IssueNotFoundError also when that issue was deleted
   */
  createIssue(fields: IssueFields, options: CreateOptions): Promise<CanonicalIssue>;
  /**
   * The issue that this key created; null when there is none.
   *
   * @throws IssueNotFoundError when it was deleted
   */
  findCreated(idempotencyKey: string): Promise<CanonicalIssue | null>;
  /** Changes fields other than status and links. Returns the issue afterwards. */
  updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue>;
  transitionIssue(
    ref: ExternalRef,
    status: CanonicalStatus,
    options: WriteOptions & ChangeOptions,
  ): Promise<CanonicalIssue>;
  /** Adds a link that the issue does not have. Returns the issue afterwards. */
  upsertLink(ref: ExternalRef, link: CanonicalLink, options?: ChangeOptions): Promise<CanonicalIssue>;
  removeLink(ref: ExternalRef, link: CanonicalLink, options?: ChangeOptions): Promise<CanonicalIssue>;
  /** Adds a comment, or returns the one that this key added before. */
  addComment(ref: ExternalRef, body: string, options: CreateOptions): Promise<CanonicalComment>;
  listComments(ref: ExternalRef, cursor?: string): Promise<Page<CanonicalComment>>;
  listEvents(query: { readonly since?: string; readonly cursor?: string }): Promise<Page<TrackerEvent>>;
}

/** The patch's body as the tracker stores it; empty without a body. */
export function storedBodyOf(
  connector: Pick<TrackerConnector, "storedBody">,
  { body }: IssuePatch,
): Pick<IssuePatch, "body"> {
  if (typeof body !== "string" || connector.storedBody === undefined) return {};
  return { body: connector.storedBody(body) };
}

/** The labels and assignees of a patch, applied to an issue that may have changed since the caller read it. */
export function mergedSets(
  current: Pick<IssueFields, "labels" | "assignees">,
  { labels, assignees }: IssuePatch,
  seen: Pick<IssueFields, "labels" | "assignees"> | undefined,
): Pick<IssuePatch, "labels" | "assignees"> {
  if (seen === undefined) return {};
  return {
    ...(labels !== undefined && { labels: mergeSet(current.labels, seen.labels, labels) }),
    ...(assignees !== undefined && { assignees: mergeSet(current.assignees, seen.assignees, assignees) }),
  };
}

/** `current` with what `wanted` adds to `seen`, without what it removes. */
function mergeSet(current: readonly string[], seen: readonly string[], wanted: readonly string[]): string[] {
  const kept = current.filter((name) => wanted.includes(name) || !seen.includes(name));
  const added = wanted.filter((name) => !seen.includes(name) && !current.includes(name));
  return [...kept, ...added];
}
