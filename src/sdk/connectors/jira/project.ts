/** One project of a site: its identity and the values that its issues accept. */
import * as v from "valibot";
import { CapabilityNotSupportedError, ConnectorRequestError } from "../../errors.ts";
import { type CanonicalIssueType, type LinkType, NonEmpty } from "../../model.ts";
import {
  isNamed,
  meaningOfLink,
  meaningOfType,
  mostCommon,
  priorityFor,
  rankOfPriority,
  TYPE_NAMES,
} from "./names.ts";
import { isMissing, isRefused, JIRA, type JiraRest } from "./rest.ts";
import { type SearchPage, type SearchRequest, searchPage } from "./search.ts";

const wholeNumber = v.pipe(v.number(), v.integer());

const Identity = v.object({ id: NonEmpty, key: NonEmpty });
const IssueType = v.object({
  id: NonEmpty,
  name: NonEmpty,
  subtask: v.boolean(),
  hierarchyLevel: v.exactOptional(v.number()),
});
const Priority = v.object({ id: NonEmpty, name: NonEmpty });
const LinkTypes = v.object({
  issueLinkTypes: v.array(
    v.object({ id: NonEmpty, name: NonEmpty, inward: v.string(), outward: v.string() }),
  ),
});
const TypePage = v.object({ issueTypes: v.array(IssueType), startAt: wholeNumber, total: wholeNumber });
const PriorityPage = v.object({ values: v.array(Priority), isLast: v.boolean() });

interface ProjectParams {
  readonly projectId: string | null;
  readonly projectKey: string | null;
}

/** Facts are read once, when they are first needed. */
export class JiraProject {
  readonly rest: JiraRest;
  /** The id if known, otherwise the key: Jira accepts both. */
  readonly name: string;
  #identity: v.InferOutput<typeof Identity> | null = null;
  #id: string | null;
  #types: readonly v.InferOutput<typeof IssueType>[] | null = null;
  #priorities: readonly v.InferOutput<typeof Priority>[] | null = null;
  #linkTypes: v.InferOutput<typeof LinkTypes>["issueLinkTypes"] | null = null;

  constructor(rest: JiraRest, { projectId, projectKey }: ProjectParams) {
    this.rest = rest;
    this.name = projectId ?? projectKey ?? "";
    this.#id = projectId;
  }

  get jql(): string {
    return `project = ${jqlText(this.name)}`;
  }

  async id(): Promise<string> {
    this.#id ??= (await this.identity()).id;
    return this.#id;
  }

  async identity(): Promise<v.InferOutput<typeof Identity>> {
    this.#identity ??= await this.#read();
    return this.#identity;
  }

  /**
   * To a request without a valid credential Jira answers as if nothing existed. So the credential and the
   * project are checked before an issue counts as missing.
   *
   * @throws ConnectorRequestError when the credential is not valid, the project is not visible, or this is no
   * Jira Cloud
   */
  async confirm(): Promise<void> {
    await whoami(this.rest);
    this.#identity = await this.#read();
  }

  /** To strangers Jira reports an invalid query, because it names an invisible project. */
  async search(request: SearchRequest): Promise<SearchPage> {
    try {
      return await searchPage(this.rest, request);
    } catch (error) {
      if (isRefused(error) || isMissing(error)) await this.confirm();
      throw error;
    }
  }

  /**
   * The type for creating or changing an issue.
   *
   * @param substitute Name of the type for tasks, where the project has no "Task"
   * @throws CapabilityNotSupportedError listing the project's types when none fits
   * @throws ConnectorRequestError (`permission`) when no issue can be created at all
   */
  async typeFor(wanted: CanonicalIssueType, substitute: string | null): Promise<{ readonly id: string }> {
    this.#types ??= await this.#readTypes();
    const types = this.#types;
    const fitting = types.filter((type) => meaningOfType(type) === wanted);
    const replaced =
      wanted === "task" && substitute !== null && !fitting.some(({ name }) => isNamed("task", name))
        ? types.find(({ name }) => isNamed(substitute, name))
        : undefined;
    const type = replaced ?? mostCommon(fitting, TYPE_NAMES[wanted]);
    if (type !== undefined) return { id: type.id };
    throw this.#lacks("issueType", `issue type for ${wanted}`, types);
  }

