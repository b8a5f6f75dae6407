/**
 * The GraphQL documents: https://linear.app/developers/graphql and the published schema.
 *
 * A query may cost 10,000 points: an object 1, a property 0.1, a connection its page size times its nodes
 * (https://linear.app/developers/rate-limiting). Connections within issues are therefore short; documents of
 * their own, which name the connection `page`, read the rest.
 */

const PAGE_INFO = `
fragment Forward on PageInfo { hasNextPage endCursor }
`;

const LINK_END = `
fragment LinkEnd on Issue { id identifier url team { id } }
`;

const ISSUE_FRAGMENT = `
fragment Whole on Issue {
  id identifier url title description priority createdAt updatedAt archivedAt trashed
  team { id }
  state { id name type }
  assignee { id displayName }
  parent { ...LinkEnd }
  labels(first: 10) { nodes { id name } pageInfo { ...Forward } }
  relations(first: 5) { nodes { id type relatedIssue { ...LinkEnd } } pageInfo { ...Forward } }
  inverseRelations(first: 5) { nodes { id type issue { ...LinkEnd } } pageInfo { ...Forward } }
}
${LINK_END}${PAGE_INFO}`;

const COMMENT_FRAGMENT = `
fragment CommentFields on Comment {
  id body createdAt
  user { displayName }
  externalUser { displayName }
  botActor { name }
}
`;

/** `id` is a UUID or an identifier, also one from before the issue was moved. */
export const ISSUE = `
query Issue($id: String!) { issue(id: $id) { ...Whole } }
${ISSUE_FRAGMENT}`;

/** Latest change first. The team is requested too, because a filter by an invisible team finds nothing. */
export const ISSUES = `
query Issues($team: String!, $filter: IssueFilter!, $first: Int, $after: String, $last: Int, $before: String) {
  team(id: $team) { id archivedAt }
  issues(
    filter: $filter, first: $first, after: $after, last: $last, before: $before,
    orderBy: updatedAt, includeArchived: true
  ) {
    nodes { ...Whole }
    pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
  }
}
${ISSUE_FRAGMENT}`;

export const ISSUE_LABELS = `
query IssueLabels($id: String!, $after: String) {
  issue(id: $id) { page: labels(first: 50, after: $after) { nodes { id name } pageInfo { ...Forward } } }
}
${PAGE_INFO}`;

export const ISSUE_RELATIONS = `
query IssueRelations($id: String!, $after: String) {
  issue(id: $id) {
    page: relations(first: 50, after: $after) {
      nodes { id type relatedIssue { ...LinkEnd } }
      pageInfo { ...Forward }
    }
  }
}
${LINK_END}${PAGE_INFO}`;

export const ISSUE_INVERSE_RELATIONS = `
query IssueInverseRelations($id: String!, $after: String) {
  issue(id: $id) {
    page: inverseRelations(first: 50, after: $after) {
      nodes { id type issue { ...LinkEnd } }
      pageInfo { ...Forward }
    }
  }
}
${LINK_END}${PAGE_INFO}`;

export const ISSUE_COMMENTS = `
query IssueComments($id: String!, $filter: CommentFilter, $last: Int!, $before: String) {
  issue(id: $id) {
    id trashed
    team { id }
    comments(filter: $filter, last: $last, before: $before, orderBy: createdAt) {
      nodes { ...CommentFields }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}
${COMMENT_FRAGMENT}`;

export const TEAM = `
query Team($id: String!) { team(id: $id) { id archivedAt } }
`;

export const TEAM_STATES = `
query TeamStates($id: String!, $after: String) {
  team(id: $id) {
    defaultIssueState { id }
    states(first: 100, after: $after) { nodes { id name type position } pageInfo { ...Forward } }
  }
}
${PAGE_INFO}`;

export const LABELS = `
query Labels($filter: IssueLabelFilter!, $after: String) {
  issueLabels(filter: $filter, first: 100, after: $after) {
    nodes { id name isGroup team { id } }
    pageInfo { ...Forward }
  }
}
${PAGE_INFO}`;

export const USERS = `
query Users($filter: UserFilter!) {
  users(filter: $filter, first: 50) { nodes { id displayName email } }
}
`;

export const CREATE_ISSUE = `
mutation CreateIssue($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { ...Whole } } }
${ISSUE_FRAGMENT}`;

export const UPDATE_ISSUE = `
mutation UpdateIssue($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success issue { ...Whole } }
}
${ISSUE_FRAGMENT}`;

export const CREATE_RELATION = `
mutation CreateRelation($input: IssueRelationCreateInput!) {
  issueRelationCreate(input: $input) {
    success
    issueRelation { issue { ...Whole } relatedIssue { ...Whole } }
  }
}
${ISSUE_FRAGMENT}`;

export const DELETE_RELATION = `
mutation DeleteRelation($id: String!) { issueRelationDelete(id: $id) { success } }
`;

export const CREATE_COMMENT = `
mutation CreateComment($input: CommentCreateInput!) {
  commentCreate(input: $input) { success comment { ...CommentFields } }
}
${COMMENT_FRAGMENT}`;

export const ACCOUNT = `
query Account { viewer { id } organization { id name urlKey } }
`;

export const TEAMS = `
query Teams($after: String) {
  organization { id }
  teams(first: 50, after: $after) {
    nodes { id key name archivedAt retiredAt }
    pageInfo { ...Forward }
  }
}
${PAGE_INFO}`;

export const TEAM_BY_KEY = `
query TeamByKey($key: String!) {
  organization { id name urlKey }
  teams(first: 1, filter: { key: { eqIgnoreCase: $key } }) {
    nodes { id key name archivedAt retiredAt }
  }
}
`;
