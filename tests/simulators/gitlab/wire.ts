/** How GitLab's REST API writes and reads things: entities, parameters, pages. https://docs.gitlab.com/api/rest/ */
import type { SimulatedAnswer, SimulatedRequest } from "../server.ts";
import {
  fullPathOf,
  type GitLabStore,
  type Issue,
  type Link,
  type Namespace,
  type Note,
  type Project,
  type SimulatedUser,
} from "./store.ts";

/** A request that the API refuses. */
export class Refusal extends Error {
  readonly answer: SimulatedAnswer;

  constructor(status: number, body: unknown) {
    super(`${status}`);
    this.answer = { status, body };
  }
}

export const notFound = (what?: string) =>
  new Refusal(404, { message: what === undefined ? "404 Not found" : `404 ${what} Not Found` });

/** The parameters of a request: what is in its query and in its body counts alike. */
export class Params {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor({ query, body }: SimulatedRequest) {
    const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
    this.#values = new Map<string, unknown>([...query.entries(), ...(isObject ? Object.entries(body) : [])]);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Numbers are taken for text, as Grape does. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw invalidParam(name);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new Refusal(400, { error: `${name} is missing` });
    if (value.trim() === "") throw new Refusal(400, { error: `${name} is empty` });
    return value;
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined || text === "") return undefined;
    if (!/^-?\d+$/.test(text)) throw invalidParam(name);
    return Number(text);
  }

  integers(name: string): readonly number[] | undefined {
    const value = this.#values.get(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw invalidParam(name);
    return value.map((element: unknown) => {
      if (!/^\d+$/.test(String(element))) throw invalidParam(name);
      return Number(element);
    });
  }

  flag(name: string): boolean | undefined {
    const value = this.#values.get(name);
    if (value === undefined || value === null) return undefined;
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw invalidParam(name);
  }

  instant(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const instant = Date.parse(text);
    if (Number.isNaN(instant)) throw invalidParam(name);
    return instant;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
    const text = this.text(name);
    if (text === undefined) return otherwise;
    const found = allowed.find((word) => word === text);
    if (found === undefined) throw new Refusal(400, { error: `${name} does not have a valid value` });
    return found;
  }

  /** Labels come as one text with commas; undefined when they are not given. */
  labels(name: string): readonly string[] | undefined {
    return this.text(name)
      ?.split(",")
      .map((label) => label.trim())
      .filter((label) => label !== "");
  }
}

function invalidParam(name: string): Refusal {
  return new Refusal(400, { error: `${name} is invalid` });
}

/** One page of rows, with the headers of numbered pages. */
export function numberedPage<T>(
  request: SimulatedRequest,
  origin: string,
  rows: readonly T[],
  show: (row: T) => unknown,
): SimulatedAnswer {
  const params = new Params(request);
  const page = params.integer("page") ?? 1;
  const perPage = Math.min(params.integer("per_page") ?? 20, 100);
  if (page < 1) throw new Refusal(400, { error: "page does not have a valid value" });
  if (perPage < 1) throw new Refusal(400, { error: "per_page has a value not allowed" });
  const pages = Math.max(1, Math.ceil(rows.length / perPage));
  const linkTo = (number: number, relation: string) => {
    const query = new URLSearchParams(request.query);
    query.set("page", String(number));
    query.set("per_page", String(perPage));
    return `<${origin}${request.path}?${query}>; rel="${relation}"`;
  };
  return {
    status: 200,
    headers: {
      "x-page": String(page),
      "x-per-page": String(perPage),
      "x-prev-page": page > 1 ? String(page - 1) : "",
      "x-next-page": page < pages ? String(page + 1) : "",
      "x-total": String(rows.length),
      "x-total-pages": String(pages),
      link: [
        ...(page > 1 ? [linkTo(page - 1, "prev")] : []),
        ...(page < pages ? [linkTo(page + 1, "next")] : []),
        linkTo(1, "first"),
        linkTo(pages, "last"),
      ].join(", "),
    },
    body: rows.slice((page - 1) * perPage, page * perPage).map(show),
  };
}

/** One page of projects in the order of their ids; the next one starts behind the last id. */
export function keysetPage(
  request: SimulatedRequest,
  origin: string,
  rows: readonly Project[],
  show: (row: Project) => unknown,
): SimulatedAnswer {
  const perPage = Math.min(new Params(request).integer("per_page") ?? 20, 100);
  const page = rows.slice(0, perPage);
  const last = page.at(-1);
  const query = new URLSearchParams(request.query);
  query.set("id_after", String(last?.id));
  const next = last === undefined ? {} : { link: `<${origin}${request.path}?${query}>; rel="next"` };
  return { status: 200, headers: next, body: page.map(show) };
}

/** Writes what the API shows. */
export class Entities {
  readonly #store: GitLabStore;
  readonly #origin: () => string;

  constructor(store: GitLabStore, origin: () => string) {
    this.#store = store;
    this.#origin = origin;
  }

  user({ id, username, name }: SimulatedUser) {
    return {
      id,
      username,
      public_email: "",
      name,
      state: "active",
      locked: false,
      avatar_url: null,
      web_url: `${this.#origin()}/${username}`,
    };
  }

