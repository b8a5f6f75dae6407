/** Numbers, matches and narrows resources. Pure. */
import type { BindableResource, BindCandidate, BindResolveResponse } from "./protocol.ts";
import type { Choice } from "./shared/errors.ts";
import type { HostedProvider } from "./shared/providers.ts";
import { fold } from "./shared/text.ts";

/** A resource with the number that `bind --select` accepts. */
export interface NumberedResource {
  readonly number: number;
  readonly candidateToken: string;
  readonly label: string;
  /** Null when the resource was not ranked. */
  readonly candidate: BindCandidate | null;
  /** Null for a candidate that is not in the list of resources. */
  readonly resource: BindableResource | null;
}

/**
 * Numbers the candidates first, then the other resources, each in their order. A candidate belongs to the
 * resource with its token or, on hosts that issue a new token in every answer, to the only resource with its
 * label.
 */
export function numberResources(
  candidates: readonly BindCandidate[],
  resources: readonly BindableResource[],
): NumberedResource[] {
  const byToken = new Map(resources.map((resource) => [resource.candidate_token, resource]));
  const byLabel = Map.groupBy(resources, ({ display_label }) => display_label);
  const ordered = candidates.toSorted((a, b) => a.sort_position - b.sort_position);
  const ranked = new Set<BindableResource>();
  const first = ordered.map((candidate, index) => {
    const named = byLabel.get(candidate.display_label) ?? [];
    const resource = byToken.get(candidate.candidate_token) ?? (named.length === 1 ? named[0] : undefined);
    if (resource !== undefined) ranked.add(resource);
    return {
      number: index + 1,
      candidateToken: candidate.candidate_token,
      label: candidate.display_label,
      candidate,
      resource: resource ?? null,
    };
  });
  const rest = resources
    .filter((resource) => !ranked.has(resource))
    .map((resource, index) => ({
      number: first.length + index + 1,
      candidateToken: resource.candidate_token,
      label: resource.display_label,
      candidate: null,
      resource,
    }));
  return [...first, ...rest];
}

/** The facts by which a person chooses a resource. */
export function choiceOf({ number, label, candidate }: NumberedResource): Choice {
  return {
    number,
    display_label: label,
    confidence: candidate?.confidence ?? null,
    match_reason: candidate?.match_reason ?? null,
  };
}

export function exactFirst(
  resources: readonly BindableResource[],
  { match_type, candidate_token, binding_ref }: BindResolveResponse,
): readonly BindableResource[] {
  if (match_type !== "exact") return resources;
  const isExact = (resource: BindableResource) =>
    resource.candidate_token === candidate_token ||
    (binding_ref !== null && resource.binding_ref === binding_ref);
  return [...resources.filter(isExact), ...resources.filter((resource) => !isExact(resource))];
}

/** Such as PAY. */
function keyOf({ label, resource }: NumberedResource): string | null {
  return resource?.provider_context.display_key ?? /\(([^()]+)\)\s*$/.exec(label)?.[1] ?? null;
}

/** Without the key in parentheses. */
function nameOf({ label }: NumberedResource): string {
  return label.replace(/\s*\([^()]*\)\s*$/, "");
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The ways in which a text names a resource, the surest first. */
const TIERS: readonly ((row: NumberedResource, exact: string, folded: string) => boolean)[] = [
  ({ label }, exact) => label === exact,
  ({ label }, _, folded) => fold(label) === folded,
  (row, _, folded) => fold(keyOf(row) ?? "") === folded,
  (row, _, folded) => fold(nameOf(row)) === folded,
  (row, _, folded) => fold(lastSegment(keyOf(row) ?? row.label)) === folded,
  ({ label }, _, folded) => fold(label).includes(folded),
];

/**
 * Returns the resources of the first of {@link TIERS} that has any. More than one means that the text does not
 * decide.
 */
export function matchingResources(rows: readonly NumberedResource[], text: string): NumberedResource[] {
  const exact = text.trim();
  const folded = fold(exact);
  if (folded === "") return [];
  for (const fits of TIERS) {
    const found = rows.filter((row) => fits(row, exact, folded));
    if (found.length > 0) return found;
  }
  return [];
}

/** The provider whose web host this is, by its own domain or by a server's usual name; null for any other host. */
function providerOfHost(host: string): HostedProvider | null {
  const labels = host.split(".");
  if (labels.includes("github") || host.endsWith(".ghe.com")) return "github";
  return labels.includes("gitlab") ? "gitlab" : null;
}

/**
 * Returns the providers that a project may belong to: the connected one that
 * its remote's host names, else all connected ones, else the one that the host
 * names.
 */
export function likelyProviders(
  connected: readonly HostedProvider[],
  remoteHost: string | null,
): readonly HostedProvider[] {
  const named = remoteHost === null ? null : providerOfHost(remoteHost);
  if (named !== null && (connected.length === 0 || connected.includes(named))) return [named];
  return connected;
}

export function narrowResources(rows: readonly NumberedResource[], text: string): NumberedResource[] {
  const folded = fold(text.trim());
  return rows.filter((row) => fold(row.label).includes(folded) || fold(keyOf(row) ?? "").includes(folded));
}

/** Finds a resource in a later answer, whose tokens are new; null unless exactly one fits. */
export function sameResource(
  rows: readonly NumberedResource[],
  { label, resource }: NumberedResource,
): NumberedResource | null {
  const url = resource?.provider_context.resource_url;
  const same = rows.filter(
    (row) =>
      row.label === label && (url === undefined || row.resource?.provider_context.resource_url === url),
  );
  return same.length === 1 ? (same[0] ?? null) : null;
}
