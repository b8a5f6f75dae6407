import { providerName } from "../../shared/providers.ts";
import { escapeText } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import { renderDiff } from "./diff.ts";
import type { Style } from "./style.ts";
import { renderFacts } from "./table.ts";

/** The drawn part of a binding in a config. */
interface DrawnBinding {
  readonly provider: string;
  readonly binding_ref: string | null;
  readonly project_slug: string | null;
  readonly display_label: string | null;
  readonly provider_context: Readonly<Record<string, string>> | null;
}

/** The drawn part of a finished bind. */
interface DrawnOutcome {
  readonly binding: {
    readonly provider: string;
    readonly bindingRef: string | null;
    readonly displayLabel: string | null;
  };
}

/** A file as it is and as it would become. */
interface DrawnPreview {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** Draws a new binding. */
export function renderBinding({ binding }: DrawnOutcome, style: Style): string {
  const label = escapeText(binding.displayLabel ?? binding.bindingRef ?? "");
  const facts = renderFacts(
    [
      ["Provider", binding.provider],
      ["Reference", binding.bindingRef],
    ],
    style,
  );
  return `${style.colors.green("Bound to")} ${style.colors.bold(label)}\n${facts}${HINTS.afterBind}\n`;
}

/** Draws a new binding to an on-device provider. */
export function renderLocalBinding({ binding }: DrawnOutcome, style: Style): string {
  const facts = renderFacts([["Provider", binding.provider]], style);
  const label = style.colors.bold(escapeText(binding.displayLabel ?? ""));
  return `${style.colors.green("Bound to")} ${label}\n${facts}${HINTS.afterBind}\n`;
}

/** Draws the binding and the change of the config that a bind would make. */
export function renderDryRun(
  { binding }: DrawnOutcome,
  { path, before, after }: DrawnPreview,
  style: Style,
): string {
  const label = escapeText(binding.displayLabel ?? binding.bindingRef ?? "");
  return [
    `Would bind to ${style.colors.bold(label)} (${escapeText(providerName(binding.provider))})\n`,
    `${style.colors.dim(escapeText(path))}\n`,
    renderDiff(before, after, style),
  ].join("");
}

/** A binding in a few words, escaped: label, provider, reference. */
export function renderReplacement({
  display_label,
  provider,
  binding_ref,
  project_slug,
}: DrawnBinding): string {
  const reference = binding_ref ?? project_slug;
  const name = display_label ?? reference ?? "an unnamed resource";
  const owner = providerName(provider);
  const details = reference === null || name === reference ? owner : `${owner}, ${reference}`;
  return escapeText(`${name} (${details})`);
}

/** Draws the binding that a config holds. */
export function renderConfiguredBinding(binding: DrawnBinding, style: Style): string {
  return renderFacts(
    [
      ["Resource", binding.display_label],
      ["Provider", binding.provider],
      ["Workspace", binding.provider_context?.workspace_name],
      ["Reference", binding.binding_ref],
      ["Project slug", binding.binding_ref === null ? binding.project_slug : null],
    ],
    style,
  );
}