  namespace({ id, name, path, kind, fullPath, parentId }: Namespace) {
    return {
      id,
      name,
      path,
      kind,
      full_path: fullPath,
      parent_id: parentId,
      avatar_url: null,
      web_url: `${this.#origin()}/${kind === "group" ? "groups/" : ""}${fullPath}`,
    };
  }

  project(project: Project) {
    const { id, name, path, namespace, archived, deletionOn, issues, access } = project;
    const fullPath = fullPathOf(project);
    return {
      id,
      description: null,
      name,
      name_with_namespace: [...this.#ancestors(namespace), name].join(" / "),
      path,
      path_with_namespace: fullPath,
      created_at: "2026-01-01T00:00:00.000Z",
      default_branch: "main",
      topics: [],
      web_url: `${this.#origin()}/${fullPath}`,
      namespace: this.namespace(namespace),
      archived,
      visibility: "private",
      issues_enabled: issues !== "disabled",
      issues_access_level: issues,
      marked_for_deletion_at: deletionOn,
      marked_for_deletion_on: deletionOn,
      permissions: {
        project_access: access === null ? null : { access_level: access, notification_level: 3 },
        group_access: null,
      },
    };
  }

  issue(issue: Issue) {
    const project = this.#projectOf(issue);
    const fullPath = fullPathOf(project);
    const assignees = issue.assignees.map((id) => this.#user(id));
    const api = `${this.#origin()}/api/v4/projects/${project.id}`;
    return {
      id: issue.id,
      iid: issue.iid,
      project_id: issue.projectId,
      title: issue.title,
      description: issue.description,
      state: issue.state,
      created_at: instantOf(issue.createdAt),
      updated_at: instantOf(issue.updatedAt),
      closed_at: issue.closedAt === null ? null : instantOf(issue.closedAt),
      closed_by: null,
      labels: issue.labels,
      milestone: null,
      assignees,
      author: this.#user(issue.authorId),
      type: issue.type.toUpperCase(),
      assignee: assignees[0] ?? null,
      user_notes_count: issue.notes.filter(({ system }) => !system).length,
      merge_requests_count: 0,
      upvotes: 0,
      downvotes: 0,
      due_date: null,
      confidential: issue.confidential,
      discussion_locked: null,
      issue_type: issue.type,
      web_url: `${this.#origin()}/${fullPath}/-/issues/${issue.iid}`,
      time_stats: {
        time_estimate: 0,
        total_time_spent: 0,
        human_time_estimate: null,
        human_total_time_spent: null,
      },
      task_completion_status: { count: 0, completed_count: 0 },
      blocking_issues_count: 0,
      has_tasks: false,
      _links: {
        self: `${api}/issues/${issue.iid}`,
        notes: `${api}/issues/${issue.iid}/notes`,
        award_emoji: `${api}/issues/${issue.iid}/award_emoji`,
        project: api,
        closed_as_duplicate_of: null,
      },
      references: { short: `#${issue.iid}`, relative: `#${issue.iid}`, full: `${fullPath}#${issue.iid}` },
      severity: "UNKNOWN",
      moved_to_id: issue.movedToId,
      imported: false,
      imported_from: "none",
      service_desk_reply_to: null,
    };
  }

  /** An issue that is read on its own. */
  single(issue: Issue) {
    return { ...this.issue(issue), subscribed: true };
  }

  /** An issue as the links of `from` show it. */
  related(from: Issue, { id, type, sourceId, targetId, createdAt }: Link) {
    const other = this.#store.issueById(sourceId === from.id ? targetId : sourceId);
    if (other === undefined) throw new Error("a link leads nowhere");
    const inverse = type === "blocks" ? "is_blocked_by" : type;
    return {
      ...this.issue(other),
      issue_link_id: id,
      link_type: sourceId === from.id ? type : inverse,
      link_created_at: instantOf(createdAt),
      link_updated_at: instantOf(createdAt),
    };
  }

  link({ id, type, sourceId, targetId }: Link) {
    const [source, target] = [this.#store.issueById(sourceId), this.#store.issueById(targetId)];
    return {
      id,
      source_issue: source === undefined ? null : this.single(source),
      target_issue: target === undefined ? null : this.single(target),
      link_type: type,
    };
  }

  note(issue: Issue, { id, body, authorId, createdAt, system, internal }: Note) {
    return {
      id,
      type: null,
      body,
      author: this.#user(authorId),
      created_at: instantOf(createdAt),
      updated_at: instantOf(createdAt),
      system,
      noteable_id: issue.id,
      noteable_type: "Issue",
      project_id: issue.projectId,
      noteable_iid: issue.iid,
      resolvable: false,
      confidential: internal,
      internal,
      imported: false,
      imported_from: "none",
    };
  }

  #user(id: number) {
    const found = this.#store.users.find((user) => user.id === id);
    if (found === undefined) throw new Error(`there is no user ${id}`);
    return this.user(found);
  }

  #projectOf({ projectId }: Issue): Project {
    const found = this.#store.projects.find(({ id }) => id === projectId);
    if (found === undefined) throw new Error(`there is no project ${projectId}`);
    return found;
  }

  #ancestors({ name, parentId }: Namespace): readonly string[] {
    const parent = this.#store.namespaces.find(({ id }) => id === parentId);
    return parent === undefined ? [name] : [...this.#ancestors(parent), name];
  }
}

function instantOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
