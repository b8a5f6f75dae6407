/** One organization of Linear: its teams, people, labels and issues, and what people do with them. */
import { inputError, notFound } from "./errors.ts";

/** An organization as it is at the start. */
export interface LinearSeed {
  readonly id?: string;
  readonly name: string;
  readonly urlKey: string;
  /** The first of them is whose credential it is. */
  readonly users?: readonly {
    readonly displayName: string;
    readonly email?: string;
    readonly active?: boolean;
  }[];
  /** Labels of the whole organization. */
  readonly labels?: readonly LabelSeed[];
  readonly teams: readonly TeamSeed[];
}

/** A label by its name, or a group of labels. */
type LabelSeed = string | { readonly group: string; readonly labels: readonly string[] };

export interface TeamSeed {
  readonly id?: string;
  readonly key: string;
  readonly name: string;
  /** A private team that the user of the credential is not in is `hidden`. */
  readonly visibility?: "public" | "private" | "hidden";
  /** States in their order; those of a new team by default. */
  readonly states?: readonly StateSeed[];
  /** Name of the state of new issues; the first one by default. */
  readonly defaultState?: string;
  readonly labels?: readonly LabelSeed[];
  readonly gone?: "archived" | "retired";
}

interface StateSeed {
  readonly name: string;
  readonly type: "triage" | "backlog" | "unstarted" | "started" | "completed" | "canceled" | "duplicate";
}

export interface User {
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  active: boolean;
}

export interface State extends StateSeed {
  readonly id: string;
  readonly position: number;
  readonly teamId: string;
}

export interface Label {
  readonly id: string;
  readonly name: string;
  readonly isGroup: boolean;
  readonly parentId: string | null;
  readonly teamId: string | null;
}

export interface Team {
  readonly id: string;
  key: string;
  readonly name: string;
  visibility: "public" | "private" | "hidden";
  archivedAt: string | null;
  retiredAt: string | null;
  states: State[];
  defaultStateId: string | null;
  numbers: number;
}

export interface Issue {
  readonly id: string;
  readonly createdAt: string;
  /** Order of creation, where instants are equal. */
  readonly sequence: number;
  number: number;
  previousIdentifiers: string[];
  title: string;
  description: string | null;
  priority: number;
  teamId: string;
  stateId: string;
  assigneeId: string | null;
  parentId: string | null;
  labelIds: string[];
  updatedAt: string;
  archivedAt: string | null;
  trashed: boolean;
}

export interface Relation {
  readonly id: string;
  readonly createdAt: string;
  readonly sequence: number;
  readonly type: string;
  readonly issueId: string;
  readonly relatedIssueId: string;
}

export interface Comment {
  readonly id: string;
  readonly createdAt: string;
  readonly sequence: number;
  readonly issueId: string;
  readonly body: string;
  /** A user, or the bot of an integration. */
  readonly author: { readonly userId: string } | { readonly bot: string };
}

/** What an issue is made of or changed by, in Linear's words. */
export interface IssueInput {
  readonly title?: string | null;
  readonly description?: string | null;
  readonly priority?: number | null;
  readonly stateId?: string | null;
  readonly assigneeId?: string | null;
  readonly parentId?: string | null;
  readonly labelIds?: readonly string[] | null;
}

/** The states that Linear gives to a new team. */
const NEW_TEAM: readonly StateSeed[] = [
  { name: "Backlog", type: "backlog" },
  { name: "Todo", type: "unstarted" },
  { name: "In Progress", type: "started" },
  { name: "Done", type: "completed" },
  { name: "Canceled", type: "canceled" },
  { name: "Duplicate", type: "duplicate" },
];

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Everything of one organization. */
export class LinearStore {
  readonly id: string;
  readonly name: string;
  readonly urlKey: string;
  readonly users: User[] = [];
  readonly teams: Team[] = [];
  readonly labels: Label[] = [];
  readonly issues = new Map<string, Issue>();
  readonly relations = new Map<string, Relation>();
  readonly comments = new Map<string, Comment>();
  readonly #now: () => number;
  #sequence = 0;

