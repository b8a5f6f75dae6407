/** The project on disk: where its config is, what it records, how it introduces itself. */
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { type ConfigEdit, editProjectConfig, type ProjectConfig, readProjectConfig } from "../config.ts";
import type { Context } from "../shared/context.ts";
import { ProjectError } from "../shared/errors.ts";
import { findGitRoot, findUpwards, readOriginUrl } from "../shared/git.ts";
import { completeIdentity, identityEdit, type ProjectIdentity, UuidReservations } from "./identity.ts";

const CONFIG_FOLDER = ".kittify";

/** A folder that is, or by the first bind becomes, a project. */
export interface Project {
  /** Absolute path. */
  readonly root: string;
  readonly configPath: string;
  /** False in a git repository that was never bound. */
  readonly exists: boolean;
  /** What the config held when it was read. */
  readonly config: ProjectConfig;
}

/** The project at or above `start`: the nearest `.kittify`, else the git root; null when there is neither. */
export function findProject(start: string): Project | null {
  const existing = findUpwards(start, CONFIG_FOLDER);
  const root = existing ?? findGitRoot(start);
  if (root === null) return null;
  const configPath = join(root, CONFIG_FOLDER, "config.yaml");
  return { root, configPath, exists: existing !== null, config: readProjectConfig(configPath) };
}

/**
 * The project at or above `start`.
 *
 * @throws ProjectError when there is none
 */
export function requireProject(start: string): Project {
  const project = findProject(start);
  if (project !== null) return project;
  throw new ProjectError("no_project", `There is no project or git repository at or above ${start}.`, {
    hint: "Run this inside a git repository, or name one with --project DIR.",
  });
}

/** Keeps what projects are on disk: their identities and their configs. */
export class ProjectStore {
  readonly #context: Pick<Context, "env" | "machine">;
  readonly #lockPath: string;
  readonly #reservations: UuidReservations;

  constructor(context: Pick<Context, "env" | "machine">, stateFolder: string, lockPath: string) {
    this.#context = context;
    this.#lockPath = lockPath;
    this.#reservations = new UuidReservations(stateFolder, lockPath);
  }

  /** The identity of `project`; what is not recorded is derived, and nothing is written. */
  async identity(project: Project): Promise<ProjectIdentity> {
    const { root, config } = project;
    const recorded = config.project;
    const complete = recorded.slug !== null && recorded.repoSlug !== null;
    return completeIdentity(recorded, {
      root,
      originUrl: complete ? null : await readOriginUrl(root, this.#context.env),
      machine: this.#context.machine,
      uuid: recorded.uuid ?? this.#reservations.peek(realpathSync(root)),
    });
  }

  /**
   * Makes sure that a bind which is repeated introduces itself as `identity`
   * does. To be called before anything is asked of the control plane that it
   * will remember.
   */
  reserve(project: Project, identity: ProjectIdentity): ProjectIdentity {
    if (project.config.project.uuid !== null) return identity;
    return { ...identity, uuid: this.#reservations.reserve(realpathSync(project.root), identity.uuid) };
  }

  /** Edits the config; `plan` may be called again when another program changed the file meanwhile. */
  edit(project: Project, plan: (config: ProjectConfig) => ConfigEdit): boolean {
    return editProjectConfig(project.configPath, this.#lockPath, plan).changed;
  }

  /** Writes identity and binding in one edit, after which the reservation is no longer needed. */
  bind(project: Project, identity: ProjectIdentity, plan: (config: ProjectConfig) => ConfigEdit): void {
    this.edit(project, (config) => ({
      ...plan(config),
      project: identityEdit(config.project, identity),
    }));
    if (project.config.project.uuid === null) this.#reservations.release(realpathSync(project.root));
  }
}
