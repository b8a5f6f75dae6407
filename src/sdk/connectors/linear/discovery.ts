/** Which organization a credential is for, and which of its teams it sees. */
import * as v from "valibot";
import type { DiscoveredResource, DiscoveredWorkspace, DiscoverySource } from "../../discovery.ts";
import { ConnectorRequestError } from "../../errors.ts";
import type { Transport } from "../../http/transport.ts";
import type { Page } from "../../model.ts";
import { parseDiscovered } from "../shared/arguments.ts";
import { ACCOUNT, TEAMS } from "./documents.ts";
import { connection, cursorAfter, LinearRequests } from "./requests.ts";

const Account = v.object({
  viewer: v.object({ id: v.string() }),
  organization: v.object({ id: v.string(), name: v.string(), urlKey: v.string() }),
});

const Teams = v.object({
  organization: v.object({ id: v.string() }),
  teams: connection(
    v.object({
      id: v.string(),
      key: v.string(),
      name: v.string(),
      archivedAt: v.nullable(v.string()),
      retiredAt: v.nullable(v.string()),
    }),
  ),
});

/** Everything that one credential of Linear sees: one organization, its public teams and the private ones of its user. */
export class LinearDiscovery implements DiscoverySource {
  readonly provider = "linear";
  readonly #requests: LinearRequests;
  readonly #baseUrl: string | null;

  constructor(transport: Transport, baseUrl: string | null) {
    this.#requests = new LinearRequests(transport);
    this.#baseUrl = baseUrl;
  }

  /** A user is somebody in one organization only. */
  async account(): Promise<string> {
    const { viewer, organization } = await this.#ask(ACCOUNT, {}, Account);
    return `${organization.id}:${viewer.id}`;
  }

  async listWorkspaces(): Promise<Page<DiscoveredWorkspace>> {
    const { organization } = await this.#ask(ACCOUNT, {}, Account);
    const { id, name, urlKey } = organization;
    const workspace: DiscoveredWorkspace = {
      id,
      display: name,
      kind: "organization",
      provider: this.provider,
      providerContext: {
        url_key: urlKey,
        workspace_handle: urlKey,
        workspace_url: `https://linear.app/${urlKey}`,
      },
    };
    return { items: [workspace], nextCursor: null };
  }

  /** Teams that are archived, or retired and take no new issues, are left out. */
  async listResources(
    { id, providerContext }: DiscoveredWorkspace,
    cursor: string | null,
  ): Promise<Page<DiscoveredResource>> {
    const { organization, teams } = await this.#ask(TEAMS, { after: cursor }, Teams);
    if (organization.id !== id) {
      throw new ConnectorRequestError(`This credential of Linear is not one of the organization ${id}.`, {
        provider: this.provider,
        failureClass: "not_found",
      });
    }
    const { workspace_handle: handle, workspace_url: url } = providerContext;
    const items = teams.nodes
      .filter(({ archivedAt, retiredAt }) => archivedAt === null && retiredAt === null)
      .map((team) => ({
        stableRef: team.id,
        displayName: team.name,
        kind: "team",
        provider: this.provider,
        workspaceId: id,
        connectorParams: {
          teamId: team.id,
          ...(handle !== undefined && { workspace: handle }),
          ...(this.#baseUrl !== null && { graphqlUrl: `${this.#baseUrl.replace(/\/+$/, "")}/graphql` }),
        },
        routingMetadata: {
          team_id: team.id,
          team_key: team.key,
          team_name: team.name,
          display_key: team.key,
          ...(url !== undefined && { resource_url: `${url}/team/${team.key}` }),
        },
      }));
    return { items, nextCursor: cursorAfter(teams.pageInfo, cursor) };
  }

  async #ask<S extends v.GenericSchema>(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    data: S,
  ): Promise<v.InferOutput<S>> {
    const found = await this.#requests.ask(document, variables, v.unknown());
    return parseDiscovered(this.provider, data, found, "answer.data");
  }
}
