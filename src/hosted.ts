/**
 * The use cases against a control plane: discover, resolve and bind, work on a
 * binding with detection of stale ones and the silent upgrade of old configs.
 */
import type { ControlPlaneClient } from "./client.ts";
import {
  type Binding,
  bindingEdit,
  type ConfigEdit,
  isBoundHosted,
  type TrackerProjectConfig,
} from "./config.ts";
import {
  candidateByNumber,
  candidatesByMatch,
  type NumberedResource,
  numberByPosition,
  numberByResolution,
  numberOf,
  orderCandidates,
  sameCandidate,
  withoutNumbers,
} from "./discovery.ts";
import type { ProjectIdentity } from "./identity.ts";
import type { Project, ProjectStore } from "./project.ts";
import type {
  BindCandidate,
  BindConfirmResponse,
  BindResolveResponse,
  InstallationStatus,
  Mapping,
  ProjectStatus,
  ProviderContext,
  RoutingKey,
  ProjectIdentity as WireIdentity,
} from "./protocol.ts";
import { STALE_CODES } from "./protocol.ts";
import { type Choice, TrackerError } from "./shared/errors.ts";
import type { HostedProvider } from "./shared/providers.ts";
import { isHosted } from "./shared/providers.ts";

/** The binding in the config is not one that the control plane serves any more. */
export class StaleBindingError extends TrackerError {
  constructor(bindingRef: string, provider: string, cause: TrackerError) {
    super("stale_binding", `The binding ${bindingRef} is stale: ${cause.message}`, {
      hint: `Bind again: tracker bind --provider ${provider} --yes`,
      details: { binding_ref: bindingRef, reason: cause.code },
      requestId: cause.requestId ?? undefined,
      cause,
    });
  }
}

/** Several resources fit and none was chosen. */
export class SelectionRequiredError extends TrackerError {
  constructor(message: string, candidates: readonly BindCandidate[]) {
    super("selection_required", message, {
      hint: "Choose one: --select <number>, or --match <label>.",
      choices: candidates.map(toChoice),
    });
  }
}

/** How the resource to bind is chosen. */
export type Selection =
  | { readonly by: "person" }
  | { readonly by: "number"; readonly number: number }
  | { readonly by: "match"; readonly text: string }
  | { readonly by: "reference"; readonly bindingRef: string };

/** What a bind asks of the person, and tells them on the way. */
export interface BindDialog {
  /** Lets the person choose; null when they cancel. */
  choose(candidates: readonly BindCandidate[]): Promise<BindCandidate | null>;
  /** A resolution arrived. */
  resolved(resolution: BindResolveResponse): void;
  /** The one exact match is bound although another was selected. */
  exactOverridesSelection(resolution: BindResolveResponse): void;
}

/** A bind, whole. */
export interface BindRequest {
  readonly provider: HostedProvider;
  readonly selection: Selection;
  readonly dryRun: boolean;
}

/** What a bind ended in; null references only in a dry run. */
export interface BindResult {
  readonly binding: Omit<Binding, "bindingRef"> & { readonly bindingRef: string | null };
  readonly boundAt: string | null;
}

/** The resources of a provider, numbered, and what `bind` would do with them. */
export interface Discovery {
  readonly resources: readonly NumberedResource[];
  /** Label of the resource that `bind` would take without asking; null when it would ask. */
  readonly bindsByItself: string | null;
  /** Why the numbers are missing; null when they are not. */
  readonly resolutionError: TrackerError | null;
}

/** A result of work on a binding, and the upgrade that was left to the caller. */
export interface BoundResult<T> {
  readonly result: T;
  readonly pendingUpgrade: BindingUpgrade | null;
}

/** What an older config would be upgraded with. */
export interface BindingUpgrade {
  readonly binding_ref: string;
  readonly display_label: string | null;
  readonly provider_context: ProviderContext | null;
}

/** What {@link HostedTracker} depends on. */
export interface HostedDependencies {
  readonly client: ControlPlaneClient;
  readonly projects: ProjectStore;
  /** False when configs are not to be upgraded behind the person's back. */
  readonly upgradesConfigs: boolean;
  readonly debug: (line: string) => void;
}

/** The use cases of the hosted providers. */
export class HostedTracker {
  readonly #client: ControlPlaneClient;
  readonly #projects: ProjectStore;
  readonly #upgradesConfigs: boolean;
  readonly #debug: (line: string) => void;

