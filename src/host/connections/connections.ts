import type { Connection, Installation } from "../../protocol.ts";
import { discoverWorkspaces } from "../../sdk/discovery.ts";
import { type HostedProvider, providerName } from "../../shared/providers.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { asHostError, HostError } from "../errors.ts";
import { degrade, type Inventory } from "../inventory/inventory.ts";
import type { Progress } from "../jobs/operations.ts";
import { ENVIRONMENT_KIND, type Sources } from "./sources.ts";

const COLUMNS = [
  "id",
  "provider",
  "kind",
  "base_url",
  "status",
  "account_label",
  "resource_count",
  "last_refreshed_at",
  "error",
] as const;

/** The stored connections; a connection from an environment variable is not listed. */
function current(scope: TeamScope) {
  return scope
    .connections()
    .select(COLUMNS)
    .where("removed_at", "is", null)
    .where("kind", "!=", ENVIRONMENT_KIND);
}

type ConnectionRow = Awaited<ReturnType<typeof listRows>>[number];

function listRows(scope: TeamScope) {
  return current(scope).orderBy("provider").orderBy("id").execute();
}

function toConnection({ id, ...row }: ConnectionRow): Connection {
  return { connection_id: id, ...row };
}

export async function listConnections(scope: TeamScope): Promise<Connection[]> {
  return (await listRows(scope)).map(toConnection);
}

export async function listInstallations(
  scope: TeamScope,
  provider: HostedProvider | null,
): Promise<Installation[]> {
  const bound = await scope
    .mappings()
    .select(({ fn }) => ["connection_id", fn.countAll<number>().as("count")])
    .where("status", "=", "active")
    .where("deleted_at", "is", null)
    .groupBy("connection_id")
    .execute();
  const boundCounts = new Map(bound.map(({ connection_id, count }) => [connection_id, Number(count)]));
  return (await listRows(scope))
    .filter((row) => provider === null || row.provider === provider)
    .map(({ id, kind: _, base_url: __, ...row }) => ({
      installation_id: id,
      ...row,
      bound_count: boundCounts.get(id) ?? 0,
    }));
}

export function connectionsTo(scope: TeamScope, provider: HostedProvider): Promise<ConnectionRow[]> {
  return current(scope).where("provider", "=", provider).orderBy("id").execute();
}

/**
 * The team's connections to a provider that are not removed; without one, the connection from the environment of this
 * run.
 *
 * @throws HostError `no_installation` when there is none
 */
export async function requireConnections(
  scope: TeamScope,
  sources: Sources,
  provider: HostedProvider,
): Promise<readonly [ConnectionRow, ...ConnectionRow[]]> {
  const usable = (await connectionsTo(scope, provider)).filter(({ status }) => status !== "revoked");
  const [first, ...rest] = usable;
  if (first !== undefined) return [first, ...rest];
  if (sources.hasEnvironmentCredential(provider)) return [await environmentConnection(scope, provider)];
  throw new HostError(
    "no_installation",
    `${providerName(provider)} is not connected for team "${scope.principal.team.slug}".`,
    { provider },
  );
}

/** The row of a connection from the environment; mappings refer to it. */
async function environmentConnection(scope: TeamScope, provider: HostedProvider): Promise<ConnectionRow> {
  const find = () =>
    scope
      .connections()
      .select(COLUMNS)
      .where("provider", "=", provider)
      .where("kind", "=", ENVIRONMENT_KIND)
      .executeTakeFirst();
  const known = await find();
  if (known !== undefined) return known;
  const at = scope.timestamp();
  await scope
    .insertConnection({
      id: scope.newId(),
      provider,
      kind: ENVIRONMENT_KIND,
      target: ENVIRONMENT_KIND,
      base_url: null,
      secret: null,
      account_label: "environment",
      status: "connected",
      error: null,
      resource_count: 0,
      last_refreshed_at: null,
      created_at: at,
      updated_at: at,
      removed_at: null,
    })
    .onConflict((conflict) => conflict.columns(["team_id", "provider", "kind", "target"]).doNothing())
    .execute();
  const made = await find();
  if (made === undefined) throw new Error("The connection was stored and cannot be read back.");
  return made;
}

export async function readConnection(scope: TeamScope, id: string): Promise<Connection> {
  return toConnection(await requireConnection(scope, id));
}

/** @throws HostError `connection_not_found` */
async function requireConnection(scope: TeamScope, id: string): Promise<ConnectionRow> {
  const row = await current(scope).where("id", "=", id).executeTakeFirst();
  if (row === undefined) {
    throw new HostError("connection_not_found", `The connection "${id}" does not exist.`);
  }
  return row;
}

export async function testConnection(scope: TeamScope, sources: Sources, id: string): Promise<Connection> {
  const connection = await requireConnection(scope, id);
  try {
    await discoverWorkspaces(await sources.openSource(scope, connection));
    await scope
      .updateConnection(id)
      .set({ status: "connected", error: null, updated_at: scope.timestamp() })
      .execute();
  } catch (error) {
    const known = asHostError(error);
    if (known === null) throw error;
    await degrade(scope, id, known.message);
  }
  return readConnection(scope, id);
}

export async function refreshConnection(
  scope: TeamScope,
  inventory: Inventory,
  id: string,
  onProgress: Progress,
): Promise<Connection> {
  await inventory.refresh(scope, await requireConnection(scope, id), onProgress);
  return readConnection(scope, id);
}

/** Removes a connection: its credential is erased, its resources are hidden, mappings stay. */
export async function removeConnection(scope: TeamScope, id: string): Promise<void> {
  await scope.transaction(async (transaction) => {
    const { provider } = await requireConnection(transaction, id);
    const at = transaction.timestamp();
    await transaction
      .updateConnection(id)
      .set({ secret: null, removed_at: at, updated_at: at, resource_count: 0 })
      .execute();
    await transaction
      .updateResources()
      .set({ hidden_at: at, updated_at: at })
      .where("connection_id", "=", id)
      .where("hidden_at", "is", null)
      .execute();
    await transaction.audit("connection.removed", id, { provider });
  });
}
