/**
 * Bindings to trackers on this machine (beads, fp): no control plane is
 * involved. The SDK's engine works over the tracker's program, what it knows is
 * in a SQLite file in the state folder.
 */
import { createHash } from "node:crypto";
import { mkdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import * as v from "valibot";
import type { Project } from "../../config/project.ts";
import type { Folders } from "../../config/settings.ts";
import type { OwnershipRequest, ProjectConfig } from "../../config.ts";
import type { TrackerConnector } from "../../sdk/connector.ts";
import { problemOf } from "../../sdk/model.ts";
import { createLocalConnector } from "../../sdk/registry.ts";
import { readRegularFile, replaceFile } from "../../shared/atomic-file.ts";
import type { Context } from "../../shared/context.ts";
import { ConfigError, TrackerError, UsageError } from "../../shared/errors.ts";
import { isInRepository, trustedPath } from "../../shared/git.ts";
import { jsonText } from "../../shared/json.ts";
import { isLocal, type LocalProvider, providerName } from "../../shared/providers.ts";
import { Ownership } from "../../sync/ownership.ts";
import { LocalMapping, OnDeviceBinding } from "./on-device.ts";
import { explained } from "./on-device-failures.ts";

/** The way to run the program of a provider; kept with the person, never in a repository. */
const Credentials = v.strictObject({
  /** Name of the program, or the path to it. */
  command: v.exactOptional(v.pipe(v.string(), v.nonEmpty())),
  /** Folder to run it in; the project's root when not given. */
  cwd: v.exactOptional(v.pipe(v.string(), v.nonEmpty())),
});
type LocalCredentials = v.InferOutput<typeof Credentials>;

/** The bindings of this person on this machine, by project, provider and workspace. */
const BindingsFile = v.record(v.string(), Credentials);

const MappingsFile = v.array(LocalMapping);

/** A binding to a tracker on this machine. */
interface LocalBinding {
  readonly provider: LocalProvider;
  readonly workspace: string;
  readonly credentials: LocalCredentials;
}

interface LocalTrackersOptions {
  readonly context: Pick<Context, "env" | "nature">;
  readonly folders: Folders;
  /** The lock that every edit of a file of ours is made under. */
  readonly lockPath: string;
}

/** The trackers on this machine that projects are bound to. */
export class LocalTrackers {
  readonly #options: LocalTrackersOptions;

  constructor(options: LocalTrackersOptions) {
    this.#options = options;
  }

  get path(): string {
    return join(this.#options.folders.config, "local-trackers.json");
  }

  /**
   * Asks the tracker's program for something, so that a binding which cannot work is not made.
   *
   * @throws TrackerError when it cannot be run or does not answer
   */
  async check(project: Project, binding: LocalBinding): Promise<void> {
    const connector = await this.#connect(project, binding);
    await explained(() => connector.searchIssues({ limit: 1 }));
  }

  /** Returns the recorded way to run the provider of a project; empty for an unknown one. */
  known(project: Project, binding: Pick<LocalBinding, "provider" | "workspace">): LocalCredentials {
    return this.#read(this.path, BindingsFile, {})[keyOf(project, binding)] ?? {};
  }

  /** Remembers how the tracker of a project is run. */
  remember(project: Project, binding: LocalBinding): void {
    const key = keyOf(project, binding);
    this.#edit(this.path, BindingsFile, {}, (all) => ({ ...all, [key]: binding.credentials }));
  }

  /** Forgets how the tracker of a project is run; what was synchronized stays. */
  forget(project: Project, binding: Pick<LocalBinding, "provider" | "workspace">): void {
    const key = keyOf(project, binding);
    const all = this.#read(this.path, BindingsFile, {});
    if (all[key] === undefined) return;
    this.#edit(this.path, BindingsFile, {}, ({ [key]: _, ...others }) => others);
  }

  /**
   * The tracker that a project is bound to. A config alone is not enough: a
   * repository must not decide which programs run where it is cloned.
   *
   * @throws TrackerError `not_bound_here` when this person has not bound the project on this machine
   */
  async open(project: Project): Promise<OnDeviceBinding> {
    const { provider, workspace } = requireLocalBinding(project.config);
    const key = keyOf(project, { provider, workspace });
    const credentials = this.#read(this.path, BindingsFile, {})[key];
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
    const { nature } = this.#options.context;
    return new OnDeviceBinding({
      provider,
      workspace,
      connector,
      storePath: join(folder, `${name}.db`),
      doctrine: doctrineOf(project.config),
      now: () => new Date(nature.now()),
      sleep: nature.sleep,
      mappings: {
        read: () => this.#read(join(folder, `${name}.mappings.json`), MappingsFile, []),
        edit: (change) => this.#edit(join(folder, `${name}.mappings.json`), MappingsFile, [], change),
      },
    });
  }

  /** @throws TrackerError `program_in_repository` when the recorded command is a path inside the repository */
  #connect(project: Project, { provider, workspace, credentials }: LocalBinding): Promise<TrackerConnector> {
    const { env } = this.#options.context;
    const params = { workspace, cwd: project.root, ...credentials };
    const program = params.command === undefined ? null : pathOf(params.command, params.cwd);
    if (program !== null && isInRepository(dirname(program), project.root)) {
      throw programInRepository(provider, program);
    }
    return explained(() =>
      createLocalConnector(
        provider,
        { ...params, ...(program !== null && { command: program }) },
        // The program is searched there, and so is what it starts itself.
        { ...env, PATH: trustedPath(project.root, env) },
      ),
    );
  }

  #read<S extends v.GenericSchema>(path: string, schema: S, missing: v.InferOutput<S>): v.InferOutput<S> {
    return parseFile(path, schema, readRegularFile(path, MAX_BYTES), missing);
  }

  #edit<S extends v.GenericSchema>(
    path: string,
    schema: S,
    missing: v.InferOutput<S>,
    change: (value: v.InferOutput<S>) => v.InferOutput<S>,
  ): void {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    replaceFile(
      path,
      this.#options.lockPath,
      (current) =>
        Buffer.from(`${JSON.stringify(change(parseFile(path, schema, current, missing)), null, 2)}\n`),
      { mode: 0o600 },
    );
  }
}