  constructor(seed: LinearSeed, now: () => number) {
    this.#now = now;
    this.id = seed.id ?? this.#newId();
    this.name = seed.name;
    this.urlKey = seed.urlKey;
    for (const { displayName, email, active = true } of seed.users ?? [{ displayName: "ada" }]) {
      const address = email ?? `${displayName}@${seed.urlKey}.example`;
      this.users.push({ id: this.#newId(), displayName, email: address, active });
    }
    for (const label of seed.labels ?? []) this.addLabel(label);
    for (const team of seed.teams) this.addTeam(team);
  }

  get viewer(): User {
    return found(this.users[0], "User");
  }

  addTeam(seed: TeamSeed): Team {
    const id = seed.id ?? this.#newId();
    const instant = this.#instant();
    const team: Team = {
      id,
      key: seed.key,
      name: seed.name,
      visibility: seed.visibility ?? "public",
      archivedAt: seed.gone === "archived" ? instant : null,
      retiredAt: seed.gone === "retired" ? instant : null,
      states: [],
      defaultStateId: null,
      numbers: 0,
    };
    this.teams.push(team);
    for (const state of seed.states ?? NEW_TEAM) this.addState(seed.key, state);
    const start = seed.defaultState ?? team.states[0]?.name;
    team.defaultStateId = team.states.find(({ name }) => name === start)?.id ?? null;
    for (const label of seed.labels ?? []) this.addLabel(label, seed.key);
    return team;
  }

  addState(teamKey: string, seed: StateSeed): State {
    const team = this.team(teamKey);
    const state = { ...seed, id: this.#newId(), position: team.states.length, teamId: team.id };
    team.states.push(state);
    return state;
  }

  /** Labels of a team, or of the organization. */
  addLabel(seed: LabelSeed, teamKey?: string): void {
    const teamId = teamKey === undefined ? null : this.team(teamKey).id;
    if (typeof seed === "string") {
      this.labels.push({ id: this.#newId(), name: seed, isGroup: false, parentId: null, teamId });
      return;
    }
    const group = { id: this.#newId(), name: seed.group, isGroup: true, parentId: null, teamId };
    this.labels.push(group);
    for (const name of seed.labels) {
      this.labels.push({ id: this.#newId(), name, isGroup: false, parentId: group.id, teamId });
    }
  }

  /** By its key, as people call it. */
  team(key: string): Team {
    return found(
      this.teams.find((team) => team.key === key),
      "Team",
    );
  }

  /** Whether the credential sees the team. */
  sees(teamId: string): boolean {
    const team = this.teams.find(({ id }) => id === teamId);
    return team !== undefined && team.visibility !== "hidden";
  }

  identifierOf({ teamId, number }: Pick<Issue, "teamId" | "number">): string {
    const team = found(
      this.teams.find(({ id }) => id === teamId),
      "Team",
    );
    return `${team.key}-${number}`;
  }

  /** By its UUID or identifier, also by one that it had before it was moved. */
  issue(id: string): Issue {
    const issues = [...this.issues.values()];
    const issue =
      this.issues.get(id) ??
      issues.find((one) => this.identifierOf(one) === id) ??
      issues.find(({ previousIdentifiers }) => previousIdentifiers.includes(id));
    if (issue === undefined || !this.sees(issue.teamId)) throw notFound("Issue");
    return issue;
  }

  /** Files an issue. */
  addIssue(teamId: string, input: IssueInput, id?: string | null): Issue {
    if (!this.sees(teamId)) throw notFound("Team");
    const team = found(
      this.teams.find((one) => one.id === teamId),
      "Team",
    );
    this.#assertNew(id, "Issue", this.issues);
    const instant = this.#instant();
    const draft: Issue = {
      id: id ?? this.#newId(),
      createdAt: instant,
      sequence: ++this.#sequence,
      number: 0,
      previousIdentifiers: [],
      title: "",
      description: null,
      priority: 0,
      teamId,
      stateId: team.defaultStateId ?? "",
      assigneeId: null,
      parentId: null,
      labelIds: [],
      updatedAt: instant,
      archivedAt: null,
      trashed: false,
    };
    this.#apply(draft, input);
    if (draft.title === "") throw inputError("Argument Validation Error", "title should not be empty.");
    draft.number = ++team.numbers;
    this.issues.set(draft.id, draft);
    return draft;
  }

  /** Changes an issue, which is its latest change then. */
  edit(id: string, input: IssueInput): Issue {
    const issue = this.issue(id);
    const changed = { ...issue };
    this.#apply(changed, input);
    return Object.assign(issue, changed, { updatedAt: this.#instant() });
  }

  archive(id: string): Issue {
    return Object.assign(this.issue(id), { archivedAt: this.#instant(), updatedAt: this.#instant() });
  }

  /** Puts an issue into the trash. */
  trash(id: string): Issue {
    return Object.assign(this.archive(id), { trashed: true });
  }

  /** Deletes an issue for good. */
  purge(id: string): void {
    const issue = this.issue(id);
    this.issues.delete(issue.id);
    for (const [key, { issueId, relatedIssueId }] of this.relations) {
      if (issueId === issue.id || relatedIssueId === issue.id) this.relations.delete(key);
    }
    for (const other of this.issues.values()) if (other.parentId === issue.id) other.parentId = null;
  }

  /** Moves an issue to another team, where it gets another identifier. */
  move(id: string, teamKey: string): Issue {
    const issue = this.issue(id);
    const team = this.team(teamKey);
    issue.previousIdentifiers.push(this.identifierOf(issue));
    const number = ++team.numbers;
    const stateId = team.defaultStateId ?? "";
    return Object.assign(issue, { teamId: team.id, number, stateId, updatedAt: this.#instant() });
  }

  /** What Linear does with identifiers of the old key: they lead to the issues of the new one. */
  renameTeam(key: string, newKey: string): void {
    const team = this.team(key);
    for (const issue of this.issues.values()) {
      if (issue.teamId === team.id) issue.previousIdentifiers.push(this.identifierOf(issue));
    }
    team.key = newKey;
  }

  /** A relation does not change the issues at its ends; being a duplicate does. */
  relate(issueId: string, relatedIssueId: string, type: string, id?: string | null): Relation {
    const [issue, related] = [this.issue(issueId), this.issue(relatedIssueId)];
    if (issue === related) throw inputError("Argument Validation Error", "An issue cannot relate to itself.");
    this.#assertNew(id, "IssueRelation", this.relations);
    const relation = {
      id: id ?? this.#newId(),
      createdAt: this.#instant(),
      sequence: ++this.#sequence,
      type,
      issueId: issue.id,
      relatedIssueId: related.id,
    };
    this.relations.set(relation.id, relation);
    const states = this.teams.find((team) => team.id === issue.teamId)?.states ?? [];
    const duplicate = states.find((state) => state.type === "duplicate");
    if (type === "duplicate" && duplicate !== undefined) this.edit(issue.id, { stateId: duplicate.id });
    return relation;
  }

  unrelate(id: string): void {
    if (!this.relations.delete(id)) throw notFound("IssueRelation");
  }

  comment(issueId: string, body: string, author: Comment["author"], id?: string | null): Comment {
    const issue = this.issue(issueId);
    this.#assertNew(id, "Comment", this.comments);
    if (body.trim() === "") throw inputError("Argument Validation Error", "body should not be empty.");
    const comment = {
      id: id ?? this.#newId(),
      createdAt: this.#instant(),
      sequence: ++this.#sequence,
      issueId: issue.id,
      body: normalized(body),
      author,
    };
    this.comments.set(comment.id, comment);
    return comment;
  }

  /** Labels that the issues of a team can have. */
  labelsOf(teamId: string): readonly Label[] {
    return this.labels.filter((label) => label.teamId === teamId || label.teamId === null);
  }

  #apply(issue: Issue, input: IssueInput): void {
    const { title, description, priority, stateId, assigneeId, parentId, labelIds } = input;
    if (title !== undefined && title !== null) {
      if (title.trim() === "") throw inputError("Argument Validation Error", "title should not be empty.");
      issue.title = title;
    }
    if (description !== undefined) issue.description = description === null ? null : normalized(description);
    if (priority !== undefined && priority !== null) {
      if (priority < 0 || priority > 4) {
        throw inputError("Argument Validation Error", "priority must not be greater than 4.");
      }
      issue.priority = priority;
    }
    if (stateId !== undefined && stateId !== null) {
      const states = this.teams.find(({ id }) => id === issue.teamId)?.states ?? [];
      if (!states.some(({ id }) => id === stateId)) {
        throw inputError(
          "Discrepancy between issue team",
          "The workflow state is not one of the issue's team.",
        );
      }
      issue.stateId = stateId;
    }
    if (assigneeId !== undefined) {
      const user = this.users.find(({ id }) => id === assigneeId);
      if (assigneeId !== null && user?.active !== true) throw notFound("User");
      issue.assigneeId = assigneeId;
    }
    if (parentId !== undefined) {
      const parent = parentId === null ? null : this.issue(parentId);
      for (let at = parent; at !== null; at = at.parentId === null ? null : this.issue(at.parentId)) {
        if (at.id === issue.id) throw inputError("Argument Validation Error", "The parent is a sub-issue.");
      }
      issue.parentId = parent?.id ?? null;
    }
    if (labelIds !== undefined && labelIds !== null) issue.labelIds = this.#checkedLabels(issue, labelIds);
  }

  #checkedLabels({ teamId }: Issue, ids: readonly string[]): string[] {
    const labels = [...new Set(ids)].map((id) => {
      const label = this.labelsOf(teamId).find((one) => one.id === id);
      if (label === undefined) {
        throw inputError(
          "Entity not found: IssueLabel: labelIds contained an entry that could not be found.",
          "Could not find referenced IssueLabel.",
        );
      }
      if (label.isGroup) throw inputError("labelIds contained a group", `"${label.name}" is a label group.`);
      return label;
    });
    const groups = labels.flatMap(({ parentId }) => parentId ?? []);
    if (new Set(groups).size !== groups.length) {
      throw inputError(
        "labelIds not exclusive child labels",
        "Only one label in a group can be applied to an issue.",
      );
    }
    return labels.map(({ id }) => id);
  }

  #assertNew(id: string | null | undefined, entity: string, known: { has(id: string): boolean }): void {
    if (id === undefined || id === null) return;
    if (!UUID_V4.test(id)) throw inputError("Argument Validation Error", "id must be a UUID.");
    if (known.has(id)) {
      throw inputError(`conflict on insert of ${entity}`, `Entity ${entity} with id ${id} already exists.`);
    }
  }

  #instant(): string {
    return new Date(this.#now()).toISOString();
  }

  #newId(): string {
    const digits = (++this.#sequence).toString(16).padStart(12, "0");
    return `5eed0000-0000-4000-8000-${digits}`;
  }
}

/**
 * Linear keeps text as a document and writes Markdown of its own: other bullets, other emphasis,
 * addresses as links, no HTML, no space at line ends. Not documented, but what people see of the service.
 */
function normalized(markdown: string): string {
  return markdown
    .replaceAll("\r\n", "\n")
    .replace(/<\/?(?:u|details|summary)>/g, "")
    .replace(/[ \t]+$/gm, "")
    .replace(/^(\s*)[-+] (?!\[[ x]\])/gm, "$1* ")
    .replace(/(?<!\w)_([^_\s](?:[^_]*[^_\s])?)_(?!\w)/g, "*$1*")
    .replace(/(?<![[(<])\bhttps?:\/\/[^\s<>()[\]]+/g, "[$&](<$&>)")
    .trimEnd();
}

function found<T>(entity: T | undefined, name: string): T {
  if (entity === undefined) throw notFound(name);
  return entity;
}
