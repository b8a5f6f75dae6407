import { createHash } from "node:crypto";

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 26;
const BITS_PER_DIGIT = 5;

interface BindingFacts {
  readonly teamSlug: string;
  readonly provider: string;
  /** The resource's id as the database stores it, qualified by its server. */
  readonly resourceRef: string;
  readonly projectUuid: string;
}

/**
 * Derives the reference of a binding: a project and a resource have the same reference on every control plane with
 * that team name. A change of this function invalidates every committed config.
 */
export function deriveBindingRef({ teamSlug, provider, resourceRef, projectUuid }: BindingFacts): string {
  const facts = JSON.stringify([teamSlug, provider, resourceRef, projectUuid.toLowerCase()]);
  const digest = BigInt(`0x${createHash("sha256").update(facts).digest("hex")}`);
  const digits = Array.from({ length: LENGTH }, (_, index) => {
    const shift = BigInt(256 - BITS_PER_DIGIT * (index + 1));
    return DIGITS[Number((digest >> shift) & 31n)];
  });
  return `srm_${digits.join("")}`;
}