  constructor(dependencies: HostedDependencies) {
    this.#client = dependencies.client;
    this.#projects = dependencies.projects;
    this.#upgradesConfigs = dependencies.upgradesConfigs;
    this.#debug = dependencies.debug;
  }

  /**
   * Lists a provider's resources. In a project they carry the numbers that
   * `bind` would offer them under; should the resolution fail, the list is worth
   * having all the same.
   *
   * @param identify finds out who asks, null outside any project; runs while the list is on its way
   */
  async discover(
    provider: HostedProvider,
    identify: () => Promise<ProjectIdentity | null>,
  ): Promise<Discovery> {
    const [{ resources }, resolution] = await Promise.all([
      this.#client.resources(provider),
      identify().then((identity) => (identity === null ? null : this.#tryResolve(provider, identity))),
    ]);
    if (resolution === null) {
      return { resources: numberByPosition(resources), bindsByItself: null, resolutionError: null };
    }
    if (resolution instanceof TrackerError) {
      return { resources: withoutNumbers(resources), bindsByItself: null, resolutionError: resolution };
    }
    return {
      resources: numberByResolution(resources, resolution),
      bindsByItself: resolution.match_type === "exact" ? (resolution.display_label ?? "") : null,
      resolutionError: null,
    };
  }

  async #tryResolve(
    provider: HostedProvider,
    identity: ProjectIdentity,
  ): Promise<BindResolveResponse | TrackerError> {
    try {
      return await this.#client.bindResolve(provider, toWire(identity));
    } catch (error) {
      if (error instanceof TrackerError) return error;
      throw error;
    }
  }

  /** Binds `project`; null when the person cancelled. Writes the config only when all went well. */
  async bind(
    project: Project,
    identity: ProjectIdentity,
    request: BindRequest,
    dialog: BindDialog,
  ): Promise<BindResult | null> {
    const result =
      request.selection.by === "reference"
        ? await this.#validate(request.provider, request.selection.bindingRef, identity)
        : await this.#resolveAndConfirm(project, request, identity, dialog);
    if (result === null || request.dryRun) return result?.outcome ?? null;
    const { bindingRef } = result.outcome.binding;
    if (bindingRef === null) throw new Error("A bind that is not a dry run has a reference.");
    const binding: Binding = { ...result.outcome.binding, bindingRef };
    this.#projects.bind(project, result.identity, (config) => ({
      tracker: bindingEdit(config.tracker, binding),
    }));
    return result.outcome;
  }

  async #validate(
    provider: HostedProvider,
    bindingRef: string,
    identity: ProjectIdentity,
  ): Promise<{ readonly outcome: BindResult; readonly identity: ProjectIdentity }> {
    const validation = await this.#client.bindValidate(provider, bindingRef, toWire(identity));
    if (!validation.valid) {
      const reason = validation.reason ?? "invalid";
      throw new TrackerError("invalid_binding_ref", `${bindingRef} cannot be bound: ${reason}.`, {
        hint:
          validation.guidance ?? `Run \`tracker bind --provider ${provider}\` to choose another resource.`,
        details: { binding_ref: bindingRef, reason },
      });
    }
    return {
      outcome: {
        binding: {
          provider,
          bindingRef: validation.binding_ref,
          displayLabel: validation.display_label,
          providerContext: validation.provider_context,
          projectSlug: null,
        },
        boundAt: null,
      },
      identity,
    };
  }

  async #resolveAndConfirm(
    project: Project,
    { provider, selection, dryRun }: BindRequest,
    derived: ProjectIdentity,
    dialog: BindDialog,
  ): Promise<{ readonly outcome: BindResult; readonly identity: ProjectIdentity } | null> {
    const resolution = await this.#client.bindResolve(provider, toWire(derived));
    dialog.resolved(resolution);
    const chosen = await this.#choose(provider, resolution, selection, dialog);
    if (chosen === null) return null;
    if (chosen.candidateToken === null || dryRun) {
      return { outcome: unconfirmed(provider, resolution, chosen), identity: derived };
    }
    const identity = this.#projects.reserve(project, derived);
    const confirmed = await this.#confirm(provider, chosen.candidateToken, identity, chosen.candidate);
    return {
      outcome: {
        binding: {
          provider,
          bindingRef: confirmed.binding_ref,
          displayLabel: confirmed.display_label,
          providerContext: confirmed.provider_context,
          projectSlug: confirmed.project_slug,
        },
        boundAt: confirmed.bound_at,
      },
      identity,
    };
  }

  async #choose(
    provider: HostedProvider,
    resolution: BindResolveResponse,
    selection: Selection,
    dialog: BindDialog,
  ): Promise<Chosen | null> {
    if (resolution.match_type === "exact") {
      const isFirst = selection.by === "person" || (selection.by === "number" && selection.number === 1);
      const isNamed = selection.by === "match" && selection.text === resolution.display_label;
      if (!isFirst && !isNamed) dialog.exactOverridesSelection(resolution);
      if (resolution.binding_ref !== null) return { candidateToken: null, candidate: null };
      if (resolution.candidate_token === null) throw invalidResolution(this.#client.name);
      return { candidateToken: resolution.candidate_token, candidate: null };
    }
    const candidates = orderCandidates(resolution.candidates);
    if (resolution.match_type === "none" || candidates.length === 0) {
      throw new TrackerError("no_candidates", `Nothing in ${provider} fits this project.`, {
        hint: `See what is connected with \`tracker discover --provider ${provider}\`, and connect what is missing with \`tracker host connect ${provider}\` or in the control plane's dashboard.`,
      });
    }
    const candidate = await select(candidates, selection, dialog);
    return candidate === null ? null : { candidateToken: candidate.candidate_token, candidate };
  }

  /** Confirms; a token that is refused once is renewed for the same resource and confirmed again. */
  async #confirm(
    provider: HostedProvider,
    token: string,
    identity: ProjectIdentity,
    candidate: BindCandidate | null,
  ): Promise<BindConfirmResponse> {
    try {
      return await this.#client.bindConfirm(provider, token, toWire(identity));
    } catch (error) {
      if (!(error instanceof TrackerError) || error.code !== "invalid_candidate_token") throw error;
      this.#debug("the candidate token was refused; resolving once more");
      const resolution = await this.#client.bindResolve(provider, toWire(identity));
      const renewed = renewToken(resolution, candidate);
      if (renewed !== null) return this.#client.bindConfirm(provider, renewed, toWire(identity));
      const label = candidate?.display_label ?? "The exact match";
      throw new TrackerError("candidate_gone", `${label} is no longer offered for this project.`, {
        hint: `Choose again: tracker bind --provider ${provider}`,
        cause: error,
      });
    }
  }

  /** State of the project's binding. */
  status(project: Project): Promise<BoundResult<ProjectStatus>> {
    return this.#onBinding(project, (provider, key) => this.#client.status(provider, key));
  }

  /** State of a provider's installation. */
  installationStatus(provider: HostedProvider): Promise<InstallationStatus> {
    return this.#client.installationStatus(provider);
  }

  /** State of every installation there is. */
  async allInstallations(): Promise<InstallationStatus[]> {
    const { installations } = await this.#client.installations();
    const providers = [...new Set(installations.map(({ provider }) => provider))].sort();
    return Promise.all(providers.map((provider) => this.#client.installationStatus(provider)));
  }

  /** Mappings of the project's binding. */
  async mappings(project: Project): Promise<BoundResult<readonly Mapping[]>> {
    const { result, pendingUpgrade } = await this.#onBinding(project, (provider, key) =>
      this.#client.mappings(provider, key),
    );
    return { result: result.mappings, pendingUpgrade };
  }

  /** Mappings of a provider; needs no binding. */
  async providerMappings(provider: HostedProvider): Promise<BoundResult<readonly Mapping[]>> {
    const { mappings } = await this.#client.mappings(provider);
    return { result: mappings, pendingUpgrade: null };
  }

  /**
   * Calls on behalf of the project's binding. An answer to a call that was
   * routed by the slug of an older config may carry the reference to upgrade to.
   *
   * @throws StaleBindingError when the control plane no longer serves the reference
   */
  async #onBinding<T extends Partial<BindingUpgradeFields>>(
    project: Project,
    call: (provider: HostedProvider, key: RoutingKey) => Promise<T>,
  ): Promise<BoundResult<T>> {
    const { provider, bindingRef, projectSlug } = project.config.tracker;
    if (provider === null || !isHosted(provider)) throw notBound();
    if (bindingRef !== null) {
      try {
        return { result: await call(provider, { binding_ref: bindingRef }), pendingUpgrade: null };
      } catch (error) {
        if (!(error instanceof TrackerError) || !STALE_CODES.has(error.code)) throw error;
        throw new StaleBindingError(bindingRef, provider, error);
      }
    }
    if (projectSlug === null) throw notBound();
    const result = await call(provider, { project_slug: projectSlug });
    return { result, pendingUpgrade: this.#upgrade(project, result) };
  }

  /** Upgrades an older config; the upgrade is returned instead where that is not wanted or fails. */
  #upgrade(project: Project, answer: Partial<BindingUpgradeFields>): BindingUpgrade | null {
    const { binding_ref, display_label = null, provider_context = null } = answer;
    if (!binding_ref) return null;
    const upgrade = { binding_ref, display_label, provider_context };
    if (!this.#upgradesConfigs) return upgrade;
    try {
      this.#projects.edit(project, ({ tracker }) => upgradeEdit(tracker, project.config.tracker, upgrade));
      this.#debug(`the config now holds ${binding_ref}`);
    } catch (error) {
      if (!(error instanceof TrackerError)) throw error;
      this.#debug(`the config could not be upgraded: ${error.message}`);
      return upgrade;
    }
    return null;
  }
}

