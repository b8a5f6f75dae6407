/** The catalog of connectors: their parameters and loaders. */

import type { HostedProvider } from "../shared/providers.ts";
import type { TrackerConnector } from "./connector.ts";
import {
  HOSTED_PARAMS,
  type HostedParams,
  LOCAL_PARAMS,
  type LocalConnectorName,
  type LocalParams,
  type LocalParamsInput,
  parseParams,
} from "./connectors/params.ts";
import type { ProgramEnvironment } from "./connectors/shared/program.ts";
import type { DiscoverySource } from "./discovery.ts";
import type { Transport } from "./http/transport.ts";

/** The exports of a provider's folder in `connectors/`. */
export interface HostedModule<P extends HostedProvider> {
  /** Connects to one resource; sends nothing yet. */
  connect(params: HostedParams<P>, transport: Transport): TrackerConnector;
  /** @param baseUrl The provider's address as in {@link HostedParams}; null for the default one */
  discover(transport: Transport, baseUrl: string | null): DiscoverySource;
}

export interface HostedEntry<P extends HostedProvider> {
  readonly mode: "hosted";
  readonly params: (typeof HOSTED_PARAMS)[P];
  readonly load: () => Promise<HostedModule<P>>;
}

export interface LocalEntry<T extends LocalConnectorName> {
  readonly mode: "local";
  readonly params: (typeof LOCAL_PARAMS)[T];
  /** Loads the connector's factory; programs receive a part of the environment. */
  readonly load: () => Promise<(params: LocalParams<T>, environment: ProgramEnvironment) => TrackerConnector>;
}

export const HOSTED_CONNECTORS: { readonly [P in HostedProvider]: HostedEntry<P> } = {
  github: {
    mode: "hosted",
    params: HOSTED_PARAMS.github,
    load: async () => (await import("./connectors/github/index.ts")).github,
  },
  gitlab: {
    mode: "hosted",
    params: HOSTED_PARAMS.gitlab,
    load: async () => (await import("./connectors/gitlab/index.ts")).gitlab,
  },
  jira: {
    mode: "hosted",
    params: HOSTED_PARAMS.jira,
    load: async () => (await import("./connectors/jira/index.ts")).jira,
  },
  linear: {
    mode: "hosted",
    params: HOSTED_PARAMS.linear,
    load: async () => (await import("./connectors/linear/index.ts")).linear,
  },
};

const LOCAL_CONNECTORS: { readonly [T in LocalConnectorName]: LocalEntry<T> } = {
  beads: {
    mode: "local",
    params: LOCAL_PARAMS.beads,
    load: async () => (await import("./connectors/beads/index.ts")).connectBeads,
  },
  fp: {
    mode: "local",
    params: LOCAL_PARAMS.fp,
    load: async () => (await import("./connectors/fp/index.ts")).connectFp,
  },
  memory: {
    mode: "local",
    params: LOCAL_PARAMS.memory,
    load: async () => {
      const { MemoryRemote } = await import("./testing/remote.ts");
      const { MemoryTracker } = await import("./testing/tracker.ts");
      return (params) => new MemoryTracker({ remote: new MemoryRemote({ ...params, now: Date.now }) });
    },
  },
};

/** Every tracker that the SDK supports, by its name in references. */
export const CONNECTORS = { ...HOSTED_CONNECTORS, ...LOCAL_CONNECTORS } as const;

/**
 * Connects to a tracker on this machine.
 *
 * @param environment Programs receive the variables that they need. Default: those of this process
 * @throws ConnectorConfigError naming the path of a wrong parameter
 */
export async function createLocalConnector<T extends LocalConnectorName>(
  tracker: T,
  params: LocalParamsInput<T>,
  environment: ProgramEnvironment = Bun.env,
): Promise<TrackerConnector> {
  const entry: LocalEntry<T> = LOCAL_CONNECTORS[tracker];
  const valid = parseParams(tracker, entry.params, params);
  const create = await entry.load();
  return create(valid, environment);
}
