/** The repository of a connector: its addresses, its availability, and its owner's issue types. */
import * as v from "valibot";
import { CapabilityNotSupportedError, ConnectorRequestError, type FailureClass } from "../../errors.ts";
import { TransportError } from "../../http/transport.ts";
import type { CanonicalIssueType } from "../../model.ts";
import type { GitHubParams } from "../params.ts";
import { parsePayload } from "../shared/arguments.ts";
import { isSameName, typeNameFor } from "./map.ts";
import { GITHUB, type GitHubRest, isGone, isRedirectError } from "./rest.ts";

const RepositoryState = v.object({ full_name: v.string(), has_issues: v.boolean() });
const IssueTypeRows = v.array(v.object({ name: v.string(), is_enabled: v.optional(v.boolean(), true) }));

export class GitHubRepository {
  /** `owner/repo`, spelled as in the connector's params. */
  readonly name: string;
  readonly #rest: GitHubRest;
  readonly #owner: string;
  #issueTypes: Promise<readonly string[]> | null = null;

  constructor({ owner, repo }: GitHubParams, rest: GitHubRest) {
    this.name = `${owner}/${repo}`;
    this.#owner = owner;
    this.#rest = rest;
  }

  /** A path below the repository; encodes its parts. */
  path(...parts: readonly (string | number)[]): string {
    return repositoryPath(this.name, ...parts);
  }

  /**
   * Without access, and with issues disabled, GitHub answers as if no issue existed. So a missing issue
   * counts as deleted only after this check.
   *
   * @throws ConnectorRequestError (`not_found`, `permission`) naming the reason
   */
  async assertReadable(): Promise<void> {
    const { full_name, has_issues } = parsePayload(GITHUB, RepositoryState, await this.#read(), "repository");
    // Some transports follow redirects.
    if (!isSameName(full_name, this.name)) throw this.#moved();
    if (!has_issues) throw this.#failure("permission", "has issues disabled");
    try {
      await this.#rest.send({ method: "GET", path: this.path("issues"), query: { per_page: 1 } });
    } catch (error) {
      if (!isGone(error)) throw error;
      throw this.#failure("permission", "does not let this credential read its issues", error);
    }
  }

  /** Sends a request; a failure that looks like a missing repository is explained by {@link assertReadable}. */
  async request<T>(work: () => Promise<T>, isSuspicious: (error: unknown) => boolean = isGone): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isSuspicious(error)) await this.assertReadable();
      throw error;
    }
  }

  async offeredType(type: CanonicalIssueType): Promise<string | null> {
    return typeNameFor(type, await this.#offeredTypes());
  }

  /**
   * The native type for `type`; null, no type, reads as a task.
   *
   * @throws CapabilityNotSupportedError listing the repository's types
   */
  async issueType(type: CanonicalIssueType): Promise<string | null> {
    const name = await this.offeredType(type);
    if (name !== null || type === "task") return name;
    const offered = await this.#offeredTypes();
    throw new CapabilityNotSupportedError(
      GITHUB,
      "issueType",
      offered.length === 0
        ? `${this.name} has no issue types that this credential can see, so none for ${type}.`
        : `${this.name} has no issue type for ${type}, only ${offered.join(", ")}.`,
    );
  }

  async #read(): Promise<unknown> {
    try {
      return await this.#rest.send({ method: "GET", path: this.path() });
    } catch (error) {
      if (!isGone(error)) throw error;
      if (isRedirectError(error)) throw this.#moved(error);
      throw this.#failure("not_found", "does not exist, or this credential cannot see it", error);
    }
  }

  #offeredTypes(): Promise<readonly string[]> {
    this.#issueTypes ??= this.#readTypes().catch((error: unknown) => {
      this.#issueTypes = null;
      throw error;
    });
    return this.#issueTypes;
  }

  /**
   * Older servers list only an organization's types, to its readers:
   * https://docs.github.com/en/rest/repos/issue-types, https://docs.github.com/en/rest/orgs/issue-types
   */
  async #readTypes(): Promise<readonly string[]> {
    const found =
      (await this.#typesAt(this.path("issue-types"))) ??
      (await this.#typesAt(`/orgs/${encodeURIComponent(this.#owner)}/issue-types`));
    return found ?? [];
  }

  /** Null when the list does not exist or is not visible. */
  async #typesAt(path: string): Promise<readonly string[] | null> {
    let body: unknown;
    try {
      body = await this.#rest.send({ method: "GET", path });
    } catch (error) {
      if (isGone(error) || (error instanceof TransportError && error.failureClass === "permission"))
        return null;
      throw error;
    }
    const types = parsePayload(GITHUB, IssueTypeRows, body, "issue_types");
    return types.filter(({ is_enabled }) => is_enabled).map(({ name }) => name);
  }

  #moved(cause?: unknown): ConnectorRequestError {
    return this.#failure(
      "not_found",
      "was renamed or moved. Refresh the connection to get its new name",
      cause,
    );
  }

  #failure(failureClass: FailureClass, what: string, cause?: unknown): ConnectorRequestError {
    return new ConnectorRequestError(`The GitHub repository ${this.name} ${what}.`, {
      provider: GITHUB,
      failureClass,
      cause,
    });
  }
}

export function repositoryPath(repository: string, ...parts: readonly (string | number)[]): string {
  const below = parts.map((part) => `/${encodeURIComponent(part)}`).join("");
  return `/repos/${repository.split("/").map(encodeURIComponent).join("/")}${below}`;
}
