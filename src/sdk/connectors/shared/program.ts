/** Runs an on-device tracker's program. There is no shell in between: arguments reach the program unchanged. */

import { Buffer } from "node:buffer";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill } from "node:process";
import { parseJson } from "../../../shared/json.ts";
import { providerName } from "../../../shared/providers.ts";
import { ConnectorConfigError, ConnectorRequestError, IssuePayloadContractError } from "../../errors.ts";

export type ProgramEnvironment = Readonly<Record<string, string | undefined>>;

export interface ProgramOptions {
  readonly provider: string;
  /** Name of the program on PATH, or its path. */
  readonly command: string;
  /** Folder to run it in. Default: this process's. */
  readonly cwd?: string;
  /** Its whole environment. See {@link programEnvironment}. */
  readonly environment: ProgramEnvironment;
  /** One sentence on how to install it. */
  readonly install: string;
  /** Default 30 s. */
  readonly timeoutMs?: number;
  /** Default 32 MiB. */
  readonly maxOutputBytes?: number;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Linux refuses an argument of 128 KiB or more. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;
const TOO_LONG = "does not accept an argument of that length.";
const MAX_STDERR_BYTES = 64 * 1024;
/** The time for which a child of the program may keep its output open after the program ended. */
const LINGER_MS = 500;

export class Program {
  readonly #options: ProgramOptions;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /**
   * Runs the program once and returns whatever its exit code is.
   *
   * @throws ConnectorConfigError when it is missing or cannot be started
   * @throws ConnectorRequestError `invalid` for an argument that no program accepts, `transient` after the
   * timeout, `contract` for too much output
   */
  async run(args: readonly string[], stdin = ""): Promise<ProgramResult> {
    const { maxOutputBytes = 32 * 1024 * 1024, timeoutMs = 30_000 } = this.#options;
    this.#assertPassable(args, stdin);
    const child = await this.#start(args, stdin);
    const [out, err] = [child.stdout.getReader(), child.stderr.getReader()];
    const stop = () => {
      killGroup(child);
      for (const reader of [out, err]) void reader.cancel();
    };
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      stop();
    }, timeoutMs);
    let linger: ReturnType<typeof setTimeout> | undefined;
    const ended = child.exited.then((exitCode) => {
      linger = setTimeout(() => killGroup(child), LINGER_MS);
      return exitCode;
    });
    try {
      const [stdout, stderr, exitCode] = await Promise.all([
        readUpTo(out, maxOutputBytes, stop),
        readUpTo(err, MAX_STDERR_BYTES, null),
        ended,
      ]);
      if (isLate) {
        throw this.#failure(
          "transient",
          `did not finish within ${timeoutMs / 1000} seconds and was stopped.`,
        );
      }
      if (stdout.isCut) {
        throw this.#failure("contract", `wrote more than ${maxOutputBytes} bytes and was stopped.`);
      }
      return { exitCode, stdout: stdout.text, stderr: stderr.text };
    } finally {
      clearTimeout(late);
      clearTimeout(linger);
    }
  }

  #assertPassable(args: readonly string[], stdin: string): void {
    if ([...args, stdin].some((text) => text.includes("\0"))) {
      throw this.#failure("invalid", "does not accept text with a NUL character.");
    }
    if (args.some((text) => Buffer.byteLength(text) > MAX_ARGUMENT_BYTES)) {
      throw this.#failure("invalid", TOO_LONG);
    }
  }

  async #start(args: readonly string[], stdin: string) {
    const { provider, command, cwd, environment, install } = this.#options;
    if (cwd !== undefined && !(await isFolder(cwd))) {
      throw new ConnectorConfigError(
        provider,
        `${providerName(provider)}: the folder ${cwd} (cwd) does not exist.`,
      );
    }
    try {
      return Bun.spawn([command, ...args], {
        ...(cwd !== undefined && { cwd }),
        env: { ...environment },
        stdin: Buffer.from(stdin),
        stdout: "pipe",
        stderr: "pipe",
        // A group of its own, so that its children can be stopped with it.
        detached: true,
      });
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (code === "ENOENT") {
        const advice = `${install} Or set its path as the connector parameter "command".`;
        throw new ConnectorConfigError(
          provider,
          `${providerName(provider)}: the program ${command} was not found. ${advice}`,
        );
      }
      if (code === "E2BIG" || code === "ENAMETOOLONG") throw this.#failure("invalid", TOO_LONG);
      const reason =
        code === "EACCES" || code === "ENOEXEC" ? "is not executable" : `cannot be run (${code})`;
      throw new ConnectorConfigError(
        provider,
        `${providerName(provider)}: the program ${command} ${reason}.`,
      );
    }
  }

  #failure(failureClass: "contract" | "invalid" | "transient", problem: string): ConnectorRequestError {
    const { provider, command } = this.#options;
    return new ConnectorRequestError(`${command} ${problem}`, { provider, failureClass });
  }
}

/** Variables with which programs find themselves, their settings and their git identity. */
const NAMES: ReadonlySet<string> = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "SSH_AUTH_SOCK"],
  ...["SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATHEXT", "TEMP", "TMP"],
]);
const PREFIXES = ["LC_", "XDG_", "GIT_"] as const;

/**
 * The part of an environment that a tracker's program receives: the general variables and those that start
 * with one of `prefixes`. Tokens of other services are not passed on.
 *
 * @param fixed Variables that are always set
 */
export function programEnvironment(
  environment: ProgramEnvironment,
  prefixes: readonly string[],
  fixed: ProgramEnvironment = {},
): ProgramEnvironment {
  const wanted = [...PREFIXES, ...prefixes];
  const kept = Object.entries(environment).filter(
    ([name]) => NAMES.has(name.toUpperCase()) || wanted.some((prefix) => name.startsWith(prefix)),
  );
  return { ...Object.fromEntries(kept), ...fixed };
}

/** Passes text as a file that only this user can read, and deletes it afterwards. */
export async function withTextFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "tracker-text-"));
  try {
    const path = join(folder, "text.md");
    await writeFile(path, text, { mode: 0o600 });
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws IssuePayloadContractError when the text is not JSON */
export function readJson(provider: string, text: string, name: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new IssuePayloadContractError(provider, name, `is not JSON: ${firstLine(text) || "empty output"}`);
  }
}

/** The first line with content, cut and without control characters, for messages. */
export function firstLine(text: string): string {
  const line = text.split("\n").find((candidate) => candidate.trim() !== "") ?? "";
  return line
    .trim()
    .replace(/\p{Cc}/gu, "")
    .slice(0, 300);
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() ?? false;
}

/** Stops a program and its children; without process groups, the program alone. */
function killGroup(child: Bun.Subprocess): void {
  try {
    kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** Reads to the end, keeps `limit` bytes and calls `onMore` once there are more. */
async function readUpTo(
  reader: { read(): Promise<{ readonly value?: Uint8Array | undefined }> },
  limit: number,
  onMore: (() => void) | null,
): Promise<{ readonly text: string; readonly isCut: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) return { text: Buffer.concat(chunks).toString(), isCut: size > limit };
    chunks.push(value.subarray(0, Math.max(0, limit - size)));
    size += value.byteLength;
    if (size > limit) onMore?.();
  }
}
