/** A hosted binding. It detects stale references and upgrades configs that predate references. */

import type {
  CallOptions,
  ConflictSide,
  ControlPlaneClient,
  IssueSearchQuery,
  JobListener,
  MissionUpdate,
  PullQuery,
  RunQuery,
} from "../../client.ts";
import type { Project, ProjectStore } from "../../config/project.ts";
import { type Binding, bindingEdit, bindingOf, type ConfigEdit, type ProjectConfig } from "../../config.ts";
import {
  CALLS,
  type Call,
  type CallResponse,
  type Mapping,
  type PushItem,
  type RoutedCall,
  type RoutingKey,
  routedRequest,
  STALE_CODES,
  type UnroutedRequest,
} from "../../protocol.ts";
import { TrackerError, UsageError } from "../../shared/errors.ts";
import { type HostedProvider, isHosted, providerName } from "../../shared/providers.ts";
import { type BoundTracker, notBound, type OnUpgrade } from "../bindings.ts";
import { bindingFromWire, type WireBinding } from "../wire.ts";
import type { Clones } from "./clones.ts";
import { requireEgress } from "./egress.ts";

interface HostedDependencies {
  readonly client: ControlPlaneClient;
  readonly projects: ProjectStore;
  /** False when the user refused upgrades. */
  readonly upgradesConfigs: () => Promise<boolean>;
  readonly onUpgrade: OnUpgrade;
  /** Null on a remote control plane, which knows its own bindings. */
  readonly clones: Clones | null;
  readonly debug: (line: string) => void;
}

class StaleBindingError extends TrackerError {
  /** @param asked the control plane's name in messages; another one may know the binding */
  constructor(bindingRef: string, provider: string, asked: string, cause: TrackerError) {
    super("stale_binding", `The binding ${bindingRef} is stale: ${cause.message}`, {
      provider,
      details: { binding_ref: bindingRef, reason: cause.code, control_plane: asked },
      requestId: cause.requestId ?? undefined,
      cause,
    });
  }
}

/** Every method throws StaleBindingError when the control plane no longer has the binding. */
export class HostedBinding implements BoundTracker {
  readonly provider: HostedProvider;
  readonly #dependencies: HostedDependencies;
  readonly #project: Project;
  #key: RoutingKey;

  /** @throws TrackerError `not_bound` when the config holds no hosted binding */
  constructor(dependencies: HostedDependencies, project: Project) {
    const { provider, bindingRef, projectSlug } = project.config.tracker;
    if (provider === null || !isHosted(provider)) throw notBound();
    this.provider = provider;
    this.#dependencies = dependencies;
    this.#project = project;
    if (bindingRef !== null) this.#key = { binding_ref: bindingRef };
    else if (projectSlug !== null) this.#key = { project_slug: projectSlug };
    else throw notBound();
  }

  /** Other control planes may omit facts that the config has. */
  async status() {
    const status = await this.call("status", {});
    const { bindingRef, displayLabel } = this.#project.config.tracker;
    return {
      ...status,
      binding_ref: status.binding_ref ?? bindingRef,
      display_label: status.display_label ?? displayLabel,
    };
  }

  async mappings(): Promise<readonly Mapping[]> {
    return (await this.call("mappings", {})).mappings;
  }

  tickets(limit: number) {
    return this.call("listTickets", { limit });
  }

  searchTickets(query: IssueSearchQuery, limit: number) {
    return this.call("searchIssues", { ...query, limit });
  }

  pull(query: PullQuery) {
    return this.call("pull", query);
  }

  async push(items: readonly PushItem[] | null, listener: JobListener) {
    if (items === null) throw itemsNeeded(this.provider);
    await this.#requireTrust();
    return this.call("push", { items: [...items] }, listener);
  }

