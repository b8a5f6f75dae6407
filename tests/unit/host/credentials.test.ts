import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import {
  credentialOf,
  discoveryAddressOf,
  parseCredential,
  targetOf,
} from "../../../src/host/connections/credentials.ts";
import { HostError } from "../../../src/host/errors.ts";
import { ConnectRequest } from "../../../src/protocol.ts";
import type { HostedProvider } from "../../../src/shared/providers.ts";

const read = (provider: HostedProvider, fields: Record<string, unknown>) =>
  credentialOf(provider, v.parse(ConnectRequest, { provider, ...fields }));
const token = (provider: HostedProvider, fields: Record<string, unknown> = {}) =>
  read(provider, { kind: "token", token: "t0ken", ...fields });

function problems(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(HostError);
    return error instanceof HostError ? [error.code, error.details] : null;
  }
  return null;
}

describe("a token", () => {
  const accepted: [HostedProvider, Record<string, unknown>, Record<string, string>][] = [
    ["github", {}, {}],
    ["github", { base_url: "https://GitHub.com/" }, {}],
    ["github", { base_url: "https://ghe.acme.example" }, { baseUrl: "https://ghe.acme.example" }],
    ["github", { base_url: "https://ghe.acme.example/api/v3/" }, { baseUrl: "https://ghe.acme.example" }],
    ["github", { base_url: "https://api.acme.ghe.com" }, { baseUrl: "https://acme.ghe.com" }],
    [
      "gitlab",
      { base_url: "https://git.acme.example/gitlab/" },
      { baseUrl: "https://git.acme.example/gitlab" },
    ],
    ["gitlab", { base_url: "https://gitlab.com" }, {}],
    ["linear", { base_url: null, email: "" }, {}],
    [
      "jira",
      { base_url: "https://acme.atlassian.net/", email: "ada@acme.example" },
      { baseUrl: "https://acme.atlassian.net", email: "ada@acme.example" },
    ],
    ["jira", { base_url: "https://api.atlassian.com" }, { baseUrl: "https://api.atlassian.com" }],
  ];
  test.each(accepted)("for %s with %o", (provider, fields, expected) => {
    const credential = token(provider, fields);
    expect<unknown>(credential).toEqual({ kind: "token", token: "t0ken", ...expected });
    expect<unknown>(parseCredential(JSON.stringify(credential))).toEqual(credential);
  });

  const refused: [HostedProvider, Record<string, unknown>, Record<string, unknown>][] = [
    ["jira", {}, { base_url: expect.stringContaining("required") }],
    ["jira", { base_url: "https://acme.atlassian.net" }, { email: expect.stringContaining("required") }],
    ["github", { email: "ada@acme.example" }, { email: expect.stringContaining("jira only") }],
    ["gitlab", { base_url: "http://gitlab.acme.example" }, { base_url: expect.stringContaining("https") }],
    ["gitlab", { base_url: "gitlab.acme.example" }, { base_url: "is not a URL" }],
    [
      "gitlab",
      { base_url: "https://u:p@gitlab.acme.example" },
      { base_url: expect.stringContaining("credential") },
    ],
    ["github", { token: "line\nbreak" }, { token: expect.stringContaining("ASCII") }],
  ];
  test.each(refused)("for %s with %o is refused by name", (provider, fields, details) => {
    expect(problems(() => token(provider, fields))).toEqual(["invalid_request", details]);
  });
});

test("a connection of Nango", () => {
  const fields = { kind: "nango", connection_id: "c1", provider_config_key: "github-prod", secret_key: "s" };
  const credential = { kind: "nango", connectionId: "c1", providerConfigKey: "github-prod", secretKey: "s" };
  expect(read("github", fields)).toMatchObject(credential);
  expect(read("jira", { ...fields, base_url: "https://nango.acme.example/" })).toMatchObject({
    baseUrl: "https://nango.acme.example",
  });
  expect(read("jira", { ...fields, base_url: "https://api.nango.dev" })).not.toHaveProperty("baseUrl");
  expect(problems(() => read("github", { ...fields, secret_key: "s\r\nx: y" }))).toEqual([
    "invalid_request",
    { secret_key: expect.any(String) },
  ]);
});

test("discovery is told the address of a server, and not of a way there", () => {
  const nango = { kind: "nango", connectionId: "c", providerConfigKey: "k", secretKey: "s" } as const;
  const at = (base_url: string) => ({ kind: "token", token: "t", baseUrl: base_url }) as const;
  expect(discoveryAddressOf(at("https://git.acme.example"))).toBe("https://git.acme.example");
  expect(discoveryAddressOf({ kind: "token", token: "t" })).toBeUndefined();
  expect(discoveryAddressOf(at("https://api.atlassian.com"))).toBeUndefined();
  expect(discoveryAddressOf({ ...nango, baseUrl: "https://nango.acme.example" })).toBeUndefined();
});

test("connections are told apart by account and address, and not by token", async () => {
  const target = (credential: Parameters<typeof targetOf>[0]) => targetOf(credential, async () => "42");
  const nango = { kind: "nango", connectionId: "c", providerConfigKey: "k", secretKey: "s" } as const;
  expect(
    await Promise.all([target(null), target(token("github")), target(token("github", { token: "other" }))]),
  ).toEqual(["demo", "#42", "#42"]);
  expect(await target(token("gitlab", { base_url: "https://git.acme.example" }))).toBe(
    "https://git.acme.example#42",
  );
  expect(await target(nango)).toBe("#k/c");
  expect(await target({ ...nango, baseUrl: "https://nango.example" })).toBe("https://nango.example#k/c");
});

test.each(["nonsense-canary", '{"kind":"token","token":["canary"]}', '{"kind":"canary"}'])(
  "a stored credential that this version does not know is not shown: %s",
  (text) => {
    const error = Promise.try(() => parseCredential(text)).catch((reason: unknown) => Bun.inspect(reason));
    return expect(error).resolves.toMatch(/^(?!.*canary).*newer tracker/s);
  },
);
