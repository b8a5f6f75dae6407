import type { HonoRequest } from "hono";
import { Hono } from "hono/quick";
import { ulid } from "ulid";
import type { Authenticate } from "./authentication.ts";
import { CandidateTokens } from "./candidate-token.ts";
import type { Database } from "./database/schema.ts";
import { errorEnvelope, HostError } from "./errors.ts";
import { Inventory, type OpenSource } from "./inventory.ts";
import { describeFailure, type Log } from "./log.ts";
import { addAdminRoutes } from "./routes/admin.ts";
import type { HostEnvironment } from "./routes/environment.ts";
import { addMeRoute } from "./routes/me.ts";
import { addHealthRoute, addTrackerRoutes } from "./routes/tracker.ts";
import { TeamScope } from "./team-scope.ts";

/** Everything that a control plane is made of. */
export interface HostDependencies {
  readonly database: Database;
  readonly authenticate: Authenticate;
  /** The secret that candidate tokens are signed with. */
  readonly hostKey: string;
  readonly openSource: OpenSource;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly version: string;
  readonly log: Log;
}

/** A control plane without a socket. */
export interface Host {
  /** Answers a request; never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Resolves when no work is left that runs behind the answers. */
  settled(): Promise<void>;
}

/** Wires the control plane: middleware, routes, error answers. */
export function createHost(dependencies: HostDependencies): Host {
  const { database, authenticate, hostKey, openSource, now, version, log } = dependencies;
  const inventory = new Inventory(openSource, log);
  const tokens = new CandidateTokens(hostKey, now);
  const app = new Hono<HostEnvironment>({ strict: false });

  app.use(async (c, next) => {
    const requestId = ulid(now());
    c.set("requestId", requestId);
    c.header("X-Request-Id", requestId);
    await next();
  });

  app.onError((error, c) => {
    const known = error instanceof HostError ? error : unexpected(error, c.get("requestId"), c.req);
    if (known.retryAfterSeconds !== null) c.header("Retry-After", String(known.retryAfterSeconds));
    return c.json(errorEnvelope(known), known.status);
  });

  app.notFound((c) => {
    const error = new HostError("not_found", `There is nothing at ${c.req.path}.`);
    return c.json(errorEnvelope(error), error.status);
  });

  addHealthRoute(app, version);
  app.use("/api/v1/*", async (c, next) => {
    const principal = await authenticate(c.req.raw);
    if (principal === null) {
      throw new HostError("unauthorized", "This needs a valid access token. Run `tracker auth login`.");
    }
    const team = c.req.header("x-team-slug");
    // Some Spec Kitty clients send the team's id in the header that is named after its slug.
    if (team !== undefined && team !== principal.team.slug && team !== principal.team.id) {
      throw new HostError("team_mismatch", `The access token is not for team "${team}".`);
    }
    c.set("scope", new TeamScope(database, principal, now));
    await next();
  });
  addTrackerRoutes(app, { inventory, tokens });
  addMeRoute(app);
  addAdminRoutes(app, { inventory, openSource });
  refuseOtherMethods(app);

  return {
    fetch: async (request) => app.fetch(request),
    settled: () => inventory.settled(),
  };

  /** Operators read what happened in the log; callers get its id alone. */
  function unexpected(error: Error, requestId: string, { method, path }: HonoRequest): HostError {
    const facts = { request_id: requestId, method, path, error: describeFailure(error) };
    log({ level: "error", message: "request failed", ...facts });
    return new HostError("internal", `Something went wrong (request ${requestId}).`);
  }
}

/** A known path asked with a method that it does not have is not an unknown path. */
function refuseOtherMethods(app: Hono<HostEnvironment>): void {
  const methods = new Map<string, string[]>();
  for (const { path, method } of app.routes) {
    if (method !== "ALL") methods.set(path, [...(methods.get(path) ?? []), method]);
  }
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      c.header("Allow", allowed.join(", "));
      throw new HostError("method_not_allowed", `${path} takes ${allowed.join(" or ")} only.`);
    });
  }
}
