import { providerName } from "../../../shared/providers.ts";
import { CapabilityNotSupportedError } from "../../errors.ts";
import type { CanonicalStatus } from "../../model.ts";

/**
 * The tracker's name for a status.
 *
 * @param settable The names of what its issues can be moved to
 * @throws CapabilityNotSupportedError listing what that is, when they cannot be moved there
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
