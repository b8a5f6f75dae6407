import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ulid } from "ulid";
import * as v from "valibot";
import { tokenAuthenticate } from "../../src/host/access/authentication.ts";
import { hostKey } from "../../src/host/access/installation.ts";
import { createToken } from "../../src/host/access/tokens.ts";
import { createHost, type HostDependencies } from "../../src/host/app.ts";
import { type OpenSource, openSource } from "../../src/host/connections/sources.ts";
import type { Database, Role } from "../../src/host/database/schema.ts";
import { openSqlite } from "../../src/host/database/sqlite.ts";
import type { LogEntry } from "../../src/host/log.ts";
import { CALLS, type Call, ErrorEnvelope, fillPath, OperationAccepted } from "../../src/protocol.ts";
import type { DiscoveredResource, DiscoveredWorkspace } from "../../src/sdk/discovery.ts";
import { MemoryDiscovery } from "../../src/sdk/testing/discovery.ts";
import type { Fetch } from "../../src/shared/network.ts";

export const IDENTITY = {
  uuid: "6c1f0b0e-4f0a-4d57-9f5e-0d4f8f3f2f11",
  slug: "payments-api",
  node_id: "0123456789ab",
  repo_slug: "acme/payments-api",
};

/** A project that resembles nothing of the test inventory. */
export const STRANGER = {
  uuid: "99999999-0000-4000-8000-000000000000",
  slug: "zzz",
  node_id: "0",
  repo_slug: null,
};

function workspace(provider: string): DiscoveredWorkspace {
  return {
    id: `${provider}-acme`,
    display: "Acme",
    kind: "organization",
    provider,
    providerContext: { workspace_handle: "acme", workspace_url: `https://${provider}.example/acme` },
  };
}

/** A resource whose path or key is `key` and whose stable reference stays when it is renamed. */
export function resource(
  provider: string,
  key: string,
  name = key,
  stableRef = `id:${key}`,
): DiscoveredResource {
  return {
    stableRef,
    displayName: name,
    kind: "repository",
    provider,
    workspaceId: `${provider}-acme`,
    connectorParams: { id: stableRef },
    routingMetadata: { display_key: key, resource_url: `https://${provider}.example/${key}` },
  };
}

const DEFAULT_RESOURCES: Readonly<Record<string, readonly DiscoveredResource[]>> = {
  github: ["acme/payments-api", "acme/billing", "acme/docs"].map((path) => resource("github", path)),
  linear: [
    resource("linear", "PAY", "Payments API"),
    resource("linear", "PMT", "Payments"),
    resource("linear", "OPS", "Operations"),
  ],
};

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly token?: string | null;
  readonly team?: string | null;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborted when the caller goes away. */
  readonly signal?: AbortSignal;
}

let empty: Promise<Uint8Array> | undefined;

/** A database with the newest schema and nothing else: its migrations take longer than most tests. */
function emptyDatabase(): Promise<Uint8Array> {
  empty ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), "tracker-host-test-"));
    const path = join(folder, "tracker.db");
    const database = await openSqlite(path);
    await database.destroy();
    const bytes = readFileSync(path);
    rmSync(folder, { recursive: true });
    return bytes;
  })();
  return empty;
}

/** A host over a database file, driven by requests as a client makes them. */
export class TestHost {
  readonly resources = new Map<string, readonly DiscoveredResource[]>(Object.entries(DEFAULT_RESOURCES));
  readonly log: LogEntry[] = [];
  /** Throws instead of answering discovery when set. */
  discoveryFailure: Error | null = null;
  /** Opens what is not demo data. */
  openReal: OpenSource = openSource;
  /** What the host is made of beside the defaults; counts from the next restart on. */
  settings: Partial<HostDependencies> = {};
  now = Date.parse("2026-03-01T12:00:00Z");
  database: Database;
  token = "";
  #fetch: (request: Request) => Promise<Response> = () => Promise.reject(new Error("not open"));
  #settled: () => Promise<void> = async () => {};
  #stop: (grace: number) => Promise<void> = async () => {};
  readonly #folder: string;

