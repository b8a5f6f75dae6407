/** Reads and changes single issues of a repository. */
import { IssueNotFoundError, IssuePayloadContractError } from "../../errors.ts";
import type { TransportRequest } from "../../http/transport.ts";
import type { CanonicalIssue, CanonicalLink } from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import {
  canonicalIssue,
  isSameName,
  issueRef,
  LinkedIssue,
  type NativeIssue,
  type ReadIssue,
  readIssue,
} from "./map.ts";
import type { GitHubRepository } from "./repository.ts";
import { GITHUB, type GitHubRest, isGone, isRedirectError } from "./rest.ts";

export class GitHubIssues {
  readonly #rest: GitHubRest;
  readonly #repository: GitHubRepository;
  /** Set when a server turns out not to support dependencies. */
  #lacksDependencies = false;

  constructor(rest: GitHubRest, repository: GitHubRepository) {
    this.#rest = rest;
    this.#repository = repository;
  }

  /** @throws IssueNotFoundError only when the repository exists and the issue is not in it */
  async read(id: string): Promise<ReadIssue> {
    // GitHub's issues have numbers.
    if (!/^[1-9]\d*$/.test(id)) throw new IssueNotFoundError(GITHUB, id);
    let body: unknown;
    try {
      body = await this.#rest.send({ method: "GET", path: this.#repository.path("issues", id) });
    } catch (error) {
      if (!isGone(error)) throw error;
      await this.#repository.assertReadable();
      // A transferred issue has another address; any other redirect says nothing about the issue.
      if (isRedirectError(error) && !/\/issues\/\d+$/.test(error.response?.headers.get("location") ?? ""))
        throw error;
      throw new IssueNotFoundError(GITHUB, id);
    }
    return this.own(body, id);
  }

  /** The issue in the answer to a request for this id. */
  async own(body: unknown, id: string): Promise<ReadIssue> {
    const issue = readIssue(body, "issue");
    if (issue === null) throw new IssueNotFoundError(GITHUB, id);
    // A transport that follows redirects returns a transferred issue.
    return this.#isOwn(issue) ? issue : this.fail(id);
  }

  /**
   * @throws IssueNotFoundError when the issue certainly does not exist
   * @throws ConnectorRequestError when the repository cannot be read
   */
  async fail(id: string): Promise<never> {
    await this.#repository.assertReadable();
    throw new IssueNotFoundError(GITHUB, id);
  }

  async request<T>(id: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isGone(error)) await this.read(id);
      throw error;
    }
  }

  write(id: string, method: TransportRequest["method"], parts: readonly (string | number)[], json?: object) {
    const path = this.#repository.path("issues", id, ...parts);
    const body = json === undefined ? {} : { body: { json } };
    return this.request(id, () => this.#rest.send({ method, path, ...body }));
  }

  /** Changes members of an issue. Returns it afterwards. */
  async change(id: string, json: Readonly<Record<string, string | null>>): Promise<ReadIssue> {
    return this.own(await this.write(id, "PATCH", [], json), id);
  }

  /** The issue after a write; null where the answer shows another issue or lacks the parent. */
  async afterWrite(answered: ReadIssue | null, current: CanonicalIssue): Promise<CanonicalIssue | null> {
    if (answered === null || !this.#isOwn(answered)) return null;
    if (String(answered.native.number) !== current.ref.id) return null;
    const issue = await this.complete(answered, current.links);
    return issue.parent === null && current.parent !== null ? null : issue;
  }

  /** The issue of a list's row; null for a pull request. */
  async fromRow(row: unknown, path: string): Promise<ReadIssue | null> {
    const issue = readIssue(row, path);
    if (issue === null || this.#isOwn(issue)) return issue;
    await this.#repository.assertReadable();
    throw new IssuePayloadContractError(GITHUB, `${path}.repository_url`, "is another repository's");
  }

  withoutLinks(issue: ReadIssue): CanonicalIssue {
    return canonicalIssue(issue, this.#repository.name, []);
  }

  /** @param known Links to keep while their number is the same; null to read them, at a request per direction */
  async complete(issue: ReadIssue, known: readonly CanonicalLink[] | null): Promise<CanonicalIssue> {
    const { issue_dependencies_summary: summary, number } = issue.native;
    if (known !== null && isCountOf(summary, known)) {
      return canonicalIssue(issue, this.#repository.name, known);
    }
    const [blockers, blocked] =
      summary === undefined
        ? await this.#linksWithoutSummary(number)
        : await this.request(String(number), () =>
            Promise.all([
              summary.total_blocked_by === 0 ? [] : this.#links(number, "blocked_by", "blocked_by"),
              summary.total_blocking === 0 ? [] : this.#links(number, "blocking", "blocks"),
            ]),
          );
    return canonicalIssue(issue, this.#repository.name, [...blockers, ...blocked]);
  }

  /** The links of an issue without a summary, which older servers lack. */
  async #linksWithoutSummary(
    number: number,
  ): Promise<readonly [readonly CanonicalLink[], readonly CanonicalLink[]]> {
    if (this.#lacksDependencies) return [[], []];
    try {
      const blockers = await this.#links(number, "blocked_by", "blocked_by");
      return [blockers, await this.#links(number, "blocking", "blocks")];
    } catch (error) {
      if (!isGone(error)) throw error;
      await this.read(String(number));
      this.#lacksDependencies = true;
      return [[], []];
    }
  }

  /** https://docs.github.com/en/rest/issues/issue-dependencies */
  async #links(
    number: number,
    list: "blocked_by" | "blocking",
    type: CanonicalLink["type"],
  ): Promise<readonly CanonicalLink[]> {
    const path = this.#repository.path("issues", number, "dependencies", list);
    const links: CanonicalLink[] = [];
    for await (const rows of this.#rest.pages(path, {}, list)) {
      for (const [index, row] of rows.entries()) {
        const linked = parsePayload(GITHUB, LinkedIssue, row, `${list}.${index}`);
        links.push({ type, target: issueRef(linked, this.#repository.name) });
      }
    }
    return links;
  }

  #isOwn({ native }: ReadIssue): boolean {
    return isSameName(native.repository_url, this.#repository.name);
  }
}

/** Reports whether an issue has as many links as these; servers without a summary never deny it. */
function isCountOf(
  summary: NativeIssue["issue_dependencies_summary"],
  links: readonly CanonicalLink[],
): boolean {
  if (summary === undefined) return true;
  const count = (wanted: CanonicalLink["type"]) => links.filter(({ type }) => type === wanted).length;
  return summary.total_blocked_by === count("blocked_by") && summary.total_blocking === count("blocks");
}
