/** The inventory: the resources that a team's connections can bind, filled by the SDK's discovery. */
import { isDeepStrictEqual } from "node:util";
import type { ProviderContext } from "../../protocol.ts";
import {
  type DiscoveredResource,
  type DiscoveredWorkspace,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
  type FoundResource,
  findResource,
  type ResourceNames,
} from "../../sdk/discovery.ts";
import { DiscoveryContractError } from "../../sdk/errors.ts";
import type { Page } from "../../sdk/model.ts";
import { fold } from "../../shared/text.ts";
import type { TeamScope } from "../access/team-scope.ts";
import { type ConnectionKey, ENVIRONMENT_KIND, type Sources } from "../connections/sources.ts";
import { batches } from "../database/batches.ts";
import { qualifiedRef, type RoutingMetadata } from "../database/json.ts";
import { asHostError } from "../errors.ts";
import type { Background } from "../jobs/background.ts";
import { type Progress, within } from "../jobs/operations.ts";
import { describeFailure, type HostLog } from "../log.ts";
import { lastSegment, matchKey, pathKey } from "./matching.ts";

/** Age from which an inventory is refreshed after the response, in milliseconds. */
const STALE_AFTER_MS = 10 * 60_000;
/** The longest wait of a response for a requested refresh, in milliseconds; clients time out after 30 s. */
const MAX_REFRESH_WAIT_MS = 20_000;
const MAX_PARALLEL_READS = 4;

interface WorkspaceResources {
  readonly workspace: DiscoveredWorkspace;
  readonly resources: readonly DiscoveredResource[];
}

interface DiscoveredInventory {
  readonly workspaces: readonly WorkspaceResources[];
}

/**
 * Reads all pages of a provider, the resources of a few workspaces at a time. The result has the order of the
 * provider's pages.
 *
 * @param onProgress receives the number of resources read so far
 * @throws TrackerSdkError when the provider refuses, cannot be reached or breaks the contract
 */
export async function discoverAll(
  source: DiscoverySource,
  onProgress: Progress = () => {},
): Promise<DiscoveredInventory> {
  const workspaces = new Map<string, DiscoveredWorkspace>();
  for await (const workspace of pagesOf(source.provider, (cursor) => discoverWorkspaces(source, cursor))) {
    workspaces.set(workspace.id, workspace);
  }
  let read = 0;
  const found = await mapConcurrently([...workspaces.values()], async (workspace) => {
    const resources = new Map<string, DiscoveredResource>();
    const list = (cursor: string | null) => discoverResources(source, workspace, cursor);
    for await (const resource of pagesOf(source.provider, list)) {
      resources.set(resource.stableRef, resource);
      onProgress(++read);
    }
    return { workspace, resources: [...resources.values()] };
  });
  return { workspaces: found };
}

async function mapConcurrently<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Map<number, R>();
  // A generator, because a loop that fails ends it for all workers.
  const waiting = (function* () {
    yield* items.entries();
  })();
  const worker = async () => {
    for (const [index, item] of waiting) results.set(index, await work(item));
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL_READS }, worker));
  return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
}

async function* pagesOf<T>(provider: string, read: (cursor: string | null) => Promise<Page<T>>) {
  const seen = new Set<string>();
  for (let cursor: string | null = null; ; ) {
    const page: Page<T> = await read(cursor);
    yield* page.items;
    if (page.nextCursor === null) return;
    if (seen.has(page.nextCursor)) {
      throw new DiscoveryContractError(provider, "nextCursor", "leads back to a page that was read before");
    }
    seen.add(page.nextCursor);
    cursor = page.nextCursor;
  }
}

interface InventoryOptions {
  readonly sources: Sources;
  readonly background: Background;
  readonly log: HostLog;
}

export class Inventory {
  readonly #sources: Sources;
  readonly #background: Background;
  readonly #log: HostLog;
  readonly #running = new Map<string, Promise<void>>();

  constructor({ sources, background, log }: InventoryOptions) {
    this.#sources = sources;
    this.#background = background;
    this.#log = log;
  }

