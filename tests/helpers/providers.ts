/** One company at each of the four providers, with what its people do there and see. */
import { Buffer } from "node:buffer";
import * as v from "valibot";
import type { HostedProvider } from "../../src/shared/providers.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import { GitLabSimulator } from "../simulators/gitlab/index.ts";
import { textOf } from "../simulators/jira/adf.ts";
import { JiraSimulator } from "../simulators/jira/index.ts";
import { LinearSimulator, type TeamSeed } from "../simulators/linear/index.ts";
import type { SimulatedRequest, Simulator } from "../simulators/server.ts";

const WRITES = new Set(["POST", "PATCH", "PUT", "DELETE"]);

/** An issue as people see it at the provider. */
interface SeenIssue {
  readonly title: string;
  readonly labels: readonly string[];
  readonly isDone: boolean;
  /** Texts as they are shown, without what the provider notes by itself. */
  readonly comments: readonly string[];
  /** Keys of the issues that block it. */
  readonly blockers: readonly string[];
}

/** Acme at one provider, with a repository, project or team for payments-api among others. */
export interface Company {
  readonly provider: HostedProvider;
  readonly simulator: Simulator;
  readonly token: string;
  /** What `tracker host connect <provider>` needs beside the token. */
  readonly address: readonly string[];
  /** Every text that gives a credential away. */
  readonly secrets: readonly string[];
  /** How Nango reaches it, and what it shows there. */
  readonly nango: { readonly baseUrl: string; readonly authorization: string };
  /** The right resource. */
  readonly label: string;
  /** Whether the repository's origin names the resource, or people choose among several. */
  readonly binds: "alone" | "by_choice";
  /** A push that the provider has no place for, and how that is told. */
  readonly refused: { readonly item: object; readonly message: RegExp };
  /** Somebody files an issue; returns its key. */
  add(title: string): string;
  /** Somebody changes a title. */
  rename(key: string, title: string): void;
  see(key: string): Promise<SeenIssue>;
  isWrite(request: SimulatedRequest): boolean;
}

const byMethod = ({ method }: SimulatedRequest): boolean => WRITES.has(method);
const numberOf = (key: string): number => Number(key.slice(1));
/** Markdown without what is not shown of it. */
const shown = (markdown: string): string => markdown.replace(/<!--.*?-->/gs, "").trim();
const bearer = (token: string): string => `Bearer ${token}`;

/** What a simulator answers to a read with this token. */
async function read<S extends v.GenericSchema>(url: string, token: string, schema: S) {
  return v.parse(schema, await (await fetch(url, { headers: { authorization: bearer(token) } })).json());
}

/** Acme on GitHub. */
export async function github(): Promise<Company> {
  const simulator = await new GitHubSimulator({
    token: "ghp_canary4f17a9c26e0b",
    workspaces: [
      {
        login: "acme",
        repositories: [{ name: "payments" }, { name: "payments-api", people: ["ada"] }, { name: "web" }],
      },
      { login: "octavia", type: "User", repositories: [{ name: "payments-api" }] },
    ],
  }).start();
  const { origin, token } = simulator;
  const label = "acme/payments-api";
  const Blockers = v.array(v.object({ number: v.number() }));
  return {
    provider: "github",
    simulator,
    token,
    address: ["--base-url", origin],
    secrets: [token],
    nango: { baseUrl: `${origin}/api/v3`, authorization: bearer(token) },
    label,
    binds: "alone",
    refused: {
      item: { ref: { key: "#1" }, action: "transition", target_status: "in_review" },
      message: /GitHub does not support the status in_review, only todo, done, canceled/,
    },
    add: (title) => `#${simulator.addIssue(label, { title })}`,
    rename: (key, title) => simulator.editIssue(label, numberOf(key), { title }),
    see: async (key) => {
      const { title, labels, state, comments } = simulator.issue(label, numberOf(key));
      const url = `${origin}/api/v3/repos/${label}/issues/${numberOf(key)}/dependencies/blocked_by`;
      const blockers = await read(url, token, Blockers);
      return {
        title,
        labels,
        isDone: state === "closed",
        comments: comments.map(({ body }) => shown(body)),
        blockers: blockers.map(({ number }) => `#${number}`),
      };
    },
    isWrite: byMethod,
  };
}

const GITLAB_PROJECT = 7;

