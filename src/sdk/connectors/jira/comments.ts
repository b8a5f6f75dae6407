/** Comments: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/ */
import * as v from "valibot";
import type { CanonicalComment, JsonValue } from "../../model.ts";
import { parsePlace } from "../shared/cursor.ts";
import { earliestUse, markOf } from "../shared/marker.ts";
import type { ApiPage } from "../shared/provider-connector.ts";
import { documentOf } from "./adf-markdown.ts";
import { canonicalComment, NativeComment } from "./map.ts";
import { JIRA, type JiraRest } from "./rest.ts";

const PAGE_SIZE = 100;
const PROPERTY = "tracker.comment";

const Comments = v.object({
  comments: v.array(NativeComment),
  startAt: v.number(),
  total: v.number(),
});
const Property = v.object({ mark: v.string() });
const Place = v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0)));

export class IssueComments {
  readonly #rest: JiraRest;

  constructor(rest: JiraRest) {
    this.#rest = rest;
  }

  async list(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    const start = parsePlace(JIRA, Place, place) ?? 0;
    const { items, next } = await this.#read(id, start, "created");
    return { items: items.map(canonicalComment), next };
  }

  async add(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    const value = { mark: markOf(idempotencyKey) };
    const json = { body: documentOf(body), properties: [{ key: PROPERTY, value }] };
    return canonicalComment(await this.#rest.send(NativeComment, "comment", "POST", pathOf(id), { json }));
  }

  /** The comment of a key, searched from the latest back to the key's earliest possible use. */
  async find(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    const mark = markOf(idempotencyKey);
    const earliest = earliestUse(idempotencyKey);
    let start: number | null = 0;
    while (start !== null) {
      const { items, next }: ApiPage<NativeComment> & { next: number | null } = await this.#read(
        id,
        start,
        "-created",
      );
      const found = items.find((comment) => markIn(comment) === mark);
      if (found !== undefined) return canonicalComment(found);
      start = earliest !== null && items.some(({ created }) => created < earliest) ? null : next;
    }
    return null;
  }

  async #read(
    id: string,
    startAt: number,
    orderBy: "created" | "-created",
  ): Promise<{ readonly items: readonly NativeComment[]; readonly next: number | null }> {
    const query = { startAt, maxResults: PAGE_SIZE, orderBy, expand: "properties" };
    const { comments, total } = await this.#rest.get(Comments, "comments", pathOf(id), query);
    const end = startAt + comments.length;
    return { items: comments, next: comments.length === 0 || end >= total ? null : end };
  }
}

function pathOf(id: string): string {
  return `/rest/api/3/issue/${encodeURIComponent(id)}/comment`;
}

function markIn({ properties }: NativeComment): string | null {
  const value = properties.find(({ key }) => key === PROPERTY)?.value;
  return v.is(Property, value) ? value.mark : null;
}
