/** The bindable projects: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/ */
import * as v from "valibot";
import {
  type DiscoveredResource,
  type DiscoveredWorkspace,
  type DiscoverySource,
  type FoundResource,
  isSameSite,
  type ResourceNames,
} from "../../discovery.ts";
import { ConnectorRequestError } from "../../errors.ts";
import { type Transport, TransportError } from "../../http/transport.ts";
import { NonEmpty, type Page } from "../../model.ts";
import { parseDiscovered } from "../shared/arguments.ts";
import { foreignCursor } from "../shared/cursor.ts";
import { whoami } from "./project.ts";
import { isMissing, JIRA, JiraRest, sendClassified } from "./rest.ts";

const PAGE_SIZE = 50;

/** https://developer.atlassian.com/cloud/oauth/getting-started/making-calls-to-api/ */
const Sites = v.array(
  v.object({ id: NonEmpty, name: NonEmpty, url: NonEmpty, scopes: v.optional(v.array(v.string()), []) }),
);
const TenantInfo = v.object({ cloudId: NonEmpty });
const NativeProject = v.object({
  id: NonEmpty,
  key: NonEmpty,
  name: NonEmpty,
  archived: v.optional(v.boolean(), false),
  deleted: v.optional(v.boolean(), false),
});
type NativeProject = v.InferOutput<typeof NativeProject>;
const Projects = v.object({ values: v.array(NativeProject), isLast: v.boolean() });
const SiteContext = v.object({ site_url: NonEmpty, cloud_id: v.exactOptional(NonEmpty) });

export class JiraDiscovery implements DiscoverySource {
  readonly provider = JIRA;
  readonly #transport: Transport;
  readonly #siteUrl: string | null;

  /** @param siteUrl The transport's site; null for Atlassian's API gateway, which serves many sites */
  constructor(transport: Transport, siteUrl: string | null) {
    this.#transport = transport;
    this.#siteUrl = siteUrl?.replace(/\/+$/, "") ?? null;
  }

