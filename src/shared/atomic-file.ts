import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ConfigError, TrackerError } from "./errors.ts";
import { FileLock } from "./file-lock.ts";

const LOCK_TIMEOUT_MS = 10_000;
const MAX_REPLACEMENTS = 10;
const MAX_LINKS = 40;

interface Replacement {
  readonly before: Uint8Array | null;
  readonly after: Uint8Array | null;
  readonly changed: boolean;
}

interface ReplaceOptions {
  /** Permissions that the file gets in any case; without it an old file keeps its own and a new one gets 0644 less the umask. */
  readonly mode?: number;
  readonly maxBytes?: number;
}

/**
 * Reads a regular file; null when there is none.
 *
 * @throws ConfigError when it cannot be read, is no regular file, or is larger than `maxBytes`
 */
export function readRegularFile(path: string, maxBytes = Number.POSITIVE_INFINITY): Uint8Array | null {
  const target = followLinks(path);
  return target.stats === null ? null : readTarget(path, maxBytes);
}

/**
 * Replaces a file as a whole, under a lock against other runs, so that every reader sees the old or the new content,
 * also after a crash. A symbolic link stays one. Synchronous, so that no signal handler runs in between.
 *
 * @param lockPath a file that all writers of `path` agree on; made when missing
 * @param transform the new content, or null to leave the file; called again when a writer that takes no lock was
 * faster
 * @throws ConfigError when the file, its folder or the lock refuses
 */
export function replaceFile(
  path: string,
  lockPath: string,
  transform: (current: Uint8Array | null) => Uint8Array | null,
  options: ReplaceOptions = {},
): Replacement {
  return withLock(lockPath, () => {
    for (let attempt = 0; attempt < MAX_REPLACEMENTS; attempt++) {
      const replacement = tryReplace(path, transform, options);
      if (replacement !== null) return replacement;
    }
    throw new ConfigError("config_busy", `Cannot write ${path}: another program keeps changing it.`, {
      retryable: true,
    });
  });
}

export interface OutputFile {
  append(text: string): void;
  finish(): void;
  discard(): void;
}

/**
 * Opens a destination: a {@link PendingFile}, or a device or named pipe, which
 * is written as the content arrives.
 *
 * @throws TrackerError `file_unwritable` when it cannot be written
 */
export function openOutputFile(path: string): OutputFile {
  const { stats } = outputTarget(path);
  const isStream = stats !== null && (stats.isFIFO() || stats.isCharacterDevice());
  return isStream ? new OutputStream(path) : new PendingFile(path);
}

class OutputStream implements OutputFile {
  readonly #path: string;
  readonly #descriptor: number;
  #isOpen = true;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = this.#guard(() => openSync(path, constants.O_WRONLY));
  }

  append(text: string): void {
    this.#guard(() => writeFully(this.#descriptor, Buffer.from(text, "utf8")));
  }

  finish(): void {
    this.discard();
  }

  discard(): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw unwritableFile(this.#path, reasonOf(error), error);
    }
  }
}

/**
 * A file that is written in parts and replaces `path` as a whole when it is finished. The parts are in a temporary
 * file in the same folder. A symbolic link stays one.
 */
export class PendingFile implements OutputFile {
  readonly #path: string;
  readonly #target: ResolvedPath;
  readonly #temporary: string;
  readonly #descriptor: number;
  #isOpen = true;

  /** @throws TrackerError `file_unwritable` when no such file can be written */
  constructor(path: string) {
    this.#path = path;
    const target = outputTarget(path);
    const { stats } = target;
    if (stats !== null && !stats.isFile()) {
      throw unwritableFile(path, stats.isDirectory() ? "it is a folder" : "it is not a regular file");
    }
    if (stats !== null && (stats.mode & 0o222) === 0) throw unwritableFile(path, "it is read-only");
    const mark = crypto.randomUUID().slice(0, 8);
    this.#target = target;
    this.#temporary = join(dirname(target.path), `.${basename(target.path)}.${mark}.tracker-tmp`);
    this.#descriptor = this.#guard(() => {
      try {
        return openTemporary(this.#temporary, stats, undefined);
      } catch (error) {
        rmSync(this.#temporary, { force: true });
        throw error;
      }
    });
  }

