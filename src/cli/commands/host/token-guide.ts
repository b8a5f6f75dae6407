import type { HostedProvider } from "../../../shared/providers.ts";

export interface SecretGuide {
  /** Such as `GitHub token`. */
  readonly name: string;
  /** The page that creates the secret, and the permissions that it needs, as lines. */
  readonly lines: readonly string[];
}

/**
 * @param baseUrl address of the provider where it is not the default one
 * @see
 *   https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
 * @see https://docs.gitlab.com/user/profile/personal_access_tokens/
 * @see https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/
 * @see https://linear.app/docs/api-and-webhooks
 */
export function tokenGuide(provider: HostedProvider, baseUrl: string | null): SecretGuide {
  switch (provider) {
    case "github": {
      const site = siteOf(baseUrl ?? "https://github.com");
      return {
        name: "GitHub token",
        lines: [
          `Create a token at ${site}/settings/personal-access-tokens/new?name=tracker&issues=write`,
          `for your repositories with "Issues: Read and write". A classic token needs the scope "repo".`,
        ],
      };
    }
    case "gitlab": {
      const site = siteOf(baseUrl ?? "https://gitlab.com");
      return {
        name: "GitLab token",
        lines: [
          `Create a personal access token with the scope "api" at`,
          `${site}/-/user_settings/personal_access_tokens?name=tracker&scopes=api`,
        ],
      };
    }
    case "jira":
      return {
        name: "Jira API token",
        lines: [
          "Create an API token without scopes at https://id.atlassian.com/manage-profile/security/api-tokens",
          "The token has your account's permissions: it needs to browse projects and to create and edit their issues.",
        ],
      };
    case "linear":
      return {
        name: "Linear API key",
        lines: [
          `Create a personal API key with the permissions "Read" and "Write" at`,
          "https://linear.app/settings/account/security",
        ],
      };
  }
}

/** @see https://nango.dev/docs/reference/backend/http-api */
export const NANGO_GUIDE: SecretGuide = {
  name: "Nango secret key",
  lines: ["Find the secret key in Nango under Environment Settings."],
};

/** The site that people use at an address: its API may be on a host of its own. */
function siteOf(baseUrl: string): string {
  return new URL(baseUrl).origin.replace("://api.", "://");
}
