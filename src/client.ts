/**
 * ControlPlaneClient: one typed method per call of the contract. The embedded
 * control plane is called through the same client; only `fetch` differs.
 */
import * as v from "valibot";
import { AuthorizedChannel, type ClientOptions } from "./client/authorized-channel.ts";
import { ControlPlaneError, type Exchange } from "./client/http.ts";
import {
  CONNECT_HINTS,
  eventually,
  type OperationProgress,
  Operations,
  type WorkListener,
  type WorkOutcome,
} from "./client/operations.ts";
import {
  BindConfirmResponse,
  BindResolveResponse,
  BindValidateResponse,
  ConflictsResponse,
  Connection,
  ConnectionsResponse,
  type ConnectRequest,
  HealthResponse,
  InstallationStatus,
  InstallationsResponse,
  IssueSearchResponse,
  ListTicketsResponse,
  MappingsResponse,
  type MappingUpdate,
  type MeResponse,
  type MissionPublishRequest,
  MissionPublishResponse,
  MissionSeedResponse,
  OperationResult,
  type ProjectIdentity,
  ProjectStatus,
  PullResult,
  type PushItem,
  PushResult,
  type Reread,
  type ResolveConflictRequest,
  ResolveConflictResponse,
  ResourcesResponse,
  type RoutingKey,
  RunResult,
  TRACKER_PATH,
  UpdatedMapping,
} from "./protocol.ts";

/** What to do about a write of which nobody knows whether it was done. */
const MAY_BE_DONE =
  "It may have been done. Look before you run it again: tracker status, tracker issues list";

/** What pages a pull. */
export interface PullQuery {
  /** 1 to 10000. */
  readonly limit: number;
  readonly cursor?: string;
  readonly filters?: Readonly<Record<string, unknown>>;
  /** Gives what is known already as well; an extension that other hosts pass over. */
  readonly reread?: Reread;
}

/** What a run does. */
export interface RunQuery {
  /** Issues to pull: 1 to 10000. */
  readonly limit: number;
  /** Plans and writes nothing; an extension. */
  readonly dry_run?: true;
}

/** What issues are looked for by: words, or the one key. */
export type IssueQuery = { readonly query_text: string } | { readonly query_key: string };

/** How a write is told apart from every other one, and followed. */
export interface WorkOptions extends WorkListener {
  /** The same on every retry of one call; made anew when not given. */
  readonly idempotencyKey?: string;
}

/** Whose value of a field stands. */
export type ConflictSide = ResolveConflictRequest["take"];
/** What a mission tells the issue it came from. */
export type MissionUpdate = MissionPublishRequest["update"];

const Nothing = v.null();

/**
 * Typed calls of a control plane. Every method throws ControlPlaneError when the
 * call fails and NotAuthenticatedError when no credential is accepted.
 */
export class ControlPlaneClient {
  readonly #channel: AuthorizedChannel;
  readonly #operations: Operations;

