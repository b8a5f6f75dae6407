/**
 * The part of Linear's GraphQL schema that the simulator has a meaning for.
 * What the official SDK selects besides is in `schema-sdk.ts`.
 */

const PAGED =
  "after: String, before: String, first: Int, includeArchived: Boolean, last: Int, orderBy: PaginationOrderBy";

export const SCHEMA = `
scalar DateTime
scalar DateTimeOrDuration
scalar JSONObject
scalar TimelessDate

enum PaginationOrderBy { createdAt updatedAt }
enum PaginationSortOrder { Ascending Descending }
enum IssueRelationType { blocks duplicate related similar }

type Query {
  viewer: User!
  organization: Organization!
  issue(id: String!): Issue!
  issues(filter: IssueFilter, sort: [IssueSortInput!], ${PAGED}): IssueConnection!
  team(id: String!): Team!
  teams(filter: TeamFilter, ${PAGED}): TeamConnection!
  user(id: String!): User!
  users(
    filter: UserFilter, includeDisabled: Boolean, sort: [UserSortInput!], ${PAGED}
  ): UserConnection!
  comment(hash: String, id: String): Comment!
  issueLabels(filter: IssueLabelFilter, ${PAGED}): IssueLabelConnection!
  workflowState(id: String!): WorkflowState!
  workflowStates(filter: WorkflowStateFilter, ${PAGED}): WorkflowStateConnection!
}

type Mutation {
  issueCreate(input: IssueCreateInput!): IssuePayload!
  issueUpdate(id: String!, input: IssueUpdateInput!): IssuePayload!
  issueArchive(id: String!, trash: Boolean): IssueArchivePayload!
  issueDelete(id: String!, permanentlyDelete: Boolean): IssueArchivePayload!
  issueRelationCreate(input: IssueRelationCreateInput!, overrideCreatedAt: DateTime): IssueRelationPayload!
  issueRelationDelete(id: String!): DeletePayload!
  commentCreate(input: CommentCreateInput!): CommentPayload!
}

type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }

type Organization { id: ID! name: String! urlKey: String! }

type User { id: ID! name: String! displayName: String! email: String! active: Boolean! }
type UserConnection { nodes: [User!]! pageInfo: PageInfo! }

type Team {
  id: ID! key: String! name: String! private: Boolean! archivedAt: DateTime retiredAt: DateTime
  defaultIssueState: WorkflowState
  labels(filter: IssueLabelFilter, ${PAGED}): IssueLabelConnection!
  states(filter: WorkflowStateFilter, ${PAGED}): WorkflowStateConnection!
}
type TeamConnection { nodes: [Team!]! pageInfo: PageInfo! }

type WorkflowState { id: ID! name: String! type: String! position: Float! team: Team! }
type WorkflowStateConnection { nodes: [WorkflowState!]! pageInfo: PageInfo! }

type IssueLabel { id: ID! name: String! isGroup: Boolean! createdAt: DateTime! parent: IssueLabel team: Team }
type IssueLabelConnection { nodes: [IssueLabel!]! pageInfo: PageInfo! }

type Issue {
  id: ID! identifier: String! number: Float! url: String! title: String! description: String priority: Float!
  createdAt: DateTime! updatedAt: DateTime! archivedAt: DateTime trashed: Boolean
  previousIdentifiers: [String!]! labelIds: [String!]!
  team: Team! state: WorkflowState! assignee: User parent: Issue
  labels(filter: IssueLabelFilter, ${PAGED}): IssueLabelConnection!
  relations(${PAGED}): IssueRelationConnection!
  inverseRelations(${PAGED}): IssueRelationConnection!
  comments(filter: CommentFilter, ${PAGED}): CommentConnection!
}
type IssueConnection { nodes: [Issue!]! pageInfo: PageInfo! }

type IssueRelation { id: ID! type: String! createdAt: DateTime! issue: Issue! relatedIssue: Issue! }
type IssueRelationConnection { nodes: [IssueRelation!]! pageInfo: PageInfo! }

type Comment {
  id: ID! body: String! createdAt: DateTime! issue: Issue issueId: String
  user: User externalUser: ExternalUser botActor: ActorBot
}
type CommentConnection { nodes: [Comment!]! pageInfo: PageInfo! }
type ExternalUser { id: ID! displayName: String! }
type ActorBot { id: ID type: String! name: String }

type IssuePayload { success: Boolean! lastSyncId: Float! issue: Issue }
type IssueArchivePayload { success: Boolean! lastSyncId: Float! entity: Issue }
type IssueRelationPayload { success: Boolean! lastSyncId: Float! issueRelation: IssueRelation! }
type CommentPayload { success: Boolean! lastSyncId: Float! comment: Comment! }
type DeletePayload { success: Boolean! lastSyncId: Float! entityId: String! }

input IssueCreateInput {
  id: String teamId: String! title: String description: String priority: Int stateId: String
  assigneeId: String parentId: String labelIds: [String!]
}
input IssueUpdateInput {
  title: String description: String priority: Int stateId: String assigneeId: String parentId: String
  labelIds: [String!] addedLabelIds: [String!] removedLabelIds: [String!]
}
input IssueRelationCreateInput { id: String issueId: String! relatedIssueId: String! type: IssueRelationType! }
input CommentCreateInput { id: String issueId: String body: String }

input IDComparator { eq: ID in: [ID!] }
input IssueIDComparator { eq: ID in: [ID!] }
input DateComparator {
  eq: DateTimeOrDuration gt: DateTimeOrDuration gte: DateTimeOrDuration
  lt: DateTimeOrDuration lte: DateTimeOrDuration
}
input StringComparator { eq: String in: [String!] eqIgnoreCase: String containsIgnoreCase: String }
input NullableStringComparator { eq: String in: [String!] eqIgnoreCase: String containsIgnoreCase: String null: Boolean }
input TeamFilter { id: IDComparator key: StringComparator and: [TeamFilter!] or: [TeamFilter!] }
input NullableTeamFilter { id: IDComparator key: StringComparator null: Boolean }
input IssueFilter {
  id: IssueIDComparator team: TeamFilter updatedAt: DateComparator
  title: StringComparator description: NullableStringComparator
  and: [IssueFilter!] or: [IssueFilter!]
}
input IssueLabelFilter {
  id: IDComparator name: StringComparator team: NullableTeamFilter
  and: [IssueLabelFilter!] or: [IssueLabelFilter!]
}
input WorkflowStateFilter { id: IDComparator name: StringComparator type: StringComparator team: TeamFilter }
input UserFilter {
  id: IDComparator displayName: StringComparator email: StringComparator
  and: [UserFilter!] or: [UserFilter!]
}
input CommentFilter { id: IDComparator }
input IssueSortInput { updatedAt: UpdatedAtSort }
input UpdatedAtSort { order: PaginationSortOrder }
input UserSortInput { displayName: UserDisplayNameSort }
input UserDisplayNameSort { order: PaginationSortOrder }
`;
