import type { ControlPlaneClient, IssueSearchQuery } from "../../client.ts";
import type { Egress } from "../../config.ts";
import type { IssueSearchResponse, ListTicketsResponse, Mapping } from "../../protocol.ts";
import type { HostedProvider } from "../../shared/providers.ts";
import type { TrackerView } from "../bindings.ts";
import { requireEgress } from "./egress.ts";

export class HostedView implements TrackerView {
  readonly #client: ControlPlaneClient;
  readonly #provider: HostedProvider;
  readonly #egress: Egress;

  constructor(client: ControlPlaneClient, provider: HostedProvider, egress: Egress) {
    this.#client = client;
    this.#provider = provider;
    this.#egress = egress;
  }

  async mappings(): Promise<readonly Mapping[]> {
    return (await this.#client.call("mappings", { provider: this.#provider })).mappings;
  }

  async tickets(limit: number): Promise<ListTicketsResponse> {
    requireEgress(this.#egress);
    return await this.#client.call("listTickets", { provider: this.#provider, limit });
  }

  async searchTickets(query: IssueSearchQuery, limit: number): Promise<IssueSearchResponse> {
    requireEgress(this.#egress);
    return await this.#client.call("searchIssues", { provider: this.#provider, ...query, limit });
  }
}
