/**
 * ControlPlaneClient: one typed method per call of the contract. The embedded
 * control plane is called through the same client; only `fetch` differs.
 */
import * as v from "valibot";
import { type ChannelOptions, ControlPlaneError, type Exchange, HttpChannel } from "./http.ts";
import {
  BindConfirmResponse,
  BindResolveResponse,
  BindValidateResponse,
  Connection,
  ConnectionsResponse,
  HealthResponse,
  InstallationStatus,
  InstallationsResponse,
  LegacyTokenResponse,
  MappingsResponse,
  MeResponse,
  OperationAccepted,
  OperationResult,
  type ProjectIdentity,
  ProjectStatus,
  PullResult,
  type PushItem,
  PushResult,
  ResourcesResponse,
  type RoutingKey,
  RunResult,
  TokenResponse,
  TRACKER_PATH,
} from "./protocol.ts";
import { NotAuthenticatedError } from "./shared/errors.ts";

/** Proof of who is calling, and how it is renewed. */
export interface ClientCredential {
  readonly kind: "personal" | "oauth" | "legacy";
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly teamSlug: string | null;
}

/** Where the client's credential lives. */
export interface CredentialSource {
  /** The credential at this moment; null when there is none. */
  current(): Promise<ClientCredential | null>;
  /** Keeps a renewed credential. */
  replace(credential: ClientCredential): Promise<void>;
}

/** What {@link ControlPlaneClient} depends on. */
export interface ClientOptions extends ChannelOptions {
  /** Null for the embedded control plane, where the caller is the local owner. */
  readonly credentials: CredentialSource | null;
}

/** What pages a pull. */
export interface PullQuery {
  /** 1 to 10000. */
  readonly limit: number;
  readonly cursor?: string;
  readonly filters?: Readonly<Record<string, unknown>>;
}

const Nothing = v.null();

/** How long an operation is waited for, in ms. */
export const OPERATION_PATIENCE_MS = 5 * 60_000;
const LONGEST_POLL_S = 30;

/**
 * Typed calls of a control plane. Every method throws ControlPlaneError when the
 * call fails and NotAuthenticatedError when no credential is accepted.
 */
export class ControlPlaneClient {
  readonly #channel: HttpChannel;
  readonly #options: ClientOptions;
  #credential: ClientCredential | null = null;
  /** Under way, and shared by all calls that wait for it: a refresh token serves once. */
  #renewal: Promise<ClientCredential> | null = null;
  #teamSearch: Promise<void> | null = null;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#channel = new HttpChannel(options);
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

  /** Sends changes to the provider: the result, or the operation that will have it. */
  push(
    provider: string,
    key: RoutingKey,
    items: readonly PushItem[],
    idempotencyKey: string = crypto.randomUUID(),
  ): Promise<PushResult | OperationAccepted> {
    const schema = v.union([PushResult, OperationAccepted]);
    return this.#post("push", { provider, ...key, items }, schema, { idempotencyKey });
  }

  /** Pulls, then pushes: the result, or the operation that will have it. */
  run(
    provider: string,
    key: RoutingKey,
    limit: number,
    idempotencyKey: string = crypto.randomUUID(),
  ): Promise<RunResult | OperationAccepted> {
    const schema = v.union([RunResult, OperationAccepted]);
    return this.#post("run", { provider, ...key, pull_first: true, limit }, schema, { idempotencyKey });
  }

  /** An operation as it stands. */
  operation(operationId: string): Promise<OperationResult> {
    return this.#get(`operations/${encodeURIComponent(operationId)}`, {}, OperationResult);
  }

