import type { Mapping } from "../protocol.ts";
import type { Style } from "./style.ts";
import { renderTable } from "./table.ts";

/** Draws mappings as a table; nothing when there are none. */
export function renderMappings(mappings: readonly Mapping[], style: Style): string {
  if (mappings.length === 0) return "";
  const rows = mappings.map((mapping) => [
    { text: mapping.display_label ?? mapping.external_key ?? mapping.external_id ?? "" },
    { text: mapping.provider ?? "" },
    { text: mapping.project_slug ?? "" },
    { text: mapping.status ?? "" },
    { text: mapping.binding_ref ?? "", isWhole: true },
  ]);
  return renderTable(["Resource", "Provider", "Project", "Status", "Reference"], rows, style);
}
