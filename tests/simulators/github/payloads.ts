/** Payloads as GitHub's documentation shows them: https://docs.github.com/en/rest/issues */
import { type Comment, fullNameOf, type Issue, type Owner, type Repository } from "./store.ts";

/** Where payloads lead: `web` for people, `api` for programs; without a final slash. */
interface Addresses {
  readonly web: string;
  readonly api: string;
}

/** Makes payloads. */
export class GitHubPayloads {
  readonly #addresses: () => Addresses;

  constructor(addresses: () => Addresses) {
    this.#addresses = addresses;
  }

  user(login: string) {
    const { api, web } = this.#addresses();
    return {
      login,
      id:
        1_000_000 +
        ([...login].reduce((sum, letter) => sum * 31 + (letter.codePointAt(0) ?? 0), 7) % 900_000),
      node_id: `U_${login}`,
      url: `${api}/users/${login}`,
      html_url: `${web}/${login}`,
      type: "User",
      site_admin: false,
    };
  }

  owner({ id, login, type }: Owner) {
    return { ...this.user(login), id, type };
  }

  repository(repository: Repository) {
    const { api, web } = this.#addresses();
    const full_name = fullNameOf(repository);
    const canRead = repository.access === "pull" || repository.access === "push";
    const canWrite = repository.access === "push";
    return {
      id: repository.id,
      node_id: `R_${repository.id}`,
      name: repository.name,
      full_name,
      owner: this.owner(repository.owner),
      private: true,
      html_url: `${web}/${full_name}`,
      description: null,
      fork: false,
      url: `${api}/repos/${full_name}`,
      issues_url: `${api}/repos/${full_name}/issues{/number}`,
      has_issues: repository.hasIssues,
      archived: repository.archived,
      disabled: repository.disabled,
      visibility: "private",
      permissions: { admin: false, maintain: false, push: canWrite, triage: canWrite, pull: canRead },
      default_branch: "main",
    };
  }

  /** As every list of issues shows it. `parent_issue_url` is there when there is a parent. */
  issue(issue: Issue) {
    const { api, web } = this.#addresses();
    const full_name = fullNameOf(issue.repository);
    const url = `${api}/repos/${full_name}/issues/${issue.number}`;
    const page = `${web}/${full_name}/${issue.kind === "pull" ? "pull" : "issues"}/${issue.number}`;
    const assignees = issue.assignees.map((login) => this.user(login));
    const { children, blocking, blockedBy } = issue;
    const countOpen = (issues: ReadonlySet<Issue>) =>
      [...issues].filter(({ state }) => state === "open").length;
    const completed = children.size - countOpen(children);
    return {
      url,
      repository_url: `${api}/repos/${full_name}`,
      labels_url: `${url}/labels{/name}`,
      comments_url: `${url}/comments`,
      events_url: `${url}/events`,
      html_url: page,
      id: issue.id,
      node_id: `I_${issue.id}`,
      number: issue.number,
      title: issue.title,
      user: this.user(issue.author),
      labels: issue.labels.map((name) => this.label(issue.repository, name)),
      state: issue.state,
      locked: false,
      assignee: assignees[0] ?? null,
      assignees,
      milestone: null,
      comments: issue.comments.length,
      created_at: instant(issue.createdAt),
      updated_at: instant(issue.updatedAt),
      closed_at: issue.closedAt === null ? null : instant(issue.closedAt),
      author_association: "MEMBER",
      type: issue.type === null ? null : this.issueType(issue.repository.owner, issue.type),
      active_lock_reason: null,
      sub_issues_summary: {
        total: children.size,
        completed,
        percent_completed: children.size === 0 ? 0 : Math.floor((completed * 100) / children.size),
      },
      ...(issue.parent !== null && {
        parent_issue_url: `${api}/repos/${fullNameOf(issue.parent.repository)}/issues/${issue.parent.number}`,
      }),
      issue_dependencies_summary: {
        blocked_by: countOpen(blockedBy),
        total_blocked_by: blockedBy.size,
        blocking: countOpen(blocking),
        total_blocking: blocking.size,
      },
      ...(issue.kind === "pull" && {
        draft: false,
        pull_request: {
          url: `${api}/repos/${full_name}/pulls/${issue.number}`,
          html_url: page,
          diff_url: `${page}.diff`,
          patch_url: `${page}.patch`,
          merged_at: null,
        },
      }),
      body: issue.body,
      reactions: { url: `${url}/reactions`, total_count: 0 },
      timeline_url: `${url}/timeline`,
      performed_via_github_app: null,
      state_reason: issue.stateReason,
    };
  }

  /** As the answer about a single issue shows it: with the one who closed it. */
  singleIssue(issue: Issue) {
    const closed_by = issue.state === "closed" ? this.user(issue.author) : null;
    return { ...this.issue(issue), closed_by };
  }

  /** As search shows it: with a score, and without the parent. */
  foundIssue(issue: Issue) {
    const { parent_issue_url, ...found } = this.issue(issue);
    return { ...found, score: 1 };
  }

  label(repository: Repository, name: string) {
    const { api } = this.#addresses();
    const id = repository.labels.indexOf(name) + 1;
    return {
      id: repository.id + id,
      node_id: `LA_${repository.id}_${id}`,
      url: `${api}/repos/${fullNameOf(repository)}/labels/${encodeURIComponent(name)}`,
      name,
      color: "ededed",
      default: false,
      description: null,
    };
  }

  issueType({ issueTypes }: Owner, name: string) {
    const found = issueTypes.find((type) => type.name === name);
    return {
      id: found?.id ?? 0,
      node_id: `IT_${found?.id ?? 0}`,
      name,
      description: null,
      color: "gray",
      is_enabled: found?.isEnabled ?? false,
    };
  }

  comment(issue: Issue, { id, author, body, createdAt, updatedAt }: Comment) {
    const { api } = this.#addresses();
    const { html_url } = this.issue(issue);
    const repository = `${api}/repos/${fullNameOf(issue.repository)}`;
    return {
      id,
      node_id: `IC_${id}`,
      url: `${repository}/issues/comments/${id}`,
      html_url: `${html_url}#issuecomment-${id}`,
      issue_url: `${repository}/issues/${issue.number}`,
      user: this.user(author),
      created_at: instant(createdAt),
      updated_at: instant(updatedAt),
      author_association: "MEMBER",
      body,
      performed_via_github_app: null,
    };
  }
}

/** GitHub's clock shows whole seconds. */
function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}
