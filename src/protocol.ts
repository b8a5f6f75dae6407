/**
 * The control-plane contract: every request, response and error on the wire.
 * The client parses answers with these schemas, the host parses requests with
 * them, and the types of both sides are inferred from them.
 *
 * What is read is read tolerantly: unknown fields are ignored, and a field that
 * may be null may also be absent. What is sent is exactly the documented fields.
 */
import * as v from "valibot";
import { CanonicalIssueType, CanonicalStatus } from "./sdk/model.ts";

/** Every path of the contract lies below this one. */
export const TRACKER_PATH = "/api/v1/tracker";

const text = v.string();
const filled = v.pipe(v.string(), v.nonEmpty("must not be empty"));
/** A value that may be null or missing; null in the parsed object either way. */
const nullable = <S extends v.GenericSchema>(schema: S) => v.nullish(schema, null);
const nullableText = nullable(text);
/** An answer that is passed on with all its fields, also those that are not in the contract. */
const openObject = <E extends v.ObjectEntries>(entries: E) =>
  v.pipe(
    v.custom<Record<string, unknown>>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "must be an object",
    ),
    v.looseObject(entries),
  );
/** ISO 8601 in UTC. */
const instant = v.string();
const natural = v.pipe(v.number(), v.integer(), v.minValue(0));

/** Display facts of a resource, such as `workspace_name`; keys are the provider's. */
export const ProviderContext = v.record(v.string(), v.string());
export type ProviderContext = v.InferOutput<typeof ProviderContext>;

/** How a project introduces itself. `repo_slug` is `owner/repo`. */
export const ProjectIdentity = v.object({
  uuid: v.pipe(filled, v.maxLength(200)),
  slug: v.pipe(filled, v.maxLength(200)),
  node_id: v.pipe(filled, v.maxLength(200)),
  repo_slug: nullable(v.pipe(text, v.maxLength(500))),
});
export type ProjectIdentity = v.InferOutput<typeof ProjectIdentity>;

/** What a call is routed by: the stable reference, or the slug of configs that predate it. */
export type RoutingKey = { readonly binding_ref: string } | { readonly project_slug: string };

// Discovery and binding

export const BindableResource = v.object({
  candidate_token: text,
  display_label: text,
  provider: text,
  provider_context: v.nullish(ProviderContext, {}),
  binding_ref: nullableText,
  bound_project_slug: nullableText,
  bound_at: nullable(instant),
});
export type BindableResource = v.InferOutput<typeof BindableResource>;

export const ResourcesResponse = v.object({
  resources: v.array(BindableResource),
  installation_id: nullableText,
  provider: nullableText,
  next_cursor: nullableText,
});
export type ResourcesResponse = v.InferOutput<typeof ResourcesResponse>;

export const BindResolveRequest = v.object({ provider: filled, project_identity: ProjectIdentity });
export type BindResolveRequest = v.InferOutput<typeof BindResolveRequest>;

export const BindCandidate = v.object({
  candidate_token: filled,
  display_label: text,
  confidence: v.picklist(["high", "medium", "low"]),
  match_reason: text,
  sort_position: natural,
});
export type BindCandidate = v.InferOutput<typeof BindCandidate>;

/** A resource that belongs to another project. */
export const TakenResource = v.object({ display_label: text, project_slug: text, binding_ref: filled });
export type TakenResource = v.InferOutput<typeof TakenResource>;

export const BindResolveResponse = v.object({
  match_type: v.picklist(["exact", "candidates", "none"]),
  candidate_token: nullable(filled),
  binding_ref: nullable(filled),
  display_label: nullableText,
  project_slug: nullableText,
  provider_context: nullable(ProviderContext),
  candidates: v.nullish(v.array(BindCandidate), []),
  /** Where nothing is certain because another project has what `repo_slug` names; an extension. */
  taken: v.optional(v.nullable(TakenResource)),
});
export type BindResolveResponse = v.InferOutput<typeof BindResolveResponse>;