  private constructor(folder: string, database: Database) {
    this.#folder = folder;
    this.database = database;
  }

  /** A host whose team `acme` has the demo data of these providers connected. */
  static async open(providers: readonly string[] = ["github", "linear"]): Promise<TestHost> {
    const folder = mkdtempSync(join(tmpdir(), "tracker-host-test-"));
    const path = join(folder, "tracker.db");
    writeFileSync(path, await emptyDatabase(), { mode: 0o600 });
    const host = new TestHost(folder, await openSqlite(path));
    await host.#wire();
    host.token = (await host.addTeam("acme")).token;
    for (const provider of providers) await host.connect(provider);
    return host;
  }

  get databasePath(): string {
    return join(this.#folder, "tracker.db");
  }

  get keyFile(): string {
    return `${this.databasePath}.key`;
  }

  async #wire(): Promise<void> {
    const host = createHost({
      database: this.database,
      authenticate: tokenAuthenticate(this.database),
      hostKey: await hostKey(this.database),
      openSource: this.#openSource,
      vaultKeyFile: this.keyFile,
      now: () => this.now,
      version: "1.2.3",
      log: (entry) => this.log.push(entry),
      // No request of a test is to become an operation because the machine is slow.
      maxWaitMs: 60_000,
      ...this.settings,
    });
    this.#fetch = host.fetch;
    this.#settled = host.settled;
    this.#stop = host.stop;
  }

