import { describe, expect, test } from "bun:test";
import { byHand, COMPANIONS, liveChoice } from "../helpers/live.ts";

const TOKEN = "canary-3f1d";
const COMPLETE = {
  github: { TRACKER_LIVE_GITHUB_REPOSITORY: "acme/scratch" },
  gitlab: { TRACKER_LIVE_GITLAB_PROJECT: "7" },
  jira: {
    TRACKER_LIVE_JIRA_EMAIL: "ada@acme.test",
    TRACKER_LIVE_JIRA_SITE: "https://acme.atlassian.net",
    TRACKER_LIVE_JIRA_PROJECT: "PAY",
  },
  linear: { TRACKER_LIVE_LINEAR_TEAM: "7e3f6a52-4f0b-4f5c-9a0c-6d1d8f2b9c11" },
} as const;

describe.each(["github", "gitlab", "jira", "linear"] as const)("live %s", (provider) => {
  const name = `TRACKER_LIVE_${provider.toUpperCase()}`;
  const complete: Readonly<Record<string, string>> = { ...COMPLETE[provider], [`${name}_TOKEN`]: TOKEN };

  test.each([{}, COMPLETE[provider], { [`${name}_TOKEN`]: "" }])(
    "is not run without a token",
    (environment) => {
      expect(liveChoice(provider, environment)).toEqual({
        kind: "absent",
        reason: `${name}_TOKEN is not set`,
      });
    },
  );

  test("needs every variable that goes with it, and names the one that is missing", () => {
    for (const part of Object.keys(COMPANIONS[provider].entries)) {
      const missing = `${name}_${part}`;
      expect(liveChoice(provider, { ...complete, [missing]: undefined })).toEqual({
        kind: "incomplete",
        problem: `${missing} is not set`,
      });
      const wrong = liveChoice(provider, { ...complete, [missing]: " " });
      expect(wrong).toMatchObject({
        kind: "incomplete",
        problem: expect.stringContaining(`${missing} is not`),
      });
    }
  });

  test("is run with all of them", () => {
    const settings = { provider, token: TOKEN, url: undefined, people: null };
    expect(liveChoice(provider, complete)).toMatchObject({ kind: "ready", settings });
    const faster = { ...complete, TRACKER_LIVE_TICK_MS: "5", [`${name}_URL`]: "http://127.0.0.1:1" };
    expect(liveChoice(provider, faster)).toMatchObject({
      settings: { tickMs: 5, url: "http://127.0.0.1:1" },
    });
    expect(liveChoice(provider, { ...complete, [`${name}_PEOPLE`]: "ada, grace" })).toMatchObject({
      settings: { people: ["ada", "grace"] },
    });
  });
});

test("what an SDK fails with is told without the token", async () => {
  const work = byHand({ token: TOKEN }, async () => {
    throw new Error(`401 for ${TOKEN}`, { cause: { headers: { authorization: TOKEN } } });
  });
  const error: unknown = await work.catch((failure: unknown) => failure);
  expect(Bun.inspect(error)).toContain("401 for ***");
  expect(Bun.inspect(error)).not.toContain(TOKEN);
});
