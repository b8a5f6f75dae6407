import type { NumberedResource } from "../../discovery.ts";
import type { BindableResource } from "../../protocol.ts";
import { escapeText } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** Draws discovered resources as a table. */
export function renderResources(resources: readonly NumberedResource[], style: Style): string {
  const { colors, glyphs } = style;
  const rows = resources.map(({ number, resource }) => [
    { text: number === null ? "-" : String(number) },
    { text: resource.display_label },
    { text: resource.provider },
    { text: workspaceOf(resource) },
    resource.binding_ref === null
      ? { text: `${glyphs.available} available`, paint: colors.dim }
      : { text: `${glyphs.bound} bound`, paint: colors.green },
  ]);
  return renderTable(["#", "Resource", "Provider", "Workspace", "Status"], rows, style);
}

function workspaceOf({ provider_context }: BindableResource): string {
  return provider_context.workspace_name ?? provider_context.team_name ?? "";
}

/** The line under the table when `bind` would not ask. */
export function renderBindsUnasked(provider: string, label: string): string {
  return escapeText(HINTS.bindsUnasked(provider, certain(label)));
}

/** The line under the table when that bind was made. */
export function renderIsBound(label: string): string {
  return escapeText(`This project is bound to ${certain(label)}.`);
}

function certain(label: string): string {
  return label === "" ? "its one exact match" : label;
}

/** Discovered resources for programs, keys in documented order. */
export function resourcesToJson(resources: readonly NumberedResource[]): unknown {
  return resources.map(({ number, resource }) => ({
    number,
    candidate_token: resource.candidate_token,
    display_label: resource.display_label,
    provider: resource.provider,
    provider_context: resource.provider_context,
    binding_ref: resource.binding_ref,
    bound_project_slug: resource.bound_project_slug,
    bound_at: resource.bound_at,
    is_bound: resource.binding_ref !== null,
  }));
}
