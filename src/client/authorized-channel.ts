/** Sends exchanges with a credential, which is renewed when it has expired, for the team of that credential. */
import type * as v from "valibot";
import { CALLS, type Call, LegacyTokenResponse, TokenResponse } from "../protocol.ts";
import { NotAuthenticatedError } from "../shared/errors.ts";
import { type ChannelOptions, type Exchange, HttpChannel } from "./channel.ts";
import { ControlPlaneError } from "./errors.ts";

export interface ClientCredential {
  readonly kind: "personal" | "oauth" | "legacy";
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly teamSlug: string | null;
}

interface CredentialSource {
  current(): Promise<ClientCredential | null>;
  replace(credential: ClientCredential): Promise<void>;
}

export interface ClientOptions extends ChannelOptions {
  /** Null for the embedded control plane, where the caller is the local owner. */
  readonly credentials: CredentialSource | null;
}

export class AuthorizedChannel {
  readonly #channel: HttpChannel;
  readonly #credentials: CredentialSource | null;
  #credential: ClientCredential | null = null;
  /** The renewal in progress. All calls that wait share it, because a refresh token can be used once. */
  #renewal: Promise<ClientCredential> | null = null;
  #teamSearch: Promise<void> | null = null;

  constructor(options: ClientOptions) {
    this.#channel = new HttpChannel(options);
    this.#credentials = options.credentials;
  }

  get name(): string {
    return this.#channel.name;
  }

  /** Sends as `caller`: without a credential, with one, or with one and its team. */
  async send<S extends v.GenericSchema>(
    exchange: Exchange,
    schema: S,
    caller: Call["caller"],
  ): Promise<v.InferOutput<S>> {
    if (this.#credentials === null || caller === "anyone") return this.#channel.send(exchange, schema);
    if (caller === "user") return this.#authorized(exchange, schema, () => ({}));
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
    this.#credential ??= (await this.#credentials?.current()) ?? null;
    if (this.#credential !== null) return this.#credential;
    throw new NotAuthenticatedError(`You are not logged in to ${this.name}.`);
  }

  async #keep(credential: ClientCredential): Promise<void> {
    this.#credential = credential;
    await this.#credentials?.replace(credential);
  }

  #findTeam(): Promise<void> {
    this.#teamSearch ??= this.#searchTeam().finally(() => {
      this.#teamSearch = null;
    });
    return this.#teamSearch;
  }

  async #searchTeam(): Promise<void> {
    const credential = await this.#current();
    if (credential.teamSlug !== null) return;
    const { path, response, caller } = CALLS.me;
    const { teams } = await this.send({ method: "GET", path, repeat: "safe" }, response, caller);
    const shared = teams.filter((team) => !team.is_private_teamspace);
    const [only, ...others] = shared.length > 0 ? shared : teams;
    if (only === undefined || others.length > 0) {
      throw new ControlPlaneError("team_required", `You belong to ${teams.length} teams of ${this.name}.`, {
        details: { teams: teams.map(({ slug }) => slug) },
      });
    }
    await this.#keep({ ...(await this.#current()), teamSlug: only.slug });
  }

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
      if (!isRefusedToken(error)) throw error;
      throw new NotAuthenticatedError(`Your session at ${this.name} has ended.`, {
        code: "session_expired",
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

/** The control plane refused the refresh token, rather than failed to check it. */
function isRefusedToken(error: unknown): boolean {
  if (error instanceof NotAuthenticatedError) return true;
  if (!(error instanceof ControlPlaneError) || error.status === null) return false;
  const { status } = error;
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
