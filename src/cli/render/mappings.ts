import type { Mapping } from "../../protocol.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** Draws nothing when there are no mappings. */
export function renderMappings(mappings: readonly Mapping[], style: Style): string {
  if (mappings.length === 0) return "";
  if (mappings.some(({ wp_id }) => wp_id !== null)) return renderWorkPackages(mappings, style);
  const rows = mappings.map((mapping) => [
    { text: mapping.display_label ?? mapping.external_key ?? mapping.external_id ?? "" },
    { text: mapping.provider ?? "" },
    { text: mapping.project_slug ?? "" },
    { text: mapping.status ?? "" },
    { text: mapping.binding_ref ?? "", isWhole: true },
  ]);
  return renderTable(["Resource", "Provider", "Project", "Status", "Reference"], rows, style);
}

function renderWorkPackages(mappings: readonly Mapping[], style: Style): string {
  const rows = mappings.map(({ wp_id, external_key, external_id, external_url, display_label }) => [
    { text: wp_id ?? "", paint: style.colors.bold },
    { text: external_key ?? external_id ?? "" },
    { text: external_url ?? "" },
    { text: display_label ?? "" },
  ]);
  return renderTable(["Work package", "Issue", "Address", "Resource"], rows, style);
}
