import type * as v from "valibot";
import type { HostedProvider } from "../../shared/providers.ts";
import type { TrackerConnector } from "../connector.ts";
import type { DiscoverySource } from "../discovery.ts";
import { type NangoConnectionContext, NangoTransport } from "../http/nango.ts";
import type { Transport } from "../http/transport.ts";
import { HOSTED_CONNECTORS, type HostedEntry } from "../registry.ts";
import { assertHosted, type HOSTED_PARAMS, parseParams } from "./params.ts";

export type HostedConnectorRequest<P extends HostedProvider> = {
  readonly provider: P;
  readonly params: v.InferInput<(typeof HOSTED_PARAMS)[P]>;
} & (
  | { readonly transport: Transport; readonly nangoContext?: never }
  | { readonly nangoContext: NangoConnectionContext; readonly transport?: never }
);

/**
 * Connects to one resource of a hosted provider; sends nothing yet.
 *
 * @throws ConnectorConfigError naming the path of a wrong parameter, or when the Nango context cannot be used
 */
export async function createHostedConnector<P extends HostedProvider>(
  request: HostedConnectorRequest<P>,
): Promise<TrackerConnector> {
  const { provider } = request;
  assertHosted(provider);
  const entry: HostedEntry<P> = HOSTED_CONNECTORS[provider];
  const params = parseParams(provider, entry.params, request.params);
  const transport = request.transport ?? new NangoTransport({ provider, context: request.nangoContext });
  const { connect } = await entry.load();
  return connect(params, transport);
}

export interface DiscoveryRequest {
  readonly provider: HostedProvider;
  readonly transport: Transport;
  /** The provider's address where it is not the default one; it becomes part of the discovered parameters. */
  readonly baseUrl?: string;
}

/** Discovers the resources of a hosted provider; sends nothing yet. */
export async function createDiscoverySource(request: DiscoveryRequest): Promise<DiscoverySource> {
  const { provider, transport, baseUrl = null } = request;
  assertHosted(provider);
  const { discover } = await HOSTED_CONNECTORS[provider].load();
  return discover(transport, baseUrl);
}