  /**
   * Replaces a connection's inventory by the provider's current resources. When that fails, the old rows stay and the
   * connection is marked degraded with the reason. Does not throw for a provider's failure.
   *
   * @throws HostError when the host stops meanwhile
   */
  refresh(scope: TeamScope, connection: ConnectionKey, onProgress?: Progress): Promise<void> {
    const running = this.#running.get(connection.id);
    if (running !== undefined) return running;
    const refresh = this.#background.track(
      this.#refresh(scope, connection, onProgress).finally(() => this.#running.delete(connection.id)),
    );
    this.#running.set(connection.id, refresh);
    return refresh;
  }

  async #refresh(scope: TeamScope, connection: ConnectionKey, onProgress?: Progress): Promise<void> {
    try {
      const source = await this.#sources.openSource(scope, connection);
      const found = await this.#background.interruptible(discoverAll(source, onProgress));
      await scope.transaction(async (transaction) => {
        if (await isConnected(transaction, connection.id)) await store(transaction, connection, found);
      });
    } catch (error) {
      this.#background.signal.throwIfAborted();
      if (asHostError(error) === null) {
        this.#log({
          level: "error",
          message: "inventory refresh failed",
          connection_id: connection.id,
          error: describeFailure(error),
        });
      }
      await degrade(scope, connection.id, failureReason(error));
    }
  }

  /** Refreshes inventories before the response; a refresh that takes too long continues after it. */
  async refreshNow(scope: TeamScope, connections: readonly ConnectionKey[]): Promise<void> {
    const refreshing = connections.map((connection) => this.refresh(scope, connection));
    await within(Promise.all(refreshing), MAX_REFRESH_WAIT_MS);
  }

  /**
   * Asks the connections for one resource by its recorded name and stores it, without reading the inventory. Returns
   * the ids of the found rows.
   *
   * @throws TrackerSdkError when a provider refuses or cannot be reached
   */
  async find(
    scope: TeamScope,
    connections: readonly ConnectionKey[],
    names: ResourceNames,
  ): Promise<readonly string[]> {
    const ids = connections.map(async (connection) => {
      const source = await this.#sources.openSource(scope, connection);
      const found = await this.#background.interruptible(findResource(source, names));
      return found === null
        ? []
        : [await scope.transaction((transaction) => storeOne(transaction, connection, found))];
    });
    return (await Promise.all(ids)).flat();
  }

  /** Reads new inventories before the response, and refreshes stale ones after it. */
  async refreshForAnswer(
    scope: TeamScope,
    connections: readonly (ConnectionKey & { readonly last_refreshed_at: string | null })[],
  ): Promise<void> {
    const unread = connections.filter(({ last_refreshed_at }) => last_refreshed_at === null);
    if (unread.length > 0) await this.refreshNow(scope, unread);
    for (const connection of connections) {
      if (connection.last_refreshed_at !== null) this.refreshAfterAnswer(scope, connection);
    }
  }

  refreshAfterAnswer(
    scope: TeamScope,
    connection: ConnectionKey & { readonly last_refreshed_at: string | null },
  ): void {
    const age = scope.now() - Date.parse(connection.last_refreshed_at ?? "1970-01-01T00:00:00Z");
    if (age <= STALE_AFTER_MS) return;
    this.refresh(scope, connection).catch((error: unknown) => {
      if (this.#background.signal.aborted) return;
      this.#log({ level: "error", message: "inventory refresh failed", error: describeFailure(error) });
    });
  }
}

/** The reason for a failed discovery, for users; the log has the details for operators. */
function failureReason(error: unknown): string {
  return asHostError(error)?.message ?? "The inventory could not be refreshed.";
}

async function isConnected(scope: TeamScope, connectionId: string): Promise<boolean> {
  const row = await scope
    .connections()
    .select("id")
    .where("id", "=", connectionId)
    .where("removed_at", "is", null)
    .executeTakeFirst();
  return row !== undefined;
}

export async function degrade(scope: TeamScope, connectionId: string, reason: string): Promise<void> {
  await scope
    .updateConnection(connectionId)
    .set({ status: "degraded", error: reason, updated_at: scope.timestamp() })
    .execute();
}

