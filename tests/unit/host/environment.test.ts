import { describe, expect, test } from "bun:test";
import { environmentCredential } from "../../../src/host/connections/environment.ts";
import { HostError } from "../../../src/host/errors.ts";
import { HOSTED_PROVIDERS, type HostedProvider } from "../../../src/shared/providers.ts";

type Variables = Readonly<Record<string, string>>;

function problem(env: Variables, provider: HostedProvider): string {
  try {
    environmentCredential(env, provider);
  } catch (error) {
    if (error instanceof HostError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "none";
}

describe("a token in the environment", () => {
  const SITE = { JIRA_BASE_URL: "https://acme.atlassian.net", JIRA_EMAIL: "ada@acme.example" };
  const JIRA = { baseUrl: "https://acme.atlassian.net", email: "ada@acme.example" };
  const cases: [HostedProvider, Variables, object][] = [
    ["github", { GITHUB_TOKEN: "t1" }, { token: "t1" }],
    ["github", { GITHUB_TOKEN: "t1", GH_TOKEN: "t2" }, { token: "t2" }],
    ["github", { GH_TOKEN: "t2", TRACKER_GITHUB_TOKEN: "t3" }, { token: "t3" }],
    ["github", { GH_TOKEN: "", GITHUB_TOKEN: " t1\n" }, { token: "t1" }],
    ["github", { GH_TOKEN: "t", GITHUB_SERVER_URL: "https://github.com" }, { token: "t" }],
    ["github", { GH_TOKEN: "t", GITHUB_API_URL: "https://api.github.com" }, { token: "t" }],
    ["github", { GH_TOKEN: "t", GH_HOST: "ghe.acme.example" }, { baseUrl: "https://ghe.acme.example" }],
    [
      "github",
      { GH_TOKEN: "t", GITHUB_API_URL: "https://ghe.acme.example/api/v3" },
      { baseUrl: "https://ghe.acme.example" },
    ],
    [
      "github",
      { GH_TOKEN: "t", TRACKER_GITHUB_URL: "http://127.0.0.1:7000", GH_HOST: "ghe.acme.example" },
      { baseUrl: "http://127.0.0.1:7000" },
    ],
    ["gitlab", { GITLAB_TOKEN: "t" }, { token: "t" }],
    ["gitlab", { GITLAB_TOKEN: "t", TRACKER_GITLAB_TOKEN: "t3" }, { token: "t3" }],
    [
      "gitlab",
      { GITLAB_TOKEN: "t", CI_SERVER_URL: "https://git.acme.example" },
      { baseUrl: "https://git.acme.example" },
    ],
    [
      "gitlab",
      { GITLAB_TOKEN: "t", GITLAB_HOST: "git.acme.example", CI_SERVER_URL: "https://gitlab.com" },
      { baseUrl: "https://git.acme.example" },
    ],
    ["jira", { JIRA_API_TOKEN: "t", ...SITE }, { token: "t", ...JIRA }],
    ["jira", { TRACKER_JIRA_TOKEN: "t3", JIRA_API_TOKEN: "t", ...SITE }, { token: "t3", ...JIRA }],
    [
      "jira",
      { JIRA_API_TOKEN: "t", JIRA_BASE_URL: "https://api.atlassian.com/ex/jira/f4a1" },
      { token: "t", baseUrl: "https://api.atlassian.com/ex/jira/f4a1" },
    ],
    ["linear", { LINEAR_API_KEY: "lin_api_1" }, { token: "lin_api_1" }],
    ["linear", { TRACKER_LINEAR_TOKEN: "t3", LINEAR_API_KEY: "t" }, { token: "t3" }],
  ];
  test.each(cases)("%s takes %o as %o", (provider, env, expected) => {
    expect(environmentCredential(env, provider)).toMatchObject({ kind: "token", ...expected });
  });

  test("goes to the provider's own address where the environment names none", () => {
    for (const provider of ["github", "gitlab", "linear"] as const) {
      const name = `TRACKER_${provider.toUpperCase()}_TOKEN`;
      expect(environmentCredential({ [name]: "t" }, provider)).toEqual({ kind: "token", token: "t" });
    }
  });

  test.each([...HOSTED_PROVIDERS])("for another provider is none for %s", (provider) => {
    const others = { GH_TOKEN: "t", GITLAB_TOKEN: "t", LINEAR_API_KEY: "t", JIRA_API_TOKEN: "t" };
    const own = {
      github: "GH_TOKEN",
      gitlab: "GITLAB_TOKEN",
      linear: "LINEAR_API_KEY",
      jira: "JIRA_API_TOKEN",
    };
    expect(environmentCredential({ ...others, [own[provider]]: "" }, provider)).toBeNull();
    expect(environmentCredential({}, provider)).toBeNull();
  });
});

describe("a variable that cannot be used is named, and its value is not repeated", () => {
  const cases: [HostedProvider, Variables, string][] = [
    ["github", { GH_TOKEN: '"ghp_secret"' }, "GH_TOKEN has quotes around it"],
    ["github", { GITHUB_TOKEN: "Bearer ghp_secret" }, "GITHUB_TOKEN is a header"],
    ["gitlab", { GITLAB_TOKEN: "glpat\u200bsecret" }, "GITLAB_TOKEN has characters that no token has"],
    ["github", { GH_TOKEN: "t", GH_HOST: "http://ghe.acme.example" }, "GH_HOST must be https"],
    [
      "gitlab",
      { GITLAB_TOKEN: "t", GITLAB_HOST: "https://ada:secret@git" },
      "GITLAB_HOST must not contain a",
    ],
    ["jira", { JIRA_API_TOKEN: "secret" }, "JIRA_API_TOKEN is set, and JIRA_BASE_URL is not"],
    [
      "jira",
      { JIRA_API_TOKEN: "secret", JIRA_BASE_URL: "https://acme.atlassian.net" },
      "JIRA_API_TOKEN is set, and JIRA_EMAIL is not",
    ],
  ];
  test.each(cases)("%s %o", (provider, env, expected) => {
    const text = problem(env, provider);
    expect(text).toStartWith("invalid_request: ");
    expect(text).toContain(expected);
    expect(text).not.toContain("secret");
  });
});
