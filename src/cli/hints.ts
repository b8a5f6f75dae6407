/**
 * Every hint. No other file names a `tracker` command to a person, and a test parses each command here. A
 * command is between backticks, or it is the rest of its text.
 */
import { NotAuthenticatedError, type TrackerError } from "../shared/errors.ts";
import type { Provider } from "../shared/providers.ts";
import { HOSTED_PROVIDERS, isLocal, providerName } from "../shared/providers.ts";
import { count, shellWord } from "../shared/text.ts";

const EXAMPLES: Readonly<Record<string, string>> = {
  discover: "tracker discover --provider linear",
  bind: "tracker bind --provider linear",
  "host connect": "tracker host connect linear",
  "host connections test": "`tracker host connections test linear`; IDs: tracker host connections list",
  "host connections refresh": "`tracker host connections refresh linear`; IDs: tracker host connections list",
  "host connections remove": "`tracker host connections remove linear`; IDs: tracker host connections list",
  "host mappings delete": "`tracker host mappings delete srm_01HXYZ`; references: tracker map list",
  "host mappings update": "tracker host mappings update srm_01HXYZ --doctrine-mode split_ownership",
  "issues search": 'tracker issues search --query "login"',
  "sync wait": "tracker sync wait 6b0cf7d6-0a4f-4a3d-8f43-1f1d6a4b7c11",
  "sync resolve": "`tracker sync resolve 01HXYZ --take local`; IDs: tracker sync conflicts",
  "mission seed": "tracker mission seed --issue PAY-7",
  "mission publish": "tracker mission publish --issue PAY-7 --mission-id M-1 --state implementing",
};

