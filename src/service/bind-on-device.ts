/** Binding to a tracker on this machine, and letting go of it. */

import type { ProjectIdentity } from "../config/identity.ts";
import type { Project, ProjectStore } from "../config/project.ts";
import { type Binding, bindingEdit, type ConfigEdit, type OwnershipRequest, unbindEdit } from "../config.ts";
import type { LocalProvider } from "../shared/providers.ts";
import { requireOwnership } from "./bindings/on-device-ownership.ts";
import { type OnDevicePrograms, parseCredentials } from "./bindings/on-device-programs.ts";
import { type ConfigChange, type ConfigPreview, changeOf, preview } from "./config-change.ts";

/** A bind to a tracker on this machine, as it was asked for. */
export interface LocalBindRequest {
  readonly provider: LocalProvider;
  readonly workspace: string;
  /** The way to run the provider's program: `command`, `cwd`; an absent value stays. */
  readonly credentials: Readonly<Record<string, string>>;
  /** The owners of fields; a null mode or strategy and absent fields stay as they are recorded. */
  readonly doctrine: OwnershipRequest;
  readonly dryRun: boolean;
}

/** A finished bind to a tracker on this machine. */
export interface LocalBindOutcome extends ConfigChange {
  /** The change of a dry run; null when it was written. */
  readonly preview: ConfigPreview | null;
}

/** The dependencies of a bind to an on-device provider. */
export interface LocalBindTools {
  readonly projects: ProjectStore;
  readonly trackers: OnDevicePrograms;
}

/**
 * Binds a project to a tracker on this machine, which is asked first.
 *
 * @throws UsageError for credentials, modes, fields or owners that there are not
 * @throws TrackerError when the tracker's program cannot be run or does not answer; nothing was written then
 */
export async function bindLocal(
  { projects, trackers }: LocalBindTools,
  { project, identity }: { readonly project: Project; readonly identity: ProjectIdentity },
  request: LocalBindRequest,
): Promise<LocalBindOutcome> {
  const { provider, workspace, dryRun } = request;
  const named = parseCredentials(request.credentials);
  requireOwnership(request.doctrine);
  const credentials = { ...trackers.known(project, { provider, workspace }), ...named };
  await trackers.check(project, { provider, workspace, credentials });
  const binding: Binding = {
    provider,
    workspace,
    bindingRef: null,
    projectSlug: null,
    displayLabel: null,
    providerContext: null,
  };
  const edit = editOf(project, binding, request);
  const change = changeOf(project, binding);
  if (dryRun) return { ...change, preview: preview(project, identity, edit) };
  trackers.remember(project, { provider, workspace, credentials });
  projects.bind(project, identity, () => edit);
  return { ...change, preview: null };
}

/** Removes a binding to a tracker on this machine; how it was run is forgotten, what was synchronized stays. */
export function unbindLocal(
  { projects, trackers }: LocalBindTools,
  project: Project,
  provider: LocalProvider,
): void {
  const { workspace } = project.config.tracker;
  projects.edit(project, () => ({ tracker: unbindEdit() }));
  if (workspace !== null) trackers.forget(project, { provider, workspace });
}

function editOf({ config }: Project, binding: Binding, { doctrine }: LocalBindRequest): ConfigEdit {
  const { mode, fieldOwners, conflictStrategy } = doctrine;
  const owners = { ...config.tracker.ownership.fieldOwners, ...fieldOwners };
  return {
    tracker: {
      ...bindingEdit(config.tracker, binding),
      ...(conflictStrategy !== null && { conflict_strategy: conflictStrategy }),
    },
    ownership: {
      ...(mode !== null && { mode }),
      ...(Object.keys(fieldOwners).length > 0 && { field_owners: owners }),
    },
  };
}
