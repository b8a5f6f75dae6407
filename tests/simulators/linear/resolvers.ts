/** What the schema's fields mean over a store: plain objects whose members are values or functions. */
import { forbidden, inputError, notFound } from "./errors.ts";
import { connectionOf, type Filter, type PageArguments, passes } from "./paging.ts";
import type { Comment, Issue, IssueInput, Label, LinearStore, Relation, State, Team, User } from "./store.ts";

type Paged = PageArguments & { readonly filter?: Filter | null };

interface UpdateInput extends IssueInput {
  readonly addedLabelIds?: readonly string[] | null;
  readonly removedLabelIds?: readonly string[] | null;
}

/** What goes wrong with writes, as long as it is set. */
interface WriteFaults {
  /** Writes are refused. */
  readOnly: boolean;
  /** Members of inputs that are taken and not applied. */
  readonly ignored: ReadonlySet<string>;
}

/** The fields of Query and Mutation. */
export function rootOf(store: LinearStore, faults: WriteFaults) {
  const write = <T extends object>(input: T): Partial<T> => {
    if (faults.readOnly) throw forbidden();
    const kept = Object.entries(input).filter(([name]) => !faults.ignored.has(name));
    const applied: Partial<T> = {};
    return Object.assign(applied, Object.fromEntries(kept));
  };
  const done = <T extends object>(more: T) => ({ success: true, lastSyncId: 1, ...more });
  const visible = [...store.issues.values()].filter(({ teamId }) => store.sees(teamId));
  const teams = store.teams.filter(({ id }) => store.sees(id));
  const states = teams.flatMap((team) => team.states);

  return {
    viewer: () => userOf(store.viewer),
    organization: () => ({ id: store.id, name: store.name, urlKey: store.urlKey }),

    issue: ({ id }: { readonly id: string }) => issueOf(store, store.issue(id)),
    issues: ({ filter, ...page }: Paged) => {
      const rows = visible.filter((issue) => passes(filterable(store, issue), filter));
      return connectionOf(rows, page, (issue) => issueOf(store, issue));
    },

    team: ({ id }: { readonly id: string }) => {
      const team = teams.find((one) => one.id === id || one.key === id);
      if (team === undefined) throw notFound("Team");
      return teamOf(store, team);
    },
    teams: ({ filter, ...page }: Paged) => {
      const rows = teams.filter(({ id, key }) => passes({ id, key }, filter));
      return connectionOf(rows, page, (team) => teamOf(store, team));
    },

    user: ({ id }: { readonly id: string }) => {
      const user = store.users.find((one) => one.id === id);
      if (user === undefined) throw notFound("User");
      return userOf(user);
    },
    users: ({ filter, includeDisabled, ...page }: Paged & { readonly includeDisabled?: boolean | null }) => {
      const rows = store.users.filter(
        ({ id, displayName, email, active }) =>
          (active || includeDisabled === true) && passes({ id, displayName, email }, filter),
      );
      return connectionOf(rows, page, userOf);
    },

    comment: ({ id }: { readonly id?: string | null }) => {
      const comment = store.comments.get(id ?? "");
      if (comment === undefined) throw notFound("Comment");
      return commentOf(store, comment);
    },
    issueLabels: (asked: Paged) =>
      labelsOf(
        store,
        store.labels.filter(({ teamId }) => teamId === null || store.sees(teamId)),
        asked,
      ),
    workflowState: ({ id }: { readonly id: string }) => {
      const state = states.find((one) => one.id === id);
      if (state === undefined) throw notFound("WorkflowState");
      return stateOf(store, state);
    },
    workflowStates: (asked: Paged) => statesOf(store, states, asked),

    issueCreate: ({
      input,
    }: {
      readonly input: IssueInput & { readonly teamId: string; readonly id?: string | null };
    }) => {
      const issue = store.addIssue(input.teamId, write(input), input.id);
      return done({ issue: issueOf(store, issue) });
    },
    issueUpdate: ({ id, input }: { readonly id: string; readonly input: UpdateInput }) => {
      const { addedLabelIds, removedLabelIds, ...rest } = write(input);
      const labelIds = [
        ...(rest.labelIds ?? store.issue(id).labelIds).filter((label) => !removedLabelIds?.includes(label)),
        ...(addedLabelIds ?? []),
      ];
      return done({ issue: issueOf(store, store.edit(id, { ...rest, labelIds })) });
    },
    issueArchive: ({ id, trash }: { readonly id: string; readonly trash?: boolean | null }) => {
      write({});
      return done({ entity: issueOf(store, trash === true ? store.trash(id) : store.archive(id)) });
    },
    issueDelete: ({
      id,
      permanentlyDelete,
    }: {
      readonly id: string;
      readonly permanentlyDelete?: boolean | null;
    }) => {
      write({});
      if (permanentlyDelete !== true) return done({ entity: issueOf(store, store.trash(id)) });
      store.purge(id);
      return done({ entity: null });
    },
    issueRelationCreate: ({
      input,
    }: {
      readonly input: Pick<Relation, "issueId" | "relatedIssueId" | "type"> & { readonly id?: string | null };
    }) => {
      write({});
      const { issueId, relatedIssueId, type, id } = input;
      const relation = store.relate(issueId, relatedIssueId, type, id);
      return done({ issueRelation: relationOf(store, relation) });
    },
    issueRelationDelete: ({ id }: { readonly id: string }) => {
      write({});
      store.unrelate(id);
      return done({ entityId: id });
    },
    commentCreate: ({
      input: { issueId, body, id },
    }: {
      readonly input: {
        readonly issueId?: string | null;
        readonly body?: string | null;
        readonly id?: string | null;
      };
    }) => {
      write({});
      if (!issueId) throw inputError("Argument Validation Error", "issueId is needed.");
      const comment = store.comment(issueId, body ?? "", { userId: store.viewer.id }, id);
      return done({ comment: commentOf(store, comment) });
    },
  };
}

