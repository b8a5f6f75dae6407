/** A simulated site: projects, issues and people, and what people do to them in their browsers. */
import { documentWith, textOf } from "./adf.ts";
import type { Indexed } from "./jql.ts";

/** A status of a workflow. */
export interface Status {
  readonly id: string;
  readonly name: string;
  readonly category: "undefined" | "new" | "indeterminate" | "done";
}

/** A way from a status to another; from everywhere when `from` is left out. */
interface Transition {
  readonly id: string;
  readonly name: string;
  readonly from?: readonly string[];
  readonly to: string;
  /** A field that its screen asks for. */
  readonly requires?: string;
}

export interface Workflow {
  readonly statuses: readonly Status[];
  readonly transitions: readonly Transition[];
}

export interface IssueType {
  readonly id: string;
  readonly name: string;
  readonly subtask: boolean;
  readonly hierarchyLevel: number;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

export interface LinkType extends Named {
  readonly inward: string;
  readonly outward: string;
}

export interface User {
  readonly accountId: string;
  readonly displayName: string;
}

/** A project. */
export interface Project {
  readonly id: string;
  key: string;
  readonly name: string;
  /** In `next-gen` projects any issue can be the child of any other one. */
  readonly style: "classic" | "next-gen";
  readonly types: readonly IssueType[];
  readonly workflow: Workflow;
  readonly priorities: readonly Named[];
  /** Fields that have to be given to create an issue, and are not always. */
  readonly required: readonly string[];
  /** Fields that the project does not have. */
  readonly hidden: readonly string[];
  /** Custom fields for text of several lines. */
  readonly paragraphs: readonly string[];
  state: "live" | "archived" | "deleted";
  /** What the credential may do. */
  access: "write" | "read" | "none";
  lastNumber: number;
  readonly oldKeys: string[];
}

export type ProjectSeed = Pick<Project, "id" | "key" | "name"> & Partial<Project>;

/** A comment. */
export interface Comment {
  readonly id: string;
  readonly author: string;
  readonly body: unknown;
  readonly created: number;
  readonly properties: readonly Property[];
}

export interface Property {
  readonly key: string;
  readonly value?: unknown;
}

/** What an issue holds. */
export interface Fields {
  summary: string;
  description: unknown;
  type: IssueType;
  status: Status;
  priority: Named | null;
  assignee: string | null;
  labels: readonly string[];
  parent: string | null;
  custom: Readonly<Record<string, unknown>>;
}

/** An issue. */
export interface Issue {
  readonly id: string;
  key: string;
  projectId: string;
  fields: Fields;
  readonly created: number;
  updated: number;
  readonly properties: Property[];
  readonly comments: Comment[];
  /** What the index was told, and when. */
  readonly versions: { readonly at: number; readonly document: Indexed | null }[];
}

/** A link: the inward issue reads the outward text. */
export interface Link {
  readonly id: string;
  readonly type: LinkType;
  readonly inward: string;
  readonly outward: string;
}

const status = (id: string, name: string, category: Status["category"]): Status => ({ id, name, category });

/** From every status to every status. */
const OPEN_WORKFLOW: Workflow = {
  statuses: [
    status("1", "To Do", "new"),
    status("3", "In Progress", "indeterminate"),
    status("4", "In Review", "indeterminate"),
    status("5", "Blocked", "indeterminate"),
    status("6", "Done", "done"),
    status("7", "Canceled", "done"),
  ],
  transitions: ["To Do", "In Progress", "In Review", "Blocked", "Done", "Canceled"].map((to, index) => ({
    id: String(11 + index * 10),
    name: to,
    to,
  })),
};

const TYPES: readonly IssueType[] = [
  { id: "10000", name: "Epic", subtask: false, hierarchyLevel: 1 },
  { id: "10001", name: "Story", subtask: false, hierarchyLevel: 0 },
  { id: "10002", name: "Task", subtask: false, hierarchyLevel: 0 },
  { id: "10003", name: "Bug", subtask: false, hierarchyLevel: 0 },
  { id: "10004", name: "Sub-task", subtask: true, hierarchyLevel: -1 },
];
const PRIORITIES: readonly Named[] = ["Highest", "High", "Medium", "Low", "Lowest"].map((name, index) => ({
  id: String(index + 1),
  name,
}));
const LINK_TYPES: readonly LinkType[] = [
  { id: "10000", name: "Blocks", inward: "is blocked by", outward: "blocks" },
  { id: "10001", name: "Cloners", inward: "is cloned by", outward: "clones" },
  { id: "10002", name: "Duplicate", inward: "is duplicated by", outward: "duplicates" },
  { id: "10003", name: "Relates", inward: "relates to", outward: "relates to" },
];

/** What a site starts with. */
export interface SiteSeed {
  readonly cloudId: string;
  readonly name: string;
  readonly projects: readonly ProjectSeed[];
  readonly linkTypes?: readonly LinkType[];
  readonly users?: readonly User[];
}

/** One site. */
export class Site {
  readonly cloudId: string;
  readonly name: string;
  readonly projects: Project[];
  readonly linkTypes: readonly LinkType[];
  readonly users: readonly User[];
  readonly issues = new Map<string, Issue>();
  links: Link[] = [];
  readonly #now: () => number;
  #lastId = 10_100;

