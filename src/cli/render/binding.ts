import type { Binding } from "../../config.ts";
import { providerName } from "../../shared/providers.ts";
import { escapeText } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import { renderDiff } from "./diff.ts";
import type { Style } from "./style.ts";
import { renderFacts } from "./table.ts";

interface DrawnPreview {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

export function renderBinding(binding: Binding, style: Style): string {
  const facts = renderFacts(
    [
      ["Provider", binding.provider],
      ["Reference", binding.bindingRef],
    ],
    style,
  );
  return `${style.colors.green("Bound to")} ${style.colors.bold(labelOf(binding))}\n${facts}${HINTS.afterBind}\n`;
}

export function renderDryRun(binding: Binding, { path, before, after }: DrawnPreview, style: Style): string {
  return [
    `Would bind to ${style.colors.bold(labelOf(binding))} (${escapeText(providerName(binding.provider))})\n`,
    `${style.colors.dim(escapeText(path))}\n`,
    renderDiff(before, after, style),
  ].join("");
}

function labelOf({ displayLabel, workspace, bindingRef }: Binding): string {
  return escapeText(displayLabel ?? workspace ?? bindingRef ?? "");
}

/** The escaped label, provider and reference. */
export function renderReplacement({
  displayLabel,
  workspace,
  provider,
  bindingRef,
  projectSlug,
}: Binding): string {
  const reference = bindingRef ?? projectSlug;
  const name = displayLabel ?? workspace ?? reference ?? "an unnamed resource";
  const owner = providerName(provider);
  const details = reference === null || name === reference ? owner : `${owner}, ${reference}`;
  return escapeText(`${name} (${details})`);
}

export function renderConfiguredBinding(binding: Binding, style: Style): string {
  return renderFacts(
    [
      ["Resource", binding.displayLabel ?? binding.workspace],
      ["Provider", binding.provider],
      ["Workspace", binding.providerContext?.workspace_name],
      ["Reference", binding.bindingRef],
      ["Project slug", binding.bindingRef === null ? binding.projectSlug : null],
    ],
    style,
  );
}

/** A binding for programs, keys in documented order; an on-device one is labeled by its workspace. */
export function bindingToJson(binding: Binding) {
  return {
    provider: binding.provider,
    binding_ref: binding.bindingRef,
    project_slug: binding.projectSlug,
    display_label: binding.displayLabel ?? binding.workspace,
    provider_context: binding.providerContext,
  };
}