function filterable(store: LinearStore, { id, teamId, title, description, updatedAt }: Issue): Filter {
  const key = store.teams.find((team) => team.id === teamId)?.key;
  return { id, title, description, updatedAt, team: { id: teamId, key } };
}

function issueOf(store: LinearStore, issue: Issue): object {
  const { id, teamId, stateId, assigneeId, parentId, trashed } = issue;
  const identifier = store.identifierOf(issue);
  const slug = issue.title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const related = (end: "issueId" | "relatedIssueId") =>
    [...store.relations.values()].filter((relation) => relation[end] === id);
  return {
    ...issue,
    identifier,
    url: `https://linear.app/${store.urlKey}/issue/${identifier}/${slug}`,
    // The flag is there for what was in the trash at least once.
    trashed: trashed ? true : null,
    team: () => teamOf(store, byId(store.teams, teamId, "Team")),
    state: () => {
      const { states } = byId(store.teams, teamId, "Team");
      return stateOf(store, byId(states, stateId, "WorkflowState"));
    },
    assignee: () => (assigneeId === null ? null : userOf(byId(store.users, assigneeId, "User"))),
    parent: () => (parentId === null ? null : issueOf(store, store.issue(parentId))),
    labels: (asked: Paged) =>
      labelsOf(
        store,
        store.labels.filter((label) => issue.labelIds.includes(label.id)),
        asked,
      ),
    relations: (page: PageArguments) =>
      connectionOf(related("issueId"), page, (relation) => relationOf(store, relation)),
    inverseRelations: (page: PageArguments) =>
      connectionOf(related("relatedIssueId"), page, (relation) => relationOf(store, relation)),
    comments: ({ filter, ...page }: Paged) => {
      const rows = [...store.comments.values()].filter(
        (comment) => comment.issueId === id && passes({ id: comment.id }, filter),
      );
      return connectionOf(rows, page, (comment) => commentOf(store, comment));
    },
  };
}

function teamOf(store: LinearStore, team: Team): object {
  const { states, defaultStateId, visibility, ...rest } = team;
  return {
    ...rest,
    private: visibility !== "public",
    defaultIssueState: () => {
      const state = states.find(({ id }) => id === defaultStateId);
      return state === undefined ? null : stateOf(store, state);
    },
    labels: (asked: Paged) => labelsOf(store, store.labelsOf(team.id), asked),
    states: (asked: Paged) => statesOf(store, states, asked),
  };
}

function statesOf(store: LinearStore, states: readonly State[], { filter, ...page }: Paged): object {
  const rows = states.filter(({ id, name, type, teamId }) =>
    passes({ id, name, type, team: { id: teamId } }, filter),
  );
  return connectionOf(rows, page, (state) => stateOf(store, state));
}

function stateOf(store: LinearStore, state: State): object {
  return { ...state, team: () => teamOf(store, byId(store.teams, state.teamId, "Team")) };
}

function labelsOf(store: LinearStore, labels: readonly Label[], { filter, ...page }: Paged): object {
  const rows = labels.filter(({ id, name, teamId }) =>
    passes({ id, name, team: teamId === null ? null : { id: teamId } }, filter),
  );
  return connectionOf(rows, page, (label) => labelOf(store, label));
}

function labelOf(store: LinearStore, label: Label): object {
  const { teamId, parentId } = label;
  return {
    ...label,
    createdAt: "2026-01-01T00:00:00.000Z",
    team: () => (teamId === null ? null : teamOf(store, byId(store.teams, teamId, "Team"))),
    parent: () => (parentId === null ? null : labelOf(store, byId(store.labels, parentId, "IssueLabel"))),
  };
}

function userOf(user: User): object {
  return { ...user, name: user.displayName };
}

function relationOf(store: LinearStore, relation: Relation): object {
  return {
    ...relation,
    issue: () => issueOf(store, store.issue(relation.issueId)),
    relatedIssue: () => issueOf(store, store.issue(relation.relatedIssueId)),
  };
}

function commentOf(store: LinearStore, { author, ...comment }: Comment): object {
  return {
    ...comment,
    issue: () => issueOf(store, store.issue(comment.issueId)),
    user: "userId" in author ? userOf(byId(store.users, author.userId, "User")) : null,
    externalUser: null,
    botActor: "bot" in author ? { id: null, type: "integration", name: author.bot } : null,
  };
}

function byId<T extends { readonly id: string }>(entities: readonly T[], id: string, name: string): T {
  const entity = entities.find((one) => one.id === id);
  if (entity === undefined) throw notFound(name);
  return entity;
}
