import * as v from "valibot";
import type { OwnershipRequest, ProjectConfig } from "../../config.ts";
import { problemOf } from "../../sdk/model.ts";
import { ConfigError, type TrackerError, UsageError } from "../../shared/errors.ts";
import { Ownership } from "../../sync/ownership.ts";

/** @throws UsageError for an unknown mode, field, owner or strategy */
export function requireOwnership(request: OwnershipRequest): void {
  parseOwnership(request, (path, problem) => {
    const flag = OWNERSHIP_FLAGS.find(([key]) => path.startsWith(key))?.[1];
    return new UsageError(`${flag} ${problem}.`, { details: { flag } });
  });
}

/** @throws ConfigError for an unknown mode, field, owner or strategy */
export function ownershipOf({ tracker: { ownership, hasDoctrine } }: ProjectConfig): Ownership {
  return parseOwnership(ownership, (path, problem) => {
    const key = hasDoctrine ? "doctrine" : "ownership";
    const place = path === "conflict_strategy" ? path : `${key}.${path}`;
    return new ConfigError("config_invalid", `tracker.${place}: ${problem}`);
  });
}

function parseOwnership(
  { mode, fieldOwners, conflictStrategy }: OwnershipRequest,
  failure: (path: string, problem: string) => TrackerError,
): Ownership {
  const parsed = v.safeParse(Ownership, {
    ...(mode !== null && { mode }),
    field_owners: fieldOwners,
    ...(conflictStrategy !== null && { conflict_strategy: conflictStrategy }),
  });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw failure(v.getDotPath(issue) ?? "", problemOf(issue));
}

const OWNERSHIP_FLAGS = [
  ["mode", "--doctrine-mode"],
  ["field_owners", "--field-owner"],
  ["conflict_strategy", "--conflict-strategy"],
] as const;