  constructor(seed: SiteSeed, now: () => number) {
    this.cloudId = seed.cloudId;
    this.name = seed.name;
    this.#now = now;
    this.linkTypes = seed.linkTypes ?? LINK_TYPES;
    this.users = seed.users ?? [
      { accountId: "5b10-ada", displayName: "Ada" },
      { accountId: "5b10-grace", displayName: "Grace" },
    ];
    this.projects = seed.projects.map((project) => ({
      style: "classic",
      types: TYPES,
      workflow: OPEN_WORKFLOW,
      priorities: PRIORITIES,
      required: [],
      hidden: [],
      paragraphs: [],
      state: "live",
      access: "write",
      lastNumber: 0,
      oldKeys: [],
      ...project,
    }));
  }

  /** The project with an id or a key, also one that it had before. */
  project(name: string): Project | null {
    const key = name.toUpperCase();
    return (
      this.projects.find((project) => project.id === name || project.key === key) ??
      this.projects.find(({ oldKeys }) => oldKeys.includes(key)) ??
      null
    );
  }

  /** @throws Error when there is none: a mistake of the test */
  projectOf(issue: Issue): Project {
    const project = this.project(issue.projectId);
    if (project === null) throw new Error(`no project ${issue.projectId}`);
    return project;
  }

  /** The issue with an id or a key, also one that it had before. */
  issue(name: string): Issue | null {
    const [, prefix = "", number = ""] = /^(.+)-(\d+)$/.exec(name.toUpperCase()) ?? [];
    const key = `${this.project(prefix)?.key ?? prefix}-${number}`;
    const moved = this.#moved.get(key);
    return (
      this.issues.get(moved ?? name) ?? [...this.issues.values()].find((issue) => issue.key === key) ?? null
    );
  }

  readonly #moved = new Map<string, string>();

  /** Creates an issue. */
  add(
    projectName: string,
    fields: Partial<Fields> & Pick<Fields, "summary">,
    properties: readonly Property[] = [],
  ): Issue {
    const project = this.project(projectName);
    const [type] = project?.types.filter(({ name }) => name === "Task") ?? [];
    const [initial] = project?.workflow.statuses ?? [];
    const fallback = type ?? project?.types[0];
    if (project === null || initial === undefined || fallback === undefined)
      throw new Error(`no project ${projectName}`);
    project.lastNumber += 1;
    const issue: Issue = {
      id: this.#nextId(),
      key: `${project.key}-${project.lastNumber}`,
      projectId: project.id,
      fields: {
        description: null,
        type: fallback,
        status: initial,
        priority: project.priorities.find(({ name }) => name === "Medium") ?? null,
        assignee: null,
        labels: [],
        parent: null,
        custom: {},
        ...fields,
      },
      created: this.#now(),
      updated: this.#now(),
      properties: [...properties],
      comments: [],
      versions: [],
    };
    this.issues.set(issue.id, issue);
    this.touch(issue);
    return issue;
  }