  /**
   * Polls an operation until it has ended: after 1, 2, 4, … seconds, at most 30.
   *
   * @throws ControlPlaneError `operation_timeout` after five minutes; the operation goes on
   */
  async awaitOperation(
    operationId: string,
    onProgress: (operation: OperationResult) => void = () => {},
  ): Promise<OperationResult> {
    const { nature } = this.#options;
    const deadline = nature.now() + OPERATION_PATIENCE_MS;
    for (let seconds = 1; ; seconds = Math.min(seconds * 2, LONGEST_POLL_S)) {
      const patience = deadline - nature.now();
      if (patience <= 0) {
        throw new ControlPlaneError("operation_timeout", `Operation ${operationId} is still running.`, {
          retryable: true,
          details: { operation_id: operationId },
        });
      }
      await nature.sleep(Math.min(seconds * 1_000 * (0.8 + 0.4 * nature.random()), patience));
      const operation = await this.operation(operationId);
      if (operation.status === "completed" || operation.status === "failed") return operation;
      onProgress(operation);
    }
  }

  // Sessions

  /** Who is calling, and the teams they belong to. */
  async me(): Promise<MeResponse> {
    const exchange: Exchange = { method: "GET", path: "/api/v1/me", repeat: "safe" };
    if (this.#options.credentials === null) return this.#channel.send(exchange, MeResponse);
    return this.#authorized(exchange, MeResponse, () => ({}));
  }

  /** Whether the control plane is up; needs no credential. */
  health(): Promise<HealthResponse> {
    return this.#channel.send(
      { method: "GET", path: `${TRACKER_PATH}/health/`, repeat: "safe" },
      HealthResponse,
    );
  }

  // Administration: only this product's hosts, for owners

  /** Connects a demo provider, or refreshes it when it is connected already. */
  connectDemo(provider: string): Promise<Connection> {
    return this.#admin("POST", "connections", Connection, { provider, kind: "demo" });
  }

  connections(): Promise<ConnectionsResponse> {
    return this.#admin("GET", "connections", ConnectionsResponse);
  }

  /** Asks the provider whether the connection works. */
  testConnection(connectionId: string): Promise<Connection> {
    return this.#admin("POST", `connections/${encodeURIComponent(connectionId)}/test`, Connection);
  }

  /** Discovers the provider's resources anew. */
  refreshConnection(connectionId: string): Promise<Connection> {
    return this.#admin("POST", `connections/${encodeURIComponent(connectionId)}/refresh`, Connection);
  }

  async removeConnection(connectionId: string): Promise<void> {
    await this.#admin("DELETE", `connections/${encodeURIComponent(connectionId)}`, Nothing);
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
    return this.#call({ method: "GET", path: `${TRACKER_PATH}/${call}/`, query, repeat: "safe" }, schema);
  }

