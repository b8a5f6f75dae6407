/**
 * Resolution: from a project's identity to the resource it belongs to. Pure;
 * the routes load what these functions are given. Only certainty binds by
 * itself, everything else is a ranked list with reasons.
 */
import type { BindCandidate, ProjectIdentity } from "../../protocol.ts";
import {
  compareCodePoints,
  containsWords,
  lastSegment,
  matchKey,
  sharesAllWords,
  similarity,
  trigrams,
  wordsKey,
} from "./matching.ts";

/** Most low candidates that one answer carries. */
export const LOW_CANDIDATES = 200;
/** Trigram similarity from which two names resemble each other. */
const RESEMBLES = 0.4;

type Confidence = BindCandidate["confidence"];
const WEIGHT: Readonly<Record<Confidence, number>> = { high: 2, medium: 1, low: 0 };

/** A mapping made under the project's uuid or slug, tombstones included. */
export interface KnownMapping {
  readonly bindingRef: string;
  readonly resourceRef: string;
  readonly projectUuid: string | null;
  readonly projectSlug: string;
  readonly state: "active" | "disabled" | "deleted";
}

/** A resource that is visible and bound to no project. */
export interface FreeResource {
  readonly id: string;
  readonly stableRef: string;
  readonly label: string;
  /** Folded label. */
  readonly sortKey: string;
  /** Match key of the name: of the last path segment, where there is a path. */
  readonly nameKey: string;
  /** Match key of the provider's own short key. */
  readonly displayKey: string;
  /** Path key, null for providers without paths. */
  readonly pathKey: string | null;
}

/** A project's mappings, or one resource's path, settle the question. */
type CertainMatch<M extends KnownMapping, R extends FreeResource> =
  | { readonly mapping: M }
  | { readonly resource: R };

/** A resource that may be the right one. */
interface Candidate<R extends FreeResource> {
  readonly resource: R;
  readonly confidence: Confidence;
  /** In words, why it is offered. */
  readonly reason: string;
}

const isOwn = (mapping: KnownMapping, identity: ProjectIdentity): boolean =>
  mapping.projectUuid === identity.uuid ||
  (mapping.projectUuid === null && mapping.projectSlug === identity.slug);

/**
 * Rules 1 to 3: the project's own mapping; a mapping that a client without
 * uuids made under its slug; the only free resource at the repository's path.
 * Null when none of them holds, or when the project's mapping is disabled:
 * what somebody switched off does not come back by itself.
 *
 * @param mappings those under the identity's uuid or slug
 * @param atPath free resources whose path equals `repo_slug`
 */
export function certainMatch<M extends KnownMapping, R extends FreeResource>(
  identity: ProjectIdentity,
  mappings: readonly M[],
  atPath: readonly R[],
): CertainMatch<M, R> | null {
  const own = mappings.filter((mapping) => isOwn(mapping, identity));
  const active = own.filter(({ state }) => state === "active");
  const byUuid = active.find(({ projectUuid }) => projectUuid === identity.uuid);
  if (byUuid !== undefined) return { mapping: byUuid };
  if (own.some(({ state }) => state === "disabled")) return null;
  const [bySlug, ...furtherBySlug] = active;
  if (bySlug !== undefined) return furtherBySlug.length === 0 ? { mapping: bySlug } : null;
  const [resource, ...further] = atPath;
  return resource !== undefined && further.length === 0 ? { resource } : null;
}

/**
 * Rule 4: the free resources that may be meant, the likeliest first, equal
 * ones by label. When nothing resembles the project, all of them, up to
 * {@link LOW_CANDIDATES}.
 */
export function rankCandidates<R extends FreeResource>(
  identity: ProjectIdentity,
  mappings: readonly KnownMapping[],
  resources: readonly R[],
): Candidate<R>[] {
  const score = scorer(identity, mappings);
  const scored: (Candidate<R> & { readonly likeness: number })[] = [];
  for (const resource of resources) {
    const result = score(resource);
    if (result !== null) scored.push({ resource, ...result });
  }
  if (scored.length > 0) {
    const certainEnough = scored.filter(({ confidence }) => confidence !== "low");
    const low = scored
      .filter(({ confidence }) => confidence === "low")
      .sort((a, b) => b.likeness - a.likeness || byLabel(a.resource, b.resource));
    return [...certainEnough, ...capped(low)].sort(byConfidence);
  }
  const reason = "Nothing matches the project's name; this resource is free";
  return capped(
    [...resources].sort(byLabel).map((resource) => ({ resource, confidence: "low" as const, reason })),
  );
}

