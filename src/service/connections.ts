import type { OperationProgress } from "../client.ts";
import type { Connection, ConnectRequest } from "../protocol.ts";
import { TrackerError } from "../shared/errors.ts";
import { HOSTED_PROVIDERS, type HostedProvider, providerName } from "../shared/providers.ts";
import type { ControlPlaneAccess } from "./access.ts";

export class Connections {
  readonly #access: ControlPlaneAccess;

  constructor(access: ControlPlaneAccess) {
    this.#access = access;
  }

  async connect(
    request: ConnectRequest,
    onProgress: (progress: OperationProgress) => void,
  ): Promise<Connection> {
    await this.#access.requireStorage();
    return (await this.#access.client()).call("connect", request, { onProgress });
  }

  /** The providers with a connection, sorted; empty on a control plane that does not list them. */
  async connectedProviders(): Promise<readonly HostedProvider[]> {
    const client = await this.#access.client();
    try {
      const { installations } = await client.call("installations", {});
      return HOSTED_PROVIDERS.filter((name) => installations.some(({ provider }) => provider === name));
    } catch (error) {
      if (error instanceof TrackerError && error.code === "not_offered") return [];
      throw error;
    }
  }

  async list(): Promise<readonly Connection[]> {
    return (await (await this.#access.client()).call("connections", {})).connections;
  }

  /**
   * The connection with this id, or the only one to the provider of this name.
   *
   * @throws TrackerError `connection_not_found`, or `ambiguous_connection`
   */
  async find(name: string): Promise<Connection> {
    const found = (await this.list()).filter(
      ({ connection_id, provider }) => connection_id === name || provider === name.toLowerCase(),
    );
    const [connection, ...others] = found;
    if (connection === undefined) {
      throw new TrackerError("connection_not_found", `There is no connection "${name}".`);
    }
    if (others.length === 0) return connection;
    const ids = found.map(({ connection_id, account_label }) => `${connection_id} (${account_label})`);
    throw new TrackerError(
      "ambiguous_connection",
      `${providerName(connection.provider)} has ${found.length} connections: ${ids.join(", ")}.`,
    );
  }

  async test(name: string): Promise<Connection> {
    const { connection_id } = await this.find(name);
    return (await this.#access.client()).call("testConnection", { connection_id });
  }

  async refresh(name: string, onProgress: (progress: OperationProgress) => void): Promise<Connection> {
    const { connection_id } = await this.find(name);
    return (await this.#access.client()).call("refreshConnection", { connection_id }, { onProgress });
  }

  async remove({ connection_id }: Connection): Promise<void> {
    await this.#access.requireStorage();
    await (await this.#access.client()).call("removeConnection", { connection_id });
  }
}
