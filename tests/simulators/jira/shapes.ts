/** Jira's objects as its API shows them: https://developer.atlassian.com/cloud/jira/platform/rest/v3/ */
import type { Comment, Issue, IssueType, Link, LinkType, Project, Site, Status, User } from "./site.ts";

const CATEGORIES = {
  undefined: { id: 1, colorName: "medium-gray", name: "No Category" },
  new: { id: 2, colorName: "blue-gray", name: "To Do" },
  indeterminate: { id: 4, colorName: "yellow", name: "In Progress" },
  done: { id: 3, colorName: "green", name: "Done" },
} as const;

/** Jira writes instants without a colon in the offset, and in the zone of the account. */
function instant(milliseconds: number): string {
  return new Date(milliseconds + 60 * 60_000).toISOString().replace("Z", "+0100");
}

/** Shapes of one site, whose API is at `api`. */
export class Shapes {
  readonly #site: Site;
  readonly #api: string;

  constructor(site: Site, api: string) {
    this.#site = site;
    this.#api = `${api}/rest/api/3`;
  }

  status({ id, name, category }: Status) {
    const self = `${this.#api}/statuscategory/${CATEGORIES[category].id}`;
    return {
      self: `${this.#api}/status/${id}`,
      id,
      name,
      description: "",
      statusCategory: { self, key: category, ...CATEGORIES[category] },
    };
  }

  type(type: IssueType) {
    return { self: `${this.#api}/issuetype/${type.id}`, description: "", iconUrl: "", ...type };
  }

  user({ accountId, displayName }: User) {
    const self = `${this.#api}/user?accountId=${accountId}`;
    return { self, accountId, accountType: "atlassian", active: true, displayName };
  }

  project({ id, key, name, style, state }: Project) {
    return {
      self: `${this.#api}/project/${id}`,
      id,
      key,
      name,
      projectTypeKey: "software",
      simplified: style === "next-gen",
      style,
      ...(state === "archived" && { archived: true }),
      ...(state === "deleted" && { deleted: true }),
    };
  }

  linkType(type: LinkType) {
    return { ...type, self: `${this.#api}/issueLinkType/${type.id}` };
  }

  comment(issue: Issue, { id, author, body, created, properties }: Comment, isExpanded: boolean) {
    const user = this.#user(author);
    return {
      self: `${this.#api}/issue/${issue.id}/comment/${id}`,
      id,
      author: user,
      updateAuthor: user,
      body,
      created: instant(created),
      updated: instant(created),
      jsdPublic: true,
      ...(isExpanded && { properties }),
    };
  }

  /** @param names Fields to show; null for all */
  issue(issue: Issue, names: readonly string[] | null, properties: readonly string[]) {
    const all = Object.entries(this.#fields(issue));
    const shown = names === null ? all : all.filter(([name]) => names.includes(name));
    const found = issue.properties.filter(({ key }) => properties.includes(key));
    return {
      expand: "operations,versionedRepresentations,editmeta,changelog,renderedFields",
      id: issue.id,
      self: `${this.#api}/issue/${issue.id}`,
      key: issue.key,
      ...(names?.length === 0 ? {} : { fields: Object.fromEntries(shown) }),
      ...(properties.length > 0 && {
        properties: Object.fromEntries(found.map(({ key, value }) => [key, value])),
      }),
    };
  }

  #fields(issue: Issue): Readonly<Record<string, unknown>> {
    const { fields } = issue;
    const project = this.#site.projectOf(issue);
    const links = this.#site.links.filter(
      ({ inward, outward }) => inward === issue.id || outward === issue.id,
    );
    const parent = fields.parent === null ? null : this.#site.issue(fields.parent);
    const shown: Record<string, unknown> = {
      summary: fields.summary,
      description: fields.description,
      issuetype: this.type(fields.type),
      status: this.status(fields.status),
      priority: fields.priority && {
        self: `${this.#api}/priority/${fields.priority.id}`,
        ...fields.priority,
      },
      assignee: fields.assignee && this.#user(fields.assignee),
      labels: fields.labels,
      ...(parent !== null && { parent: this.#other(parent) }),
      issuelinks: links.map((link) => this.#end(link, issue.id)),
      project: this.project(project),
      created: instant(issue.created),
      updated: instant(issue.updated),
      ...fields.custom,
    };
    for (const name of project.hidden) delete shown[name];
    return shown;
  }

  /** A link as one of its ends shows it: the other end is named. */
  #end(link: Link, id: string) {
    const isInward = link.inward === id;
    const other = this.#other(this.#site.known(isInward ? link.outward : link.inward));
    return {
      id: link.id,
      self: `${this.#api}/issueLink/${link.id}`,
      type: this.linkType(link.type),
      ...(isInward ? { outwardIssue: other } : { inwardIssue: other }),
    };
  }

  #other({ id, key, fields }: Issue) {
    const { summary, status, type } = fields;
    const some = { summary, status: this.status(status), issuetype: this.type(type) };
    return { id, key, self: `${this.#api}/issue/${id}`, fields: some };
  }

  #user(accountId: string) {
    return this.user(
      this.#site.users.find((user) => user.accountId === accountId) ?? { accountId, displayName: "?" },
    );
  }
}
