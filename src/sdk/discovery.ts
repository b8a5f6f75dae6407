/** Validates what a {@link DiscoverySource} returns, so that all providers' objects have the same shape. */
import * as v from "valibot";
import { DiscoveryContractError } from "./errors.ts";
import { NonEmpty, type Page, problemOf } from "./model.ts";

/** Provider-native facts. The named keys are the same for every provider: text, or absent. */
const metadata = <K extends string>(normalized: Record<K, v.GenericSchema<string>>) =>
  v.objectWithRest(v.partial(v.object(normalized)).entries, v.unknown());

/** A provider's container of resources: an organization, a site, a user, a group. */
export const DiscoveredWorkspace = v.object({
  id: NonEmpty,
  display: NonEmpty,
  kind: NonEmpty,
  provider: NonEmpty,
  /** Native keys, plus `workspace_handle` and `workspace_url` where the provider has them. */
  providerContext: metadata({ workspace_handle: NonEmpty, workspace_url: NonEmpty }),
});
export type DiscoveredWorkspace = v.InferOutput<typeof DiscoveredWorkspace>;

/** Something that a project can be bound to: a team, a project, a repository. */
export const DiscoveredResource = v.object({
  /** The provider's own id, which survives renames and moves. */
  stableRef: NonEmpty,
  displayName: NonEmpty,
  kind: NonEmpty,
  provider: NonEmpty,
  workspaceId: NonEmpty,
  /** The parameters of the provider's connector for this resource. */
  connectorParams: v.record(v.string(), v.unknown()),
  /** Native keys, plus `display_key` and `resource_url` where the provider has them. */
  routingMetadata: metadata({ display_key: NonEmpty, resource_url: NonEmpty }),
});
export type DiscoveredResource = v.InferOutput<typeof DiscoveredResource>;

/** The names under which a resource is recorded outside of its provider. */
export interface ResourceNames {
  /** The provider's short key or full path: `PAY`, `acme/payments-api`. */
  readonly displayKey: string;
  /** Address of the resource's page; null when it was not recorded. An address on another site finds nothing. */
  readonly resourceUrl: string | null;
}

const FoundResource = v.object({ workspace: DiscoveredWorkspace, resource: DiscoveredResource });
export type FoundResource = v.InferOutput<typeof FoundResource>;

/** Its answers are unknown because they come from a provider; the functions of this file validate them. */
export interface DiscoverySource {
  readonly provider: string;
  /** The id of the credential's account, the same for every credential of that account. */
  account(): Promise<string>;
  /** One page, `Page<DiscoveredWorkspace>` in shape. */
  listWorkspaces(cursor: string | null): Promise<unknown>;
  /** One page, `Page<DiscoveredResource>` in shape. */
  listResources(workspace: DiscoveredWorkspace, cursor: string | null): Promise<unknown>;
  /** One resource by name in a constant number of requests: `FoundResource` in shape, or null. */
  findResource(names: ResourceNames): Promise<unknown>;
}

const page = <S extends v.GenericSchema>(item: S) =>
  v.object({ items: v.array(item), nextCursor: v.nullable(NonEmpty) });
const WorkspacePage = page(DiscoveredWorkspace);
const ResourcePage = page(DiscoveredResource);

/**
 * One page of the workspaces that the source can see.
 *
 * @throws DiscoveryContractError when the answer breaks the contract
 * @throws TrackerSdkError when the provider refuses or cannot be reached
 */
export async function discoverWorkspaces(
  source: DiscoverySource,
  cursor: string | null = null,
): Promise<Page<DiscoveredWorkspace>> {
  const found = parse(source.provider, WorkspacePage, await source.listWorkspaces(cursor));
  for (const [index, item] of found.items.entries()) {
    requireEqual(source.provider, `items[${index}].provider`, item.provider, source.provider);
  }
  return found;
}

/** One page of the resources of a workspace. Throws as {@link discoverWorkspaces}. */
export async function discoverResources(
  source: DiscoverySource,
  workspace: DiscoveredWorkspace,
  cursor: string | null = null,
): Promise<Page<DiscoveredResource>> {
  const found = parse(source.provider, ResourcePage, await source.listResources(workspace, cursor));
  for (const [index, item] of found.items.entries()) {
    requireEqual(source.provider, `items[${index}].provider`, item.provider, source.provider);
    requireEqual(source.provider, `items[${index}].workspaceId`, item.workspaceId, workspace.id);
  }
  return found;
}

/** Null when the source does not see it or it cannot be bound. Throws as {@link discoverWorkspaces}. */
export async function findResource(
  source: DiscoverySource,
  names: ResourceNames,
): Promise<FoundResource | null> {
  const found = parse(source.provider, v.nullable(FoundResource), await source.findResource(names));
  if (found === null) return null;
  const { workspace, resource } = found;
  requireEqual(source.provider, "workspace.provider", workspace.provider, source.provider);
  requireEqual(source.provider, "resource.provider", resource.provider, source.provider);
  requireEqual(source.provider, "resource.workspaceId", resource.workspaceId, workspace.id);
  return found;
}

/** Reports whether two addresses are on the same site; an unrecorded address is on any. */
export function isSameSite(recorded: string | null, actual: string): boolean {
  if (recorded === null) return true;
  return URL.canParse(recorded) && new URL(recorded).origin === new URL(actual).origin;
}

function parse<S extends v.GenericSchema>(provider: string, schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new DiscoveryContractError(provider, fieldPath(issue.path ?? []), problemOf(issue));
}

/** `["items", 3, "display"]` as `items[3].display`. */
function fieldPath(path: readonly { readonly key: unknown }[]): string {
  const steps = path.map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`));
  return steps.join("").replace(/^\./, "") || "(answer)";
}

function requireEqual(provider: string, path: string, actual: string, expected: string): void {
  if (actual !== expected) {
    throw new DiscoveryContractError(provider, path, `is "${actual}" instead of the requested "${expected}"`);
  }
}
