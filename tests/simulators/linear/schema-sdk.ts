/**
 * What the documents of Linear's official SDK select and the simulator knows
 * nothing of. It is answered with a neutral value of its type.
 */
export const SDK_SCHEMA = `
union ExternalEntityInfoMetadata =
  ExternalEntityInfoGithubMetadata | ExternalEntityInfoJiraMetadata | ExternalEntitySlackMetadata
enum Day { Sunday Monday Tuesday Wednesday Thursday Friday Saturday }
enum ExternalSyncService { github jira slack }
enum FeedSummarySchedule { daily weekly never }
enum IntegrationService { github gitlab slack }
enum IssueSharedAccessDisallowedField { cycleId projectId projectMilestoneId teamId }
enum ProjectStatusType { backlog planned started paused completed canceled }
enum ProjectUpdateReminderFrequency { week twoWeeks month never }
enum ReleaseChannel { public preRelease beta privateBeta internal development }
enum SLADayCountType { all onlyBusinessDays }
enum TeamVisibility { public private restricted }

extend type ActorBot { avatarUrl: String subType: String userDisplayName: String }
type AgentSession { id: ID! }
type AiPromptRules {
  updatedAt: DateTime! archivedAt: DateTime createdAt: DateTime! id: ID! updatedBy: User
}
extend type Comment {
  agentSession: AgentSession url: String! reactionData: JSONObject! reactions: [Reaction!]!
  resolvingCommentId: String documentContentId: String initiativeId: String initiativeUpdateId: String
  parentId: String projectId: String projectUpdateId: String resolvingComment: Comment
  documentContent: DocumentContent syncedWith: [ExternalEntityInfo!] externalThread: SyncedExternalThread
  initiative: Initiative initiativeUpdate: InitiativeUpdate updatedAt: DateTime! parent: Comment
  project: Project projectUpdate: ProjectUpdate quotedText: String archivedAt: DateTime editedAt: DateTime
  resolvedAt: DateTime resolvingUser: User
}
type Cycle { id: ID! }
type Document { id: ID! }
type DocumentContent {
  aiPromptRules: AiPromptRules content: String contentState: String document: Document
  initiative: Initiative issue: Issue updatedAt: DateTime! projectMilestone: ProjectMilestone
  project: Project restoredAt: DateTime archivedAt: DateTime createdAt: DateTime! id: ID!
  welcomeMessage: WelcomeMessage
}
type ExternalEntityInfo { metadata: ExternalEntityInfoMetadata service: ExternalSyncService! id: String! }
type ExternalEntityInfoGithubMetadata { number: Float owner: String repo: String }
type ExternalEntityInfoJiraMetadata { issueTypeId: String projectId: String issueKey: String }
type ExternalEntitySlackMetadata {
  messageUrl: String channelId: String channelName: String isFromSlack: Boolean!
}
type Favorite { id: ID! }
type Initiative { id: ID! }
type InitiativeUpdate { id: ID! }
type Integration { id: ID! }
type IntegrationsSettings { id: ID! }
extend type Issue {
  reactionData: JSONObject! integrationSourceType: IntegrationService priorityLabel: String!
  reactions: [Reaction!]! customerTicketCount: Int! sharedAccess: IssueSharedAccess! branchName: String!
  delegate: User botActor: ActorBot sourceComment: Comment cycle: Cycle dueDate: TimelessDate
  estimate: Float syncedWith: [ExternalEntityInfo!] externalUserCreator: ExternalUser
  asksExternalUserRequester: ExternalUser asksRequester: User lastAppliedTemplate: Template
  boardOrder: Float! sortOrder: Float! prioritySortOrder: Float! subIssueSortOrder: Float
  projectMilestone: ProjectMilestone project: Project recurringIssueTemplate: Template
  startedTriageAt: DateTime triagedAt: DateTime addedToCycleAt: DateTime addedToProjectAt: DateTime
  addedToTeamAt: DateTime autoArchivedAt: DateTime autoClosedAt: DateTime canceledAt: DateTime
  completedAt: DateTime startedAt: DateTime slaStartedAt: DateTime slaBreachesAt: DateTime
  slaHighRiskAt: DateTime slaMediumRiskAt: DateTime snoozedUntilAt: DateTime slaType: String creator: User
  snoozedBy: User favorite: Favorite inheritsSharedAccess: Boolean!
}
extend type IssueLabel {
  lastAppliedAt: DateTime color: String! description: String updatedAt: DateTime! inheritedFrom: IssueLabel
  archivedAt: DateTime creator: User retiredBy: User
}
extend type IssueRelation { updatedAt: DateTime! archivedAt: DateTime }
type IssueSharedAccess {
  disallowedIssueFields: [IssueSharedAccessDisallowedField!]! sharedWithCount: Int!
  sharedWithUsers: [User!]! viewerHasOnlySharedAccess: Boolean! isShared: Boolean!
}
extend type Organization {
  allowedAuthServices: [String!]! allowedFileUploadContentTypes: [String!] createdIssueCount: Int!
  authSettings: JSONObject! customersConfiguration: JSONObject!
  defaultFeedSummarySchedule: FeedSummarySchedule pullRequestIssueMode: String! previousUrlKeys: [String!]!
  periodUploadVolume: Float! securitySettings: JSONObject! slackProjectChannelIntegration: Integration
  logoUrl: String initiativeUpdateRemindersDay: Day! projectUpdateRemindersDay: Day! defaultHomeView: String
  releaseChannel: ReleaseChannel! initiativeUpdateReminderFrequencyInWeeks: Float
  projectUpdateReminderFrequencyInWeeks: Float initiativeUpdateRemindersHour: Float!
  projectUpdateRemindersHour: Float! updatedAt: DateTime! customerCount: Int! userCount: Int!
  slackProjectChannelPrefix: String! gitBranchFormat: String deletionRequestedAt: DateTime
  trialStartsAt: DateTime trialEndsAt: DateTime archivedAt: DateTime createdAt: DateTime!
  projectStatuses: [ProjectStatus!]! subscription: PaidSubscription fiscalYearStartMonth: Float!
  hipaaComplianceEnabled: Boolean! samlEnabled: Boolean! scimEnabled: Boolean!
  gitLinkbackDescriptionsEnabled: Boolean! releasesEnabled: Boolean! customersEnabled: Boolean!
  gitLinkbackMessagesEnabled: Boolean! gitPublicLinkbackMessagesEnabled: Boolean! feedEnabled: Boolean!
  roadmapEnabled: Boolean! pullRequestTourEnabled: Boolean! aiDiscussionSummariesEnabled: Boolean!
  aiThreadSummariesEnabled: Boolean! hideNonPrimaryOrganizations: Boolean!
  projectUpdatesReminderFrequency: ProjectUpdateReminderFrequency! allowMembersToInvite: Boolean
  restrictTeamCreationToAdmins: Boolean restrictLabelManagementToAdmins: Boolean
  slaDayCount: SLADayCountType!
}
type PaidSubscription {
  collectionMethod: String! cancelAt: DateTime canceledAt: DateTime nextBillingAt: DateTime
  updatedAt: DateTime! seatsMaximum: Float seatsMinimum: Float seats: Float! type: String!
  pendingChangeType: String archivedAt: DateTime createdAt: DateTime! id: ID! creator: User
}
type Project { id: ID! }
type ProjectMilestone { id: ID! }
type ProjectStatus {
  description: String type: ProjectStatusType! color: String! updatedAt: DateTime! name: String!
  position: Float! archivedAt: DateTime createdAt: DateTime! id: ID! indefinite: Boolean!
}
type ProjectUpdate { id: ID! }
type Reaction {
  comment: Comment externalUser: ExternalUser initiativeUpdate: InitiativeUpdate issue: Issue
  updatedAt: DateTime! emoji: String! projectUpdate: ProjectUpdate archivedAt: DateTime createdAt: DateTime!
  id: ID! user: User
}
type SyncedExternalThread {
  url: String name: String displayName: String type: String! subType: String id: ID
  isPersonalIntegrationRequired: Boolean! isPersonalIntegrationConnected: Boolean! isConnected: Boolean!
}
extend type Team {
  cycleIssueAutoAssignCompleted: Boolean! cycleLockToActive: Boolean! cycleIssueAutoAssignStarted: Boolean!
  cycleCalenderUrl: String! upcomingCycleCount: Float! autoArchivePeriod: Float! autoClosePeriod: Float
  securitySettings: JSONObject! integrationsSettings: IntegrationsSettings activeCycle: Cycle
  triageResponsibility: TriageResponsibility scimGroupName: String autoCloseStateId: String
  cycleCooldownTime: Float! cycleStartDay: Float! defaultTemplateForMembers: Template
  defaultTemplateForNonMembers: Template defaultProjectTemplate: Template cycleDuration: Float! icon: String
  defaultTemplateForMembersId: String defaultTemplateForNonMembersId: String issueEstimationType: String!
  updatedAt: DateTime! displayName: String! ledInitiativeCount: Int! color: String description: String
  parent: Team createdAt: DateTime! timezone: String! issueCount(includeArchived: Boolean): Int!
  visibility: TeamVisibility! mergeWorkflowState: WorkflowState draftWorkflowState: WorkflowState
  startWorkflowState: WorkflowState mergeableWorkflowState: WorkflowState reviewWorkflowState: WorkflowState
  triageIssueState: WorkflowState defaultIssueEstimate: Float! setIssueSortOrderOnStateChange: String!
  allMembersCanJoin: Boolean requirePriorityToLeaveTriage: Boolean! autoCloseChildIssues: Boolean
  autoCloseParentIssues: Boolean initiativesEnabled: Boolean! scimManaged: Boolean!
  inheritIssueEstimation: Boolean! inheritWorkflowStatuses: Boolean! cyclesEnabled: Boolean!
  issueEstimationExtended: Boolean! issueEstimationAllowZero: Boolean!
  aiDiscussionSummariesEnabled: Boolean! aiThreadSummariesEnabled: Boolean! groupIssueHistory: Boolean!
  slackIssueComments: Boolean! slackNewIssue: Boolean! slackIssueStatuses: Boolean! triageEnabled: Boolean!
  markedAsDuplicateWorkflowState: WorkflowState inviteHash: String! issueOrderingNoPriorityFirst: Boolean!
  issueSortOrderDefaultToBottom: Boolean!
}
type Template { id: ID! }
type TriageResponsibility { id: ID! }
extend type User {
  description: String avatarUrl: String createdIssueCount: Int! avatarBackgroundColor: String!
  statusUntilAt: DateTime statusEmoji: String initials: String! updatedAt: DateTime! lastSeen: DateTime
  timezone: String disableReason: String statusLabel: String archivedAt: DateTime createdAt: DateTime!
  gitHubUserId: String title: String url: String! isAssignable: Boolean! isMentionable: Boolean!
  guest: Boolean! admin: Boolean! owner: Boolean! app: Boolean! isMe: Boolean!
  supportsAgentSessions: Boolean! canAccessAnyPublicTeam: Boolean! calendarHash: String inviteHash: String!
}
type WelcomeMessage {
  updatedAt: DateTime! archivedAt: DateTime createdAt: DateTime! title: String id: ID! updatedBy: User
  enabled: Boolean!
}
extend type WorkflowState {
  description: String updatedAt: DateTime! inheritedFrom: WorkflowState color: String! archivedAt: DateTime
  createdAt: DateTime!
}
`;

/** The same, of what came to Linear's schema with the SDK's latest releases. */
export const LATEST_SCHEMA = `
type TeamMembership { id: ID! }
enum LabelGroupType { singleSelect multiSelect }
extend type Team { viewerMembership: TeamMembership viewerCanJoin: Boolean! viewerCanLeave: Boolean! }
extend type Organization { defaultHomeViewTargetId: String suggestedBranchNameEnabled: Boolean! }
extend type IssueLabel { groupType: LabelGroupType }
`;
