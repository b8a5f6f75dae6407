/** The tracker SDK's public surface, exported from the package as `tracker/sdk`. */
export {
  DiscoveredResource,
  DiscoveredWorkspace,
  type DiscoverySource,
  discoverResources,
  discoverWorkspaces,
  type Page,
} from "./discovery.ts";
export {
  ConnectorConfigError,
  ConnectorRequestError,
  DiscoveryContractError,
  type FailureClass,
  type FailureFacts,
  TrackerSdkError,
} from "./errors.ts";
export { CanonicalIssueType, CanonicalStatus } from "./model.ts";
