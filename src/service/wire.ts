/** The codec between the service's types and those of the wire. Pure. */
import type { ProjectIdentity } from "../config/identity.ts";
import type { Binding } from "../config.ts";
import type { KnownBinding, ProviderContext, ProjectIdentity as WireIdentity } from "../protocol.ts";

export function wireIdentity({ uuid, slug, nodeId, repoSlug, repoHost }: ProjectIdentity): WireIdentity {
  return {
    uuid,
    slug,
    node_id: nodeId,
    repo_slug: repoSlug,
    ...(repoHost !== null && { repo_host: repoHost }),
  };
}

/** The part of a config's binding by which a control plane finds its resource again; null without a reference. */
export function wireKnown({ bindingRef, providerContext }: Binding): KnownBinding | null {
  return bindingRef === null ? null : { binding_ref: bindingRef, provider_context: providerContext ?? {} };
}

/** The fields of an answer that describe a binding. */
export interface WireBinding {
  readonly binding_ref?: string | null | undefined;
  readonly display_label?: string | null | undefined;
  readonly provider_context?: ProviderContext | null | undefined;
  readonly project_slug?: string | null | undefined;
}

/** The binding that an answer describes. */
export function bindingFromWire(provider: string, answer: WireBinding): Binding {
  return {
    provider,
    bindingRef: answer.binding_ref ?? null,
    projectSlug: answer.project_slug ?? null,
    displayLabel: answer.display_label ?? null,
    providerContext: answer.provider_context ?? null,
    workspace: null,
  };
}
