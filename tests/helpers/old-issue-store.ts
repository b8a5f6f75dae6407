/** Issue stores as earlier versions wrote them. */
import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { identityOf } from "../../src/sdk/model.ts";
import type {
  ConflictRecord,
  CreateIntent,
  IssueRecord,
  SyncCheckpoint,
} from "../../src/sdk/stores/store.ts";

/** The rows of an old store. */
interface Content {
  readonly records: readonly IssueRecord[];
  readonly dirty: readonly (readonly [sequence: number, key: string, field: string, changedAt: string])[];
  /** The last number that a local edit had. */
  readonly lastSequence: number;
  readonly intents: readonly CreateIntent[];
  readonly conflicts: readonly ConflictRecord[];
  readonly checkpoints: readonly (readonly [name: string, checkpoint: SyncCheckpoint])[];
}

const VERSION_2 = `
  create table issues (
    key text primary key,
    identity text unique,
    ref text,
    fields text not null,
    base_fields text,
    base_raw text,
    base_revision text,
    base_updated_at text,
    deleted_at text,
    base_created_at text
  );
  create table dirty (
    sequence integer primary key autoincrement,
    key text not null,
    field text not null,
    changed_at text not null,
    unique (key, field)
  );
  create table intents (key text primary key, idempotency_key text not null) without rowid;
  create table conflicts (
    id text primary key,
    key text not null,
    field text not null,
    base text not null,
    local text not null,
    remote text not null,
    resolution text
  );
  create index conflicts_key on conflicts (key);
  create index conflicts_open on conflicts (resolution) where resolution is null;
  create table checkpoints (name text primary key, checkpoint text not null) without rowid;
`;

/** Writes a store of an earlier version. The first one did not keep when an issue was created. */
export function writeOldStore(path: string, version: 1 | 2, content: Content): void {
  mkdirSync(dirname(path), { recursive: true });
  using file = new Database(path);
  file.run(VERSION_2);
  for (const { key, ref, fields, base, deletedAt } of content.records) {
    const isAgreed = base !== null && Bun.deepEquals(base.fields, fields, true);
    file.run("insert into issues values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [
      key,
      ref && identityOf(ref),
      ref && JSON.stringify(ref),
      JSON.stringify(fields),
      base && !isAgreed ? JSON.stringify(base.fields) : null,
      base && JSON.stringify(base.raw),
      base?.revision ?? null,
      base?.updatedAt ?? null,
      deletedAt,
      base?.createdAt ?? null,
    ]);
  }
  for (const edit of content.dirty) file.run("insert into dirty values (?, ?, ?, ?)", [...edit]);
  if (content.dirty.length === 0) file.run("insert into sqlite_sequence values ('dirty', 0)");
  file.run("update sqlite_sequence set seq = ? where name = 'dirty'", [content.lastSequence]);
  for (const { key, idempotencyKey } of content.intents) {
    file.run("insert into intents values (?, ?)", [key, idempotencyKey]);
  }
  for (const { id, key, field, base, local, remote, resolution } of content.conflicts) {
    const values = [base, local, remote].map((value) => JSON.stringify(value));
    file.run("insert into conflicts values (?, ?, ?, ?, ?, ?, ?)", [id, key, field, ...values, resolution]);
  }
  for (const [name, checkpoint] of content.checkpoints) {
    file.run("insert into checkpoints values (?, ?)", [name, JSON.stringify(checkpoint)]);
  }
  if (version === 1) file.run("alter table issues drop column base_created_at");
  file.run(`pragma user_version = ${version}`);
}
