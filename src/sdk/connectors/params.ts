/** The parameters of each connector, and their derivation from a discovered resource. */

import * as v from "valibot";
import type { HostedProvider } from "../../shared/providers.ts";
import { providerName } from "../../shared/providers.ts";
import { ConnectorConfigError } from "../errors.ts";
import { baseUrlProblem } from "../http/transport.ts";
import { CanonicalStatus, NonEmpty, problemOf } from "../model.ts";

const url = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? baseUrlProblem(dataset.value) : null;
    if (problem !== null) addIssue({ message: problem });
  }),
);
const customField = v.pipe(
  v.string(),
  v.regex(/^customfield_\d+$/, "must be the id of a custom field, such as customfield_10042"),
);
/** Ids are text, also where a provider writes numbers. */
const id = v.pipe(
  v.union([NonEmpty, v.pipe(v.number(), v.safeInteger("must be an id"))], "must be an id"),
  v.transform(String),
);

const linearSettings = {
  /** Workflow states for statuses, where the team's defaults are not wanted. */
  statusToStateId: v.optional(v.record(CanonicalStatus, NonEmpty)),
};

export const LinearParams = v.strictObject({
  teamId: NonEmpty,
  /** The organization's URL key. */
  workspace: v.optional(NonEmpty),
  /** Default: Linear's own. */
  graphqlUrl: v.optional(url),
  ...linearSettings,
});
export type LinearParams = v.InferOutput<typeof LinearParams>;

const jiraSettings = {
  defaultIssueType: v.optional(NonEmpty),
  /** The project's status names, where the defaults are not wanted. */
  statusNameMap: v.optional(v.record(CanonicalStatus, NonEmpty)),
  /** Such as `customfield_10042`. */
  missionFieldId: v.optional(customField),
  /** A custom field of several lines. */
  decisionsFieldId: v.optional(customField),
};

/** The project is named by its id, or by its key where only that is known, because keys change. */
export const JiraParams = v.pipe(
  v.strictObject({
    baseUrl: url,
    /** The site's cloud id, for a transport to Atlassian's API gateway. */
    cloudId: v.optional(NonEmpty),
    projectKey: v.optional(NonEmpty),
    projectId: v.optional(id),
    ...jiraSettings,
  }),
  v.forward(
    v.partialCheck(
      [["projectKey"], ["projectId"]],
      ({ projectKey, projectId }) => projectKey !== undefined || projectId !== undefined,
      "is required unless projectKey is set",
    ),
    ["projectId"],
  ),
);
export type JiraParams = v.InferOutput<typeof JiraParams>;

export const GitHubParams = v.strictObject({
  /** Login of the user or organization. */
  owner: NonEmpty,
  repo: NonEmpty,
  /** Root of the API of a GitHub Enterprise server. Default: that of github.com. */
  baseUrl: v.optional(url),
});
export type GitHubParams = v.InferOutput<typeof GitHubParams>;

export const GitLabParams = v.strictObject({
  projectId: id,
  /** Address of a self-managed GitLab. Default: gitlab.com. */
  baseUrl: v.optional(url),
});
export type GitLabParams = v.InferOutput<typeof GitLabParams>;

export const HOSTED_PARAMS = {
  github: GitHubParams,
  gitlab: GitLabParams,
  jira: JiraParams,
  linear: LinearParams,
} as const;

/** The parameters that discovery does not find: people set them. */
export const HOSTED_SETTINGS = {
  github: v.strictObject({}, "is not a setting: GitHub has none"),
  gitlab: v.strictObject({}, "is not a setting: GitLab has none"),
  jira: v.strictObject(jiraSettings, unknownAmong(jiraSettings)),
  linear: v.strictObject(linearSettings, unknownAmong(linearSettings)),
} as const;

function unknownAmong(settings: object): string {
  return `is not a setting, only ${Object.keys(settings).join(", ")}`;
}

export type HostedParams<P extends HostedProvider> = v.InferOutput<(typeof HOSTED_PARAMS)[P]>;

export function isHostedProvider(name: string): name is HostedProvider {
  return Object.hasOwn(HOSTED_PARAMS, name);
}

/**
 * For callers whose provider is data, where types do not help.
 *
 * @throws ConnectorConfigError when it is not a hosted provider
 */
export function assertHosted(name: string): void {
  if (!isHostedProvider(name)) throw new ConnectorConfigError(name, `"${name}" is not a hosted provider.`);
}

export const MemoryParams = v.strictObject({
  /** Name of the tracker in references. Default `memory`. */
  system: v.exactOptional(NonEmpty),
  /** Default `demo`. */
  workspace: v.exactOptional(NonEmpty),
});

/** A tracker behind a program on this machine. */
const programParams = (program: string) =>
  v.strictObject({
    workspace: NonEmpty,
    command: v.exactOptional(NonEmpty, program),
    /** Folder of the project. Default: this process's. */
    cwd: v.exactOptional(NonEmpty),
  });

export const BeadsParams = programParams("bd");

export const FpParams = programParams("fp");

export const LOCAL_PARAMS = { beads: BeadsParams, fp: FpParams, memory: MemoryParams } as const;

export type LocalConnectorName = keyof typeof LOCAL_PARAMS;

export type LocalParams<T extends LocalConnectorName> = v.InferOutput<(typeof LOCAL_PARAMS)[T]>;

export type LocalParamsInput<T extends LocalConnectorName> = v.InferInput<(typeof LOCAL_PARAMS)[T]>;

/**
 * The parameters of a discovered resource, from its `connectorParams`, without facts that the connector does
 * not take.
 *
 * @throws ConnectorConfigError naming the path of what is missing or wrong
 */
export function connectorParamsToHostedParams<P extends HostedProvider>(
  provider: P,
  connectorParams: Readonly<Record<string, unknown>>,
): HostedParams<P> {
  assertHosted(provider);
  const schema = HOSTED_PARAMS[provider];
  const accepted = Object.entries(connectorParams).filter(([name]) => Object.hasOwn(schema.entries, name));
  return parseParams(provider, schema, Object.fromEntries(accepted), "connectorParams");
}

/**
 * Validates a connector's parameters.
 *
 * @param root The start of the path in a message
 * @throws ConnectorConfigError naming the path of what is missing, wrong or unknown
 */
export function parseParams<S extends v.GenericSchema>(
  connector: string,
  schema: S,
  value: unknown,
  root = "params",
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  const at = path === null ? root : `${root}.${path}`;
  throw new ConnectorConfigError(connector, `${providerName(connector)}: ${at}: ${problemOf(issue)}`);
}
