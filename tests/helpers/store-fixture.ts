/** Issues for tests of stores. */
import type { ExternalRef, IssueFields } from "../../src/sdk/model.ts";
import type { Base, IssueRecord, IssueStore, SyncCheckpoint } from "../../src/sdk/stores/store.ts";

export const NOON = "2026-03-01T12:00:00.000Z";
export const LATER = "2026-03-01T12:05:00.000Z";

export function refTo(id: string): ExternalRef {
  return { system: "linear", workspace: "acme", id, key: `PAY-${id}` };
}

export function fieldsWith(changes: Partial<IssueFields> = {}): IssueFields {
  return {
    title: "Pay by invoice",
    body: "Zahlung auf Rechnung – 支払い",
    status: "todo",
    issueType: "story",
    priority: 0,
    assignees: ["ada"],
    labels: ["billing", "q2"],
    parent: refTo("epic"),
    links: [{ type: "blocks", target: refTo("other") }],
    customFields: { estimate: 3, nested: { list: [1, null, "x"] } },
    ...changes,
  };
}

export function baseWith(fields: IssueFields, changes: Partial<Base> = {}): Base {
  return {
    fields,
    raw: { id: 7, extra: [true] },
    revision: "r1",
    createdAt: NOON,
    updatedAt: NOON,
    ...changes,
  };
}

/** An issue that both sides agree about. */
export function issue(id: string, changes: Partial<IssueRecord> = {}): IssueRecord {
  const fields = fieldsWith({ title: `Issue ${id}` });
  return { key: `linear-${id}`, ref: refTo(id), fields, base: baseWith(fields), deletedAt: null, ...changes };
}

/** An issue that exists on this side only. */
export function draft(key: string): IssueRecord {
  return { key, ref: null, fields: fieldsWith(), base: null, deletedAt: null };
}

/** The record with a key, or null. */
export async function recordIn(store: IssueStore, key: string): Promise<IssueRecord | null> {
  const [record = null] = await store.transaction((transaction) => transaction.records([key]));
  return record;
}

/** 500 issues. */
export function page(number: number): IssueRecord[] {
  return Array.from({ length: 500 }, (_, index) => issue(`${number}-${String(index).padStart(3, "0")}`));
}

/** The checkpoint inside a window, after some pages. */
export function checkpointAt(pages: number): SyncCheckpoint {
  return { updatedSince: NOON, window: { since: NOON, until: LATER, cursor: `page-${pages}` } };
}