interface BindingUpgradeFields {
  readonly binding_ref: string | null;
  readonly display_label: string | null;
  readonly provider_context: ProviderContext | null;
}

/** What was chosen; no token when the mapping exists already. */
interface Chosen {
  readonly candidateToken: string | null;
  readonly candidate: BindCandidate | null;
}

/** No binding in the config. */
export function notBound(): TrackerError {
  return new TrackerError("not_bound", "This project is not bound to a tracker.", {
    hint: "Bind it: tracker bind --provider <provider> (see `tracker providers`).",
  });
}

function invalidResolution(name: string): TrackerError {
  return new TrackerError("invalid_response", `${name} named an exact match without a way to bind it.`, {
    hint: "Tell the operators of the control plane.",
  });
}

/** Only a config that is still as it was when the call was made is upgraded. */
function upgradeEdit(
  now: TrackerProjectConfig,
  then: TrackerProjectConfig,
  upgrade: BindingUpgrade,
): ConfigEdit {
  const unchanged =
    now.bindingRef === null && now.provider === then.provider && now.projectSlug === then.projectSlug;
  if (!unchanged || now.provider === null || !isBoundHosted(now)) return {};
  return {
    tracker: bindingEdit(now, {
      provider: now.provider,
      bindingRef: upgrade.binding_ref,
      displayLabel: upgrade.display_label,
      providerContext: upgrade.provider_context,
      projectSlug: null,
    }),
  };
}

