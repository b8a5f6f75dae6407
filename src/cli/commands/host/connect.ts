import type { ConnectRequest } from "../../../protocol.ts";
import type { TrackerService } from "../../../service.ts";
import { UsageError } from "../../../shared/errors.ts";
import { isLoopback } from "../../../shared/network.ts";
import {
  HOSTED_PROVIDERS,
  type HostedProvider,
  isHosted,
  parseProvider,
  providerName,
} from "../../../shared/providers.ts";
import { type ArgumentDefs, type Arguments, defineAction } from "../../argv.ts";
import { askVisibly } from "../../ask.ts";
import { HINTS } from "../../hints.ts";
import { type Invocation, withService } from "../../invocation.ts";
import { DISCOVERY, withProgress } from "../../progress.ts";
import { checkSecretFlags, readSecret, SECRET_ARGS, type SecretFlags } from "../../secret.ts";
import { showConnection } from "./connections/show-connection.ts";
import { NANGO_GUIDE, tokenGuide } from "./token-guide.ts";

const ARGS = {
  provider: {
    type: "positional",
    required: true,
    secretMayFollow: true,
    description: `One of ${HOSTED_PROVIDERS.join(", ")}`,
  },
  ...SECRET_ARGS,
  "base-url": {
    type: "string",
    valueHint: "URL",
    description: "Address of the Jira site, or of a GitHub or GitLab of your own",
  },
  email: { type: "string", valueHint: "ADDRESS", description: "Account that the token belongs to (Jira)" },
  "nango-connection-id": {
    type: "string",
    valueHint: "ID",
    description: "Use the credential of this Nango connection; the token is then Nango's secret key",
  },
  "nango-provider-config-key": {
    type: "string",
    valueHint: "KEY",
    description: "Integration of the connection in Nango",
  },
  "nango-url": { type: "string", valueHint: "URL", description: "Address of a Nango of your own" },
  demo: {
    type: "boolean",
    description: "Connect demo data; each start of the control plane resets it",
  },
  token: {
    type: "string",
    refused: {
      message: "--token is refused: other people on this machine can read command lines.",
      hint: HINTS.tokenOnCommandLine,
    },
  },
} as const satisfies ArgumentDefs;

type Args = Arguments<typeof ARGS>;

export const connectCommand = defineAction({
  description: "Connect a provider to the control plane",
  args: ARGS,
  run: async (invocation, args) => {
    const plan = planOf(connectable(args.provider), args);
    if (plan.kind !== "demo") checkSecretFlags(invocation, args);
    if (plan.kind === "token") checkDetails(invocation, plan);
    const connection = await withService(invocation, async (service) => {
      const request = await requestOf(invocation, service, plan, args);
      if (request === null) return null;
      return withProgress(invocation, DISCOVERY, (onProgress) =>
        service.connections.connect(request, onProgress),
      );
    });
    if (connection === null) {
      invocation.log.info("Connect canceled");
      return 0;
    }
    return showConnection(invocation, connection);
  },
});

type Plan =
  | { readonly kind: "demo"; readonly provider: HostedProvider }
  | {
      readonly kind: "token";
      readonly provider: HostedProvider;
      readonly baseUrl: string | null;
      readonly email: string | null;
    }
  | {
      readonly kind: "nango";
      readonly provider: HostedProvider;
      readonly connectionId: string;
      readonly providerConfigKey: string;
      readonly baseUrl: string | null;
    };

function connectable(name: string): HostedProvider {
  const provider = parseProvider(name);
  if (isHosted(provider)) return provider;
  throw new UsageError(`${providerName(provider)} runs on this machine and needs no connection.`, {
    hint: HINTS.connectable,
  });
}

const DEMO_REFUSES = [
  "token-stdin",
  "from-env",
  "base-url",
  "email",
  "nango-connection-id",
  "nango-provider-config-key",
  "nango-url",
] as const;
const NANGO_REFUSES = ["base-url", "email"] as const;

