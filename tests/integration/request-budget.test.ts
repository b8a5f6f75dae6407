/** The requests that one piece of work costs at each provider, through the engine and as `sync push` sends it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as v from "valibot";
import { PushItem } from "../../src/protocol.ts";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { linear } from "../../src/sdk/connectors/linear/index.ts";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import { BLANK, type ExternalRef, type IssuePatch, identityOf } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import { ResourceSync } from "../../src/sync/resource-sync.ts";
import type { ConnectorSubject } from "../helpers/connector-contract.ts";
import * as atGitHub from "../helpers/subjects/github.ts";
import * as atGitLab from "../helpers/subjects/gitlab.ts";
import * as atJira from "../helpers/subjects/jira.ts";
import * as atLinear from "../helpers/subjects/linear.ts";
import type { SimulatedRequest, Simulator } from "../simulators/server.ts";

const POLICY = { mode: "split_ownership", strategy: "external_wins" } as const;

/** A provider, and connectors to it that have asked for nothing yet, as every job of the control plane has one. */
interface Provider {
  readonly subject: ConnectorSubject;
  readonly simulator: Simulator;
  connect(): TrackerConnector | Promise<TrackerConnector>;
}

async function opened<S extends Simulator>(
  make: (open: (simulator: S) => ReturnType<typeof atGitLab.directly>) => Promise<ConnectorSubject>,
  directly: (simulator: S) => ReturnType<typeof atGitLab.directly>,
  connect: (simulator: S) => TrackerConnector | Promise<TrackerConnector>,
): Promise<Provider> {
  const simulators: S[] = [];
  const subject = await make((simulator) => {
    simulators.push(simulator);
    return directly(simulator);
  });
  const [simulator] = simulators;
  if (simulator === undefined) throw new Error("no simulator was started");
  // Keys tell when they were made, and how far back their issues are looked for.
  simulator.setClock(Date.now());
  return { subject, simulator, connect: () => connect(simulator) };
}

const PROVIDERS = {
  github: () =>
    opened(atGitHub.githubSubject, atGitHub.directly, (simulator) =>
      atGitHub.githubConnector(simulator, "acme/payments-api"),
    ),
  gitlab: () =>
    opened(atGitLab.gitlabSubject, atGitLab.directly, (simulator) => atGitLab.connectTo(simulator)),
  jira: () => opened(atJira.jiraSubject, atJira.directly, (simulator) => atJira.connectTo(simulator)),
  linear: () =>
    opened(atLinear.linearSubject, atLinear.directly, (simulator) =>
      linear.connect({ teamId: atLinear.TEAM_ID, workspace: "acme" }, atLinear.directly(simulator)),
    ),
} as const;

type Name = keyof typeof PROVIDERS;

/** The requests of one piece of work. */
interface Budget {
  readonly what: string;
  readonly requests: Readonly<Record<Name, number>>;
  /** Why some provider needs more than others. */
  readonly why?: string;
}

/** Edits of an issue that the store knows, pushed by the engine: a merge read, and the writes. */
const EDITS: readonly (Budget & { readonly edit: (target: ExternalRef, person: string) => IssuePatch })[] = [
  {
    what: "title",
    edit: () => ({ title: "Renamed" }),
    requests: { github: 2, gitlab: 2, jira: 3, linear: 2 },
    why: "Jira answers writes without the issue, which is read back",
  },
  {
    what: "body",
    edit: () => ({ body: "Other words" }),
    requests: { github: 2, gitlab: 2, jira: 3, linear: 2 },
  },
  {
    what: "labels",
    edit: () => ({ labels: ["api", "payments"] }),
    requests: { github: 3, gitlab: 2, jira: 3, linear: 3 },
    why: "GitHub answers with the labels alone; Linear takes ids, which are looked up by name",
  },
  {
    what: "status",
    edit: () => ({ status: "done" }),
    requests: { github: 2, gitlab: 2, jira: 3, linear: 3 },
  },
  {
    what: "an assignee",
    edit: (_, person) => ({ assignees: [person] }),
    requests: { github: 2, gitlab: 4, jira: 3, linear: 3 },
    why: "GitLab takes the ids of all assignees, which are looked up and read again; Linear takes an id",
  },
  {
    what: "title and status",
    edit: () => ({ title: "Renamed", status: "done" }),
    requests: { github: 3, gitlab: 3, jira: 4, linear: 4 },
    why: "Jira's transitions come with the issue; Linear's states are read once per connector",
  },
  {
    what: "a link",
    edit: (target) => ({ links: [{ type: "blocked_by", target }] }),
    requests: { github: 5, gitlab: 7, jira: 5, linear: 3 },
    // GitHub takes the other end's database id, Jira the id of the link type.
    why: "the other end shows the link too and is read; GitHub and GitLab list links in requests of their own",
  },
];

