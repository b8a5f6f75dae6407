/**
 * Jira Cloud on loopback: its first site at the site's own paths for an email
 * address and an API token, and all sites behind the paths of Atlassian's API
 * gateway for an OAuth token. Written from Atlassian's documentation:
 * https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
 */
import { Buffer } from "node:buffer";
import * as v from "valibot";
import { type SimulatedAnswer, type SimulatedRequest, Simulator } from "../server.ts";
import { type Indexed, JqlError, parseJql } from "./jql.ts";
import { Shapes } from "./shapes.ts";
import { type Fields, type Issue, type Project, Site, type SiteSeed } from "./site.ts";
import { changedFields, create, putProperty, Refused, Write } from "./writes.ts";

export type { ProjectSeed, Workflow } from "./site.ts";

/** What a simulator starts with. */
export interface JiraSimulatorOptions {
  readonly email?: string;
  /** API token. */
  readonly token?: string;
  readonly oauthToken?: string;
  readonly sites?: readonly SiteSeed[];
  /** Steps in which JQL compares and orders dates, in ms. */
  readonly precision?: number;
}

const CLOUD_ID = "f4a1c7d2-8b35-4e60-9d1f-27c0e5b8a364";

/** Whoever asks, as far as Jira cares. */
type Caller = "user" | "stranger";

/** What a route is given. */
interface Call {
  readonly request: SimulatedRequest;
  readonly site: Site;
  readonly shapes: Shapes;
  readonly caller: Caller;
  /** What stands in the path's places. */
  readonly args: readonly string[];
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly handle: (call: Call) => SimulatedAnswer;
}

export class JiraSimulator extends Simulator {
  readonly email: string;
  readonly token: string;
  readonly oauthToken: string;
  readonly sites: readonly Site[];
  /** How late the index is, in ms. */
  indexLag = 0;
  /** Whether an issue that the index has not caught up with is shown as the index has it, or as it is. */
  staleRows: "as_indexed" | "as_is" = "as_is";
  /** What happens to requests with a bad credential: Jira refuses them, or treats them as a stranger's. */
  strangers: "refused" | "answered" = "refused";
  tenantInfo: "served" | "missing" = "served";
  /** Fields that are accepted and not written. */
  readonly dropped = new Set<keyof Fields>();
  readonly #precision: number;
  readonly #shown = new Map<string, unknown>();

  constructor(options: JiraSimulatorOptions = {}) {
    super();
    this.email = options.email ?? "ada@acme.test";
    this.token = options.token ?? "ATATT3xFfGF0-canary-api-token";
    this.oauthToken = options.oauthToken ?? "eyJraWQi-canary-oauth-token";
    this.#precision = options.precision ?? 1;
    const sites = options.sites ?? [
      { cloudId: CLOUD_ID, name: "acme", projects: [{ id: "10001", key: "PAY", name: "Payments API" }] },
    ];
    this.sites = sites.map((seed) => new Site(seed, () => this.now()));
  }

  /** The first site. */
  get site(): Site {
    const [site] = this.sites;
    if (site === undefined) throw new Error("there is no site");
    return site;
  }

  /** Address of a site as the gateway tells it. */
  urlOf(site: Site): string {
    return site === this.site ? this.origin : `https://${site.name}.atlassian.net`;
  }

