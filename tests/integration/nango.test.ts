/** Every provider through Nango's proxy: an issue's life, discovery, and what goes wrong on the way; one passes the whole contract. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { createDiscoverySource, createHostedConnector } from "../../src/sdk/connectors/hosted.ts";
import { jira as jiraModule } from "../../src/sdk/connectors/jira/index.ts";
import { type DiscoverySource, discoverResources, discoverWorkspaces } from "../../src/sdk/discovery.ts";
import { collect, SyncEngine } from "../../src/sdk/engine.ts";
import { ConnectorRequestError, IssueNotFoundError } from "../../src/sdk/errors.ts";
import type { Transport } from "../../src/sdk/http/transport.ts";
import type { Page } from "../../src/sdk/model.ts";
import { MemoryIssueStore } from "../../src/sdk/stores/memory.ts";
import type { HostedProvider } from "../../src/shared/providers.ts";
import { type ConnectorSubject, describeConnector } from "../helpers/connector-contract.ts";
import { failureOf } from "../helpers/failure.ts";
import * as github from "../helpers/subjects/github.ts";
import * as gitlab from "../helpers/subjects/gitlab.ts";
import * as jira from "../helpers/subjects/jira.ts";
import * as linear from "../helpers/subjects/linear.ts";
import {
  behind,
  type NangoWorld,
  type Route,
  type StartWorld,
  startNango,
  through,
} from "../helpers/through-nango.ts";
import { GitHubSimulator } from "../simulators/github/index.ts";
import type { JiraSimulator } from "../simulators/jira/index.ts";
import type { NangoRefusal } from "../simulators/nango.ts";
import { type SimulatedRequest, Simulator } from "../simulators/server.ts";

const githubWorld = behind({
  provider: "github",
  route: githubRoute,
  directly: github.directly,
  make: github.githubSubject,
});

/** Providers by the name that their integration has in Nango's catalog. */
const WORLDS: readonly (readonly [string, HostedProvider, StartWorld])[] = [
  ["github", "github", githubWorld],
  [
    "gitlab",
    "gitlab",
    behind({
      provider: "gitlab",
      route: ({ origin, token }) => ({
        providerConfigKey: "gitlab",
        baseUrl: origin,
        credential: { authorization: `Bearer ${token}` },
      }),
      directly: gitlab.directly,
      make: gitlab.gitlabSubject,
    }),
  ],
  [
    "gitlab-pat",
    "gitlab",
    behind({
      provider: "gitlab",
      route: ({ origin, token }) => ({
        providerConfigKey: "gitlab-pat",
        baseUrl: `${origin}/`,
        credential: { "private-token": token },
      }),
      directly: gitlab.directly,
      make: gitlab.gitlabSubject,
    }),
  ],
  [
    "jira",
    "jira",
    behind({
      provider: "jira",
      route: ({ origin, oauthToken }) => ({
        providerConfigKey: "jira",
        baseUrl: origin,
        credential: { authorization: `Bearer ${oauthToken}` },
      }),
      directly: jira.throughGateway,
      make: gatewaySubject,
    }),
  ],
  [
    "jira-basic",
    "jira",
    behind({
      provider: "jira",
      route: ({ origin, email, token }) => ({
        providerConfigKey: "jira-basic",
        baseUrl: origin,
        credential: { authorization: `Basic ${Buffer.from(`${email}:${token}`).toString("base64")}` },
      }),
      directly: jira.directly,
      make: jira.jiraSubject,
    }),
  ],
  [
    "linear",
    "linear",
    behind({
      provider: "linear",
      route: ({ origin, token }) => ({
        providerConfigKey: "linear",
        baseUrl: origin,
        credential: { authorization: token },
      }),
      directly: linear.directly,
      make: linear.linearSubject,
    }),
  ],
];

/** The project of Jira's subject, reached the way that a sign-in with OAuth opens: Atlassian's API gateway. */
async function gatewaySubject(open: (simulator: JiraSimulator) => Transport): Promise<ConnectorSubject> {
  const connectors: TrackerConnector[] = [];
  const subject = await jira.jiraSubject((simulator) => {
    const transport = open(simulator);
    const params = { baseUrl: simulator.origin, projectId: jira.PROJECT, cloudId: simulator.site.cloudId };
    connectors.push(jiraModule.connect(params, transport));
    return transport;
  });
  const [connector = subject.connector] = connectors;
  return { ...subject, connector };
}

// The contract asks the connectors, which are the same on every way; what a way can lose are headers.
describeConnector(
  "GitHub through Nango, of whose answers only the content type is known",
  async () => (await githubWorld("type")).subject,
);

