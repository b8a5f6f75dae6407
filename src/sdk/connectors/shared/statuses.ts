import { providerName } from "../../../shared/providers.ts";
import { CapabilityNotSupportedError } from "../../errors.ts";
import type { CanonicalStatus } from "../../model.ts";

/**
 * The tracker's name for a status.
 *
 * @param settable The names by status
 * @throws CapabilityNotSupportedError listing them, when the status has none
 */
export function nativeStatus(
  provider: string,
  settable: Readonly<Partial<Record<CanonicalStatus, string>>>,
  status: CanonicalStatus,
): string {
  const native = settable[status];
  if (native !== undefined) return native;
  const message = `${providerName(provider)} issues can be moved only to ${Object.keys(settable).join(", ")}.`;
  throw new CapabilityNotSupportedError(provider, "statuses", message);
}