  protected answer(request: SimulatedRequest): SimulatedAnswer {
    const { path } = request;
    if (path === "/_edge/tenant_info" && this.tenantInfo === "served") {
      return { status: 200, body: { cloudId: this.site.cloudId } };
    }
    if (path === "/oauth/token/accessible-resources") return this.#accessibleResources(request);
    const [, cloudId, rest] = /^\/ex\/jira\/([^/]+)(\/.*)$/.exec(path) ?? [];
    if (cloudId !== undefined && rest !== undefined) {
      if (!this.#hasOauth(request)) return { status: 401, body: { code: 401, message: "Unauthorized" } };
      const site = this.sites.find((candidate) => candidate.cloudId === decodeURIComponent(cloudId));
      if (site === undefined) return { status: 404, body: { code: 404, message: "Not Found" } };
      return this.#route(request, rest, site, `${this.origin}/ex/jira/${cloudId}`, "user");
    }
    const expected = `Basic ${Buffer.from(`${this.email}:${this.token}`).toString("base64")}`;
    const isKnown = request.headers.get("authorization") === expected;
    if (!isKnown && this.strangers === "refused") return unauthorized();
    return this.#route(request, path, this.site, this.origin, isKnown ? "user" : "stranger");
  }

  #accessibleResources(request: SimulatedRequest): SimulatedAnswer {
    if (!this.#hasOauth(request)) return { status: 401, body: { code: 401, message: "Unauthorized" } };
    const sites = this.sites.map((site) => ({
      id: site.cloudId,
      url: this.urlOf(site),
      name: site.name,
      avatarUrl: "",
    }));
    const jira = sites.map((site) => ({
      ...site,
      scopes: ["read:jira-work", "write:jira-work", "read:jira-user"],
    }));
    const confluence = sites.slice(0, 1).map((site) => ({ ...site, scopes: ["write:confluence-content"] }));
    const other = {
      id: "c0",
      url: "https://wiki.atlassian.net",
      name: "wiki",
      scopes: ["read:confluence-content.all"],
      avatarUrl: "",
    };
    return { status: 200, body: [...jira, ...confluence, other] };
  }

  #hasOauth({ headers }: SimulatedRequest): boolean {
    return headers.get("authorization") === `Bearer ${this.oauthToken}`;
  }