describe.each([
  ["with sizes", "sized"],
  ["with the content type alone", "type"],
] as const)("answers %s", (_, passes) => {
  test.each(WORLDS)(
    "%s: an issue is written, and read as written, over pages",
    async (_name, _provider, start) => {
      const { subject } = await start(passes);
      const { connector, sample } = subject;
      const key = () => ({ idempotencyKey: crypto.randomUUID() });
      try {
        const create = async (title: string) => {
          await subject.tick();
          return connector.createIssue({ ...sample, title }, key());
        };
        const { ref } = await create("a");
        const { ref: target } = await create("b");
        await create("c");
        const first = await connector.listIssues({ limit: 2 });
        if (first.nextCursor === null) throw new Error("There is one page.");
        const second = await connector.listIssues({ limit: 2, cursor: first.nextCursor });
        const issues = [...first.items, ...second.items];
        expect(issues.map(({ title }) => title)).toEqual(["a", "b", "c"]);

        await subject.tick();
        await connector.updateIssue(ref, { title: "A", labels: subject.changed.labels }, key());
        await connector.transitionIssue(ref, "done", key());
        await connector.upsertLink(ref, { type: "blocks", target });
        const said = await connector.addComment(ref, "On it.", key());
        const issue = await connector.getIssue(ref);
        expect(issue).toMatchObject({
          title: "A",
          labels: subject.changed.labels,
          status: "done",
          links: [{ type: "blocks", target: { id: target.id } }],
        });
        expect((await connector.listComments(ref)).items).toEqual([said]);
        expect((await connector.findIssue(subject.keyOf(ref)))?.title).toBe("A");
        expect((await connector.searchIssues({ text: "b", limit: 5 })).map(({ title }) => title)).toContain(
          "b",
        );
      } finally {
        await subject.close();
      }
    },
  );
});

/** A provider that answers everything, and hears what it should not. */
class Stranger extends Simulator {
  protected answer(): { readonly status: number; readonly body: unknown } {
    return { status: 200, body: { id: 1, title: "Not yours" } };
  }
}

describe.each(WORLDS)("%s through Nango", (integration, provider, start) => {
  let world: NangoWorld;
  let subject: ConnectorSubject;

  beforeEach(async () => {
    world = await start("type", { timeoutMs: 100 });
    subject = world.subject;
  });
  afterEach(() => subject.close());

  const key = () => ({ idempotencyKey: crypto.randomUUID() });
  const create = (title: string) => subject.connector.createIssue({ ...subject.sample, title }, key());
  const engine = (sleep: () => Promise<void>) =>
    new SyncEngine({
      connector: subject.connector,
      store: new MemoryIssueStore(),
      policy: { mode: "split_ownership" },
      now: () => new Date(world.provider.now()),
      newId: () => Bun.randomUUIDv7("hex", world.provider.now()),
      sleep,
    });
  const titles = async () => (await subject.connector.listIssues({})).items.map(({ title }) => title);

  test("discovers what is discovered past it", async () => {
    // A site's own address is all that is known of it; the gateway tells the addresses of many.
    const site = integration === "jira-basic" ? { baseUrl: world.provider.origin } : {};
    const discover = async (transport: Transport) =>
      everything(await createDiscoverySource({ provider, transport, ...site }));
    const found = await discover(world.transport);
    expect(found).toEqual(await discover(world.direct));
    expect(found).toMatchObject({ resources: expect.arrayContaining([expect.anything()]) });
  });

  test("a create whose answer is lost behind the proxy makes one issue", async () => {
    let waits = 0;
    const sync = engine(async () => {
      waits += 1;
      world.nango.silence = null;
    });
    const goSilent = { kind: "meanwhile", phase: "before" } as const;
    world.nango.fail({ ...goSilent, happens: () => (world.nango.silence = "after") }, isCreate);
    await sync.create("local-1", { ...subject.sample, title: "Only once" });
    expect(await collect(sync.push())).toMatchObject({ stats: { created: { remote: 1 } }, errors: [] });
    expect(waits).toBe(1);
    expect(world.provider.requests.filter(isCreate)).toHaveLength(1);
    expect(await titles()).toEqual(["Only once"]);
  });

  test("a create whose answer the proxy itself does not get makes one issue", async () => {
    const sync = engine(async () => {});
    world.provider.fail({ kind: "lost_response" }, isCreate);
    await sync.create("local-1", { ...subject.sample, title: "Only once" });
    expect(await collect(sync.push())).toMatchObject({ stats: { created: { remote: 1 } }, errors: [] });
    expect(world.provider.requests.filter(isCreate)).toHaveLength(1);
    expect(await titles()).toEqual(["Only once"]);
  });

  test("a provider's 429 that says nothing more is a rate limit, and waited for", async () => {
    const { ref } = await create("Old");
    world.provider.fail({ kind: "answer", status: 429, body: {} });
    const failure = await failureOf(subject.connector.getIssue(ref));
    expect(failure).toMatchObject({ failureClass: "rate_limited", retryable: true });

    await subject.tick();
    let waits = 0;
    const sync = engine(async () => {
      waits += 1;
    });
    for (let time = 0; time < 2; time++) world.provider.fail({ kind: "answer", status: 429, body: {} });
    expect(await collect(sync.pull())).toMatchObject({ stats: { created: { local: 1 } }, errors: [] });
    expect(waits).toBe(2);
  });

  test.each<[NangoRefusal, string]>([
    [{ kind: "rate_limit", seconds: 9 }, "rate_limited"],
    [{ kind: "plan" }, "permission"],
    [{ kind: "expired" }, "auth"],
    [{ kind: "backoff" }, "transient"],
  ])("Nango's own refusal is never a missing issue: %j", async (refusing, failureClass) => {
    const { ref } = await create("Here");
    world.nango.refusing = refusing;
    await expectRefusals(ref, { failureClass });
  });

  test("an integration that is gone from Nango is never a missing issue", async () => {
    const { ref } = await create("Here");
    world.nango.forget();
    await expectRefusals(ref, { failureClass: "auth" });
  });

  /** Every call fails as Nango's refusal, and none as if the issue were gone. */
  async function expectRefusals(ref: typeof subject.absent, expected: object): Promise<void> {
    const { connector } = subject;
    const calls = [
      () => connector.getIssue(ref),
      () => connector.listIssues({}),
      () => connector.findIssue(subject.keyOf(ref)),
      () => connector.findCreated("key"),
      () => connector.createIssue({ ...subject.sample, title: "New" }, key()),
      () => connector.updateIssue(ref, { title: "New" }, key()),
      () => connector.transitionIssue(ref, "done", key()),
      () => connector.addComment(ref, "text", key()),
      () => connector.listComments(ref),
    ];
    for (const call of calls) {
      const failure = await failureOf(call());
      expect(failure).not.toBeInstanceOf(IssueNotFoundError);
      expect(failure).toBeInstanceOf(ConnectorRequestError);
      expect(failure).toMatchObject(expected);
    }
  }

  // Nango's HTTP client takes `private-token`, which `gitlab-pat` sends, for a header like any other.
  const redirects = integration === "gitlab-pat" ? [] : [301, 302, 307];
  test.each(redirects)("a redirect (%i) to a stranger carries no token there", async (status) => {
    const { ref } = await create("Here");
    const stranger = await new Stranger().start();
    const location = `${stranger.origin}/steal`;
    world.provider.fail({ kind: "answer", status, headers: { location } });
    const failure = await failureOf(subject.connector.getIssue(ref));
    expect(failure).not.toBeInstanceOf(IssueNotFoundError);
    expect(stranger.requests).toHaveLength(1);
    expect(JSON.stringify([...(stranger.requests[0]?.headers ?? [])])).not.toContain(world.secret);
    await stranger.stop();
  });
});

