import { identityEdit, type ProjectIdentity } from "../config/identity.ts";
import type { Project } from "../config/project.ts";
import { type Binding, bindingEdit, bindingOf, type ConfigEdit, spliceConfig } from "../config.ts";
import { readRegularFile } from "../shared/atomic-file.ts";

export interface ConfigPreview {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** The effect of a bind on the project's config. */
export interface ConfigChange {
  /** Keeps facts that the control plane omitted. */
  readonly binding: Binding;
  /** Null when the project had none, or this one. */
  readonly replaced: Binding | null;
  readonly configPath: string;
  readonly isNewProject: boolean;
  /** The text of a dry run; null when it was written. */
  readonly preview: ConfigPreview | null;
}

/** Compares a new binding with the config as it was read. */
export function changeOf(project: Project, binding: Binding, preview: ConfigPreview | null): ConfigChange {
  const existing = bindingOf(project.config);
  const isSame =
    existing !== null &&
    existing.provider === binding.provider &&
    existing.bindingRef === binding.bindingRef &&
    existing.workspace === binding.workspace;
  const isSameProvider = existing?.provider === binding.provider;
  return {
    binding: {
      ...binding,
      displayLabel: binding.displayLabel ?? (isSameProvider ? existing.displayLabel : null),
      providerContext: binding.providerContext ?? (isSameProvider ? existing.providerContext : null),
    },
    replaced: isSame ? null : existing,
    configPath: project.configPath,
    isNewProject: project.source === "none",
    preview,
  };
}

/** A binding without a reference has a placeholder. */
export function previewBind(project: Project, identity: ProjectIdentity, binding: Binding): ConfigPreview {
  const recorded = { ...binding, bindingRef: binding.bindingRef ?? "(assigned when bound)" };
  return previewOf(project, identity, { tracker: bindingEdit(project.config.tracker, recorded) });
}

export function previewOf(project: Project, identity: ProjectIdentity, edit: ConfigEdit): ConfigPreview {
  const bytes = readRegularFile(project.configPath);
  const before = bytes === null ? "" : new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const whole = { ...edit, project: identityEdit(project.config.project, identity) };
  return { path: project.configPath, before, after: spliceConfig(before, whole) };
}
