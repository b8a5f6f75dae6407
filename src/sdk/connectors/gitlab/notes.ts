import * as v from "valibot";
import type { CanonicalComment, JsonValue } from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { parsePlace } from "../shared/cursor.ts";
import { earliestUse, markOf, readMark, withMark } from "../shared/marker.ts";
import type { ApiPage } from "../shared/provider-connector.ts";
import { canonicalComment, NativeNote } from "./map.ts";
import type { GitLabProject } from "./project.ts";
import { assertTextSaved, GITLAB, nextPage, PAGE_SIZE } from "./requests.ts";

const PageNumber = v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1)));

interface NotePage {
  readonly notes: readonly NativeNote[];
  readonly next: number | null;
}

/** The comments on issues, which are notes in GitLab: https://docs.gitlab.com/api/notes/ */
export class IssueNotes {
  readonly #project: GitLabProject;

  constructor(project: GitLabProject) {
    this.#project = project;
  }

  async list(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    for (let page = parsePlace(GITLAB, PageNumber, place) ?? 1; ; ) {
      const { notes, next } = await this.#read(id, "asc", page);
      const items = notes.filter(({ system }) => !system).map(canonicalComment);
      if (items.length > 0 || next === null) return { items, next };
      page = next;
    }
  }

  async add(id: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    const text = withMark(body, markOf(idempotencyKey));
    const answer = await this.#project.sendToIssue(id, {
      method: "POST",
      path: "/notes",
      json: { body: text },
    });
    const note = parsePayload(GITLAB, NativeNote, answer.body, "note");
    assertTextSaved("comment", text, note.body);
    return canonicalComment(note);
  }

  /** The comment of a key, searched from the newest down to the key's earliest possible use. */
  async find(id: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    const mark = markOf(idempotencyKey);
    const since = earliestUse(idempotencyKey);
    for (let page: number | null = 1; page !== null; ) {
      const { notes, next }: NotePage = await this.#read(id, "desc", page);
      const found = notes.find(({ body }) => readMark(body).mark === mark);
      if (found !== undefined) return canonicalComment(found);
      const oldest = notes.at(-1);
      page = since !== null && oldest !== undefined && oldest.created_at < since ? null : next;
    }
    return null;
  }

  async #read(id: string, sort: "asc" | "desc", page: number): Promise<NotePage> {
    const query = { order_by: "created_at", sort, per_page: PAGE_SIZE, page };
    const answer = await this.#project.sendToIssue(id, { path: "/notes", query });
    const notes = parsePayload(GITLAB, v.array(NativeNote), answer.body, "notes");
    return { notes, next: nextPage(answer, page, notes.length) };
  }
}