/** Items as `sync push` sends them, for an issue that is named by its id and that the store knows. */
const ITEMS: readonly (Budget & { readonly item: (target: object) => object })[] = [
  {
    what: "title",
    item: () => ({ action: "update", patch: { title: "Renamed" } }),
    requests: { github: 2, gitlab: 2, jira: 3, linear: 2 },
  },
  {
    what: "body",
    item: () => ({ action: "update", patch: { body: "Other words" } }),
    requests: { github: 2, gitlab: 2, jira: 3, linear: 2 },
  },
  {
    what: "labels",
    item: () => ({ action: "update", patch: { labels: ["api", "payments"] } }),
    requests: { github: 3, gitlab: 2, jira: 3, linear: 3 },
  },
  {
    what: "title and status",
    item: () => ({ action: "update", patch: { title: "Renamed", status: "done" } }),
    requests: { github: 3, gitlab: 3, jira: 4, linear: 4 },
  },
  {
    what: "a comment",
    item: () => ({ action: "comment", body: "Hello" }),
    requests: { github: 1, gitlab: 1, jira: 1, linear: 1 },
  },
  {
    what: "a link",
    item: (target) => ({ action: "link", link: { type: "blocked_by", target } }),
    requests: { github: 5, gitlab: 7, jira: 5, linear: 3 },
  },
];

/** Requests beyond those of an issue that is named by its id and known. */
const NAMING: readonly Budget[] = [
  {
    what: "a title by key",
    requests: { github: 0, gitlab: 1, jira: 0, linear: 0 },
    why: "the read that finds the issue is the merge read; at GitLab it reads the links too",
  },
  {
    what: "a comment by key",
    requests: { github: 1, gitlab: 2, jira: 1, linear: 1 },
    why: "the key is looked up",
  },
  {
    what: "a title of an unknown issue",
    requests: { github: 0, gitlab: 1, jira: 0, linear: 0 },
    why: "GitLab's links are not known and are read",
  },
  {
    what: "a comment of an unknown issue",
    requests: { github: 1, gitlab: 2, jira: 1, linear: 1 },
    why: "the issue is read: a number may be a pull request's, an id another project's",
  },
];

const NEW_ISSUES: readonly Budget[] = [
  {
    what: "a create",
    requests: { github: 1, gitlab: 1, jira: 3, linear: 1 },
    why: "Jira takes the id of an issue type, read once per connector, and answers with an id alone",
  },
  {
    what: "a create whose answer is lost",
    requests: { github: 2, gitlab: 3, jira: 4, linear: 2 },
    why: "one look-up more; GitLab reads links on their own, Jira reads the issue that its search finds",
  },
];

/** New issues without links on one page of a pull. */
const PAGE_ISSUES = 10;
const PULLS: readonly Budget[] = [
  {
    what: `a page of ${PAGE_ISSUES} issues without links`,
    requests: { github: 1, gitlab: 1 + PAGE_ISSUES, jira: 1, linear: 1 },
    why: "GitLab lists issues without their links or the number of them",
  },
  {
    what: `a page of ${PAGE_ISSUES} issues, one of them linked`,
    requests: { github: 2, gitlab: 2 + PAGE_ISSUES, jira: 1, linear: 1 },
    why: "GitHub's rows show the number of links, and those that have some are read; GitLab lists both ends as changed",
  },
];

