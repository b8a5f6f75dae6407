/** The projects that a GitLab account is a member of, grouped by the group or user at the root of their paths. */
import * as v from "valibot";
import {
  type DiscoveredResource,
  type DiscoveredWorkspace,
  type DiscoverySource,
  type FoundResource,
  isSameSite,
  type ResourceNames,
} from "../../discovery.ts";
import { DiscoveryContractError } from "../../errors.ts";
import { type Transport, TransportError } from "../../http/transport.ts";
import { NonEmpty, type Page } from "../../model.ts";
import { parseDiscovered } from "../shared/arguments.ts";
import { foreignCursor } from "../shared/cursor.ts";
import { NativeId } from "./map.ts";
import { GITLAB, isNotFound, PAGE_SIZE, send } from "./requests.ts";

/** https://docs.gitlab.com/api/access_requests/#valid-access-levels */
const GUEST = 10;

const Access = v.nullish(v.object({ access_level: v.number() }));

const NativeAccount = v.object({ id: NativeId });

const NativeNamespace = v.object({
  id: NativeId,
  name: NonEmpty,
  kind: v.picklist(["group", "user"]),
  full_path: NonEmpty,
  parent_id: v.nullish(NativeId),
});
const NativeGroup = v.object({ id: NativeId, name: NonEmpty, full_path: NonEmpty });

const NativeProject = v.object({
  id: NativeId,
  name_with_namespace: NonEmpty,
  path_with_namespace: NonEmpty,
  web_url: NonEmpty,
  archived: v.optional(v.boolean()),
  issues_access_level: v.optional(v.string()),
  issues_enabled: v.optional(v.boolean()),
  marked_for_deletion_on: v.nullish(v.string()),
  marked_for_deletion_at: v.nullish(v.string()),
  permissions: v.nullish(v.object({ project_access: Access, group_access: Access })),
  namespace: NativeNamespace,
});
type NativeProject = v.InferOutput<typeof NativeProject>;

/** The root of some projects' paths, as far as known. */
interface Root {
  readonly path: string;
  readonly kind: "group" | "user";
  /** Null when the account sees a project deep in a group but not the group. */
  readonly id: number | null;
  readonly name: string;
  readonly url: string | null;
}

/** Listing the workspaces reads all projects; listing their resources sends nothing more. */
export class GitLabDiscovery implements DiscoverySource {
  readonly provider = GITLAB;
  readonly #transport: Transport;
  readonly #baseUrl: string | null;
  #projects: readonly NativeProject[] | null = null;

  constructor(transport: Transport, baseUrl: string | null) {
    this.#transport = transport;
    this.#baseUrl = baseUrl;
  }

