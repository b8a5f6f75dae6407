/** Rows of the SQLite store: columns to write and schemas to read. */
import * as v from "valibot";
import { jsonText } from "../../shared/json.ts";
import {
  CORE_FIELDS,
  ExternalRef,
  IssueFields,
  identityOf,
  type JsonValue,
  LinkType,
  problemOf,
} from "../model.ts";
import { StoreError } from "./serial.ts";
import type { ConflictRecord, CreateIntent, DirtyField, IssueRecord, SyncCheckpoint } from "./store.ts";

export type SqlValue = string | number | null;

const Field = v.picklist(CORE_FIELDS);
/** Output of the JSON parser needs no check. */
const Json = v.custom<JsonValue>(() => true);

// The schemas are as wide as the types: providers have titles and labels that no edit may set.
const Text = v.string();
const Ref = v.object({ ...ExternalRef.entries, system: Text, workspace: Text, id: Text });
const Fields = v.object({
  ...IssueFields.entries,
  title: Text,
  priority: v.nullable(v.number()),
  assignees: v.array(Text),
  labels: v.array(Text),
  parent: v.nullable(Ref),
  links: v.array(v.object({ type: LinkType, target: Ref })),
  // A record schema would drop members with names such as `constructor`.
  customFields: v.custom<IssueFields["customFields"]>((value) => typeof value === "object" && value !== null),
});

export const IssueRow = v.pipe(
  v.object({
    key: v.string(),
    ref: v.nullable(jsonText(Ref)),
    fields: jsonText(Fields),
    base_fields: v.nullable(jsonText(Fields)),
    base_raw: v.nullable(jsonText(Json)),
    base_revision: v.nullable(v.string()),
    base_created_at: v.nullable(v.string()),
    base_updated_at: v.nullable(v.string()),
    deleted_at: v.nullable(v.string()),
  }),
  v.transform((row): IssueRecord => {
    const { key, ref, fields, base_updated_at: updatedAt, deleted_at: deletedAt } = row;
    if (updatedAt === null) return { key, ref, fields, base: null, deletedAt };
    const base = {
      fields: row.base_fields ?? fields,
      raw: row.base_raw,
      revision: row.base_revision,
      createdAt: row.base_created_at ?? updatedAt,
      updatedAt,
    };
    return { key, ref, fields, base, deletedAt };
  }),
);

/** Values in the order of {@link ISSUE_COLUMNS}. */
export function issueColumns({ key, ref, fields, base, deletedAt }: IssueRecord): SqlValue[] {
  return [
    key,
    ref === null ? null : identityOf(ref),
    ref === null ? null : JSON.stringify(ref),
    JSON.stringify(fields),
    // Equal fields are stored once; a base exists when `base_updated_at` is set.
    base === null || Bun.deepEquals(base.fields, fields, true) ? null : JSON.stringify(base.fields),
    base === null ? null : JSON.stringify(base.raw),
    base?.revision ?? null,
    base?.createdAt ?? null,
    base?.updatedAt ?? null,
    deletedAt,
  ];
}

export const ISSUE_COLUMNS = [
  "key",
  "identity",
  "ref",
  "fields",
  "base_fields",
  "base_raw",
  "base_revision",
  "base_created_at",
  "base_updated_at",
  "deleted_at",
] as const;

export const DirtyRow = v.pipe(
  v.object({ key: v.string(), field: Field, sequence: v.number(), changed_at: v.string() }),
  v.transform(({ changed_at: changedAt, ...row }): DirtyField => ({ ...row, changedAt })),
);

export const DirtyKeyRow = v.object({ key: v.string(), sequence: v.number() });

export const IntentRow = v.pipe(
  v.object({ key: v.string(), idempotency_key: v.string() }),
  v.transform(({ key, idempotency_key: idempotencyKey }): CreateIntent => ({ key, idempotencyKey })),
);

export const ConflictRow: v.GenericSchema<unknown, ConflictRecord> = v.object({
  id: v.string(),
  key: v.string(),
  field: Field,
  base: jsonText(Json),
  local: jsonText(Json),
  remote: jsonText(Json),
  resolution: v.nullable(v.picklist(["external", "local"])),
});

export const CheckpointRow = v.pipe(
  v.object({
    checkpoint: jsonText(
      v.object({
        updatedSince: v.nullable(v.string()),
        window: v.nullable(
          v.object({ since: v.nullable(v.string()), until: v.string(), cursor: v.nullable(v.string()) }),
        ),
      }),
    ),
  }),
  v.transform(({ checkpoint }): SyncCheckpoint => checkpoint),
);

export const CountRow = v.object({ count: v.number() });

/** @throws StoreError when this store did not write a row */
export function readRows<S extends v.GenericSchema>(schema: S, rows: readonly unknown[]): v.InferOutput<S>[] {
  return rows.map((row) => {
    const parsed = v.safeParse(schema, row);
    if (parsed.success) return parsed.output;
    const [issue] = parsed.issues;
    const problem = `${v.getDotPath(issue) ?? "row"} ${problemOf(issue)}`;
    throw new StoreError(`The issue store holds a row that cannot be read: ${problem}.`, {
      retryable: false,
    });
  });
}