  /** @throws CapabilityNotSupportedError listing the project's priorities when none fits */
  async priorityFor(rank: number): Promise<{ readonly id: string }> {
    this.#priorities ??= await this.#readPriorities();
    const priority = priorityFor(this.#priorities, rank);
    if (priority !== undefined) return { id: priority.id };
    const ranked = this.#priorities.filter(({ name }) => rankOfPriority(name) !== null);
    throw this.#lacks("priority", `priority for ${rank}`, ranked);
  }

  /**
   * The site's link type for a link, and its end.
   *
   * @throws CapabilityNotSupportedError listing the site's link types when none fits
   */
  async linkTypeFor(wanted: LinkType): Promise<{ readonly id: string; readonly end: "outward" | "inward" }> {
    this.#linkTypes ??= (
      await this.rest.get(LinkTypes, "issueLinkType", "/rest/api/3/issueLinkType")
    ).issueLinkTypes;
    for (const end of ["outward", "inward"] as const) {
      const type = this.#linkTypes.find((candidate) => meaningOfLink(candidate[end]) === wanted);
      if (type !== undefined) return { id: type.id, end };
    }
    throw this.#lacks("linkTypes", `link type for ${wanted}`, this.#linkTypes);
  }

  async #read(): Promise<v.InferOutput<typeof Identity>> {
    try {
      return await this.rest.get(Identity, "project", `/rest/api/3/project/${encodeURIComponent(this.name)}`);
    } catch (cause) {
      if (!isMissing(cause)) throw cause;
      const message = `The Jira project ${this.name} does not exist, or this credential cannot see it.`;
      throw new ConnectorRequestError(message, { provider: JIRA, failureClass: "not_found", cause });
    }
  }

  /** The types that the credential can create; only administrators can list all. */
  async #readTypes(): Promise<readonly v.InferOutput<typeof IssueType>[]> {
    const path = `/rest/api/3/issue/createmeta/${encodeURIComponent(this.name)}/issuetypes`;
    const types: v.InferOutput<typeof IssueType>[] = [];
    for (;;) {
      const query = { startAt: types.length, maxResults: 50 };
      const page = await this.rest.get(TypePage, "issuetypes", path, query);
      types.push(...page.issueTypes);
      if (page.issueTypes.length === 0 || types.length >= page.total) break;
    }
    if (types.length > 0) return types;
    const message = `This credential cannot create issues in the Jira project ${this.name}.`;
    throw new ConnectorRequestError(message, { provider: JIRA, failureClass: "permission" });
  }

  /** A project may use a selection of the site's priorities. */
  async #readPriorities(): Promise<readonly v.InferOutput<typeof Priority>[]> {
    const projectId = await this.id();
    const priorities: v.InferOutput<typeof Priority>[] = [];
    for (;;) {
      const query = { projectId, startAt: priorities.length, maxResults: 50 };
      const page = await this.rest.get(PriorityPage, "priorities", "/rest/api/3/priority/search", query);
      priorities.push(...page.values);
      if (page.isLast || page.values.length === 0) return priorities;
    }
  }

  #lacks(
    capability: string,
    what: string,
    ranked: readonly { readonly name: string }[],
  ): CapabilityNotSupportedError {
    const names = ranked.map(({ name }) => `"${name}"`).join(", ");
    const message = `The Jira project ${this.name} has no ${what}, only: ${names || "none"}.`;
    return new CapabilityNotSupportedError(JIRA, capability, message);
  }
}

const Account = v.object({ accountId: NonEmpty });

/**
 * The credential's account.
 *
 * @throws ConnectorRequestError also when version 3 of the API is missing, as in Jira Data Center
 */
export async function whoami(rest: JiraRest): Promise<string> {
  try {
    return (await rest.get(Account, "myself", "/rest/api/3/myself")).accountId;
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    const message =
      "This address is not a Jira Cloud site: /rest/api/3 is missing. Jira Data Center is not supported.";
    throw new ConnectorRequestError(message, { provider: JIRA, failureClass: "invalid", cause });
  }
}

/** Quotes a text for JQL: https://support.atlassian.com/jira-software-cloud/docs/jql-fields/ */
export function jqlText(text: string): string {
  return /^\d+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