test("an issue of GitHub that was transferred is not found, though Nango follows it to where it is", async () => {
  const simulator = await new GitHubSimulator({
    workspaces: [{ login: "acme", repositories: [{ name: "api" }, { name: "web" }] }],
  }).start();
  const nango = await startNango("sized");
  const transport = through(nango, "github", githubRoute(simulator));
  const params = { owner: "acme", repo: "api" };
  const connector = await createHostedConnector({ provider: "github", params, transport });
  const number = simulator.addIssue("acme/api", { title: "Here" });
  simulator.addComment("acme/api", number, "Said here");
  simulator.addIssue("acme/api", { title: "Stays" });
  const [issue, other] = (await connector.listIssues({})).items;
  if (issue === undefined || other === undefined) throw new Error("nothing is listed");
  simulator.transferIssue("acme/api", number, "acme/web");
  const writes = () => simulator.requests.filter(({ method }) => method !== "GET").length;
  const calls = {
    get: () => connector.getIssue(issue.ref),
    update: () => connector.updateIssue(issue.ref, { title: "Changed" }, { idempotencyKey: "1" }),
    transition: () => connector.transitionIssue(issue.ref, "done", { idempotencyKey: "2" }),
    link: () => connector.upsertLink(issue.ref, { type: "blocks", target: other.ref }),
    comment: () => connector.addComment(issue.ref, "text", { idempotencyKey: "3" }),
    comments: () => connector.listComments(issue.ref),
  };
  for (const [name, call] of Object.entries(calls)) {
    const failure = await call().then(
      () => "nothing",
      (error: unknown) => error,
    );
    expect([name, failure]).toEqual([name, expect.any(IssueNotFoundError)]);
  }
  expect(writes()).toBe(0);
  expect(await connector.findIssue("#1")).toBeNull();
  await Promise.all([nango.stop(), simulator.stop()]);
});

function githubRoute({ origin, token }: GitHubSimulator): Route {
  return {
    providerConfigKey: "github",
    baseUrl: `${origin}/api/v3`,
    credential: { authorization: `Bearer ${token}` },
  };
}

/** Everything that a source finds, and whose it is. */
async function everything(source: DiscoverySource): Promise<object> {
  const workspaces = await pages((cursor) => discoverWorkspaces(source, cursor));
  const resources = [];
  for (const workspace of workspaces) {
    resources.push(...(await pages((cursor) => discoverResources(source, workspace, cursor))));
  }
  return { account: await source.account(), workspaces, resources };
}

async function pages<T>(next: (cursor: string | null) => Promise<Page<T>>): Promise<readonly T[]> {
  const items: T[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Page<T> = await next(cursor);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    cursor = page.nextCursor;
  }
}

function isCreate({ method, path, body }: SimulatedRequest): boolean {
  if (method !== "POST") return false;
  return /\/issues?$/.test(path) || (JSON.stringify(body) ?? "").includes("issueCreate(");
}
