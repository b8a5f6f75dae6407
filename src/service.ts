/**
 * TrackerService: the one door that commands go through. It finds the project,
 * opens the control plane when a use case needs it, and picks hosted or local.
 */
import { join } from "node:path";
import { type ClientCredential, ControlPlaneClient } from "./client.ts";
import { type Binding, bindingEdit, isBoundHosted, spliceConfig, unbindEdit } from "./config.ts";
import { type Check, diagnose } from "./doctor.ts";
import {
  type BindDialog,
  type BindRequest,
  type BindResult,
  type BoundResult,
  type Discovery,
  HostedTracker,
  notBound,
} from "./hosted.ts";
import { identityEdit, type ProjectIdentity } from "./identity.ts";
import { findProject, type Project, ProjectStore, requireProject } from "./project.ts";
import type { Connection, InstallationStatus, Mapping, MeResponse, ProjectStatus } from "./protocol.ts";
import {
  type ControlPlane,
  CredentialStore,
  chooseControlPlane,
  editLock,
  type Folders,
  userFolders,
} from "./settings.ts";
import { readRegularFile } from "./shared/atomic-file.ts";
import type { Context, Fetch } from "./shared/context.ts";
import { NotAuthenticatedError, TrackerError } from "./shared/errors.ts";
import {
  HOSTED_PROVIDERS,
  type HostedProvider,
  isHosted,
  isLocal,
  LOCAL_PROVIDERS,
  parseProvider,
} from "./shared/providers.ts";
import { VERSION } from "./shared/version.ts";

/** The control plane in this process, opened. */
export interface EmbeddedHost {
  readonly fetch: Fetch;
  close(): Promise<void>;
}

/** What {@link TrackerService} depends on. */
export interface ServiceOptions {
  readonly context: Context;
  /** Absolute path at which the search for a project starts. */
  readonly projectFolder: string;
  /** The control plane named on the command line. */
  readonly hostFlag: string | undefined;
  /** Opens the control plane in this process over the database at `databasePath`. */
  readonly openEmbedded: (databasePath: string) => Promise<EmbeddedHost>;
  readonly debug: (line: string) => void;
}

/** The binding in a config, as it is reported. */
export interface ConfiguredBinding {
  readonly provider: string;
  readonly binding_ref: string | null;
  readonly project_slug: string | null;
  readonly display_label: string | null;
  readonly provider_context: Record<string, string> | null;
}

/** A config's text as it is and as a bind would leave it. */
export interface ConfigPreview {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** A finished bind and the file it is, or would be, recorded in. */
export interface BindOutcome extends BindResult {
  readonly replaced: ConfiguredBinding | null;
  readonly configPath: string;
  /** True when `bind` made the project's config. */
  readonly isNewProject: boolean;
  /** What a dry run would have written; null when it was written. */
  readonly preview: ConfigPreview | null;
}

/** Who the control plane takes the person for. */
export interface Session {
  readonly host: string;
  readonly source: string;
  readonly team: string | null;
  readonly user: MeResponse | null;
}

/** Every use case of the product. Close it when the command is done. */
export class TrackerService {
  readonly #options: ServiceOptions;
  readonly #folders: Folders;
  readonly #projects: ProjectStore;
  readonly #credentials: CredentialStore;
  #project: Project | null = null;
  #controlPlane: ControlPlane | null = null;
  #client: ControlPlaneClient | null = null;
  #embedded: EmbeddedHost | null = null;

  constructor(options: ServiceOptions) {
    const { env, machine } = options.context;
    this.#options = options;
    this.#folders = userFolders(env, machine);
    this.#projects = new ProjectStore(options.context, this.#folders.state, editLock(this.#folders));
    this.#credentials = new CredentialStore(this.#folders, env);
  }

  /** Ends what was opened. */
  async close(): Promise<void> {
    await this.#embedded?.close();
  }

  /** The providers there are; static. */
  providers(): { readonly local: readonly string[]; readonly saas: readonly string[] } {
    return { local: LOCAL_PROVIDERS, saas: HOSTED_PROVIDERS };
  }

