/**
 * Bindings from another clone, on the embedded control plane. The committed config names the resource: the first
 * use creates the mapping here, and the first write needs a person's consent unless the git remote names the
 * same resource.
 */
import { realpathSync } from "node:fs";
import type { ControlPlaneClient } from "../../client.ts";
import type { Project, ProjectStore } from "../../config/project.ts";
import type { RemoteIdentity } from "../../config/remote.ts";
import type { TrustedBindings } from "../../config/trusted-bindings.ts";
import type { BindResolveResponse, KnownBinding, Mapping } from "../../protocol.ts";
import { TrackerError } from "../../shared/errors.ts";
import { type HostedProvider, providerName } from "../../shared/providers.ts";
import { wireIdentity } from "../wire.ts";

interface ClonesOptions {
  readonly client: ControlPlaneClient;
  readonly projects: ProjectStore;
  readonly trusted: TrustedBindings;
  /** @throws TrackerError when the control plane cannot store anything */
  readonly requireStorage: () => Promise<void>;
  /** Receives the resource's label at the first use of a binding from another clone. */
  readonly onAdopted: (label: string) => void;
}

export class Clones {
  readonly #options: ClonesOptions;

  constructor(options: ClonesOptions) {
    this.#options = options;
  }

  /**
   * Creates the mapping of the resource whose derived reference is the committed one.
   *
   * @throws TrackerError `no_installation` when the provider is not connected, `unknown_binding` when the
   *   reference is another control plane's or the resource is not visible
   */
  async adopt(project: Project, provider: HostedProvider, bindingRef: string): Promise<void> {
    const { client, projects, onAdopted } = this.#options;
    const project_identity = wireIdentity(await projects.identity(project));
    const known = {
      binding_ref: bindingRef,
      provider_context: project.config.tracker.providerContext ?? {},
    };
    const resolution = await client.call("bindResolve", { provider, project_identity, known });
    const { candidate_token, display_label } = resolution;
    if (candidate_token === null || referenceOf(resolution) !== bindingRef) {
      throw unknownBinding(provider, known, resolution);
    }
    await client.call("bindConfirm", { provider, candidate_token, project_identity });
    onAdopted(display_label ?? bindingRef);
  }

  /**
   * @param mapping the control plane's own mapping: the config's facts are the repository's claim
   * @throws TrackerError `untrusted_binding` until a person accepts the binding in this folder
   */
  async requireTrust(project: Project, bindingRef: string, mapping: () => Promise<Mapping>): Promise<void> {
    const { projects, trusted, requireStorage } = this.#options;
    await requireStorage();
    if (trusted.has(realpathSync(project.root), bindingRef)) return;
    const target = await mapping();
    const remote = await projects.remote(project);
    if (isSameResource(remote, target)) return;
    throw untrusted(target, bindingRef);
  }
}

/** The binding's reference; null without a certain match. */
function referenceOf(resolution: BindResolveResponse): string | null {
  if (resolution.match_type !== "exact") return null;
  return resolution.binding_ref ?? resolution.derived_binding_ref ?? null;
}

/** True when the remote is the mapping's repository; never for a provider without paths. */
function isSameResource(remote: RemoteIdentity | null, { provider_context }: Mapping): boolean {
  const { display_key: path, resource_url: url } = provider_context ?? {};
  if (remote === null || remote.host === null || remote.path === null) return false;
  if (path === undefined || url === undefined || !URL.canParse(url)) return false;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  return host === remote.host && path.toLowerCase() === remote.path.toLowerCase();
}

function unknownBinding(
  provider: HostedProvider,
  { binding_ref, provider_context: { display_key: displayKey } }: KnownBinding,
  resolution: BindResolveResponse,
): TrackerError {
  const isVisible =
    displayKey !== undefined &&
    resolution.match_type === "exact" &&
    resolution.provider_context?.display_key?.toLowerCase() === displayKey.toLowerCase();
  const name = providerName(provider);
  const cause = isVisible
    ? "another control plane made it"
    : `another control plane made it, or the connection to ${name} does not show ${displayKey ?? "its resource"}`;
  return new TrackerError(
    "unknown_binding",
    `The control plane on this machine does not know the binding ${binding_ref}: ${cause}.`,
    { provider, details: { binding_ref, resource_visible: isVisible } },
  );
}

function untrusted({ display_label, provider }: Mapping, bindingRef: string): TrackerError {
  const label = display_label ?? bindingRef;
  return new TrackerError(
    "untrusted_binding",
    `.kittify/config.yaml directs writes to ${label} on ${providerName(provider ?? "")}, and this repository's remote does not name it.`,
    { provider, details: { binding_ref: bindingRef, display_label: label } },
  );
}
