/** The tracker SDK's public surface, exported from the package as `tracker/sdk`. */
export type { Fetch } from "../shared/network.ts";
export type { HostedProvider } from "../shared/providers.ts";
export type { Capabilities, CapabilityFlag } from "./capabilities.ts";
export type {
  ChangeOptions,
  CreateOptions,
  IssueQuery,
  IssueSearch,
  ReadOptions,
  TrackerConnector,
  UpdateOptions,
  WriteOptions,
} from "./connector.ts";
export { openTransport, ProviderCredential } from "./connectors/credentials.ts";
export {
  createDiscoverySource,
  createHostedConnector,
  type DiscoveryRequest,
  type HostedConnectorRequest,
} from "./connectors/hosted.ts";
export {
  BeadsParams,
  connectorParamsToHostedParams,
  FpParams,
  GitHubParams,
  GitLabParams,
  type HostedParams,
  isHostedProvider,
  JiraParams,
  LinearParams,
  type LocalConnectorName,
  type LocalParams,
  type LocalParamsInput,
  MemoryParams,
} from "./connectors/params.ts";
export {
  DiscoveredResource,
  DiscoveredWorkspace,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "./discovery.ts";
export { type Merge, type MergeInput, mergeIssue, type RemoteSide } from "./engine/merge.ts";
export { ConflictStrategy, FieldOwner, OwnershipMode, OwnershipPolicy, ownerOf } from "./engine/policy.ts";
export {
  collect,
  type Decision,
  type PullOptions,
  type PushOptions,
  type RunOptions,
  SyncEngine,
  type SyncEngineOptions,
  type SyncEvent,
  type SyncOptions,
  type SyncResult,
} from "./engine.ts";
export {
  CapabilityNotSupportedError,
  ConnectorConfigError,
  ConnectorRequestError,
  DiscoveryContractError,
  type FailureClass,
  type FailureFacts,
  IssueNotFoundError,
  IssuePayloadContractError,
  ScopeViolationError,
  SyncConflictError,
  TrackerSdkError,
} from "./errors.ts";
export { type DirectOptions, DirectTransport } from "./http/direct.ts";
export { type NangoConnectionContext, type NangoOptions, NangoTransport } from "./http/nango.ts";
export {
  type RequestBody,
  TextAnswer,
  type Transport,
  TransportError,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from "./http/transport.ts";
export {
  DECISIONS_FIELD,
  DecisionReference,
  MISSION_FIELD,
  type MissionSeed,
  MissionUpdate,
  missionComment,
  missionSeedFromIssue,
  type PublishedMission,
  publishMissionUpdate,
} from "./mission.ts";
export {
  CanonicalComment,
  CanonicalIssue,
  CanonicalIssueType,
  CanonicalLink,
  CanonicalStatus,
  CORE_FIELDS,
  type CoreField,
  ExternalRef,
  Instant,
  IssueFields,
  IssuePatch,
  identityOf,
  JsonValue,
  LinkType,
  type Page,
  Priority,
  TrackerEvent,
} from "./model.ts";
export {
  CONNECTORS,
  createLocalConnector,
  type HostedEntry,
  type HostedModule,
  type LocalEntry,
} from "./registry.ts";
export { MemoryIssueStore } from "./stores/memory.ts";
export { StoreError } from "./stores/serial.ts";
export { openSqliteStore } from "./stores/sqlite.ts";
export type {
  Base,
  ConflictRecord,
  CreateIntent,
  DirtyField,
  IssueRecord,
  IssueStore,
  StoreTransaction,
  SyncCheckpoint,
} from "./stores/store.ts";
