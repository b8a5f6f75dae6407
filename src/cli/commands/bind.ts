import type { BindResolveResponse } from "../../protocol.ts";
import type { BindDialog, BindOutcome, Selection } from "../../service/bind.ts";
import { UsageError } from "../../shared/errors.ts";
import type { Log } from "../../shared/log.ts";
import { type HostedProvider, isLocal, providerName } from "../../shared/providers.ts";
import { type ArgumentDefs, type Arguments, defineAction, positiveInteger } from "../argv.ts";
import { HINTS } from "../hints.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { withConnection } from "../offer-connection.ts";
import { OWNERSHIP_ARGS } from "../ownership-flags.ts";
import { pickResource } from "../picker.ts";
import { namedProvider, PROVIDER_ARGS, suggestedProvider } from "../provider-argument.ts";
import { bindingToJson, renderBinding, renderDryRun } from "../render/binding.ts";
import { bindOnDevice } from "./bind/on-device.ts";
import { mayReplace, reportChange } from "./bind/replace.ts";

const ARGS = {
  ...PROVIDER_ARGS,
  select: { type: "string", valueHint: "N", description: "Bind resource number N of `discover`" },
  match: {
    type: "string",
    valueHint: "TEXT",
    description: "Bind the resource with this label, key, name or part of a label",
  },
  "bind-ref": { type: "string", valueHint: "REF", description: "Bind this existing binding" },
  yes: { type: "boolean", description: "Replace an existing binding without asking" },
  "dry-run": { type: "boolean", description: "Show the binding and the change of the config; write nothing" },
  explain: { type: "boolean", description: "Show the reason for each candidate's rank" },
  workspace: { type: "string", valueHint: "NAME", description: "Workspace (on-device providers)" },
  ...OWNERSHIP_ARGS,
  credential: {
    type: "string",
    repeatable: true,
    valueHint: "KEY=VALUE",
    description: "Program of an on-device provider: command=… or cwd=…; repeatable",
  },
  "project-slug": {
    type: "string",
    refused: { message: "--project-slug was removed: bindings are discovered.", hint: HINTS.projectSlug },
  },
} as const satisfies ArgumentDefs;

export type BindArgs = Arguments<typeof ARGS>;

/** `tracker bind` */
export const bindCommand = defineAction({
  description: "Bind this project to a tracker resource",
  args: ARGS,
  run: async (invocation, args) => {
    const named = namedProvider(args);
    if (named !== null && isLocal(named)) return bindOnDevice(invocation, named, args);
    const selection = selectionOf(args.select, args.match, args["bind-ref"]);
    refuseOnDeviceFlags(named, args);
    await bind(invocation, {
      named,
      selection,
      replaces: args.yes || selection.by !== "certainty",
      dryRun: args["dry-run"],
      explain: args.explain,
    });
  },
});

interface BindOptions {
  /** Null when the project suggests one. */
  readonly named: HostedProvider | null;
  readonly selection: Selection;
  /** An existing binding is replaced without asking. */
  readonly replaces: boolean;
  readonly dryRun: boolean;
  readonly explain: boolean;
}

function selectionOf(
  select: string | undefined,
  match: string | undefined,
  bindRef: string | undefined,
): Selection {
  const given = Object.entries({ "--select": select, "--match": match, "--bind-ref": bindRef }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1) {
    throw new UsageError(`${given.map(([flag]) => flag).join(" and ")} cannot be used together.`);
  }
  if (match?.trim() === "") throw new UsageError("--match needs a text that is not blank.");
  const number = positiveInteger("select", select);
  if (number !== undefined) return { by: "number", number };
  if (match !== undefined) return { by: "match", text: match.trim() };
  if (bindRef !== undefined) return { by: "reference", bindingRef: bindRef };
  return { by: "certainty" };
}

const ON_DEVICE_FLAGS = ["workspace", "doctrine-mode", "field-owner", "conflict-strategy"] as const;

/** Refuses flags that have no effect with a hosted provider. */
function refuseOnDeviceFlags(named: HostedProvider | null, args: BindArgs): void {
  const name = named === null ? "hosted providers" : providerName(named);
  if (args.credential.length > 0) {
    throw new UsageError(`--credential is not for ${name}: the control plane stores its credential.`, {
      ...(named !== null && { hint: HINTS.credentialOfHosted(named) }),
    });
  }
  const flag = ON_DEVICE_FLAGS.find((name) => args[name] !== undefined && args[name].length > 0);
  if (flag === undefined) return;
  throw new UsageError(`--${flag} is for on-device providers, not for ${name}.`, {
    ...(flag !== "workspace" && { hint: HINTS.ownershipOfHosted }),
  });
}

async function bind(invocation: Invocation, options: BindOptions): Promise<void> {
  const { log } = invocation;
  const { named, selection, replaces, dryRun } = options;
  const outcome = await withService(invocation, async (service) => {
    const provider = named ?? (await suggestedProvider(invocation, service));
    if (provider === null) return null;
    const request = { provider, selection, replaces, dryRun };
    const dialog = createDialog(invocation, provider, options);
    return withConnection(invocation, service, provider, () => service.bind(request, dialog));
  });
  if (outcome === null) {
    log.info("Bind canceled");
    return;
  }
  reportChange(log, outcome, dryRun);
  await print(invocation, toJsonResult(outcome, dryRun), (_, style) =>
    outcome.preview === null
      ? renderBinding(outcome.binding, style)
      : renderDryRun(outcome.binding, outcome.preview, style),
  );
}

function createDialog(
  invocation: Invocation,
  provider: HostedProvider,
  { explain }: BindOptions,
): BindDialog {
  const { io, log, globals } = invocation;
  return {
    canAsk: io.canPrompt,
    explain: explain && !globals.json ? (resolution) => explainRanks(log, resolution) : null,
    mayReplace: (existing) => mayReplace(io, existing, HINTS.replaceBinding(provider)),
    choose: (rows) => pickResource(invocation, rows),
  };
}

function explainRanks(log: Log, { match_type, display_label, candidates }: BindResolveResponse): void {
  if (match_type === "exact") log.info(`${display_label ?? "An unnamed resource"} is the only exact match.`);
  for (const { sort_position, display_label: label, confidence, match_reason } of candidates) {
    log.info(`${sort_position + 1}. ${label}: ${confidence}, ${match_reason}`);
  }
}

function toJsonResult({ binding, boundAt, replaced }: BindOutcome, dryRun: boolean) {
  const { project_slug: _, ...facts } = bindingToJson(binding);
  return {
    ...facts,
    bound_at: boundAt,
    replaced: replaced === null ? null : bindingToJson(replaced),
    dry_run: dryRun,
  };
}
