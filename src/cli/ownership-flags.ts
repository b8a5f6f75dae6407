import type { OwnershipRequest } from "../config.ts";
import { UsageError } from "../shared/errors.ts";
import { type ArgumentDefs, type Arguments, pairsOf } from "./argv.ts";
import { HINTS } from "./hints.ts";

export const OWNERSHIP_ARGS = {
  "doctrine-mode": {
    type: "string",
    valueHint: "MODE",
    description: "Owner of the issues: external_authoritative, spec_kitty_authoritative or split_ownership",
  },
  "field-owner": {
    type: "string",
    repeatable: true,
    valueHint: "FIELD=OWNER",
    description: "Owner of a field under split_ownership: external, local or shared; repeatable",
  },
  "conflict-strategy": {
    type: "string",
    valueHint: "STRATEGY",
    description:
      "Rule for a shared field that both sides changed: newer_timestamp, external_wins, local_wins or manual_review",
  },
} as const satisfies ArgumentDefs;

/** @throws UsageError for flags without effect */
export function ownershipFlags(args: Arguments<typeof OWNERSHIP_ARGS>): OwnershipRequest {
  const { "doctrine-mode": mode = null, "conflict-strategy": conflictStrategy = null } = args;
  if (conflictStrategy !== null && mode !== "split_ownership") {
    throw new UsageError("--conflict-strategy needs --doctrine-mode split_ownership.", {
      hint: HINTS.splitOwnership(conflictStrategy),
    });
  }
  const fieldOwners = pairsOf("field-owner", args["field-owner"]);
  if (Object.keys(fieldOwners).length > 0 && mode !== "split_ownership") {
    throw new UsageError("--field-owner needs --doctrine-mode split_ownership.", {
      hint: HINTS.oneOwner,
    });
  }
  return { mode, fieldOwners, conflictStrategy };
}
