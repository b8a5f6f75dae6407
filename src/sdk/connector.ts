/** The interface of every connector. */
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

/** The query of a listing: a closed window of change, oldest change first, page by page. */
export interface IssueQuery {
  /** Changed at or after this instant. */
  readonly updatedSince?: string;
  /** Changed before this instant. */
  readonly until?: string;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
  /** 1 to 1000. */
  readonly limit?: number;
  readonly filters?: Readonly<Record<string, unknown>>;
}

/** The query of a person's search. */
export interface IssueSearch {
  /** Words; all issues without them. */
  readonly text?: string;
  /** At most so many, 1 to 100. Default 20. */
  readonly limit?: number;
}

/** The caller's knowledge of an issue that is read. */
export interface ReadOptions {
  /**
   * The links as last known, for a caller who needs none: they are returned where
   * reading them would cost a request of its own and nothing shows that they changed.
   */
  readonly links?: readonly CanonicalLink[];
}

/** A write that is safe to repeat. */
export interface WriteOptions {
  /** The same key is the same write, however often it is sent. */
  readonly idempotencyKey: string;
}

/** The write of something new, once per key. */
export interface CreateOptions extends WriteOptions {
  /**
   * `first`: the connector looks whether the key has created something already, and for a comment whether the
   * issue exists. `never`: for a caller who knows both, which saves the requests. Default `first`.
   */
  readonly lookUp?: "first" | "never";
}

/** The caller's knowledge of an issue that is changed. */
export interface ChangeOptions {
  /**
   * The issue as last read, for a caller whose other arguments are parsed: neither is done again. Without it the
   * connector parses its arguments and reads the issue first.
   */
  readonly current?: CanonicalIssue;
  /**
   * `now`: an answer that does not show the whole issue is followed by a read. `later`: for a caller who changes
   * more of the issue; what the answer does not show is then returned as it was asked for. Default `now`.
   */
  readonly readBack?: "now" | "later";
}

/** An update that does not overwrite what its caller has not seen. */
export interface UpdateOptions extends WriteOptions, ChangeOptions {
  /** Refuse with a `conflict` failure when the issue is not at this revision; where the provider can. */
  readonly expectedRevision?: string;
  /**
   * The issue as the caller last saw it. Labels and assignees are then written as
   * what the patch adds to and takes from these, so that what somebody else added
   * since stays.
   */
  readonly seen?: Pick<IssueFields, "labels" | "assignees">;
}

/**
 * A connection to one resource of one tracker.
 *
 * Every method throws a TrackerSdkError: IssueNotFoundError for an issue that
 * is not there, CapabilityNotSupportedError (before any request) for what the
 * provider cannot carry, ScopeViolationError for a reference to another
 * resource, IssuePayloadContractError for an answer that the model cannot hold,
 * ConnectorRequestError for the rest.
 */
export interface TrackerConnector {
  /** Name in references and messages, such as `linear`. */
  readonly provider: string;
  readonly workspace: string;

  capabilities(): Capabilities;
  /** A body as this tracker gives it back; missing where texts are kept as they are. */
  storedBody?(body: string): string | null;
  /**
   * Set when this tracker rewrites bodies, which only shows afterwards: the body of the issue
   * that a write returns is then what became of the one that was written.
   */
  readonly rewritesBodies?: boolean;
  /** The tracker's own time, as its last answer told it; null before, missing where answers do not tell. */
  time?(): string | null;
  listIssues(query: IssueQuery): Promise<Page<CanonicalIssue>>;
  getIssue(ref: ExternalRef, options?: ReadOptions): Promise<CanonicalIssue>;
  /** The issue that people call by this key, such as `PAY-7` or `#7`; null when there is none. */
  findIssue(key: string): Promise<CanonicalIssue | null>;
  /**
   * Issues with these words in title or body, by the provider's own search; without words the latest changed first.
   * For people to choose from: links may be left out, where they would cost a request for each issue.
   */
  searchIssues(query: IssueSearch): Promise<readonly CanonicalIssue[]>;
  /**
   * Creates an issue, or returns the one that this key created before.
   *
   * @throws IssueNotFoundError also when it knows of that one, and that it is gone
   */
  createIssue(fields: IssueFields, options: CreateOptions): Promise<CanonicalIssue>;
  /**
   * The issue that a create with this key made; null when there is none.
   *
   * @throws IssueNotFoundError when it knows that there was one, and that it is gone
   */
  findCreated(idempotencyKey: string): Promise<CanonicalIssue | null>;
  /** Changes fields other than status and links. Returns the issue as it is afterwards. */
  updateIssue(ref: ExternalRef, patch: IssuePatch, options: UpdateOptions): Promise<CanonicalIssue>;
  transitionIssue(
    ref: ExternalRef,
    status: CanonicalStatus,
    options: WriteOptions & ChangeOptions,
  ): Promise<CanonicalIssue>;
  /** Adds a link that the issue does not have. Returns the issue as it is afterwards. */
  upsertLink(ref: ExternalRef, link: CanonicalLink, options?: ChangeOptions): Promise<CanonicalIssue>;
  /** Removes a link that the issue has. Returns the issue as it is afterwards. */
  removeLink(ref: ExternalRef, link: CanonicalLink, options?: ChangeOptions): Promise<CanonicalIssue>;
  /** Adds a comment, or returns the one that this key added before. */
  addComment(ref: ExternalRef, body: string, options: CreateOptions): Promise<CanonicalComment>;
  listComments(ref: ExternalRef, cursor?: string): Promise<Page<CanonicalComment>>;
  listEvents(query: { readonly since?: string; readonly cursor?: string }): Promise<Page<TrackerEvent>>;
}

/** The body of a patch as the tracker would give it back; nothing when the patch has none. */
export function storedBodyOf(
  connector: Pick<TrackerConnector, "storedBody">,
  { body }: IssuePatch,
): Pick<IssuePatch, "body"> {
  if (typeof body !== "string" || connector.storedBody === undefined) return {};
  return { body: connector.storedBody(body) };
}

/** The labels and assignees of a patch, brought to an issue that may have moved on since the caller saw it. */
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

/** `current` with what `wanted` has and `seen` has not, and without what `seen` has and `wanted` has not. */
function mergeSet(current: readonly string[], seen: readonly string[], wanted: readonly string[]): string[] {
  const kept = current.filter((name) => wanted.includes(name) || !seen.includes(name));
  const added = wanted.filter((name) => !seen.includes(name) && !current.includes(name));
  return [...kept, ...added];
}
