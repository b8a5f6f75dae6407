/**
 * Running the connector contract against the real services: what the
 * environment has to name, and what the subjects of all of them share.
 */
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import type { TrackerConnector } from "../../src/sdk/connector.ts";
import { openTransport, type ProviderCredential } from "../../src/sdk/connectors/credentials.ts";
import type { Transport } from "../../src/sdk/http/transport.ts";
import type { HostedProvider } from "../../src/shared/providers.ts";

/** The process's environment, or a test's. */
export type Environment = Readonly<Record<string, string | undefined>>;

const needed = (form: RegExp, hint: string) =>
  v.config(v.pipe(v.optional(v.string(), ""), v.nonEmpty("is not set"), v.regex(form, hint)), {
    abortPipeEarly: true,
  });

/** What each provider needs beside its token: variables `TRACKER_LIVE_<PROVIDER>_<PART>`. */
export const COMPANIONS = {
  github: v.object({ REPOSITORY: needed(/^[^/\s]+\/[^/\s]+$/, "is not owner/repository") }),
  gitlab: v.object({ PROJECT: needed(/^[1-9]\d*$/, "is not the number of a project") }),
  jira: v.object({
    EMAIL: needed(/^\S+@\S+$/, "is not an email address"),
    SITE: needed(/^https?:\/\//, "is not the address of a site"),
    PROJECT: needed(/^\S+$/, "is not the key of a project"),
  }),
  linear: v.object({ TEAM: needed(/^[0-9a-f-]{36}$/i, "is not the UUID of a team") }),
} as const;

/** What a provider is tested with. */
export interface LiveSettings<P extends HostedProvider> {
  readonly provider: P;
  readonly token: string;
  readonly companions: v.InferOutput<(typeof COMPANIONS)[P]>;
  /** Address of the provider where it is not the usual one: `TRACKER_LIVE_<PROVIDER>_URL`. */
  readonly url: string | undefined;
  /** Whom issues can be assigned to, where it is not to be looked up: `TRACKER_LIVE_<PROVIDER>_PEOPLE`, with commas. */
  readonly people: readonly string[] | null;
  /** How long to wait for the provider's clock and search index, in ms: `TRACKER_LIVE_TICK_MS`. */
  readonly tickMs: number;
}

/** What the environment says about one provider. */
type LiveChoice<P extends HostedProvider> =
  | { readonly kind: "absent"; readonly reason: string }
  | { readonly kind: "incomplete"; readonly problem: string }
  | { readonly kind: "ready"; readonly settings: LiveSettings<P> };

/** A GitHub second; and a second for indexes and for limits on how fast things are created. */
const TICK_MS = { github: 2000, gitlab: 1000, jira: 5000, linear: 1000 } as const;

/** Whether a provider can be tested, and with what. */
export function liveChoice<P extends HostedProvider>(provider: P, environment: Environment): LiveChoice<P> {
  const prefix = `TRACKER_LIVE_${provider.toUpperCase()}_`;
  const given = Object.fromEntries(
    Object.entries(environment)
      .filter(([name, value]) => name.startsWith(prefix) && value)
      .map(([name, value]) => [name.slice(prefix.length), value]),
  );
  const { TOKEN: token, URL: url, PEOPLE: named } = given;
  if (token === undefined) return { kind: "absent", reason: `${prefix}TOKEN is not set` };
  const companions = v.safeParse(COMPANIONS[provider], given, { abortEarly: true });
  if (!companions.success) {
    const [issue] = companions.issues;
    return { kind: "incomplete", problem: `${prefix}${v.getDotPath(issue)} ${issue.message}` };
  }
  const tickMs = Number(environment.TRACKER_LIVE_TICK_MS || TICK_MS[provider]);
  const people = named?.split(",").map((name) => name.trim()) ?? null;
  return { kind: "ready", settings: { provider, token, companions: companions.output, url, people, tickMs } };
}

/** A transport that counts what it sends. */
export function countingTransport(
  provider: HostedProvider,
  credential: Omit<Extract<ProviderCredential, { kind: "token" }>, "kind">,
): { readonly transport: Transport; readonly sent: () => number } {
  let sent = 0;
  const fetchCounted = (request: Request): Promise<Response> => {
    sent += 1;
    return fetch(request, { redirect: "manual" });
  };
  return {
    transport: openTransport(provider, { kind: "token", ...credential }, { fetch: fetchCounted }),
    sent: () => sent,
  };
}

/**
 * An instant of the provider's clock that nothing in the resource is later
 * than: a test lists from there, and does not see what others have left behind.
 *
 * @param granularityMs of the instants that the provider shows
 */
export async function untouchedFrom(
  connector: TrackerConnector,
  tick: () => Promise<void>,
  granularityMs: number,
): Promise<string | null> {
  await tick();
  const [latest] = await connector.searchIssues({ limit: 1 });
  if (latest === undefined) return null;
  await tick();
  return new Date(Date.parse(latest.updatedAt) + granularityMs).toISOString();
}

/** Waits for the provider's clock to move on. */
export function ticking({ tickMs }: { readonly tickMs: number }): () => Promise<void> {
  return () => setTimeout(tickMs);
}

/**
 * Two people whom issues can be assigned to. Where an issue has one assignee at
 * most, the second one is never asked for.
 */
export function twoOf(people: readonly string[], connector: TrackerConnector): readonly [string, string] {
  const [one, other] = [...new Set(people)].toSorted();
  const isOneEnough = !connector.capabilities().multiAssignee;
  if (one !== undefined && (other !== undefined || isOneEnough)) return [one, other ?? "nobody"];
  throw new Error(`${connector.workspace} needs ${isOneEnough ? 1 : 2} whom issues can be assigned to.`);
}

/**
 * Lets an official SDK do something. Its errors may carry the whole request, so
 * that only what they say is passed on, without the token.
 */
export async function byHand<T>({ token }: { readonly token: string }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(String(error).replaceAll(token, "***"));
  }
}