  /** @throws TrackerError `file_unwritable` when the disk refuses, or the file is finished or discarded */
  append(text: string): void {
    if (!this.#isOpen) throw unwritableFile(this.#path, "it is closed");
    this.#guard(() => writeFully(this.#descriptor, Buffer.from(text, "utf8")));
  }

  /**
   * Puts the file in its place.
   *
   * @throws TrackerError `file_unwritable` when the disk refuses
   */
  finish(): void {
    this.#guard(() => {
      fsyncSync(this.#descriptor);
      this.#close();
      renameSync(this.#temporary, this.#target.path);
      syncFolder(dirname(this.#target.path));
    });
  }

  /** Removes the temporary file; does nothing once the file is finished. */
  discard(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw unwritableFile(this.#path, reasonOf(error), error);
    }
  }
}

function tryReplace(
  path: string,
  transform: (current: Uint8Array | null) => Uint8Array | null,
  options: ReplaceOptions,
): Replacement | null {
  const target = followLinks(path);
  const temporary = join(dirname(target.path), `.${basename(target.path)}.tracker-tmp`);
  removeLeftover(temporary);
  const before = target.stats === null ? null : readTarget(path, options.maxBytes);
  const after = transform(before);
  if (after === null || (before !== null && equalBytes(before, after))) {
    return { before, after: before, changed: false };
  }
  if (target.stats !== null && (target.stats.mode & 0o222) === 0) {
    throw unwritable(path, "it is read-only");
  }
  try {
    mkdirSync(dirname(target.path), { recursive: true });
    writeTemporary(temporary, after, target.stats, options.mode);
    const now = followLinks(path);
    const unchanged =
      now.path === target.path &&
      sameContent(before, now.stats === null ? null : readTarget(path, options.maxBytes));
    if (!unchanged) {
      removeLeftover(temporary);
      return null;
    }
    renameSync(temporary, target.path);
    syncFolder(dirname(target.path));
  } catch (error) {
    removeLeftover(temporary);
    throw error instanceof ConfigError ? error : unwritable(path, reasonOf(error), error);
  }
  return { before, after, changed: true };
}

interface ResolvedPath {
  readonly path: string;
  readonly stats: Stats | null;
}

/** The file that `path` leads to, which may not exist yet. */
function followLinks(path: string): ResolvedPath {
  let current = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    try {
      const stats = lstatSync(current, { throwIfNoEntry: false });
      if (stats === undefined) return { path: current, stats: null };
      if (!stats.isSymbolicLink()) return { path: current, stats };
      current = resolve(realpathSync(dirname(current)), readlinkSync(current));
    } catch (error) {
      throw unreadable(path, reasonOf(error), error);
    }
  }
  throw unreadable(path, "too many symbolic links");
}

function readTarget(path: string, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw unreadable(path, "it is not a regular file");
    if (stats.size > maxBytes) {
      throw new ConfigError("config_too_large", `${path} is larger than ${Math.floor(maxBytes / 1024)} KB.`);
    }
    return readFileSync(descriptor);
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(path, reasonOf(error), error);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function writeTemporary(
  path: string,
  content: Uint8Array,
  old: Stats | null,
  mode: number | undefined,
): void {
  const descriptor = openTemporary(path, old, mode);
  try {
    writeFully(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a new file with the owner of the old one, and with its permissions unless `mode` names others. */
function openTemporary(path: string, old: Stats | null, mode: number | undefined): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  const descriptor = openSync(path, flags, mode ?? 0o644);
  try {
    const wanted = mode ?? (old === null ? undefined : old.mode & 0o7777);
    if (old !== null && process.getuid?.() === 0) fchownSync(descriptor, old.uid, old.gid);
    if (wanted !== undefined) fchmodSync(descriptor, wanted);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function writeFully(descriptor: number, content: Uint8Array): void {
  for (let written = 0; written < content.length; ) {
    written += writeSync(descriptor, content, written);
  }
}

/** Makes a rename durable; Windows has no call for it. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes the file of a killed run. No other process writes under this name while the lock is held. */
function removeLeftover(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw unwritable(path, reasonOf(error), error);
  }
}

function withLock<T>(path: string, action: () => T): T {
  let lock: FileLock | null = null;
  try {
    lock = new FileLock(path);
    takeLock(lock);
  } catch (error) {
    lock?.close();
    throw lockError(path, error);
  }
  try {
    return action();
  } finally {
    lock.close();
  }
}

/** Short random pauses let every waiting run proceed; SQLite's own pauses grow until one run starves the others. */
function takeLock(lock: FileLock): void {
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  while (!lock.tryTake()) {
    if (performance.now() > deadline) throw new Error("another run of tracker holds the lock");
    Bun.sleepSync(1 + Math.random() * 4);
  }
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function sameContent(left: Uint8Array | null, right: Uint8Array | null): boolean {
  return left === null || right === null ? left === right : equalBytes(left, right);
}

const ERRNO_REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is not a folder",
  ELOOP: "too many symbolic links",
  ENXIO: "it is not a regular file",
  EPIPE: "its reader has gone",
  ENOENT: "the file or folder does not exist",
};

export function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return ERRNO_REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

function unreadable(path: string, reason: string, cause?: unknown): ConfigError {
  return new ConfigError("config_unreadable", `Cannot read ${path}: ${reason}.`, {
    cause,
  });
}

function unwritable(path: string, reason: string, cause?: unknown): ConfigError {
  return new ConfigError("config_unwritable", `Cannot write ${path}: ${reason}.`, {
    cause,
  });
}

function outputTarget(path: string): ResolvedPath {
  try {
    return followLinks(path);
  } catch (error) {
    const isNamed = error instanceof ConfigError && error.cause !== undefined;
    throw unwritableFile(path, isNamed ? reasonOf(error.cause) : "too many symbolic links", error);
  }
}

function unwritableFile(path: string, reason: string, cause?: unknown): TrackerError {
  return new TrackerError("file_unwritable", `Cannot write ${path}: ${reason}.`, {
    cause,
  });
}

function lockError(path: string, cause: unknown): ConfigError {
  return new ConfigError("config_locked", `Cannot lock ${path}: ${reasonOf(cause)}.`, {
    retryable: true,
    cause,
  });
}
