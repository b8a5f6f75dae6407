/** Writes the fields with requests of their own: labels, assignees, parents, dependencies. */
import * as v from "valibot";
import { ConnectorRequestError } from "../../errors.ts";
import type { CanonicalIssue, CanonicalLink, ExternalRef } from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import type { GitHubIssues } from "./issues.ts";
import { databaseId, isSameName, issueIn, type ReadIssue } from "./map.ts";
import { type GitHubRepository, repositoryPath } from "./repository.ts";
import { GITHUB, type GitHubRest, isGone } from "./rest.ts";

const LabelRows = v.array(v.object({ name: v.string() }));
const Assigned = v.object({ assignees: v.array(v.object({ login: v.string() })) });

export class GitHubFields {
  readonly #rest: GitHubRest;
  readonly #repository: GitHubRepository;
  readonly #issues: GitHubIssues;

  constructor(rest: GitHubRest, repository: GitHubRepository, issues: GitHubIssues) {
    this.#rest = rest;
    this.#repository = repository;
    this.#issues = issues;
  }

  /** GitHub creates missing labels: https://docs.github.com/en/rest/issues/labels */
  async setLabels({ ref, labels: before }: CanonicalIssue, labels: readonly string[]): Promise<null> {
    const added = missingIn(before, labels);
    if (added.length > 0) {
      const answer = await this.#issues.write(ref.id, "POST", ["labels"], { labels: added });
      const kept = parsePayload(GITHUB, LabelRows, answer, "labels").map(({ name }) => name);
      assertSpelling("label", added, kept);
    }
    for (const label of missingIn(labels, before)) {
      try {
        await this.#issues.write(ref.id, "DELETE", ["labels", label]);
      } catch (error) {
        // Another client was faster.
        if (!isGone(error)) throw error;
      }
    }
    return null;
  }

  /**
   * GitHub silently ignores unknown users and users without access:
   * https://docs.github.com/en/rest/issues/assignees
   *
   * @throws ConnectorRequestError (`invalid`) naming a user who cannot be assigned
   */
  async setAssignees(
    { ref, assignees: before }: CanonicalIssue,
    assignees: readonly string[],
  ): Promise<ReadIssue | null> {
    const write = (method: "DELETE" | "POST", logins: readonly string[]) =>
      this.#issues.write(ref.id, method, ["assignees"], { assignees: logins });
    const removed = missingIn(assignees, before);
    // First, because an issue has room for ten.
    const reduced = removed.length > 0 ? await write("DELETE", removed) : null;
    const added = missingIn(before, assignees);
    if (added.length === 0) return issueIn(reduced);
    const answer = await write("POST", added);
    const kept = parsePayload(GITHUB, Assigned, answer, "issue").assignees.map(({ login }) => login);
    assertSpelling("user", added, kept);
    await this.assertAssignable(missingIn(kept, added));
    return issueIn(answer);
  }

  async assertAssignable(logins: readonly string[]): Promise<void> {
    for (const login of logins) {
      try {
        await this.#rest.send({ method: "GET", path: this.#repository.path("assignees", login) });
      } catch (error) {
        if (!isGone(error)) throw error;
        const repository = this.#repository.name;
        throw invalid(`"${login}" cannot be assigned in ${repository}: no user with access has that login.`);
      }
    }
  }

  /** https://docs.github.com/en/rest/issues/sub-issues */
  async setParent(current: CanonicalIssue, parent: ExternalRef | null): Promise<null> {
    const json = { sub_issue_id: databaseId(current) };
    if (parent !== null) {
      await this.#issues.write(parent.id, "POST", ["sub_issues"], { ...json, replace_parent: true });
    } else if (current.parent !== null) {
      // The parent may be in another repository.
      const path = repositoryPath(current.parent.workspace, "issues", current.parent.id, "sub_issue");
      await this.#rest.send({ method: "DELETE", path, body: { json } });
    }
    return null;
  }

  /** https://docs.github.com/en/rest/issues/issue-dependencies */
  async addDependency(current: CanonicalIssue, link: CanonicalLink): Promise<ReadIssue | null> {
    const { blocked, blocker } = await this.#ends(current, link);
    const json = { issue_id: blocker };
    return issueIn(await this.#issues.write(blocked, "POST", ["dependencies", "blocked_by"], json));
  }

  async removeDependency(current: CanonicalIssue, link: CanonicalLink): Promise<ReadIssue | null> {
    const { blocked, blocker } = await this.#ends(current, link);
    return issueIn(await this.#issues.write(blocked, "DELETE", ["dependencies", "blocked_by", blocker]));
  }

  /** The number of the blocked issue and the database id of the blocking one. */
  async #ends(current: CanonicalIssue, { type, target }: CanonicalLink) {
    if (type === "blocks") return { blocked: target.id, blocker: databaseId(current) };
    return { blocked: current.ref.id, blocker: (await this.#issues.read(target.id)).native.id };
  }
}

function missingIn(there: readonly string[], wanted: readonly string[]): readonly string[] {
  return wanted.filter((name) => !there.includes(name));
}

/** GitHub matches names in any case and keeps its own spelling. */
function assertSpelling(what: string, added: readonly string[], kept: readonly string[]): void {
  for (const name of missingIn(kept, added)) {
    const own = kept.find((other) => isSameName(other, name));
    if (own !== undefined) throw invalid(`GitHub spells the ${what} "${name}" as "${own}".`);
  }
}

function invalid(message: string): ConnectorRequestError {
  return new ConnectorRequestError(message, { provider: GITHUB, failureClass: "invalid" });
}
