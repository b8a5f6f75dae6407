/** The comments of an issue: https://docs.github.com/en/rest/issues/comments */
import * as v from "valibot";
import type { CanonicalComment, JsonValue } from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { parsePlace } from "../shared/cursor.ts";
import { earliestUse, markOf, readMark, withMark } from "../shared/marker.ts";
import type { ApiPage } from "../shared/provider-connector.ts";
import type { GitHubIssues } from "./issues.ts";
import { canonicalComment, isSameName, NativeComment } from "./map.ts";
import type { GitHubRepository } from "./repository.ts";
import { FIRST_PAGE, GITHUB, type GitHubRest } from "./rest.ts";

/** The last page that was read and the last id on it. */
const Place = v.nullable(v.strictObject({ page: v.string(), after: v.number() }));

export class GitHubComments {
  readonly #rest: GitHubRest;
  readonly #repository: GitHubRepository;
  readonly #issues: GitHubIssues;

  constructor(rest: GitHubRest, repository: GitHubRepository, issues: GitHubIssues) {
    this.#rest = rest;
    this.#repository = repository;
    this.#issues = issues;
  }

  /** Sorted by ascending id. A deletion moves later comments back, so every part starts with the last page. */
  async list(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    const { page: first, after } = parsePlace(GITHUB, Place, place) ?? { page: FIRST_PAGE, after: 0 };
    for (let page = first; ; ) {
      const path = this.#repository.path("issues", id, "comments");
      const { rows, next } = await this.#issues.request(id, () =>
        this.#rest.page(path, {}, page, "comments"),
      );
      const comments = await this.#parse(id, rows);
      const unseen = comments.filter((comment) => comment.id > after);
      const last = unseen.at(-1);
      if (last !== undefined || next === null) {
        const place = next === null || last === undefined ? null : { page, after: last.id };
        return { items: unseen.map(canonicalComment), next: place };
      }
      page = next;
    }
  }

  async find(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    await this.#issues.read(id);
    const mark = markOf(idempotencyKey);
    const earliest = earliestUse(idempotencyKey);
    const path = this.#repository.path("issues", id, "comments");
    const query = earliest === null ? {} : { since: earliest };
    for await (const rows of this.#rest.pages(path, query, "comments")) {
      const existing = (await this.#parse(id, rows)).find((comment) => readMark(comment.body).mark === mark);
      if (existing !== undefined) return canonicalComment(existing);
    }
    return null;
  }

  async add(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    const json = { body: withMark(body, markOf(idempotencyKey)) };
    const made = await this.#issues.write(id, "POST", ["comments"], json);
    return canonicalComment(parsePayload(GITHUB, NativeComment, made, "comment"));
  }

  /** Pull requests and transferred issues have comments at the same addresses. */
  async #parse(id: string, rows: readonly unknown[]): Promise<readonly NativeComment[]> {
    const comments = rows.map((row, index) => parsePayload(GITHUB, NativeComment, row, `comments.${index}`));
    for (const { html_url, issue_url } of comments) {
      const isOwn = isSameName(issue_url.repository, this.#repository.name);
      if (!isOwn || /\/pull\/\d+/.test(html_url)) await this.#issues.fail(id);
    }
    return comments;
  }
}
