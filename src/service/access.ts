import { join } from "node:path";
import { type ClientCredential, type ClientOptions, ControlPlaneClient } from "../client.ts";
import type { CredentialStore } from "../config/credentials.ts";
import { type ControlPlane, chooseControlPlane, type Folders } from "../config/settings.ts";
import type { Context } from "../shared/context.ts";
import { TrackerError } from "../shared/errors.ts";
import type { Fetch } from "../shared/network.ts";
import { VERSION } from "../shared/version.ts";

export interface EmbeddedHost {
  /** The reason why nothing that is stored outlasts this process; null in the usual case. */
  readonly storageError: TrackerError | null;
  readonly fetch: Fetch;
  close(): Promise<void>;
}

interface AccessOptions {
  readonly context: Context;
  readonly folders: Folders;
  readonly credentials: CredentialStore;
  readonly hostFlag: string | undefined;
  readonly openEmbedded: (databasePath: string) => Promise<EmbeddedHost>;
  readonly debug: (line: string) => void;
}

/** Chooses and opens the control plane at its first use, once. */
export class ControlPlaneAccess {
  readonly #options: AccessOptions;
  #chosen: ControlPlane | null = null;
  #client: ControlPlaneClient | null = null;
  #embedded: EmbeddedHost | null = null;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  get databasePath(): string {
    return join(this.#options.folders.state, "host.db");
  }

  async controlPlane(): Promise<ControlPlane> {
    if (this.#chosen === null) {
      const { context, hostFlag, folders } = this.#options;
      this.#chosen = await chooseControlPlane(hostFlag, context.env, folders);
    }
    return this.#chosen;
  }

  /** @throws TrackerError `embedded_host` for the embedded one, which has no sessions */
  async remote(): Promise<ControlPlane & { readonly kind: "remote" }> {
    const controlPlane = await this.controlPlane();
    if (controlPlane.kind === "remote") return controlPlane;
    throw new TrackerError("embedded_host", "The embedded control plane has no sessions.");
  }

  async client(): Promise<ControlPlaneClient> {
    if (this.#client !== null) return this.#client;
    const controlPlane = await this.controlPlane();
    if (controlPlane.kind === "remote") {
      const { credentials } = this.#options;
      this.#client = this.clientAt(controlPlane.url, {
        current: async () => (await credentials.find(controlPlane.url))?.credential ?? null,
        replace: async (credential) => this.#keep(controlPlane.url, credential),
      });
    } else {
      this.#embedded = await this.#options.openEmbedded(this.databasePath);
      const { storageError } = this.#embedded;
      if (storageError !== null) this.#options.debug(`${storageError.message} A copy in memory is used.`);
      this.#client = new ControlPlaneClient({
        ...this.#channel(),
        url: new URL("http://localhost"),
        name: "the embedded control plane",
        fetch: this.#embedded.fetch,
        credentials: null,
      });
    }
    return this.#client;
  }

  /** @throws TrackerError `database_unavailable` when the embedded control plane cannot write its database */
  async requireStorage(): Promise<void> {
    await this.client();
    const error = this.#embedded?.storageError ?? null;
    if (error !== null) throw error;
  }

  /** A client of the control plane at `url`, with credentials of its own. */
  clientAt(url: URL, credentials: ClientOptions["credentials"]): ControlPlaneClient {
    const { fetch } = this.#options.context;
    return new ControlPlaneClient({ ...this.#channel(), url, name: url.origin, fetch, credentials });
  }

  async close(): Promise<void> {
    await this.#embedded?.close();
  }

  /** A renewed credential is stored; one from the environment lasts as long as the process. */
  #keep(url: URL, credential: ClientCredential): void {
    const { context, credentials } = this.#options;
    if (!context.env.TRACKER_TOKEN) credentials.store(url, credential);
  }

  #channel() {
    const { timing, machine } = this.#options.context;
    const userAgent = `tracker/${VERSION} (${machine.platform}-${machine.architecture})`;
    return { timing, userAgent, trace: this.#options.debug };
  }
}
