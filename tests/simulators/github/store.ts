/** What GitHub holds, and what people do to it in the web interface. */

/** An owner of repositories, as a test describes it. */
export interface OwnerSeed {
  readonly login: string;
  readonly type?: "User" | "Organization";
  /** Names of the owner's issue types: a person can have some too. */
  readonly issueTypes?: readonly string[];
  readonly repositories: readonly RepositorySeed[];
}

/** A repository, as a test describes it. */
interface RepositorySeed {
  readonly name: string;
  readonly archived?: boolean;
  readonly disabled?: boolean;
  readonly hasIssues?: boolean;
  readonly access?: Access;
  /** Logins that issues can be assigned to. */
  readonly people?: readonly string[];
}

/** What the token may do with a repository. */
export type Access = "push" | "pull" | "listed" | "none";

export interface Owner {
  readonly id: number;
  readonly login: string;
  readonly type: "User" | "Organization";
  readonly issueTypes: readonly { readonly id: number; readonly name: string; isEnabled: boolean }[];
}

export interface Repository {
  readonly id: number;
  readonly owner: Owner;
  name: string;
  archived: boolean;
  disabled: boolean;
  hasIssues: boolean;
  access: Access;
  readonly people: string[];
  /** Names of the labels that there are. */
  readonly labels: string[];
  /** By number; what is left of an issue that was deleted or transferred stays. */
  readonly issues: Map<number, Issue | Deleted | Transferred>;
  nextNumber: number;
}

interface Deleted {
  readonly kind: "deleted";
}

interface Transferred {
  readonly kind: "transferred";
  readonly to: Issue;
}

export interface Issue {
  readonly kind: "issue" | "pull";
  readonly id: number;
  repository: Repository;
  number: number;
  title: string;
  body: string | null;
  readonly author: string;
  state: "open" | "closed";
  stateReason: "completed" | "reopened" | "not_planned" | "duplicate" | null;
  labels: string[];
  assignees: string[];
  type: string | null;
  parent: Issue | null;
  readonly children: Set<Issue>;
  readonly blockedBy: Set<Issue>;
  readonly blocking: Set<Issue>;
  readonly comments: Comment[];
  readonly createdAt: number;
  updatedAt: number;
  closedAt: number | null;
}

export interface Comment {
  readonly id: number;
  readonly author: string;
  body: string;
  readonly createdAt: number;
  updatedAt: number;
}

/** What people fill in. */
export interface IssueDraft {
  readonly title: string;
  readonly body?: string | null;
  readonly labels?: readonly string[];
  readonly assignees?: readonly string[];
  readonly type?: string | null;
  readonly author?: string;
  readonly kind?: "issue" | "pull";
}

/** Everything on one GitHub server. */
export class GitHubStore {
  readonly owners: readonly Owner[];
  readonly repositories: Repository[] = [];
  /** `owner/name` in lower case, of repositories that were renamed. */
  readonly #formerNames = new Map<string, Repository>();
  readonly #now: () => number;
  #nextId = 3_000_000_001;

  constructor(seeds: readonly OwnerSeed[], now: () => number) {
    this.#now = now;
    this.owners = seeds.map((seed) => this.#addOwner(seed));
  }

  /** Far from a number in any list, so that one is not taken for the other. */
  #id(): number {
    this.#nextId += 7;
    return this.#nextId;
  }

