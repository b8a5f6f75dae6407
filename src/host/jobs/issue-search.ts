import type * as v from "valibot";
import type {
  IssueSearchRequest,
  IssueSearchResponse,
  ListTicketsRequest,
  ListTicketsResponse,
  RoutingKey,
} from "../../protocol.ts";
import type { TrackerConnector } from "../../sdk/connector.ts";
import type { CanonicalIssue } from "../../sdk/model.ts";
import { type HostedProvider, providerName } from "../../shared/providers.ts";
import { wireTicket } from "../../sync/envelope.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { requireConnections } from "../connections/connections.ts";
import type { Sources } from "../connections/sources.ts";
import { plainRef } from "../database/json.ts";
import { HostError, withHostErrors } from "../errors.ts";
import {
  listMappings,
  type MappingView,
  requireConnected,
  routeToMapping,
  routingKey,
  upgradeOf,
} from "../mappings/mappings.ts";

type CheckedProvider<R> = Omit<R, "provider"> & { readonly provider: HostedProvider };

export async function listTickets(
  scope: TeamScope,
  sources: Sources,
  request: CheckedProvider<ListTicketsRequest>,
): Promise<v.InferInput<typeof ListTicketsResponse>> {
  const { limit } = request;
  const { issues, ...rest } = await read(scope, sources, request, (tracker) =>
    tracker.searchIssues({ limit }),
  );
  return { tickets: issues, ...rest };
}

/**
 * The issue with a key, else issues with these words, else the ones that changed last.
 *
 * @throws HostError `invalid_request` when no resource is named and there is not exactly one, `binding_not_found`,
 * `mapping_disabled`, `no_installation` when the named one cannot be used, `provider_rejected`,
 * `provider_unavailable`, `rate_limited` when the provider does not answer
 */
export async function searchIssuesOf(
  scope: TeamScope,
  sources: Sources,
  request: CheckedProvider<IssueSearchRequest>,
): Promise<v.InferInput<typeof IssueSearchResponse>> {
  const { limit } = request;
  const key = request.query_key?.trim() ?? "";
  const text = request.query_text?.trim() ?? "";
  const { issues, ...rest } = await read(scope, sources, request, async (tracker) => {
    if (key !== "") {
      const found = await tracker.findIssue(key);
      return found === null ? [] : [found];
    }
    // Users type a key where words are expected.
    const named = isKey(text) ? await tracker.findIssue(text) : null;
    return named === null ? tracker.searchIssues({ limit, ...(text !== "" && { text }) }) : [named];
  });
  return { candidates: issues, ...rest };
}

async function read(
  scope: TeamScope,
  sources: Sources,
  request: CheckedProvider<Pick<ListTicketsRequest, "provider" | "binding_ref" | "project_slug">>,
  fetch: (tracker: TrackerConnector) => Promise<readonly CanonicalIssue[]>,
) {
  const { provider } = request;
  const key = routingKey(request);
  const mapping =
    key === null ? await onlyMapping(scope, sources, provider) : await connected(scope, provider, key);
  const issues = await withHostErrors(async () => {
    const tracker = await sources.openConnector(scope, mapping);
    const found = await fetch(tracker);
    // A provider's search may find other resources; the mapping limits the result to its own.
    return found.filter(({ ref }) => ref.system === tracker.provider && ref.workspace === tracker.workspace);
  });
  const resource_id = plainRef(mapping.routing, mapping.resourceRef);
  return {
    issues: issues.map((issue) => wireTicket(issue, { id: resource_id, name: mapping.label })),
    resource_type: mapping.routing.resource.kind,
    resource_id,
    ...(key !== null && "project_slug" in key && upgradeOf(mapping)),
  };
}

async function connected(scope: TeamScope, provider: HostedProvider, key: RoutingKey): Promise<MappingView> {
  const mapping = await routeToMapping(scope, provider, key);
  requireConnected(mapping);
  return mapping;
}

async function onlyMapping(
  scope: TeamScope,
  sources: Sources,
  provider: HostedProvider,
): Promise<MappingView> {
  await requireConnections(scope, sources, provider);
  const usable = (await listMappings(scope, provider)).filter(
    ({ state, connected }) => state === "active" && connected,
  );
  const [only, ...others] = usable;
  if (only !== undefined && others.length === 0) return only;
  const problem =
    only === undefined
      ? `No project is bound to ${providerName(provider)}.`
      : `${usable.length} projects are bound to ${providerName(provider)}. Name one by binding_ref or project_slug.`;
  throw new HostError("invalid_request", problem, {
    provider,
    details: { project_slugs: usable.map(({ projectSlug }) => projectSlug) },
  });
}

function isKey(text: string): boolean {
  return /^(#\d+|[a-z][a-z0-9]*-\d+)$/i.test(text);
}