describe.each(["github", "gitlab", "jira", "linear"] as const)("%s", (name) => {
  let provider: Provider;
  let store: MemoryIssueStore;
  let issue: ExternalRef;
  let other: ExternalRef;

  const now = () => new Date(provider.simulator.now());
  const engineOver = async () =>
    new SyncEngine({
      connector: await provider.connect(),
      store,
      policy: POLICY,
      now,
      overlapMs: 0,
      newId: () => Bun.randomUUIDv7("hex", now()),
      sleep: async () => {},
    });
  const file = async (title: string) => {
    provider.simulator.tick();
    const { connector, sample } = provider.subject;
    return (await connector.createIssue({ ...sample, title }, { idempotencyKey: title })).ref;
  };
  const pull = async () => {
    provider.simulator.tick(60_000);
    return collect((await engineOver()).pull());
  };
  const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
    provider.simulator.tick(60_000);
    const before = provider.subject.requests();
    await work();
    return provider.subject.requests() - before;
  };

  beforeEach(async () => {
    provider = await PROVIDERS[name]();
    store = new MemoryIssueStore();
    issue = await file("Issue");
    other = await file("Other");
    await pull();
  });
  afterEach(() => provider.subject.close());

  test.each(EDITS)("pushes $what", async ({ edit, requests: { [name]: budget } }) => {
    const engine = await engineOver();
    await engine.edit(identityOf(issue), edit(other, provider.subject.people[0]));
    const requests = await requestsOf(async () => {
      expect(await collect(engine.push())).toMatchObject({ errors: [], stats: { updated: { remote: 1 } } });
    });
    expect(requests).toBe(budget);
  });

  const push = async (item: object) => {
    const sync = new ResourceSync({ connector: await provider.connect(), store, policy: POLICY, now });
    const items = [v.parse(PushItem, item)];
    const key = Bun.randomUUIDv7("hex", now());
    return requestsOf(async () => {
      const pushed = await sync.push({ key, attempt: "first", items });
      expect(pushed.items).toMatchObject([{ outcome: "applied" }]);
    });
  };
  const costOf = (what: string) => ITEMS.find((item) => item.what === what)?.requests[name] ?? Number.NaN;

  test.each(ITEMS)("sync push writes $what", async ({ item, requests: { [name]: budget } }) => {
    expect(await push({ ref: { id: issue.id }, ...item({ id: other.id }) })).toBe(budget);
  });

  test.each(NAMING)("sync push finds the issue: $what", async ({ what, requests: { [name]: extra } }) => {
    const isComment = what.includes("comment");
    const isKnown = !what.includes("unknown");
    const { id } = isKnown ? issue : await file("Later");
    const ref = isKnown ? { key: provider.subject.keyOf(issue) } : { id };
    const item = isComment
      ? { ref, action: "comment", body: "Hello" }
      : { ref, action: "update", patch: { title: "Renamed" } };
    expect(await push(item)).toBe(costOf(isComment ? "a comment" : "title") + extra);
  });

  test.each(NEW_ISSUES)("makes $what", async ({ what, requests: { [name]: budget } }) => {
    const isLost = what.includes("lost");
    const isCreate = ({ method, path, body }: SimulatedRequest) =>
      method === "POST" && (/\/issues?$/.test(path) || JSON.stringify(body).includes("issueCreate("));
    if (isLost) provider.simulator.fail({ kind: "lost_response" }, isCreate);
    else expect(await push({ ref: {}, action: "create", patch: { title: "Pushed" } })).toBe(budget);
    const engine = await engineOver();
    await engine.create("draft", { ...BLANK, title: "Draft" });
    const requests = await requestsOf(async () => {
      expect(await collect(engine.push())).toMatchObject({ errors: [], stats: { created: { remote: 1 } } });
    });
    expect([requests, provider.simulator.pendingFaults]).toEqual([budget, 0]);
  });

  test.each(PULLS)("pulls $what", async ({ what, requests: { [name]: budget } }) => {
    const filed: ExternalRef[] = [];
    for (let count = 0; count < PAGE_ISSUES; count += 1) filed.push(await file(`Issue ${count}`));
    const [first] = filed;
    if (first === undefined) throw new Error("nothing was filed");
    if (what.includes("linked")) {
      await provider.subject.connector.upsertLink(first, { type: "blocked_by", target: other });
    }
    const requests = await requestsOf(pull);
    expect(requests).toBe(budget);
  });
});
