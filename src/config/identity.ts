/**
 * ProjectIdentity: how a project introduces itself to a control plane. What the
 * config records wins; what it lacks is derived from the repository and the
 * machine.
 */
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { RecordedIdentity, SectionEdit } from "../config.ts";
import { readRegularFile, replaceFile } from "../shared/atomic-file.ts";
import type { Machine } from "../shared/context.ts";

/** A complete identity, as it is sent. */
export interface ProjectIdentity {
  readonly uuid: string;
  readonly slug: string;
  readonly nodeId: string;
  /** `owner/repo`, with every group on GitLab; null without an `origin` remote. */
  readonly repoSlug: string | null;
}

/** The path of a remote URL without `.git`, such as `owner/repo`, or null when it has no owner. */
export function parseRepoSlug(url: string): string | null {
  if (/^[A-Za-z]:[\\/]/.test(url)) return null;
  const scpLike = /^(?:[^@/\s]+@)?[^:/\s]+:(?!\/\/)(.+)$/.exec(url)?.[1];
  const path = scpLike ?? remotePath(url);
  if (path === null) return null;
  const segments = trimRepository(path).split("/");
  return segments.length >= 2 && segments.every((segment) => segment !== "") ? segments.join("/") : null;
}

function remotePath(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, pathname } = new URL(text);
  return /^(https?|ssh|git(\+ssh)?):$/.test(protocol) ? decodePath(pathname) : null;
}

/** The path as it is written where nothing is encoded; `%2F` stays, for it is no separator. */
function decodePath(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function trimRepository(path: string): string {
  return path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
}

/** A name as a slug: lower case, `_` and spaces become `-`. */
export function toSlug(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[_\s]+/g, "-");
}

/** The project's slug: the repository name of `originUrl`, else the folder's name. */
export function deriveSlug(originUrl: string | null, root: string): string {
  const repository =
    originUrl === null
      ? ""
      : (trimRepository(remotePath(originUrl) ?? originUrl)
          .split(/[/:\\]/)
          .at(-1) ?? "");
  return toSlug(repository) || toSlug(basename(root)) || "project";
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** The stable id of this machine and person: the first 12 hex digits of SHA-256 of `host:user`. */
export function deriveNodeId(machine: Pick<Machine, "hostName" | "userName">): string {
  return sha256(`${machine.hostName}:${machine.userName}`).slice(0, 12);
}

/** What {@link completeIdentity} derives missing parts from. */
export interface IdentityFacts {
  /** Absolute path of the project's folder. */
  readonly root: string;
  readonly originUrl: string | null;
  readonly machine: Pick<Machine, "hostName" | "userName">;
  /** The uuid for a project that has none recorded. */
  readonly uuid: string;
}

/** Fills what `recorded` lacks. */
export function completeIdentity(recorded: RecordedIdentity, facts: IdentityFacts): ProjectIdentity {
  return {
    uuid: recorded.uuid ?? facts.uuid,
    slug: recorded.slug ?? deriveSlug(facts.originUrl, facts.root),
    nodeId: recorded.nodeId ?? deriveNodeId(facts.machine),
    repoSlug: recorded.repoSlug ?? (facts.originUrl === null ? null : parseRepoSlug(facts.originUrl)),
  };
}

/** Records what is missing; what is recorded already stays, and the derived `repo_slug` is not recorded. */
export function identityEdit(recorded: RecordedIdentity, identity: ProjectIdentity): SectionEdit {
  return {
    ...(recorded.uuid === null ? { uuid: identity.uuid } : {}),
    ...(recorded.slug === null ? { slug: identity.slug } : {}),
    ...(recorded.nodeId === null ? { node_id: identity.nodeId } : {}),
  };
}

/**
 * The uuids of projects whose bind has begun and not ended. The config is
 * written only once a binding exists, yet a bind that is repeated after a lost
 * answer must introduce itself by the same uuid.
 */
export class UuidReservations {
  readonly #folder: string;
  readonly #lockPath: string;

  constructor(stateFolder: string, lockPath: string) {
    this.#folder = join(stateFolder, "reserved-identities");
    this.#lockPath = lockPath;
  }

  #path(root: string): string {
    return join(this.#folder, sha256(root));
  }

  /** The uuid reserved for the project at `root`, a real path, or a new one that is not reserved yet. */
  peek(root: string): string {
    return parseReserved(readRegularFile(this.#path(root))) ?? crypto.randomUUID();
  }

  /** Reserves `uuid`; returns the one that holds, which another process may have reserved first. */
  reserve(root: string, uuid: string): string {
    const plan = (current: Uint8Array | null): Uint8Array | null =>
      parseReserved(current) === null ? Buffer.from(uuid) : null;
    const { after } = replaceFile(this.#path(root), this.#lockPath, plan, { mode: 0o600 });
    return parseReserved(after) ?? uuid;
  }

  /** Forgets the reservation: the uuid is in the config now. */
  release(root: string): void {
    rmSync(this.#path(root), { force: true });
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function parseReserved(content: Uint8Array | null): string | null {
  const text = content === null ? "" : Buffer.from(content).toString("utf8");
  return UUID.test(text) ? text : null;
}
