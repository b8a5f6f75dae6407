/** Opens connections: discovery for all resources, a connector for one. */
import type { TrackerConnector } from "../../sdk/connector.ts";
import type { ProviderCredential } from "../../sdk/connectors/credentials.ts";
import type { DiscoverySource } from "../../sdk/discovery.ts";
import { ConnectorConfigError } from "../../sdk/errors.ts";
import type { Transport } from "../../sdk/http/transport.ts";
import type { Fetch } from "../../shared/network.ts";
import { type HostedProvider, isHosted, providerName } from "../../shared/providers.ts";
import type { TeamScope } from "../access/team-scope.ts";
import type { DemoTrackers } from "../demo/demo-trackers.ts";
import { HostError } from "../errors.ts";
import { lastSegment } from "../inventory/matching.ts";
import type { MappingView } from "../mappings/mappings.ts";
import type { Reach } from "./network.ts";
import type { Vault } from "./vault.ts";

/** Limit of a provider's answer, in bytes: a page of GitHub has a hundred issues of 65,536 characters each. */
const MAX_PROVIDER_ANSWER_BYTES = 32 * 1024 * 1024;

export interface ConnectionKey {
  readonly id: string;
  readonly provider: string;
  readonly kind: string;
}

interface ProviderAccess {
  readonly provider: HostedProvider;
  /** Null for the demo data. */
  readonly credential: ProviderCredential | null;
  readonly fetch: Fetch;
}

export type OpenSource = (access: ProviderAccess) => Promise<DiscoverySource>;

/**
 * Opens the discovery of a provider; its connector is loaded when it is needed.
 *
 * @throws ConnectorConfigError when the credential cannot be used
 */
export const openSource: OpenSource = async (access) => {
  const { provider, credential } = access;
  if (credential === null) {
    const { demoDiscovery } = await import("../../sdk/testing/demo-discovery.ts");
    return demoDiscovery(provider);
  }
  const [transport, { createDiscoverySource }, { discoveryAddressOf }] = await Promise.all([
    transportOf({ ...access, credential }),
    import("../../sdk/connectors/hosted.ts"),
    import("./credentials.ts"),
  ]);
  const baseUrl = discoveryAddressOf(credential);
  return createDiscoverySource({ provider, transport, ...(baseUrl !== undefined && { baseUrl }) });
};

type CredentialedAccess = ProviderAccess & { readonly credential: ProviderCredential };

async function openConnector(
  access: CredentialedAccess,
  { routing, settings }: MappingView,
): Promise<TrackerConnector> {
  const { provider } = access;
  const [transport, { connectorParamsToHostedParams }, { createHostedConnector }] = await Promise.all([
    transportOf(access),
    import("../../sdk/connectors/params.ts"),
    import("../../sdk/connectors/hosted.ts"),
  ]);
  const params = connectorParamsToHostedParams(provider, { ...routing.connector_params, ...settings });
  return createHostedConnector({ provider, params, transport });
}

async function transportOf({ provider, credential, fetch }: CredentialedAccess): Promise<Transport> {
  const { openTransport } = await import("../../sdk/connectors/credentials.ts");
  return openTransport(provider, credential, { fetch, maxBodyBytes: MAX_PROVIDER_ANSWER_BYTES });
}

export interface SourcesOptions {
  readonly vault: Vault;
  readonly openSource: OpenSource;
  readonly fetch: Fetch;
  readonly reach: Reach;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Returns the credential that the environment of this process has for a provider; it is never stored. */
  readonly environmentCredential: (provider: HostedProvider) => ProviderCredential | null;
}

/** Kind of the connection whose credential is in the environment of a run. */
export const ENVIRONMENT_KIND = "environment";

export class Sources {
  readonly #options: SourcesOptions;
  #demo: DemoTrackers | undefined;

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  /**
   * The discovery that a credential opens; null opens the demo data.
   *
   * @throws TrackerSdkError when the credential cannot be used, or its address may not be reached
   */
  async open(provider: HostedProvider, credential: ProviderCredential | null): Promise<DiscoverySource> {
    return this.#options.openSource(await this.#access(provider, credential));
  }

