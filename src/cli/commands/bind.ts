import type { BindCandidate, BindDialog, BindOutcome, Selection } from "../../service.ts";
import { narrowCandidates, numberOf, orderCandidates, SelectionRequiredError } from "../../service.ts";
import { UsageError } from "../../shared/errors.ts";
import { type HostedProvider, isLocal, parseProvider, providerName } from "../../shared/providers.ts";
import { type ArgumentDefs, type Arguments, defineAction, positiveInteger } from "../argv.ts";
import { HINTS } from "../hints.ts";
import { type Invocation, print, withService } from "../invocation.ts";
import { OWNERSHIP_ARGS } from "../ownership-flags.ts";
import { renderBinding, renderDryRun } from "../render/binding.ts";
import { renderCandidates } from "../render/candidates.ts";
import { styleOf } from "../render/style.ts";
import { bindLocal } from "./bind/on-device.ts";
import { mayReplace, reportChange } from "./bind/replace.ts";

const ARGS = {
  provider: { type: "string", required: true, valueHint: "NAME", description: "Provider to bind to" },
  select: { type: "string", valueHint: "N", description: "Bind candidate number N" },
  match: { type: "string", valueHint: "TEXT", description: "Bind the candidate with this label or key" },
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
    if (isLocal(provider)) return bindLocal(invocation, provider, args);
    const selection = selectionOf(args.select, args.match, args["bind-ref"]);
    refuseLocalFlags(provider, args);
    await bind(invocation, {
      provider,
      selection,
      replaces: args.yes || selection.by !== "person",
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
  return { by: "person" };
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
  const outcome = await withService(invocation, async (service) => {
    const { provider } = options;
    const existing = await service.currentBinding();
    const asks = existing !== null && !options.replaces && !options.dryRun;
    const hint = HINTS.replaceBinding(provider);
    if (asks && !(await mayReplace(invocation.io, existing, hint))) return null;
    const request = { provider, selection: options.selection, dryRun: options.dryRun };
    return service.bind(request, await createDialog(invocation, options));
  });
  if (outcome === null) {
    log.info("Bind cancelled");
    return;
  }
  reportChange(log, outcome, options.dryRun);
  await print(invocation, toJsonResult(outcome, options.dryRun), (_, style) =>
    outcome.preview === null ? renderBinding(outcome, style) : renderDryRun(outcome, outcome.preview, style),
  );
}

async function createDialog(
  invocation: Invocation,
  { explain, selection }: BindOptions,
): Promise<BindDialog> {
  const { io, log, globals } = invocation;
  const style = await styleOf(io, io.stderr);
  /** The picker shows every reason by itself. */
  const willAsk = selection.by === "person";
  const draw = (candidates: readonly BindCandidate[]): void => {
    io.stderr.write(
      renderCandidates(
        candidates.map((candidate) => ({ ...candidate, number: numberOf(candidate) })),
        style,
      ),
    );
  };
  return {
    resolved: ({ match_type, display_label, candidates }) => {
      if (!explain || globals.json) return;
      if (match_type === "exact")
        log.info(`${display_label ?? "An unnamed resource"} is the only exact match.`);
      else if (!willAsk) draw(orderCandidates(candidates));
    },
    exactOverridesSelection: ({ display_label, binding_ref }) => {
      log.info(
        `${display_label ?? "An unnamed resource"} is the only exact match, so it was bound instead of your selection.`,
      );
      if (binding_ref !== null) log.info(HINTS.chooseAgain(binding_ref));
    },
    choose: async (candidates) => {
      if (!io.canPrompt) {
        const what =
          candidates.length === 1
            ? "One resource may fit this project."
            : "Several resources fit this project.";
        throw new SelectionRequiredError(what, candidates);
      }
      draw(candidates);
      return ask(invocation, candidates, draw);
    },
  };
}

/** One line of input at a time: a number chooses, text narrows the list, end of input cancels. */
async function ask(
  { io }: Invocation,
  candidates: readonly BindCandidate[],
  draw: (candidates: readonly BindCandidate[]) => void,
): Promise<BindCandidate | null> {
  for (;;) {
    io.stderr.write("Number, or text to narrow the list: ");
    const answer = await io.stdin.readLine();
    if (answer === null) {
      io.stderr.write("\n");
      return null;
    }
    const text = answer.trim();
    if (text === "") {
      io.stderr.write("Nothing was entered. Ctrl-D cancels.\n");
      continue;
    }
    const chosen = candidates.find((candidate) => String(numberOf(candidate)) === text);
    if (chosen !== undefined) return chosen;
    if (/^\d+$/.test(text)) {
      io.stderr.write("No candidate has this number.\n");
      continue;
    }
    const narrowed = narrowCandidates(candidates, text);
    if (narrowed.length > 0) draw(narrowed);
    else io.stderr.write("No candidate contains this text.\n");
  }
}

function toJsonResult({ binding, boundAt, replaced }: BindOutcome, dryRun: boolean): unknown {
  return {
    provider: binding.provider,
    binding_ref: binding.bindingRef,
    display_label: binding.displayLabel,
    provider_context: binding.providerContext,
    bound_at: boundAt,
    replaced,
    dry_run: dryRun,
  };
}