  constructor(options: ClientOptions) {
    const { name, nature, credentials } = options;
    this.#channel = new AuthorizedChannel(options);
    this.#operations = new Operations({
      name,
      nature,
      isEmbedded: credentials === null,
      read: (id) => this.operation(id),
    });
  }

  /** How messages call this control plane. */
  get name(): string {
    return this.#channel.name;
  }

  // Discovery and binding

  /** Every bindable resource of a provider. */
  resources(provider: string): Promise<ResourcesResponse> {
    return this.#get("resources", { provider }, ResourcesResponse);
  }

  /** Resolves a project to a mapping or to candidates. A read. */
  bindResolve(provider: string, identity: ProjectIdentity): Promise<BindResolveResponse> {
    return this.#post("bind-resolve", { provider, project_identity: identity }, BindResolveResponse, "safe");
  }

  /** Creates or updates the mapping that `candidateToken` stands for. */
  bindConfirm(
    provider: string,
    candidateToken: string,
    identity: ProjectIdentity,
    idempotencyKey: string = crypto.randomUUID(),
  ): Promise<BindConfirmResponse> {
    const body = { provider, candidate_token: candidateToken, project_identity: identity };
    return this.#post("bind-confirm", body, BindConfirmResponse, { idempotencyKey });
  }

  /** Whether `bindingRef` is this project's and works. A read. */
  bindValidate(
    provider: string,
    bindingRef: string,
    identity: ProjectIdentity,
  ): Promise<BindValidateResponse> {
    const body = { provider, binding_ref: bindingRef, project_identity: identity };
    return this.#post("bind-validate", body, BindValidateResponse, "safe");
  }

  /** What is connected; an extension that other hosts may not know. */
  installations(provider?: string): Promise<InstallationsResponse> {
    return this.#get("installations", { provider }, InstallationsResponse);
  }

  // Work on a binding

  /** State of one binding. */
  status(provider: string, key: RoutingKey): Promise<ProjectStatus> {
    return this.#get("status", { provider, ...key }, ProjectStatus);
  }

  /** State of a provider's installation and all its bindings. */
  installationStatus(provider: string): Promise<InstallationStatus> {
    return this.#get("status", { provider }, InstallationStatus);
  }

  /** Mappings of a provider, or of one binding. */
  mappings(provider: string, key?: RoutingKey): Promise<MappingsResponse> {
    return this.#get("mappings", { provider, ...key }, MappingsResponse);
  }

  /** One page of issues from the provider. */
  pull(provider: string, key: RoutingKey, query: PullQuery): Promise<PullResult> {
    return this.#post("pull", { provider, ...key, ...query }, PullResult, "unsafe");
  }

  /**
   * Sends changes to the provider.
   *
   * @throws ControlPlaneError also what a longer push fails with; `operation_timeout` when it takes more than
   *   five minutes, and then names the command that waits for it again
   */
  push(
    provider: string,
    key: RoutingKey,
    items: readonly PushItem[],
    options: WorkOptions = {},
  ): Promise<PushResult> {
    return this.#work("push", { provider, ...key, items }, PushResult, options);
  }

  /** Pulls, then pushes; fails as {@link push} does. */
  run(provider: string, key: RoutingKey, query: RunQuery, options: WorkOptions = {}): Promise<RunResult> {
    return this.#work("run", { provider, ...key, pull_first: true, ...query }, RunResult, options);
  }

  /** What an operation of a binding comes to, however long ago it began; fails as {@link push} does. */
  workOutcome(operationId: string, listener: WorkListener = {}): Promise<WorkOutcome> {
    return this.#operations.workOutcome(operationId, listener);
  }

  /** Fields that both sides changed and nobody has decided about; an extension. A read. */
  conflicts(provider: string, key: RoutingKey): Promise<ConflictsResponse> {
    return this.#post("conflicts", { provider, ...key }, ConflictsResponse, "safe");
  }

  /** Decides a conflict; an extension. */
  resolveConflict(
    provider: string,
    key: RoutingKey,
    id: string,
    take: ConflictSide,
  ): Promise<ResolveConflictResponse> {
    return this.#post("conflicts/resolve", { provider, ...key, id, take }, ResolveConflictResponse, "unsafe");
  }

  /** What a mission about an issue starts from; an extension. A read like {@link listTickets}. */
  seedMission(
    provider: string,
    key: RoutingKey,
    issue: string,
    missionId: string | null,
  ): Promise<MissionSeedResponse> {
    const body = { provider, ...key, issue, ...(missionId !== null && { mission_id: missionId }) };
    return this.#post("missions/seed", body, MissionSeedResponse, "costly");
  }

  /** Tells an issue how its mission goes; fails as {@link push} does; an extension. */
  publishMission(
    provider: string,
    key: RoutingKey,
    issue: string,
    update: MissionUpdate,
    options: WorkOptions = {},
  ): Promise<MissionPublishResponse> {
    return this.#work(
      "missions/publish",
      { provider, ...key, issue, update },
      MissionPublishResponse,
      options,
    );
  }

  /**
   * The latest issues of the binding's resource, or of the provider's only mapping. A read, but not one to
   * repeat unasked: every attempt asks the provider.
   */
  listTickets(provider: string, key: RoutingKey | null, limit: number): Promise<ListTicketsResponse> {
    return this.#post("list-tickets", { provider, ...key, limit }, ListTicketsResponse, "costly");
  }

  /** The issues of the same resource that fit `query`; a read like {@link listTickets}. */
  searchIssues(
    provider: string,
    key: RoutingKey | null,
    query: IssueQuery,
    limit: number,
  ): Promise<IssueSearchResponse> {
    return this.#post("issue-search", { provider, ...key, ...query, limit }, IssueSearchResponse, "costly");
  }

  /** An operation as it stands. */
  operation(operationId: string): Promise<OperationResult> {
    return this.#get(`operations/${encodeURIComponent(operationId)}`, {}, OperationResult);
  }

  // Sessions

  /** Who is calling, and the teams they belong to. */
  me(): Promise<MeResponse> {
    return this.#channel.me();
  }

  /** Whether the control plane is up; needs no credential. */
  health(): Promise<HealthResponse> {
    return this.#channel.sendOpenly(
      { method: "GET", path: `${TRACKER_PATH}/health/`, repeat: "safe" },
      HealthResponse,
    );
  }

  // Administration: only this product's hosts, for owners

  /**
   * Connects a provider: its resources are discovered, then the connection is stored.
   *
   * @throws ControlPlaneError what discovery failed with; `operation_timeout` when it takes more than five minutes
   */
  async connect(
    request: ConnectRequest,
    onProgress: (progress: OperationProgress) => void = () => {},
  ): Promise<Connection> {
    const answer = await this.#admin("POST", "connections", eventually(Connection), request);
    return this.#operations.resultOf(answer, Connection, { onProgress }, CONNECT_HINTS);
  }

  connections(): Promise<ConnectionsResponse> {
    return this.#admin("GET", "connections", ConnectionsResponse);
  }

  /** Asks the provider whether the connection works. */
  testConnection(connectionId: string): Promise<Connection> {
    return this.#admin("POST", `connections/${encodeURIComponent(connectionId)}/test`, Connection);
  }

  /** Discovers the provider's resources anew; fails as {@link connect} does. */
  async refreshConnection(
    connectionId: string,
    onProgress: (progress: OperationProgress) => void = () => {},
  ): Promise<Connection> {
    const call = `connections/${encodeURIComponent(connectionId)}/refresh`;
    const answer = await this.#admin("POST", call, eventually(Connection));
    return this.#operations.resultOf(answer, Connection, { onProgress }, CONNECT_HINTS);
  }

  async removeConnection(connectionId: string): Promise<void> {
    await this.#admin("DELETE", `connections/${encodeURIComponent(connectionId)}`, Nothing);
  }

  /** Decides who owns which field of a mapping's issues. */
  updateMapping(bindingRef: string, update: MappingUpdate): Promise<UpdatedMapping> {
    return this.#admin("PATCH", `mappings/${encodeURIComponent(bindingRef)}`, UpdatedMapping, update);
  }

  /** Deletes a mapping, so that its project can be bound to another resource. */
  async deleteMapping(bindingRef: string): Promise<void> {
    await this.#admin("DELETE", `mappings/${encodeURIComponent(bindingRef)}`, Nothing);
  }

  // The way to the wire

  #get<S extends v.GenericSchema>(
    call: string,
    query: Readonly<Record<string, string | undefined>>,
    schema: S,
  ): Promise<v.InferOutput<S>> {
    return this.#channel.send(
      { method: "GET", path: `${TRACKER_PATH}/${call}/`, query, repeat: "safe" },
      schema,
    );
  }

  #post<S extends v.GenericSchema>(
    call: string,
    body: unknown,
    schema: S,
    repeat: Exchange["repeat"] | { readonly idempotencyKey: string },
  ): Promise<v.InferOutput<S>> {
    const keyed = typeof repeat === "object";
    const exchange: Exchange = {
      method: "POST",
      path: `${TRACKER_PATH}/${call}/`,
      body,
      repeat: keyed ? "safe" : repeat,
      ...(keyed ? { headers: { "idempotency-key": repeat.idempotencyKey } } : {}),
    };
    return this.#channel.send(exchange, schema);
  }

  /** A call that is repeated with the same key, and whose result an operation may have later. */
  async #work<S extends v.GenericSchema>(
    call: string,
    body: unknown,
    schema: S,
    { idempotencyKey = crypto.randomUUID(), ...listener }: WorkOptions,
  ): Promise<v.InferOutput<S>> {
    const answer = await this.#begin(
      () => this.#post(call, body, eventually(schema), { idempotencyKey }),
      listener,
    );
    return this.#operations.resultOf(answer, schema, listener);
  }

  /** Asks for work, again once nothing is in its way. */
  async #begin<T>(ask: () => Promise<T>, listener: WorkListener): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (await this.#operations.isCleared(error, listener)) continue;
        const isUnknown = error instanceof ControlPlaneError && error.mayBeDone;
        throw isUnknown ? error.with({ hint: MAY_BE_DONE }) : error;
      }
    }
  }

  #admin<S extends v.GenericSchema>(
    method: Exchange["method"],
    call: string,
    schema: S,
    body?: unknown,
  ): Promise<v.InferOutput<S>> {
    const repeat = method === "POST" ? "unsafe" : "safe";
    return this.#channel.send({ method, path: `/api/v1/admin/${call}/`, repeat, body }, schema);
  }
}

export type { ClientCredential, ClientOptions, CredentialSource } from "./client/authorized-channel.ts";
export type {
  OperationProgress,
  SyncOutcome,
  WorkListener,
  WorkOutcome,
} from "./client/operations.ts";
