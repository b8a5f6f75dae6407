import * as v from "valibot";
import type {
  DiscoveredResource,
  DiscoveredWorkspace,
  DiscoverySource,
  FoundResource,
  ResourceNames,
} from "../../discovery.ts";
import { ConnectorRequestError } from "../../errors.ts";
import type { Transport } from "../../http/transport.ts";
import type { Page } from "../../model.ts";
import { parseDiscovered } from "../shared/arguments.ts";
import { ACCOUNT, TEAM_BY_KEY, TEAMS } from "./documents.ts";
import { connection, cursorAfter, LinearRequests } from "./requests.ts";

const NativeOrganization = v.object({ id: v.string(), name: v.string(), urlKey: v.string() });
type NativeOrganization = v.InferOutput<typeof NativeOrganization>;

const Account = v.object({ viewer: v.object({ id: v.string() }), organization: NativeOrganization });

const NativeTeam = v.object({
  id: v.string(),
  key: v.string(),
  name: v.string(),
  archivedAt: v.nullable(v.string()),
  retiredAt: v.nullable(v.string()),
});
type NativeTeam = v.InferOutput<typeof NativeTeam>;

const TeamByKey = v.object({
  organization: NativeOrganization,
  teams: v.object({ nodes: v.array(NativeTeam) }),
});

const Teams = v.object({
  organization: v.object({ id: v.string() }),
  teams: connection(NativeTeam),
});

/** The resources of a credential: one organization, its public teams and its user's private ones. */
export class LinearDiscovery implements DiscoverySource {
  readonly provider = "linear";
  readonly #requests: LinearRequests;
  readonly #baseUrl: string | null;

  constructor(transport: Transport, baseUrl: string | null) {
    this.#requests = new LinearRequests(transport);
    this.#baseUrl = baseUrl;
  }

  /** A user belongs to one organization. */
  async account(): Promise<string> {
    const { viewer, organization } = await this.#request(ACCOUNT, {}, Account);
    return `${organization.id}:${viewer.id}`;
  }

  async listWorkspaces(): Promise<Page<DiscoveredWorkspace>> {
    const { organization } = await this.#request(ACCOUNT, {}, Account);
    return { items: [workspaceOf(organization)], nextCursor: null };
  }

  /** Omits teams that are archived, or retired and closed to new issues. */
  async listResources(
    { id, providerContext }: DiscoveredWorkspace,
    cursor: string | null,
  ): Promise<Page<DiscoveredResource>> {
    const { organization, teams } = await this.#request(TEAMS, { after: cursor }, Teams);
    if (organization.id !== id) {
      throw new ConnectorRequestError(`This Linear credential does not belong to the organization ${id}.`, {
        provider: this.provider,
        failureClass: "not_found",
      });
    }
    const items = teams.nodes.filter(isBindable).map((team) => this.#resourceOf(team, id, providerContext));
    return { items, nextCursor: cursorAfter(teams.pageInfo, cursor) };
  }

  /** One request. The recorded address shows the organization, because organizations can have the same keys. */
  async findResource({ displayKey, resourceUrl }: ResourceNames): Promise<FoundResource | null> {
    const { organization, teams } = await this.#request(TEAM_BY_KEY, { key: displayKey }, TeamByKey);
    const [team] = teams.nodes.filter(isBindable);
    const workspace = workspaceOf(organization);
    const { workspace_url: url = "" } = workspace.providerContext;
    if (team === undefined || (resourceUrl !== null && !resourceUrl.startsWith(`${url}/`))) return null;
    return { workspace, resource: this.#resourceOf(team, workspace.id, workspace.providerContext) };
  }

  #resourceOf(
    { id, key, name }: NativeTeam,
    workspaceId: string,
    { workspace_handle: handle, workspace_url: url }: DiscoveredWorkspace["providerContext"],
  ): DiscoveredResource {
    return {
      stableRef: id,
      displayName: name,
      kind: "team",
      provider: this.provider,
      workspaceId,
      connectorParams: {
        teamId: id,
        ...(handle !== undefined && { workspace: handle }),
        ...(this.#baseUrl !== null && { graphqlUrl: `${this.#baseUrl.replace(/\/+$/, "")}/graphql` }),
      },
      routingMetadata: {
        team_id: id,
        team_key: key,
        team_name: name,
        display_key: key,
        ...(url !== undefined && { resource_url: `${url}/team/${key}` }),
      },
    };
  }

  async #request<S extends v.GenericSchema>(
    document: string,
    variables: Readonly<Record<string, unknown>>,
    data: S,
  ): Promise<v.InferOutput<S>> {
    const found = await this.#requests.request(document, variables, v.unknown());
    return parseDiscovered(this.provider, data, found, "answer.data");
  }
}

function isBindable({ archivedAt, retiredAt }: NativeTeam): boolean {
  return archivedAt === null && retiredAt === null;
}

function workspaceOf({ id, name, urlKey }: NativeOrganization): DiscoveredWorkspace {
  return {
    id,
    display: name,
    kind: "organization",
    provider: "linear",
    providerContext: {
      url_key: urlKey,
      workspace_handle: urlKey,
      workspace_url: `https://linear.app/${urlKey}`,
    },
  };
}
