import type { BindResolveResponse } from "../../protocol.ts";
import type { BindDialog, BindOutcome, Selection } from "../../service/bind.ts";
import { UsageError } from "../../shared/errors.ts";
import type { Log } from "../../shared/log.ts";
import { type HostedProvider, isLocal, parseProvider, providerName } from "../../shared/providers.ts";
import { type ArgumentDefs, type Arguments, defineAction, positiveInteger } from "../argv.ts";
import { HINTS } from "../hints.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { OWNERSHIP_ARGS } from "../ownership-flags.ts";
import { pickResource } from "../picker.ts";
import { bindingToJson, renderBinding, renderDryRun } from "../render/binding.ts";
import { bindOnDevice } from "./bind/on-device.ts";
import { mayReplace, reportChange } from "./bind/replace.ts";

const ARGS = {
  provider: { type: "string", required: true, valueHint: "NAME", description: "Provider to bind to" },
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
    const provider = parseProvider(args.provider);
    if (isLocal(provider)) return bindOnDevice(invocation, provider, args);
    const selection = selectionOf(args.select, args.match, args["bind-ref"]);
    refuseLocalFlags(provider, args);
    await bind(invocation, {
      provider,
      selection,
      replaces: args.yes || selection.by !== "certainty",
      dryRun: args["dry-run"],
      explain: args.explain,
    });
  },
});

interface BindOptions {
  readonly provider: HostedProvider;
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
  const number = positiveInteger("select", select);
  if (number !== undefined) return { by: "number", number };
  if (match !== undefined) return { by: "match", text: match };
  if (bindRef !== undefined) return { by: "reference", bindingRef: bindRef };
  return { by: "certainty" };
}

const LOCAL_FLAGS = ["workspace", "doctrine-mode", "field-owner", "conflict-strategy"] as const;

/** Refuses flags that have no effect with a hosted provider. */
function refuseLocalFlags(provider: HostedProvider, args: BindArgs): void {
  if (args.credential.length > 0) {
    throw new UsageError(
      `--credential is not for ${providerName(provider)}: the control plane stores its credential.`,
      { hint: HINTS.credentialOfHosted(provider) },
    );
  }
  const flag = LOCAL_FLAGS.find((name) => args[name] !== undefined && args[name].length > 0);
  if (flag === undefined) return;
  throw new UsageError(`--${flag} is for on-device providers, not for ${providerName(provider)}.`, {
    ...(flag !== "workspace" && { hint: HINTS.ownershipOfHosted }),
  });
}

async function bind(invocation: Invocation, options: BindOptions): Promise<void> {
  const { log } = invocation;
  const { explain, ...request } = options;
  const dialog = createDialog(invocation, options);
  const outcome = await withService(invocation, (service) => service.bind(request, dialog));
  if (outcome === null) {
    log.info("Bind canceled");
    return;
  }
  reportChange(log, outcome, options.dryRun);
  await print(invocation, toJsonResult(outcome, options.dryRun), (_, style) =>
    outcome.preview === null
      ? renderBinding(outcome.binding, style)
      : renderDryRun(outcome.binding, outcome.preview, style),
  );
}

function createDialog(invocation: Invocation, { provider, explain }: BindOptions): BindDialog {
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
