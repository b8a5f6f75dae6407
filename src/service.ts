/**
 * The only entry point for commands. It finds the project, opens the control plane when a use case needs it, and
 * decides between hosted and on-device.
 */

import { realpathSync } from "node:fs";
import type { CallOptions, JobListener, JobOutcome } from "./client.ts";
import { CredentialStore } from "./config/credentials.ts";
import { findProject, type Project, ProjectStore, requireProject } from "./config/project.ts";
import { editLock, type Folders, upgradesConfigs, userFolders } from "./config/settings.ts";
import { TrustedBindings } from "./config/trusted-bindings.ts";
import { type Binding, bindingOf, unbindEdit } from "./config.ts";
import { likelyProviders, type NumberedResource } from "./discovery.ts";
import type { CallName, CallRequest, CallResponse, InstallationStatus } from "./protocol.ts";
import { ControlPlaneAccess, type EmbeddedHost } from "./service/access.ts";
import { type BindDialog, Binder, type BindOutcome, type BindRequest } from "./service/bind.ts";
import type { OnDeviceBindRequest, OnDeviceTools } from "./service/bind-on-device.ts";
import { Clones } from "./service/bindings/clones.ts";
import { requireEgress } from "./service/bindings/egress.ts";
import { HostedBinding } from "./service/bindings/hosted.ts";
import { HostedView } from "./service/bindings/hosted-view.ts";
import { type BoundTracker, type OnUpgrade, requireBinding, type TrackerView } from "./service/bindings.ts";
import { Choices, type Chooser } from "./service/choices.ts";
import type { ConfigChange } from "./service/config-change.ts";
import { Connections } from "./service/connections.ts";
import { type Check, diagnose } from "./service/doctor.ts";
import { Sessions } from "./service/sessions.ts";
import type { Context } from "./shared/context.ts";
import { TrackerError } from "./shared/errors.ts";
import {
  HOSTED_PROVIDERS,
  type HostedProvider,
  isHosted,
  isLocal,
  LOCAL_PROVIDERS,
  type LocalProvider,
  parseProvider,
  providerName,
} from "./shared/providers.ts";

interface ServiceOptions {
  readonly context: Context;
  readonly projectFolder: string;
  readonly hostFlag: string | undefined;
  readonly openEmbedded: (databasePath: string) => Promise<EmbeddedHost>;
  /** Receives the upgrade of an older config, whichever call brought it. */
  readonly onUpgrade: OnUpgrade;
  /** Receives the first edit of a config that has `doctrine`; null where no person reads it. */
  readonly onDoctrine: (() => void) | null;
  /** Receives the resource's label at the first use of a binding from another clone. */
  readonly onAdopted: (label: string) => void;
  readonly debug: (line: string) => void;
}

/** The resources of a provider as `discover` lists them. */
export interface Discovery {
  readonly rows: readonly NumberedResource[];
  /** The resource that `bind` takes without asking; null when it asks. */
  readonly certain: {
    /** Empty when the control plane does not say. */
    readonly label: string;
    readonly isBound: boolean;
  } | null;
  /** The failure of the ranking; null when the numbers are those of `bind`. */
  readonly resolutionError: TrackerError | null;
}

/** Close it when the command ends. */
export class TrackerService {
  readonly connections: Connections;
  readonly sessions: Sessions;
  readonly #options: ServiceOptions;
  readonly #folders: Folders;
  readonly #projects: ProjectStore;
  readonly #trusted: TrustedBindings;
  readonly #access: ControlPlaneAccess;
  #project: Promise<Project> | null = null;

