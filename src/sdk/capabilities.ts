/** What a connector can do. What it cannot is refused before any request. */
export interface Capabilities {
  readonly comments: boolean;
  /** Parents and children. */
  readonly hierarchy: boolean;
  /** Links between issues. */
  readonly dependencies: boolean;
  readonly customFields: boolean;
  readonly multiAssignee: boolean;
  /** Assignees can be set at all. */
  readonly assignment: boolean;
  /** Issues can be closed and canceled. */
  readonly terminalTransition: boolean;
  /** Many issues per request. */
  readonly bulkRead: boolean;
  readonly delete: boolean;
  readonly webhooks: boolean;
  /** A write can be refused when the issue has changed since a revision. */
  readonly conditionalWrites: boolean;
}
