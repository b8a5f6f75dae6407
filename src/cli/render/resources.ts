import type { NumberedResource } from "../../discovery.ts";
import type { BindableResource } from "../../protocol.ts";
import { escapeText } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** A resource in a list; its number is null where `--select` cannot take it. */
export interface ListedResource extends Omit<NumberedResource, "number"> {
  readonly number: number | null;
}

/** Draws the candidates under a heading of their own, then the other resources. */
export function renderResources(rows: readonly ListedResource[], style: Style): string {
  const isRanked = ({ candidate }: ListedResource) => candidate !== null;
  const [ranked, rest] = [rows.filter(isRanked), rows.filter((row) => !isRanked(row))];
  if (ranked.length === 0 || !style.isTerminal) return renderRows(rows, style);
  const heading = (text: string) => `${style.colors.bold(text)}\n`;
  const first = `${heading("Candidates")}${renderRows(ranked, style)}`;
  return rest.length === 0 ? first : `${first}\n${heading("Other resources")}${renderRows(rest, style)}`;
}

function renderRows(rows: readonly ListedResource[], style: Style): string {
  const { colors, glyphs } = style;
  const cells = rows.map(({ number, label, resource }) => {
    const projects = (resource?.bindings ?? []).flatMap(({ project_slug }) => project_slug ?? []);
    const shared = projects.length > 1 ? `, also: ${projects.slice(1).join(", ")}` : "";
    return [
      { text: number === null ? "-" : String(number) },
      { text: label },
      { text: resource?.provider ?? "" },
      { text: resource === null ? "" : workspaceOf(resource) },
      resource === null || resource.binding_ref === null
        ? { text: `${glyphs.available} available`, paint: colors.dim }
        : { text: `${glyphs.bound} bound${shared}`, paint: colors.green },
    ];
  });
  return renderTable(["#", "Resource", "Provider", "Workspace", "Status"], cells, style);
}

function workspaceOf({ provider_context }: BindableResource): string {
  return provider_context.workspace_name ?? provider_context.team_name ?? "";
}

export function renderBindsUnasked(provider: string, label: string): string {
  return escapeText(HINTS.bindsUnasked(provider, certain(label)));
}

export function renderIsBound(label: string): string {
  return escapeText(`This project is bound to ${certain(label)}.`);
}

function certain(label: string): string {
  return label === "" ? "its one exact match" : label;
}

/** Keys are in documented order. */
export function resourcesToJson(rows: readonly ListedResource[]): unknown {
  return rows.map(({ number, candidateToken, label, resource }) => ({
    number,
    candidate_token: candidateToken,
    display_label: label,
    provider: resource?.provider ?? null,
    provider_context: resource?.provider_context ?? {},
    binding_ref: resource?.binding_ref ?? null,
    bound_project_slug: resource?.bound_project_slug ?? null,
    bound_at: resource?.bound_at ?? null,
    is_bound: (resource?.binding_ref ?? null) !== null,
  }));
}
