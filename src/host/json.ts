import * as v from "valibot";
import { ProviderContext } from "../protocol.ts";

const Metadata = v.record(v.string(), v.unknown());

/** What a mapping keeps, so that connector and labels can be rebuilt after the inventory is gone. */
export const RoutingMetadata = v.object({
  connector_params: Metadata,
  resource: v.object({ kind: v.string(), metadata: Metadata }),
  workspace: v.object({ id: v.string(), display: v.string(), kind: v.string(), context: Metadata }),
});
export type RoutingMetadata = v.InferOutput<typeof RoutingMetadata>;

/** Reads a stored `provider_context`. */
export function parseContext(stored: string): ProviderContext {
  return v.parse(ProviderContext, JSON.parse(stored));
}

/** Reads a stored `routing_metadata`. */
export function parseRouting(stored: string): RoutingMetadata {
  return v.parse(RoutingMetadata, JSON.parse(stored));
}
