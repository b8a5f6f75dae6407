/** Draws a title, totals, then items that need attention. */
import type { SyncOutcome } from "../../client.ts";
import type { PullResult, RunResult } from "../../protocol.ts";
import { providerName } from "../../shared/providers.ts";
import { escapeText } from "../../shared/text.ts";
import { NEXT } from "../hints.ts";
import type { Style } from "./style.ts";
import { renderFacts, renderTable } from "./table.ts";

type PullPart = RunResult["pull"];
type PushPart = RunResult["push"];
interface Row {
  readonly issue: string;
  readonly outcome: string;
  readonly message: string;
  readonly isNote?: true;
}

const VERBS = {
  pull: { ok: "Pulled from", partial: "Partly pulled from", error: "Could not pull from" },
  push: { ok: "Pushed to", partial: "Partly pushed to", error: "Could not push to" },
  run: { ok: "Synchronized with", partial: "Partly synchronized with", error: "Could not synchronize with" },
} as const;
const GOOD_OUTCOMES: ReadonlySet<string> = new Set(["applied", "noop"]);
const SHOWN_CREATED = 10;

/** @param out file that pulled issues were written to */
export function renderSync(outcome: SyncOutcome, style: Style, out?: string): string {
  const { kind, result } = outcome;
  if (kind === "run" && result.dry_run === true) return renderPlan(result, style);
  const { pull, push } = partsOf(outcome);
  const conflicts = (push.items ?? []).filter((item) => item.outcome === "conflict").length;
  const { colors } = style;
  const paint = result.status === "ok" ? colors.green : colors.red;
  const title = paint(`${VERBS[kind][result.status]} ${escapeText(providerOf(result))}`);
  const facts = renderFacts(
    [
      ["Identity", result.identity_path?.type],
      ["Pulled", kind === "run" ? totals(pull.summary) : null],
      ["Pushed", kind === "run" ? totals(push.summary) : null],
      ["Total", kind === "pull" && isNothing(result) ? NOTHING_NEW : totals(result.summary)],
      ["Created", createdBy(push, style)],
      ["Conflicts", kind === "pull" ? null : conflicts],
      ["File", out],
      ["More", pull.has_more === true ? `yes: ${NEXT.pullAll}` : null],
      ["Next", conflicts > 0 && mayWait(result) ? NEXT.conflicts : null],
    ],
    style,
  );
  return `${title}\n${facts}${renderRows([...errorRows(pull.item_errors), ...pushRows(push)], style)}`;
}

const NOTHING_NEW = "0 (nothing new; --full fetches everything again)";

function isNothing({ status, summary }: SyncOutcome["result"]): boolean {
  return status === "ok" && summary.total === 0;
}

/** Every other strategy decides conflicts by itself. */
function mayWait({ doctrine }: SyncOutcome["result"]): boolean {
  return doctrine?.conflict_strategy === "manual_review";
}

function createdBy({ items }: PushPart, { glyphs }: Style): string | null {
  const names = (items ?? [])
    .filter(({ action, outcome }) => action === "create" && outcome === "applied")
    .map(({ remote_ref }) => nameOf(remote_ref))
    .filter((name) => name !== "");
  const shown = names.slice(0, SHOWN_CREATED).join(", ");
  return names.length > SHOWN_CREATED ? `${shown}, ${glyphs.ellipsis}` : shown;
}

function renderPlan(result: RunResult, style: Style): string {
  const { pull, push } = result;
  const pulled = (pull.items ?? []).map(({ ref, title }) => ["would pull", nameOf(ref), title]);
  const pushed = (push.items ?? [])
    .filter(({ outcome }) => outcome === "applied")
    .map(({ action, ref, remote_ref }) => [
      `would ${action}`,
      nameOf(ref) || nameOf(remote_ref),
      titleOf(ref),
    ]);
  const steps = [...pulled, ...pushed].map((row) => row.map((text) => ({ text })));
  const title = steps.length === 0 ? "A run would change nothing" : "A run would do this";
  const table = steps.length === 0 ? "" : renderTable(["Step", "Issue", "Title"], steps, style);
  const problems = renderRows([...errorRows(pull.item_errors), ...pushRows(push)], style);
  return `${title} (${escapeText(providerOf(result))}); nothing was written.\n${table}${problems}`;
}

function partsOf(outcome: SyncOutcome): { readonly pull: PullPart; readonly push: PushPart } {
  switch (outcome.kind) {
    case "pull":
      return { pull: outcome.result, push: {} };
    case "push":
      return { pull: {}, push: outcome.result };
    case "run":
      return { pull: outcome.result.pull, push: outcome.result.push };
  }
}

/** On-device providers have no identity path. */
function providerOf({ identity_path, provider }: SyncOutcome["result"]): string {
  const name = identity_path?.provider ?? provider;
  return typeof name === "string" ? providerName(name) : "the tracker";
}

function totals(summary: PullResult["summary"] | undefined): string | null {
  if (summary === undefined) return null;
  const { total, succeeded, failed, skipped } = summary;
  const parts = Object.entries({ succeeded, failed, skipped }).map(
    ([name, amount]) => `${amount.toLocaleString("en-US")} ${name}`,
  );
  return `${total.toLocaleString("en-US")} (${parts.join(", ")})`;
}

function errorRows(errors: PullPart["item_errors"]): Row[] {
  return (errors ?? []).map(({ ref, code, message }) => ({ issue: nameOf(ref), outcome: code, message }));
}

/** Items that were not written or have a message, and errors about no item of the list. */
function pushRows({ items, item_errors }: PushPart): Row[] {
  const remarkable = (items ?? []).flatMap((item, index): Row[] => {
    const isGood = GOOD_OUTCOMES.has(item.outcome);
    if (isGood && item.message === null) return [];
    const issue = nameOf(item.ref) || nameOf(item.remote_ref) || titleOf(item.ref) || `items[${index}]`;
    const outcome = `${item.action}: ${item.outcome}`;
    return [{ issue, outcome, message: item.message ?? "", ...(isGood && { isNote: true }) }];
  });
  const isShown = (error: Row) => remarkable.some(({ message }) => message.includes(error.message));
  const others = errorRows(item_errors).filter((error) => !isShown(error));
  return [...remarkable, ...others];
}

function renderRows(rows: readonly Row[], style: Style): string {
  if (rows.length === 0) return "";
  const { bold, red } = style.colors;
  const cells = rows.map(({ issue, outcome, message, isNote }) => [
    { text: issue, paint: bold },
    { text: outcome, ...(isNote !== true && { paint: red }) },
    { text: message },
  ]);
  return `\n${renderTable(["Issue", "Outcome", "Message"], cells, style)}`;
}

/** The key, else the ID; empty without both. */
function nameOf(ref: unknown): string {
  if (typeof ref === "string") return ref;
  if (typeof ref !== "object" || ref === null) return "";
  if ("key" in ref && typeof ref.key === "string") return ref.key;
  return "id" in ref && (typeof ref.id === "string" || typeof ref.id === "number") ? String(ref.id) : "";
}

function titleOf(ref: unknown): string {
  const isTitled = typeof ref === "object" && ref !== null && "title" in ref;
  return isTitled && typeof ref.title === "string" ? ref.title : "";
}
