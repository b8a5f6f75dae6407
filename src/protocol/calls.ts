/**
 * The table of all requests. A row determines the client's method, the host's
 * route, the validation, the OpenAPI entry, the retries and the jobs.
 */
import * as v from "valibot";
import {
  BindConfirmRequest,
  BindConfirmResponse,
  BindResolveRequest,
  BindResolveResponse,
  BindValidateRequest,
  BindValidateResponse,
  ResourcesRequest,
  ResourcesResponse,
} from "./binding.ts";
import { Connection, ConnectionsResponse, ConnectRequest } from "./connections.ts";
import {
  IssueSearchRequest,
  IssueSearchResponse,
  ListTicketsRequest,
  ListTicketsResponse,
} from "./issues.ts";
import { MappingsResponse, MappingUpdate, UpdatedMapping } from "./mappings.ts";
import {
  MissionPublishRequest,
  MissionPublishResponse,
  MissionSeedRequest,
  MissionSeedResponse,
} from "./missions.ts";
import { OperationResult } from "./operations.ts";
import { RoutedQuery, type RoutingKey } from "./routing.ts";
import { HealthResponse, MeResponse } from "./sessions.ts";
import {
  InstallationStatus,
  InstallationStatusRequest,
  InstallationsRequest,
  InstallationsResponse,
  ProjectStatus,
} from "./status.ts";
import {
  ConflictsRequest,
  ConflictsResponse,
  PullRequest,
  PullResult,
  PushRequest,
  PushResult,
  ResolveConflictRequest,
  ResolveConflictResponse,
  RunRequest,
  RunResult,
} from "./sync.ts";

export const NoFields = v.object({});
export const NoContent = v.null();

export interface Call {
  readonly summary: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With a field of the request in braces where the path has one. Hosts serve it with and without its last slash. */
  readonly path: string;
  /** The other fields: the query of a GET, else the JSON body. */
  readonly request: v.GenericSchema<unknown, object>;
  readonly response: v.GenericSchema<unknown, object | null>;
  /**
   * The harm of sending the request again: none (`safe`), another request to the
   * provider (`costly`), none with the same Idempotency-Key (`keyed`), or the same
   * effect twice (`unsafe`).
   */
  readonly repeat: "safe" | "costly" | "keyed" | "unsafe";
  /** The thing that a job works on, where the answer may be 202 and an operation. A job on a binding survives its process. */
  readonly job?: "binding" | "connection";
  /** `user` is anyone with a credential, `member` and `owner` are of the team. */
  readonly caller: "anyone" | "user" | "member" | "owner";
  /** The thing that control planes of another make need not offer, as a sentence names it. */
  readonly extension?: string;
  /** Its request or its answer has the content of issues. */
  readonly carriesIssues?: true;
  /** The call whose route answers this one, too. */
  readonly variantOf?: string;
}

