/** The project on disk: its folder, its config, its identity. */
import { accessSync, constants, existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import {
  type ConfigEdit,
  editProjectConfig,
  type ProjectConfig,
  parseProjectConfig,
  readProjectConfig,
} from "../config.ts";
import { reasonOf } from "../shared/atomic-file.ts";
import type { Context, Machine } from "../shared/context.ts";
import { ConfigError, ProjectError } from "../shared/errors.ts";
import { FileLock } from "../shared/file-lock.ts";
import {
  assertTrusted,
  findRepository,
  foldersUpwards,
  identifyingRemote,
  type Repository,
  readIndexed,
  readRemotes,
} from "../shared/git.ts";
import type { Environment } from "../shared/io.ts";
import {
  completeIdentity,
  identityEdit,
  type ProjectIdentity,
  sha256,
  UuidReservations,
} from "./identity.ts";
import { parseRemote, type RemoteIdentity } from "./remote.ts";
import { editLock, type Folders } from "./settings.ts";

/** Longer than the requests of another bind of the same project may take. */
const LOCK_LIMIT_MS = 90_000;
const LOCK_PAUSE_MS = 25;

const CONFIG_FOLDER = ".kittify";
const CONFIG_PATH = `${CONFIG_FOLDER}/config.yaml`;

/** A folder that is a project, or becomes one with its first bind. */
export interface Project {
  readonly root: string;
  /** Null outside of a git work tree. */
  readonly repository: string | null;
  readonly configPath: string;
  /** The source of the config: its file, or git's index where a sparse checkout leaves it out. */
  readonly source: "file" | "index" | "none";
  /** The content at the time of reading. */
  readonly config: ProjectConfig;
}

interface Surroundings {
  readonly env: Environment;
  readonly machine: Pick<Machine, "homeDirectory" | "userId">;
}

/**
 * Returns the nearest folder with `.kittify` within the repository, else the repository's root; outside of any
 * repository only `start` itself. The home folder's own `.kittify` is no project.
 *
 * @throws ProjectError when the folder does not exist or belongs to another user, or git fails
 */
export async function findProject(start: string, surroundings: Surroundings): Promise<Project | null> {
  const { env, machine } = surroundings;
  if (!existsSync(start)) {
    throw new ProjectError("no_such_folder", `There is no folder ${start}.`, { details: { folder: start } });
  }
  const found = findRepository(start);
  const repository = found?.kind === "work-tree" ? found.root : null;
  if (repository === null && found !== null) return null;
  const folders = repository === null ? [start] : foldersWithin(repository, start);
  const candidates = folders.filter((folder) => !isSameFolder(folder, machine.homeDirectory));
  const root = candidates.find((folder) => existsSync(join(folder, CONFIG_FOLDER)));
  if (repository !== null) await assertTrusted(repository, machine.userId, env);
  else if (root !== undefined) assertOwned(root, machine.userId);
  if (root !== undefined) {
    const configPath = join(root, CONFIG_PATH);
    const source = existsSync(configPath) ? "file" : "none";
    return { root, repository, configPath, source, config: readProjectConfig(configPath) };
  }
  if (repository === null) return null;
  return (await findIndexed(repository, candidates, env)) ?? newProject(repository);
}

function newProject(repository: string): Project {
  const configPath = join(repository, CONFIG_PATH);
  return { root: repository, repository, configPath, source: "none", config: parseProjectConfig("") };
}

async function findIndexed(
  repository: string,
  folders: readonly string[],
  env: Environment,
): Promise<Project | null> {
  const paths = folders.map((folder) => [...segments(repository, folder), CONFIG_PATH].join("/"));
  const indexed = await readIndexed(repository, paths, env);
  if (indexed === null) return null;
  const configPath = join(repository, indexed.path);
  const config = parseProjectConfig(indexed.text);
  return { root: dirname(dirname(configPath)), repository, configPath, source: "index", config };
}

/** The folders from `start` up to `top`, nearest first. */
function foldersWithin(top: string, start: string): string[] {
  const folders: string[] = [];
  for (const folder of foldersUpwards(start)) {
    folders.push(folder);
    if (folder === top) break;
  }
  return folders;
}

/** The path from `top` down to `folder`, by segments. */
function segments(top: string, folder: string): string[] {
  return relative(top, folder)
    .split(sep)
    .filter((segment) => segment !== "");
}

function isSameFolder(one: string, other: string | null): boolean {
  return other !== null && existsSync(other) && realpathSync(one) === realpathSync(other);
}

/** git makes the same check for the folders of a repository. */
function assertOwned(root: string, userId: number | undefined): void {
  const folder = join(root, CONFIG_FOLDER);
  if (userId === undefined || statSync(folder).uid === userId) return;
  throw new ProjectError("folder_of_another_user", `${folder} belongs to another user.`, {
    details: { folder },
  });
}

/** @throws ProjectError when there is none */
export async function requireProject(start: string, surroundings: Surroundings): Promise<Project> {
  const project = await findProject(start, surroundings);
  if (project === null) throw noProject(start, findRepository(start));
  return project;
}

function noProject(start: string, repository: Repository | null): ProjectError {
  switch (repository?.kind) {
    case "bare":
      return new ProjectError(
        "bare_repository",
        `${repository.root} is a bare repository: it has no work tree.`,
      );
    case "jj":
      return new ProjectError(
        "jj_repository",
        `${repository.root} is a jj repository without a git work tree.`,
      );
    default:
      return new ProjectError("no_project", `There is no project or git repository at or above ${start}.`);
  }
}

export class ProjectStore {
  readonly #context: Pick<Context, "env" | "machine" | "timing">;
  readonly #folders: Pick<Folders, "state">;
  readonly #onDoctrine: (() => void) | null;
  readonly #remotes = new Map<string, Promise<RemoteIdentity | null>>();

  /** @param onDoctrine receives the first edit of each config with the older spelling of `ownership` */
  constructor(
    context: Pick<Context, "env" | "machine" | "timing">,
    folders: Pick<Folders, "state">,
    onDoctrine: (() => void) | null,
  ) {
    this.#context = context;
    this.#folders = folders;
    this.#onDoctrine = onDoctrine;
  }

  get #lockPath(): string {
    return editLock(this.#folders);
  }

  get #reservations(): UuidReservations {
    return new UuidReservations(this.#folders.state, this.#lockPath);
  }

  /** Derives unrecorded parts; writes nothing. */
  async identity(project: Project): Promise<ProjectIdentity> {
    const { root, repository, config } = project;
    return completeIdentity(config.project, {
      root,
      folder: repository === null ? "" : segments(repository, root).join("/"),
      remote: await this.remote(project),
      machine: this.#context.machine,
      reservedUuid: () => this.#reservations.peek(realpathSync(root)),
    });
  }

  /** The repository's own remote, whatever the config records; null when there is none. Git runs once per repository. */
  remote({ repository }: Project): Promise<RemoteIdentity | null> {
    if (repository === null) return Promise.resolve(null);
    const known = this.#remotes.get(repository);
    if (known !== undefined) return known;
    const remote = this.#readRemote(repository);
    this.#remotes.set(repository, remote);
    return remote;
  }

  async #readRemote(repository: string): Promise<RemoteIdentity | null> {
    const remote = identifyingRemote(await readRemotes(repository, this.#context.env));
    return remote === null ? null : parseRemote(remote.url);
  }

  /**
   * Reserves the identity's uuid, before the control plane can remember it: a repeated bind then presents the
   * same one.
   */
  reserve(project: Project, identity: ProjectIdentity): ProjectIdentity {
    if (project.config.project.uuid !== null) return identity;
    return { ...identity, uuid: this.#reservations.reserve(realpathSync(project.root), identity.uuid) };
  }

  /**
   * Runs `work` with the re-read project while no other process binds it.
   *
   * @throws ConfigError `config_locked` when another process holds the lock for longer than a bind takes
   */
  async alone<T>(project: Project, work: (now: Project) => Promise<T>): Promise<T> {
    const name = sha256(realpathSync(project.root)).slice(0, 24);
    const lock = await this.#take(join(this.#folders.state, "binds", `${name}.lock`));
    try {
      return await work({ ...project, ...readAgain(project) });
    } finally {
      lock.close();
    }
  }

  async #take(path: string): Promise<FileLock> {
    const { now, sleep } = this.#context.timing;
    const deadline = now() + LOCK_LIMIT_MS;
    for (;;) {
      const lock = openLock(path);
      if (lock.tryTake()) return lock;
      lock.close();
      if (now() > deadline) {
        const message = "Another bind of this project is still running.";
        throw new ConfigError("config_locked", message, { retryable: true, details: { path } });
      }
      await sleep(LOCK_PAUSE_MS);
    }
  }

  /** @param plan called again when another program changed the file meanwhile */
  edit(project: Project, plan: (config: ProjectConfig) => ConfigEdit): boolean {
    assertWritable(project);
    const { changed } = editProjectConfig(project.configPath, this.#lockPath, plan);
    if (changed && project.config.tracker.hasDoctrine) this.#reportDoctrine(project);
    return changed;
  }

  /** Reports once for each project; a file in the state folder remembers that. */
  #reportDoctrine({ root }: Project): void {
    if (this.#onDoctrine === null) return;
    const folder = join(this.#folders.state, "reported-doctrine");
    const name = sha256(realpathSync(root)).slice(0, 24);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, name), "", { flag: "wx", mode: 0o600 });
    } catch (error) {
      // Without a writable state folder, every edit reports it.
      if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
    }
    this.#onDoctrine();
  }

  /** Writes identity and binding in one edit; the reservation is then obsolete. */
  bind(project: Project, identity: ProjectIdentity, plan: (config: ProjectConfig) => ConfigEdit): void {
    this.edit(project, (config) => ({
      ...plan(config),
      project: identityEdit(config.project, identity),
    }));
    if (project.config.project.uuid === null) this.#reservations.release(realpathSync(project.root));
  }
}

function openLock(path: string): FileLock {
  try {
    return new FileLock(path);
  } catch (cause) {
    const message = `Cannot lock ${path}: ${reasonOf(cause)}.`;
    throw new ConfigError("config_locked", message, { details: { path }, cause });
  }
}

function readAgain({ configPath, source, config }: Project): Pick<Project, "source" | "config"> {
  if (source === "index") return { source, config };
  return { source: existsSync(configPath) ? "file" : "none", config: readProjectConfig(configPath) };
}

/**
 * Called before anything is created elsewhere.
 *
 * @throws ConfigError `config_not_checked_out`, `config_outside_project` or `config_not_writable`
 */
export function assertWritable({ root, repository, configPath, source }: Project): void {
  if (source === "index") {
    const message = `git tracks ${CONFIG_PATH}, and this sparse checkout leaves it out.`;
    throw new ConfigError("config_not_checked_out", message);
  }
  const existing = [...foldersUpwards(configPath)].find((path) => existsSync(path)) ?? root;
  const target = realpathSync(existing);
  const top = realpathSync(repository ?? root);
  if (target !== top && !target.startsWith(`${top}${sep}`)) {
    const message = `${configPath} points out of the project through a symbolic link, to ${target}.`;
    const details = { path: configPath, target };
    throw new ConfigError("config_outside_project", message, { details });
  }
  try {
    accessSync(existing, constants.W_OK);
  } catch (error) {
    const message = `${configPath} cannot be written: ${existing} is read-only for this user.`;
    throw new ConfigError("config_not_writable", message, { details: { path: existing }, cause: error });
  }
}