/** Stores the found resources, hides the missing ones, and updates the mappings; call it inside a transaction. */
export async function store(
  scope: TeamScope,
  connection: ConnectionKey,
  found: DiscoveredInventory,
): Promise<void> {
  const at = scope.timestamp();
  const workspaceIds = await storeWorkspaces(scope, connection, found, at);
  const rows = new Map(
    found.workspaces.flatMap(({ workspace, resources }) => {
      const workspaceId = workspaceIds.get(workspace.id) ?? "";
      return resources.map((resource) => {
        const row = rowOf(scope, connection, workspaceId, { workspace, resource });
        return [row.stable_ref, row] as const;
      });
    }),
  );
  await hideVanished(scope, connection.id, rows, at);
  await followResources(scope, connection, rows, at);
  await upsertResources(scope, [...rows.values()]);
  await scope
    .updateConnection(connection.id)
    .set({
      status: "connected",
      error: null,
      account_label: accountLabel(found),
      resource_count: rows.size,
      last_refreshed_at: at,
      updated_at: at,
    })
    .execute();
}

/** Stores one resource and its workspace without hiding others, and returns the row's id. */
async function storeOne(scope: TeamScope, connection: ConnectionKey, found: FoundResource): Promise<string> {
  const { workspace, resource } = found;
  const workspaces = [{ workspace, resources: [resource] }];
  const workspaceIds = await storeWorkspaces(scope, connection, { workspaces }, scope.timestamp());
  const row = rowOf(scope, connection, workspaceIds.get(workspace.id) ?? "", found);
  await upsertResources(scope, [row]);
  const stored = await scope
    .resources()
    .select("id")
    .where("connection_id", "=", connection.id)
    .where("stable_ref", "=", row.stable_ref)
    .executeTakeFirstOrThrow();
  return stored.id;
}

function rowOf(
  scope: TeamScope,
  connection: ConnectionKey,
  workspaceId: string,
  { workspace, resource }: FoundResource,
) {
  return {
    id: scope.newId(),
    provider: connection.provider,
    connection_id: connection.id,
    workspace_id: workspaceId,
    stable_ref: qualifiedRef(resource.connectorParams, resource.stableRef),
    display_label: resourceLabel(resource),
    kind: resource.kind,
    provider_context: JSON.stringify(contextOf(workspace, resource)),
    routing_metadata: JSON.stringify(routingOf(workspace, resource)),
    ...matchKeys(resource),
    updated_at: scope.timestamp(),
    hidden_at: null,
  };
}

async function upsertResources(scope: TeamScope, rows: readonly ReturnType<typeof rowOf>[]): Promise<void> {
  for (const batch of batches(rows)) {
    await scope
      .insertResources(batch)
      .onConflict((conflict) =>
        conflict.columns(["connection_id", "stable_ref"]).doUpdateSet((row) => ({
          workspace_id: row.ref("excluded.workspace_id"),
          display_label: row.ref("excluded.display_label"),
          kind: row.ref("excluded.kind"),
          provider_context: row.ref("excluded.provider_context"),
          routing_metadata: row.ref("excluded.routing_metadata"),
          sort_key: row.ref("excluded.sort_key"),
          name_key: row.ref("excluded.name_key"),
          display_key: row.ref("excluded.display_key"),
          path_key: row.ref("excluded.path_key"),
          updated_at: row.ref("excluded.updated_at"),
          hidden_at: row.ref("excluded.hidden_at"),
        })),
      )
      .execute();
  }
}

async function storeWorkspaces(
  scope: TeamScope,
  connection: ConnectionKey,
  found: DiscoveredInventory,
  at: string,
): Promise<ReadonlyMap<string, string>> {
  const rows = found.workspaces.map(({ workspace }) => ({
    id: scope.newId(),
    connection_id: connection.id,
    stable_ref: workspace.id,
    display: workspace.display,
    kind: workspace.kind,
    provider_context: JSON.stringify(workspace.providerContext),
    updated_at: at,
  }));
  for (const batch of batches(rows)) {
    await scope
      .insertWorkspaces(batch)
      .onConflict((conflict) =>
        conflict.columns(["connection_id", "stable_ref"]).doUpdateSet((row) => ({
          display: row.ref("excluded.display"),
          kind: row.ref("excluded.kind"),
          provider_context: row.ref("excluded.provider_context"),
          updated_at: row.ref("excluded.updated_at"),
        })),
      )
      .execute();
  }
  const stored = await scope
    .workspaces()
    .select(["id", "stable_ref"])
    .where("connection_id", "=", connection.id)
    .execute();
  return new Map(stored.map(({ id, stable_ref }) => [stable_ref, id]));
}

