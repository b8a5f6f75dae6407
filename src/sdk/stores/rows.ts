/** Issues and conflicts as rows of a database hold them, whichever database it is. */
import { type CoreField, type IssueFields, identityOf } from "../model.ts";
import type { Base, ConflictRecord, IssueRecord } from "./store.ts";

/** An issue as its row holds it. */
export interface IssueRow {
  readonly key: string;
  readonly ref: string | null;
  readonly fields: string;
  readonly base_fields: string | null;
  readonly base_raw: string | null;
  readonly base_revision: string | null;
  readonly base_updated_at: string | null;
  readonly deleted_at: string | null;
  readonly base_created_at: string | null;
}

/** A conflict as its row holds it. */
export interface ConflictRow {
  readonly id: string;
  readonly key: string;
  readonly field: CoreField;
  readonly base: string;
  readonly local: string;
  readonly remote: string;
  readonly resolution: ConflictRecord["resolution"];
}

/** A record as a row, and the identity that its reference has. */
export function issueRow({ key, ref, fields, base, deletedAt }: IssueRecord): IssueRow & {
  readonly identity: string | null;
} {
  return {
    key,
    identity: ref === null ? null : identityOf(ref),
    ref: ref === null ? null : JSON.stringify(ref),
    fields: JSON.stringify(fields),
    // Equal ones are written once: there is a base when there is `base_updated_at`.
    base_fields:
      base === null || Bun.deepEquals(base.fields, fields, true) ? null : JSON.stringify(base.fields),
    base_raw: base === null ? null : JSON.stringify(base.raw),
    base_revision: base?.revision ?? null,
    base_created_at: base?.createdAt ?? null,
    base_updated_at: base?.updatedAt ?? null,
    deleted_at: deletedAt,
  };
}

/** The record that a row holds. */
export function recordOf(row: IssueRow): IssueRecord {
  const fields: IssueFields = JSON.parse(row.fields);
  return {
    key: row.key,
    ref: row.ref === null ? null : JSON.parse(row.ref),
    fields,
    base: baseOfRow(row, fields),
    deletedAt: row.deleted_at,
  };
}

function baseOfRow(row: IssueRow, fields: IssueFields): Base | null {
  if (row.base_updated_at === null) return null;
  return {
    fields: row.base_fields === null ? fields : JSON.parse(row.base_fields),
    raw: JSON.parse(row.base_raw ?? "null"),
    revision: row.base_revision,
    createdAt: row.base_created_at ?? row.base_updated_at,
    updatedAt: row.base_updated_at,
  };
}

/** A conflict as a row. */
export function conflictRow({ base, local, remote, ...rest }: ConflictRecord): ConflictRow {
  return {
    ...rest,
    base: JSON.stringify(base),
    local: JSON.stringify(local),
    remote: JSON.stringify(remote),
  };
}

/** The conflict that a row holds. */
export function conflictOf(row: ConflictRow): ConflictRecord {
  return {
    ...row,
    base: JSON.parse(row.base),
    local: JSON.parse(row.local),
    remote: JSON.parse(row.remote),
  };
}