export const BindConfirmRequest = v.object({
  provider: filled,
  candidate_token: filled,
  project_identity: ProjectIdentity,
});
export type BindConfirmRequest = v.InferOutput<typeof BindConfirmRequest>;

export const BindConfirmResponse = v.object({
  binding_ref: filled,
  display_label: text,
  provider: text,
  provider_context: v.nullish(ProviderContext, {}),
  bound_at: nullable(instant),
  project_slug: nullableText,
});
export type BindConfirmResponse = v.InferOutput<typeof BindConfirmResponse>;

export const BindValidateRequest = v.object({
  provider: filled,
  binding_ref: filled,
  project_identity: ProjectIdentity,
});
export type BindValidateRequest = v.InferOutput<typeof BindValidateRequest>;

export const BindValidateResponse = v.variant("valid", [
  v.object({
    valid: v.literal(true),
    binding_ref: filled,
    display_label: nullableText,
    provider: nullableText,
    provider_context: nullable(ProviderContext),
  }),
  v.object({
    valid: v.literal(false),
    binding_ref: nullableText,
    reason: nullableText,
    guidance: nullableText,
  }),
]);
export type BindValidateResponse = v.InferOutput<typeof BindValidateResponse>;

export const Installation = v.object({
  installation_id: text,
  provider: text,
  status: v.picklist(["connected", "degraded", "revoked"]),
  account_label: text,
  resource_count: natural,
  bound_count: natural,
  last_refreshed_at: nullable(instant),
  error: nullableText,
});
export type Installation = v.InferOutput<typeof Installation>;

export const InstallationsResponse = v.object({ installations: v.array(Installation) });
export type InstallationsResponse = v.InferOutput<typeof InstallationsResponse>;

// Work on a binding

/** What an answer routed by `project_slug` may carry, so that the client can upgrade its config. */
const upgrade = {
  binding_ref: nullableText,
  display_label: nullableText,
  provider_context: nullable(ProviderContext),
};

export const IdentityPath = openObject({
  type: text,
  installation_id: nullableText,
  user_link_id: nullableText,
  provider: nullableText,
  provider_account_id: nullableText,
});
export type IdentityPath = v.InferOutput<typeof IdentityPath>;

export const ProjectStatus = openObject({
  provider: nullableText,
  connected: nullable(v.boolean()),
  configured: nullable(v.boolean()),
  ...upgrade,
  identity_path: nullable(IdentityPath),
  sync_state: nullableText,
  last_synced_at: nullable(instant),
  issue_count: nullable(natural),
  open_conflicts: nullable(natural),
  last_error: nullableText,
  /** What is at the binding, or was interrupted there and has to be finished; an extension. */
  operation_id: v.optional(v.nullable(text)),
});
export type ProjectStatus = v.InferOutput<typeof ProjectStatus>;

export const BindingSummary = v.looseObject({
  binding_ref: text,
  project_slug: nullableText,
  display_label: nullableText,
  status: nullableText,
  bound_at: nullable(instant),
  last_synced_at: nullable(instant),
});
export type BindingSummary = v.InferOutput<typeof BindingSummary>;

export const InstallationStatus = openObject({
  provider: nullableText,
  connected: nullable(v.boolean()),
  resource_count: nullable(natural),
  bindings: v.nullish(v.array(BindingSummary), []),
});
export type InstallationStatus = v.InferOutput<typeof InstallationStatus>;

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

export const ExternalRef = v.object({
  system: filled,
  id: filled,
  workspace: filled,
  key: nullableText,
  url: nullableText,
});
export type ExternalRef = v.InferOutput<typeof ExternalRef>;

export const NormalizedIssue = v.looseObject({
  ref: ExternalRef,
  title: text,
  body: nullableText,
  status: CanonicalStatus,
  issue_type: CanonicalIssueType,
  priority: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4)),
  assignees: v.array(text),
  labels: v.array(text),
  parent_ref: nullable(ExternalRef),
  links: v.array(v.looseObject({})),
  custom_fields: v.record(v.string(), v.unknown()),
  created_at: instant,
  updated_at: instant,
  provider_metadata: v.nullish(v.record(v.string(), v.unknown()), {}),
});
export type NormalizedIssue = v.InferOutput<typeof NormalizedIssue>;