export const HINTS = {
  // Mistakes on the command line
  help: (command: string) => `See \`${command} --help\`.`,
  example: (command: string) => `For example: ${EXAMPLES[command] ?? command}`,
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
  commitConfig: "Commit .kittify/config.yaml: it binds every clone.",
  replaceBinding: (provider: Provider) => `Replace it: tracker bind --provider ${provider} --yes`,
  replaceWorkspace: (provider: Provider) =>
    `Replace it: tracker bind --provider ${provider} --workspace NAME --yes`,
  credentialOfHosted: (provider: Provider) =>
    `Connect ${providerName(provider)} with \`tracker host connect ${provider}\`; to log in to the control plane, run \`tracker auth login\`.`,
  ownershipOfHosted:
    "The mapping of a hosted resource stores the owners of its fields: tracker host mappings update REF --doctrine-mode MODE",
  splitOwnership: (strategy: string) =>
    `Use both: --doctrine-mode split_ownership --conflict-strategy ${strategy}`,
  oneOwner: "In every other mode, one side owns all fields.",
  afterBind: "Next: tracker sync pull --all",

  // .kittify/config.yaml
  pendingUpgrade: (bindingRef: string) =>
    `.kittify/config.yaml predates binding references and was left as it is. To record ${bindingRef}: add \`binding_ref: ${bindingRef}\` below \`tracker:\`.`,
  doctrine:
    "Spec Kitty 4 refuses `tracker.doctrine` in .kittify/config.yaml. To migrate, rename that key to `ownership`, or run `spec-kitty upgrade`; Spec Kitty 3 reads only `doctrine`.",

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
  jobContinues: (operationId: string) => `It continues. Wait for it again: ${NEXT.wait(operationId)}`,
  jobStopped: (operationId: string) => `The rest is not done yet. To do it: ${NEXT.wait(operationId)}`,
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

interface Facts {
  readonly provider: string;
  /** As its owner writes it. */
  readonly name: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | null;
}

type Hint = string | ((facts: Facts) => string | null);

const CHECK_ADDRESS = "Check the address and your network with `tracker doctor`.";
const CHECK_CONTROL_PLANE = "Is this the address of a tracker control plane? Check it with `tracker doctor`.";
const BIND_AGAIN: Hint = ({ provider }) =>
  `Bind again: \`tracker bind --provider ${provider} --yes\`. All bindings: tracker status --all`;
const CHECK_FILE = "Check the file, its folder and their permissions, then run the command again.";
const REPAIR_CONFIG = "Repair .kittify/config.yaml by hand, then run the command again. Nothing was changed.";
const REPAIR_SETTINGS = "Repair or remove this file.";
const WAIT_AND_RETRY = "Wait a moment and run the command again.";

/** Hints for errors from outside of the command line. */
const HINTS_BY_CODE: Readonly<Record<string, Hint>> = {
  // Project and config
  no_project: "Run the command in a git repository, or name one with --project DIR.",
  bare_repository: "Run the command in a clone with a work tree, or name one with --project DIR.",
  jj_repository: "Make it a colocated one: jj git init --colocate",
  config_not_checked_out: "Check it out: git sparse-checkout add .kittify",
  config_invalid: REPAIR_CONFIG,
  config_unsupported: REPAIR_CONFIG,
  config_too_large: "Check the content of the file, then run the command again. Nothing was changed.",
  config_busy: "Stop the other program, then run the command again.",
  config_locked:
    "Another run may be writing. Wait a moment and run the command again; if it persists, delete that lock file.",
  config_unreadable: "Check the file and its permissions, then run the command again.",
  config_unwritable: CHECK_FILE,
  file_unwritable: "Check the path, its folder and their permissions, then run the command again.",
  output_unwritable: "The command's work is done; only its output is lost.",
  config_outside_project: "Replace the link by a file or a folder, or move it into the repository.",
  config_not_writable: CHECK_FILE,
  no_such_folder: "Name an existing folder with --project DIR.",
  folder_of_another_user: "Run the command as that user, or in a folder of your own.",
  git_missing: "Install git.",
  git_unsafe_folder: ({ details: { folder } }) =>
    `If you trust it: git config --global --add safe.directory ${shellWord(String(folder))}`,
  git_config_invalid: "Repair the git configuration: git config --list shows the error.",
  git_timeout: WAIT_AND_RETRY,

  // Settings and choice of the control plane
  no_home: "Set TRACKER_HOME to an absolute folder that this user can write to.",
  invalid_settings: REPAIR_SETTINGS,
  invalid_host: ({ details }) =>
    details.problem === "credentials"
      ? "Remove them from the URL and run `tracker auth login`."
      : "Use an address such as https://tracker.example.com, or `embedded`.",
  insecure_host: "Use https: a token must not cross a network in the clear.",
  embedded_host: "Name a control plane: --host https://tracker.example.com",

  // Providers and connections
  unsupported_provider: ({ details: { nearest } }) => {
    const supported = "Supported providers: tracker providers";
    return typeof nearest === "string" ? `Did you mean ${nearest}? ${supported}` : supported;
  },
  local_provider: ({ provider, details }) =>
    details.subject === "operation"
      ? "State of the sync: tracker status"
      : `Bind to it: tracker bind --provider ${provider} --workspace NAME`,
  connection_not_found: "All connections: tracker host connections list",
  ambiguous_connection: "Name one by its ID.",
  no_installation: ({ provider }) => `Connect it: tracker host connect ${provider}`,
  provider_rejected: rejectionHint,
  provider_unavailable: ({ details: { network } }) => networkHint(recordOf(network)) ?? WAIT_AND_RETRY,
  program_in_repository: ({ provider }) =>
    `Install it outside of the repository, then: tracker bind --provider ${provider} --workspace NAME --credential command=PATH`,
  program_unusable: ({ provider }) =>
    `To set its program: tracker bind --provider ${provider} --workspace NAME --credential command=PATH --credential cwd=FOLDER`,

  // Consent
  egress_refused:
    "Bindings to on-device providers still work. To permit it, set `egress: permitted` below `tracker:`.",

  // Binding
  provider_required: ({ details: { providers } }) => {
    const [first] = Array.isArray(providers) ? providers : [];
    return first === undefined
      ? "Connect one: tracker host connect PROVIDER"
      : `Name one: tracker bind ${first}`;
  },
  selection_required: ({ provider }) =>
    `Choose one with --select NUMBER or --match TEXT. All of them: tracker discover --provider ${provider}`,
  no_candidates: ({ provider }) =>
    `Resources: \`tracker discover --provider ${provider}\`. To connect another account: tracker host connect ${provider}`,
  wrong_resource: ({ provider }) => `Nothing was written. Choose again: tracker bind --provider ${provider}`,
  candidate_gone: ({ provider }) => `Choose again: tracker bind --provider ${provider}`,
  invalid_binding_ref: ({ provider }) => `To bind to another resource: tracker bind --provider ${provider}`,
  stale_binding: ({ provider, details: { reason, control_plane } }) => {
    const again = `Bind again: \`tracker bind --provider ${provider} --yes\`.`;
    return reason === "binding_not_found"
      ? `${again} If the binding belongs to another control plane than ${control_plane}, name that: --host URL`
      : again;
  },
  unknown_binding: ({ details: { resource_visible } }) =>
    resource_visible === true
      ? "Name that control plane: TRACKER_HOST=URL, or --host URL"
      : "Name that control plane with TRACKER_HOST=URL or --host URL. The connections of this one: tracker host connections list",
  untrusted_binding: "If you trust this repository, run the command again with --yes; it is asked once.",
  not_bound: ({ provider, name }) =>
    name === "beads" || name === "fp"
      ? `Bind it: tracker bind --provider ${provider} --workspace NAME`
      : "Bind it with `tracker bind --provider <provider>`; supported providers: tracker providers",
  not_bound_here: ({ provider, details: { workspace } }) =>
    `If you trust it, bind it: tracker bind --provider ${provider} --workspace ${workspace}`,
  binding_not_found: BIND_AGAIN,
  mapping_disabled: BIND_AGAIN,
  project_mismatch: BIND_AGAIN,
  already_bound: "Choose another resource, or unbind the other project.",
  mappings_managed_elsewhere: ({ provider }) =>
    `Bind this project with \`tracker bind --provider ${provider}\`; mappings: tracker map list`,

  // Issues and syncs
  issue_not_found: "Search for it: tracker issues search --query TEXT",
  conflict_not_found: "Open conflicts: tracker sync conflicts",
  store_unusable: ({ details: { reason } }) => {
    if (reason === "lock") return CHECK_FILE;
    return reason === "full"
      ? "Free space on the disk, then run the command again."
      : "Repair the file, or remove it: the next pull fetches everything again, and unsent edits are lost.";
  },
  sync_in_progress: ({ details: { operation_id } }) =>
    typeof operation_id === "string"
      ? `Wait for it: tracker sync wait ${shellWord(operation_id)}`
      : "State of the sync: tracker status",
  operation_not_found: "State of the sync: tracker status",
  operation_timeout: ({ details }) => operationHint(details, "It continues. Wait for it again"),
  usage: ({ details: { missing, flag } }) => {
    if (missing === "items") {
      const items = JSON.stringify([{ ref: { key: "PAY-7" }, action: "transition", target_status: "done" }]);
      return `For example: echo '${items}' | tracker sync push --items-json -`;
    }
    if (missing === "mapping") return "For example: tracker map add --wp-id WP01 --external-id pay-7";
    return typeof flag === "string" ? HINTS.help("tracker bind") : null;
  },

  // Requests to the control plane
  redirect_refused: "If that address is right, name it with --host.",
  response_too_large: CHECK_CONTROL_PLANE,
  invalid_response: ({ details }) =>
    "operation_id" in details ? operationHint(details, null) : CHECK_CONTROL_PLANE,
  http_4xx: CHECK_CONTROL_PLANE,
  http_5xx: CHECK_ADDRESS,
  not_offered: "Control planes of `tracker host serve` offer it.",
  dry_run_not_offered: "Without --dry-run, the command writes.",
  dry_run_not_confirmed: "Check what was written: tracker issues list",
  host_timeout: CHECK_ADDRESS,
  host_unreachable: ({ details: { network } }) => networkHint(recordOf(network)) ?? CHECK_ADDRESS,
  team_mismatch: "Name a team that you belong to: TRACKER_TEAM=<slug>. Your teams: tracker auth status",
  team_required: ({ details: { teams } }) => {
    const slugs = Array.isArray(teams) ? teams.join("|") : "";
    return `Choose one: TRACKER_TEAM=${slugs || "<slug>"}`;
  },
  invalid_request: ({ provider, details: { project_slugs } }) => {
    if (!Array.isArray(project_slugs)) return null;
    return project_slugs.length === 0
      ? `Bind a project: tracker bind --provider ${provider}`
      : `Run it in one of the projects, without --provider. All bindings: tracker status --all --provider ${provider}`;
  },
  rate_limited: ({ retryAfterSeconds }) =>
    retryAfterSeconds === null ? WAIT_AND_RETRY : `Try again in ${durationText(retryAfterSeconds)}.`,
  payload_too_large: "Nothing was done. Send it in several parts.",
  internal: "The control plane's log has the cause; --verbose shows that of the embedded one.",

  // `tracker host serve`
  port_in_use: "Another program uses that port. Choose another one: tracker host serve --port 7412",
  listen_failed: "Check --bind and --port: tracker host serve --help",
  database_unavailable:
    "Check that the folder is writable and that the file is a tracker database, or name another folder: TRACKER_HOME=DIR",
};

/** Null when the message says everything. */
export function hintOf(error: TrackerError): string | null {
  if (error.hint !== null) return error.hint;
  if (error instanceof NotAuthenticatedError) return "Run `tracker auth login`, or set TRACKER_TOKEN.";
  const { code, provider, unfinished, userActionRequired, retryAfterSeconds } = error;
  const details = recordOf(error.details);
  const typed = provider ?? "<provider>";
  const key = code.replace(/^http_([45])\d\d$/, "http_$1xx");
  // A control plane may send any code, also the name of a property that all objects inherit.
  const hint = Object.hasOwn(HINTS_BY_CODE, key) ? HINTS_BY_CODE[key] : null;
  const facts = { provider: typed, name: providerName(typed), details, retryAfterSeconds };
  const own = hint instanceof Function ? hint(facts) : (hint ?? null);
  if (unfinished === "write") {
    return "It may have been done. Check before you run it again: `tracker status`, `tracker issues list`";
  }
  if (unfinished === "operation") {
    return [own, operationHint(details, "Wait for it again")].filter(Boolean).join(" ");
  }
  return own === null && userActionRequired ? "Check its connection: tracker host connections list" : own;
}

/** {@link hintOf} for people who have just run `tracker doctor`. */
export function doctorHintOf(error: TrackerError): string | null {
  const hint = hintOf(error);
  if (hint === CHECK_CONTROL_PLANE) return "Is the address above that of a tracker control plane?";
  return hint?.includes("`tracker doctor`") === true ? "Check the address above and your network." : hint;
}

/** Null for a failure that is not repaired in one place. */
function networkHint({ remedy }: Facts["details"]): string | null {
  switch (remedy) {
    case "authority":
      return "If your organization has its own certificate authority, name it: NODE_EXTRA_CA_CERTS=/path/to/ca.pem";
    case "clock":
      return "Check this machine's date and time. If they are right, the certificate has to be renewed there.";
    case "name":
      return "Check that the address is spelled as the certificate has it.";
    case "proxy":
      return "Check HTTPS_PROXY; hosts in NO_PROXY are reached without it.";
    default:
      return null;
  }
}

function operationHint({ operation_id, job }: Facts["details"], wait: string | null): string {
  if (job === "connection") return "State of the connection: tracker host connections list";
  return wait === null || typeof operation_id !== "string"
    ? "State of the sync: tracker status"
    : `${wait}: ${NEXT.wait(operation_id)}`;
}

/** Access can be repaired here, most other refusals cannot. */
function rejectionHint({ provider, details: { failure_class, network } }: Facts): string | null {
  if (isLocal(provider)) return null;
  const own = networkHint(recordOf(network));
  if (own !== null) return own;
  const again = `connect again: tracker host connect ${provider}`;
  if (typeof failure_class !== "string") {
    return `If access is the problem, check the token, its permissions and the address; then ${again}`;
  }
  switch (failure_class) {
    case "auth":
    case "permission":
      return `Check the token and its permissions, then ${again} (with the same --base-url and --email, if you used them)`;
    case "contract":
      return `If the address is wrong, ${again} --base-url URL`;
    default:
      return null;
  }
}

function durationText(seconds: number): string {
  return seconds <= 90 ? count(Math.ceil(seconds), "second") : count(Math.ceil(seconds / 60), "minute");
}

function recordOf(details: unknown): Readonly<Record<string, unknown>> {
  return typeof details === "object" && details !== null ? { ...details } : {};
}
