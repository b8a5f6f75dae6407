import type { Mapping } from "../protocol.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** Draws mappings as a table, those of work packages by these; nothing when there are none. */
export function renderMappings(mappings: readonly Mapping[], style: Style): string {
  if (mappings.length === 0) return "";
  return mappings.some(({ wp_id }) => wp_id !== null)
    ? renderWorkPackages(mappings, style)
    : renderBindings(mappings, style);
}

/** Which project is bound to which resource. */
function renderBindings(mappings: readonly Mapping[], style: Style): string {
  const rows = mappings.map((mapping) => [
    { text: mapping.display_label ?? mapping.external_key ?? mapping.external_id ?? "" },
    { text: mapping.provider ?? "" },
    { text: mapping.project_slug ?? "" },
    { text: mapping.status ?? "" },
    { text: mapping.binding_ref ?? "", isWhole: true },
  ]);
  return renderTable(["Resource", "Provider", "Project", "Status", "Reference"], rows, style);
}

/** Which issue stands for which work package. */
function renderWorkPackages(mappings: readonly Mapping[], style: Style): string {
  const rows = mappings.map((mapping) => [
    { text: mapping.wp_id ?? "", isWhole: true },
    { text: mapping.external_key ?? mapping.external_id ?? "", isWhole: true },
    { text: mapping.display_label ?? "" },
    { text: mapping.provider ?? "" },
    { text: mapping.external_url ?? "" },
  ]);
  return renderTable(["Work package", "Issue", "Resource", "Provider", "Address"], rows, style);
}
