import type { ClientCredential } from "../client.ts";
import type { CredentialStore } from "../config/credentials.ts";
import type { MeResponse } from "../protocol.ts";
import { NotAuthenticatedError } from "../shared/errors.ts";
import type { Environment } from "../shared/io.ts";
import type { ControlPlaneAccess } from "./access.ts";

/** The logged-in user. */
export interface Session {
  readonly host: string;
  readonly source: string;
  readonly team: string | null;
  readonly user: MeResponse | null;
}

interface SessionsOptions {
  readonly access: ControlPlaneAccess;
  readonly credentials: CredentialStore;
  readonly env: Environment;
}

export class Sessions {
  readonly #options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Verifies a personal access token with the control plane and stores it. */
  async login(token: string): Promise<Session> {
    const { access, credentials, env } = this.#options;
    const { url } = await access.remote();
    const teamSlug = env.TRACKER_TEAM || null;
    let credential: ClientCredential = {
      kind: "personal",
      accessToken: token,
      refreshToken: null,
      teamSlug,
    };
    const client = access.clientAt(url, {
      current: async () => credential,
      replace: async (renewed) => {
        credential = renewed;
      },
    });
    const user = await client.call("me", {});
    const team = teamSlug ?? (user.teams.length === 1 ? (user.teams[0]?.slug ?? null) : null);
    credentials.store(url, { ...credential, teamSlug: team });
    return { host: url.origin, source: credentials.path, team, user };
  }

  async current(): Promise<Session> {
    const { access, credentials } = this.#options;
    const controlPlane = await access.controlPlane();
    if (controlPlane.kind === "embedded") {
      return { host: "embedded", source: "none needed", team: "local", user: null };
    }
    const found = await credentials.find(controlPlane.url);
    if (found === null) {
      throw new NotAuthenticatedError(`You are not logged in to ${controlPlane.url.origin}.`);
    }
    const user = await (await access.client()).call("me", {});
    return { host: controlPlane.url.origin, source: found.source, team: found.credential.teamSlug, user };
  }

  /** Returns false when no credential was stored. */
  async logout(): Promise<{ readonly host: string; readonly removed: boolean }> {
    const { access, credentials } = this.#options;
    const { url } = await access.remote();
    return { host: url.origin, removed: credentials.remove(url) };
  }
}
