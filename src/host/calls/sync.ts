import { hostedProvider, invalidRequest } from "../check.ts";
import { type Outcome, readOperation } from "../jobs/operations.ts";
import type { Synchronization } from "../jobs/sync.ts";
import { type MappingView, routeToMapping, routingKey, upgradeOf } from "../mappings/mappings.ts";
import type { HandlerContext, Handlers } from "./handler.ts";

export const syncCalls = {
  pull: async ({ scope, signal, loadSync }, request) => {
    const { mapping, upgrade } = await findRoute(scope, request);
    if (Object.keys(request.filters ?? {}).length > 0) {
      throw invalidRequest({ filters: "filters are not supported" });
    }
    const { sync } = await loadSync();
    return { ...(await sync.pull(scope, mapping, request, signal)), ...upgrade };
  },

  push: async (context, request) => {
    const { items } = request;
    return startJob(context, request, { kind: "push", payload: { items }, total: items.length });
  },

  run: async (context, request) => {
    const { pull_first, limit, dry_run } = request;
    return startJob(context, request, { kind: "run", payload: { pull_first, limit, dry_run }, total: null });
  },

  conflicts: async ({ scope, loadSync }, request) => {
    const { mapping, upgrade } = await findRoute(scope, request);
    const { sync } = await loadSync();
    return { conflicts: await sync.conflicts(scope, mapping), ...upgrade };
  },

  resolveConflict: async ({ scope, loadSync }, request) => {
    const { mapping, upgrade } = await findRoute(scope, request);
    const { sync } = await loadSync();
    return { ...(await sync.resolveConflict(scope, mapping, request)), ...upgrade };
  },

  operation: async ({ scope, loadSync }, { operation_id }) => {
    const { operation, isAbandoned } = await readOperation(scope, operation_id);
    if (isAbandoned) await (await loadSync()).jobs.resume();
    return operation;
  },

  seedMission: async ({ scope, loadSync }, request) => {
    const { mapping, upgrade } = await findRoute(scope, request);
    const { sync } = await loadSync();
    return { ...(await sync.seedMission(scope, mapping, request)), ...upgrade };
  },

  publishMission: async (context, request) => {
    const { issue, update } = request;
    return startJob(context, request, { kind: "publish", payload: { issue, update }, total: null });
  },
} satisfies Partial<Handlers>;

interface JobFacts {
  readonly kind: keyof Synchronization["workers"];
  readonly payload: Readonly<Record<string, unknown>>;
  readonly total: number | null;
}

async function startJob(
  { scope, idempotencyKey, loadSync }: HandlerContext,
  request: Routed,
  { kind, payload, total }: JobFacts,
): Promise<Outcome<object>> {
  const { mapping, routed_by } = await findRoute(scope, request);
  const { jobs } = await loadSync();
  return jobs.start(scope, {
    kind,
    bindingRef: mapping.bindingRef,
    payload: { ...payload, routed_by },
    total,
    idempotencyKey,
  });
}

interface Route {
  readonly mapping: MappingView;
  readonly upgrade: Partial<ReturnType<typeof upgradeOf>>;
  readonly routed_by: "binding_ref" | "project_slug";
}

interface Routed {
  readonly provider: string;
  readonly binding_ref: string | null;
  readonly project_slug: string | null;
}

async function findRoute(scope: HandlerContext["scope"], request: Routed): Promise<Route> {
  const provider = hostedProvider(request.provider);
  const key = routingKey(request);
  if (key === null) throw invalidRequest({ binding_ref: "is required, or project_slug" });
  const mapping = await routeToMapping(scope, provider, key);
  return "project_slug" in key
    ? { mapping, upgrade: upgradeOf(mapping), routed_by: "project_slug" }
    : { mapping, upgrade: {}, routed_by: "binding_ref" };
}