async function hideVanished(
  scope: TeamScope,
  connectionId: string,
  present: ReadonlyMap<string, unknown>,
  at: string,
): Promise<void> {
  const visible = await scope
    .resources()
    .select(["id", "stable_ref"])
    .where("connection_id", "=", connectionId)
    .where("hidden_at", "is", null)
    .execute();
  const vanished = visible.filter(({ stable_ref }) => !present.has(stable_ref)).map(({ id }) => id);
  for (const batch of batches(vanished)) {
    await scope.updateResources().set({ hidden_at: at, updated_at: at }).where("id", "in", batch).execute();
  }
}

interface ResourceFacts {
  readonly display_label: string;
  readonly provider_context: string;
  readonly routing_metadata: string;
}

/**
 * Updates active mappings of renamed or moved resources; their references do not change. A mapping whose connection
 * was removed, or came from an environment variable, moves to this connection when it lists the resource.
 */
async function followResources(
  scope: TeamScope,
  connection: ConnectionKey,
  present: ReadonlyMap<string, ResourceFacts>,
  at: string,
): Promise<void> {
  const mappings = await scope
    .mappings()
    .innerJoin("connections", "connections.id", "mappings.connection_id")
    .select([
      "mappings.binding_ref",
      "mappings.resource_ref",
      "mappings.connection_id",
      "mappings.display_label",
      "mappings.provider_context",
      "mappings.routing_metadata",
    ])
    .where("mappings.provider", "=", connection.provider)
    .where("mappings.status", "=", "active")
    .where("mappings.deleted_at", "is", null)
    .where(({ or, eb }) =>
      or([
        eb("mappings.connection_id", "=", connection.id),
        eb("connections.removed_at", "is not", null),
        eb("connections.kind", "=", ENVIRONMENT_KIND),
      ]),
    )
    .execute();
  for (const { binding_ref, resource_ref, ...known } of mappings) {
    const resource = present.get(resource_ref);
    if (resource === undefined) continue;
    const { display_label, provider_context, routing_metadata } = resource;
    const facts = { connection_id: connection.id, display_label, provider_context, routing_metadata };
    if (isDeepStrictEqual(facts, known)) continue;
    await scope
      .updateMapping(binding_ref)
      .set({ ...facts, updated_at: at })
      .execute();
    await scope.audit("mapping.followed", binding_ref, { was: known.display_label, is: display_label });
  }
}

/** The name, with the provider's short key where that differs: `Payments (PAY)`. */
function resourceLabel({ displayName, routingMetadata: { display_key } }: DiscoveredResource): string {
  return display_key === undefined || display_key === displayName
    ? displayName
    : `${displayName} (${display_key})`;
}

function matchKeys(resource: DiscoveredResource) {
  const key = resource.routingMetadata.display_key ?? "";
  const path = key.includes("/") ? key : null;
  return {
    sort_key: fold(resourceLabel(resource)),
    name_key: matchKey(path === null ? resource.displayName : lastSegment(path)),
    display_key: matchKey(key),
    path_key: path === null ? null : pathKey(path),
  };
}

/** The words next to a label that distinguish it from equal labels. */
function contextOf(workspace: DiscoveredWorkspace, resource: DiscoveredResource): ProviderContext {
  const { workspace_handle, workspace_url } = workspace.providerContext;
  const { display_key, resource_url } = resource.routingMetadata;
  return {
    workspace_name: workspace.display,
    resource_kind: resource.kind,
    ...(workspace_handle !== undefined && { workspace_handle }),
    ...(workspace_url !== undefined && { workspace_url }),
    ...(display_key !== undefined && { display_key }),
    ...(resource_url !== undefined && { resource_url }),
  };
}

function routingOf(workspace: DiscoveredWorkspace, resource: DiscoveredResource): RoutingMetadata {
  return {
    connector_params: resource.connectorParams,
    resource: { kind: resource.kind, metadata: resource.routingMetadata },
    workspace: {
      id: workspace.id,
      display: workspace.display,
      kind: workspace.kind,
      context: workspace.providerContext,
    },
  };
}

export function accountLabel({ workspaces }: DiscoveredInventory): string {
  const names = workspaces.map(({ workspace }) => workspace.display);
  const shown = names.slice(0, 2).join(", ");
  if (names.length === 0) return "(no workspaces)";
  return names.length > 2 ? `${shown} and ${names.length - 2} more` : shown;
}