  #post<S extends v.GenericSchema>(
    call: string,
    body: unknown,
    schema: S,
    repeat: "safe" | "unsafe" | { readonly idempotencyKey: string },
  ): Promise<v.InferOutput<S>> {
    const keyed = typeof repeat === "object";
    const exchange: Exchange = {
      method: "POST",
      path: `${TRACKER_PATH}/${call}/`,
      body,
      repeat: keyed ? "safe" : repeat,
      ...(keyed ? { headers: { "idempotency-key": repeat.idempotencyKey } } : {}),
    };
    return this.#call(exchange, schema);
  }

  #admin<S extends v.GenericSchema>(
    method: Exchange["method"],
    call: string,
    schema: S,
    body?: unknown,
  ): Promise<v.InferOutput<S>> {
    const repeat = method === "POST" ? "unsafe" : "safe";
    return this.#call({ method, path: `/api/v1/admin/${call}/`, repeat, body }, schema);
  }

  /** A call on behalf of a team. */
  async #call<S extends v.GenericSchema>(exchange: Exchange, schema: S): Promise<v.InferOutput<S>> {
    if (this.#options.credentials === null) return this.#channel.send(exchange, schema);
    await this.#findTeam();
    return this.#authorized(exchange, schema, ({ teamSlug }) =>
      teamSlug === null ? {} : { "x-team-slug": teamSlug },
    );
  }

  /** Sends with the credential; a 401 renews it once and sends once more. */
  async #authorized<S extends v.GenericSchema>(
    exchange: Exchange,
    schema: S,
    teamHeader: (credential: ClientCredential) => Readonly<Record<string, string>>,
  ): Promise<v.InferOutput<S>> {
    const send = (credential: ClientCredential): Promise<v.InferOutput<S>> => {
      const headers = {
        authorization: `Bearer ${credential.accessToken}`,
        ...teamHeader(credential),
        ...exchange.headers,
      };
      return this.#channel.send({ ...exchange, headers }, schema);
    };
    const credential = await this.#current();
    try {
      return await send(credential);
    } catch (error) {
      if (!(error instanceof NotAuthenticatedError)) throw error;
      const renewed = await this.#renew(credential);
      if (renewed === null) throw error;
      return send(renewed);
    }
  }

  async #current(): Promise<ClientCredential> {
    this.#credential ??= (await this.#options.credentials?.current()) ?? null;
    if (this.#credential !== null) return this.#credential;
    throw new NotAuthenticatedError(`You are not logged in to ${this.name}.`, {
      hint: "Run `tracker auth login --with-token`, or set TRACKER_TOKEN.",
    });
  }

  async #keep(credential: ClientCredential): Promise<void> {
    this.#credential = credential;
    await this.#options.credentials?.replace(credential);
  }

  /** A credential without a team asks once which team it is for. */
  #findTeam(): Promise<void> {
    this.#teamSearch ??= this.#searchTeam().finally(() => {
      this.#teamSearch = null;
    });
    return this.#teamSearch;
  }

  async #searchTeam(): Promise<void> {
    const credential = await this.#current();
    if (credential.teamSlug !== null) return;
    const { teams } = await this.me();
    const shared = teams.filter((team) => !team.is_private_teamspace);
    const [only, ...others] = shared.length > 0 ? shared : teams;
    if (only === undefined || others.length > 0) {
      throw new ControlPlaneError("team_required", `${this.name} knows you in ${teams.length} teams.`, {
        hint: `Choose one: TRACKER_TEAM=${teams.map(({ slug }) => slug).join("|") || "<slug>"}`,
      });
    }
    await this.#keep({ ...(await this.#current()), teamSlug: only.slug });
  }

  /** What to use instead of `refused`; null when it cannot be renewed. */
  async #renew(refused: ClientCredential): Promise<ClientCredential | null> {
    const { refreshToken, kind } = refused;
    if (refreshToken === null || kind === "personal") return null;
    const current = await this.#current();
    if (current.accessToken !== refused.accessToken) return current;
    this.#renewal ??= this.#renewWith(kind, refreshToken).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renewWith(kind: "oauth" | "legacy", refreshToken: string): Promise<ClientCredential> {
    const renewing = kind === "oauth" ? this.#renewOauth(refreshToken) : this.#renewLegacy(refreshToken);
    const renewed = await renewing.catch((error: unknown) => {
      if (!isRefusal(error)) throw error;
      throw new NotAuthenticatedError(`Your session at ${this.name} has ended.`, {
        code: "session_expired",
        hint: "Run `tracker auth login --with-token`.",
        cause: error,
      });
    });
    const credential = { ...(await this.#current()), ...renewed };
    await this.#keep(credential);
    return credential;
  }

  async #renewOauth(refreshToken: string): Promise<Pick<ClientCredential, "accessToken" | "refreshToken">> {
    const form = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: "cli_native" };
    const answer = await this.#channel.send(
      { method: "POST", path: "/oauth/token", form, repeat: "unsafe" },
      TokenResponse,
    );
    return { accessToken: answer.access_token, refreshToken: answer.refresh_token ?? refreshToken };
  }

  async #renewLegacy(refreshToken: string): Promise<Pick<ClientCredential, "accessToken" | "refreshToken">> {
    const answer = await this.#channel.send(
      { method: "POST", path: "/api/v1/token/refresh/", body: { refresh: refreshToken }, repeat: "unsafe" },
      LegacyTokenResponse,
    );
    return { accessToken: answer.access, refreshToken: answer.refresh ?? refreshToken };
  }
}

/** The control plane has judged the refresh token, rather than failed to. */
function isRefusal(error: unknown): boolean {
  if (error instanceof NotAuthenticatedError) return true;
  if (!(error instanceof ControlPlaneError) || error.status === null) return false;
  const { status } = error;
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
