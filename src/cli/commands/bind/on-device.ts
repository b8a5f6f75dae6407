import type { Binding } from "../../../config.ts";
import type { ConfigChange } from "../../../service/config-change.ts";
import { UsageError } from "../../../shared/errors.ts";
import { type LocalProvider, providerName } from "../../../shared/providers.ts";
import { pairsOf } from "../../argv.ts";
import { HINTS } from "../../hints.ts";
import { type Invocation, print, withService } from "../../invocation.ts";
import { ownershipFlags } from "../../ownership-flags.ts";
import { bindingToJson, renderBinding, renderDryRun } from "../../render/binding.ts";
import type { BindArgs } from "../bind.ts";
import { mayReplace, reportChange } from "./replace.ts";

/** Flags that choose among a control plane's resources. */
const HOSTED_FLAGS = ["select", "match", "bind-ref", "explain"] as const;

export async function bindOnDevice(
  invocation: Invocation,
  provider: LocalProvider,
  flags: BindArgs,
): Promise<void> {
  const { log } = invocation;
  const refused = HOSTED_FLAGS.find((flag) => flags[flag] !== undefined && flags[flag] !== false);
  if (refused !== undefined) {
    throw new UsageError(
      `--${refused} is for hosted providers; ${providerName(provider)} needs --workspace.`,
    );
  }
  const { workspace, "dry-run": dryRun } = flags;
  if (workspace === undefined) {
    throw new UsageError("--workspace is missing.", { hint: HINTS.bindWorkspace(provider, "payments") });
  }
  const outcome = await withService(invocation, async (service) => {
    const request = {
      provider,
      workspace,
      credentials: pairsOf("credential", flags.credential),
      doctrine: ownershipFlags(flags),
      dryRun,
    };
    const existing = await service.currentBinding();
    const replaces = flags.yes || dryRun || isSame(existing, request);
    const hint = HINTS.replaceWorkspace(provider);
    if (existing !== null && !replaces && !(await mayReplace(invocation.io, existing, hint))) return null;
    return service.bindOnDevice(request);
  });
  if (outcome === null) {
    log.info("Bind canceled");
    return;
  }
  reportChange(log, outcome, dryRun);
  await print(invocation, toJsonResult(outcome, dryRun), (_, style) => {
    return outcome.preview === null
      ? renderBinding(outcome.binding, style)
      : renderDryRun(outcome.binding, outcome.preview, style);
  });
}

function isSame(
  existing: Binding | null,
  { provider, workspace }: { readonly provider: string; readonly workspace: string },
): boolean {
  return existing?.provider === provider && existing.workspace === workspace;
}

function toJsonResult({ binding: { provider, workspace }, replaced }: ConfigChange, dryRun: boolean) {
  return {
    provider,
    workspace,
    replaced: replaced === null ? null : bindingToJson(replaced),
    dry_run: dryRun,
  };
}