  async account(): Promise<string> {
    return String(parseDiscovered(GITLAB, NativeAccount, await this.#get("/user"), "user").id);
  }

  async listWorkspaces(cursor: string | null): Promise<Page<DiscoveredWorkspace>> {
    assertFirstPage(cursor);
    this.#projects = await this.#readProjects();
    const items: DiscoveredWorkspace[] = [];
    for (const projects of byRoot(this.#projects).values()) {
      items.push(workspaceOf(await this.#rootOf(projects)));
    }
    return { items, nextCursor: null };
  }

  async listResources(
    workspace: DiscoveredWorkspace,
    cursor: string | null,
  ): Promise<Page<DiscoveredResource>> {
    assertFirstPage(cursor);
    this.#projects ??= await this.#readProjects();
    const root = workspace.providerContext.workspace_handle?.toLowerCase() ?? "";
    const projects = byRoot(this.#projects).get(root) ?? [];
    return { items: projects.map((project) => this.#resourceOf(project, workspace)), nextCursor: null };
  }

  /** One request; two for a project in a subgroup. */
  async findResource({ displayKey, resourceUrl }: ResourceNames): Promise<FoundResource | null> {
    const body = await this.#get(`/projects/${encodeURIComponent(displayKey)}`).catch((error: unknown) => {
      if (isNotFound(error)) return null;
      throw error;
    });
    if (body === null) return null;
    const project = parseDiscovered(GITLAB, NativeProject, body, "project");
    if (!isBindable(project) || !isSameSite(resourceUrl, project.web_url)) return null;
    const workspace = workspaceOf(await this.#rootOf([project]));
    return { workspace, resource: this.#resourceOf(project, workspace) };
  }

  /**
   * Pages start after the last id, so that none is missed:
   * https://docs.gitlab.com/api/rest/#keyset-based-pagination
   */
  async #readProjects(): Promise<readonly NativeProject[]> {
    const all: NativeProject[] = [];
    for (let after: number | undefined; ; ) {
      const page = parseDiscovered(
        GITLAB,
        v.array(NativeProject),
        await this.#get("/projects", {
          membership: true,
          archived: false,
          with_issues_enabled: true,
          min_access_level: GUEST,
          simple: false,
          order_by: "id",
          sort: "asc",
          pagination: "keyset",
          per_page: PAGE_SIZE,
          id_after: after,
        }),
        "projects",
      );
      all.push(...page.filter(isBindable));
      const last = page.at(-1)?.id;
      if (page.length < PAGE_SIZE || last === undefined) return all;
      if (after !== undefined && last <= after) {
        throw new DiscoveryContractError(
          GITLAB,
          "projects",
          "the next page starts before the end of this one",
        );
      }
      after = last;
    }
  }

  /** The root's id and name, from a project directly below it, otherwise from a request. */
  async #rootOf(projects: readonly [NativeProject, ...NativeProject[]]): Promise<Root> {
    const [first] = projects;
    const path = rootPathOf(first);
    const suffix = `/${first.path_with_namespace}`;
    const url = first.web_url.endsWith(suffix) ? `${first.web_url.slice(0, -suffix.length)}/${path}` : null;
    const found = projects.find(({ namespace }) => namespace.full_path.toLowerCase() === path.toLowerCase());
    if (found !== undefined) {
      const { id, name, kind, full_path } = found.namespace;
      return { path: full_path, kind, id, name, url };
    }
    try {
      const query = { with_projects: false };
      const found = await this.#get(`/groups/${encodeURIComponent(path)}`, query);
      const group = parseDiscovered(GITLAB, NativeGroup, found, "group");
      return { path: group.full_path, kind: "group", id: group.id, name: group.name, url };
    } catch (error) {
      const isHidden =
        error instanceof TransportError &&
        (error.failureClass === "not_found" || error.failureClass === "permission");
      if (!isHidden) throw error;
      return { path, kind: "group", id: null, name: path, url };
    }
  }

  #resourceOf(project: NativeProject, workspace: DiscoveredWorkspace): DiscoveredResource {
    const { id, name_with_namespace, path_with_namespace, web_url } = project;
    return {
      stableRef: String(id),
      displayName: name_with_namespace,
      kind: "project",
      provider: GITLAB,
      workspaceId: workspace.id,
      connectorParams: { projectId: id, ...(this.#baseUrl !== null && { baseUrl: this.#baseUrl }) },
      routingMetadata: {
        project_id: id,
        path_with_namespace,
        display_key: path_with_namespace,
        resource_url: web_url,
      },
    };
  }

  async #get(
    path: string,
    query: Readonly<Record<string, string | number | boolean | undefined>> = {},
  ): Promise<unknown> {
    return (await send(this.#transport, { method: "GET", path: `/api/v4${path}`, query })).body;
  }
}

/** The id is the namespace's; where that is invisible, the path in lower case. */
function workspaceOf({ path, kind, id, name, url }: Root): DiscoveredWorkspace {
  return {
    id: id === null ? path.toLowerCase() : String(id),
    display: name,
    kind,
    provider: GITLAB,
    providerContext: {
      ...(id !== null && { [kind === "group" ? "group_id" : "namespace_id"]: id }),
      full_path: path,
      workspace_handle: path,
      ...(url !== null && { workspace_url: url }),
    },
  };
}

function byRoot(
  projects: readonly NativeProject[],
): ReadonlyMap<string, [NativeProject, ...NativeProject[]]> {
  const roots = new Map<string, [NativeProject, ...NativeProject[]]>();
  for (const project of projects) {
    const root = rootPathOf(project).toLowerCase();
    const known = roots.get(root);
    if (known === undefined) roots.set(root, [project]);
    else known.push(project);
  }
  return roots;
}

function rootPathOf({ path_with_namespace }: NativeProject): string {
  return path_with_namespace.split("/", 1).join();
}

/** Repeats the query's conditions, because older servers ignore some. */
function isBindable(project: NativeProject): boolean {
  const { permissions } = project;
  const levels = [permissions?.project_access, permissions?.group_access].flatMap((access) =>
    access ? [access.access_level] : [],
  );
  return (
    project.archived !== true &&
    !project.marked_for_deletion_on &&
    !project.marked_for_deletion_at &&
    project.issues_access_level !== "disabled" &&
    project.issues_enabled !== false &&
    // A project shared with one of the account's groups has no level.
    (levels.length === 0 || Math.max(...levels) >= GUEST)
  );
}

function assertFirstPage(cursor: string | null): void {
  if (cursor !== null) throw foreignCursor(GITLAB);
}