  edit(name: string, change: Partial<Fields>): void {
    const issue = this.known(name);
    issue.fields = { ...issue.fields, ...change };
    this.touch(issue);
  }

  setStatus(name: string, statusName: string): void {
    const issue = this.known(name);
    const found = this.projectOf(issue).workflow.statuses.find((candidate) => candidate.name === statusName);
    if (found === undefined) throw new Error(`no status ${statusName}`);
    this.edit(name, { status: found });
  }

  remove(name: string): void {
    const issue = this.known(name);
    this.issues.delete(issue.id);
    this.links = this.links.filter(({ inward, outward }) => inward !== issue.id && outward !== issue.id);
    issue.versions.push({ at: this.#now(), document: null });
  }

  /** Moves an issue to another project, where it gets another key; the old one leads there. */
  move(name: string, projectName: string): void {
    const issue = this.known(name);
    const target = this.project(projectName);
    if (target === null) throw new Error(`no project ${projectName}`);
    target.lastNumber += 1;
    this.#moved.set(issue.key, issue.id);
    issue.projectId = target.id;
    issue.key = `${target.key}-${target.lastNumber}`;
    this.touch(issue);
  }

  /** Gives a project another key; the old one leads there. */
  rename(projectName: string, key: string): void {
    const project = this.project(projectName);
    if (project === null) throw new Error(`no project ${projectName}`);
    project.oldKeys.push(project.key);
    project.key = key;
    for (const issue of this.issues.values()) {
      if (issue.projectId === project.id) issue.key = issue.key.replace(/^.*(?=-)/, key);
    }
  }

  comment(name: string, body: unknown, author: string, properties: readonly Property[] = []): Comment {
    const issue = this.known(name);
    const document = typeof body === "string" ? documentWith(body) : body;
    const comment = { id: this.#nextId(), author, body: document, created: this.#now(), properties };
    issue.comments.push(comment);
    this.touch(issue);
    return comment;
  }

  /** The same link twice is one link. */
  link(type: LinkType, inward: string, outward: string): void {
    const isKnown = this.links.some(
      (link) => link.type.id === type.id && link.inward === inward && link.outward === outward,
    );
    if (isKnown) return;
    this.links.push({ id: this.#nextId(), type, inward, outward });
    for (const id of [inward, outward]) this.touch(this.known(id));
  }

  unlink(id: string): boolean {
    const link = this.links.find((candidate) => candidate.id === id);
    if (link === undefined) return false;
    this.links = this.links.filter((candidate) => candidate !== link);
    for (const end of [link.inward, link.outward]) this.touch(this.known(end));
    return true;
  }

  /** @throws Error when there is none: a mistake of the test */
  known(name: string): Issue {
    const issue = this.issue(name);
    if (issue === null) throw new Error(`no issue ${name}`);
    return issue;
  }

  touch(issue: Issue): void {
    issue.updated = this.#now();
    const {
      summary,
      description,
      labels,
      status: { name },
    } = issue.fields;
    const text = [summary, textOf(description), ...issue.comments.map(({ body }) => textOf(body))].join(" ");
    const document: Indexed = {
      id: Number(issue.id),
      projectId: issue.projectId,
      key: issue.key,
      number: Number(/\d+$/.exec(issue.key)?.[0]),
      created: issue.created,
      updated: issue.updated,
      words: text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [],
      status: name,
      labels,
    };
    issue.versions.push({ at: issue.updated, document });
  }

  #nextId(): string {
    this.#lastId += 1;
    return String(this.#lastId);
  }
}
