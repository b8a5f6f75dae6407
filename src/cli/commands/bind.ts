import { defineCommand } from "citty";
import type { BindCandidate, BindDialog, BindOutcome, Selection } from "../../service.ts";
import {
  narrowCandidates,
  numberOf,
  orderCandidates,
  requireHosted,
  SelectionRequiredError,
} from "../../service.ts";
import { UsageError } from "../../shared/errors.ts";
import { isHosted, isLocal, parseProvider } from "../../shared/providers.ts";
import { type Invocation, positiveInteger, print, required, withService } from "../invocation.ts";
import { DOCTRINE_ARGS } from "../ownership-flags.ts";
import { renderBinding, renderDryRun } from "../render/binding.ts";
import { renderCandidates } from "../render/candidates.ts";
import { styleOf } from "../render/style.ts";
import { bindLocal } from "./bind/on-device.ts";
import { mayReplace, tellChange } from "./bind/replace.ts";

/** `tracker bind` */
export function bindCommand(invocation: Invocation) {
  const args = {
    provider: { type: "string", valueHint: "NAME", description: "Provider to bind to" },
    select: { type: "string", valueHint: "N", description: "Take candidate number N" },
    match: { type: "string", valueHint: "TEXT", description: "Take the candidate with this label or key" },
    "bind-ref": { type: "string", valueHint: "REF", description: "Take this existing binding" },
    yes: { type: "boolean", description: "Replace an existing binding without asking" },
    "dry-run": { type: "boolean", description: "Show what would be bound and written" },
    explain: { type: "boolean", description: "Tell why each candidate ranks where it does" },
    workspace: { type: "string", valueHint: "NAME", description: "Workspace (local providers)" },
    ...DOCTRINE_ARGS,
    credential: {
      type: "string",
      valueHint: "KEY=VALUE",
      description: "How a local provider's program is run: command=… or cwd=…; repeatable",
    },
  } as const;
  return defineCommand({
    meta: { name: "bind", description: "Bind this project to a tracker resource" },
    args,
    run: async ({ args, rawArgs }) => {
      const provider = required("--provider", args.provider, "tracker bind --provider linear");
      const local = parseProvider(provider);
      if (isLocal(local)) return bindLocal(invocation, local, args, rawArgs);
      const selection = selectionOf(args.select, args.match, args["bind-ref"]);
      refuseLocalFlags(provider, args);
      await bind(invocation, {
        provider,
        selection,
        replaces: args.yes === true || selection.by !== "person",
        dryRun: args["dry-run"] === true,
        explain: args.explain === true,
      });
    },
  });
}

interface BindOptions {
  readonly provider: string;
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

/** Flags of the local providers mean nothing to a hosted one. */
function refuseLocalFlags(
  name: string,
  args: Readonly<Record<(typeof LOCAL_FLAGS)[number] | "credential", string | undefined>>,
): void {
  const provider = parseProvider(name);
  if (!isHosted(provider)) return;
  if (args.credential !== undefined) {
    throw new UsageError(`--credential is not for ${provider}: hosted providers keep no credential here.`, {
      hint: "Connect the provider in the control plane's dashboard; to authenticate yourself, run `tracker auth login --with-token`.",
    });
  }
  const flag = LOCAL_FLAGS.find((candidate) => args[candidate] !== undefined);
  if (flag === undefined) return;
  throw new UsageError(`--${flag} is for local providers, not for ${provider}.`, {
    ...(flag !== "workspace" && {
      hint: "Who owns the fields of a hosted resource is kept with its mapping: tracker host mappings update REF --doctrine-mode MODE",
    }),
  });
}

async function bind(invocation: Invocation, options: BindOptions): Promise<void> {
  const { log } = invocation;
  const outcome = await withService(invocation, async (service) => {
    const provider = requireHosted(options.provider);
    await service.chooseControlPlane();
    const existing = await service.currentBinding();
    const asks = existing !== null && !options.replaces && !options.dryRun;
    const command = `tracker bind --provider ${provider} --yes`;
    if (asks && !(await mayReplace(invocation.io, existing, command))) return null;
    const request = { provider, selection: options.selection, dryRun: options.dryRun };
    return service.bind(request, await createDialog(invocation, options));
  });
  if (outcome === null) {
    log.info("Bind cancelled");
    return;
  }
  tellChange(log, outcome, options.dryRun);
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
  /** Whoever has to choose is shown every reason by what asks for the choice. */
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
      if (match_type === "exact") log.info(`The one exact match is ${display_label ?? "unnamed"}.`);
      else if (!willAsk) draw(orderCandidates(candidates));
    },
    notOffered: ({ display_label, project_slug }, hint) => {
      log.info(`${display_label} is not offered: it is bound to project "${project_slug}". ${hint}`);
    },
    exactOverridesSelection: ({ display_label, binding_ref }) => {
      log.info(`The one exact match is ${display_label ?? "unnamed"}; your selection was not used.`);
      if (binding_ref !== null) log.info(`To choose again: tracker host mappings delete ${binding_ref}`);
    },
    choose: async (candidates) => {
      if (!io.canPrompt) {
        const what =
          candidates.length === 1
            ? "One resource may be this project's, but that is not certain."
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
      io.stderr.write("There is no such number.\n");
      continue;
    }
    const narrowed = narrowCandidates(candidates, text);
    if (narrowed.length > 0) draw(narrowed);
    else io.stderr.write("Nothing in the list contains that.\n");
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
