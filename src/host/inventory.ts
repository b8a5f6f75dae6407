/**
 * The inventory: what a team's connections can be bound to, as discovered.
 * Filled through the SDK's discovery functions, read by the routes.
 */
import type { ProviderContext } from "../protocol.ts";
import {
  type DiscoveredResource,
  type DiscoveredWorkspace,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "../sdk/discovery.ts";
import { DiscoveryContractError, TrackerSdkError } from "../sdk/errors.ts";
import type { Page } from "../sdk/model.ts";
import { fold } from "../shared/text.ts";
import type { RoutingMetadata } from "./json.ts";
import { describeFailure, type Log } from "./log.ts";
import { lastSegment, matchKey, pathKey } from "./matching.ts";
import type { TeamScope } from "./team-scope.ts";

/** Age from which an inventory is refreshed behind the answer, in milliseconds. */
const STALE_AFTER = 10 * 60_000;
/** Rows per statement, well below every database's limit of parameters. */
const BATCH = 500;

/** What the inventory needs to know of a connection. */
export interface ConnectionKey {
  readonly id: string;
  readonly provider: string;
  readonly kind: string;
}

/** Opens the discovery of a connection; the seam through which real providers come. */
export type OpenSource = (connection: Omit<ConnectionKey, "id">) => Promise<DiscoverySource>;

/** A workspace with all of its resources. */
interface FoundWorkspace {
  readonly workspace: DiscoveredWorkspace;
  readonly resources: readonly DiscoveredResource[];
}

/** Everything that a provider shows, each workspace and resource once. */
export interface Found {
  readonly workspaces: readonly FoundWorkspace[];
}

/**
 * Reads all pages of a provider.
 *
 * @throws TrackerSdkError when the provider refuses, cannot be reached or breaks the contract
 */
export async function discoverAll(source: DiscoverySource): Promise<Found> {
  const workspaces = new Map<string, FoundWorkspace>();
  for await (const workspace of pages(source.provider, (cursor) => discoverWorkspaces(source, cursor))) {
    const resources = new Map<string, DiscoveredResource>();
    const list = (cursor: string | null) => discoverResources(source, workspace, cursor);
    for await (const resource of pages(source.provider, list)) resources.set(resource.stableRef, resource);
    workspaces.set(workspace.id, { workspace, resources: [...resources.values()] });
  }
  return { workspaces: [...workspaces.values()] };
}

async function* pages<T>(provider: string, read: (cursor: string | null) => Promise<Page<T>>) {
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

/** Keeps the inventories fresh; one refresh per connection at a time. */
export class Inventory {
  readonly #openSource: OpenSource;
  readonly #log: Log;
  readonly #running = new Map<string, Promise<void>>();

  constructor(openSource: OpenSource, log: Log) {
    this.#openSource = openSource;
    this.#log = log;
  }

  /**
   * Reads all that a connection's provider shows, storing nothing.
   *
   * @throws TrackerSdkError when the provider refuses, cannot be reached or breaks the contract
   */
  async discover(connection: Omit<ConnectionKey, "id">): Promise<Found> {
    return discoverAll(await this.#openSource(connection));
  }

  /**
   * Replaces a connection's inventory by what its provider shows now. When
   * that fails half way the old rows stay and the connection is marked
   * degraded with the reason. Does not throw for a provider's failure.
   */
  refresh(scope: TeamScope, connection: ConnectionKey): Promise<void> {
    const running = this.#running.get(connection.id);
    if (running !== undefined) return running;
    const refresh = this.#refresh(scope, connection).finally(() => this.#running.delete(connection.id));
    this.#running.set(connection.id, refresh);
    return refresh;
  }

  async #refresh(scope: TeamScope, connection: ConnectionKey): Promise<void> {
    try {
      const found = await this.discover(connection);
      await scope.transaction((transaction) => store(transaction, connection, found));
    } catch (error) {
      if (!(error instanceof TrackerSdkError)) {
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

  /** Refreshes a stale inventory behind the answer that is being given from it. */
  refreshBehind(
    scope: TeamScope,
    connection: ConnectionKey & { readonly last_refreshed_at: string | null },
  ): void {
    const age = scope.now() - Date.parse(connection.last_refreshed_at ?? "1970-01-01T00:00:00Z");
    if (age <= STALE_AFTER) return;
    this.refresh(scope, connection).catch((error: unknown) =>
      this.#log({ level: "error", message: "inventory refresh failed", error: describeFailure(error) }),
    );
  }

  /** Resolves when no refresh is running. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}

/** Why discovery failed, for people; what only operators may know is in the log. */
export function failureReason(error: unknown): string {
  return error instanceof TrackerSdkError ? error.message : "The inventory could not be refreshed.";
}

/** Marks a connection as degraded; what it showed before stays. */
export async function degrade(scope: TeamScope, connectionId: string, reason: string): Promise<void> {
  await scope
    .updateConnection(connectionId)
    .set({ status: "degraded", error: reason, updated_at: scope.timestamp() })
    .execute();
}

/** Writes what was found and hides what is gone; call it inside a transaction. */
export async function store(scope: TeamScope, connection: ConnectionKey, found: Found): Promise<void> {
  const at = scope.timestamp();
  const workspaceIds = await storeWorkspaces(scope, connection, found, at);
  const rows = found.workspaces.flatMap(({ workspace, resources }) =>
    resources.map((resource) => ({
      id: scope.newId(),
      provider: connection.provider,
      connection_id: connection.id,
      workspace_id: workspaceIds.get(workspace.id) ?? "",
      stable_ref: resource.stableRef,
      display_label: labelOf(resource),
      kind: resource.kind,
      provider_context: JSON.stringify(contextOf(workspace, resource)),
      routing_metadata: JSON.stringify(routingOf(workspace, resource)),
      ...matchKeys(resource),
      updated_at: at,
      hidden_at: null,
    })),
  );
  await hideVanished(scope, connection.id, new Set(rows.map((row) => row.stable_ref)), at);
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
  await scope
    .updateConnection(connection.id)
    .set({
      status: "connected",
      error: null,
      account_label: accountLabel(found),
      resource_count: new Set(rows.map((row) => row.stable_ref)).size,
      last_refreshed_at: at,
      updated_at: at,
    })
    .execute();
}

async function storeWorkspaces(
  scope: TeamScope,
  connection: ConnectionKey,
  found: Found,
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
  present: ReadonlySet<string>,
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

function* batches<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += BATCH) yield rows.slice(start, start + BATCH);
}

/** The name, and the provider's own short key where that is another one: `Payments (PAY)`. */
function labelOf({ displayName, routingMetadata: { display_key } }: DiscoveredResource): string {
  return display_key === undefined || display_key === displayName
    ? displayName
    : `${displayName} (${display_key})`;
}

/** The keys that resolution and ordering compare. */
function matchKeys(resource: DiscoveredResource) {
  const key = resource.routingMetadata.display_key ?? "";
  const path = key.includes("/") ? key : null;
  return {
    sort_key: fold(labelOf(resource)),
    name_key: matchKey(path === null ? resource.displayName : lastSegment(path)),
    display_key: matchKey(key),
    path_key: path === null ? null : pathKey(path),
  };
}

/** What people are shown beside a label to tell it from its namesakes. */
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

/** How a connection is called: by its workspaces. */
export function accountLabel({ workspaces }: Found): string {
  const names = workspaces.map(({ workspace }) => workspace.display);
  const shown = names.slice(0, 2).join(", ");
  if (names.length === 0) return "(no workspaces)";
  return names.length > 2 ? `${shown} and ${names.length - 2} more` : shown;
}