export const PushItem = v.object({
  ref: v.looseObject({}),
  action: v.picklist(["create", "update", "transition", "comment", "link"]),
  patch: v.nullish(v.record(v.string(), v.unknown())),
  target_status: v.nullish(CanonicalStatus),
  body: v.nullish(text),
  link: v.nullish(v.looseObject({})),
});
export type PushItem = v.InferOutput<typeof PushItem>;

const ResultSummary = v.object({ total: natural, succeeded: natural, failed: natural, skipped: natural });
/** What went wrong with an item. */
export const ItemError = v.looseObject({
  ref: v.nullish(v.unknown(), null),
  code: text,
  message: text,
  retryable: v.nullish(v.boolean(), false),
});
export type ItemError = v.InferOutput<typeof ItemError>;

/** What became of a pushed item. */
export const PushResultItem = v.looseObject({
  ref: v.unknown(),
  action: text,
  outcome: text,
  remote_ref: v.nullish(v.unknown(), null),
  version: v.nullish(v.unknown(), null),
  message: nullableText,
});
export type PushResultItem = v.InferOutput<typeof PushResultItem>;

const phase = { summary: ResultSummary, item_errors: nullable(v.array(ItemError)) };
const pullPart = { items: v.array(NormalizedIssue), has_more: v.boolean(), next_cursor: nullableText };
const pushPart = { items: v.array(PushResultItem) };
const envelope = {
  status: v.picklist(["ok", "partial", "error"]),
  summary: ResultSummary,
  identity_path: nullable(IdentityPath),
  doctrine: nullable(v.record(v.string(), v.unknown())),
  ...upgrade,
};

export const PullResult = v.looseObject({ ...envelope, ...phase, ...pullPart });
export type PullResult = v.InferOutput<typeof PullResult>;

export const PushResult = v.looseObject({ ...envelope, ...phase, ...pushPart });
export type PushResult = v.InferOutput<typeof PushResult>;

export const RunResult = v.looseObject({
  ...envelope,
  pull: v.looseObject({ ...v.partial(v.object(phase)).entries, ...v.partial(v.object(pullPart)).entries }),
  push: v.looseObject({ ...v.partial(v.object(phase)).entries, ...v.partial(v.object(pushPart)).entries }),
});
export type RunResult = v.InferOutput<typeof RunResult>;

const routed = { provider: filled, binding_ref: nullableText, project_slug: nullableText };
const pullLimit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000));

/** What a pull takes in again. */
export const Reread = v.picklist(["interrupted", "everything"]);
export type Reread = v.InferOutput<typeof Reread>;

export const PullRequest = v.object({
  ...routed,
  limit: v.optional(pullLimit, 100),
  /** `next_cursor` of the pull before; without one a pull goes on where the last one ended. */
  cursor: nullableText,
  filters: v.nullish(v.record(v.string(), v.unknown()), {}),
  /**
   * Extension: gives unchanged issues too, and without a cursor begins where an
   * interrupted pull began, or reads everything once more.
   */
  reread: v.nullish(Reread, null),
});
export type PullRequest = v.InferOutput<typeof PullRequest>;

export const PushRequest = v.object({ ...routed, items: v.pipe(v.array(PushItem), v.maxLength(10_000)) });
export type PushRequest = v.InferOutput<typeof PushRequest>;

export const RunRequest = v.object({
  ...routed,
  pull_first: v.nullish(v.boolean(), true),
  limit: v.optional(pullLimit, 100),
  /** Extension: plans the same and writes nothing. */
  dry_run: v.nullish(v.boolean(), false),
});
export type RunRequest = v.InferOutput<typeof RunRequest>;

