import * as v from "valibot";
import { ProviderContext } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";

const Metadata = v.record(v.string(), v.unknown());

/** The copy that a mapping keeps, so that connector and labels can be rebuilt after the inventory is gone. */
export const RoutingMetadata = v.object({
  connector_params: Metadata,
  resource: v.object({ kind: v.string(), metadata: Metadata }),
  workspace: v.object({ id: v.string(), display: v.string(), kind: v.string(), context: Metadata }),
});
export type RoutingMetadata = v.InferOutput<typeof RoutingMetadata>;

/** Reads a stored `provider_context`. */
export function parseContext(stored: string): ProviderContext {
  return v.parse(ProviderContext, parseJson(stored));
}

/** Reads a stored `routing_metadata`. */
export function parseRouting(stored: string): RoutingMetadata {
  return v.parse(RoutingMetadata, parseJson(stored));
}

/**
 * A resource's id as the database holds it. Providers on servers of their own
 * count from one each: their ids are told apart by the server's address.
 */
export function qualifiedRef(
  connectorParams: RoutingMetadata["connector_params"],
  stableRef: string,
): string {
  return prefixOf(connectorParams) + stableRef;
}

/** The provider's id of a resource, from the one that the database holds. */
export function plainRef({ connector_params }: RoutingMetadata, ref: string): string {
  const prefix = prefixOf(connector_params);
  return ref.startsWith(prefix) ? ref.slice(prefix.length) : ref;
}

function prefixOf({ baseUrl }: RoutingMetadata["connector_params"]): string {
  return typeof baseUrl === "string" ? `${baseUrl}#` : "";
}