  constructor(options: ServiceOptions) {
    const { context, hostFlag, openEmbedded, debug } = options;
    const { env, machine } = context;
    const folders = userFolders(env, machine);
    const credentials = new CredentialStore(folders, env);
    this.#options = options;
    this.#folders = folders;
    this.#projects = new ProjectStore(context, folders, options.onDoctrine);
    this.#trusted = new TrustedBindings(folders);
    this.#access = new ControlPlaneAccess({ context, folders, credentials, hostFlag, openEmbedded, debug });
    this.connections = new Connections(this.#access);
    this.sessions = new Sessions({ access: this.#access, credentials, env });
  }

  async close(): Promise<void> {
    await this.#access.close();
  }

  providers(): { readonly local: readonly string[]; readonly saas: readonly string[] } {
    return { local: LOCAL_PROVIDERS, saas: HOSTED_PROVIDERS };
  }

  /** The database of the embedded control plane, and of `tracker host serve` by default. */
  get databasePath(): string {
    return this.#access.databasePath;
  }

  // Discovery and binding

  /** Lists the bindable resources of a provider, in the order of the list if the ranking fails. */
  async discover(name: string): Promise<Discovery> {
    const provider = requireHosted(name);
    const client = await this.#access.client();
    const chooser = this.#chooser(provider);
    const choices = new Choices(client, provider, chooser);
    const listing = choices.all();
    // The ranking is awaited first: its failure is the one to report.
    listing.catch(() => {});
    if ((await chooser) === null) return { rows: await listing, certain: null, resolutionError: null };
    try {
      const { match_type, display_label, binding_ref } = await choices.resolution();
      const isBound = binding_ref !== null && binding_ref === (await chooser)?.known?.bindingRef;
      const certain = match_type === "exact" ? { label: display_label ?? "", isBound } : null;
      return { rows: await listing, certain, resolutionError: null };
    } catch (error) {
      if (!(error instanceof TrackerError)) throw error;
      return { rows: await choices.unranked(), certain: null, resolutionError: error };
    }
  }

  /**
   * The hosted providers that this project may be bound to: that of its
   * binding, else those of {@link likelyProviders}.
   */
  async suggestProviders(): Promise<readonly HostedProvider[]> {
    const project = await this.#findProject();
    const bound = project === null ? null : bindingOf(project.config);
    if (bound !== null && isHosted(bound.provider)) return [bound.provider];
    const [connected, remote] = await Promise.all([
      this.connections.connectedProviders(),
      project === null ? null : this.#projects.remote(project),
    ]);
    return likelyProviders(connected, remote?.host ?? null);
  }

  /** The token that the GitHub CLI keeps for its person; null without one. */
  async githubCliToken(): Promise<string | null> {
    const { githubCliToken } = await import("./service/github-cli.ts");
    return githubCliToken(this.#options.context.env, this.#options.projectFolder);
  }

  /** The binding that a bind would replace; null when there is none. */
  async currentBinding(): Promise<Binding | null> {
    return bindingOf((await this.#requireProject()).config);
  }

  /** Binds the project; null when the person cancels. */
  async bind(request: BindRequest, dialog: BindDialog): Promise<BindOutcome | null> {
    const [project, client] = await Promise.all([this.#requireProject(), this.#access.client()]);
    if (!request.dryRun) await this.#access.requireStorage();
    const binder = new Binder({ client, projects: this.#projects, debug: this.#options.debug });
    const outcome = await binder.bind(project, request, dialog);
    if (outcome !== null && !request.dryRun) await this.#trust(project, outcome.binding.bindingRef);
    return outcome;
  }

  /** Binds the project to an on-device provider; no control plane is involved. */
  async bindOnDevice(request: OnDeviceBindRequest): Promise<ConfigChange> {
    const project = await this.#requireProject();
    const [{ bindOnDevice }, tools, identity] = await Promise.all([
      import("./service/bind-on-device.ts"),
      this.#onDeviceTools(),
      this.#projects.identity(project),
    ]);
    return bindOnDevice(tools, { project, identity }, request);
  }

  /** Removes the project's binding from its config and returns it. */
  async unbind(): Promise<Binding> {
    const project = await this.#requireProject();
    const binding = requireBinding(project);
    const provider = parseProvider(binding.provider);
    if (isLocal(provider)) {
      const { unbindOnDevice } = await import("./service/bind-on-device.ts");
      unbindOnDevice(await this.#onDeviceTools(), project, provider);
    } else {
      this.#projects.edit(project, () => ({ tracker: unbindEdit() }));
    }
    return binding;
  }

  // Work on a binding

  /** Reads only the config. */
  async configuredBinding(): Promise<Binding> {
    return requireBinding(await this.#requireProject());
  }

  /** The only place that decides between hosted and on-device. */
  async boundTracker(): Promise<BoundTracker> {
    const project = await this.#requireProject();
    const provider = parseProvider(requireBinding(project).provider);
    if (isLocal(provider)) return (await this.#onDeviceTools()).programs.open(project);
    return this.#hosted(project);
  }

  /** Permits writes to the binding's resource. */
  async trustBinding(): Promise<void> {
    const { projectFolder, context } = this.#options;
    // A call may have upgraded the config since it was read first.
    const project = await requireProject(projectFolder, context);
    const { bindingRef, projectSlug } = requireBinding(project);
    await this.#trust(project, bindingRef ?? projectSlug);
  }

  /** The view of the named provider, else of the binding of the project. */
  async tracker(providerName: string | undefined): Promise<TrackerView> {
    if (providerName === undefined) return this.boundTracker();
    const provider = parseProvider(providerName);
    if (isHosted(provider)) {
      const egress = (await this.#findProject())?.config.tracker.egress ?? "permitted";
      return new HostedView(await this.#access.client(), provider, egress);
    }
    // An on-device provider has data only in a bound project.
    const bound = (await this.#findProject())?.config.tracker.provider;
    if (bound === provider) return this.boundTracker();
    throw notBoundTo(provider);
  }

  /** @throws TrackerError `local_provider` in a project with an on-device provider, which has no operations */
  async jobOutcome(operationId: string, listener: JobListener): Promise<JobOutcome> {
    const tracker = (await this.#findProject())?.config.tracker ?? null;
    const bound = tracker?.provider ?? null;
    if (bound !== null && isLocal(bound)) throw withoutOperations(bound);
    requireEgress(tracker?.egress ?? "permitted");
    return (await this.#access.client()).jobOutcome(operationId, listener);
  }

  /** The state of the named provider's installation, else of the bound one's; else of every installation. */
  async installationStatus(providerName?: string): Promise<InstallationStatus | InstallationStatus[]> {
    const bound = (await this.#findProject())?.config.tracker.provider ?? undefined;
    const name = providerName ?? (bound !== undefined && isLocal(bound) ? undefined : bound);
    const provider = name === undefined ? null : requireHosted(name);
    const client = await this.#access.client();
    if (provider !== null) return client.call("installationStatus", { provider });
    const { installations } = await client.call("installations", {});
    const providers = [...new Set(installations.map(({ provider }) => provider))].sort();
    return Promise.all(providers.map((each) => client.call("installationStatus", { provider: each })));
  }

  /** A call that writes to the control plane and needs no binding. */
  async call<N extends CallName>(
    name: N,
    request: CallRequest<N>,
    options?: CallOptions,
  ): Promise<CallResponse<N>> {
    await this.#access.requireStorage();
    return (await this.#access.client()).call(name, request, options);
  }

  async doctor(): Promise<Check[]> {
    return diagnose({
      context: this.#options.context,
      projectFolder: this.#options.projectFolder,
      projects: this.#projects,
      controlPlane: () => this.#access.controlPlane(),
      openClient: () => this.#access.client(),
      askLocal: async (project) => {
        const tracker = await (await this.#onDeviceTools()).programs.open(project);
        await tracker.tickets(1);
      },
      askHosted: async (project) => (await this.#hosted(project)).status(),
    });
  }

  /** The project that chooses among a provider's resources; null outside of any. */
  async #chooser(provider: HostedProvider): Promise<Chooser | null> {
    // Reading the project blocks; the request for the list is on its way by then.
    await this.#options.context.timing.sleep(0);
    const project = await this.#findProject();
    if (project === null) return null;
    const existing = bindingOf(project.config);
    const known = existing?.provider === provider ? existing : null;
    return { identity: await this.#projects.identity(project), known };
  }

  #findProject(): Promise<Project | null> {
    return findProject(this.#options.projectFolder, this.#options.context);
  }

  #requireProject(): Promise<Project> {
    this.#project ??= requireProject(this.#options.projectFolder, this.#options.context);
    return this.#project;
  }

  async #onDeviceTools(): Promise<OnDeviceTools> {
    const { OnDevicePrograms } = await import("./service/bindings/on-device-programs.ts");
    const { context } = this.#options;
    const folders = this.#folders;
    const programs = new OnDevicePrograms({ context, folders, lockPath: editLock(folders) });
    return { projects: this.#projects, programs };
  }

  /** Only the embedded control plane asks for consent. */
  async #trust(project: Project, bindingRef: string | null): Promise<void> {
    const { kind } = await this.#access.controlPlane();
    if (kind === "embedded" && bindingRef !== null) this.#trusted.add(realpathSync(project.root), bindingRef);
  }

  async #hosted(project: Project): Promise<HostedBinding> {
    const { context, debug, onUpgrade } = this.#options;
    const dependencies = {
      client: await this.#access.client(),
      projects: this.#projects,
      upgradesConfigs: () => upgradesConfigs(context.env, this.#folders),
      onUpgrade,
      clones: await this.#clones(),
      debug,
    };
    return new HostedBinding(dependencies, project);
  }

  async #clones(): Promise<Clones | null> {
    const access = this.#access;
    if ((await access.controlPlane()).kind === "remote") return null;
    return new Clones({
      client: await access.client(),
      projects: this.#projects,
      trusted: this.#trusted,
      requireStorage: () => access.requireStorage(),
      onAdopted: this.#options.onAdopted,
    });
  }
}

/**
 * @throws TrackerError for an on-device provider, which no control plane knows
 * @throws UnsupportedProviderError when it is removed or unknown
 */
function requireHosted(name: string): HostedProvider {
  const provider = parseProvider(name);
  if (isHosted(provider)) return provider;
  throw new TrackerError(
    "local_provider",
    `${providerName(provider)} runs on this machine: it has no resources to discover and needs no connection.`,
    { provider },
  );
}

function withoutOperations(provider: LocalProvider): TrackerError {
  return new TrackerError(
    "local_provider",
    `${providerName(provider)} runs on this machine: its work ends with the command, so there is no operation to wait for.`,
    { provider, details: { subject: "operation" } },
  );
}

function notBoundTo(provider: LocalProvider): TrackerError {
  return new TrackerError("not_bound", `This project is not bound to ${providerName(provider)}.`, {
    provider,
  });
}