  #route(request: SimulatedRequest, path: string, site: Site, api: string, caller: Caller): SimulatedAnswer {
    for (const { method, path: pattern, handle } of this.#routes) {
      const found = method === request.method ? pattern.exec(path) : null;
      if (found === null) continue;
      const args = found.slice(1).map(decodeURIComponent);
      try {
        return handle({ request, site, shapes: new Shapes(site, api), caller, args });
      } catch (error) {
        if (error instanceof Refused)
          return { status: 400, body: { errorMessages: [], errors: error.errors } };
        if (error instanceof JqlError) return refusal(400, error.message);
        if (error instanceof v.ValiError)
          return refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.");
        throw error;
      }
    }
    return {
      status: 404,
      headers: { "content-type": "text/html" },
      body: "<html><title>Oops, you've found a dead link.</title></html>",
    };
  }

  readonly #routes: readonly Route[] = [
    this.#at("GET", "/myself", ({ caller, site, shapes }) => {
      const [user] = site.users;
      if (caller === "stranger" || user === undefined) return unauthorized();
      return { status: 200, body: shapes.user(user) };
    }),
    this.#at("GET", "/project/search", (call) => this.#projects(call)),
    this.#at("GET", "/project/:", ({ args: [name = ""], shapes, ...call }) => {
      const project = this.#visible(call, name);
      if (project === null) return refusal(404, `No project could be found with key '${name}'.`);
      return { status: 200, body: shapes.project(project) };
    }),
    this.#at("GET", "/issue/createmeta/:/issuetypes", ({ args: [name = ""], request, shapes, ...call }) => {
      const project = this.#visible(call, name);
      if (project === null) return refusal(404, `No project could be found with key '${name}'.`);
      const page = pageOf(request, project.access === "write" ? project.types : [], 50);
      const issueTypes = page.items.map((type) => shapes.type(type));
      return {
        status: 200,
        body: { issueTypes, startAt: page.startAt, maxResults: page.size, total: page.total },
      };
    }),
    this.#at("GET", "/priority/search", ({ request, site }) => {
      const project = site.project(request.query.get("projectId") ?? "");
      const priorities = project?.priorities ?? [];
      const { items: values, startAt, size: maxResults, isLast } = pageOf(request, priorities, 50);
      return { status: 200, body: { values, startAt, maxResults, total: priorities.length, isLast } };
    }),
    this.#at("GET", "/issueLinkType", ({ site, shapes }) => ({
      status: 200,
      body: { issueLinkTypes: site.linkTypes.map((type) => shapes.linkType(type)) },
    })),
    this.#at("POST", "/search/jql", (call) => this.#search(call)),
    this.#at("POST", "/issue", (call) => this.#create(call)),
    this.#at("GET", "/issue/:", (call) =>
      this.#onIssue(call, "read", (issue, project) => {
        const { query } = call.request;
        const isExpanded = query.get("expand") === "transitions";
        const fields = query.getAll("fields").flatMap((names) => names.split(","));
        const names = fields.length === 0 || fields.includes("*all") ? null : fields;
        const properties = query.getAll("properties").flatMap((some) => some.split(","));
        const transitions = isExpanded ? { transitions: offeredTo(call, issue, project) } : {};
        return { status: 200, body: { ...call.shapes.issue(issue, names, properties), ...transitions } };
      }),
    ),
    this.#at("PUT", "/issue/:", (call) =>
      this.#onIssue(call, "write", (issue, project) => {
        const write = v.parse(Write, call.request.body);
        const after = changedFields(call.site, project, issue.fields, write);
        for (const property of write.properties) putProperty(issue, property);
        call.site.edit(issue.id, this.#kept(issue.fields, after));
        return { status: 204 };
      }),
    ),
    this.#at("DELETE", "/issue/:", (call) =>
      this.#onIssue(call, "write", (issue) => {
        call.site.remove(issue.id);
        return { status: 204 };
      }),
    ),
    this.#at("PUT", "/issue/:/assignee", (call) =>
      this.#onIssue(call, "write", (issue, project) => {
        const write = { fields: { assignee: call.request.body }, update: {}, properties: [] };
        call.site.edit(issue.id, changedFields(call.site, project, issue.fields, write));
        return { status: 204 };
      }),
    ),
    this.#at("GET", "/issue/:/transitions", (call) =>
      this.#onIssue(call, "read", (issue, project) => {
        const transitions = offeredTo(call, issue, project);
        return { status: 200, body: { expand: "transitions", transitions } };
      }),
    ),
    this.#at("POST", "/issue/:/transitions", (call) =>
      this.#onIssue(call, "write", (issue, project) => {
        const body = v.parse(TransitionBody, call.request.body);
        const transition = transitionsFrom(issue, project).find(({ id }) => id === body.transition.id);
        if (transition === undefined) {
          return refusal(400, `Transition id '${body.transition.id}' is not valid for this issue.`);
        }
        const { requires, to } = transition;
        if (requires !== undefined && body.fields?.[requires] === undefined) {
          throw new Refused({ [requires]: `${requires} is required.` });
        }
        call.site.edit(issue.id, this.#kept(issue.fields, { ...issue.fields, status: to }));
        return { status: 204 };
      }),
    ),
    this.#at("GET", "/issue/:/comment", (call) =>
      this.#onIssue(call, "read", (issue) => {
        const { query } = call.request;
        const isExpanded = query.get("expand") === "properties";
        const order = query.get("orderBy") ?? "created";
        if (!/^[-+]?created$/.test(order))
          return refusal(400, `The orderBy field '${order}' is not supported.`);
        const sorted = order === "-created" ? issue.comments.toReversed() : issue.comments;
        const page = pageOf(call.request, sorted, 5000);
        const comments = page.items.map((comment) => call.shapes.comment(issue, comment, isExpanded));
        return {
          status: 200,
          body: { comments, startAt: page.startAt, maxResults: page.size, total: sorted.length },
        };
      }),
    ),
    this.#at("POST", "/issue/:/comment", (call) =>
      this.#onIssue(call, "write", (issue) => {
        const { body, properties } = v.parse(CommentBody, call.request.body);
        const { description } = changedFields(call.site, call.site.projectOf(issue), issue.fields, {
          fields: { description: body },
          update: {},
          properties: [],
        });
        const author = call.site.users[0]?.accountId ?? "";
        const comment = call.site.comment(issue.id, description, author, properties);
        return { status: 201, body: call.shapes.comment(issue, comment, false) };
      }),
    ),
    this.#at("POST", "/issueLink", (call) => this.#link(call)),
    this.#at("DELETE", "/issueLink/:", ({ site, args: [id = ""] }) =>
      site.unlink(id) ? { status: 204 } : refusal(404, `No issue link with id '${id}' exists.`),
    ),
  ];

  #at(method: string, path: string, handle: Route["handle"]): Route {
    return { method, path: new RegExp(`^/rest/api/3${path.replaceAll(":", "([^/]+)")}$`), handle };
  }

  #visible({ site, caller }: Pick<Call, "site" | "caller">, name: string): Project | null {
    const project = site.project(name);
    const isVisible = caller === "user" && project?.access !== "none" && project?.state === "live";
    return isVisible ? project : null;
  }

  #projects({ request, site, shapes, caller }: Call): SimulatedAnswer {
    const status = request.query.get("status") ?? "live";
    const action = request.query.get("action") ?? "view";
    if (
      !["live", "archived", "deleted"].includes(status) ||
      !["view", "browse", "edit", "create"].includes(action)
    ) {
      return refusal(400, "The request is not valid.");
    }
    const found = site.projects
      .filter(({ access, state }) => caller === "user" && access !== "none" && state === status)
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const { items, startAt, size: maxResults, isLast } = pageOf(request, found, 50);
    const values = items.map((project) => shapes.project(project));
    return { status: 200, body: { values, startAt, maxResults, total: found.length, isLast } };
  }

  #search({ request, site, shapes, caller }: Call): SimulatedAnswer {
    const {
      jql,
      fields = ["id"],
      properties = [],
      maxResults = 50,
      nextPageToken,
    } = v.parse(SearchBody, request.body);
    if (properties.length > 5) return refusal(400, "No more than 5 properties can be asked for.");
    const projectId = (name: string) => this.#visible({ site, caller }, name)?.id ?? null;
    const query = parseJql(jql, { projectId, precision: this.#precision });
    const rows = [...site.issues.values()]
      .flatMap((issue) => {
        const indexed = issue.versions.findLast(({ at }) => at <= this.now() - this.indexLag)?.document;
        return indexed && query.matches(indexed) ? [{ issue, indexed }] : [];
      })
      .toSorted((a, b) => query.compare(a.indexed, b.indexed) || a.indexed.id - b.indexed.id);
    // The token holds the place in the order: the last row as it was.
    const last = nextPageToken === undefined ? null : tokenOf(nextPageToken, jql);
    const rest =
      last === null
        ? rows
        : rows.filter(({ indexed }) => (query.compare(indexed, last) || indexed.id - last.id) > 0);
    const page = rest.slice(0, Math.min(maxResults, 100));
    const isLast = page.length === rest.length;
    const end = page.at(-1)?.indexed;
    const names = fields.includes("*all") ? null : fields.filter((name) => name !== "id" && name !== "key");
    return {
      status: 200,
      body: {
        issues: page.map(({ issue, indexed }) =>
          this.#row(shapes.issue(issue, names, properties), issue, indexed),
        ),
        isLast,
        ...(!isLast &&
          end !== undefined && {
            nextPageToken: Buffer.from(JSON.stringify({ jql, end })).toString("base64"),
          }),
      },
    };
  }

  /** A row as it is; or as it was when the index was told last. */
  #row(row: unknown, issue: Issue, indexed: Indexed): unknown {
    const id = `${issue.id} ${indexed.updated}`;
    if (issue.updated === indexed.updated) this.#shown.set(id, structuredClone(row));
    return this.staleRows === "as_indexed" ? (this.#shown.get(id) ?? row) : row;
  }

  #create({ request, site, shapes }: Call): SimulatedAnswer {
    const write = v.parse(Write, request.body);
    const named = v.safeParse(
      v.looseObject({ id: v.optional(v.string()), key: v.optional(v.string()) }),
      write.fields.project,
    );
    const project = named.success ? site.project(named.output.id ?? named.output.key ?? "") : null;
    if (project?.access === "read")
      return refusal(403, "You do not have permission to create issues in this project.");
    const issue = create(site, write);
    issue.fields = this.#kept(
      { ...issue.fields, labels: [], assignee: null, description: null },
      issue.fields,
    );
    const { id, key, self } = shapes.issue(issue, [], []);
    return { status: 201, body: { id, key, self } };
  }

  #kept(before: Fields, after: Fields): Fields {
    const lost = [...this.dropped].map((name) => [name, before[name]]);
    return { ...after, ...Object.fromEntries(lost) };
  }

  #onIssue(
    { site, caller, args: [name = ""] }: Call,
    need: "read" | "write",
    work: (issue: Issue, project: Project) => SimulatedAnswer,
  ): SimulatedAnswer {
    const issue = site.issue(name);
    const project = issue === null ? null : this.#visible({ site, caller }, issue.projectId);
    if (issue === null || project === null) {
      return refusal(404, "Issue does not exist or you do not have permission to see it.");
    }
    if (need === "write" && project.access === "read") {
      return refusal(403, "You do not have permission to edit issues in this project.");
    }
    return work(issue, project);
  }

  #link({ request, site }: Call): SimulatedAnswer {
    const { type, inwardIssue, outwardIssue } = v.parse(LinkBody, request.body);
    const linkType = site.linkTypes.find(({ id, name }) => id === type.id || name === type.name);
    if (linkType === undefined)
      return refusal(404, `No issue link type with name '${type.name ?? type.id}' found.`);
    const [inward, outward] = [inwardIssue, outwardIssue].map(({ id, key }) => site.issue(id ?? key ?? ""));
    if (!inward || !outward)
      return refusal(404, "Issue does not exist or you do not have permission to see it.");
    if (inward === outward) return refusal(400, "You cannot link an issue to itself.");
    site.link(linkType, inward.id, outward.id);
    return { status: 201 };
  }
}

