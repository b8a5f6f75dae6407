import type { HonoRequest } from "hono";
import { Hono } from "hono/quick";
import { ulid } from "ulid";
import { CALLS, type HealthResponse } from "../protocol.ts";
import { type Fetch, plainFetch } from "../shared/network.ts";
import type { Authenticate } from "./access/authentication.ts";
import { hasSecrets } from "./access/installation.ts";
import { TeamScope } from "./access/team-scope.ts";
import type { SyncServices } from "./calls/handler.ts";
import type { Reach } from "./connections/network.ts";
import { type OpenSource, openSource, Sources, type SourcesOptions } from "./connections/sources.ts";
import { Vault } from "./connections/vault.ts";
import type { Database } from "./database/schema.ts";
import { asHostError, errorEnvelope, HostError, unexpectedFailure } from "./errors.ts";
import type { HostEnvironment } from "./http/environment.ts";
import { addRoutes, routePath } from "./http/routes.ts";
import { CandidateTokens } from "./inventory/candidate-token.ts";
import { Inventory } from "./inventory/inventory.ts";
import { Background } from "./jobs/background.ts";
import { Operations } from "./jobs/operations.ts";
import { describeFailure, type HostLog } from "./log.ts";

const JOB_WAIT_MS = 2_000;
/**
 * The longest wait for a mission's update. The contract answers it with the issue, and some clients accept nothing
 * else. They time out after 30 s.
 */
const PUBLISH_WAIT_MS = 20_000;

export interface ProviderDependencies {
  /** Value of `TRACKER_VAULT_KEY`, which encrypts credentials. */
  readonly vaultKey?: string | undefined;
  /** Absolute path of the key file without such a value; made when needed. */
  readonly vaultKeyFile?: string;
  readonly providerFetch?: Fetch;
  /** Reaches addresses that users entered. Default: any address, by `providerFetch`. */
  readonly reach?: Reach;
  readonly openSource?: OpenSource;
  /** Returns the credential that the environment holds for a provider. Default: none. */
  readonly environmentCredential?: SourcesOptions["environmentCredential"];
}

export interface HostDependencies extends ProviderDependencies {
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly hostKey: string;
  readonly now: () => number;
  readonly version: string;
  readonly log: HostLog;
  /** The wait until a request is answered with its operation, in ms. Default 2000, for a mission's update 20,000. */
  readonly maxWaitMs?: number;
}

export interface Host {
  /** Answers a request; never rejects. */
  fetch(request: Request): Promise<Response>;
  settled(): Promise<void>;
  resume(): Promise<void>;
  /** Interrupts the work that outlives its response after `grace` milliseconds. The database may be closed then. */
  stop(grace: number): Promise<void>;
}

interface Services {
  readonly background: Background;
  readonly vault: Vault;
  readonly sources: Sources;
  readonly inventory: Inventory;
}

export function createServices(
  dependencies: ProviderDependencies & Pick<HostDependencies, "database" | "log" | "now">,
): Services {
  const { database, log, providerFetch: fetch = plainFetch } = dependencies;
  const background = new Background();
  const vault = new Vault({
    keys: dependencies.vaultKey,
    keyFile: dependencies.vaultKeyFile,
    hasSecrets: () => hasSecrets(database),
  });
  const sources = new Sources({
    vault,
    openSource: dependencies.openSource ?? openSource,
    fetch,
    reach: dependencies.reach ?? (async () => fetch),
    environmentCredential: dependencies.environmentCredential ?? (() => null),
    signal: background.signal,
    now: dependencies.now,
  });
  return { background, vault, sources, inventory: new Inventory({ sources, background, log }) };
}

