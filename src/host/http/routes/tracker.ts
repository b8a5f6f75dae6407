import type { Hono } from "hono/quick";
import * as v from "valibot";
import {
  BindConfirmRequest,
  BindConfirmResponse,
  BindResolveRequest,
  type BindResolveResponse,
  BindValidateRequest,
  type HealthResponse,
  IssueSearchRequest,
  ListTicketsRequest,
  TRACKER_PATH,
} from "../../../protocol.ts";
import type { HostedProvider } from "../../../shared/providers.ts";
import type { TeamScope } from "../../access/team-scope.ts";
import { connectionsTo, listInstallations, requireConnections } from "../../connections/connections.ts";
import type { Sources } from "../../connections/sources.ts";
import type { CandidateTokens } from "../../inventory/candidate-token.ts";
import type { Inventory } from "../../inventory/inventory.ts";
import { certainMatch, rankCandidates } from "../../inventory/resolution.ts";
import { freeResources, freeResourcesAt, listResources, takenResourceAt } from "../../inventory/resources.ts";
import { once } from "../../jobs/idempotency.ts";
import { identityPathOf, lastSyncs, syncStateOf } from "../../jobs/sync-state.ts";
import {
  confirmMapping,
  listMappings,
  type MappingView,
  mappingsOf,
  routeToMapping,
  routingKey,
  toWire,
  upgradeOf,
  validateMapping,
} from "../../mappings/mappings.ts";
import { hostedProvider, idempotencyKeyOf, readBody, readQuery } from "../request.ts";
import type { HostEnvironment } from "./environment.ts";

/** Most resources on one page of `resources`. */
const MAX_LIMIT = 1000;

const optionalText = v.optional(v.string());
const provider = v.pipe(v.string(), v.nonEmpty("must not be empty"));
const Limit = v.pipe(
  v.string(),
  v.regex(/^\d{1,9}$/, "must be a whole number"),
  v.transform(Number),
  v.minValue(1, "must be at least 1"),
  v.maxValue(MAX_LIMIT, `must be at most ${MAX_LIMIT}`),
);

const ResourcesQuery = v.object({
  provider,
  q: optionalText,
  limit: v.optional(Limit),
  cursor: optionalText,
  refresh: optionalText,
});
const InstallationsQuery = v.object({ provider: v.optional(provider) });
const RoutedQuery = v.object({ provider, binding_ref: optionalText, project_slug: optionalText });

/** What the tracker routes work with. */
export interface TrackerRoutes {
  readonly inventory: Inventory;
  readonly sources: Sources;
  readonly tokens: CandidateTokens;
}

/** The one call that needs no caller. */
export function addHealthRoute(app: Hono<HostEnvironment>, version: string): void {
  app.get(`${TRACKER_PATH}/health`, (c) =>
    c.json({ status: "ok", version, database: "sqlite" } satisfies HealthResponse),
  );
}

/** The contract's calls below `/api/v1/tracker`. */
export function addTrackerRoutes(
  app: Hono<HostEnvironment>,
  { inventory, sources, tokens }: TrackerRoutes,
): void {
  app.get(`${TRACKER_PATH}/resources`, async (c) => {
    const query = readQuery(c.req.raw, ResourcesQuery);
    const scope = c.get("scope");
    const provider = hostedProvider(query.provider);
    const connections = await requireConnections(scope, provider);
    if (query.refresh === "1") {
      await inventory.refreshNow(scope, connections);
    } else {
      for (const connection of connections) inventory.refreshBehind(scope, connection);
    }
    const { q = null, limit = null, cursor = null } = query;
    const { resources, next_cursor } = await listResources(scope, tokens, { provider, q, limit, cursor });
    const [{ id: installation_id }] = connections;
    return c.json({ resources, installation_id, provider, ...(limit !== null && { next_cursor }) });
  });

  app.post(`${TRACKER_PATH}/bind-resolve`, async (c) => {
    const request = await readBody(c.req.raw, BindResolveRequest);
    const scope = c.get("scope");
    const provider = hostedProvider(request.provider);
    for (const connection of await requireConnections(scope, provider)) {
      inventory.refreshBehind(scope, connection);
    }
    return c.json(await resolve(scope, tokens, provider, request.project_identity));
  });

  app.post(`${TRACKER_PATH}/bind-confirm`, async (c) => {
    const request = await readBody(c.req.raw, BindConfirmRequest);
    const provider = hostedProvider(request.provider);
    const answer = await once(
      c.get("scope"),
      {
        key: idempotencyKeyOf(c.req.raw),
        route: "bind-confirm",
        body: request,
        answer: BindConfirmResponse,
      },
      (scope) => {
        const resourceId = tokens.redeem(request.candidate_token, { teamId: scope.teamId, provider });
        return confirmMapping(scope, { provider, resourceId, identity: request.project_identity });
      },
    );
    return c.json(answer);
  });

  app.post(`${TRACKER_PATH}/bind-validate`, async (c) => {
    const request = await readBody(c.req.raw, BindValidateRequest);
    const provider = hostedProvider(request.provider);
    return c.json(
      await validateMapping(c.get("scope"), provider, request.binding_ref, request.project_identity),
    );
  });

  app.get(`${TRACKER_PATH}/installations`, async (c) => {
    const query = readQuery(c.req.raw, InstallationsQuery);
    const provider = query.provider === undefined ? null : hostedProvider(query.provider);
    return c.json({ installations: await listInstallations(c.get("scope"), provider) });
  });

  app.get(`${TRACKER_PATH}/status`, async (c) => {
    const query = readQuery(c.req.raw, RoutedQuery);
    const scope = c.get("scope");
    const provider = hostedProvider(query.provider);
    const key = routingKey(query);
    if (key === null) return c.json(await installationStatus(scope, provider));
    return c.json(await projectStatus(scope, await routeToMapping(scope, provider, key)));
  });

  app.get(`${TRACKER_PATH}/mappings`, async (c) => {
    const query = readQuery(c.req.raw, RoutedQuery);
    const scope = c.get("scope");
    const provider = hostedProvider(query.provider);
    const key = routingKey(query);
    if (key === null) return c.json({ mappings: (await listMappings(scope, provider)).map(toWire) });
    const mapping = await routeToMapping(scope, provider, key);
    return c.json({ ...upgradeOf(mapping), mappings: [toWire(mapping)] });
  });

  app.post(`${TRACKER_PATH}/list-tickets`, async (c) => {
    const request = await readBody(c.req.raw, ListTicketsRequest);
    const provider = hostedProvider(request.provider);
    const { listTickets } = await import("../../jobs/tickets.ts");
    return c.json(await listTickets(c.get("scope"), sources, { ...request, provider }));
  });

  app.post(`${TRACKER_PATH}/issue-search`, async (c) => {
    const request = await readBody(c.req.raw, IssueSearchRequest);
    const provider = hostedProvider(request.provider);
    const { searchTickets } = await import("../../jobs/tickets.ts");
    return c.json(await searchTickets(c.get("scope"), sources, { ...request, provider }));
  });
}

