import type { Insertable } from "kysely";
import { monotonicFactory } from "ulid";
import { MappingStore } from "../database/mapping-store.ts";
import type { Queries, Schema } from "../database/schema.ts";
import type { Principal } from "./authentication.ts";

type TeamTable =
  | "connections"
  | "workspaces"
  | "resources"
  | "projects"
  | "mappings"
  | "operations"
  | "idempotency";
/** Ids made within one millisecond still sort in the order they were made. */
const ulid = monotonicFactory();
type TeamRow<T extends TeamTable> = Omit<Insertable<Schema[T]>, "team_id">;

/**
 * A caller's view of the database. Tables that belong to a team are reached only through it, so that no query can
 * forget its team.
 */
export class TeamScope {
  readonly principal: Principal;
  readonly #queries: Queries;
  readonly #clock: () => number;

  constructor(queries: Queries, principal: Principal, clock: () => number) {
    this.#queries = queries;
    this.principal = principal;
    this.#clock = clock;
  }

  get teamId(): string {
    return this.principal.team.id;
  }

  now(): number {
    return this.#clock();
  }

  timestamp(): string {
    return new Date(this.#clock()).toISOString();
  }

  newId(): string {
    return ulid(this.#clock());
  }

  /** Runs `work` in one write transaction, which an error undoes. */
  transaction<T>(work: (scope: TeamScope) => Promise<T>): Promise<T> {
    return this.#queries
      .transaction()
      .execute((transaction) => work(new TeamScope(transaction, this.principal, this.#clock)));
  }

  connections() {
    return this.#queries.selectFrom("connections").where("connections.team_id", "=", this.teamId);
  }

  updateConnection(id: string) {
    return this.#queries
      .updateTable("connections")
      .where("connections.team_id", "=", this.teamId)
      .where("connections.id", "=", id);
  }

  insertConnection(row: TeamRow<"connections">) {
    return this.#queries.insertInto("connections").values({ ...row, team_id: this.teamId });
  }

  workspaces() {
    return this.#queries.selectFrom("workspaces").where("workspaces.team_id", "=", this.teamId);
  }

  insertWorkspaces(rows: readonly TeamRow<"workspaces">[]) {
    return this.#queries
      .insertInto("workspaces")
      .values(rows.map((row) => ({ ...row, team_id: this.teamId })));
  }

  resources() {
    return this.#queries.selectFrom("resources").where("resources.team_id", "=", this.teamId);
  }

  updateResources() {
    return this.#queries.updateTable("resources").where("resources.team_id", "=", this.teamId);
  }

  insertResources(rows: readonly TeamRow<"resources">[]) {
    return this.#queries
      .insertInto("resources")
      .values(rows.map((row) => ({ ...row, team_id: this.teamId })));
  }

  projects() {
    return this.#queries.selectFrom("projects").where("projects.team_id", "=", this.teamId);
  }

  updateProject(id: string) {
    return this.#queries
      .updateTable("projects")
      .where("projects.team_id", "=", this.teamId)
      .where("projects.id", "=", id);
  }

  insertProject(row: TeamRow<"projects">) {
    return this.#queries.insertInto("projects").values({ ...row, team_id: this.teamId });
  }

  mappings() {
    return this.#queries.selectFrom("mappings").where("mappings.team_id", "=", this.teamId);
  }

  updateMapping(bindingRef: string) {
    return this.#queries
      .updateTable("mappings")
      .where("mappings.team_id", "=", this.teamId)
      .where("mappings.binding_ref", "=", bindingRef);
  }

  insertMapping(row: TeamRow<"mappings">) {
    return this.#queries.insertInto("mappings").values({ ...row, team_id: this.teamId });
  }

  operations() {
    return this.#queries.selectFrom("operations").where("operations.team_id", "=", this.teamId);
  }

  updateOperation(id: string) {
    return this.#queries
      .updateTable("operations")
      .where("operations.team_id", "=", this.teamId)
      .where("operations.id", "=", id);
  }

  deleteOperations() {
    return this.#queries.deleteFrom("operations").where("operations.team_id", "=", this.teamId);
  }

  insertOperation(row: TeamRow<"operations">) {
    return this.#queries.insertInto("operations").values({ ...row, team_id: this.teamId });
  }

  operationItems(operationId: string) {
    return this.#queries
      .selectFrom("operation_items")
      .where(
        "operation_items.operation_id",
        "in",
        this.operations().select("id").where("id", "=", operationId),
      );
  }

  /** Stores once that a part of an operation is done, when the operation is the team's. */
  async insertOperationItem({
    operation_id,
    position,
    item,
  }: Insertable<Schema["operation_items"]>): Promise<void> {
    await this.#queries
      .insertInto("operation_items")
      .columns(["operation_id", "position", "item"])
      .expression(
        this.operations()
          .select(({ val }) => ["id", val(position).as("position"), val(item).as("item")])
          .where("id", "=", operation_id),
      )
      .onConflict((conflict) => conflict.columns(["operation_id", "position"]).doNothing())
      .execute();
  }

  syncStates() {
    return this.#queries
      .selectFrom("sync_states")
      .where("sync_states.binding_ref", "in", this.mappings().select("binding_ref"));
  }

  updateSyncState(bindingRef: string) {
    return this.#queries
      .updateTable("sync_states")
      .where(
        "sync_states.binding_ref",
        "in",
        this.mappings().select("binding_ref").where("binding_ref", "=", bindingRef),
      );
  }

  async insertSyncState(bindingRef: string): Promise<void> {
    await this.#queries
      .insertInto("sync_states")
      .columns(["binding_ref"])
      .expression(this.mappings().select("binding_ref").where("binding_ref", "=", bindingRef))
      .onConflict((conflict) => conflict.column("binding_ref").doNothing())
      .execute();
  }

  /**
   * The issues of a mapping of the team.
   *
   * @param guard runs at the start of each transaction, in it; an error ends the transaction
   */
  issueStore(
    { bindingRef }: { readonly bindingRef: string },
    guard: (scope: TeamScope) => Promise<void> = async () => {},
  ): MappingStore {
    return new MappingStore(this.#queries, bindingRef, (queries) =>
      guard(new TeamScope(queries, this.principal, this.#clock)),
    );
  }

  idempotency() {
    return this.#queries.selectFrom("idempotency").where("idempotency.team_id", "=", this.teamId);
  }

  deleteIdempotency() {
    return this.#queries.deleteFrom("idempotency").where("idempotency.team_id", "=", this.teamId);
  }

  insertIdempotency(row: TeamRow<"idempotency">) {
    return this.#queries.insertInto("idempotency").values({ ...row, team_id: this.teamId });
  }

  async audit(action: string, subject: string, details: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#queries
      .insertInto("audit")
      .values({
        id: this.newId(),
        team_id: this.teamId,
        user_id: this.principal.user.id,
        action,
        subject,
        details: JSON.stringify(details),
        at: this.timestamp(),
      })
      .execute();
  }
}
