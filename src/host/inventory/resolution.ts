/**
 * Resolution of a project's identity to its resource. Pure: callers load the data. A certain match binds without a
 * question; the other resources are ranked with reasons. Ranking hides none.
 */
import type { BindCandidate, ProjectIdentity } from "../../protocol.ts";
import { projectUuid } from "../../shared/project-uuid.ts";
import { type ComparedResource, likenessOf, Rarity, type Words, wordsOf } from "./likeness.ts";
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

export const MAX_LOW_CANDIDATES = 20;
/** Trigram similarity from which two names are similar. */
const MIN_SIMILARITY = 0.4;
/** Likeness of words from which a resource is a candidate. */
const MIN_LIKENESS = 0.3;

type Confidence = BindCandidate["confidence"];
const RANK: Readonly<Record<Confidence, number>> = { high: 2, medium: 1, low: 0 };

type NamedIdentity = Pick<ProjectIdentity, "uuid" | "slug" | "repo_slug" | "repo_host">;

interface KnownProject {
  /** Null for a project of a client without UUIDs. */
  readonly projectUuid: string | null;
  readonly repoHost: string | null;
  readonly repoSlug: string | null;
}

/** A mapping under the project's UUID, repository or slug, tombstones included. */
export interface KnownMapping extends KnownProject {
  readonly bindingRef: string;
  readonly resourceRef: string;
  readonly projectSlug: string;
  readonly state: "active" | "disabled" | "deleted";
}

export interface InventoryResource {
  readonly id: string;
  readonly stableRef: string;
  readonly label: string;
  readonly sortKey: string;
  readonly nameKey: string;
  readonly displayKey: string;
  readonly pathKey: string | null;
  readonly webHost: string | null;
  readonly boundTo: readonly string[];
}

/** The facts that may decide without a ranking. */
interface ExactMatchFacts<M extends KnownMapping, R extends InventoryResource> {
  readonly mappings: readonly M[];
  readonly known: R | null;
  readonly atPath: readonly R[];
}

type ExactMatch<M extends KnownMapping, R extends InventoryResource> =
  | { readonly mapping: M }
  | { readonly resource: R };

interface Candidate<R extends InventoryResource> {
  readonly resource: R;
  readonly confidence: Confidence;
  /** Short, and without the label. */
  readonly reason: string;
}

/**
 * The certain match, in this order: the project's own mapping (by UUID, by repository, by slug from a client without
 * UUIDs), the resource that its config names, the only resource at the repository's path on the same host. Null
 * without one, and for a disabled mapping, because a user disabled it.
 */
export function exactMatch<M extends KnownMapping, R extends InventoryResource>(
  identity: NamedIdentity,
  { mappings, known, atPath }: ExactMatchFacts<M, R>,
): ExactMatch<M, R> | null {
  for (const isOwn of RECOGNITION_RULES) {
    const own = mappings.filter((mapping) => mapping.state !== "deleted" && isOwn(mapping, identity));
    const [mapping, ...further] = own.filter(({ state }) => state === "active");
    if (mapping !== undefined && further.length === 0) return { mapping };
    if (own.length > 0) return null;
  }
  if (known !== null) return { resource: known };
  const onHost = atPath.filter((resource) => isOnHost(resource, identity));
  const [resource, ...further] = onHost;
  return resource !== undefined && further.length === 0 ? { resource } : null;
}

const RECOGNITION_RULES: readonly ((mapping: KnownMapping, identity: NamedIdentity) => boolean)[] = [
  ({ projectUuid }, { uuid }) => projectUuid === uuid,
  isSameRepository,
  ({ projectUuid, projectSlug }, { slug }) => projectUuid === null && projectSlug === slug,
];

export function isSameProject(mapping: KnownMapping, identity: NamedIdentity): boolean {
  return RECOGNITION_RULES.some((isOwn) => isOwn(mapping, identity));
}

/**
 * Recognizes a second clone from before the config was committed: it derives its UUID from the remote, while the
 * first clone has an older, random one. A project in a folder of the repository is another project.
 */