/** A field that both sides changed (extension). */
export const Conflict = v.looseObject({
  id: filled,
  issue: v.looseObject({ id: text, key: nullableText, title: text }),
  field: text,
  base: v.unknown(),
  local: v.unknown(),
  remote: v.unknown(),
  /** Null while it waits for a decision. */
  resolution: v.nullish(v.picklist(["local", "external"]), null),
});
export type Conflict = v.InferOutput<typeof Conflict>;

export const ConflictsRequest = v.object(routed);
export type ConflictsRequest = v.InferOutput<typeof ConflictsRequest>;
export const ConflictsResponse = v.looseObject({ conflicts: v.array(Conflict), ...upgrade });
export type ConflictsResponse = v.InferOutput<typeof ConflictsResponse>;

export const ResolveConflictRequest = v.object({
  ...routed,
  id: filled,
  /** Whose value stands. */
  take: v.picklist(["local", "external"]),
});
export type ResolveConflictRequest = v.InferOutput<typeof ResolveConflictRequest>;
export const ResolveConflictResponse = v.looseObject({ ...Conflict.entries, ...upgrade });
export type ResolveConflictResponse = v.InferOutput<typeof ResolveConflictResponse>;

/** An issue by its reference, or by what people call it. */
const IssueName = v.union([filled, v.looseObject({})]);

export const MissionSeedRequest = v.object({ ...routed, issue: IssueName, mission_id: nullableText });
export type MissionSeedRequest = v.InferOutput<typeof MissionSeedRequest>;

export const DecisionReference = v.looseObject({
  id: filled,
  blocking: v.nullish(v.boolean(), false),
  title: nullableText,
  external_ref: nullable(ExternalRef),
});

export const MissionSeedResponse = v.looseObject({
  mission_id: filled,
  source_issue_ref: ExternalRef,
  title: text,
  body: nullableText,
  status: CanonicalStatus,
  priority: nullable(v.number()),
  assignees: v.array(text),
  labels: v.array(text),
  decision_references: v.array(DecisionReference),
  ...upgrade,
});
export type MissionSeedResponse = v.InferOutput<typeof MissionSeedResponse>;

export const MissionPublishRequest = v.object({
  ...routed,
  issue: IssueName,
  update: v.object({
    mission_id: filled,
    mission_state: filled,
    target_status: nullable(CanonicalStatus),
    summary: nullableText,
    mission_url: nullableText,
    decision_references: v.nullish(v.array(DecisionReference), []),
  }),
});
export type MissionPublishRequest = v.InferOutput<typeof MissionPublishRequest>;

/** The issue as it is afterwards, and what the provider had no place for. */
export const MissionPublishResponse = v.looseObject({
  ...NormalizedIssue.entries,
  omitted: v.nullish(v.array(text), []),
  ...upgrade,
});
export type MissionPublishResponse = v.InferOutput<typeof MissionPublishResponse>;

/** A person or a team: an object as this product names them, text as some hosts do. */
const Named = nullable(
  v.union([text, v.looseObject({ id: v.nullish(v.union([text, v.number()]), null), name: nullableText })]),
);
export type Named = v.InferOutput<typeof Named>;

/** An issue as people look for it. */
export const Ticket = v.looseObject({
  external_issue_id: text,
  identifier: text,
  title: text,
  url: nullableText,
  state: v.looseObject({ name: text }),
  team: Named,
  assignee: Named,
  created_at: instant,
  updated_at: instant,
  body: nullableText,
});
export type Ticket = v.InferOutput<typeof Ticket>;

const ticketLimit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100));
/** The resource may be named by its binding, or left to the provider's only mapping. */
export const ListTicketsRequest = v.object({ ...routed, limit: v.optional(ticketLimit, 20) });
export type ListTicketsRequest = v.InferOutput<typeof ListTicketsRequest>;

export const IssueSearchRequest = v.object({
  ...routed,
  query_text: nullableText,
  /** Wins over `query_text`. */
  query_key: nullableText,
  limit: v.optional(ticketLimit, 20),
});
export type IssueSearchRequest = v.InferOutput<typeof IssueSearchRequest>;

