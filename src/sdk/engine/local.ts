/** Changes to the local side: edits, new issues, decisions. */
import * as v from "valibot";
import { storedBodyOf } from "../connector.ts";
import { IssueNotFoundError, TrackerSdkError } from "../errors.ts";
import { CORE_FIELDS, type CoreField, IssueFields, IssuePatch, identityOf, problemOf } from "../model.ts";
import type { ConflictRecord, FieldEdit, IssueRecord } from "../stores/store.ts";
import type { EngineContext } from "./context.ts";
import { copyField, sameField } from "./merge.ts";

const LOCAL = "local";

export type Decision = "local" | "external";

export async function edit(
  { store, instant, connector }: EngineContext,
  key: string,
  patch: IssuePatch,
): Promise<IssueRecord> {
  const values = { ...patch, ...storedBodyOf(connector, patch) };
  return store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    if (record === undefined) throw new IssueNotFoundError(LOCAL, key);
    const fields = { ...record.fields, ...values };
    const edited = CORE_FIELDS.filter((field) => !sameField(field, record.fields, fields));
    if (edited.length === 0) return record;
    const next = { ...record, fields };
    await transaction.put([next]);
    await transaction.markDirty(editsOf(key, edited, instant()));
    return next;
  });
}

export async function discard(
  { store }: EngineContext,
  key: string,
  fields: readonly CoreField[],
): Promise<void> {
  await store.transaction(async (transaction) => {
    const [record] = await transaction.records([key]);
    if (record === undefined) return;
    const { base, deletedAt } = record;
    // A draft consists of its edits.
    if (base === null && deletedAt === null) return;
    if (base !== null) {
      const kept = { ...record.fields };
      for (const field of fields) copyField(field, base.fields, kept);
      await transaction.put([{ ...record, fields: kept }]);
    }
    const dirty = await transaction.dirtyFields([key]);
    await transaction.clearDirty(dirty.filter(({ field }) => fields.includes(field)));
  });
}

export async function createLocally(
  { store, instant, connector }: EngineContext,
  key: string,
  fields: IssueFields,
): Promise<IssueRecord> {
  const parsed = parseLocal(IssueFields, fields);
  const values = { ...parsed, ...storedBodyOf(connector, parsed) };
  const pulled = identityOf({ system: connector.provider, workspace: connector.workspace, id: "" });
  if (key === "" || key.startsWith(pulled)) {
    throw new TrackerSdkError(
      `"${key}" cannot be the key of a new issue; keys like ${pulled}… are reserved for pulled issues.`,
      {
        provider: LOCAL,
        failureClass: "invalid",
      },
    );
  }
  return store.transaction(async (transaction) => {
    if ((await transaction.records([key])).length > 0) {
      throw new TrackerSdkError(`Issue ${key} already exists.`, {
        provider: LOCAL,
        failureClass: "conflict",
      });
    }
    const record = { key, ref: null, fields: values, base: null, deletedAt: null };
    await transaction.put([record]);
    await transaction.markDirty(editsOf(key, CORE_FIELDS, instant()));
    return record;
  });
}

export async function resolveConflict(
  { store, instant }: EngineContext,
  id: string,
  decision: Decision,
): Promise<ConflictRecord> {
  return store.transaction(async (transaction) => {
    const conflict = await transaction.conflict(id);
    if (conflict === null) {
      throw new TrackerSdkError(`Conflict ${id} does not exist.`, {
        provider: LOCAL,
        failureClass: "not_found",
      });
    }
    if (conflict.resolution === decision) return conflict;
    const [record] = await transaction.records([conflict.key]);
    if (conflict.resolution !== null || record === undefined || record.base === null) {
      throw new TrackerSdkError(`Conflict ${id} was already resolved.`, {
        provider: LOCAL,
        failureClass: "conflict",
      });
    }
    const { field } = conflict;
    const fields = { ...record.fields };
    const base = { ...record.base.fields };
    // The field may have been edited since: the conflict records the value that is overwritten.
    const decided = { ...conflict, local: localValue(conflict, fields), resolution: decision };
    applyRemoteValue(conflict, base);
    if (decision === "external") applyRemoteValue(conflict, fields);
    await transaction.put([{ ...record, fields, base: { ...record.base, fields: base } }]);
    await transaction.putConflicts([decided]);
    // The remote side may have changed while the field was frozen; the next push checks.
    await transaction.markDirty(editsOf(record.key, [field], instant()));
    return decided;
  });
}

function editsOf(key: string, fields: readonly CoreField[], changedAt: string): FieldEdit[] {
  return fields.map((field) => ({ key, field, changedAt }));
}

function applyRemoteValue(conflict: ConflictRecord, target: IssueFields): void {
  if (conflict.field !== "customFields") {
    copyField(
      conflict.field,
      { ...target, ...parseLocal(IssuePatch, { [conflict.field]: conflict.remote }) },
      target,
    );
    return;
  }
  const names = memberNames(conflict);
  const others = Object.entries(target.customFields).filter(([name]) => !names.has(name));
  const { customFields = {} } = parseLocal(IssuePatch, { customFields: conflict.remote });
  target.customFields = Object.fromEntries([...others, ...Object.entries(customFields)]);
}

/** The local value of the field, or of the members of it that the conflict concerns. */
function localValue(conflict: ConflictRecord, fields: IssueFields): ConflictRecord["local"] {
  if (conflict.field !== "customFields") return fields[conflict.field];
  const names = memberNames(conflict);
  return Object.fromEntries(Object.entries(fields.customFields).filter(([name]) => names.has(name)));
}

function memberNames({ base, local, remote }: ConflictRecord): ReadonlySet<string> {
  return new Set([base, local, remote].flatMap((members) => Object.keys(members ?? {})));
}

/** @throws TrackerSdkError (`invalid`) naming the path of what is wrong */
export function parseLocal<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  throw new TrackerSdkError(path === null ? problemOf(issue) : `${path}: ${problemOf(issue)}`, {
    provider: LOCAL,
    failureClass: "invalid",
  });
}