export function isSameRepository(
  project: KnownProject,
  { uuid, repo_host, repo_slug }: NamedIdentity,
): boolean {
  if (!repo_host || repo_slug === null || project.projectUuid === null) return false;
  return (
    project.repoHost === repo_host &&
    project.repoSlug?.toLowerCase() === repo_slug.toLowerCase() &&
    uuid === projectUuid(repo_host, repo_slug) &&
    !isDerived(project.projectUuid)
  );
}

function isDerived(uuid: string): boolean {
  return uuid[14] === "5";
}

/** Accepts clients that send no host, and connections whose host is unknown. */
function isOnHost({ webHost }: InventoryResource, { repo_host }: NamedIdentity): boolean {
  return !repo_host || webHost === null || webHost === repo_host;
}

/**
 * Ranks the inventory for a project: by confidence and likeness, descending, then by label. Without any likeness,
 * returns the first {@link MAX_LOW_CANDIDATES} by label.
 */
export function rankCandidates<R extends InventoryResource>(
  identity: NamedIdentity,
  mappings: readonly KnownMapping[],
  resources: readonly R[],
): Candidate<R>[] {
  const names = comparedNames(identity);
  const past = earlierReasons(identity, mappings);
  const likely = resources.filter((resource) => past.has(resource.stableRef) || isLikely(resource, names));
  const owner = identity.repo_slug === null ? null : matchKey(identity.repo_slug.split("/")[0] ?? "");
  const named = new Map(likely.map((resource) => [resource, comparedResource(resource, owner)]));
  const rarity = new Rarity([...named.values()]);
  const ranked: (Candidate<R> & { readonly likeness: number })[] = [];
  for (const [resource, name] of named) {
    const score = scoreOf(resource, name, { identity, names, past, rarity });
    if (score !== null) ranked.push({ resource, ...score, reason: withSharing(score.reason, resource) });
  }
  ranked.sort(
    (a, b) =>
      RANK[b.confidence] - RANK[a.confidence] || b.likeness - a.likeness || byLabel(a.resource, b.resource),
  );
  if (ranked.length === 0) {
    const reason = "no similar name";
    return [...resources]
      .sort(byLabel)
      .slice(0, MAX_LOW_CANDIDATES)
      .map((resource) => ({ resource, confidence: "low" as const, reason: withSharing(reason, resource) }));
  }
  const firstLow = ranked.findIndex(({ confidence }) => confidence === "low");
  const end = firstLow === -1 ? ranked.length : firstLow + MAX_LOW_CANDIDATES;
  return ranked.slice(0, end).map(({ resource, confidence, reason }) => ({ resource, confidence, reason }));
}

function byLabel(a: InventoryResource, b: InventoryResource): number {
  return (
    compareCodePoints(a.sortKey, b.sortKey) ||
    compareCodePoints(a.label, b.label) ||
    compareCodePoints(a.id, b.id)
  );
}

function withSharing(reason: string, { boundTo }: InventoryResource): string {
  const [first, ...others] = boundTo;
  if (first === undefined) return reason;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return `${reason}; also bound to ${first}${more}`;
}

interface ComparedName {
  readonly key: string;
  readonly words: Words;
  readonly pieces: ReadonlySet<number>;
  /** The name's owner in a reason: "the repository". */
  readonly what: string;
}

function comparedNames(identity: NamedIdentity): ComparedName[] {
  const names: ComparedName[] = [];
  const add = (name: string, what: string): void => {
    const key = matchKey(name);
    if (key === "" || names.some((target) => target.key === key)) return;
    names.push({ key, words: wordsOf(key), pieces: new Set(trigrams(key)), what });
  };
  if (identity.repo_slug !== null) add(lastSegment(identity.repo_slug), "the repository");
  add(identity.slug, "the project");
  return names;
}

function earlierReasons(
  identity: NamedIdentity,
  mappings: readonly KnownMapping[],
): ReadonlyMap<string, string> {
  const past = new Map<string, string>();
  for (const mapping of mappings) {
    const isOwn = mapping.projectUuid === identity.uuid || isSameRepository(mapping, identity);
    if (!isOwn || mapping.state === "active") continue;
    const reason =
      mapping.state === "disabled" ? "bound to this project, and disabled" : "bound to this project before";
    past.set(mapping.resourceRef, reason);
  }
  return past;
}