const ticketsOf = { resource_type: text, resource_id: text, ...upgrade };
export const ListTicketsResponse = v.looseObject({ tickets: v.array(Ticket), ...ticketsOf });
export type ListTicketsResponse = v.InferOutput<typeof ListTicketsResponse>;
export const IssueSearchResponse = v.looseObject({ candidates: v.array(Ticket), ...ticketsOf });
export type IssueSearchResponse = v.InferOutput<typeof IssueSearchResponse>;

export const OperationAccepted = v.object({ operation_id: filled, status: text });
export type OperationAccepted = v.InferOutput<typeof OperationAccepted>;

// Errors

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

/** Every code that a host answers with, and its HTTP status. */
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

export const OperationResult = v.looseObject({
  operation_id: filled,
  status: v.picklist(["pending", "running", "completed", "failed"]),
  progress: v.nullish(v.object({ done: natural, total: nullable(natural) }), null),
  result: v.nullish(v.unknown(), null),
  error: nullable(ErrorEnvelope),
});
export type OperationResult = v.InferOutput<typeof OperationResult>;

// Sessions

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

/** `POST /api/v1/token/refresh/`, which older hosts answer. */
export const LegacyTokenResponse = v.object({
  access: filled,
  refresh: nullableText,
  team_slug: nullableText,
});
export type LegacyTokenResponse = v.InferOutput<typeof LegacyTokenResponse>;

export const HealthResponse = v.object({ status: text, version: nullableText, database: nullableText });
export type HealthResponse = v.InferOutput<typeof HealthResponse>;

// Administration (extension: only this product's hosts)

/** What a provider is connected with. Credentials are stored encrypted, and never answered. */
export const ConnectRequest = v.variant("kind", [
  /** The in-memory provider that is filled with demo data. */
  v.object({ provider: filled, kind: v.literal("demo") }),
  /** A token that the provider itself takes. */
  v.object({
    provider: filled,
    kind: v.literal("token"),
    token: filled,
    /** Address of the provider; needed for Jira, and for GitHub and GitLab on servers of their own. */
    base_url: nullableText,
    /** Whose API token it is; Jira's need it. */
    email: nullableText,
  }),
  /** A connection that Nango holds the credential of. */
  v.object({
    provider: filled,
    kind: v.literal("nango"),
    connection_id: filled,
    provider_config_key: filled,
    secret_key: filled,
    /** Address of Nango where it is not its own cloud. */
    base_url: nullableText,
  }),
]);
export type ConnectRequest = v.InferOutput<typeof ConnectRequest>;

export const Connection = v.object({
  connection_id: text,
  provider: text,
  /** `demo`, `token` or `nango`. */
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

/** Who owns which field of a mapping's issues. */
const MappingDoctrine = v.object({
  mode: text,
  field_owners: v.nullish(v.record(v.string(), v.string()), {}),
  conflict_strategy: v.exactOptional(v.string()),
});

/** Connector params by name. */
export const ConnectorSettings = v.record(v.string(), v.unknown());
export type ConnectorSettings = v.InferOutput<typeof ConnectorSettings>;

/** Changes a mapping; what is not given stays. */
export const MappingUpdate = v.object({
  doctrine: v.exactOptional(MappingDoctrine),
  /** Merged into the settings there are: null removes one (RFC 7396). */
  connector_settings: v.exactOptional(ConnectorSettings),
});
export type MappingUpdate = v.InferOutput<typeof MappingUpdate>;

export const UpdatedMapping = v.looseObject({
  ...Mapping.entries,
  doctrine: MappingDoctrine,
  /** Hosts that know none do not say. */
  connector_settings: v.optional(ConnectorSettings, {}),
});
export type UpdatedMapping = v.InferOutput<typeof UpdatedMapping>;

export const ConnectionsResponse = v.object({ connections: v.array(Connection) });
export type ConnectionsResponse = v.InferOutput<typeof ConnectionsResponse>;

export { problemOf } from "./sdk/model.ts";
