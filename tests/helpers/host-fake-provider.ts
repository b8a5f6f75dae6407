/** A provider on loopback in a language of its own: what the host does with any provider is seen without a real one's API. */
import * as v from "valibot";
import type { OpenSource } from "../../src/host/connections/sources.ts";
import { openTransport } from "../../src/sdk/connectors/credentials.ts";

const Account = v.object({ account: v.string() });

/** What the provider has: workspaces, each with the resources in it by id and name. */
type Holdings = Readonly<Record<string, Readonly<Record<string, string>>>>;

export class FakeProvider {
  /** Accounts by the token that opens them. */
  readonly accounts = new Map<string, string>();
  /** What each account sees. */
  readonly holdings = new Map<string, Holdings>();
  /** `Authorization` of every request. */
  readonly authorizations: string[] = [];
  readonly paths: string[] = [];
  /** Answered instead of anything else. */
  failure: {
    readonly status: number;
    readonly headers?: Record<string, string>;
    readonly body: unknown;
  } | null = null;
  /** Requests whose path begins so wait until this resolves. */
  gate: { readonly path: string; readonly opens: Promise<void> } | null = null;
  /** Most requests that were being answered at once. */
  mostAtOnce = 0;
  /** Hears of every request, and how many are being answered. */
  onRequest: (atOnce: number) => void = () => {};
  #atOnce = 0;
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: async (request) => {
      this.#atOnce += 1;
      this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
      this.onRequest(this.#atOnce);
      try {
        return await this.#answer(request);
      } finally {
        this.#atOnce -= 1;
      }
    },
  });

  /** An account that sees these holdings with this token. */
  addAccount(token: string, account: string, holdings: Holdings): void {
    this.accounts.set(token, account);
    this.holdings.set(account, holdings);
  }

  get origin(): string {
    return this.#server.url.origin;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  /** How the host opens it. */
  readonly open: OpenSource = async ({ provider, credential, fetch }) => {
    if (credential === null) throw new Error("This is not demo data.");
    const transport = openTransport(provider, credential, { fetch });
    const get = async (path: string) => (await transport.send({ method: "GET", path })).body;
    return {
      provider,
      account: async () => v.parse(Account, await get("/account")).account,
      listWorkspaces: (cursor) => get(`/workspaces/${provider}/${cursor ?? "0"}`),
      findResource: async () => null,
      listResources: ({ id }, cursor) => get(`/resources/${provider}/${id}/${cursor ?? "0"}`),
    };
  };

  async #answer(request: Request): Promise<Response> {
    const authorization = request.headers.get("authorization") ?? "";
    const path = new URL(request.url).pathname.replace(/^\/(proxy|api\/v3)/, "");
    this.authorizations.push(authorization);
    this.paths.push(path);
    if (this.gate !== null && path.startsWith(this.gate.path)) await this.gate.opens;
    if (this.failure !== null) {
      const { status, headers = {}, body } = this.failure;
      return Response.json(body, { status, headers });
    }
    const account = this.accounts.get(tokenOf(authorization));
    if (account === undefined) {
      // As careless as a provider can be.
      return Response.json({ message: `Bad credentials: ${authorization}` }, { status: 401 });
    }
    if (path === "/account") return Response.json({ account });
    const [, kind, provider = "", ...rest] = path.split("/");
    const holdings = this.holdings.get(account) ?? {};
    if (kind === "workspaces") {
      return Response.json(
        page(
          Object.keys(holdings).map((id) => workspaceOf(provider, id)),
          rest[0],
        ),
      );
    }
    const [workspace = "", cursor] = rest;
    const resources = Object.entries(holdings[workspace] ?? {}).map(([id, name]) => ({
      stableRef: id,
      displayName: name,
      kind: "repository",
      provider,
      workspaceId: workspace,
      connectorParams: { owner: workspace, repo: name, baseUrl: `${this.origin}/api/v3` },
      routingMetadata: { display_key: `${workspace}/${name}` },
    }));
    return Response.json(page(resources, cursor));
  }
}

function workspaceOf(provider: string, id: string) {
  return { id, display: id, kind: "organization", provider, providerContext: {} };
}

/** Pages of two. */
function page(all: readonly unknown[], cursor = "0") {
  const start = Number(cursor);
  const end = start + 2;
  return { items: all.slice(start, end), nextCursor: end < all.length ? String(end) : null };
}

function tokenOf(authorization: string): string {
  const [scheme, value = ""] = authorization.split(" ");
  if (scheme !== "Basic") return value;
  const pair = Buffer.from(value, "base64").toString();
  return pair.slice(pair.indexOf(":") + 1);
}
