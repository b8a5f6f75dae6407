/** The owners that a GitHub credential can see, and their repositories with issues. */
import * as v from "valibot";
import {
  type DiscoveredResource,
  type DiscoveredWorkspace,
  type DiscoverySource,
  type FoundResource,
  isSameSite,
  type ResourceNames,
} from "../../discovery.ts";
import { TrackerSdkError } from "../../errors.ts";
import { NonEmpty, type Page } from "../../model.ts";
import { parseDiscovered } from "../shared/arguments.ts";
import { GITHUB, type GitHubRest, isGone, isRedirectError } from "./rest.ts";

const Id = v.pipe(v.number(), v.safeInteger(), v.transform(String));

const NativeUser = v.object({ id: Id });
/** https://docs.github.com/en/rest/repos/repos */
const NativeRepository = v.object({
  id: Id,
  name: NonEmpty,
  full_name: NonEmpty,
  html_url: NonEmpty,
  owner: v.object({
    id: Id,
    login: NonEmpty,
    html_url: NonEmpty,
    type: v.picklist(["User", "Organization"]),
  }),
  archived: v.boolean(),
  disabled: v.boolean(),
  has_issues: v.boolean(),
  permissions: v.optional(v.object({ pull: v.boolean() })),
});
type NativeRepository = v.InferOutput<typeof NativeRepository>;

/** `owner/repo`; a part of dots only is invalid. */
const FULL_NAME = /^(?!\.+\/)[\w.-]+\/(?!\.+$)[\w.-]+$/;

/** Discovers repositories for a user's credential or for an installation of a GitHub app. */
export class GitHubDiscovery implements DiscoverySource {
  readonly provider = GITHUB;
  readonly #rest: GitHubRest;
  readonly #baseUrl: string | null;
  #found: Promise<readonly NativeRepository[]> | null = null;

  constructor(rest: GitHubRest, baseUrl: string | null) {
    this.#rest = rest;
    this.#baseUrl = baseUrl;
  }

  /** The user's id; for an app's installation the owner of its repositories. */
  async account(): Promise<string> {
    try {
      return parseDiscovered(
        GITHUB,
        NativeUser,
        await this.#rest.send({ method: "GET", path: "/user" }),
        "user",
      ).id;
    } catch (error) {
      const [first] = await this.#installed(error);
      return first === undefined ? "installation" : `installation:${first.owner.id}`;
    }
  }

  /** All owners on one page; only the list of all repositories names them. */
  async listWorkspaces(): Promise<Page<DiscoveredWorkspace>> {
    this.#found = null;
    const owners = new Map<string, DiscoveredWorkspace>();
    for (const { owner } of await this.#repositories()) owners.set(owner.id, workspaceOf(owner));
    return { items: [...owners.values()], nextCursor: null };
  }

  async listResources(workspace: DiscoveredWorkspace): Promise<Page<DiscoveredResource>> {
    const repositories = await this.#repositories();
    return {
      items: repositories
        .filter(({ owner }) => owner.id === workspace.id)
        .map((found) => this.#resource(found)),
      nextCursor: null,
    };
  }

  /** One request; two when the repository was renamed or moved. */
  async findResource({ displayKey, resourceUrl }: ResourceNames): Promise<FoundResource | null> {
    if (!FULL_NAME.test(displayKey)) return null;
    const body = await this.#getFollowing(`/repos/${displayKey}`);
    if (body === null) return null;
    const repository = parseDiscovered(GITHUB, NativeRepository, body, "repository");
    if (!isBindable(repository) || !isSameSite(resourceUrl, repository.html_url)) return null;
    return { workspace: workspaceOf(repository.owner), resource: this.#resource(repository) };
  }

  /**
   * The body at `path`, or at the id that GitHub redirects an old name to; null when there is none.
   * https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
   */
  async #getFollowing(path: string): Promise<unknown> {
    try {
      return await this.#rest.send({ method: "GET", path });
    } catch (error) {
      if (!isGone(error)) throw error;
      const moved = /\/repositories\/\d+$/.exec(error.response?.headers.get("location") ?? "")?.[0];
      return isRedirectError(error) && moved !== undefined && moved !== path
        ? this.#getFollowing(moved)
        : null;
    }
  }

  #resource({ id, name, full_name, html_url, owner }: NativeRepository): DiscoveredResource {
    return {
      stableRef: id,
      displayName: full_name,
      kind: "repository",
      provider: GITHUB,
      workspaceId: owner.id,
      connectorParams: {
        owner: owner.login,
        repo: name,
        ...(this.#baseUrl !== null && { baseUrl: this.#baseUrl }),
      },
      routingMetadata: {
        repository_id: id,
        full_name,
        display_key: full_name,
        resource_url: html_url,
      },
    };
  }

  /** The repositories with issues, read once for the owners and for each owner's resources. */
  #repositories(): Promise<readonly NativeRepository[]> {
    this.#found ??= this.#readRepositories().catch((error: unknown) => {
      this.#found = null;
      throw error;
    });
    return this.#found;
  }

  async #readRepositories(): Promise<readonly NativeRepository[]> {
    const query = { sort: "full_name", affiliation: "owner,collaborator,organization_member" };
    const all = await this.#list("/user/repos", query).catch((error: unknown) => this.#installed(error));
    // A repository that was renamed or created meanwhile can be on two pages.
    const once = new Map(all.map((repository) => [repository.id, repository]));
    return [...once.values()].filter(isBindable);
  }

  /** A credential that is neither a user's nor an app installation's throws the user's refusal. */
  async #installed(refusal: unknown): Promise<readonly NativeRepository[]> {
    if (!isPermission(refusal)) throw refusal;
    try {
      return await this.#list("/installation/repositories", {}, installed);
    } catch (error) {
      throw isPermission(error) ? refusal : error;
    }
  }

  async #list(
    path: string,
    query: Readonly<Record<string, string>>,
    member: (body: unknown) => unknown = (body) => body,
  ): Promise<readonly NativeRepository[]> {
    const rowsOf = (body: unknown) =>
      parseDiscovered(GITHUB, v.array(v.unknown()), member(body), "repositories");
    const found: NativeRepository[] = [];
    for await (const rows of this.#rest.pages(path, query, "repositories", rowsOf)) {
      for (const row of rows)
        found.push(parseDiscovered(GITHUB, NativeRepository, row, `repositories.${found.length}`));
    }
    return found;
  }
}

function isBindable({ archived, disabled, has_issues, permissions }: NativeRepository): boolean {
  return has_issues && !archived && !disabled && permissions?.pull !== false;
}

function workspaceOf(owner: NativeRepository["owner"]): DiscoveredWorkspace {
  return {
    id: owner.id,
    display: owner.login,
    kind: owner.type === "User" ? "user" : "organization",
    provider: GITHUB,
    providerContext: {
      login: owner.login,
      workspace_handle: owner.login,
      workspace_url: owner.html_url,
    },
  };
}

/** https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation */
function installed(body: unknown): unknown {
  return parseDiscovered(GITHUB, v.object({ repositories: v.unknown() }), body, "installation").repositories;
}

function isPermission(error: unknown): boolean {
  return error instanceof TrackerSdkError && error.failureClass === "permission";
}
