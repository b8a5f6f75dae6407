import type { OwnershipRequest } from "../service.ts";
import { UsageError } from "../shared/errors.ts";
import { pairsOf } from "./input.ts";

/** The flags that say who owns which field of an issue. */
export const DOCTRINE_ARGS = {
  "doctrine-mode": {
    type: "string",
    valueHint: "MODE",
    description: "Who owns the issues: external_authoritative, spec_kitty_authoritative or split_ownership",
  },
  "field-owner": {
    type: "string",
    valueHint: "FIELD=OWNER",
    description: "Owner of a field under split_ownership: external, local or shared; repeatable",
  },
  "conflict-strategy": {
    type: "string",
    valueHint: "STRATEGY",
    description:
      "What decides over a shared field that both sides changed: newer_timestamp, external_wins, local_wins or manual_review",
  },
} as const;

/**
 * Reads the flags of {@link DOCTRINE_ARGS}.
 *
 * @param tokens the words of the command line, for what may be given again
 * @throws UsageError for what cannot have an effect
 */
export function doctrineFlags(
  args: Readonly<Record<"doctrine-mode" | "conflict-strategy", string | undefined>>,
  tokens: readonly string[],
): OwnershipRequest {
  const { "doctrine-mode": mode = null, "conflict-strategy": conflictStrategy = null } = args;
  if (conflictStrategy !== null && mode !== "split_ownership") {
    throw new UsageError("--conflict-strategy is about fields that both sides own.", {
      hint: `Give both: --doctrine-mode split_ownership --conflict-strategy ${conflictStrategy}`,
    });
  }
  const fieldOwners = pairsOf("field-owner", tokens);
  if (Object.keys(fieldOwners).length > 0 && mode !== "split_ownership") {
    throw new UsageError("--field-owner is for --doctrine-mode split_ownership.", {
      hint: "Without it one side owns every field.",
    });
  }
  return { mode, fieldOwners, conflictStrategy };
}