/** @throws UsageError when the flags do not fit together */
function planOf(provider: HostedProvider, args: Args): Plan {
  const refuse = (flags: readonly (keyof Args)[], reason: string): void => {
    const flag = flags.find((name) => args[name] !== undefined && args[name] !== false);
    if (flag !== undefined) throw new UsageError(`--${flag} ${reason}`);
  };
  if (args.demo) {
    refuse(DEMO_REFUSES, "means nothing with --demo, which needs no credential.");
    return { kind: "demo", provider };
  }
  const [connectionId, providerConfigKey] = [args["nango-connection-id"], args["nango-provider-config-key"]];
  if (connectionId !== undefined && providerConfigKey !== undefined) {
    refuse(NANGO_REFUSES, "goes with a token; Nango knows it by itself. Nango's own address is --nango-url.");
    const baseUrl = addressOf("--nango-url", args["nango-url"]);
    return { kind: "nango", provider, connectionId, providerConfigKey, baseUrl };
  }
  if (connectionId !== undefined || providerConfigKey !== undefined || args["nango-url"] !== undefined) {
    throw new UsageError("A Nango connection needs two flags.", { hint: HINTS.connectNango(provider) });
  }
  if (provider !== "jira") refuse(["email"], `is for Jira, not for ${providerName(provider)}.`);
  const email = args.email ?? null;
  const problem = email === null ? null : emailProblem(email);
  if (problem !== null) throw new UsageError(`--email: ${problem}`);
  return { kind: "token", provider, baseUrl: addressOf("--base-url", args["base-url"]), email };
}

function addressOf(flag: string, text: string | undefined): string | null {
  if (text === undefined) return null;
  const problem = addressProblem(text);
  if (problem !== null) throw new UsageError(`${flag}: ${problem}`);
  return withoutFinalSlash(text);
}

/** No message repeats the address, which may hold a password. */
function addressProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return "Give the whole address, beginning with https://";
  }
  if (url.username !== "" || url.password !== "") return "The address must not hold a name or a password.";
  if (url.search !== "" || url.hash !== "") return "The address must end before any ? or #.";
  if (url.protocol === "http:" && !isLoopback(url)) {
    return "Use https: a token must not cross a network in the clear.";
  }
  return null;
}

function emailProblem(text: string): string | null {
  return /^[^\s@:]+@[^\s@:]+$/.test(text) ? null : "Give an email address, such as ada@acme.example";
}

function withoutFinalSlash(address: string): string {
  return address.trim().replace(/\/+$/, "");
}

type TokenPlan = Extract<Plan, { kind: "token" }>;

/** Without a terminal, Jira's site and account have to be flags. */
function checkDetails({ io }: Invocation, { provider, baseUrl, email }: TokenPlan): void {
  if (provider !== "jira" || io.canPrompt || (baseUrl !== null && email !== null)) return;
  throw new UsageError("Jira needs the address of the site and the account that the token belongs to.", {
    hint: HINTS.connectJira,
  });
}

/** Prompts for the parts of a connection with a token; null when the person cancels. */
export async function readTokenRequest(
  invocation: Invocation,
  service: TrackerService,
  provider: HostedProvider,
): Promise<ConnectRequest | null> {
  const plan: TokenPlan = { kind: "token", provider, baseUrl: null, email: null };
  return requestOf(invocation, service, plan, { "token-stdin": false, "from-env": undefined });
}

/** Prompts for the missing fields; null when the person cancels. */
async function requestOf(
  invocation: Invocation,
  service: TrackerService,
  plan: Plan,
  args: SecretFlags,
): Promise<ConnectRequest | null> {
  const { provider } = plan;
  if (plan.kind === "demo") return { provider, kind: "demo" };
  // A user without the permission is refused before the prompt for a secret.
  if (invocation.io.stdin.isTerminal) await service.connections.list();
  if (plan.kind === "nango") {
    const secret = await readSecret(invocation, args, NANGO_GUIDE);
    if (secret === null) return null;
    return {
      provider,
      kind: "nango",
      connection_id: plan.connectionId,
      provider_config_key: plan.providerConfigKey,
      secret_key: secret,
      base_url: plan.baseUrl,
    };
  }
  const details = await completeDetails(invocation, plan);
  if (details === null) return null;
  const token = await readSecret(invocation, args, tokenGuide(provider, details.baseUrl));
  if (token === null) return null;
  return { provider, kind: "token", token, base_url: details.baseUrl, email: details.email };
}

/** Null when the person cancels. */
async function completeDetails(
  { io }: Invocation,
  { provider, baseUrl, email }: TokenPlan,
): Promise<Pick<TokenPlan, "baseUrl" | "email"> | null> {
  if (provider !== "jira") return { baseUrl, email };
  const site =
    baseUrl ??
    (await askVisibly(io, {
      question: "Address of the Jira site, such as https://acme.atlassian.net: ",
      problemOf: addressProblem,
    }));
  if (site === null) return null;
  const account =
    email ?? (await askVisibly(io, { question: "Email of your account: ", problemOf: emailProblem }));
  return account === null ? null : { baseUrl: withoutFinalSlash(site), email: account };
}
