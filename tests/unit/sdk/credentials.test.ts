import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import { openTransport, type ProviderCredential } from "../../../src/sdk/connectors/credentials.ts";
import { ConnectorConfigError } from "../../../src/sdk/errors.ts";
import type { HostedProvider } from "../../../src/shared/providers.ts";
import { providerName } from "../../../src/shared/providers.ts";

const TOKEN = "canary-5b0c1d7e9f";

/** Where a request for `/x` goes with a credential, and how it is authorized. */
async function reached(
  provider: HostedProvider,
  credential: ProviderCredential,
): Promise<{ readonly url: string; readonly authorization: string | null; readonly headers: Headers }> {
  const seen: Request[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    seen.push(request);
    return Response.json({});
  };
  await openTransport(provider, credential, { fetch }).send({ method: "GET", path: "/x" });
  const [request] = seen;
  if (request === undefined) throw new Error("nothing was sent");
  return { url: request.url, authorization: request.headers.get("authorization"), headers: request.headers };
}

const token = (rest: { readonly baseUrl?: string; readonly email?: string; readonly token?: string } = {}) =>
  ({ kind: "token", token: TOKEN, ...rest }) as const;

describe("a token", () => {
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;
  const SITE = { baseUrl: "https://acme.atlassian.net" };

  test.each<[HostedProvider, string, ProviderCredential, string]>([
    ["github", "any", token(), `Bearer ${TOKEN}`],
    ["gitlab", "any", token(), `Bearer ${TOKEN}`],
    ["jira", "API token", token({ ...SITE, email: "ada@acme.test" }), basic(`ada@acme.test:${TOKEN}`)],
    ["jira", "OAuth token", token(SITE), `Bearer ${TOKEN}`],
    ["linear", "OAuth token", token({ token: "lin_oauth_5b0c" }), "Bearer lin_oauth_5b0c"],
    ["linear", "personal key", token({ token: "lin_api_5b0c" }), "lin_api_5b0c"],
  ])("authorizes at %s (%s)", async (provider, _, credential, authorization) => {
    expect((await reached(provider, credential)).authorization).toBe(authorization);
  });

  test.each<[HostedProvider, string | undefined, string]>([
    ["github", undefined, "https://api.github.com/x"],
    ["github", "https://api.github.com", "https://api.github.com/x"],
    ["github", "https://github.com", "https://api.github.com/x"],
    ["github", "https://git.acme.test", "https://git.acme.test/api/v3/x"],
    ["github", "https://git.acme.test:8443/", "https://git.acme.test:8443/api/v3/x"],
    ["github", "https://git.acme.test/api/v3", "https://git.acme.test/api/v3/x"],
    ["github", "https://proxy.acme.test/github/", "https://proxy.acme.test/github/x"],
    ["github", "https://acme.ghe.com", "https://api.acme.ghe.com/x"],
    ["github", "https://acme.ghe.com/", "https://api.acme.ghe.com/x"],
    ["github", "https://api.acme.ghe.com", "https://api.acme.ghe.com/x"],
    ["github", "https://acme.ghe.com.evil.test", "https://acme.ghe.com.evil.test/api/v3/x"],
    ["github", "http://127.0.0.1:1234", "http://127.0.0.1:1234/api/v3/x"],
    ["gitlab", undefined, "https://gitlab.com/x"],
    ["gitlab", "https://acme.test/gitlab/", "https://acme.test/gitlab/x"],
    ["jira", "https://acme.atlassian.net/", "https://acme.atlassian.net/x"],
    ["jira", "https://api.atlassian.com/ex/jira/1", "https://api.atlassian.com/ex/jira/1/x"],
    ["linear", undefined, "https://api.linear.app/x"],
    ["linear", "http://[::1]:80", "http://[::1]/x"],
  ])("%s at %p is asked at %s", async (provider, baseUrl, url) => {
    expect((await reached(provider, token(baseUrl === undefined ? {} : { baseUrl }))).url).toBe(url);
  });

  test.each<[HostedProvider, string, string]>([
    ["github", "http://git.acme.test", "must be https; http is allowed for this machine only"],
    ["gitlab", `https://oauth2:${TOKEN}@gitlab.com`, "must not contain a credential"],
    ["jira", `https://acme.atlassian.net?token=${TOKEN}`, "must not have a query or a fragment"],
    ["linear", "api.linear.app", "is not a URL"],
  ])("%s at %p is refused", (provider, baseUrl, problem) => {
    const failure = refusal(provider, token({ baseUrl }));
    expect(failure.message).toBe(`${providerName(provider)}: baseUrl ${problem}.`);
  });

  test("of Jira needs the address of the site", () => {
    expect(refusal("jira", token({ email: "ada@acme.test" })).message).toBe(
      "Jira: baseUrl: the address of the site is required.",
    );
  });

  test.each([
    ["", "must not be empty"],
    [`${TOKEN}\n`, "must not contain spaces or line breaks"],
    [`Bearer ${TOKEN}`, "must not contain spaces or line breaks"],
  ])("that is none is refused: %j", (text, problem) => {
    const credential = token({ token: text, email: "ada@acme.test", baseUrl: "https://acme.atlassian.net" });
    expect(refusal("jira", credential).message).toBe(`Jira: credential.token: ${problem}`);
  });

  test("that a header cannot carry is refused and not repeated", () => {
    const failure = refusal("github", token({ token: `${TOKEN}é` }));
    expect(failure.message).toBe("GitHub: authorization must be text that fits into a header.");
  });
});

describe("a connection of Nango", () => {
  const connection = {
    kind: "nango",
    connectionId: "c-1",
    providerConfigKey: "gh",
    secretKey: TOKEN,
  } as const;

  test.each([
    [undefined, "https://api.nango.dev/proxy/x"],
    ["https://nango.acme.test", "https://nango.acme.test/proxy/x"],
  ])("at %p is asked at %s", async (baseUrl, url) => {
    const answer = await reached("github", { ...connection, ...(baseUrl !== undefined && { baseUrl }) });
    expect(answer).toMatchObject({ url, authorization: `Bearer ${TOKEN}` });
    expect(answer.headers.get("connection-id")).toBe("c-1");
    expect(answer.headers.get("provider-config-key")).toBe("gh");
  });

  test("that is incomplete is refused, naming what is missing and nothing else", () => {
    expect(refusal("github", { ...connection, connectionId: "" }).message).toBe(
      "GitHub: credential.connectionId: must not be empty",
    );
  });
});

/** What opening a transport fails with; the credential is not in it. */
function refusal(provider: HostedProvider, credential: ProviderCredential): ConnectorConfigError {
  try {
    openTransport(provider, credential);
  } catch (error) {
    expect(inspect(error, { depth: 9 })).not.toContain(TOKEN);
    if (error instanceof ConnectorConfigError) return error;
  }
  throw new Error("the credential was expected to be refused");
}