  #addOwner({ login, type = "Organization", issueTypes = [], repositories }: OwnerSeed): Owner {
    const owner: Owner = {
      id: this.#id(),
      login,
      type,
      issueTypes: issueTypes.map((name) => ({ id: this.#id(), name, isEnabled: true })),
    };
    for (const seed of repositories) {
      this.repositories.push({
        id: this.#id(),
        owner,
        name: seed.name,
        archived: seed.archived ?? false,
        disabled: seed.disabled ?? false,
        hasIssues: seed.hasIssues ?? true,
        access: seed.access ?? "push",
        people: [...(seed.people ?? [])],
        labels: [],
        issues: new Map(),
        nextNumber: 1,
      });
    }
    return owner;
  }

  /** The repository of that name now; null when there is none. */
  find(fullName: string): Repository | null {
    return this.repositories.find((repository) => isSame(fullNameOf(repository), fullName)) ?? null;
  }

  /** The repository that had that name before it was renamed. */
  findFormer(fullName: string): Repository | null {
    const former = this.#formerNames.get(fullName.toLowerCase()) ?? null;
    return former !== null && this.repositories.includes(former) ? former : null;
  }

  /** @throws when the test names a repository that is not there */
  repository(fullName: string): Repository {
    const found = this.find(fullName);
    if (found === null) throw new Error(`there is no repository ${fullName}`);
    return found;
  }

  /** @throws when the test names an issue that is not there */
  issue(fullName: string, number: number): Issue {
    const found = this.repository(fullName).issues.get(number);
    if (found === undefined || found.kind === "deleted" || found.kind === "transferred") {
      throw new Error(`there is no issue ${fullName}#${number}`);
    }
    return found;
  }

  byId(id: number): Issue | null {
    for (const repository of this.repositories) {
      for (const issue of issuesOf(repository)) if (issue.id === id) return issue;
    }
    return null;
  }

  add(repository: Repository, draft: IssueDraft): Issue {
    const now = this.#now();
    const issue: Issue = {
      kind: draft.kind ?? "issue",
      id: this.#id(),
      repository,
      number: repository.nextNumber,
      title: draft.title,
      body: draft.body ?? null,
      author: draft.author ?? "octavia",
      state: "open",
      stateReason: null,
      labels: [],
      assignees: [...(draft.assignees ?? [])],
      type: draft.type ?? null,
      parent: null,
      children: new Set(),
      blockedBy: new Set(),
      blocking: new Set(),
      comments: [],
      createdAt: now,
      updatedAt: now,
      closedAt: null,
    };
    repository.nextNumber += 1;
    repository.issues.set(issue.number, issue);
    this.addLabels(issue, draft.labels ?? []);
    return issue;
  }

  /** Labels are the same in any case; the first spelling stays. */
  addLabels(issue: Issue, names: readonly string[]): void {
    const { labels } = issue.repository;
    for (const name of names) {
      const known = labels.find((label) => isSame(label, name));
      if (known === undefined) labels.push(name);
      if (!issue.labels.includes(known ?? name)) issue.labels.push(known ?? name);
    }
    this.touch(issue);
  }

  /** Whether the issue had the label. */
  removeLabel(issue: Issue, name: string): boolean {
    const index = issue.labels.findIndex((label) => isSame(label, name));
    if (index === -1) return false;
    issue.labels.splice(index, 1);
    this.touch(issue);
    return true;
  }

  /** A reason is ignored unless the state changes. */
  setState(issue: Issue, state: Issue["state"], reason: Issue["stateReason"]): void {
    if (issue.state === state) return;
    issue.state = state;
    issue.stateReason = state === "closed" ? (reason ?? "completed") : "reopened";
    issue.closedAt = state === "closed" ? this.#now() : null;
    this.touch(issue);
  }

  addComment(issue: Issue, author: string, body: string): Comment {
    const now = this.#now();
    const comment = { id: this.#id(), author, body, createdAt: now, updatedAt: now };
    issue.comments.push(comment);
    this.touch(issue);
    return comment;
  }

  touch(issue: Issue): void {
    issue.updatedAt = this.#now();
  }

  delete(issue: Issue): void {
    issue.repository.issues.set(issue.number, { kind: "deleted" });
    this.#forget(issue);
  }

  transfer(issue: Issue, to: Repository): void {
    issue.repository.issues.set(issue.number, { kind: "transferred", to: issue });
    issue.repository = to;
    issue.number = to.nextNumber;
    to.nextNumber += 1;
    to.issues.set(issue.number, issue);
    this.touch(issue);
  }

  rename(repository: Repository, name: string): void {
    this.#formerNames.set(fullNameOf(repository).toLowerCase(), repository);
    repository.name = name;
  }

  remove(repository: Repository): void {
    this.repositories.splice(this.repositories.indexOf(repository), 1);
  }

  setParent(child: Issue, parent: Issue | null): void {
    child.parent?.children.delete(child);
    child.parent = parent;
    parent?.children.add(child);
  }

  block(blocked: Issue, blocker: Issue): void {
    blocked.blockedBy.add(blocker);
    blocker.blocking.add(blocked);
  }

  unblock(blocked: Issue, blocker: Issue): void {
    blocked.blockedBy.delete(blocker);
    blocker.blocking.delete(blocked);
  }

  #forget(gone: Issue): void {
    this.setParent(gone, null);
    for (const child of gone.children) this.setParent(child, null);
    for (const blocker of gone.blockedBy) this.unblock(gone, blocker);
    for (const blocked of gone.blocking) this.unblock(blocked, gone);
  }
}

export function fullNameOf({ owner, name }: Repository): string {
  return `${owner.login}/${name}`;
}

/** Issues and pull requests. */
export function issuesOf({ issues }: Repository): readonly Issue[] {
  return [...issues.values()].flatMap((entry) =>
    entry.kind === "deleted" || entry.kind === "transferred" ? [] : [entry],
  );
}

/** Names are the same in any case. */
export function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
