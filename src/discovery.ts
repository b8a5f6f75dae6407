/**
 * Pure helpers over what a control plane discovered: ordering, lookup by number
 * or label, numbering of resources. No I/O.
 */
import type { BindableResource, BindCandidate, BindResolveResponse } from "./protocol.ts";

/** Candidates in the order in which they are offered. */
export function orderCandidates(candidates: readonly BindCandidate[]): BindCandidate[] {
  return candidates.toSorted((a, b) => a.sort_position - b.sort_position);
}

/** The number under which a person selects the candidate: 1-based. */
export function numberOf(candidate: BindCandidate): number {
  return candidate.sort_position + 1;
}

/** The candidate that `--select number` means, or null. */
export function candidateByNumber(
  candidates: readonly BindCandidate[],
  number: number,
): BindCandidate | null {
  return candidates.find((candidate) => numberOf(candidate) === number) ?? null;
}

/** The display key in a label such as `Payments (PAY)`, or null. */
function displayKey(label: string): string | null {
  return /\(([^()]+)\)\s*$/.exec(label)?.[1]?.trim() ?? null;
}

/** The candidates whose whole label or display key is `wanted`. */
export function candidatesByMatch(candidates: readonly BindCandidate[], wanted: string): BindCandidate[] {
  return candidates.filter(
    ({ display_label }) => display_label === wanted || displayKey(display_label) === wanted,
  );
}

/** The candidates whose label contains `words`, whatever the case. */
export function narrowCandidates(candidates: readonly BindCandidate[], words: string): BindCandidate[] {
  const needle = words.toLowerCase();
  return candidates.filter(({ display_label }) => display_label.toLowerCase().includes(needle));
}

/**
 * The same resource in a later resolution, whose tokens are new: the candidate
 * with the same label and reason, or null when there is not exactly one.
 */
export function sameCandidate(
  candidates: readonly BindCandidate[],
  earlier: BindCandidate,
): BindCandidate | null {
  const same = candidates.filter(
    ({ display_label, match_reason }) =>
      display_label === earlier.display_label && match_reason === earlier.match_reason,
  );
  return same.length === 1 ? (same[0] ?? null) : null;
}

/** A resource and the number that `bind --select` takes for it; null when `bind` does not offer it. */
export interface NumberedResource {
  readonly number: number | null;
  readonly resource: BindableResource;
}

/** Numbers resources by their position in the list: for lists that no resolution stands behind. */
export function numberByPosition(resources: readonly BindableResource[]): NumberedResource[] {
  return resources.map((resource, index) => ({ number: index + 1, resource }));
}

/** Gives no resource a number: for lists whose resolution is not known. */
export function withoutNumbers(resources: readonly BindableResource[]): NumberedResource[] {
  return resources.map((resource) => ({ number: null, resource }));
}

/**
 * Numbers resources by a resolution. A candidate belongs to the resource with
 * its token or, on hosts that issue a fresh token in every answer, to the one
 * resource with its label.
 */
export function numberByResolution(
  resources: readonly BindableResource[],
  resolution: BindResolveResponse,
): NumberedResource[] {
  const byToken = new Map<string, BindableResource>();
  const byLabel = new Map<string, BindableResource | null>();
  for (const resource of resources) {
    byToken.set(resource.candidate_token, resource);
    byLabel.set(resource.display_label, byLabel.has(resource.display_label) ? null : resource);
  }
  const numbers = new Map<BindableResource, number>();
  for (const candidate of resolution.match_type === "candidates" ? resolution.candidates : []) {
    const resource = byToken.get(candidate.candidate_token) ?? byLabel.get(candidate.display_label);
    if (resource) numbers.set(resource, numberOf(candidate));
  }
  return resources.map((resource) => ({ number: numbers.get(resource) ?? null, resource }));
}
