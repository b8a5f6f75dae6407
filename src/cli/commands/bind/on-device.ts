import type { ConfiguredBinding, LocalBindOutcome } from "../../../service.ts";
import { UsageError } from "../../../shared/errors.ts";
import type { LocalProvider } from "../../../shared/providers.ts";
import { pairsOf } from "../../input.ts";
import { type Invocation, print, required, withService } from "../../invocation.ts";
import { doctrineFlags } from "../../ownership-flags.ts";
import { renderDryRun, renderLocalBinding } from "../../render/binding.ts";
import { mayReplace, tellChange } from "./replace.ts";

/** Flags that choose among what a control plane offers. */
const HOSTED_FLAGS = ["select", "match", "bind-ref", "explain"] as const;

/** The flags of `tracker bind` as far as local providers take or refuse them. */
type LocalBindFlags = Readonly<
  Record<
    "workspace" | "doctrine-mode" | "conflict-strategy" | "select" | "match" | "bind-ref",
    string | undefined
  > &
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
      doctrine: doctrineFlags(flags, tokens),
      dryRun,
    };
    const existing = await service.currentBinding();
    const replaces = flags.yes === true || dryRun || isSame(existing, request);
    const command = `tracker bind --provider ${provider} --workspace NAME --yes`;
    if (existing !== null && !replaces && !(await mayReplace(invocation.io, existing, command))) return null;
    return service.bindLocal(request);
  });
  if (outcome === null) {
    log.info("Bind cancelled");
    return;
  }
  tellChange(log, outcome, dryRun);
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

function toJsonResult({ provider, workspace, replaced }: LocalBindOutcome, dryRun: boolean) {
  return { provider, workspace, replaced, dry_run: dryRun };
}
