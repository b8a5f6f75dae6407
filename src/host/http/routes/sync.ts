import type { Context } from "hono";
import type { Hono } from "hono/quick";
import type * as v from "valibot";
import {
  ConflictsRequest,
  MissionPublishRequest,
  MissionSeedRequest,
  PullRequest,
  PushRequest,
  ResolveConflictRequest,
  RunRequest,
  TRACKER_PATH,
} from "../../../protocol.ts";
import type { TeamScope } from "../../access/team-scope.ts";
import { invalidRequest } from "../../check.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { readOperation } from "../../jobs/operations.ts";
import type { Synchronization } from "../../jobs/sync.ts";
import { type MappingView, routeToMapping, routingKey, upgradeOf } from "../../mappings/mappings.ts";
import { hostedProvider, idempotencyKeyOf, readBody } from "../request.ts";
import type { HostEnvironment } from "./environment.ts";

/** What the sync routes work with; loaded by the first request that needs it. */
export interface SyncServices {
  readonly sync: Synchronization;
  readonly jobs: Jobs;
}

/** The contract's work on a binding: sync and missions. */
export function addSyncRoutes(app: Hono<HostEnvironment>, services: () => Promise<SyncServices>): void {
  app.post(`${TRACKER_PATH}/pull`, async (c) => {
    const { request, scope, mapping, upgrade } = await routed(c, PullRequest);
    if (Object.keys(request.filters ?? {}).length > 0) {
      throw invalidRequest({ filters: "this host knows no filters" });
    }
    const { sync } = await services();
    return c.json({ ...(await sync.pull(scope, mapping, request, c.req.raw.signal)), ...upgrade });
  });

  app.post(`${TRACKER_PATH}/push`, async (c) => {
    const { request, ...route } = await routed(c, PushRequest);
    const { items } = request;
    return startJob(c, "push", route, { items }, items.length);
  });

  app.post(`${TRACKER_PATH}/run`, async (c) => {
    const { request, ...route } = await routed(c, RunRequest);
    const { pull_first, limit, dry_run } = request;
    return startJob(c, "run", route, { pull_first, limit, dry_run });
  });

  app.post(`${TRACKER_PATH}/conflicts`, async (c) => {
    const { scope, mapping, upgrade } = await routed(c, ConflictsRequest);
    const { sync } = await services();
    return c.json({ conflicts: await sync.conflicts(scope, mapping), ...upgrade });
  });

  app.post(`${TRACKER_PATH}/conflicts/resolve`, async (c) => {
    const { request, scope, mapping, upgrade } = await routed(c, ResolveConflictRequest);
    const { sync } = await services();
    return c.json({ ...(await sync.resolveConflict(scope, mapping, request)), ...upgrade });
  });

  app.get(`${TRACKER_PATH}/operations/:id`, async (c) => {
    const scope = c.get("scope");
    const { operation, isAbandoned } = await readOperation(scope, c.req.param("id"));
    if (isAbandoned) await (await services()).jobs.resume();
    return c.json(operation);
  });

  app.post(`${TRACKER_PATH}/missions/seed`, async (c) => {
    const { request, scope, mapping, upgrade } = await routed(c, MissionSeedRequest);
    const { sync } = await services();
    return c.json({ ...(await sync.seedMission(scope, mapping, request)), ...upgrade });
  });

  app.post(`${TRACKER_PATH}/missions/publish`, async (c) => {
    const { request, ...route } = await routed(c, MissionPublishRequest);
    const { issue, update } = request;
    return startJob(c, "publish", route, { issue, update });
  });

  /** Answers with the job's result, or with the operation that will have it. */
  async function startJob(
    c: Context<HostEnvironment>,
    kind: keyof Synchronization["workers"],
    { scope, mapping, routed_by }: Route,
    payload: Readonly<Record<string, unknown>>,
    total: number | null = null,
  ): Promise<Response> {
    const { jobs } = await services();
    const answer = await jobs.start(scope, {
      kind,
      bindingRef: mapping.bindingRef,
      payload: { ...payload, routed_by },
      total,
      idempotencyKey: idempotencyKeyOf(c.req.raw),
    });
    return "operation" in answer ? c.json(answer.operation, 202) : c.json(answer.result);
  }
}

/** Where a request leads. */
interface Route {
  readonly scope: TeamScope;
  readonly mapping: MappingView;
  /** What a client that still routes by slug upgrades its config with. */
  readonly upgrade: Partial<ReturnType<typeof upgradeOf>>;
  readonly routed_by: "binding_ref" | "project_slug";
}

/** The parsed request, and the mapping that it is about. */
async function routed<S extends v.GenericSchema<unknown, Routed>>(
  c: Context<HostEnvironment>,
  schema: S,
): Promise<Route & { readonly request: v.InferOutput<S> }> {
  const request = await readBody(c.req.raw, schema);
  const scope = c.get("scope");
  const provider = hostedProvider(request.provider);
  const key = routingKey(request);
  if (key === null) throw invalidRequest({ binding_ref: "is required, or project_slug" });
  const mapping = await routeToMapping(scope, provider, key);
  return "project_slug" in key
    ? { request, scope, mapping, upgrade: upgradeOf(mapping), routed_by: "project_slug" }
    : { request, scope, mapping, upgrade: {}, routed_by: "binding_ref" };
}

interface Routed {
  readonly provider: string;
  readonly binding_ref: string | null;
  readonly project_slug: string | null;
}