function byLabel(a: FreeResource, b: FreeResource): number {
  return (
    compareCodePoints(a.sortKey, b.sortKey) ||
    compareCodePoints(a.label, b.label) ||
    compareCodePoints(a.id, b.id)
  );
}

function byConfidence(a: Candidate<FreeResource>, b: Candidate<FreeResource>): number {
  return WEIGHT[b.confidence] - WEIGHT[a.confidence] || byLabel(a.resource, b.resource);
}

/** The first {@link LOW_CANDIDATES}, each saying how many were left out. */
function capped<R extends FreeResource>(low: readonly Candidate<R>[]): Candidate<R>[] {
  const rest = low.length - LOW_CANDIDATES;
  if (rest <= 0) return [...low];
  return low
    .slice(0, LOW_CANDIDATES)
    .map((candidate) => ({ ...candidate, reason: `${candidate.reason} (${rest} more are not listed)` }));
}

interface Score {
  readonly confidence: Confidence;
  readonly reason: string;
  readonly likeness: number;
}

/** A name of the project that resources are compared with. */
interface Target {
  readonly key: string;
  readonly pieces: ReadonlySet<number>;
  /** For example `the repository name "payments-api"`. */
  readonly words: string;
}

function scorer(
  identity: ProjectIdentity,
  mappings: readonly KnownMapping[],
): (resource: FreeResource) => Score | null {
  const targets = targetsOf(identity);
  const path = identity.repo_slug?.toLowerCase() ?? null;
  const past = new Map<string, string>();
  for (const mapping of mappings) {
    if (mapping.state === "disabled" && isOwn(mapping, identity)) {
      past.set(
        mapping.resourceRef,
        `Bound to this project as ${mapping.bindingRef}, which is disabled; choosing it enables it again`,
      );
    } else if (mapping.state === "deleted" && !past.has(mapping.resourceRef)) {
      past.set(mapping.resourceRef, `Was bound to project "${mapping.projectSlug}" before`);
    }
  }

  return (resource) => {
    const high = highReason(resource);
    if (high !== null) return { confidence: "high", reason: high, likeness: 1 };
    const names = namesOf(resource);
    const medium = mediumReason(resource, names);
    if (medium !== null) return { confidence: "medium", reason: medium, likeness: 1 };
    return resemblance(resource, names);
  };

  function highReason(resource: FreeResource): string | null {
    const before = past.get(resource.stableRef);
    if (before !== undefined) return before;
    if (path !== null && resource.pathKey === path) return `Repository origin is ${identity.repo_slug}`;
    for (const { key, words } of targets) {
      if (resource.displayKey === key) return `Key of "${resource.label}" equals ${words}`;
      if (resource.nameKey === key) return `Name "${resource.label}" equals ${words}`;
    }
    return null;
  }

  function mediumReason({ label }: FreeResource, names: readonly string[]): string | null {
    for (const { key, words } of targets) {
      if (names.some((name) => containsWords(name, key))) return `Name "${label}" overlaps with ${words}`;
      if (names.some((name) => sharesAllWords(name, key))) return `Name "${label}" has the words of ${words}`;
    }
    return null;
  }

  function resemblance({ label }: FreeResource, names: readonly string[]): Score | null {
    let best = { words: "", likeness: 0 };
    for (const name of names) {
      for (const { pieces, words } of targets) {
        const likeness = similarity(pieces, name, RESEMBLES);
        if (likeness > best.likeness) best = { words, likeness };
      }
    }
    if (best.likeness === 0) return null;
    const percent = Math.round(best.likeness * 100);
    return {
      confidence: "low",
      reason: `Name "${label}" resembles ${best.words} (${percent} %)`,
      likeness: best.likeness,
    };
  }
}

function targetsOf(identity: ProjectIdentity): Target[] {
  const targets: Target[] = [];
  const add = (name: string, what: string): void => {
    const key = matchKey(name);
    if (key === "" || targets.some((target) => target.key === key)) return;
    targets.push({ key, pieces: new Set(trigrams(key)), words: `${what} "${name}"` });
  };
  if (identity.repo_slug !== null) add(lastSegment(identity.repo_slug), "the repository name");
  add(identity.slug, "the project slug");
  return targets;
}

/** The name, and where that is a path's last step, the label beside it. */
function namesOf({ nameKey, pathKey, sortKey }: FreeResource): string[] {
  const names = pathKey === null ? [nameKey] : [nameKey, wordsKey(sortKey)];
  return names.filter((name) => name !== "");
}