/** The outcome of a resolution whose mapping exists, or of a dry run. */
function unconfirmed(provider: string, resolution: BindResolveResponse, { candidate }: Chosen): BindResult {
  return {
    binding: {
      provider,
      bindingRef: resolution.binding_ref,
      displayLabel: candidate?.display_label ?? resolution.display_label,
      providerContext: candidate === null ? resolution.provider_context : null,
      projectSlug: candidate === null ? resolution.project_slug : null,
    },
    boundAt: null,
  };
}

async function select(
  candidates: readonly BindCandidate[],
  selection: Selection,
  dialog: BindDialog,
): Promise<BindCandidate | null> {
  switch (selection.by) {
    case "number": {
      const candidate = candidateByNumber(candidates, selection.number);
      if (candidate !== null) return candidate;
      throw new SelectionRequiredError(`There is no candidate ${selection.number}.`, candidates);
    }
    case "match": {
      const [candidate, ...others] = candidatesByMatch(candidates, selection.text);
      if (candidate !== undefined && others.length === 0) return candidate;
      const found = candidate === undefined ? "No candidate is" : "Several candidates are";
      throw new SelectionRequiredError(`${found} called "${selection.text}".`, candidates);
    }
    default:
      return dialog.choose(candidates);
  }
}

function renewToken(resolution: BindResolveResponse, candidate: BindCandidate | null): string | null {
  if (candidate === null) return resolution.match_type === "exact" ? resolution.candidate_token : null;
  return sameCandidate(resolution.candidates, candidate)?.candidate_token ?? null;
}

function toChoice(candidate: BindCandidate): Choice {
  const { display_label, confidence, match_reason } = candidate;
  return { number: numberOf(candidate), display_label, confidence, match_reason };
}

function toWire(identity: ProjectIdentity): WireIdentity {
  return {
    uuid: identity.uuid,
    slug: identity.slug,
    node_id: identity.nodeId,
    repo_slug: identity.repoSlug,
  };
}
