import type { ConnectorSettings } from "../../protocol.ts";
import { HOSTED_SETTINGS, isHostedProvider } from "../../sdk/connectors/params.ts";
import { providerName } from "../../shared/providers.ts";
import type { Ownership } from "../../sync/ownership.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { check } from "../check.ts";
import { HostError } from "../errors.ts";
import { type MappingView, mappingByRef } from "./mappings.ts";

interface MappingChange {
  readonly ownership?: Ownership;
  /** Merged into the current settings: null removes one (RFC 7396). */
  readonly settings?: ConnectorSettings;
}

/**
 * Changes a mapping.
 *
 * @throws HostError `binding_not_found`, `mapping_disabled`, `invalid_request` for settings that the provider does not have
 */
export async function changeMapping(
  scope: TeamScope,
  bindingRef: string,
  change: MappingChange,
): Promise<MappingView> {
  return scope.transaction(async (transaction) => {
    const mapping = await mappingByRef(transaction, bindingRef);
    const { ownership = mapping.ownership } = change;
    const settings =
      change.settings === undefined ? mapping.settings : changedSettings(mapping, change.settings);
    await transaction
      .updateMapping(bindingRef)
      .set({
        ownership: JSON.stringify(ownership),
        connector_settings: JSON.stringify(settings),
        updated_at: transaction.timestamp(),
      })
      .execute();
    await transaction.audit("mapping.change", bindingRef, { doctrine: ownership, settings });
    return { ...mapping, ownership, settings };
  });
}

function changedSettings({ provider, settings }: MappingView, change: ConnectorSettings): ConnectorSettings {
  if (!isHostedProvider(provider)) {
    throw new HostError("unsupported_provider", `${providerName(provider)} has no settings.`, { provider });
  }
  return check(HOSTED_SETTINGS[provider], mergePatch(settings, change), "connector_settings");
}

/** RFC 7396: null removes a value, an object is merged, any other value replaces the current one. */
function mergePatch(target: ConnectorSettings, patch: ConnectorSettings): ConnectorSettings {
  const merged = new Map(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    const before = merged.get(name);
    if (value === null) merged.delete(name);
    else merged.set(name, isObject(value) ? mergePatch(isObject(before) ? before : {}, value) : value);
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is ConnectorSettings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
