import * as v from "valibot";
import type { InstallationStatus, ProjectStatus } from "../../protocol.ts";
import { providerName } from "../../shared/providers.ts";
import { count, escapeText, timeAgo } from "../../shared/text.ts";
import { HINTS, NEXT } from "../hints.ts";
import type { Style } from "./style.ts";
import { fitFact, renderFacts, renderTable } from "./table.ts";

/** An extension of the wire: other control planes may omit it. */
const NamedConflicts = v.array(
  v.looseObject({
    issue: v.looseObject({ id: v.string(), key: v.nullish(v.string(), null) }),
    field: v.string(),
  }),
);

/** Width of the names of facts and of the gap after them. */
const LABEL_WIDTH = "Last synced  ".length;

/**
 * Draws at most ten lines.
 *
 * @param now milliseconds since the epoch
 */
export function renderProjectStatus(status: ProjectStatus, now: number, style: Style): string {
  const { provider, provider_context, connected, last_synced_at, sync_state } = status;
  const workspace = provider_context?.workspace_name;
  const of = [provider, workspace, connected === false ? "not connected" : null].filter(Boolean);
  const synced = last_synced_at === null ? "never" : timeAgo(last_synced_at, now);
  const fit = (text: string | null) => (text === null ? null : fitFact(text, LABEL_WIDTH, style));
  const state = sync_state === "running" ? `${synced}, running now` : synced;
  return renderFacts(
    [
      ["Resource", status.display_label],
      ["Provider", of.join(", ")],
      ["Reference", status.binding_ref],
      ["Last synced", state],
      ["Issues", status.issue_count?.toLocaleString("en-US")],
      ["Conflicts", fit(conflictsOf(status, style))],
      ["Last error", fit(status.last_error)],
      ["Next", nextOf(status)],
    ],
    style,
  );
}

/** `3 open: PAY-7 title, PAY-9 status, …` */
function conflictsOf({ open_conflicts, conflicts }: ProjectStatus, { glyphs }: Style): string | null {
  if (open_conflicts === null) return null;
  if (open_conflicts === 0) return "none";
  const named = v.safeParse(NamedConflicts, conflicts);
  const names = named.success
    ? named.output.map(({ issue, field }) => `${issue.key ?? issue.id} ${field}`)
    : [];
  if (names.length === 0) return `${open_conflicts} open`;
  const more = names.length < open_conflicts ? `, ${glyphs.ellipsis}` : "";
  return `${open_conflicts} open: ${names.join(", ")}${more}`;
}

/** No command during a pull, because another one would have to wait. */
function nextOf(status: ProjectStatus): string | null {
  const { provider, connected, sync_state, last_synced_at, open_conflicts, operation_id = null } = status;
  if (connected === false) return NEXT.connect(provider ?? "<provider>");
  if (operation_id !== null) return NEXT.wait(operation_id);
  if ((open_conflicts ?? 0) > 0) return NEXT.conflicts;
  if (sync_state === "running") return null;
  return last_synced_at === null ? NEXT.pullAll : NEXT.run;
}

/**
 * Draws a line per installation, then its bindings.
 *
 * @param now milliseconds since the epoch
 */
export function renderInstallations(
  installations: readonly InstallationStatus[],
  now: number,
  style: Style,
): string {
  if (installations.length === 0) return `No provider is connected.\n${HINTS.noConnections}\n`;
  return installations.map((installation) => renderInstallation(installation, now, style)).join("\n");
}

function renderInstallation(installation: InstallationStatus, now: number, style: Style): string {
  const { provider, connected, resource_count, bindings } = installation;
  const title = [
    style.colors.bold(escapeText(providerName(provider ?? "provider"))),
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
    { text: binding.last_synced_at === null ? "never" : timeAgo(binding.last_synced_at, now) },
    { text: binding.binding_ref, isWhole: true },
  ]);
  return heading + renderTable(["Resource", "Project", "Status", "Last synced", "Reference"], rows, style);
}
