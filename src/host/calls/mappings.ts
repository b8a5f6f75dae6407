import { Ownership } from "../../sync/ownership.ts";
import { check, hostedProvider } from "../check.ts";
import {
  deleteMapping,
  listMappings,
  routeToMapping,
  routingKey,
  toWire,
  upgradeOf,
} from "../mappings/mappings.ts";
import type { Handlers } from "./handler.ts";

export const mappingCalls = {
  mappings: async ({ scope }, query) => {
    const provider = hostedProvider(query.provider);
    const key = routingKey(query);
    if (key === null) return { mappings: (await listMappings(scope, provider)).map(toWire) };
    const mapping = await routeToMapping(scope, provider, key);
    return { ...upgradeOf(mapping), mappings: [toWire(mapping)] };
  },

  updateMapping: async ({ scope }, { binding_ref, doctrine, connector_settings }) => {
    const { changeMapping } = await import("../mappings/change.ts");
    const mapping = await changeMapping(scope, binding_ref, {
      ...(doctrine !== undefined && { ownership: check(Ownership, doctrine, "doctrine") }),
      ...(connector_settings !== undefined && { settings: connector_settings }),
    });
    return { ...toWire(mapping), doctrine: mapping.ownership, connector_settings: mapping.settings };
  },

  deleteMapping: async ({ scope }, { binding_ref }) => {
    await deleteMapping(scope, binding_ref);
    return null;
  },
} satisfies Partial<Handlers>;
