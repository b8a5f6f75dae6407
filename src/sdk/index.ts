/** The tracker SDK's public surface, exported from the package as `tracker/sdk`. */
export {
  DiscoveredResource,
  DiscoveredWorkspace,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
} from "./discovery.ts";
export {
  ConnectorConfigError,
  ConnectorRequestError,
  DiscoveryContractError,
  type FailureClass,
  type FailureFacts,
  TrackerSdkError,
} from "./errors.ts";
export { CanonicalIssueType, CanonicalStatus, type Page } from "./model.ts";
