/** Whatever a control plane or a repository says, no human output hands the terminal over. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  renderBinding,
  renderConfiguredBinding,
  renderDryRun,
  renderReplacement,
} from "../../../src/cli/render/binding.ts";
import { renderCandidates } from "../../../src/cli/render/candidates.ts";
import { renderChecks } from "../../../src/cli/render/checks.ts";
import { renderConflicts, renderDecision } from "../../../src/cli/render/conflicts.ts";
import { renderConnection, renderConnections } from "../../../src/cli/render/connections.ts";
import { renderDiff } from "../../../src/cli/render/diff.ts";
import { renderError } from "../../../src/cli/render/error.ts";
import { renderIssues } from "../../../src/cli/render/issues.ts";
import { renderMappings } from "../../../src/cli/render/mappings.ts";
import { renderPublished, renderSeed } from "../../../src/cli/render/mission.ts";
import { renderBindsUnasked, renderIsBound, renderResources } from "../../../src/cli/render/resources.ts";
import { renderSession } from "../../../src/cli/render/session.ts";
import { renderInstallations, renderProjectStatus } from "../../../src/cli/render/status.ts";
import type { Style } from "../../../src/cli/render/style.ts";
import { renderSync } from "../../../src/cli/render/sync.ts";
import { renderTable } from "../../../src/cli/render/table.ts";
import type { MissionSeedResponse, NormalizedIssue, RunResult } from "../../../src/protocol.ts";
import { TrackerError } from "../../../src/shared/errors.ts";
import { displayWidth } from "../../../src/shared/text.ts";
import { style, terminal } from "./style.ts";

const RUNS = 200;

/** C0 but for the end of a line, DEL, C1, line separators, bidi controls. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

const fragment = fc.oneof(
  fc.constantFrom(
    ..."\u0000\u0007\b\t\n\v\f\r\u001b\u007f\u0085\u009b\u009d\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069",
    "\x1b[2J",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1bP$q\x1b\\",
    "\r\n",
    "\u009b1;31m",
    "決済",
    "e\u0301\u0302",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "\u200b",
    "\ufeff",
    "\ud800",
    "\udc00",
    "-- `$(x)` {}",
  ),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);
const hostile = fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join(""));

/** Every renderer that a person sees, with `text` wherever text from outside can be. */
function drawings(text: string, style: Style): Record<string, string> {
  const context = { workspace_name: text, team_name: text };
  const facts = { provider: text, binding_ref: text, display_label: text, provider_context: context };
  const binding = {
    ...{ provider: text, bindingRef: text, displayLabel: text, providerContext: context },
    ...{ projectSlug: text, workspace: text },
  };
  const preview = { path: text, before: text, after: `${text}\n${text}` };
  const connection = {
    connection_id: text,
    provider: text,
    kind: text,
    base_url: text,
    status: "degraded",
    account_label: text,
    resource_count: 3,
    last_refreshed_at: text,
  } as const;
  const choice = { number: 1, display_label: text, confidence: text, match_reason: text };
  const session = { host: text, source: text, team: text };
  const user = { user_id: text, email: text, name: null, teams: [{ ...TEAM, slug: text }] };
  return {
    binding: renderBinding(binding, style),
    dryRun: renderDryRun(binding, preview, style),
    replacement: renderReplacement(binding),
    configured: renderConfiguredBinding({ ...binding, bindingRef: null }, style),
    candidates: renderCandidates([choice, { ...choice, number: 10 }], style),
    checks: renderChecks([{ name: "git", outcome: "failed", message: text, hint: text }], style),
    connected: renderConnection({ ...connection, status: "connected", error: null }, style),
    reachingNothing: renderConnection(
      { ...connection, status: "connected", resource_count: 0, error: null },
      style,
    ),
    degraded: renderConnection({ ...connection, error: text }, style),
    diff: renderDiff(`a\n${text}`, `${text}\nb`, style),
    error: renderError(
      new TrackerError(text, text, { hint: text, requestId: text, choices: [choice] }),
      style,
    ),
    bindsByItself: renderBindsUnasked(text, text),
    isBound: renderIsBound(text),
    session: renderSession({ ...session, user: { ...user, email: null } }, style),
    namedSession: renderSession({ ...session, user }, style),
    status: renderProjectStatus(
      {
        ...facts,
        connected: true,
        configured: true,
        project_slug: text,
        identity_path: null,
        sync_state: text,
        last_synced_at: text,
        issue_count: 1,
        open_conflicts: 1,
        last_error: text,
        conflicts: [{ id: text, issue: { id: text, key: text }, field: text }],
        operation_id: text,
      },
      NOW,
      style,
    ),
    decision: renderDecision(conflictOf(text), "local"),
    seed: renderSeed(seedOf(text), style, text),
    published: renderPublished({ ...issueOf(text), ...NO_UPGRADE, omitted: [text] }, style),
  };
}

