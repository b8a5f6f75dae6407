/** What a simulated GitLab holds, and the rules by which it changes, whoever changes it. */

/** Somebody with an account. */
export interface SimulatedUser {
  readonly id: number;
  readonly username: string;
  readonly name: string;
}

/** A project, as a test describes it. */
export interface ProjectSeed {
  readonly id: number;
  /** Below the workspace, subgroups included, such as `platform/payments-api`. */
  readonly path: string;
  readonly name: string;
  readonly archived?: boolean;
  /** Day of the deletion that it waits for. */
  readonly deletionOn?: string;
  readonly issues?: "enabled" | "private" | "disabled";
  /** The account's access; 40 by default, null when it has none. */
  readonly access?: number | null;
}

/** A top-level namespace and what is in it. */
export interface WorkspaceSeed {
  readonly id: number;
  readonly path: string;
  readonly name: string;
  readonly kind?: "group" | "user";
  /** `premium` by default: several assignees, scoped labels, blocking links. */
  readonly plan?: "free" | "premium";
  /** Whether the account may see the group itself, and not only projects in it. Default true. */
  readonly visible?: boolean;
  readonly projects: readonly ProjectSeed[];
}

/** A group, or a user's own namespace. */
export interface Namespace {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly kind: "group" | "user";
  readonly fullPath: string;
  readonly parentId: number | null;
  readonly plan: "free" | "premium";
  readonly visible: boolean;
}

export interface Project {
  readonly id: number;
  namespace: Namespace;
  name: string;
  path: string;
  archived: boolean;
  deletionOn: string | null;
  issues: "enabled" | "private" | "disabled";
  access: number | null;
  lastIid: number;
}

export interface Note {
  readonly id: number;
  body: string;
  readonly authorId: number;
  readonly createdAt: number;
  readonly system: boolean;
  readonly internal: boolean;
}

export interface Issue {
  readonly id: number;
  readonly iid: number;
  readonly projectId: number;
  title: string;
  description: string | null;
  state: "opened" | "closed";
  type: string;
  labels: string[];
  assignees: number[];
  readonly authorId: number;
  readonly createdAt: number;
  updatedAt: number;
  closedAt: number | null;
  movedToId: number | null;
  confidential: boolean;
  readonly notes: Note[];
}

/** One link; there is at most one between two issues. */
export interface Link {
  readonly id: number;
  readonly sourceId: number;
  readonly targetId: number;
  readonly type: "relates_to" | "blocks";
  readonly createdAt: number;
}

/** What an issue is made of, or changed to. */
export interface IssueChange {
  title?: string;
  description?: string | null;
  state?: "opened" | "closed";
  type?: string;
  labels?: readonly string[];
  assignees?: readonly number[];
  confidential?: boolean;
}

/** Changes that only touch an issue, such as notes, show in `updated_at` once a minute at most. */
const TOUCH_INTERVAL = 60_000;

export class GitLabStore {
  readonly users: readonly SimulatedUser[];
  readonly namespaces: Namespace[] = [];
  readonly projects: Project[] = [];
  issues: Issue[] = [];
  links: Link[] = [];
  readonly #now: () => number;
  #lastId = 1000;

  constructor(users: readonly SimulatedUser[], workspaces: readonly WorkspaceSeed[], now: () => number) {
    this.users = users;
    this.#now = now;
    for (const seed of workspaces) this.#plant(seed);
  }

  project(idOrPath: string): Project | undefined {
    return this.projects.find(
      (project) => String(project.id) === idOrPath || fullPathOf(project) === idOrPath,
    );
  }

  issue(projectId: number, iid: number): Issue | undefined {
    return this.issues.find((issue) => issue.projectId === projectId && issue.iid === iid);
  }

  issueById(id: number): Issue | undefined {
    return this.issues.find((issue) => issue.id === id);
  }

  planOf({ projectId }: Issue): "free" | "premium" {
    const project = this.projects.find(({ id }) => id === projectId);
    return project?.namespace.plan ?? "free";
  }

  createIssue(project: Project, authorId: number, change: IssueChange & { title: string }): Issue {
    project.lastIid += 1;
    const issue: Issue = {
      id: this.newId(),
      iid: project.lastIid,
      projectId: project.id,
      title: change.title.trim(),
      description: null,
      state: "opened",
      type: change.type ?? "issue",
      labels: [],
      assignees: [],
      authorId,
      createdAt: this.#now(),
      updatedAt: this.#now(),
      closedAt: null,
      movedToId: null,
      confidential: change.confidential ?? false,
      notes: [],
    };
    this.issues.push(issue);
    const { title: _, ...rest } = change;
    this.changeIssue(issue, rest);
    return issue;
  }

  changeIssue(issue: Issue, change: IssueChange): void {
    const { title, description, state, labels, assignees, type, confidential } = change;
    if (title !== undefined) issue.title = title.trim();
    if (type !== undefined) issue.type = type;
    if (confidential !== undefined) issue.confidential = confidential;
    if (labels !== undefined) issue.labels = this.#exclusive(issue, labels);
    if (assignees !== undefined) issue.assignees = this.#assignable(issue, assignees);
    if (state !== undefined && state !== issue.state) {
      issue.state = state;
      issue.closedAt = state === "closed" ? this.#now() : null;
    }
    if (description !== undefined) issue.description = this.#obeyed(issue, description);
    issue.updatedAt = this.#now();
  }

