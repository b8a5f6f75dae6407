/**
 * The search behind listings and look-ups. Its index lags by seconds, at times by minutes:
 * https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/
 */
import * as v from "valibot";
import { IssuePayloadContractError } from "../../errors.ts";
import { JIRA, type JiraRest } from "./rest.ts";

export interface SearchRequest {
  readonly jql: string;
  readonly fields: readonly string[];
  readonly properties?: readonly string[];
  /** Jira may return fewer. */
  readonly maxResults: number;
  /** `next` of the page before; null for the first. */
  readonly token: string | null;
}

export interface SearchPage {
  readonly issues: readonly unknown[];
  readonly next: string | null;
}

export const PAGE_SIZE = 100;

const Results = v.object({
  issues: v.array(v.unknown()),
  nextPageToken: v.nullish(v.string()),
  isLast: v.nullish(v.boolean()),
});

/**
 * https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/
 *
 * @throws IssuePayloadContractError when a page names itself as the next one
 */
export async function searchPage(rest: JiraRest, request: SearchRequest): Promise<SearchPage> {
  const { token, ...query } = request;
  const json = { ...query, ...(token !== null && { nextPageToken: token }) };
  const found = await rest.send(Results, "search", "POST", "/rest/api/3/search/jql", { json });
  const next = found.isLast === true ? null : (found.nextPageToken ?? null);
  if (next !== null && next === token) {
    throw new IssuePayloadContractError(JIRA, "search.nextPageToken", "points to the same page again");
  }
  return { issues: found.issues, next };
}

/**
 * JQL for all of these words in any order; null without words. Jira's operators are removed, because escaping
 * them differs between its search engines:
 * https://support.atlassian.com/jira-software-cloud/docs/search-for-issues-using-the-text-field/
 */
export function wordsInJql(text: string): string | null {
  const words = text
    .match(/[\p{L}\p{M}\p{N}]+/gu)
    ?.map((word) => (/^(AND|OR|NOT|TO)$/.test(word) ? word.toLowerCase() : word));
  return words === undefined ? null : `"${words.join(" ")}"`;
}