const SUMMARY = { total: 2, succeeded: 1, failed: 1, skipped: 0 };
const NO_UPGRADE = { binding_ref: null, display_label: null, provider_context: null };

function refOf(text: string) {
  return { system: text, id: text, workspace: text, key: text, url: text };
}

function issueOf(text: string): NormalizedIssue {
  return {
    ref: refOf(text),
    title: text,
    body: text,
    status: "todo",
    issue_type: "task",
    priority: 0,
    assignees: [text],
    labels: [text],
    parent_ref: null,
    links: [],
    custom_fields: {},
    created_at: text,
    updated_at: text,
    provider_metadata: {},
  };
}

function conflictOf(text: string) {
  const issue = { id: text, key: text, title: text };
  return { id: text, issue, field: text, base: null, local: text, remote: { text }, resolution: null };
}

function seedOf(text: string): MissionSeedResponse {
  return {
    mission_id: text,
    source_issue_ref: refOf(text),
    title: text,
    body: text,
    status: "todo",
    priority: 1,
    assignees: [text],
    labels: [text],
    decision_references: [{ id: text, blocking: true, title: text, external_ref: null }],
    ...NO_UPGRADE,
  };
}

/** A run that went wrong in every way, or the plan of one. */
function runOf(text: string, facts: object = {}): RunResult {
  const item_errors = [{ ref: refOf(text), code: text, message: text, retryable: false }];
  const item = { ref: text, action: text, remote_ref: null, version: null, message: `${text}!` };
  return {
    status: "partial",
    summary: SUMMARY,
    identity_path: {
      type: text,
      installation_id: text,
      user_link_id: null,
      provider: text,
      provider_account_id: text,
    },
    doctrine: null,
    ...NO_UPGRADE,
    pull: { summary: SUMMARY, items: [issueOf(text)], item_errors, has_more: true, next_cursor: text },
    push: {
      summary: SUMMARY,
      items: [
        { ...item, outcome: "conflict" },
        { ...item, outcome: "applied" },
      ],
      item_errors,
    },
    ...facts,
  };
}

/** Renderers that draw tables among other things. */
function reports(text: string, style: Style): Record<string, string> {
  return {
    conflicts: renderConflicts([conflictOf(text)], style),
    sync: renderSync({ kind: "run", result: runOf(text) }, style, text),
    plan: renderSync({ kind: "run", result: runOf(text, { dry_run: true }) }, style),
  };
}