  async run(query: RunQuery, listener: JobListener) {
    const isDry = query.dry_run === true;
    requireEgress(this.#project.config.tracker.egress);
    if (isDry) await requireDryRuns(this.#dependencies.client);
    else await this.#requireTrust();
    const result = await this.call("run", { pull_first: true, ...query }, listener);
    if (isDry && result.dry_run !== true) throw unconfirmedDryRun(this.#dependencies.client.name);
    return result;
  }

  conflicts() {
    return this.call("conflicts", {});
  }

  async resolveConflict(id: string, take: ConflictSide) {
    await this.#requireTrust();
    return this.call("resolveConflict", { id, take });
  }

  seedMission(issue: string, missionId: string | null) {
    return this.call("seedMission", { issue, ...(missionId !== null && { mission_id: missionId }) });
  }

  async publishMission(issue: string, update: MissionUpdate, listener: JobListener) {
    await this.#requireTrust();
    return this.call("publishMission", { issue, update }, listener);
  }

  async addMapping(): Promise<never> {
    throw new TrackerError(
      "mappings_managed_elsewhere",
      `Binding adds the mappings of ${providerName(this.provider)}; they cannot be added by hand.`,
      { provider: this.provider },
    );
  }

  /** Calls the control plane about the binding. The answer to a call by slug may carry the reference to upgrade to. */
  async call<N extends RoutedCall>(
    name: N,
    request: UnroutedRequest<N>,
    options?: CallOptions,
  ): Promise<CallResponse<N>> {
    const { carriesIssues }: Call = CALLS[name];
    if (carriesIssues === true) requireEgress(this.#project.config.tracker.egress);
    const key = this.#key;
    const { client } = this.#dependencies;
    const routed = routedRequest<N>({ provider: this.provider, ...key }, request);
    if ("project_slug" in key) {
      const answer = await client.call(name, routed, options);
      await this.#upgrade(answer);
      return answer;
    }
    const send = () => client.call(name, routed, options);
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof TrackerError) || !STALE_CODES.has(error.code)) throw error;
      const { clones } = this.#dependencies;
      const stale = new StaleBindingError(key.binding_ref, this.provider, client.name, error);
      if (clones === null || !wasNeverHere(error)) throw stale;
      await clones.adopt(this.#project, this.provider, key.binding_ref);
      return send();
    }
  }

  /** A remote control plane decides itself about writes. */
  async #requireTrust(): Promise<void> {
    const { clones } = this.#dependencies;
    if (clones === null) return;
    await clones.requireTrust(this.#project, routeOf(this.#key), async () => {
      const [mapping] = await this.mappings();
      if (mapping === undefined) throw notBound();
      return mapping;
    });
  }

  /** Upgrades an older config where the user permits it; reports the upgrade in every case. */
  async #upgrade({ binding_ref, display_label, provider_context }: WireBinding): Promise<void> {
    if (!binding_ref) return;
    const { projects, upgradesConfigs, onUpgrade, debug } = this.#dependencies;
    const described = bindingFromWire(this.provider, { display_label, provider_context });
    const upgrade = { ...described, bindingRef: binding_ref };
    if (!(await upgradesConfigs())) {
      onUpgrade(upgrade, "pending");
      return;
    }
    try {
      const { config: then } = this.#project;
      projects.edit(this.#project, (now) => upgradeEdit(now, then, upgrade));
    } catch (error) {
      if (!(error instanceof TrackerError)) throw error;
      debug(`the config could not be upgraded: ${error.message}`);
      onUpgrade(upgrade, "pending");
      return;
    }
    this.#key = { binding_ref };
    onUpgrade(upgrade, "written");
  }
}

/** True when the control plane never had the binding: a deleted one leaves a tombstone. */
function wasNeverHere({ code, details }: TrackerError): boolean {
  const wasDeleted = typeof details === "object" && details !== null && "deleted" in details;
  return code === "binding_not_found" && !wasDeleted;
}

function routeOf(key: RoutingKey): string {
  return "binding_ref" in key ? key.binding_ref : key.project_slug;
}

/** Another program may have changed the config since the call; it is then not upgraded. */
function upgradeEdit(now: ProjectConfig, then: ProjectConfig, upgrade: Binding): ConfigEdit {
  const [current, earlier] = [bindingOf(now), bindingOf(then)];
  const isUnchanged =
    current !== null &&
    current.bindingRef === null &&
    current.provider === earlier?.provider &&
    current.projectSlug === earlier.projectSlug;
  if (!isUnchanged) return {};
  return { tracker: bindingEdit(now.tracker, upgrade) };
}

/**
 * A control plane that does not know `dry_run` would ignore it and write.
 *
 * @throws TrackerError `dry_run_not_offered`
 */
async function requireDryRuns(client: ControlPlaneClient): Promise<void> {
  if (client.isEmbedded) return;
  const features = await client.call("health", {}).then(
    (health) => health.features,
    (error: unknown): readonly string[] => {
      if (error instanceof TrackerError && error.code === "not_offered") return [];
      throw error;
    },
  );
  if (features.includes("dry_run")) return;
  throw new TrackerError("dry_run_not_offered", `${client.name} does not offer dry runs; nothing was sent.`);
}

function unconfirmedDryRun(name: string): TrackerError {
  return new TrackerError(
    "dry_run_not_confirmed",
    `${name} did not confirm that the run was a dry one. It may have written.`,
  );
}

function itemsNeeded(provider: HostedProvider): UsageError {
  return new UsageError(`A push to ${providerName(provider)} needs --items-json FILE.`, {
    details: { missing: "items" },
  });
}