const Other = v.looseObject({ id: v.optional(v.string()), key: v.optional(v.string()) });
const LinkBody = v.looseObject({
  type: v.looseObject({ id: v.optional(v.string()), name: v.optional(v.string()) }),
  inwardIssue: Other,
  outwardIssue: Other,
});
const TransitionBody = v.looseObject({
  transition: v.looseObject({ id: v.string() }),
  fields: v.optional(v.record(v.string(), v.unknown())),
});
const CommentBody = v.looseObject({
  body: v.unknown(),
  properties: v.optional(v.array(v.object({ key: v.string(), value: v.unknown() })), []),
});
const SearchBody = v.strictObject({
  jql: v.string(),
  fields: v.optional(v.array(v.string())),
  properties: v.optional(v.array(v.string())),
  maxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  nextPageToken: v.optional(v.string()),
  expand: v.optional(v.string()),
  fieldsByKeys: v.optional(v.boolean()),
  reconcileIssues: v.optional(v.array(v.number())),
});
const Token = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    jql: v.string(),
    end: v.object({
      id: v.number(),
      projectId: v.string(),
      key: v.string(),
      number: v.number(),
      created: v.number(),
      updated: v.number(),
      words: v.array(v.string()),
      status: v.string(),
      labels: v.array(v.string()),
    }),
  }),
);

