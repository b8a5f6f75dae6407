import {
  type DiscoveredResource,
  type DiscoveredWorkspace,
  type DiscoverySource,
  type FoundResource,
  isSameSite,
  type ResourceNames,
} from "../discovery.ts";
import { ConnectorRequestError } from "../errors.ts";
import type { Page } from "../model.ts";

export interface MemoryWorkspace {
  readonly workspace: DiscoveredWorkspace;
  readonly resources: readonly DiscoveredResource[];
}

export interface MemoryDiscoveryOptions {
  readonly provider: string;
  readonly workspaces: readonly MemoryWorkspace[];
  /** At least 1. */
  readonly pageSize: number;
}

/** A discovery of given workspaces, in pages. It needs no network. */
export class MemoryDiscovery implements DiscoverySource {
  readonly provider: string;
  readonly #workspaces: readonly MemoryWorkspace[];
  readonly #pageSize: number;

  constructor({ provider, workspaces, pageSize }: MemoryDiscoveryOptions) {
    this.provider = provider;
    this.#workspaces = workspaces;
    this.#pageSize = pageSize;
  }

  async account(): Promise<string> {
    return "demo";
  }

  /** @throws ConnectorRequestError when the cursor is not one of this listing's */
  async listWorkspaces(cursor: string | null): Promise<Page<DiscoveredWorkspace>> {
    return this.#page(
      this.#workspaces.map(({ workspace }) => workspace),
      cursor,
    );
  }

  /** @throws ConnectorRequestError when there is no such workspace or cursor */
  async listResources(
    workspace: DiscoveredWorkspace,
    cursor: string | null,
  ): Promise<Page<DiscoveredResource>> {
    const found = this.#workspaces.find((known) => known.workspace.id === workspace.id);
    if (found === undefined) {
      throw new ConnectorRequestError(`There is no workspace "${workspace.id}".`, {
        provider: this.provider,
        failureClass: "not_found",
      });
    }
    return this.#page(found.resources, cursor);
  }

  async findResource({ displayKey, resourceUrl }: ResourceNames): Promise<FoundResource | null> {
    for (const { workspace, resources } of this.#workspaces) {
      const resource = resources.find(({ routingMetadata: { display_key, resource_url } }) => {
        const isNamed = display_key?.toLowerCase() === displayKey.toLowerCase();
        return (
          isNamed &&
          (resourceUrl === null || resource_url === undefined || isSameSite(resourceUrl, resource_url))
        );
      });
      if (resource !== undefined) return { workspace, resource };
    }
    return null;
  }

  #page<T>(all: readonly T[], cursor: string | null): Page<T> {
    const start = cursor === null ? 0 : Number(cursor);
    if (!Number.isInteger(start) || start < 0 || start > all.length) {
      throw new ConnectorRequestError(`"${cursor}" is not a cursor of this listing.`, {
        provider: this.provider,
        failureClass: "invalid",
      });
    }
    const end = start + this.#pageSize;
    return { items: all.slice(start, end), nextCursor: end < all.length ? String(end) : null };
  }
}