  hasEnvironmentCredential(provider: HostedProvider): boolean {
    return this.#options.environmentCredential(provider) !== null;
  }

  /**
   * The discovery of a stored connection.
   *
   * @throws TrackerSdkError as {@link open} does
   * @throws VaultError when the stored credential cannot be read
   */
  async openSource(scope: TeamScope, connection: ConnectionKey): Promise<DiscoverySource> {
    return this.open(hostedName(connection.provider), await this.#credentialOf(scope, connection));
  }

  /**
   * A connector to a mapping's resource only. Needs the mapping and its connection, but no inventory.
   *
   * @throws TrackerSdkError as {@link open} does, and when the mapping's params are not the provider's
   * @throws VaultError when the stored credential cannot be read
   */
  async openConnector(scope: TeamScope, mapping: MappingView): Promise<TrackerConnector> {
    const connection = await scope
      .connections()
      .select(["id", "provider", "kind"])
      .where("id", "=", mapping.connectionId)
      .executeTakeFirstOrThrow();
    const credential = await this.#credentialOf(scope, connection);
    const provider = hostedName(connection.provider);
    if (credential === null) return this.#openDemo(provider, mapping);
    return openConnector({ ...(await this.#access(provider, credential)), credential }, mapping);
  }

  async #openDemo(provider: HostedProvider, mapping: MappingView): Promise<TrackerConnector> {
    const { connectionId, context, label, resourceRef } = mapping;
    const { DemoTrackers } = await import("../demo/demo-trackers.ts");
    this.#demo ??= new DemoTrackers(this.#options.now);
    const prefix = lastSegment(context.display_key ?? "demo");
    return this.#demo.open({ connectionId, provider, resourceRef, prefix, label });
  }

  async #access(provider: HostedProvider, credential: ProviderCredential | null): Promise<ProviderAccess> {
    const { fetch, reach, signal } = this.#options;
    const baseUrl = credential?.baseUrl;
    const way = baseUrl === undefined ? fetch : await reach(provider, baseUrl);
    return { provider, credential, fetch: endedBy(signal, way) };
  }

  #environmentCredential(provider: HostedProvider): ProviderCredential {
    const credential = this.#options.environmentCredential(provider);
    if (credential !== null) return credential;
    const name = providerName(provider);
    throw new HostError(
      "no_installation",
      `${name} is not connected, and the environment has no token for it.`,
      {
        provider,
      },
    );
  }

  async #credentialOf(
    scope: TeamScope,
    { id, provider, kind }: ConnectionKey,
  ): Promise<ProviderCredential | null> {
    if (kind === "demo") return null;
    if (kind === ENVIRONMENT_KIND) return this.#environmentCredential(hostedName(provider));
    const { secret } = await scope
      .connections()
      .select("secret")
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    if (secret === null) {
      throw new ConnectorConfigError(
        provider,
        `The ${providerName(provider)} connection has no credential. Connect again.`,
      );
    }
    const keyring = await this.#options.vault.keyring();
    const place = { teamId: scope.teamId, connectionId: id };
    const text = keyring.open(secret, place);
    if (!keyring.isCurrent(secret)) {
      // A secret in use moves to the new key, so that the old key can be removed.
      const moved = { secret: keyring.seal(text, place) };
      await scope.updateConnection(id).set(moved).where("secret", "=", secret).execute();
    }
    const { parseCredential } = await import("./credentials.ts");
    return parseCredential(text);
  }
}

function endedBy(signal: AbortSignal, fetch: Fetch): Fetch {
  return (request) => fetch(new Request(request, { signal: AbortSignal.any([request.signal, signal]) }));
}

function hostedName(provider: string): HostedProvider {
  if (isHosted(provider)) return provider;
  throw new ConnectorConfigError(provider, `"${provider}" is not a hosted provider.`);
}
