/** Binding a project to an on-device provider, and unbinding it. */
import type { ProjectIdentity } from "../config/identity.ts";
import type { Project, ProjectStore } from "../config/project.ts";
import { type Binding, bindingEdit, type ConfigEdit, type OwnershipRequest, unbindEdit } from "../config.ts";
import type { LocalProvider } from "../shared/providers.ts";
import { requireOwnership } from "./bindings/on-device-ownership.ts";
import { type OnDevicePrograms, parseCredentials } from "./bindings/on-device-programs.ts";
import { type ConfigChange, changeOf, previewOf } from "./config-change.ts";

/** The request of a bind to an on-device provider. */
export interface OnDeviceBindRequest {
  readonly provider: LocalProvider;
  readonly workspace: string;
  /** The program's `command` and `cwd`; an absent value keeps the recorded one. */
  readonly credentials: Readonly<Record<string, string>>;
  /** A null mode or strategy and absent fields keep the recorded ones. */
  readonly doctrine: OwnershipRequest;
  readonly dryRun: boolean;
}

/** The dependencies of work on on-device providers. */
export interface OnDeviceTools {
  readonly projects: ProjectStore;
  readonly programs: OnDevicePrograms;
}

/**
 * Binds a project to an on-device provider whose program answers.
 *
 * @throws UsageError for unknown credentials, modes, fields or owners
 * @throws TrackerError when the provider's program cannot be run or does not answer; nothing is written then
 */
export async function bindOnDevice(
  { projects, programs }: OnDeviceTools,
  { project, identity }: { readonly project: Project; readonly identity: ProjectIdentity },
  request: OnDeviceBindRequest,
): Promise<ConfigChange> {
  const { provider, workspace, dryRun } = request;
  const named = parseCredentials(request.credentials);
  requireOwnership(request.doctrine);
  const credentials = { ...programs.known(project, { provider, workspace }), ...named };
  await programs.check(project, { provider, workspace, credentials });
  const binding: Binding = {
    provider,
    workspace,
    bindingRef: null,
    projectSlug: null,
    displayLabel: null,
    providerContext: null,
  };
  const edit = editOf(project, binding, request);
  if (dryRun) return changeOf(project, binding, previewOf(project, identity, edit));
  programs.remember(project, { provider, workspace, credentials });
  projects.bind(project, identity, () => edit);
  return changeOf(project, binding, null);
}

/** Removes an on-device binding and the credentials of its program; the synchronized issues stay. */
export function unbindOnDevice(
  { projects, programs }: OnDeviceTools,
  project: Project,
  provider: LocalProvider,
): void {
  const { workspace } = project.config.tracker;
  projects.edit(project, () => ({ tracker: unbindEdit() }));
  if (workspace !== null) programs.forget(project, { provider, workspace });
}

function editOf({ config }: Project, binding: Binding, { doctrine }: OnDeviceBindRequest): ConfigEdit {
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
