/** A project's identity. Recorded parts win; the others are derived from the repository and the machine. */
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { RecordedIdentity, SectionEdit } from "../config.ts";
import { readRegularFile, replaceFile } from "../shared/atomic-file.ts";
import type { Machine } from "../shared/context.ts";
import { projectUuid } from "../shared/project-uuid.ts";
import type { RemoteIdentity } from "./remote.ts";

export interface ProjectIdentity {
  readonly uuid: string;
  readonly slug: string;
  readonly nodeId: string;
  /** `owner/repo`, with every group on GitLab; null without a remote that has one. */
  readonly repoSlug: string | null;
  /** The remote's web host in lower case; null for local paths and SSH aliases. */
  readonly repoHost: string | null;
}

/** Longest slug that the wire carries, in UTF-16 units. */
const MAX_SLUG_LENGTH = 200;

export function toSlug(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[_\s]+/g, "-");
}

/** The repository's name, else the folder's. */
export function deriveSlug(remote: RemoteIdentity | null, root: string): string {
  const slug = toSlug(remote?.name ?? "") || toSlug(basename(root)) || "project";
  return slug.slice(0, MAX_SLUG_LENGTH);
}

/** The hash in hexadecimal digits. Loading `node:crypto` for it would slow every start. */
export function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** The first 12 hex digits of SHA-256 of `host:user`: stable for this machine and person. */
export function deriveNodeId(machine: Pick<Machine, "hostName" | "userName">): string {
  return sha256(`${machine.hostName}:${machine.userName}`).slice(0, 12);
}

export interface IdentityFacts {
  readonly root: string;
  /** Relative to the repository's root, with slashes; empty at the root. */
  readonly folder: string;
  readonly remote: RemoteIdentity | null;
  readonly machine: Pick<Machine, "hostName" | "userName">;
  /** Called for a project that neither records nor derives a uuid. */
  readonly reservedUuid: () => string;
}

export function completeIdentity(recorded: RecordedIdentity, facts: IdentityFacts): ProjectIdentity {
  const { root, folder, remote, machine, reservedUuid } = facts;
  return {
    uuid: recorded.uuid ?? derivedUuid(remote, folder) ?? reservedUuid(),
    slug: recorded.slug ?? deriveSlug(remote, root),
    nodeId: recorded.nodeId ?? deriveNodeId(machine),
    repoSlug: recorded.repoSlug ?? remote?.path ?? null,
    repoHost: remote?.host ?? null,
  };
}

/** The uuid that every clone derives; null when the remote names no host or no path. */
function derivedUuid(remote: RemoteIdentity | null, folder: string): string | null {
  if (remote === null || remote.host === null || remote.path === null) return null;
  return projectUuid(remote.host, remote.path, folder);
}

/** Records missing parts, except for a derived `repo_slug`. */
export function identityEdit(recorded: RecordedIdentity, identity: ProjectIdentity): SectionEdit {
  return {
    ...(recorded.uuid === null ? { uuid: identity.uuid } : {}),
    ...(recorded.slug === null ? { slug: identity.slug } : {}),
    ...(recorded.nodeId === null ? { node_id: identity.nodeId } : {}),
  };
}

/**
 * The UUIDs of unfinished binds. The config is written only once a binding exists, yet a bind that is repeated
 * after a lost response must present the same UUID.
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

  /** The reserved uuid, or a new one that is not reserved yet. `root` is a real path. */
  peek(root: string): string {
    return parseReserved(readRegularFile(this.#path(root))) ?? crypto.randomUUID();
  }

  /** Returns the reserved uuid: another process may have been first. */
  reserve(root: string, uuid: string): string {
    const plan = (current: Uint8Array | null): Uint8Array | null =>
      parseReserved(current) === null ? Buffer.from(uuid) : null;
    const { after } = replaceFile(this.#path(root), this.#lockPath, plan, { mode: 0o600 });
    return parseReserved(after) ?? uuid;
  }

  release(root: string): void {
    rmSync(this.#path(root), { force: true });
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function parseReserved(content: Uint8Array | null): string | null {
  const text = content === null ? "" : Buffer.from(content).toString("utf8");
  return UUID.test(text) ? text : null;
}
