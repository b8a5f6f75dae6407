/** Folds the events about one issue into the outcome of a pushed item. Pure. */
import type { ItemError } from "../protocol.ts";
import type { FailedEvent } from "../sdk/engine/events.ts";
import type { SyncEvent } from "../sdk/engine.ts";
import { CORE_FIELDS, type CoreField } from "../sdk/model.ts";
import { sentence } from "../sdk/text.ts";
import { itemCode, wireRef } from "./envelope.ts";
import { wireField } from "./ownership.ts";

export interface ItemOutcome {
  readonly outcome: "applied" | "noop" | "rejected" | "conflict" | "failed";
  /** The reason, for people; null for an item that was written as requested. */
  readonly message: string | null;
  readonly errors: readonly ItemError[];
  /** Fields that are not worth sending again: refused for good, or of an issue that is gone. */
  readonly refused: readonly CoreField[];
}

/** The worst outcome among the events of one issue's push. */
export function outcomeOf(events: readonly SyncEvent[]): ItemOutcome {
  const failures = events.filter((event) => event.kind === "failed");
  const conflicts = events.filter((event) => event.kind === "conflict").map(({ conflict }) => conflict);
  const written = events.some(({ kind }) => kind === "created" || kind === "updated");
  const reasons = new Set(events.flatMap((event) => (event.kind === "unchanged" ? [event.reason] : [])));
  const isGone =
    reasons.has("deleted remotely") ||
    events.some((event) => event.kind === "updated" && event.presence === "deleted");
  const outcome = (name: ItemOutcome["outcome"], message: string | null): ItemOutcome => ({
    outcome: name,
    message,
    errors: failures.map(itemError),
    refused: isGone
      ? CORE_FIELDS
      : failures.filter((failure) => !mayPassLater(failure)).flatMap(({ fields }) => fields),
  });
  if (isGone) return outcome("rejected", "The issue no longer exists.");
  if (failures.length > 0) {
    const message = [...new Set(failures.map((failure) => failure.message))].join(" ");
    if (failures.some(mayPassLater)) {
      return outcome("failed", `${sentence(message)} The change is kept, and the next run sends it again.`);
    }
    return outcome("rejected", message);
  }
  const [overruled] = conflicts.filter(({ resolution }) => resolution !== "local");
  if (overruled !== undefined) {
    return outcome(
      "conflict",
      overruled.resolution === null
        ? `${wireField(overruled.field)} was changed on both sides and waits for a decision.`
        : `${wireField(overruled.field)} was changed on both sides; the provider's value was kept.`,
    );
  }
  if (reasons.has("waits for a decision")) return outcome("conflict", "The change waits for a decision.");
  if (written) {
    const fields = conflicts.map(({ field }) => wireField(field)).join(", ");
    return outcome("applied", fields === "" ? null : `Overwrote the provider's changes: ${fields}.`);
  }
  if (reasons.has("owned externally")) return outcome("rejected", "The provider owns this field.");
  return outcome("noop", null);
}

/** Failures unrelated to the item: a credential, another user's change, an unreadable answer. */
const NO_REFUSAL: ReadonlySet<FailedEvent["failureClass"]> = new Set(["auth", "conflict", "contract"]);

/** Reports whether the item may succeed later. */
function mayPassLater({ retryable, failureClass }: FailedEvent): boolean {
  return retryable || NO_REFUSAL.has(failureClass);
}

export function itemError({ ref, failureClass, retryable, message }: FailedEvent): ItemError {
  return { ref: ref === null ? null : wireRef(ref), code: itemCode(failureClass), message, retryable };
}