  /** Where the embedded control plane keeps its data, and `tracker host serve` by default. */
  get databasePath(): string {
    return join(this.#folders.state, "host.db");
  }

  // Discovery and binding

  /** The bindable resources of a provider. */
  async discover(providerName: string): Promise<Discovery> {
    const provider = requireHosted(providerName);
    const hosted = await this.#hosted();
    return hosted.discover(provider, async () => {
      // Reading the project blocks; the request for the list is on its way by then.
      await this.#options.context.nature.sleep(0);
      const project = findProject(this.#options.projectFolder);
      return project === null ? null : this.#projects.identity(project);
    });
  }

  /** The binding that a bind would replace; null when there is none. */
  async currentBinding(): Promise<ConfiguredBinding | null> {
    await this.#plane();
    return configuredBinding(this.#requireProject());
  }

  /** Binds the project; null when the person cancelled. */
  async bind(request: BindRequest, dialog: BindDialog): Promise<BindOutcome | null> {
    const project = this.#requireProject();
    const [hosted, identity] = await Promise.all([this.#hosted(), this.#projects.identity(project)]);
    const result = await hosted.bind(project, identity, request, dialog);
    if (result === null) return null;
    const existing = configuredBinding(project);
    const isSame =
      existing?.provider === result.binding.provider && existing.binding_ref === result.binding.bindingRef;
    return {
      boundAt: result.boundAt,
      binding: withKnown(result.binding, existing),
      replaced: isSame ? null : existing,
      configPath: project.configPath,
      isNewProject: !project.exists,
      preview: request.dryRun ? preview(project, identity, result.binding) : null,
    };
  }

  /** Removes the project's binding from its config and returns it. */
  unbind(): ConfiguredBinding {
    const project = this.#requireProject();
    const binding = configuredBinding(project);
    if (binding === null) throw notBound();
    requireHosted(binding.provider);
    this.#projects.edit(project, () => ({ tracker: unbindEdit() }));
    return binding;
  }

  // Work on a binding

  /** The project's binding from its config alone. */
  offlineStatus(): ConfiguredBinding {
    return requireBinding(this.#boundProject());
  }

  /** State of the project's binding. */
  async status(): Promise<BoundResult<ProjectStatus>> {
    await this.#plane();
    const project = this.#boundProject();
    return (await this.#hosted()).status(project);
  }

  /** State of one provider's installation: the named one, else the bound one; else of every installation. */
  async installationStatus(providerName?: string): Promise<InstallationStatus | InstallationStatus[]> {
    const bound = findProject(this.#options.projectFolder)?.config.tracker.provider ?? undefined;
    const name = providerName ?? bound;
    const provider = name === undefined ? null : requireHosted(name);
    const hosted = await this.#hosted();
    return provider === null ? hosted.allInstallations() : hosted.installationStatus(provider);
  }

  /** Mappings of the named provider, else of the project's binding. */
  async mappings(providerName?: string): Promise<BoundResult<readonly Mapping[]>> {
    if (providerName !== undefined) {
      const provider = requireHosted(providerName);
      return (await this.#hosted()).providerMappings(provider);
    }
    const project = this.#boundProject();
    return (await this.#hosted()).mappings(project);
  }

  // Connections

  /** Connects a provider's demo data. */
  async connectDemo(providerName: string): Promise<Connection> {
    const provider = requireHosted(providerName);
    return (await this.#open()).connectDemo(provider);
  }

  async connections(): Promise<readonly Connection[]> {
    return (await (await this.#open()).connections()).connections;
  }

  async testConnection(connectionId: string): Promise<Connection> {
    return (await this.#open()).testConnection(connectionId);
  }

  async refreshConnection(connectionId: string): Promise<Connection> {
    return (await this.#open()).refreshConnection(connectionId);
  }

  async removeConnection(connectionId: string): Promise<void> {
    await (await this.#open()).removeConnection(connectionId);
  }

  /** Deletes a mapping at the control plane, so that its project can be bound to another resource. */
  async deleteMapping(bindingRef: string): Promise<void> {
    await (await this.#open()).deleteMapping(bindingRef);
  }

  // Sessions

  /** Proves a personal access token to the control plane and stores it. */
  async login(token: string): Promise<Session> {
    const { url } = await this.#remote();
    const teamSlug = this.#options.context.env.TRACKER_TEAM || null;
    let credential: ClientCredential = {
      kind: "personal",
      accessToken: token,
      refreshToken: null,
      teamSlug,
    };
    const client = this.#connect(url, {
      current: async () => credential,
      replace: async (renewed) => {
        credential = renewed;
      },
    });
    const user = await client.me();
    const team = teamSlug ?? (user.teams.length === 1 ? (user.teams[0]?.slug ?? null) : null);
    this.#credentials.store(url, { ...credential, teamSlug: team });
    return { host: url.origin, source: this.#credentials.path, team, user };
  }

  /** Who the control plane takes the person for. */
  async session(): Promise<Session> {
    const plane = await this.#plane();
    if (plane.kind === "embedded") {
      return { host: "embedded", source: "none needed", team: "local", user: null };
    }
    const found = await this.#credentials.find(plane.url);
    if (found === null) {
      throw new NotAuthenticatedError(`You are not logged in to ${plane.url.origin}.`, {
        hint: "Run `tracker auth login --with-token`, or set TRACKER_TOKEN.",
      });
    }
    const user = await (await this.#open()).me();
    return { host: plane.url.origin, source: found.source, team: found.credential.teamSlug, user };
  }

  /** Forgets the stored credential; false when there was none. */
  async logout(): Promise<{ readonly host: string; readonly removed: boolean }> {
    const { url } = await this.#remote();
    return { host: url.origin, removed: this.#credentials.remove(url) };
  }

  /** One check after the other of what a command needs. */
  async doctor(): Promise<Check[]> {
    return diagnose({
      context: this.#options.context,
      projectFolder: this.#options.projectFolder,
      projects: this.#projects,
      controlPlane: () => this.#plane(),
      openClient: () => this.#open(),
    });
  }

  // The way to the control plane

  /** The project, read once. */
  #requireProject(): Project {
    this.#project ??= requireProject(this.#options.projectFolder);
    return this.#project;
  }

  #boundProject(): Project {
    const project = this.#requireProject();
    requireHosted(requireBinding(project).provider);
    return project;
  }

  async #hosted(): Promise<HostedTracker> {
    const upgradesConfigs = !this.#options.context.env.TRACKER_NO_UPGRADE;
    const { debug } = this.#options;
    return new HostedTracker({
      client: await this.#open(),
      projects: this.#projects,
      upgradesConfigs,
      debug,
    });
  }

  async #plane(): Promise<ControlPlane> {
    if (this.#controlPlane === null) {
      const { context, hostFlag } = this.#options;
      this.#controlPlane = await chooseControlPlane(hostFlag, context.env, this.#folders);
      if (this.#controlPlane.kind === "remote") context.preconnect(this.#controlPlane.url);
    }
    return this.#controlPlane;
  }

  async #remote(): Promise<ControlPlane & { readonly kind: "remote" }> {
    const plane = await this.#plane();
    if (plane.kind === "remote") return plane;
    throw new TrackerError("embedded_host", "The embedded control plane has no sessions.", {
      hint: "Name the control plane that you mean: --host https://…",
    });
  }

  async #open(): Promise<ControlPlaneClient> {
    if (this.#client !== null) return this.#client;
    const plane = await this.#plane();
    if (plane.kind === "remote") {
      this.#client = this.#connect(plane.url, {
        current: async () => (await this.#credentials.find(plane.url))?.credential ?? null,
        replace: async (credential) => this.#keep(plane.url, credential),
      });
    } else {
      this.#embedded = await this.#options.openEmbedded(this.databasePath);
      this.#client = new ControlPlaneClient({
        ...this.#channel(),
        url: new URL("http://localhost"),
        name: "the embedded control plane",
        fetch: this.#embedded.fetch,
        credentials: null,
      });
    }
    return this.#client;
  }

  /** A renewed credential is kept; one from the environment lasts as long as the process. */
  #keep(url: URL, credential: ClientCredential): void {
    if (!this.#options.context.env.TRACKER_TOKEN) this.#credentials.store(url, credential);
  }

  #connect(url: URL, credentials: ConstructorParameters<typeof ControlPlaneClient>[0]["credentials"]) {
    const { fetch } = this.#options.context;
    return new ControlPlaneClient({ ...this.#channel(), url, name: url.origin, fetch, credentials });
  }

  #channel() {
    const { nature, machine } = this.#options.context;
    const userAgent = `tracker/${VERSION} (${machine.platform}-${machine.architecture})`;
    return { nature, userAgent, trace: this.#options.debug };
  }
}

/**
 * Parses the name of a hosted provider.
 *
 * @throws TrackerError for a local one, whose programs this version does not drive
 * @throws UnsupportedProviderError when it is removed or unknown
 */
export function requireHosted(name: string): HostedProvider {
  const provider = parseProvider(name);
  if (isHosted(provider)) return provider;
  throw new TrackerError(
    "local_provider_unavailable",
    `The local provider ${provider} is not available in this version.`,
    { hint: `Bind to a hosted provider instead: ${HOSTED_PROVIDERS.join(", ")}.` },
  );
}

function preview(project: Project, identity: ProjectIdentity, binding: BindResult["binding"]): ConfigPreview {
  const before = readText(project.configPath);
  const recorded: Binding = { ...binding, bindingRef: binding.bindingRef ?? "(assigned when bound)" };
  const after = spliceConfig(before, {
    project: identityEdit(project.config.project, identity),
    tracker: bindingEdit(project.config.tracker, recorded),
  });
  return { path: project.configPath, before, after };
}

function configuredBinding({ config }: Project): ConfiguredBinding | null {
  const { provider, bindingRef, projectSlug, displayLabel, providerContext } = config.tracker;
  if (provider === null || !(isBoundHosted(config.tracker) || isLocal(provider))) return null;
  return {
    provider,
    binding_ref: bindingRef,
    project_slug: projectSlug,
    display_label: displayLabel,
    provider_context: providerContext,
  };
}

/** The binding as the config holds it: what the control plane left out stays as it was recorded. */
function withKnown(
  binding: BindResult["binding"],
  existing: ConfiguredBinding | null,
): BindResult["binding"] {
  if (existing === null || existing.provider !== binding.provider) return binding;
  return {
    ...binding,
    displayLabel: binding.displayLabel ?? existing.display_label,
    providerContext: binding.providerContext ?? existing.provider_context,
  };
}

function requireBinding(project: Project): ConfiguredBinding {
  const binding = configuredBinding(project);
  if (binding === null) throw notBound();
  return binding;
}

function readText(path: string): string {
  const bytes = readRegularFile(path);
  return bytes === null ? "" : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

export { narrowCandidates, numberOf, orderCandidates } from "./discovery.ts";
export { type BindDialog, type Selection, SelectionRequiredError } from "./hosted.ts";
export type { BindCandidate } from "./protocol.ts";
