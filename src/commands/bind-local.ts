import { renderDryRun, renderLocalBinding, renderReplacement } from "../render/binding.ts";
import type { ConfiguredBinding, LocalBindOutcome } from "../service.ts";
import { TrackerError, UsageError } from "../shared/errors.ts";
import type { LocalProvider } from "../shared/providers.ts";
import { confirm } from "./ask.ts";
import { pairsOf } from "./input.ts";
import { type Invocation, print, required, withService } from "./invocation.ts";

/** Flags that choose among what a control plane offers. */
const HOSTED_FLAGS = ["select", "match", "bind-ref", "explain"] as const;

/** The flags of `tracker bind` as far as local providers take or refuse them. */
type LocalBindFlags = Readonly<
  Record<"workspace" | "doctrine-mode" | "select" | "match" | "bind-ref", string | undefined> &
    Record<"yes" | "dry-run" | "explain", boolean | undefined>
>;

/** `tracker bind --provider beads|fp`: no control plane is asked. */
export async function bindLocal(
  invocation: Invocation,
  provider: LocalProvider,
  flags: LocalBindFlags,
  tokens: readonly string[],
): Promise<void> {
  const { log } = invocation;
  const refused = HOSTED_FLAGS.find((flag) => flags[flag] !== undefined && flags[flag] !== false);
  if (refused !== undefined) {
    throw new UsageError(`--${refused} is for hosted providers: ${provider} is bound by its --workspace.`);
  }
  const workspace = required(
    "--workspace",
    flags.workspace,
    `tracker bind --provider ${provider} --workspace payments`,
  );
  const dryRun = flags["dry-run"] === true;
  const outcome = await withService(invocation, async (service) => {
    const request = {
      provider,
      workspace,
      credentials: pairsOf("credential", tokens),
      mode: flags["doctrine-mode"] ?? null,
      fieldOwners: pairsOf("field-owner", tokens),
      dryRun,
    };
    const existing = service.localBinding();
    const replaces = flags.yes === true || dryRun || isSame(existing, request);
    if (existing !== null && !replaces && !(await mayReplace(invocation, existing, provider))) return null;
    return service.bindLocal(request);
  });
  if (outcome === null) {
    log.info("Bind cancelled");
    return;
  }
  if (outcome.replaced !== null) {
    log.info(`${dryRun ? "Would replace" : "Replaced"} ${renderReplacement(outcome.replaced)}.`);
  }
  if (outcome.isNewProject && !dryRun) log.info(`Created ${outcome.configPath}`);
  await print(invocation, toJsonResult(outcome, dryRun), (_, style) => {
    const drawn = { binding: { provider, bindingRef: null, displayLabel: workspace } };
    return outcome.preview === null
      ? renderLocalBinding(drawn, style)
      : renderDryRun(drawn, outcome.preview, style);
  });
}

function isSame(
  existing: ConfiguredBinding | null,
  { provider, workspace }: { readonly provider: string; readonly workspace: string },
): boolean {
  return existing?.provider === provider && existing.display_label === workspace;
}

async function mayReplace(
  { io }: Invocation,
  existing: ConfiguredBinding,
  provider: LocalProvider,
): Promise<boolean> {
  const text = renderReplacement(existing);
  if (!io.canPrompt) {
    throw new TrackerError("already_bound_here", `This project is bound to ${text}.`, {
      hint: `Replace it: tracker bind --provider ${provider} --workspace NAME --yes`,
    });
  }
  io.stderr.write(`This project is bound to ${text}.\n`);
  return confirm(io, "Replace it?");
}

function toJsonResult({ provider, workspace, replaced }: LocalBindOutcome, dryRun: boolean) {
  return { provider, workspace, replaced, dry_run: dryRun };
}
