import * as v from "valibot";
import { type Capabilities, NO_CAPABILITIES } from "../../capabilities.ts";
import { filledPatch, linkIdentity } from "../../engine/merge.ts";
import { ConnectorRequestError, IssueNotFoundError } from "../../errors.ts";
import type { Transport } from "../../http/transport.ts";
import {
  type CanonicalComment,
  type CanonicalIssue,
  type CanonicalLink,
  CanonicalStatus,
  type IssueFields,
  type IssuePatch,
  type JsonValue,
} from "../../model.ts";
import type { LinearParams } from "../params.ts";
import { parsePayload } from "../shared/arguments.ts";
import { parsePlace } from "../shared/cursor.ts";
import type { ApiPage, ChangeQuery, ProviderApi } from "../shared/provider-connector.ts";
import { readWindow } from "../shared/window.ts";
import {
  CREATE_COMMENT,
  CREATE_ISSUE,
  CREATE_RELATION,
  DELETE_RELATION,
  ISSUE,
  ISSUE_COMMENTS,
  ISSUE_INVERSE_RELATIONS,
  ISSUE_LABELS,
  ISSUE_RELATIONS,
  ISSUES,
  TEAM,
  UPDATE_ISSUE,
} from "./documents.ts";
import {
  CommentedIssue,
  canonicalComment,
  canonicalIssue,
  IssueNode,
  identifierFrom,
  idOf,
  NativeComment,
  NativeInverseRelation,
  NativeIssue,
  NativeLabel,
  NativeRelation,
  organizationOf,
  plainInput,
  relationInput,
  relationsOf,
} from "./map.ts";
import { labelDelta, labelIds, userId } from "./names.ts";
import {
  Backward,
  connection,
  cursorAfter,
  cursorBefore,
  everyNode,
  Forward,
  isFailure,
  LinearRequests,
  oldestFirst,
  orNull,
} from "./requests.ts";
import { Workflow } from "./workflow.ts";

/** 50 issues with their connections cost about 3,000 of the 10,000 points that a query may cost. */
const PAGE_SIZE = 50;

const CAPABILITIES: Capabilities = {
  ...NO_CAPABILITIES,
  comments: true,
  hierarchy: true,
  dependencies: true,
  assignment: true,
  terminalTransition: true,
  bulkRead: true,
  priority: true,
  statuses: CanonicalStatus.options,
  linkTypes: ["blocks", "blocked_by", "relates_to", "duplicates"],
};

const Team = v.object({ id: v.string(), archivedAt: v.nullable(v.string()) });
const Found = v.object({ issue: IssueNode });
const FoundPage = v.object({
  team: Team,
  issues: v.object({
    nodes: v.array(IssueNode),
    pageInfo: v.object({ ...Forward.entries, ...Backward.entries }),
  }),
});
const Rest = <S extends v.GenericSchema>(node: S) =>
  v.object({ issue: v.object({ page: connection(node) }) });
const Commented = v.object({ issue: CommentedIssue });
const done = v.object({ success: v.literal(true) });
/** The schema allows a mutation's answer without the issue. */
const Answered = v.object({ ...done.entries, issue: v.nullable(IssueNode) });
const IssueCreated = v.object({ issueCreate: Answered });
const Updated = v.object({ issueUpdate: Answered });
const Related = v.object({
  issueRelationCreate: v.object({
    ...done.entries,
    issueRelation: v.object({ issue: IssueNode, relatedIssue: IssueNode }),
  }),
});
const CommentCreated = v.object({ commentCreate: v.object({ ...done.entries, comment: NativeComment }) });
const Place = v.nullable(v.string());

export class LinearApi implements ProviderApi {
  readonly provider = "linear";
  readonly workspace: string;
  readonly capabilities = CAPABILITIES;
  /** Linear rewrites Markdown by undocumented rules: `-` becomes `*`, an address a link. */
  readonly rewritesBodies = true;
  readonly #params: LinearParams;
  readonly #requests: LinearRequests;
  readonly #workflow: Workflow;

  constructor(params: LinearParams, transport: Transport) {
    this.workspace = params.teamId;
    this.#params = params;
    this.#requests = new LinearRequests(transport);
    this.#workflow = new Workflow(this.#requests, params.teamId, params.statusToStateId);
  }

  /** Linear dates changes of the issue itself: a link may show only with the issue's next change. */
  async listChanges(query: ChangeQuery): Promise<ApiPage<CanonicalIssue>> {
    const { since, until, limit, place } = query;
    const { rows, next } = await readWindow(
      { provider: this.provider, since, until, limit, place },
      async (request) => {
        const updatedAt = {
          ...(request.since !== null && { gte: request.since }),
          ...(until !== null && { lt: until }),
        };
        const { nodes, pageInfo } = await this.#page(
          { ...(Object.keys(updatedAt).length > 0 && { updatedAt }) },
          { last: PAGE_SIZE, ...(request.next !== null && { before: request.next }) },
        );
        const changed = oldestFirst(nodes, ({ updatedAt }) => updatedAt, "issues.nodes");
        return {
          rows: changed.filter(isNotTrashed),
          others: changed.filter((row) => !isNotTrashed(row)),
          next: cursorBefore(pageInfo, request.next),
        };
      },
    );
    return { items: await this.#completeAll(rows), next };
  }