  /** A note; null when its text was nothing but quick actions. */
  addNote(
    issue: Issue,
    authorId: number,
    body: string,
    options: { readonly system?: boolean; readonly internal?: boolean } = {},
  ): Note | null {
    const { system = false, internal = false } = options;
    const left = system ? body : (this.#obeyed(issue, body) ?? "");
    if (left === "") return null;
    const note = { id: this.newId(), body: left, authorId, createdAt: this.#now(), system, internal };
    issue.notes.push(note);
    this.#touch(issue);
    return note;
  }

  addLink(source: Issue, target: Issue, type: "relates_to" | "blocks" | "is_blocked_by"): Link {
    const isSwapped = type === "is_blocked_by";
    const link: Link = {
      id: this.newId(),
      sourceId: isSwapped ? target.id : source.id,
      targetId: isSwapped ? source.id : target.id,
      type: type === "relates_to" ? "relates_to" : "blocks",
      createdAt: this.#now(),
    };
    this.links.push(link);
    this.#noteOnEnds(link, "marked this issue as related to");
    return link;
  }

  removeLink(link: Link): void {
    this.links = this.links.filter(({ id }) => id !== link.id);
    this.#noteOnEnds(link, "removed the relation with");
  }

  removeIssue(issue: Issue): void {
    this.issues = this.issues.filter(({ id }) => id !== issue.id);
    this.links = this.links.filter(
      ({ sourceId, targetId }) => sourceId !== issue.id && targetId !== issue.id,
    );
  }

  /** Closes the issue and opens its copy in the other project. */
  moveIssue(issue: Issue, target: Project): Issue {
    const { title, description, labels, assignees, type } = issue;
    const moved = this.createIssue(target, issue.authorId, { title, description, labels, assignees, type });
    this.changeIssue(issue, { state: "closed" });
    issue.movedToId = moved.id;
    return moved;
  }

  newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #plant({
    id,
    path,
    name,
    kind = "group",
    plan = "premium",
    visible = true,
    projects,
  }: WorkspaceSeed): void {
    const root: Namespace = { id, name, path, kind, fullPath: path, parentId: null, plan, visible };
    this.namespaces.push(root);
    for (const seed of projects) {
      const steps = seed.path.split("/");
      const own = steps.pop() ?? seed.path;
      this.projects.push({
        id: seed.id,
        namespace: steps.reduce((parent, step) => this.#subgroup(parent, step), root),
        name: seed.name,
        path: own,
        archived: seed.archived ?? false,
        deletionOn: seed.deletionOn ?? null,
        issues: seed.issues ?? "enabled",
        access: seed.access === undefined ? 40 : seed.access,
        lastIid: 0,
      });
    }
  }

  #subgroup(parent: Namespace, path: string): Namespace {
    const fullPath = `${parent.fullPath}/${path}`;
    const known = this.namespaces.find((namespace) => namespace.fullPath === fullPath);
    if (known !== undefined) return known;
    const name = path.slice(0, 1).toUpperCase() + path.slice(1);
    const made = { ...parent, id: this.newId(), name, path, fullPath, parentId: parent.id };
    this.namespaces.push(made);
    return made;
  }

  /** Of labels `scope::value` a paid plan keeps one per scope: the one that came last. */
  #exclusive(issue: Issue, labels: readonly string[]): string[] {
    const distinct = [...new Set(labels.map((label) => label.trim()))].filter((label) => label !== "");
    if (this.planOf(issue) === "free") return distinct.sort();
    const scopeOf = (label: string) => /^(.+)::/.exec(label)?.[1] ?? null;
    return distinct
      .filter((label, index) => {
        const scope = scopeOf(label);
        return scope === null || !distinct.slice(index + 1).some((later) => scopeOf(later) === scope);
      })
      .sort();
  }

  #assignable(issue: Issue, ids: readonly number[]): number[] {
    const known = [...new Set(ids)].filter((id) => this.users.some((user) => user.id === id));
    return this.planOf(issue) === "free" ? known.slice(0, 1) : known;
  }

  /** The text without its quick actions, which are carried out; only `/close` and `/reopen` do anything here. */
  #obeyed(issue: Issue, text: string | null): string | null {
    if (text === null) return null;
    const lines = text.replaceAll("\r", "").split("\n");
    const isCommand = (line: string) => /^\/(close|reopen|label|assign|due)( .*)?$/.test(line);
    for (const line of lines.filter(isCommand)) {
      if (line === "/close") this.changeIssue(issue, { state: "closed" });
      if (line === "/reopen") this.changeIssue(issue, { state: "opened" });
    }
    return lines
      .filter((line) => !isCommand(line))
      .join("\n")
      .trimEnd();
  }

  #noteOnEnds({ sourceId, targetId }: Link, text: string): void {
    const [source, target] = [this.issueById(sourceId), this.issueById(targetId)];
    if (source === undefined || target === undefined) return;
    this.addNote(source, source.authorId, `${text} #${target.iid}`, { system: true });
    this.addNote(target, target.authorId, `${text} #${source.iid}`, { system: true });
  }

  #touch(issue: Issue): void {
    if (this.#now() - issue.updatedAt >= TOUCH_INTERVAL) issue.updatedAt = this.#now();
  }
}

export function fullPathOf({ namespace, path }: Project): string {
  return `${namespace.fullPath}/${path}`;
}