/** Acme on GitLab. */
export async function gitlab(plan: "free" | "premium" = "premium"): Promise<Company> {
  const project = (id: number, path: string, name: string) => ({ id, path, name });
  const simulator = await new GitLabSimulator({
    token: "glpat-canary83be05d1f7",
    workspaces: [
      {
        id: 70,
        path: "acme",
        name: "Acme",
        plan,
        projects: [
          project(6, "payments", "Payments"),
          project(GITLAB_PROJECT, "payments-api", "Payments API"),
          project(8, "web", "Web"),
        ],
      },
      { id: 71, path: "labs", name: "Labs", projects: [project(9, "payments-api", "Payments API")] },
    ],
  }).start();
  const { origin, token } = simulator;
  const Links = v.array(v.object({ iid: v.number(), link_type: v.string() }));
  return {
    provider: "gitlab",
    simulator,
    token,
    address: ["--base-url", origin],
    secrets: [token],
    nango: { baseUrl: origin, authorization: bearer(token) },
    label: "Acme / Payments API (acme/payments-api)",
    binds: "alone",
    refused: {
      item: { ref: { key: "#1" }, action: "transition", target_status: "canceled" },
      message: /GitLab does not support the status canceled, only todo, done/,
    },
    add: (title) => `#${simulator.addIssue(GITLAB_PROJECT, { title })}`,
    rename: (key, title) => simulator.editIssue(GITLAB_PROJECT, numberOf(key), { title }),
    see: async (key) => {
      const { title, labels, state, notes } = simulator.issueOf(GITLAB_PROJECT, numberOf(key));
      const url = `${origin}/api/v4/projects/${GITLAB_PROJECT}/issues/${numberOf(key)}/links`;
      const links = await read(url, token, Links);
      return {
        title,
        labels,
        isDone: state === "closed",
        comments: notes.filter(({ system }) => !system).map(({ body }) => shown(body)),
        blockers: links.filter(({ link_type }) => link_type === "is_blocked_by").map(({ iid }) => `#${iid}`),
      };
    },
    isWrite: byMethod,
  };
}

/** Two people on an issue, where there is room for one. */
const TWO_ASSIGNEES = {
  item: { ref: { key: "PAY-1" }, action: "update", patch: { assignees: ["ada", "grace"] } },
  message: /does not support more than one assignee/,
};

/** Acme on Jira Cloud. */
export async function jira(): Promise<Company> {
  const projects = [
    { id: "10000", key: "BE", name: "Backend" },
    { id: "10001", key: "PAYS", name: "Payments" },
    { id: "10002", key: "PAY", name: "Payments API" },
  ];
  const simulator = await new JiraSimulator({
    sites: [{ cloudId: "f4a1c7d2-8b35-4e60-9d1f-27c0e5b8a364", name: "acme", projects }],
  }).start();
  const { site, origin, token, email, oauthToken } = simulator;
  const keyOf = (id: string): string => site.known(id).key;
  return {
    provider: "jira",
    simulator,
    token,
    address: ["--base-url", origin, "--email", email],
    secrets: [token, Buffer.from(`${email}:${token}`).toString("base64"), oauthToken],
    nango: { baseUrl: origin, authorization: bearer(oauthToken) },
    label: "Payments API (PAY)",
    binds: "by_choice",
    refused: TWO_ASSIGNEES,
    add: (title) => site.add("PAY", { summary: title }).key,
    rename: (key, title) => site.edit(key, { summary: title }),
    see: async (key) => {
      const { id, fields, comments } = site.known(key);
      return {
        title: fields.summary,
        labels: fields.labels,
        isDone: fields.status.category === "done",
        comments: comments.map(({ body }) => textOf(body)),
        // The inward end reads "blocks", the outward end "is blocked by".
        blockers: site.links
          .filter(({ type, outward }) => type.name === "Blocks" && outward === id)
          .map(({ inward }) => keyOf(inward)),
      };
    },
    // Searches are posted.
    isWrite: (request) => byMethod(request) && !request.path.endsWith("/search/jql"),
  };
}

const TEAMS: readonly TeamSeed[] = [
  { key: "BE", name: "Backend" },
  { key: "PPL", name: "Payment Platform" },
  { key: "PAYS", name: "Payments" },
  { key: "PAY", name: "Payments API" },
];
const Mutation = v.object({ query: v.pipe(v.string(), v.regex(/^\s*mutation\b/)) });

/** Acme on Linear. */
export async function linear(): Promise<Company> {
  const people = [{ displayName: "ada" }, { displayName: "grace" }];
  const simulator = await new LinearSimulator({
    token: "lin_api_canary6c92e4d8b1",
    workspaces: [{ name: "Acme", urlKey: "acme", users: people, labels: ["billing"], teams: TEAMS }],
  }).start();
  const { origin, token } = simulator;
  const store = simulator.store();
  const keyOf = (id: string): string => store.identifierOf(store.issue(id));
  return {
    provider: "linear",
    simulator,
    token,
    address: ["--base-url", origin],
    secrets: [token],
    nango: { baseUrl: origin, authorization: token },
    label: "Payments API (PAY)",
    binds: "by_choice",
    refused: TWO_ASSIGNEES,
    add: (title) => keyOf(store.addIssue(store.team("PAY").id, { title }).id),
    rename: (key, title) => store.edit(key, { title }),
    see: async (key) => {
      const { id, title, stateId, labelIds } = store.issue(key);
      const state = store.team("PAY").states.find((one) => one.id === stateId);
      return {
        title,
        labels: store.labels.filter((label) => labelIds.includes(label.id)).map(({ name }) => name),
        isDone: state?.type === "completed",
        comments: [...store.comments.values()]
          .filter(({ issueId }) => issueId === id)
          .map(({ body }) => body),
        blockers: [...store.relations.values()]
          .filter(({ type, relatedIssueId }) => type === "blocks" && relatedIssueId === id)
          .map(({ issueId }) => keyOf(issueId)),
      };
    },
    isWrite: ({ body }) => v.is(Mutation, body),
  };
}
