import type { MissionPublishResponse, MissionSeedResponse } from "../../protocol.ts";
import { providerName } from "../../shared/providers.ts";
import { escapeText } from "../../shared/text.ts";
import { HINTS } from "../hints.ts";
import type { Style } from "./style.ts";
import { renderFacts } from "./table.ts";

/** @param out file that the seed was written to */
export function renderSeed(seed: MissionSeedResponse, style: Style, out?: string): string {
  const { mission_id, source_issue_ref, title, body, status, priority, assignees, labels } = seed;
  const decisions = seed.decision_references.map(({ id, blocking }) => (blocking ? `${id} (blocking)` : id));
  const facts = renderFacts(
    [
      ["Mission", mission_id],
      ["Issue", source_issue_ref.key ?? source_issue_ref.id],
      ["Title", title],
      ["Status", status],
      ["Priority", priority],
      ["Assignees", assignees.join(", ")],
      ["Labels", labels.join(", ")],
      ["Decisions", decisions.join(", ")],
      ["File", out],
    ],
    style,
  );
  if (body === null || body.trim() === "") return facts;
  const lines = body.trimEnd().split(/\r?\n/);
  return `${facts}\n${lines.map((line) => `${escapeText(line)}\n`).join("")}`;
}

export function renderPublished(
  { ref, title, status, omitted }: MissionPublishResponse,
  style: Style,
): string {
  const heading = `${style.colors.green("Published to")} ${style.colors.bold(escapeText(ref.key ?? ref.id))}\n`;
  return (
    heading +
    renderFacts(
      [
        ["Title", title],
        ["Status", status],
        ["Link", ref.url],
        ["Left out", leftOut(ref.system, omitted)],
      ],
      style,
    )
  );
}

/** The parts of an update that the provider has no place for, and the command that configures one. */
function leftOut(system: string, omitted: readonly string[]): string | null {
  if (omitted.length === 0) return null;
  const why =
    system === "jira" && omitted.includes("custom_field")
      ? HINTS.missionFields
      : `${providerName(system)} has no field for it`;
  return `${omitted.map((part) => part.replaceAll("_", " ")).join(", ")} (${why})`;
}
