/** Reads a tracker that returns all its issues at once; keeps only the rest of a running listing. */
import * as v from "valibot";
import { IssueNotFoundError } from "../../errors.ts";
import type { CanonicalIssue } from "../../model.ts";
import { parsePlace } from "./cursor.ts";
import type { ApiPage, ChangeQuery } from "./provider-connector.ts";

/** The position after the issue `id`, which changed at `updatedAt`. */
const Place = v.nullable(v.strictObject({ updatedAt: v.string(), id: v.string() }));
type Place = v.InferOutput<typeof Place>;

export class SnapshotReader {
  readonly #provider: string;
  readonly #read: () => Promise<readonly CanonicalIssue[]>;
  /** All issues in listing order, during a listing. */
  #listed: readonly CanonicalIssue[] = [];

  constructor(provider: string, read: () => Promise<readonly CanonicalIssue[]>) {
    this.#provider = provider;
    this.#read = read;
  }

  /**
   * Oldest change first. Parts of a listing share its first read while that is kept, or continue after their
   * place.
   */
  async list({ since, until, limit, place }: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    const after = parsePlace(this.#provider, Place, place);
    if (after === null || this.#listed.length === 0) this.#listed = (await this.#read()).toSorted(byChange);
    const wanted = this.#listed.filter(
      (issue) =>
        (since === null || issue.updatedAt >= since) &&
        (until === null || issue.updatedAt < until) &&
        (after === null || isAfter(issue, after)),
    );
    const items = wanted.slice(0, limit);
    const last = items.at(-1);
    if (wanted.length > limit && last !== undefined) {
      return { items, next: { updatedAt: last.updatedAt, id: last.ref.id } };
    }
    this.#listed = [];
    return { items, next: null };
  }

  /** Called with every write: the rest of a listing is read again. */
  invalidate(): void {
    this.#listed = [];
  }

  /** @throws IssueNotFoundError when the tracker does not have it */
  async get(id: string): Promise<CanonicalIssue> {
    const issue = await this.find((candidate) => candidate.ref.id === id);
    if (issue === null) throw new IssueNotFoundError(this.#provider, id);
    return issue;
  }

  async find(isWanted: (issue: CanonicalIssue) => boolean): Promise<CanonicalIssue | null> {
    return (await this.#read()).find(isWanted) ?? null;
  }

  /** Issues with all words of `text` in title or body, in any case; the latest changed first. */
  async search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    const words = (text ?? "").toLowerCase().split(/\s+/);
    const issues = (await this.#read()).filter(({ title, body }) => {
      const all = `${title}\n${body ?? ""}`.toLowerCase();
      return words.every((word) => all.includes(word));
    });
    return issues.toSorted((one, other) => byChange(other, one)).slice(0, limit);
  }
}

function byChange(one: CanonicalIssue, other: CanonicalIssue): number {
  return isAfter(one, { updatedAt: other.updatedAt, id: other.ref.id }) ? 1 : -1;
}

function isAfter({ updatedAt, ref }: CanonicalIssue, place: NonNullable<Place>): boolean {
  return updatedAt === place.updatedAt ? ref.id > place.id : updatedAt > place.updatedAt;
}
