/** The tracker SDK's public surface, exported from the package as `tracker/sdk`. */
export type { Capabilities } from "./capabilities.ts";
export type { IssueQuery, TrackerConnector, UpdateOptions, WriteOptions } from "./connector.ts";
export { demoConnector } from "./connectors/memory/demo.ts";
export type { FaultTiming, MemoryFault, MemoryMethod } from "./connectors/memory/faults.ts";
export {
  DiscoveredResource,
  DiscoveredWorkspace,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "./discovery.ts";
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
export { createHostedConnector, type HostedConnectorRequest } from "./hosted.ts";
export {
  type CanonicalComment,
  type CanonicalIssue,
  CanonicalIssueType,
  type CanonicalLink,
  CanonicalStatus,
  CORE_FIELDS,
  type CoreField,
  type ExternalRef,
  type IssueFields,
  type IssuePatch,
  identityOf,
  type JsonValue,
  LinkType,
  type Page,
  type TrackerEvent,
} from "./model.ts";
export {
  connectorParamsToHostedParams,
  GitHubParams,
  GitLabParams,
  type HostedParams,
  type HostedProvider,
  isHostedProvider,
  JiraParams,
  LinearParams,
  type LocalParams,
  type LocalTracker,
  MemoryParams,
} from "./params.ts";
export { ConflictStrategy, FieldOwner, OwnershipMode, OwnershipPolicy, ownerOf } from "./policy.ts";
export { CONNECTORS, createLocalConnector, type HostedEntry, type LocalEntry } from "./registry.ts";
export type {
  Base,
  ConflictRecord,
  CreateIntent,
  DirtyField,
  IssueRecord,
  IssueStore,
  StoreTransaction,
  SyncCheckpoint,
} from "./store.ts";
export {
  type Fetch,
  type RequestBody,
  type Transport,
  TransportError,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from "./transport.ts";
export { type DirectOptions, DirectTransport } from "./transports/direct.ts";
export { type NangoConnectionContext, type NangoOptions, NangoTransport } from "./transports/nango.ts";
