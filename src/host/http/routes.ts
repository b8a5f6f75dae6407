import type { Context } from "hono";
import type { Hono } from "hono/quick";
import { CALLS, type Call, fillPath } from "../../protocol.ts";
import type { TeamScope } from "../access/team-scope.ts";
import type { HandlerContext, HandlerServices } from "../calls/handler.ts";
import { HANDLERS } from "../calls/handlers.ts";
import { HostError } from "../errors.ts";
import { once } from "../jobs/idempotency.ts";
import type { Outcome } from "../jobs/operations.ts";
import type { HostEnvironment } from "./environment.ts";
import { idempotencyKeyOf, readFields } from "./request.ts";

/**
 * A handler without the types of its call. The cast below is sound: the schema of the same row has parsed the
 * request.
 */
type UseCase = (context: HandlerContext, request: object) => Promise<object | null>;

const USE_CASES: ReadonlyMap<string, UseCase> = new Map(
  Object.entries(HANDLERS).map(([name, handler]) => [name, handler as UseCase]),
);

export function routePath(path: string): string {
  return fillPath(path.replace(/\/$/, ""), (name) => `:${name}`);
}

export function addRoutes(app: Hono<HostEnvironment>, services: HandlerServices): void {
  for (const [name, call] of Object.entries<Call>(CALLS)) {
    const useCase = USE_CASES.get(name);
    if (useCase === undefined) continue;
    const { method, path, request: schema, response, repeat, job, caller } = call;
    if (caller === "owner") app.use(routePath(path), requireOwner);
    app.on(method, routePath(path), async (c) => {
      const request = { ...(await readFields(c.req.raw, method, schema)), ...c.req.param() };
      const key = repeat === "keyed" ? idempotencyKeyOf(c.req.raw) : null;
      const facts = { ...services, idempotencyKey: key, signal: c.req.raw.signal };
      const work = (scope: TeamScope) => useCase({ ...facts, scope }, request);
      const isReplayed = repeat === "keyed" && job === undefined;
      const answer = isReplayed
        ? await once(c.get("scope"), { key, route: name, body: request, answer: response }, work)
        : await work(c.get("scope"));
      if (answer === null) return c.body(null, 204);
      if (job === undefined || !isOutcome(answer)) return c.json(answer);
      return "result" in answer ? c.json(answer.result) : c.json(answer.operation, 202);
    });
  }
}

function isOutcome(answer: object): answer is Outcome<object> {
  return "result" in answer || "operation" in answer;
}

async function requireOwner(c: Context<HostEnvironment>, next: () => Promise<void>): Promise<void> {
  const { role, team } = c.get("scope").principal;
  if (role !== "owner") {
    throw new HostError("forbidden", `Only an owner of team "${team.slug}" may do this.`);
  }
  await next();
}