  async get(id: string): Promise<CanonicalIssue> {
    const found = await orNull(this.#requests.request(ISSUE, { id }, Found));
    if (found === null) await this.#assertTeam();
    // Linear also accepts identifiers as ids, and finds issues that moved to another team.
    if (found?.issue.id !== id || !this.#isInTeam(found.issue))
      throw new IssueNotFoundError(this.provider, id);
    return this.#complete(found.issue);
  }

  async find(key: string): Promise<CanonicalIssue | null> {
    const identifier = identifierFrom(key);
    if (identifier === null) return null;
    const found = await orNull(this.#requests.request(ISSUE, { id: identifier.id }, Found));
    if (found === null) await this.#assertTeam();
    if (found === null || !this.#isInTeam(found.issue)) return null;
    const isElsewhere =
      identifier.organization !== null && identifier.organization !== organizationOf(found.issue.url);
    return isElsewhere ? null : this.#complete(found.issue);
  }

  /** Linear's `searchIssues` is limited to 30 requests a minute and also returns similar issues. */
  async search(text: string | null, limit: number): Promise<readonly CanonicalIssue[]> {
    const words = text?.split(/\s+/) ?? [];
    const and = words.map((word) => ({
      or: [{ title: { containsIgnoreCase: word } }, { description: { containsIgnoreCase: word } }],
    }));
    const rows: IssueNode[] = [];
    let after: string | null = null;
    do {
      const { nodes, pageInfo } = await this.#page(
        { ...(and.length > 0 && { and }) },
        { first: Math.min(limit, PAGE_SIZE), after },
      );
      rows.push(...nodes.filter(isNotTrashed));
      after = cursorAfter(pageInfo, after);
    } while (after !== null && rows.length < limit);
    return this.#completeAll(rows.slice(0, limit));
  }

  /** A `todo` issue starts in the team's state for new issues, which may be its triage. */
  async create(fields: IssueFields, idempotencyKey: string): Promise<CanonicalIssue> {
    const { title, assignees, labels, status } = fields;
    const id = this.#createdId(idempotencyKey);
    const isPlaced = status !== "todo" || this.#params.statusToStateId?.todo !== undefined;
    const input = {
      id,
      teamId: this.workspace,
      ...plainInput({ ...filledPatch(fields), title }),
      ...(isPlaced && { stateId: await this.#workflow.stateFor(status) }),
      ...(assignees.length > 0 && (await this.#assigneeInput(assignees))),
      ...(labels.length > 0 && { labelIds: await labelIds(this.#requests, this.workspace, labels) }),
    };
    try {
      const { issue } = (await this.#requests.request(CREATE_ISSUE, { input }, IssueCreated)).issueCreate;
      if (issue !== null) return await this.#complete(issue);
    } catch (error) {
      if (!isFailure(error, "conflict")) throw error;
    }
    return this.get(id);
  }

  async findCreated(idempotencyKey: string): Promise<CanonicalIssue | null> {
    const id = this.#createdId(idempotencyKey);
    const found = await orNull(this.#requests.request(ISSUE, { id }, Found));
    if (found === null) return null;
    if (!this.#isInTeam(found.issue)) throw new IssueNotFoundError(this.provider, id);
    return this.#complete(found.issue);
  }

  async update(current: CanonicalIssue, patch: IssuePatch): Promise<CanonicalIssue | null> {
    const { assignees, labels } = patch;
    const input = {
      ...plainInput(patch),
      ...(assignees !== undefined && (await this.#assigneeInput(assignees))),
      ...(labels !== undefined &&
        (await labelDelta(this.#requests, this.workspace, this.#nativeOf(current), labels))),
    };
    return this.#change(current.ref.id, input);
  }

  async transition(current: CanonicalIssue, status: CanonicalStatus): Promise<CanonicalIssue | null> {
    const stateId = await this.#workflow.stateFor(status);
    try {
      return await this.#change(current.ref.id, { stateId });
    } catch (error) {
      this.#workflow.invalidate();
      throw error;
    }
  }

  /** Linear moves a duplicate to the team's duplicate state, which is canceled. */
  async link({ ref }: CanonicalIssue, link: CanonicalLink): Promise<CanonicalIssue> {
    const input = relationInput(ref.id, link);
    const { issueRelationCreate } = await this.#requests.request(CREATE_RELATION, { input }, Related);
    const { issue, relatedIssue } = issueRelationCreate.issueRelation;
    return this.#complete(issue.id === ref.id ? issue : relatedIssue);
  }

  async unlink(current: CanonicalIssue, unwanted: CanonicalLink): Promise<null> {
    const identity = linkIdentity(unwanted);
    for (const { id, link } of relationsOf(this.#nativeOf(current))) {
      if (linkIdentity(link) !== identity) continue;
      // Another client may have removed it since it was read.
      await orNull(this.#requests.request(DELETE_RELATION, { id }, v.object({ issueRelationDelete: done })));
    }
    return null;
  }

  async comments(id: string, place: JsonValue): Promise<ApiPage<CanonicalComment>> {
    const before = parsePlace(this.provider, Place, place);
    const { nodes, pageInfo } = await this.#comments(id, {
      last: PAGE_SIZE,
      ...(before !== null && { before }),
    });
    const items = oldestFirst(nodes, ({ createdAt }) => createdAt, "issue.comments.nodes").map(
      canonicalComment,
    );
    return { items, next: cursorBefore(pageInfo, before) };
  }

  async findComment(issueId: string, idempotencyKey: string): Promise<CanonicalComment | null> {
    const id = idOf(["comment", issueId], idempotencyKey);
    const { nodes } = await this.#comments(issueId, { last: 1, filter: { id: { eq: id } } });
    return nodes[0] === undefined ? null : canonicalComment(nodes[0]);
  }

  async comment(issueId: string, body: string, idempotencyKey: string): Promise<CanonicalComment> {
    const id = idOf(["comment", issueId], idempotencyKey);
    try {
      const made = await this.#requests.request(
        CREATE_COMMENT,
        { input: { id, issueId, body } },
        CommentCreated,
      );
      return canonicalComment(made.commentCreate.comment);
    } catch (error) {
      const existing = isFailure(error, "conflict") ? await this.findComment(issueId, idempotencyKey) : null;
      if (existing === null) throw error;
      return existing;
    }
  }

  /** A page of the team's issues; see {@link ISSUES}. */
  async #page(filter: object, page: object): Promise<v.InferOutput<typeof FoundPage>["issues"]> {
    const variables = {
      team: this.workspace,
      filter: { team: { id: { eq: this.workspace } }, ...filter },
      ...page,
    };
    const found = await orNull(this.#requests.request(ISSUES, variables, FoundPage));
    if (found === null || found.team.archivedAt !== null) throw this.#teamGone();
    return found.issues;
  }

  async #comments(id: string, page: object): Promise<v.InferOutput<typeof CommentedIssue>["comments"]> {
    const found = await orNull(this.#requests.request(ISSUE_COMMENTS, { id, ...page }, Commented));
    if (found === null) await this.#assertTeam();
    if (found?.issue.id !== id || !this.#isInTeam(found.issue))
      throw new IssueNotFoundError(this.provider, id);
    return found.issue.comments;
  }

  async #change(id: string, input: object): Promise<CanonicalIssue | null> {
    const { issue } = (await this.#requests.request(UPDATE_ISSUE, { id, input }, Updated)).issueUpdate;
    return issue === null ? null : this.#complete(issue);
  }

  async #assigneeInput([name]: readonly string[]): Promise<{ readonly assigneeId: string | null }> {
    return { assigneeId: name === undefined ? null : await userId(this.#requests, name) };
  }

  #createdId(idempotencyKey: string): string {
    return idOf(["issue", this.workspace], idempotencyKey);
  }

  #isInTeam({ team, trashed }: Pick<IssueNode, "team" | "trashed">): boolean {
    return team.id === this.workspace && trashed !== true;
  }

  /**
   * Without this check, losing access to a team would look like deleted issues.
   *
   * @throws ConnectorRequestError (`not_found`) when the team is not visible
   */
  async #assertTeam(): Promise<void> {
    const found = await orNull(
      this.#requests.request(TEAM, { id: this.workspace }, v.object({ team: Team })),
    );
    if (found === null || found.team.archivedAt !== null) throw this.#teamGone();
  }

  #teamGone(): ConnectorRequestError {
    return new ConnectorRequestError(
      `The Linear team ${this.workspace} does not exist, or this credential cannot see it.`,
      { provider: this.provider, failureClass: "not_found" },
    );
  }

  async #completeAll(rows: readonly IssueNode[]): Promise<readonly CanonicalIssue[]> {
    const issues: CanonicalIssue[] = [];
    for (const row of rows) issues.push(await this.#complete(row));
    return issues;
  }

  /** The whole issue; sends more requests only where the row is incomplete. */
  async #complete(row: IssueNode): Promise<CanonicalIssue> {
    const every = async <S extends v.GenericSchema>(
      first: v.InferOutput<ReturnType<typeof connection<S>>>,
      document: string,
      node: S,
    ) => ({
      nodes: await everyNode(
        first,
        async (after) =>
          (await this.#requests.request(document, { id: row.id, after }, Rest(node))).issue.page,
      ),
    });
    const native: NativeIssue = {
      ...row,
      labels: await every(row.labels, ISSUE_LABELS, NativeLabel),
      relations: await every(row.relations, ISSUE_RELATIONS, NativeRelation),
      inverseRelations: await every(row.inverseRelations, ISSUE_INVERSE_RELATIONS, NativeInverseRelation),
    };
    return canonicalIssue(native, this.#params.statusToStateId);
  }

  #nativeOf({ raw }: CanonicalIssue): NativeIssue {
    return parsePayload(this.provider, NativeIssue, raw, "raw");
  }
}

/** Linear deletes issues 30 days after they were moved to the trash. */
function isNotTrashed({ trashed }: IssueNode): boolean {
  return trashed !== true;
}
