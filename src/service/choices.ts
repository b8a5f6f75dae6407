import type { ControlPlaneClient } from "../client.ts";
import type { ProjectIdentity } from "../config/identity.ts";
import type { Binding } from "../config.ts";
import { exactFirst, type NumberedResource, numberResources } from "../discovery.ts";
import type { BindableResource, BindResolveResponse, ResourcesResponse } from "../protocol.ts";
import { TrackerError } from "../shared/errors.ts";
import type { HostedProvider } from "../shared/providers.ts";
import { wireIdentity, wireKnown } from "./wire.ts";

const PAGE_SIZE = 500;

export interface Chooser {
  readonly identity: ProjectIdentity;
  /** Its resource wins without an explicit choice. */
  readonly known: Binding | null;
}

/** Reads the resources that a project can be bound to, once. */
export class Choices {
  readonly #client: ControlPlaneClient;
  readonly #provider: HostedProvider;
  readonly #chooser: Promise<Chooser | null>;
  #resolution: Promise<BindResolveResponse> | null = null;
  #resources: Promise<readonly BindableResource[]> | null = null;

  /** @param chooser null outside of a project, where nothing is ranked */
  constructor(
    client: ControlPlaneClient,
    provider: HostedProvider,
    chooser: Promise<Chooser | null> | Chooser | null,
  ) {
    this.#client = client;
    this.#provider = provider;
    this.#chooser = Promise.resolve(chooser);
  }

  resolution(): Promise<BindResolveResponse> {
    this.#resolution ??= this.#resolve();
    return this.#resolution;
  }

  /** The exact match or the candidates first, then the rest, each with its number. */
  async all(): Promise<NumberedResource[]> {
    // The list is requested while the project is read; a failure of that is the one to report.
    const listed = this.#listed();
    listed.catch(() => {});
    if ((await this.#chooser) === null) return this.unranked();
    const [resolution, resources] = await Promise.all([this.resolution(), listed]);
    const candidates = resolution.match_type === "candidates" ? resolution.candidates : [];
    return numberResources(candidates, exactFirst(resources, resolution));
  }

  /** The resources in the order of the list, for a ranking that failed. */
  async unranked(): Promise<NumberedResource[]> {
    return numberResources([], await this.#listed());
  }

  /**
   * The control plane searches labels and keys; one without search returns everything. The numbers are those of
   * this list alone.
   */
  async search(text: string): Promise<NumberedResource[]> {
    return numberResources([], await this.#readPages(text));
  }

  async #resolve(): Promise<BindResolveResponse> {
    const chooser = await this.#chooser;
    if (chooser === null) throw new TrackerError("no_project", "There is no project to resolve.");
    const known = chooser.known === null ? null : wireKnown(chooser.known);
    return this.#client.call("bindResolve", {
      provider: this.#provider,
      project_identity: wireIdentity(chooser.identity),
      ...(known !== null && { known }),
    });
  }

  #listed(): Promise<readonly BindableResource[]> {
    this.#resources ??= this.#readPages(null);
    return this.#resources;
  }

  async #readPages(text: string | null): Promise<readonly BindableResource[]> {
    const found: BindableResource[] = [];
    const seen = new Set<string>();
    let cursor: string | null = null;
    do {
      const page: ResourcesResponse = await this.#page(text, cursor);
      found.push(...page.resources);
      cursor = page.next_cursor;
      if (cursor !== null && seen.has(cursor)) {
        throw new TrackerError(
          "invalid_response",
          "The control plane returned the same page of resources twice.",
        );
      }
      if (cursor !== null) seen.add(cursor);
    } while (cursor !== null);
    return found;
  }

  #page(text: string | null, cursor: string | null) {
    return this.#client.call("resources", {
      provider: this.#provider,
      limit: String(PAGE_SIZE),
      ...(text !== null && { q: text }),
      ...(cursor !== null && { cursor }),
    });
  }
}
