/** Remembers how each project runs its on-device provider (beads, fp). */
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import * as v from "valibot";
import type { Project } from "../../config/project.ts";
import type { Folders } from "../../config/settings.ts";
import { JsonFile } from "../../config/settings-files.ts";
import type { ProjectConfig } from "../../config.ts";
import type { TrackerConnector } from "../../sdk/connector.ts";
import { createLocalConnector } from "../../sdk/registry.ts";
import type { Context } from "../../shared/context.ts";
import { TrackerError, UsageError } from "../../shared/errors.ts";
import { isInRepository, trustedPath } from "../../shared/git.ts";
import { isLocal, type LocalProvider, providerName } from "../../shared/providers.ts";
import { OnDeviceBinding, WorkPackageMapping } from "./on-device.ts";
import { withFailureCodes } from "./on-device-failures.ts";
import { ownershipOf } from "./on-device-ownership.ts";

/** A setting of the user, never of a repository. */
const Credentials = v.strictObject({
  /** The program's name or path. */
  command: v.exactOptional(v.pipe(v.string(), v.nonEmpty())),
  /** Absent for the project's root. */
  cwd: v.exactOptional(v.pipe(v.string(), v.nonEmpty())),
});
type Credentials = v.InferOutput<typeof Credentials>;

/** Keyed by {@link keyOf}. */
const ProgramsFile = v.record(v.string(), Credentials);

const MappingsFile = v.array(WorkPackageMapping);

interface Workspace {
  readonly provider: LocalProvider;
  readonly workspace: string;
}

interface Program extends Workspace {
  readonly credentials: Credentials;
}

interface OnDeviceProgramsOptions {
  readonly context: Pick<Context, "env" | "timing">;
  readonly folders: Folders;
  readonly lockPath: string;
}

export class OnDevicePrograms {
  readonly #options: OnDeviceProgramsOptions;

  constructor(options: OnDeviceProgramsOptions) {
    this.#options = options;
  }

  get path(): string {
    return join(this.#options.folders.config, "local-trackers.json");
  }

  /**
   * Runs the program once, because a bind must not record a program that fails.
   *
   * @throws TrackerError when it cannot be run or does not answer
   */
  async check(project: Project, program: Program): Promise<void> {
    const connector = await this.#connect(project, program);
    await withFailureCodes(() => connector.searchIssues({ limit: 1 }));
  }

  /** Empty when nothing is recorded. */
  known(project: Project, workspace: Workspace): Credentials {
    return this.#file.read()[keyOf(project, workspace)] ?? {};
  }

  remember(project: Project, { credentials, ...workspace }: Program): void {
    this.#file.edit((all) => ({ ...all, [keyOf(project, workspace)]: credentials }));
  }

  /** The synchronized issues stay. */
  forget(project: Project, workspace: Workspace): void {
    const key = keyOf(project, workspace);
    if (this.#file.read()[key] === undefined) return;
    this.#file.edit(({ [key]: _, ...others }) => others);
  }

  /**
   * A config alone opens nothing: a repository must not decide which programs run where it is cloned.
   *
   * @throws TrackerError `not_bound_here` when this user has not bound the project on this machine
   */
  async open(project: Project): Promise<OnDeviceBinding> {
    const { provider, workspace } = requireWorkspace(project.config);
    const key = keyOf(project, { provider, workspace });
    const credentials = this.#file.read()[key];
    if (credentials === undefined) {
      throw new TrackerError(
        "not_bound_here",
        `The config of this project names ${providerName(provider)}, which is not bound on this machine.`,
        { provider, details: { workspace } },
      );
    }
    const connector = await this.#connect(project, { provider, workspace, credentials });
    const folder = join(this.#options.folders.state, "local");
    const name = createHash("sha256").update(key).digest("hex").slice(0, 24);
    const { lockPath, context } = this.#options;
    return new OnDeviceBinding({
      provider,
      workspace,
      connector,
      storePath: join(folder, `${name}.db`),
      doctrine: ownershipOf(project.config),
      now: () => new Date(context.timing.now()),
      sleep: context.timing.sleep,
      mappings: new JsonFile(MappingsFile, {
        path: join(folder, `${name}.mappings.json`),
        lockPath,
        missing: [],
      }),
    });
  }

  /** @throws TrackerError `program_in_repository` when the recorded command is inside the repository */
  #connect(project: Project, { provider, workspace, credentials }: Program): Promise<TrackerConnector> {
    const { env } = this.#options.context;
    const params = { workspace, cwd: project.root, ...credentials };
    const program = params.command === undefined ? null : pathOf(params.command, params.cwd);
    if (program !== null && isInRepository(dirname(program), project.root)) {
      throw programInRepository(provider, program);
    }
    return withFailureCodes(() =>
      createLocalConnector(
        provider,
        { ...params, ...(program !== null && { command: program }) },
        // The program and its own children are searched there.
        { ...env, PATH: trustedPath(project.root, env) },
      ),
    );
  }

  get #file(): JsonFile<typeof ProgramsFile> {
    const { lockPath } = this.#options;
    return new JsonFile(ProgramsFile, { path: this.path, lockPath, missing: {} });
  }
}

/** The absolute path of a command that names a file; null for a bare name, which is searched on the PATH. */
function pathOf(command: string, cwd: string): string | null {
  return basename(command) === command ? null : resolve(cwd, command);
}

function programInRepository(provider: LocalProvider, program: string): TrackerError {
  return new TrackerError(
    "program_in_repository",
    `${providerName(provider)}: the program ${program} is inside this repository and is not run.`,
    { provider },
  );
}

function requireWorkspace({ tracker }: ProjectConfig): Workspace {
  const { provider, workspace } = tracker;
  if (provider !== null && isLocal(provider) && workspace !== null) return { provider, workspace };
  throw new TrackerError("not_bound", "This project is not bound to an on-device provider.", {
    provider: "beads",
  });
}

/** @throws UsageError for an unknown key */
export function parseCredentials(entries: Readonly<Record<string, string>>): Credentials {
  const parsed = v.safeParse(Credentials, entries);
  if (parsed.success) return parsed.output;
  const keys = Object.keys(Credentials.entries);
  throw new UsageError(`--credential takes ${keys.join("=… or ")}=… for an on-device provider.`);
}

function keyOf(project: Project, { provider, workspace }: Workspace): string {
  return JSON.stringify([realpathSync(project.root), provider, workspace]);
}