/** A cheap test before words are compared; most of a large inventory fails it. */
function isLikely(
  { nameKey, displayKey, sortKey, pathKey }: InventoryResource,
  names: readonly ComparedName[],
) {
  return names.some(
    ({ key, words, pieces }) =>
      words.written.some((word) => word.length > 1 && sortKey.includes(word.slice(0, 4))) ||
      words.words.some((word) => word.length > 1 && nameKey.includes(word.slice(0, 4))) ||
      (displayKey.length > 1 && key.startsWith(displayKey.slice(0, 1))) ||
      pathKey?.endsWith(key) === true ||
      similarity(pieces, nameKey, MIN_SIMILARITY) > 0,
  );
}

/** The repository owner's name says nothing about a project: `apache/kafka` and `Apache Kafka`. */
function comparedResource(
  { nameKey, displayKey }: InventoryResource,
  owner: string | null,
): ComparedResource {
  const words = nameKey.split("-");
  const distinguishing = words.filter((word) => word !== owner);
  return {
    name: wordsOf((distinguishing.length === 0 ? words : distinguishing).join("-")),
    key: displayKey.replaceAll("-", ""),
  };
}

interface Comparison {
  readonly identity: NamedIdentity;
  readonly names: readonly ComparedName[];
  readonly past: ReadonlyMap<string, string>;
  readonly rarity: Rarity;
}

interface Score {
  readonly confidence: Confidence;
  readonly reason: string;
  readonly likeness: number;
}

function scoreOf(resource: InventoryResource, named: ComparedResource, comparison: Comparison): Score | null {
  const { identity, names, past, rarity } = comparison;
  const before = past.get(resource.stableRef);
  if (before !== undefined) return { confidence: "high", reason: before, likeness: 1 };
  if (identity.repo_slug !== null && resource.pathKey === identity.repo_slug.toLowerCase()) {
    const reason = isOnHost(resource, identity) ? "same path" : `same path on ${resource.webHost}`;
    return { confidence: "high", reason, likeness: 1 };
  }
  for (const { key, what } of names) {
    if (resource.nameKey === key) return { confidence: "high", reason: `same name as ${what}`, likeness: 1 };
    if (resource.displayKey === key) return { confidence: "high", reason: `key equals ${what}`, likeness: 1 };
  }
  return best(names.map((target) => compared(resource, named, target, rarity)));
}

function best(scores: readonly (Score | null)[]): Score | null {
  let found: Score | null = null;
  for (const score of scores) {
    if (score === null) continue;
    const order = found === null ? 1 : RANK[score.confidence] - RANK[found.confidence];
    if (found === null || order > 0 || (order === 0 && score.likeness > found.likeness)) found = score;
  }
  return found;
}

function compared(
  resource: InventoryResource,
  named: ComparedResource,
  { key, words, pieces, what }: ComparedName,
  rarity: Rarity,
): Score | null {
  const names = namesOf(resource);
  const byWords = likenessOf(words, named, rarity);
  const byLetters = Math.max(...names.map((name) => similarity(pieces, name, MIN_SIMILARITY)), 0);
  const likeness = Math.max(byWords, byLetters * 0.9);
  if (names.some((name) => containsWords(name, key))) {
    return { confidence: "medium", reason: `name overlaps with ${what}`, likeness };
  }
  if (names.some((name) => sharesAllWords(name, key))) {
    return { confidence: "medium", reason: `same words as ${what}`, likeness };
  }
  if (named.key.length > 2 && words.written.includes(named.key)) {
    return { confidence: "medium", reason: `key is a word of ${what}`, likeness };
  }
  if (byWords < MIN_LIKENESS && byLetters === 0) return null;
  return { confidence: "low", reason: `${Math.round(likeness * 100)} % alike`, likeness };
}

function namesOf({ nameKey, pathKey, sortKey }: InventoryResource): string[] {
  const names = pathKey === null ? [nameKey] : [nameKey, wordsKey(sortKey)];
  return names.filter((name) => name !== "");
}