/** @throws JqlError when the token is none, or another query's */
function tokenOf(token: string, jql: string): Indexed {
  const parsed = v.safeParse(Token, Buffer.from(token, "base64").toString());
  if (!parsed.success || parsed.output.jql !== jql)
    throw new JqlError("The provided next page token is invalid or expired.");
  return parsed.output.end;
}

/** The transitions of an issue as the API shows them. */
function offeredTo({ shapes }: Pick<Call, "shapes">, issue: Issue, project: Project) {
  return transitionsFrom(issue, project).map(({ to, requires, from, ...transition }) => ({
    ...transition,
    to: shapes.status(to),
    hasScreen: requires !== undefined,
    isGlobal: from === undefined,
    isInitial: false,
    isConditional: false,
    isAvailable: true,
    looped: false,
  }));
}

function transitionsFrom({ fields }: Issue, { workflow }: Project) {
  return workflow.transitions.flatMap((transition) => {
    const to = workflow.statuses.find(({ name }) => name === transition.to);
    const isHere = transition.from === undefined || transition.from.includes(fields.status.name);
    return to !== undefined && isHere && to.name !== fields.status.name ? [{ ...transition, to }] : [];
  });
}

function pageOf<T>({ query }: SimulatedRequest, items: readonly T[], most: number) {
  const startAt = Number(query.get("startAt") ?? 0);
  const size = Math.min(Number(query.get("maxResults") ?? most), most);
  const page = items.slice(startAt, startAt + size);
  return { items: page, startAt, size, total: items.length, isLast: startAt + page.length >= items.length };
}

function refusal(status: number, message: string): SimulatedAnswer {
  return { status, body: { errorMessages: [message], errors: {} } };
}

function unauthorized(): SimulatedAnswer {
  return refusal(401, "Client must be authenticated to access this resource.");
}
