/** Marks created issues: https://developer.atlassian.com/cloud/jira/platform/jira-entity-properties/ */
import * as v from "valibot";
import { Instant } from "../../model.ts";
import { parsePayload } from "../shared/arguments.ts";
import { earliestUse, markOf } from "../shared/marker.ts";
import { IssueLocation, keyPrefix } from "./map.ts";
import type { JiraProject } from "./project.ts";
import { isMissing, JIRA } from "./rest.ts";
import { PAGE_SIZE } from "./search.ts";

const PROPERTY = "tracker.create";

/** No higher number is tried after so many unused ones in a row. */
const MAX_MISSES = 3;
/** Unindexed numbers that are tried between indexed ones, highest first; most belong to deleted issues. */
const MAX_GAPS = 5;

export function creationProperty(idempotencyKey: string): { readonly key: string; readonly value: unknown } {
  return { key: PROPERTY, value: { mark: markOf(idempotencyKey) } };
}

const Marked = v.object({
  ...IssueLocation.entries,
  properties: v.optional(v.object({ [PROPERTY]: v.optional(v.unknown()) })),
});
const Found = v.object({
  ...Marked.entries,
  fields: v.object({ ...IssueLocation.entries.fields.entries, created: Instant }),
});
const Property = v.object({ mark: v.string() });

/** The id of a key's issue. The index lags, so the numbers after it and in its gaps are looked up too. */
export async function findCreatedId(project: JiraProject, idempotencyKey: string): Promise<string | null> {
  const mark = markOf(idempotencyKey);
  const earliest = earliestUse(idempotencyKey);
  const projectId = await project.id();
  let latest: Latest = { issues: [], isAll: true };
  let token: string | null = null;
  do {
    const page = await project.search({
      jql: `${project.jql} ORDER BY created DESC, key DESC`,
      fields: ["project", "created"],
      properties: [PROPERTY],
      maxResults: PAGE_SIZE,
      token,
    });
    const issues = page.issues.map((issue, index) =>
      parsePayload(JIRA, Found, issue, `search.issues.${index}`),
    );
    const made = issues.find((issue) => markIn(issue) === mark);
    if (made !== undefined) return made.id;
    if (token === null) {
      // The index may still list a moved issue, which has another number in its new project.
      const own = issues.filter(({ fields }) => fields.project.id === projectId);
      latest = { issues: own, isAll: page.next === null };
    }
    const isFarEnough = earliest !== null && issues.some(({ fields }) => fields.created < earliest);
    token = isFarEnough ? null : page.next;
  } while (token !== null);
  return probe(project, mark, latest, earliest);
}

interface Latest {
  readonly issues: readonly v.InferOutput<typeof Found>[];
  readonly isAll: boolean;
}

/** Looks up numbers that the index does not have. */
async function probe(
  project: JiraProject,
  mark: string,
  latest: Latest,
  earliest: string | null,
): Promise<string | null> {
  const [newest] = latest.issues;
  const prefix = newest === undefined ? (await project.identity()).key : keyPrefix(newest.key);
  const highest = Math.max(0, ...latest.issues.map(issueNumber));
  /** Null for an unused number; otherwise the id if the issue has the key. */
  const look = async (number: number): Promise<{ readonly id: string | null } | null> => {
    const path = `/rest/api/3/issue/${encodeURIComponent(`${prefix}-${number}`)}`;
    const query = { fields: "project", properties: PROPERTY };
    try {
      const issue = await project.rest.get(Marked, "issue", path, query);
      return { id: markIn(issue) === mark ? issue.id : null };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  };
  for (const number of gapsIn(latest, earliest)) {
    const found = await look(number);
    if (found?.id) return found.id;
  }
  let misses = 0;
  for (let number = highest + 1; misses < MAX_MISSES; number++) {
    const found = await look(number);
    if (found?.id) return found.id;
    if (found === null) misses++;
  }
  return null;
}

function markIn({ properties }: v.InferOutput<typeof Marked>): string | null {
  const property = properties?.[PROPERTY];
  return v.is(Property, property) ? property.mark : null;
}

function issueNumber({ key }: { readonly key: string }): number {
  return Number(/\d+$/.exec(key)?.[0] ?? 0);
}

/** Gaps among the latest issues, highest first, as far down as the issue can be. */
function gapsIn({ issues, isAll }: Latest, earliest: string | null): readonly number[] {
  const created = new Map(issues.map((issue) => [issueNumber(issue), issue.fields.created]));
  const lowest = isAll ? 1 : Math.min(...created.keys());
  const gaps: number[] = [];
  for (
    let number = Math.max(0, ...created.keys()) - 1;
    number >= lowest && gaps.length < MAX_GAPS;
    number--
  ) {
    const instant = created.get(number);
    if (instant === undefined) gaps.push(number);
    else if (earliest !== null && instant < earliest) break;
  }
  return gaps;
}
