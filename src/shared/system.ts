import { readFileSync } from "node:fs";
import { homedir, hostname, userInfo } from "node:os";
import { dirname, isAbsolute } from "node:path";
import type { Context, Machine } from "./context.ts";
import { systemIo } from "./io.ts";
import { systemFetch } from "./network.ts";

export function systemContext(): Context {
  const env = process.env;
  // The yaml package prints its tokens where one of these variables is set.
  delete env.LOG_TOKENS;
  delete env.LOG_STREAM;
  let stop: (() => void) | null = null;
  const onSignal = (exitCode: number) => () => {
    if (stop === null) process.exit(exitCode);
    const handler = stop;
    stop = null;
    handler();
  };
  process.on("SIGINT", onSignal(130));
  process.on("SIGTERM", onSignal(143));
  return {
    io: systemIo(env),
    env,
    cwd: process.cwd(),
    machine: systemMachine(),
    timing: { now: Date.now, sleep: (milliseconds) => Bun.sleep(milliseconds), random: Math.random },
    fetch: systemFetch(env),
    onStop: (handler) => {
      stop = handler;
    },
  };
}

function systemMachine(): Machine {
  return {
    platform: process.platform,
    architecture: process.arch,
    homeDirectory: homeDirectory(process.env.HOME ?? accountHome()),
    get hostName() {
      return hostname();
    },
    get userName() {
      return userName();
    },
    userId: process.getuid?.(),
  };
}

/** The home of the account; empty where the account database does not know the user. */
function accountHome(): string {
  try {
    return homedir();
  } catch {
    return "";
  }
}

/** A home that can hold files of one user. A relative path would put tracker's state into the current folder. */
function homeDirectory(path: string): string | null {
  return isAbsolute(path) && dirname(path) !== path ? path : null;
}

/**
 * The user's login name, found as other Spec Kitty tools find it: in the environment, else in the account database.
 * (Bun's `userInfo` reads the environment only and returns "unknown" without it.)
 */
function userName(): string {
  const { LOGNAME, USER, LNAME, USERNAME } = process.env;
  const name = LOGNAME || USER || LNAME || USERNAME;
  return name || accountName() || userInfo().username;
}

function accountName(): string | null {
  const id = process.getuid?.();
  try {
    const accounts = readFileSync("/etc/passwd", "utf8").split("\n");
    const own = accounts.map((line) => line.split(":")).find(([, , uid]) => uid === String(id));
    return own?.[0] ?? null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
