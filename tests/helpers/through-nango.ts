/** Reaching simulated providers through a simulated Nango. */
import { openTransport } from "../../src/sdk/connectors/credentials.ts";
import type { Transport, TransportOptions } from "../../src/sdk/http/transport.ts";
import type { HostedProvider } from "../../src/shared/providers.ts";
import { type NangoIntegration, NangoSimulator, type PassedHeaders } from "../simulators/nango.ts";
import type { Simulator } from "../simulators/server.ts";
import type { ConnectorSubject } from "./connector-contract.ts";

const SECRET_KEY = "9f0b6f5e-2d7c-4b5e-8a51-canary000000";

/** A provider as Nango has to know it. */
export type Route = Pick<NangoIntegration, "providerConfigKey" | "baseUrl"> & {
  readonly credential: Readonly<Record<string, string>>;
};

/** A Nango that knows nobody yet. */
export async function startNango(passes: PassedHeaders): Promise<NangoSimulator> {
  return new NangoSimulator({ secretKey: SECRET_KEY, passes }).start();
}

/** The transport to a provider through Nango, where it is set up for that first. */
export function through(
  nango: NangoSimulator,
  provider: HostedProvider,
  { credential, ...integration }: Route,
  options: Omit<TransportOptions, "provider"> = {},
): Transport {
  nango.integrate({ ...integration, connections: [{ connectionId: "ada", credential }] });
  const { providerConfigKey } = integration;
  return openTransport(
    provider,
    { kind: "nango", connectionId: "ada", providerConfigKey, secretKey: SECRET_KEY, baseUrl: nango.origin },
    options,
  );
}

/** A provider that is to be reached through Nango. */
interface Behind<S extends Simulator> {
  readonly provider: HostedProvider;
  readonly route: (simulator: S) => Route;
  /** The way past Nango. */
  readonly directly: (simulator: S) => Transport;
  readonly make: (open: (simulator: S) => Transport) => Promise<ConnectorSubject>;
}

/** A provider behind a Nango of its own. */
export interface NangoWorld {
  readonly nango: NangoSimulator;
  readonly provider: Simulator;
  /** What Nango shows the provider, without the scheme. */
  readonly secret: string;
  readonly transport: Transport;
  /** Past Nango. */
  readonly direct: Transport;
  /** Stops Nango too. */
  readonly subject: ConnectorSubject;
}

/** Starts such worlds. */
export type StartWorld = (
  passes: PassedHeaders,
  options?: Omit<TransportOptions, "provider">,
) => Promise<NangoWorld>;

export function behind<S extends Simulator>({ provider, route, directly, make }: Behind<S>): StartWorld {
  return async (passes, options) => {
    const nango = await startNango(passes);
    const opened: Omit<NangoWorld, "nango" | "subject">[] = [];
    const subject = await make((simulator) => {
      const way = route(simulator);
      const transport = through(nango, provider, way, options);
      const secret = Object.values(way.credential)
        .join(" ")
        .replace(/^(Bearer|Basic) /, "");
      opened.push({ provider: simulator, secret, transport, direct: directly(simulator) });
      return transport;
    });
    const [first] = opened;
    if (first === undefined) throw new Error("the subject has opened no transport");
    const close = async () => {
      await subject.close();
      await nango.stop();
    };
    return { nango, ...first, subject: { ...subject, close } };
  };
}
