import { createHash } from "node:crypto";

/** Crockford's base 32: no I, L, O or U. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 26;
const BITS_PER_DIGIT = 5;

/** The facts that a binding reference is derived from. */
interface Bound {
  readonly teamSlug: string;
  readonly provider: string;
  /** The resource's id as the database holds it, qualified by its server. */
  readonly resourceRef: string;
  readonly projectUuid: string;
}

/**
 * Derives the reference of a binding: the same project bound to the same
 * resource has the same one on every control plane with that team name.
 * Changing this function makes every committed config of a clone unknown.
 */
export function deriveBindingRef({ teamSlug, provider, resourceRef, projectUuid }: Bound): string {
  const facts = JSON.stringify([teamSlug, provider, resourceRef, projectUuid.toLowerCase()]);
  const digest = BigInt(`0x${createHash("sha256").update(facts).digest("hex")}`);
  const digits = Array.from({ length: LENGTH }, (_, index) => {
    const shift = BigInt(256 - BITS_PER_DIGIT * (index + 1));
    return DIGITS[Number((digest >> shift) & 31n)];
  });
  return `srm_${digits.join("")}`;
}
