/** Translates issues, references, failures and totals into the wire's words. Pure. */
import type { Conflict, NormalizedIssue, PullResult, PushResult, Ticket } from "../protocol.ts";
import type { FailureClass } from "../sdk/errors.ts";
import type { CanonicalIssue, CanonicalLink, ExternalRef, IssueFields } from "../sdk/model.ts";
import type { ConflictRecord, IssueRecord } from "../sdk/stores/store.ts";
import { wireField } from "./ownership.ts";

export type PullPhase = Pick<PullResult, "summary" | "items" | "item_errors" | "has_more" | "next_cursor">;
export type PushPhase = Pick<PushResult, "summary" | "items" | "item_errors">;
export type Summary = PullResult["summary"];

/** A reference as it is sent: unknown parts are null. */
export function wireRef({ system, workspace, id, key = null, url = null }: WireRefInput) {
  return { system, workspace, id, key, url };
}
type WireRefInput = Omit<ExternalRef, "key" | "url"> & {
  readonly key?: string | null | undefined;
  readonly url?: string | null | undefined;
};

function wireLink({ type, target }: CanonicalLink) {
  return { type, target: wireRef(target) };
}

/** A pulled issue as it is sent; null for a draft, which the provider does not know. */
export function normalizedIssue({ ref, fields, base }: IssueRecord): NormalizedIssue | null {
  return ref === null || base === null ? null : wireIssue(ref, fields, base);
}

export function wireIssue(
  ref: ExternalRef,
  fields: IssueFields,
  { createdAt, updatedAt }: Pick<CanonicalIssue, "createdAt" | "updatedAt">,
): NormalizedIssue {
  return {
    ref: wireRef(ref),
    title: fields.title,
    body: fields.body,
    status: fields.status,
    issue_type: fields.issueType,
    priority: fields.priority ?? 0,
    assignees: [...fields.assignees],
    labels: [...fields.labels],
    parent_ref: fields.parent === null ? null : wireRef(fields.parent),
    links: fields.links.map(wireLink),
    custom_fields: { ...fields.customFields },
    created_at: createdAt,
    updated_at: updatedAt,
    provider_metadata: {},
  };
}

/** An issue as people search for it; `team` is its team, project or repository. */
export function wireTicket(
  { ref, title, body, status, assignees, createdAt, updatedAt }: CanonicalIssue,
  team: { readonly id: string | null; readonly name: string },
): Ticket {
  const key = ref.key ?? ref.id;
  const [assignee] = assignees;
  return {
    external_issue_id: ref.id,
    identifier: key,
    // Spec Kitty clients read key and status by these names.
    external_issue_key: key,
    status,
    title,
    url: ref.url ?? null,
    state: { name: status },
    team,
    assignee: assignee === undefined ? null : { id: assignee, name: assignee },
    created_at: createdAt,
    updated_at: updatedAt,
    body,
  };
}

export function wireConflict(conflict: ConflictRecord, record: IssueRecord | null): Conflict {
  const { id, key, field, base, local, remote, resolution } = conflict;
  const issue = {
    id: record?.ref?.id ?? key,
    key: record?.ref?.key ?? null,
    title: record?.fields.title ?? "",
  };
  return { id, issue, field: wireField(field), base, local, remote, resolution };
}

/** The code of an item's failure, the same as for a whole answer. */
export function itemCode(failureClass: FailureClass): string {
  switch (failureClass) {
    case "transient":
      return "provider_unavailable";
    case "rate_limited":
      return "rate_limited";
    case "not_found":
      return "issue_not_found";
    default:
      return "provider_rejected";
  }
}

/** `ok` when everything succeeded, `error` when nothing did, `partial` otherwise. */
export function summaryStatus({ failed, succeeded, skipped }: Summary): "ok" | "partial" | "error" {
  if (failed === 0) return "ok";
  return succeeded + skipped === 0 ? "error" : "partial";
}

export function summaryTotal(...summaries: readonly Summary[]): Summary {
  const sum = (name: keyof Summary) => summaries.reduce((total, summary) => total + summary[name], 0);
  return {
    total: sum("total"),
    succeeded: sum("succeeded"),
    failed: sum("failed"),
    skipped: sum("skipped"),
  };
}
