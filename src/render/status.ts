import type { InstallationStatus, ProjectStatus } from "../protocol.ts";
import { count, escapeText } from "../shared/text.ts";
import type { Style } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";

/** Draws the state of one binding. */
export function renderProjectStatus(status: ProjectStatus, style: Style): string {
  return renderFacts(
    [
      ["Resource", status.display_label],
      ["Provider", status.provider],
      ["Workspace", status.provider_context?.workspace_name],
      ["Reference", status.binding_ref],
      ["Connected", status.connected === null ? null : status.connected ? "yes" : "no"],
      ["Sync", status.sync_state],
      ["Last synced", status.last_synced_at],
      ["Issues", status.issue_count],
      ["Open conflicts", status.open_conflicts],
      ["Last error", status.last_error],
    ],
    style,
  );
}

/** Draws the state of installations: a line about each, then its bindings. */
export function renderInstallations(installations: readonly InstallationStatus[], style: Style): string {
  if (installations.length === 0) return "Nothing is connected.\n";
  return installations.map((installation) => renderInstallation(installation, style)).join("\n");
}

function renderInstallation(installation: InstallationStatus, style: Style): string {
  const { provider, connected, resource_count, bindings } = installation;
  const title = [
    style.colors.bold(escapeText(provider ?? "provider")),
    connected === false ? "not connected" : "connected",
    resource_count === null ? "" : count(resource_count, "resource"),
    count(bindings.length, "binding"),
  ];
  const heading = `${title.filter(Boolean).join(", ")}\n`;
  if (bindings.length === 0) return heading;
  const rows = bindings.map((binding) => [
    { text: binding.display_label ?? "" },
    { text: binding.project_slug ?? "" },
    { text: binding.status ?? "" },
    { text: binding.last_synced_at ?? "never" },
    { text: binding.binding_ref },
  ]);
  return heading + renderTable(["Resource", "Project", "Status", "Last synced", "Reference"], rows, style);
}