const MAX_BYTES = 1024 * 1024;

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

/** The binding that a config names. */
function requireLocalBinding({ tracker }: ProjectConfig): {
  readonly provider: LocalProvider;
  readonly workspace: string;
} {
  const { provider, workspace } = tracker;
  if (provider !== null && isLocal(provider) && workspace !== null) return { provider, workspace };
  throw new TrackerError("not_bound", "This project is not bound to an on-device provider.", {
    provider: "beads",
  });
}

/**
 * Reads `--credential key=value` flags.
 *
 * @throws UsageError for a key that local providers do not know
 */
export function parseCredentials(entries: Readonly<Record<string, string>>): LocalCredentials {
  const parsed = v.safeParse(Credentials, entries);
  if (parsed.success) return parsed.output;
  const keys = Object.keys(Credentials.entries);
  throw new UsageError(`--credential takes ${keys.join("=… or ")}=… for an on-device provider.`);
}

/** @throws UsageError when there is no such mode, field, owner or strategy */
export function requireDoctrine(request: OwnershipRequest): void {
  parseDoctrine(request, (path, problem) => {
    const flag = DOCTRINE_FLAGS.find(([key]) => path.startsWith(key))?.[1];
    return new UsageError(`${flag} ${problem}.`, { details: { flag } });
  });
}

/**
 * Ownership in the words of the wire.
 *
 * @throws what `failure` makes of the path of what is wrong, and of what is wrong with it
 */
function parseDoctrine(
  { mode, fieldOwners, conflictStrategy }: OwnershipRequest,
  failure: (path: string, problem: string) => TrackerError,
): Ownership {
  const parsed = v.safeParse(Ownership, {
    ...(mode !== null && { mode }),
    field_owners: fieldOwners,
    ...(conflictStrategy !== null && { conflict_strategy: conflictStrategy }),
  });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw failure(v.getDotPath(issue) ?? "", problemOf(issue));
}

const DOCTRINE_FLAGS = [
  ["mode", "--doctrine-mode"],
  ["field_owners", "--field-owner"],
  ["conflict_strategy", "--conflict-strategy"],
] as const;

/** The place of a binding among the person's own: nobody else's folder can take it. */
function keyOf(
  project: Project,
  { provider, workspace }: Pick<LocalBinding, "provider" | "workspace">,
): string {
  return JSON.stringify([realpathSync(project.root), provider, workspace]);
}

/**
 * The ownership that a config asks for.
 *
 * @throws ConfigError when it names no mode, field or owner that there is
 */
function doctrineOf({ tracker: { ownership } }: ProjectConfig): Ownership {
  return parseDoctrine(ownership, (path, problem) => {
    const place = path === "conflict_strategy" ? path : `doctrine.${path}`;
    return new ConfigError("config_invalid", `tracker.${place}: ${problem}`);
  });
}

function parseFile<S extends v.GenericSchema>(
  path: string,
  schema: S,
  bytes: Uint8Array | null,
  missing: v.InferOutput<S>,
): v.InferOutput<S> {
  if (bytes === null) return missing;
  const parsed = v.safeParse(jsonText(schema), Buffer.from(bytes).toString());
  if (parsed.success) return parsed.output;
  throw new ConfigError("invalid_settings", `${path} cannot be read.`);
}