/** The renderers that draw tables. */
function tables(text: string, style: Style): Record<string, string> {
  const context = { workspace_name: text };
  const facts = { provider: text, binding_ref: text, display_label: text, project_slug: text, status: text };
  const resource = {
    candidate_token: text,
    display_label: text,
    provider: text,
    provider_context: context,
    binding_ref: null,
    bound_project_slug: text,
    bound_at: text,
  };
  const candidate = {
    ...{ candidate_token: text, display_label: text, match_reason: text },
    ...{ confidence: "high" as const, sort_position: 0 },
  };
  return {
    table: renderTable(["A", "B"], [[{ text }, { text: `${text}${text}` }]], style),
    resources: renderResources(
      [
        { number: 1, label: text, candidateToken: text, candidate, resource },
        {
          ...{ number: 2, label: text, candidateToken: text, candidate: null },
          resource: { ...resource, binding_ref: text },
        },
      ],
      style,
    ),
    mappings: renderMappings(
      [{ ...facts, project_uuid: text, provider_context: null, bound_at: null, ...NO_EXTERNALS }],
      style,
    ),
    workPackages: renderMappings(
      [
        {
          ...{ ...facts, project_uuid: null, provider_context: null, bound_at: null },
          ...{ wp_id: text, external_id: text, external_key: text, external_url: text },
        },
      ],
      style,
    ),
    connections: renderConnections(
      [
        {
          connection_id: text,
          provider: text,
          kind: text,
          base_url: text,
          status: "degraded",
          account_label: text,
          resource_count: 3,
          last_refreshed_at: text,
          error: text,
        },
      ],
      NOW,
      style,
    ),
    tickets: renderIssues(
      [
        {
          external_issue_id: text,
          identifier: text,
          title: text,
          url: text,
          state: { name: text },
          team: text,
          assignee: { id: text, name: text },
          created_at: text,
          updated_at: text,
          body: text,
        },
      ],
      NOW,
      style,
    ),
    installations: renderInstallations(
      [
        {
          provider: "linear",
          connected: true,
          resource_count: 3,
          bindings: [{ ...facts, bound_at: null, last_synced_at: text }],
        },
      ],
      NOW,
      style,
    ),
  };
}

const NOW = Date.parse("2026-03-01T12:00:00Z");
const TEAM = { id: 1, name: null, role: null, is_private_teamspace: false };
const NO_EXTERNALS = { wp_id: null, external_id: null, external_key: null, external_url: null };

/** What is unsafe in a drawing; colors of ours are not. */
function unsafe(drawings: Record<string, string>, allowed: RegExp): string[] {
  return Object.entries(drawings).flatMap(([name, drawn]) => {
    const rest = drawn.replace(allowed, "");
    return UNSAFE.test(rest) || !rest.isWellFormed() ? [`${name}: ${JSON.stringify(rest)}`] : [];
  });
}

const NOTHING = /(?!)/g;
const TABS = /\t/g;
const OUR_COLORS = /\x1b\[(?:1|2|22|31|32|39)m/g;

describe(`${RUNS} hostile strings`, () => {
  test("in a pipe", () => {
    const pipe = style();
    fc.assert(
      fc.property(hostile, (text) => {
        expect(unsafe(drawings(text, pipe), NOTHING)).toEqual([]);
        expect(unsafe({ ...tables(text, pipe), ...reports(text, pipe) }, TABS)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  test("in a terminal with color", () => {
    const colored = style({ columns: 80 });
    fc.assert(
      fc.property(hostile, (text) => {
        const drawn = { ...drawings(text, colored), ...tables(text, colored), ...reports(text, colored) };
        expect(unsafe(drawn, OUR_COLORS)).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  test("no table has a row that is wider than its terminal, or one more than its rows", () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 20, max: 130 }), (text, columns) => {
        for (const [name, drawn] of Object.entries(tables(text, terminal(columns)))) {
          const lines = drawn.slice(0, -1).split("\n");
          expect({ name, lines: lines.length }).toEqual({ name, lines: ROWS[name] ?? 0 });
          const body = name === "installations" ? lines.slice(1) : lines;
          expect(Math.max(...body.map(displayWidth))).toBeLessThanOrEqual(columns);
        }
      }),
      { numRuns: RUNS },
    );
  });
});

/** Lines of each table: its header, its rows, and the heading of an installation. */
const ROWS: Readonly<Record<string, number>> = {
  table: 2,
  resources: 7,
  mappings: 2,
  workPackages: 2,
  connections: 2,
  tickets: 2,
  installations: 3,
};