  /** The account, with its site where there is only one. */
  async account(): Promise<string> {
    if (this.#siteUrl !== null) return `${await whoami(this.#rest(null))} ${new URL(this.#siteUrl).host}`;
    const [site] = await this.#sites();
    if (site === undefined) {
      const message = "This credential cannot access any Jira site.";
      throw new ConnectorRequestError(message, { provider: JIRA, failureClass: "permission" });
    }
    return whoami(this.#rest(site.id));
  }

  async listWorkspaces(): Promise<Page<DiscoveredWorkspace>> {
    if (this.#siteUrl === null) {
      const sites = await this.#sites();
      return { items: sites.map(({ id, name, url }) => workspaceOf(url, id, name)), nextCursor: null };
    }
    await whoami(this.#rest(null));
    const host = new URL(this.#siteUrl).host;
    return { items: [workspaceOf(this.#siteUrl, await this.#cloudId(), host)], nextCursor: null };
  }

  async listResources(
    { id, providerContext }: DiscoveredWorkspace,
    cursor: string | null,
  ): Promise<Page<DiscoveredResource>> {
    const context = parseDiscovered(JIRA, SiteContext, providerContext, "workspace");
    const { site_url: siteUrl, cloud_id: cloudId } = context;
    const gatewayId = this.#siteUrl === null ? (cloudId ?? id) : null;
    const rest = this.#rest(gatewayId);
    const startAt = startOf(cursor);
    const query = { startAt, maxResults: PAGE_SIZE, status: "live", action: "browse", orderBy: "key" };
    const found = await rest.get(v.unknown(), "projects", "/rest/api/3/project/search", query);
    const { values, isLast } = parseDiscovered(JIRA, Projects, found, "projects");
    // Jira answers an expired credential with an empty list, as it answers strangers.
    if (values.length === 0) await whoami(rest);
    const site = { workspaceId: id, siteUrl, cloudId: cloudId ?? null, gatewayId };
    const items = values.filter(isBindable).map((project) => resourceOf(project, site));
    const isEnd = isLast || values.length === 0;
    return { items, nextCursor: isEnd ? null : String(startAt + values.length) };
  }

  /** Two requests: the site and the project. Through the API gateway the recorded address names the site. */
  async findResource({ displayKey, resourceUrl }: ResourceNames): Promise<FoundResource | null> {
    const workspace = await this.#siteOf(resourceUrl);
    if (workspace === null) return null;
    const { site_url: siteUrl, cloud_id: cloudId = null } = parseDiscovered(
      JIRA,
      SiteContext,
      workspace.providerContext,
      "workspace",
    );
    const gatewayId = this.#siteUrl === null ? (cloudId ?? workspace.id) : null;
    const path = `/rest/api/3/project/${encodeURIComponent(displayKey)}`;
    const found = await this.#rest(gatewayId)
      .get(v.unknown(), "project", path)
      .catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      });
    if (found === null) return null;
    const project = parseDiscovered(JIRA, NativeProject, found, "project");
    if (!isBindable(project)) return null;
    const resource = resourceOf(project, { workspaceId: workspace.id, siteUrl, cloudId, gatewayId });
    return { workspace, resource };
  }

  async #siteOf(resourceUrl: string | null): Promise<DiscoveredWorkspace | null> {
    if (this.#siteUrl !== null) {
      if (!isSameSite(resourceUrl, this.#siteUrl)) return null;
      return workspaceOf(this.#siteUrl, await this.#cloudId(), new URL(this.#siteUrl).host);
    }
    const sites = (await this.#sites()).filter(({ url }) => isSameSite(resourceUrl, url));
    const [site, ...others] = sites;
    return site === undefined || others.length > 0 ? null : workspaceOf(site.url, site.id, site.name);
  }

  #rest(cloudId: string | null): JiraRest {
    return new JiraRest(this.#transport, cloudId);
  }

  /** The sites with Jira; the gateway lists a site once per product. */
  async #sites(): Promise<v.InferOutput<typeof Sites>> {
    const path = "/oauth/token/accessible-resources";
    const body = await sendClassified(this.#transport, { method: "GET", path });
    const sites = parseDiscovered(JIRA, Sites, body, "sites");
    const withJira = sites.filter(
      ({ scopes }) => scopes.length === 0 || scopes.some((scope) => /jira/i.test(scope)),
    );
    return [...new Map(withJira.map((site) => [site.id, site])).values()];
  }

  /** The site's public id; null where it does not show it. */
  async #cloudId(): Promise<string | null> {
    try {
      const body = await sendClassified(this.#transport, { method: "GET", path: "/_edge/tenant_info" });
      return v.is(TenantInfo, body) ? body.cloudId : null;
    } catch (error) {
      if (error instanceof TransportError && !error.retryable) return null;
      throw error;
    }
  }
}

function isBindable({ archived, deleted }: NativeProject): boolean {
  return !archived && !deleted;
}

/** A site and the way to its projects. */
interface Site {
  readonly workspaceId: string;
  readonly siteUrl: string;
  readonly cloudId: string | null;
  /** The cloud id where requests go through Atlassian's API gateway. */
  readonly gatewayId: string | null;
}

function resourceOf({ id, key, name }: NativeProject, site: Site): DiscoveredResource {
  const { workspaceId, siteUrl, cloudId, gatewayId } = site;
  return {
    stableRef: id,
    displayName: name,
    kind: "project",
    provider: JIRA,
    workspaceId,
    connectorParams: {
      baseUrl: siteUrl,
      projectId: id,
      projectKey: key,
      ...(gatewayId !== null && { cloudId: gatewayId }),
    },
    routingMetadata: {
      project_id: id,
      project_key: key,
      ...(cloudId !== null && { cloud_id: cloudId }),
      display_key: key,
      resource_url: `${siteUrl}/browse/${encodeURIComponent(key)}`,
    },
  };
}

function workspaceOf(url: string, cloudId: string | null, display: string): DiscoveredWorkspace {
  const siteUrl = url.replace(/\/+$/, "");
  const [handle] = URL.canParse(siteUrl) ? new URL(siteUrl).hostname.split(".") : [];
  return {
    id: cloudId ?? siteUrl,
    display,
    kind: "site",
    provider: JIRA,
    providerContext: {
      ...(cloudId !== null && { cloud_id: cloudId }),
      site_url: siteUrl,
      ...(handle !== undefined && handle !== "" && { workspace_handle: handle }),
      workspace_url: siteUrl,
    },
  };
}

function startOf(cursor: string | null): number {
  if (cursor === null) return 0;
  if (/^\d{1,9}$/.test(cursor)) return Number(cursor);
  throw foreignCursor(JIRA);
}
