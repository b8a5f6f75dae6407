/**
 * Every "run this next". No other file names a `tracker` command to a person;
 * a test parses each command that is named here. A command is between
 * backticks, or it is the rest of its text.
 */
import type { Provider } from "../shared/providers.ts";
import { HOSTED_PROVIDERS, providerName } from "../shared/providers.ts";
import { shellWord } from "../shared/text.ts";

/** One example of each command that requires arguments. */
const EXAMPLES: Readonly<Record<string, string>> = {
  "tracker discover": "tracker discover --provider linear",
  "tracker bind": "tracker bind --provider linear",
  "tracker host connect": "tracker host connect linear",
  "tracker host connections test":
    "`tracker host connections test linear`; IDs: tracker host connections list",
  "tracker host connections refresh":
    "`tracker host connections refresh linear`; IDs: tracker host connections list",
  "tracker host connections remove":
    "`tracker host connections remove linear`; IDs: tracker host connections list",
  "tracker host mappings delete": "`tracker host mappings delete srm_01HXYZ`; references: tracker map list",
  "tracker host mappings update": "tracker host mappings update srm_01HXYZ --doctrine-mode split_ownership",
  "tracker issues search": 'tracker issues search --query "login"',
  "tracker sync wait": "tracker sync wait 6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11",
  "tracker sync resolve": "`tracker sync resolve 01HXYZ --take local`; IDs: tracker sync conflicts",
  "tracker mission seed": "tracker mission seed --issue PAY-7",
  "tracker mission publish": "tracker mission publish --issue PAY-7 --mission-id M-1 --state implementing",
};

/** Hints of the commands themselves. */
export const HINTS = {
  // Mistakes on the command line
  help: (command: string) => `See \`${command} --help\`.`,
  example: (command: string) => `For example: ${EXAMPLES[command] ?? `${command} --help`}`,
  flagExample: (flag: string, value: string) => `For example: --${flag} ${value}`,
  nearestCommand: (command: string) => `Did you mean \`${command}\`?`,
  nearestFlag: (flag: string) => `Did you mean --${flag}?`,
  projectSlug: "Run `tracker bind --provider <provider>`.",
  syncPublish:
    "Write to issues with `tracker sync push --items-json FILE`; publish a mission's progress with `tracker mission publish`.",
  tokenOnCommandLine: "Omit it to be prompted for the token, or use --token-stdin or --from-env NAME.",
  unexpected: "Run the command again with --verbose, and report the output.",

  // auth
  pipeToken: "For example: tracker auth login < token-file",
  logInTo: (url: string) => `Log in with it: tracker auth login --host ${url}`,
  tokenFlags: "Use --token-stdin or --from-env NAME.",
  pipeSecret: "For example: --token-stdin < token-file",
  tokenVariable: "Give the variable's name, never the token itself: --from-env GITHUB_TOKEN",

  // bind
  bindsUnasked: (provider: string, label: string) =>
    `\`tracker bind --provider ${provider}\` binds to ${label}.`,
  bindWorkspace: (provider: Provider, workspace: string) =>
    `For example: tracker bind --provider ${provider} --workspace ${workspace}`,
  replaceBinding: (provider: Provider) => `Replace it: tracker bind --provider ${provider} --yes`,
  replaceWorkspace: (provider: Provider) =>
    `Replace it: tracker bind --provider ${provider} --workspace NAME --yes`,
  chooseAgain: (bindingRef: string) => `To choose again: tracker host mappings delete ${bindingRef}`,
  credentialOfHosted: (provider: Provider) =>
    `Connect ${providerName(provider)} with \`tracker host connect ${provider}\`; to log in to the control plane, run \`tracker auth login\`.`,
  ownershipOfHosted:
    "The mapping of a hosted resource stores the owners of its fields: tracker host mappings update REF --doctrine-mode MODE",
  splitOwnership: (strategy: string) =>
    `Use both: --doctrine-mode split_ownership --conflict-strategy ${strategy}`,
  oneOwner: "In every other mode, one side owns all fields.",
  afterBind: "Next: tracker sync pull --all",

  // host
  connectable: `Providers that need one: ${HOSTED_PROVIDERS.join(", ")}.`,
  connectNango: (provider: Provider) =>
    `For example: tracker host connect ${provider} --nango-connection-id ID --nango-provider-config-key KEY`,
  connectJira:
    "For example: tracker host connect jira --base-url https://acme.atlassian.net --email you@acme.example --token-stdin",
  confirmRemoval: (connectionId: string) =>
    `To confirm: tracker host connections remove ${connectionId} --yes`,
  refreshConnection: (connectionId: string) => `Next: tracker host connections refresh ${connectionId}`,
  connectAgain: (provider: string) => `With another token: tracker host connect ${provider}`,
  afterConnect: (provider: string) => `Next: tracker bind --provider ${provider}`,
  noConnections: "Next: tracker host connect <provider>",
  missionFields: "its fields are settings: tracker host mappings update --help",

  // issues
  noIssues: "Next: tracker status",
  noMatch: "Next: tracker issues list",

  // mission
  publishInterrupted:
    "The update may have been published. Run the command again: the same update twice changes nothing.",

  // sync
  pullInterrupted: "The next `tracker sync pull --all` continues where this one stopped.",
  pullToFileInterrupted: (out: string) =>
    `${out} was not written. The next \`tracker sync pull --all\` continues where this one stopped; with \`--out ${shellWord(out)}\` it starts again, so that the file is complete.`,
  pushInterrupted:
    "Some or all items may have been written. Check before you push again: tracker issues list",
  runInterrupted: "Finished writes stay. The next `tracker sync run` does the rest.",
  resolveConflict: "Decide one: tracker sync resolve <id> --take local|external",
  afterLocalDecision: "Next: tracker sync run",
} as const;

/** Commands to run next, for rows of facts. */
export const NEXT = {
  connect: (provider: string) => `tracker host connect ${provider}`,
  wait: (operationId: string) => `tracker sync wait ${shellWord(operationId)}`,
  conflicts: "tracker sync conflicts",
  pullAll: "tracker sync pull --all",
  run: "tracker sync run",
} as const;
