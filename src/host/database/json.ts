import * as v from "valibot";
import { ProviderContext } from "../../protocol.ts";
import { parseJson } from "../../shared/json.ts";

const Metadata = v.record(v.string(), v.unknown());

/** The copy that a mapping keeps, so that its connector and labels can be rebuilt without the inventory. */
export const RoutingMetadata = v.object({
  connector_params: Metadata,
  resource: v.object({ kind: v.string(), metadata: Metadata }),
  workspace: v.object({ id: v.string(), display: v.string(), kind: v.string(), context: Metadata }),
});
export type RoutingMetadata = v.InferOutput<typeof RoutingMetadata>;

export function parseContext(stored: string): ProviderContext {
  return v.parse(ProviderContext, parseJson(stored));
}

export function parseRouting(stored: string): RoutingMetadata {
  return v.parse(RoutingMetadata, parseJson(stored));
}

/**
 * A resource's id as the database stores it. Self-hosted providers number from one each, so the server's address
 * qualifies their ids.
 */
export function qualifiedRef(
  connectorParams: RoutingMetadata["connector_params"],
  stableRef: string,
): string {
  return prefixOf(connectorParams) + stableRef;
}

export function plainRef({ connector_params }: RoutingMetadata, ref: string): string {
  const prefix = prefixOf(connector_params);
  return ref.startsWith(prefix) ? ref.slice(prefix.length) : ref;
}

function prefixOf({ baseUrl }: RoutingMetadata["connector_params"]): string {
  return typeof baseUrl === "string" ? `${baseUrl}#` : "";
}
