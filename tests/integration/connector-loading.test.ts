import { expect, test } from "bun:test";
import type { HostedParams } from "../../src/sdk/connectors/params.ts";
import type { Transport } from "../../src/sdk/http/transport.ts";
import { HOSTED_CONNECTORS, type HostedEntry } from "../../src/sdk/registry.ts";
import type { HostedProvider } from "../../src/shared/providers.ts";

const PARAMS: { readonly [P in HostedProvider]: HostedParams<P> } = {
  github: { owner: "acme", repo: "payments-api" },
  gitlab: { projectId: "7" },
  jira: { baseUrl: "https://acme.atlassian.net", projectId: "10001" },
  linear: { teamId: "00000000-0000-4000-8000-000000000001" },
};

const watched = () => {
  const sent: string[] = [];
  const transport: Transport = {
    send: ({ path }) => {
      sent.push(path);
      return Promise.reject(new Error("nobody is there"));
    },
  };
  return { sent, transport };
};

async function make<P extends HostedProvider>(provider: P, transport: Transport) {
  const entry: HostedEntry<P> = HOSTED_CONNECTORS[provider];
  const { connect, discover } = await entry.load();
  return { connector: connect(PARAMS[provider], transport), source: discover(transport, null) };
}

test.each(["github", "gitlab", "jira", "linear"] as const)(
  "%s sends nothing before it is used, and something then",
  async (provider) => {
    const { sent, transport } = watched();
    const { connector, source } = await make(provider, transport);
    expect(connector.provider).toBe(provider);
    expect(source.provider).toBe(provider);
    expect(connector.capabilities().comments).toBe(true);
    await Bun.sleep(0);
    expect(sent).toEqual([]);

    await expect(connector.listIssues({})).rejects.toThrow();
    await expect(source.listWorkspaces(null)).rejects.toThrow();
    expect(sent).toHaveLength(2);
  },
);

test("no connector is loaded before it is asked for", async () => {
  const loading = Bun.spawn(
    [
      process.execPath,
      "-e",
      'await import("./src/sdk/registry.ts"); await import("./src/sdk/connectors/hosted.ts"); await import("./src/sdk/connectors/credentials.ts"); console.log(Object.keys(require.cache).join("\\n"))',
    ],
    { cwd: `${import.meta.dir}/../..`, stdout: "pipe", env: {} },
  );
  const loaded = await new Response(loading.stdout).text();
  expect(loaded).toContain("registry.ts");
  expect(loaded).not.toMatch(/connectors\/(github|gitlab|jira|linear)\//);
});
