/** The use cases against a control plane: discover, resolve and bind. Work on a binding is in `hosted/`. */
import type { ControlPlaneClient } from "../client.ts";
import type { ProjectIdentity } from "../config/identity.ts";
import type { Project, ProjectStore } from "../config/project.ts";
import { type Binding, bindingEdit, type Egress } from "../config.ts";
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
} from "../discovery.ts";
import type {
  BindCandidate,
  BindConfirmResponse,
  BindResolveResponse,
  InstallationStatus,
} from "../protocol.ts";
import { type Choice, TrackerError } from "../shared/errors.ts";
import { type HostedProvider, providerName } from "../shared/providers.ts";
import { HostedBinding, type HostedDependencies } from "./bindings/hosted.ts";
import { HostedView } from "./bindings/hosted-view.ts";
import { wireIdentity as toWire } from "./wire-identity.ts";

/** Several resources fit, and none was chosen. */
export class SelectionRequiredError extends TrackerError {
  constructor(message: string, candidates: readonly BindCandidate[]) {
    super("selection_required", message, {
      choices: candidates.map(toChoice),
    });
  }
}

/** The way in which the resource to bind is chosen. */
export type Selection =
  | { readonly by: "person" }
  | { readonly by: "number"; readonly number: number }
  | { readonly by: "match"; readonly text: string }
  | { readonly by: "reference"; readonly bindingRef: string };

/** The questions and reports of a bind to the person. */
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

/** The result of a bind. Its reference is null only in a dry run. */
export interface BindResult {
  readonly binding: Omit<Binding, "bindingRef"> & { readonly bindingRef: string | null };
  readonly boundAt: string | null;
}

/** The resources of a provider, numbered, and what `bind` would do with them. */
export interface Discovery {
  readonly resources: readonly NumberedResource[];
  /** The match that `bind` would take without asking; null when it would ask. */
  readonly bindsByItself: CertainMatch | null;
  /** The reason for missing numbers; null when they are present. */
  readonly resolutionError: TrackerError | null;
}

/** The one resource that a project can mean. */
interface CertainMatch {
  /** Empty when the control plane does not say. */
  readonly label: string;
  /** Null when nobody has bound it yet. */
  readonly bindingRef: string | null;
}

/** The use cases of the hosted providers. */
export class HostedTracker {
  readonly #dependencies: HostedDependencies;
  readonly #client: ControlPlaneClient;
  readonly #projects: ProjectStore;
  readonly #debug: (line: string) => void;

  constructor(dependencies: HostedDependencies) {
    this.#dependencies = dependencies;
    this.#client = dependencies.client;
    this.#projects = dependencies.projects;
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
      this.#client.call("resources", { provider }),
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
      bindsByItself: certainMatch(resolution),
      resolutionError: null,
    };
  }

  async #tryResolve(
    provider: HostedProvider,
    identity: ProjectIdentity,
  ): Promise<BindResolveResponse | TrackerError> {
    try {
      return await this.#client.call("bindResolve", { provider, project_identity: toWire(identity) });
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
    const validation = await this.#client.call("bindValidate", {
      provider,
      binding_ref: bindingRef,
      project_identity: toWire(identity),
    });
    if (!validation.valid) {
      const reason = validation.reason ?? "invalid";
      throw new TrackerError(
        "invalid_binding_ref",
        `${bindingRef} cannot be bound: ${validation.guidance ?? `${reason}.`}`,
        {
          provider,
          details: { binding_ref: bindingRef, reason },
        },
      );
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
    const resolution = await this.#client.call("bindResolve", {
      provider,
      project_identity: toWire(derived),
    });
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
    if (resolution.match_type === "none" || candidates.length === 0) throw nothingFits(provider);
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
    const confirm = (candidate_token: string) =>
      this.#client.call("bindConfirm", { provider, candidate_token, project_identity: toWire(identity) });
    try {
      return await confirm(token);
    } catch (error) {
      if (!(error instanceof TrackerError) || error.code !== "invalid_candidate_token") throw error;
      this.#debug("the candidate token was refused; resolving once more");
      const resolution = await this.#client.call("bindResolve", {
        provider,
        project_identity: toWire(identity),
      });
      const renewed = renewToken(resolution, candidate);
      if (renewed !== null) return confirm(renewed);
      const label = candidate?.display_label ?? "The exact match";
      throw new TrackerError("candidate_gone", `${label} is no longer available to this project.`, {
        provider,
        cause: error,
      });
    }
  }

  /** State of a provider's installation. */
  installationStatus(provider: HostedProvider): Promise<InstallationStatus> {
    return this.#client.call("installationStatus", { provider });
  }

  /** State of every installation there is. */
  async allInstallations(): Promise<InstallationStatus[]> {
    const { installations } = await this.#client.call("installations", {});
    const providers = [...new Set(installations.map(({ provider }) => provider))].sort();
    return Promise.all(providers.map((provider) => this.#client.call("installationStatus", { provider })));
  }

  /** The work on the project's binding. */
  binding(project: Project): HostedBinding {
    return new HostedBinding(this.#dependencies, project);
  }

  /** The view of a provider's only bound resource; needs no binding of the project. */
  provider(provider: HostedProvider, egress: Egress): HostedView {
    return new HostedView(this.#client, provider, egress);
  }
}

function certainMatch({ match_type, display_label, binding_ref }: BindResolveResponse): CertainMatch | null {
  return match_type === "exact" ? { label: display_label ?? "", bindingRef: binding_ref } : null;
}

/** The choice. Its token is null when the mapping exists already. */
interface Chosen {
  readonly candidateToken: string | null;
  readonly candidate: BindCandidate | null;
}

function invalidResolution(name: string): TrackerError {
  return new TrackerError("invalid_response", `${name} named an exact match without a token to bind it.`);
}

function nothingFits(provider: string): TrackerError {
  return new TrackerError("no_candidates", `No resource of ${providerName(provider)} fits this project.`, {
    provider,
  });
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

export { type HostedDependencies, notBound } from "./bindings/hosted.ts";