/** Rules 1 to 3 by indexed queries; only without certainty is the inventory read. */
async function resolve(
  scope: TeamScope,
  tokens: CandidateTokens,
  provider: HostedProvider,
  identity: BindResolveRequest["project_identity"],
): Promise<BindResolveResponse> {
  const issue = (resourceId: string) => tokens.issue({ teamId: scope.teamId, provider, resourceId });
  const nothing: BindResolveResponse = {
    match_type: "none",
    candidate_token: null,
    binding_ref: null,
    display_label: null,
    project_slug: null,
    provider_context: null,
    candidates: [],
  };
  const mappings = await mappingsOf(scope, provider, identity);
  const atPath =
    identity.repo_slug === null ? [] : await freeResourcesAt(scope, provider, identity.repo_slug);
  const certain = certainMatch(identity, mappings, atPath);
  if (certain !== null && "mapping" in certain) {
    const { mapping } = certain;
    // A confirm is not needed, but lets a project known by its slug alone get its uuid.
    const confirmable = mapping.projectUuid === null ? mapping.resourceId : null;
    return {
      ...nothing,
      match_type: "exact",
      candidate_token: confirmable === null ? null : issue(confirmable),
      binding_ref: mapping.bindingRef,
      display_label: mapping.label,
      project_slug: mapping.projectSlug,
      provider_context: mapping.context,
    };
  }
  if (certain !== null) {
    const { resource } = certain;
    return {
      ...nothing,
      match_type: "exact",
      candidate_token: issue(resource.id),
      display_label: resource.label,
      provider_context: resource.context,
    };
  }
  const taken =
    identity.repo_slug === null ? null : await takenResourceAt(scope, provider, identity.repo_slug);
  const uncertain = { ...nothing, ...(taken !== null && { taken }) };
  const candidates = rankCandidates(identity, mappings, await freeResources(scope, provider));
  if (candidates.length === 0) return uncertain;
  return {
    ...uncertain,
    match_type: "candidates",
    candidates: candidates.map(({ resource, confidence, reason }, index) => ({
      candidate_token: issue(resource.id),
      display_label: resource.label,
      confidence,
      match_reason: reason,
      sort_position: index,
    })),
  };
}

async function installationStatus(scope: TeamScope, provider: HostedProvider) {
  const connections = await connectionsTo(scope, provider);
  const mappings = await listMappings(scope, provider);
  const synced = await lastSyncs(scope);
  return {
    provider,
    connected: connections.some(({ status }) => status !== "revoked"),
    resource_count: connections.reduce((sum, connection) => sum + connection.resource_count, 0),
    bindings: mappings.map((mapping) => ({
      binding_ref: mapping.bindingRef,
      project_slug: mapping.projectSlug,
      display_label: mapping.label,
      status: mapping.state === "active" && mapping.problem !== null ? "error" : mapping.state,
      bound_at: mapping.boundAt,
      last_synced_at: synced.get(mapping.bindingRef) ?? null,
    })),
  };
}

async function projectStatus(scope: TeamScope, mapping: MappingView) {
  return {
    provider: mapping.provider,
    connected: mapping.connected,
    configured: true,
    ...upgradeOf(mapping),
    identity_path: identityPathOf(mapping),
    ...(await syncStateOf(scope, mapping)),
  };
}