export const CALLS = {
  health: {
    summary: "Check that the control plane is up",
    method: "GET",
    path: "/api/v1/tracker/health/",
    request: NoFields,
    response: HealthResponse,
    repeat: "safe",
    caller: "anyone",
    extension: "a health check",
  },
  me: {
    summary: "Show the caller and the caller's teams",
    method: "GET",
    path: "/api/v1/me",
    request: NoFields,
    response: MeResponse,
    repeat: "safe",
    caller: "user",
    extension: "the account of a credential",
  },

  // Discovery and binding
  resources: {
    summary: "List the bindable resources of a provider",
    method: "GET",
    path: "/api/v1/tracker/resources/",
    request: ResourcesRequest,
    response: ResourcesResponse,
    repeat: "safe",
    caller: "member",
  },
  bindResolve: {
    summary: "Resolve a project to a mapping or to candidates",
    method: "POST",
    path: "/api/v1/tracker/bind-resolve/",
    request: BindResolveRequest,
    response: BindResolveResponse,
    repeat: "safe",
    caller: "member",
  },
  bindConfirm: {
    summary: "Create or update the mapping of a candidate",
    method: "POST",
    path: "/api/v1/tracker/bind-confirm/",
    request: BindConfirmRequest,
    response: BindConfirmResponse,
    repeat: "keyed",
    caller: "member",
  },
  bindValidate: {
    summary: "Check that a project may use a binding",
    method: "POST",
    path: "/api/v1/tracker/bind-validate/",
    request: BindValidateRequest,
    response: BindValidateResponse,
    repeat: "safe",
    caller: "member",
  },
  installations: {
    summary: "List the installations",
    method: "GET",
    path: "/api/v1/tracker/installations/",
    request: InstallationsRequest,
    response: InstallationsResponse,
    repeat: "safe",
    caller: "member",
    extension: "a list of connections",
  },

  // Work on a binding
  status: {
    summary: "Show the state of a binding; of the provider's installation without a routing key",
    method: "GET",
    path: "/api/v1/tracker/status/",
    request: RoutedQuery,
    response: ProjectStatus,
    repeat: "safe",
    caller: "member",
  },
  installationStatus: {
    summary: "Show the state of an installation and its bindings",
    method: "GET",
    path: "/api/v1/tracker/status/",
    request: InstallationStatusRequest,
    response: InstallationStatus,
    repeat: "safe",
    caller: "member",
    variantOf: "status",
  },
  mappings: {
    summary: "List the mappings of a provider, or the mapping of a binding",
    method: "GET",
    path: "/api/v1/tracker/mappings/",
    request: RoutedQuery,
    response: MappingsResponse,
    repeat: "safe",
    caller: "member",
  },
  listTickets: {
    summary: "List the issues that changed last",
    method: "POST",
    path: "/api/v1/tracker/list-tickets/",
    request: ListTicketsRequest,
    response: ListTicketsResponse,
    repeat: "costly",
    caller: "member",
    carriesIssues: true,
  },
  searchIssues: {
    summary: "Search issues by words or by key",
    method: "POST",
    path: "/api/v1/tracker/issue-search/",
    request: IssueSearchRequest,
    response: IssueSearchResponse,
    repeat: "costly",
    caller: "member",
    carriesIssues: true,
  },
  pull: {
    summary: "Fetch one page of issues",
    method: "POST",
    path: "/api/v1/tracker/pull/",
    request: PullRequest,
    response: PullResult,
    repeat: "unsafe",
    caller: "member",
    carriesIssues: true,
  },
  push: {
    summary: "Write changes to the provider",
    method: "POST",
    path: "/api/v1/tracker/push/",
    request: PushRequest,
    response: PushResult,
    repeat: "keyed",
    job: "binding",
    caller: "member",
    carriesIssues: true,
  },
  run: {
    summary: "Pull, then push",
    method: "POST",
    path: "/api/v1/tracker/run/",
    request: RunRequest,
    response: RunResult,
    repeat: "keyed",
    job: "binding",
    caller: "member",
    carriesIssues: true,
  },
  conflicts: {
    summary: "List the conflicts without a decision",
    method: "POST",
    path: "/api/v1/tracker/conflicts/",
    request: ConflictsRequest,
    response: ConflictsResponse,
    repeat: "safe",
    caller: "member",
    extension: "conflicts",
    carriesIssues: true,
  },
  resolveConflict: {
    summary: "Decide a conflict",
    method: "POST",
    path: "/api/v1/tracker/conflicts/resolve/",
    request: ResolveConflictRequest,
    response: ResolveConflictResponse,
    repeat: "unsafe",
    caller: "member",
    extension: "decisions of conflicts",
    carriesIssues: true,
  },
  operation: {
    summary: "Show an operation",
    method: "GET",
    path: "/api/v1/tracker/operations/{operation_id}/",
    request: NoFields,
    response: OperationResult,
    repeat: "safe",
    caller: "member",
  },
  seedMission: {
    summary: "Start a mission from an issue",
    method: "POST",
    path: "/api/v1/tracker/missions/seed/",
    request: MissionSeedRequest,
    response: MissionSeedResponse,
    repeat: "costly",
    caller: "member",
    extension: "missions from issues",
    carriesIssues: true,
  },
  publishMission: {
    summary: "Publish the state of a mission to its issue",
    method: "POST",
    path: "/api/v1/tracker/missions/publish/",
    request: MissionPublishRequest,
    response: MissionPublishResponse,
    repeat: "keyed",
    job: "binding",
    caller: "member",
    extension: "reports of missions",
    carriesIssues: true,
  },

  // Administration: only this product's hosts
  connections: {
    summary: "List the connections",
    method: "GET",
    path: "/api/v1/admin/connections/",
    request: NoFields,
    response: ConnectionsResponse,
    repeat: "safe",
    caller: "owner",
    extension: "connections",
  },
  connect: {
    summary: "Connect a provider and discover its resources",
    method: "POST",
    path: "/api/v1/admin/connections/",
    request: ConnectRequest,
    response: Connection,
    repeat: "unsafe",
    job: "connection",
    caller: "owner",
    extension: "connecting a provider",
  },
  testConnection: {
    summary: "Check that a connection works",
    method: "POST",
    path: "/api/v1/admin/connections/{connection_id}/test/",
    request: NoFields,
    response: Connection,
    repeat: "unsafe",
    caller: "owner",
    extension: "tests of a connection",
  },
  refreshConnection: {
    summary: "Discover the resources of a connection again",
    method: "POST",
    path: "/api/v1/admin/connections/{connection_id}/refresh/",
    request: NoFields,
    response: Connection,
    repeat: "unsafe",
    job: "connection",
    caller: "owner",
    extension: "refreshing a connection",
  },
  removeConnection: {
    summary: "Remove a connection and erase its credential",
    method: "DELETE",
    path: "/api/v1/admin/connections/{connection_id}/",
    request: NoFields,
    response: NoContent,
    repeat: "safe",
    caller: "owner",
    extension: "removing a connection",
  },
  updateMapping: {
    summary: "Change the ownership and the settings of a mapping",
    method: "PATCH",
    path: "/api/v1/admin/mappings/{binding_ref}/",
    request: MappingUpdate,
    response: UpdatedMapping,
    repeat: "safe",
    caller: "owner",
    extension: "changes of a mapping",
  },
  deleteMapping: {
    summary: "Delete a mapping",
    method: "DELETE",
    path: "/api/v1/admin/mappings/{binding_ref}/",
    request: NoFields,
    response: NoContent,
    repeat: "safe",
    caller: "owner",
    extension: "deleting a mapping",
  },
} as const satisfies Readonly<Record<string, Call>>;

export type Calls = typeof CALLS;
export type CallName = keyof Calls;

type PathField<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathField<Rest>
  : never;
export type PathFields<N extends CallName> = Readonly<Record<PathField<Calls[N]["path"]>, string>>;

export type CallRequest<N extends CallName> = v.InferInput<Calls[N]["request"]> & PathFields<N>;
export type CallResponse<N extends CallName> = v.InferOutput<Calls[N]["response"]>;

/** The calls that are about a binding when the request has a routing key. */
export type RoutedCall = {
  [N in CallName]: "project_slug" extends keyof CallRequest<N> ? N : never;
}[CallName];

/** The fields of a routed call without its route. */
export type UnroutedRequest<N extends RoutedCall> = Omit<
  CallRequest<N>,
  "provider" | "binding_ref" | "project_slug"
>;

export function routedRequest<N extends RoutedCall>(
  route: { readonly provider: string } & RoutingKey,
  request: UnroutedRequest<N>,
): CallRequest<N> {
  // TypeScript cannot add up the parts of a request that depends on N.
  return { ...route, ...request } as CallRequest<N>;
}

export function fillPath(path: string, fieldOf: (name: string) => string): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => fieldOf(name));
}
