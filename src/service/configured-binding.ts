/** The binding that a config holds, and the one that a bind would leave in it. */

import { identityEdit, type ProjectIdentity } from "../config/identity.ts";
import type { Project } from "../config/project.ts";
import { type Binding, bindingEdit, type ConfigEdit, isBoundHosted, spliceConfig } from "../config.ts";
import { readRegularFile } from "../shared/atomic-file.ts";
import { isLocal } from "../shared/providers.ts";
import { type BindResult, notBound } from "./bind.ts";

/** The binding in a config, as it is reported. */
export interface ConfiguredBinding {
  readonly provider: string;
  readonly binding_ref: string | null;
  readonly project_slug: string | null;
  readonly display_label: string | null;
  readonly provider_context: Record<string, string> | null;
}

/** A config's text as it is and as a bind would leave it. */
interface ConfigPreview {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** The effect of a bind on the project's config. */
export interface ConfigChange {
  readonly replaced: ConfiguredBinding | null;
  readonly configPath: string;
  /** True when the bind made the project's config. */
  readonly isNewProject: boolean;
  /** The change of a dry run; null when it was written. */
  readonly preview: ConfigPreview | null;
}

/** The binding in the project's config; null when there is none. */
export function configuredBinding({ config }: Project): ConfiguredBinding | null {
  const { provider, bindingRef, projectSlug, displayLabel, providerContext, workspace } = config.tracker;
  if (provider === null || !(isBoundHosted(config.tracker) || isLocal(provider))) return null;
  return {
    provider,
    binding_ref: bindingRef,
    project_slug: projectSlug,
    display_label: displayLabel ?? (isLocal(provider) ? workspace : null),
    provider_context: providerContext,
  };
}

/**
 * The binding in the project's config.
 *
 * @throws TrackerError `not_bound` when there is none
 */
export function requireBinding(project: Project): ConfiguredBinding {
  const binding = configuredBinding(project);
  if (binding === null) throw notBound();
  return binding;
}

/** The binding as the config holds it: what the control plane left out stays as it was recorded. */
export function withKnown(
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

/** Returns the change that a bind would write. */
export function previewBind(
  project: Project,
  identity: ProjectIdentity,
  binding: BindResult["binding"],
): ConfigPreview {
  const before = readText(project.configPath);
  const recorded: Binding = { ...binding, bindingRef: binding.bindingRef ?? "(assigned when bound)" };
  const after = spliceConfig(before, {
    project: identityEdit(project.config.project, identity),
    tracker: bindingEdit(project.config.tracker, recorded),
  });
  return { path: project.configPath, before, after };
}

/** Returns the change that a bind to an on-device provider would write. */
export function previewLocalBind(project: Project, edit: ConfigEdit): ConfigPreview {
  const before = readText(project.configPath);
  return { path: project.configPath, before, after: spliceConfig(before, edit) };
}

function readText(path: string): string {
  const bytes = readRegularFile(path);
  return bytes === null ? "" : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