export function createHost(dependencies: HostDependencies): Host {
  const { database, authenticate, hostKey, now, version, log, maxWaitMs = JOB_WAIT_MS } = dependencies;
  const services = createServices(dependencies);
  const { background } = services;
  const operations = new Operations({ background, log, maxWaitMs });
  const tokens = new CandidateTokens(hostKey, now);
  const app = new Hono<HostEnvironment>({ strict: false });

  app.use(async (c, next) => {
    const requestId = ulid(now());
    c.set("requestId", requestId);
    c.header("X-Request-Id", requestId);
    await next();
  });

  app.onError((error, c) => {
    const known = asHostError(error) ?? unexpected(error, c.get("requestId"), c.req);
    if (known.retryAfterSeconds !== null) c.header("Retry-After", String(known.retryAfterSeconds));
    // Without this, Spec Kitty clients report the effect of a refused write as unknown.
    const certainty = known.status < 500 && {
      effect_certainty: "no_effect",
      idempotency_key: c.req.header("idempotency-key") ?? null,
    };
    return c.json({ ...errorEnvelope(known), ...certainty }, known.status);
  });

  app.notFound((c) => {
    const error = new HostError("not_found", `This control plane has no path ${c.req.path}.`);
    return c.json(errorEnvelope(error), error.status);
  });

  // Spec Kitty clients probe this path.
  app.get("/", (c) => c.json({ name: "tracker", version }));
  app.get(routePath(CALLS.health.path), (c) =>
    c.json({
      status: "ok",
      version,
      database: "sqlite",
      features: ["dry_run", "known"],
    } satisfies HealthResponse),
  );
  app.get("/openapi.json", async (c) => c.json((await import("./http/openapi.ts")).OPENAPI));
  app.use("/api/v1/*", async (c, next) => {
    const principal = await authenticate(c.req.raw);
    if (principal === null) {
      throw new HostError("unauthorized", "This request needs a valid access token.");
    }
    const team = c.req.header("x-team-slug");
    // Some Spec Kitty clients send the team's id in the header that is named after its slug.
    if (team !== undefined && team !== principal.team.slug && team !== principal.team.id) {
      throw new HostError("team_mismatch", `The access token is not for team "${team}".`);
    }
    c.set("scope", new TeamScope(database, principal, now));
    await next();
  });
  let loading: Promise<SyncServices> | undefined;
  const syncServices = (): Promise<SyncServices> => {
    loading ??= loadSync();
    return loading;
  };
  addRoutes(app, { ...services, tokens, operations, loadSync: syncServices });
  refuseOtherMethods(app);

  return {
    fetch: async (request) => app.fetch(request),
    settled: () => background.settled(),
    resume: async () => (await syncServices()).jobs.resume(),
    stop: (grace) => background.stop(grace),
  };

  async function loadSync(): Promise<SyncServices> {
    const [{ Synchronization }, { Jobs }] = await Promise.all([
      import("./jobs/sync.ts"),
      import("./jobs/jobs.ts"),
    ]);
    const sync = new Synchronization(services);
    const { workers } = sync;
    const jobs = new Jobs({ database, background, workers, log, now, maxWaitMs: patienceFor });
    return { sync, jobs };
  }

  function patienceFor(kind: string): number {
    return kind === "publish" ? (dependencies.maxWaitMs ?? PUBLISH_WAIT_MS) : maxWaitMs;
  }

  /** Operators read the failure in the log; callers get its id only. */
  function unexpected(error: Error, requestId: string, { method, path }: HonoRequest): HostError {
    const facts = { request_id: requestId, method, path, error: describeFailure(error) };
    log({ level: "error", message: "request failed", ...facts });
    return unexpectedFailure(`request ${requestId}`);
  }
}

function refuseOtherMethods(app: Hono<HostEnvironment>): void {
  const methods = new Map<string, string[]>();
  for (const { path, method } of app.routes) {
    if (method !== "ALL") methods.set(path, [...(methods.get(path) ?? []), method]);
  }
  for (const [path, allowed] of methods) {
    app.all(path, (c) => {
      c.header("Allow", allowed.join(", "));
      throw new HostError("method_not_allowed", `${path} supports ${allowed.join(" and ")} only.`);
    });
  }
}