  readonly #openSource: OpenSource = async (access) => {
    const { provider } = access;
    if (access.credential !== null) return this.openReal(access);
    if (this.discoveryFailure !== null) throw this.discoveryFailure;
    const resources = this.resources.get(provider) ?? [];
    return new MemoryDiscovery({
      provider,
      workspaces: [{ workspace: workspace(provider), resources }],
      pageSize: 2,
    });
  };

  async addTeam(slug: string, role: Role = "owner"): Promise<{ teamId: string; token: string }> {
    const created_at = new Date(this.now).toISOString();
    const teamId = ulid();
    await this.database.insertInto("teams").values({ id: teamId, slug, name: slug, created_at }).execute();
    return { teamId, token: await this.addMember(teamId, role) };
  }

  async addMember(teamId: string, role: Role): Promise<string> {
    const userId = ulid();
    const created_at = new Date(this.now).toISOString();
    await this.database
      .insertInto("users")
      .values({ id: userId, email: `${role}@acme.example`, name: role, created_at })
      .execute();
    await this.database
      .insertInto("memberships")
      .values({ team_id: teamId, user_id: userId, role })
      .execute();
    return createToken(this.database, { teamId, userId, name: "test", now: this.now });
  }

  async teamId(slug = "acme"): Promise<string> {
    const team = await this.database
      .selectFrom("teams")
      .select("id")
      .where("slug", "=", slug)
      .executeTakeFirstOrThrow();
    return team.id;
  }

  /** Closes the database and opens it again, as a restart does. */
  async restart(settings: Partial<HostDependencies> = this.settings): Promise<void> {
    this.settings = settings;
    await this.database.destroy();
    this.database = await openSqlite(this.databasePath);
    await this.#wire();
  }

  /** Ends what runs behind the answers, as the end of the process does. */
  async stop(): Promise<void> {
    await this.#stop(0);
  }

  async settled(): Promise<void> {
    await this.#settled();
  }

  async close(): Promise<void> {
    await this.#stop(60_000);
    await this.database.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Answers a client's request as the host does. */
  readonly fetch: Fetch = (request) => this.#fetch(request);

  async send(request: Request): Promise<Answer> {
    const response = await this.#fetch(request);
    const text = await response.text();
    const parsed: unknown = text === "" ? {} : JSON.parse(text);
    expectContract(request, response.status, text === "" ? null : parsed);
    return { status: response.status, headers: response.headers, body: asObject(parsed) };
  }

  call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { body, token = this.token, team = null, key, headers = {}, signal } = options;
    const init: RequestInit = {
      method,
      ...(signal !== undefined && { signal }),
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(team !== null && { "x-team-slug": team }),
        ...(key !== undefined && { "idempotency-key": key }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    };
    return this.send(new Request(`http://host.test/api/v1/${path}`, init));
  }

  get(path: string, options: CallOptions = {}): Promise<Answer> {
    return this.call("GET", path, options);
  }

  post(path: string, body: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call("POST", path, { ...options, body });
  }

  async connect(provider: string, options: CallOptions = {}): Promise<string> {
    const answer = await this.post("admin/connections/", { provider, kind: "demo" }, options);
    if (answer.status !== 200) throw new Error(`connect ${provider}: ${JSON.stringify(answer.body)}`);
    return String(answer.body.connection_id);
  }

  /** The token of the resource with that label. */
  async candidate(provider: string, label: string, options: CallOptions = {}): Promise<string> {
    const { body } = await this.get(`tracker/resources/?provider=${provider}`, options);
    const found = list(body.resources).find((item) => item.display_label === label);
    if (found === undefined) throw new Error(`no resource ${label} in ${JSON.stringify(body)}`);
    return String(found.candidate_token);
  }

  resolve(
    provider: string,
    project_identity: unknown = IDENTITY,
    options: CallOptions = {},
  ): Promise<Answer> {
    return this.post("tracker/bind-resolve/", { provider, project_identity }, options);
  }

  confirm(
    provider: string,
    candidate_token: string,
    identity: unknown = IDENTITY,
    options: CallOptions = {},
  ) {
    const body = { provider, candidate_token, project_identity: identity };
    return this.post("tracker/bind-confirm/", body, options);
  }

  /** Binds the project to the resource with that label. */
  async bind(provider: string, label: string, identity: unknown = IDENTITY): Promise<string> {
    const answer = await this.confirm(provider, await this.candidate(provider, label), identity);
    if (answer.status !== 200) throw new Error(`confirm: ${JSON.stringify(answer.body)}`);
    return String(answer.body.binding_ref);
  }

  /** Changes a mapping as an administrator would; the calls for that come with the dashboard. */
  async alter(bindingRef: string, change: { status?: "disabled"; deleted_at?: string }): Promise<void> {
    await this.database.updateTable("mappings").set(change).where("binding_ref", "=", bindingRef).execute();
  }
}

/** Throws when an answer is not as its row of the table, or the error envelope, describes it. */
function expectContract({ method, url }: Request, status: number, body: unknown): void {
  const schema = status === 202 ? OperationAccepted : status < 300 ? responseOf(method, url) : ErrorEnvelope;
  if (schema === null) return;
  const { issues } = v.safeParse(schema, body);
  if (issues === undefined) return;
  throw new Error(`${method} ${url} ${status}: ${v.summarize(issues)} in ${JSON.stringify(body)}`);
}

function responseOf(method: string, url: string): v.GenericSchema | null {
  const path = new URL(url).pathname.replace(/\/$/, "");
  const fits = ({ path: pattern }: Call) =>
    new RegExp(`^${fillPath(pattern.replace(/\/$/, ""), () => "[^/]+")}$`).test(path);
  const [first, ...others] = Object.values<Call>(CALLS)
    .filter((call) => call.method === method && fits(call))
    .map(({ response }) => response);
  return first === undefined ? null : v.union([first, ...others]);
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error(`not an object: ${JSON.stringify(value)}`);
  return Object.fromEntries(Object.entries(value));
}

/** The objects of an array in an answer. */
export function list(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) throw new Error(`not an array: ${JSON.stringify(value)}`);
  return value.map(asObject);
}
