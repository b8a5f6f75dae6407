import type { Kysely, Transaction } from "kysely";
import type { Fixed, Instant, JsonText } from "./column-types.ts";
import type { SyncTables } from "./sync-schema.ts";

/** Facts about the installation, such as the key that signs candidate tokens. */
interface SettingsTable {
  name: string;
  value: string;
}

interface TeamsTable {
  id: Fixed<string>;
  slug: string;
  name: string;
  created_at: Fixed<Instant>;
}

interface UsersTable {
  id: Fixed<string>;
  email: string | null;
  name: string;
  created_at: Fixed<Instant>;
}

export type Role = "owner" | "admin" | "member";

interface MembershipsTable {
  team_id: Fixed<string>;
  user_id: Fixed<string>;
  role: Role;
}

/** Personal access tokens; the token itself is never stored. */
interface TokensTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  user_id: Fixed<string>;
  name: string;
  hash: Fixed<string>;
  created_at: Fixed<Instant>;
  revoked_at: Instant | null;
}

/** A team's access to a provider. A removed one keeps its row, so that mappings keep their connection. */
interface ConnectionsTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  provider: Fixed<string>;
  /** `demo`, `token` or `nango`. */
  kind: Fixed<string>;
  /** Distinguishes connections of one provider and kind: the account, or the connection of Nango. */
  target: Fixed<string>;
  /** Address of the provider, or of Nango, where it is not the default one. */
  base_url: string | null;
  /** The sealed credential, see `vault.ts`; null for demo data and once removed. */
  secret: string | null;
  account_label: string;
  status: "connected" | "degraded" | "revoked";
  error: string | null;
  /** Visible resources, counted when the inventory changes. */
  resource_count: number;
  last_refreshed_at: Instant | null;
  created_at: Fixed<Instant>;
  updated_at: Instant;
  removed_at: Instant | null;
}

interface WorkspacesTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  connection_id: Fixed<string>;
  stable_ref: Fixed<string>;
  display: string;
  kind: string;
  provider_context: JsonText;
  updated_at: Instant;
}

/** The inventory of resources that can be bound. Match keys are folded, see `matching.ts`. */
interface ResourcesTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  provider: Fixed<string>;
  connection_id: Fixed<string>;
  workspace_id: string;
  /** The provider's id, qualified by its server, see `json.ts`. */
  stable_ref: Fixed<string>;
  display_label: string;
  kind: string;
  provider_context: JsonText;
  routing_metadata: JsonText;
  sort_key: string;
  name_key: string;
  display_key: string;
  /** Folded full path (`owner/repo`), null for providers without paths. */
  path_key: string | null;
  updated_at: Instant;
  /** Set when the provider no longer lists the resource, or its connection was removed. */
  hidden_at: Instant | null;
}

interface ProjectsTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  uuid: string | null;
  slug: string;
  /** Web host and path of the project's remote, in lower case; null when its clients sent none. */
  repo_host: string | null;
  repo_slug: string | null;
  created_at: Fixed<Instant>;
  updated_at: Instant;
}

/** ServiceResourceMapping: a project's binding to a resource. */
interface MappingsTable {
  binding_ref: Fixed<string>;
  team_id: Fixed<string>;
  provider: Fixed<string>;
  connection_id: string;
  project_id: string;
  resource_ref: Fixed<string>;
  display_label: string;
  provider_context: JsonText;
  routing_metadata: JsonText;
  /** The owners of fields; null for the default. */
  ownership: JsonText | null;
  /** Connector params that users decided; null for none. */
  connector_settings: JsonText | null;
  status: "active" | "disabled";
  /** Set on a tombstone, which lets validation explain the deletion. */
  deleted_at: Instant | null;
  created_at: Fixed<Instant>;
  created_by: Fixed<string>;
  updated_at: Instant;
}

/** Work that outlives its request; kept for 24 hours. */
interface OperationsTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  kind: Fixed<string>;
  subject: Fixed<string>;
  status: "pending" | "running" | "completed" | "failed";
  done: number;
  total: number | null;
  result: JsonText | null;
  error: JsonText | null;
  /** The time at which a running operation counts as interrupted unless it was extended. */
  lease_expires_at: Instant | null;
  /** The input with which another process resumes a job; null for an operation that is not resumed. */
  payload: JsonText | null;
  attempts: number | null;
  user_id: string | null;
  idempotency_key: string | null;
  fingerprint: string | null;
  created_at: Fixed<Instant>;
  updated_at: Instant;
}

/** First answers by Idempotency-Key, kept for 24 hours. */
interface IdempotencyTable {
  team_id: Fixed<string>;
  key: Fixed<string>;
  /** SHA-256 of route and body, hexadecimal. */
  fingerprint: Fixed<string>;
  answer: JsonText;
  created_at: Fixed<Instant>;
}

interface AuditTable {
  id: Fixed<string>;
  team_id: Fixed<string>;
  user_id: Fixed<string>;
  action: Fixed<string>;
  subject: Fixed<string>;
  details: Fixed<JsonText>;
  at: Fixed<Instant>;
}

export interface Schema extends SyncTables {
  settings: SettingsTable;
  teams: TeamsTable;
  users: UsersTable;
  memberships: MembershipsTable;
  tokens: TokensTable;
  connections: ConnectionsTable;
  workspaces: WorkspacesTable;
  resources: ResourcesTable;
  projects: ProjectsTable;
  mappings: MappingsTable;
  operations: OperationsTable;
  idempotency: IdempotencyTable;
  audit: AuditTable;
}

export type Database = Kysely<Schema>;
export type Queries = Kysely<Schema> | Transaction<Schema>;
